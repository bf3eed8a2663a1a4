//! A model of ONNX, made in memory.

use std::fmt::Debug;

use benchbook_core::{Array, DType, Element};
use ort::Result;
use ort::editor::{Graph as Made, Model, Node, ONNX_DOMAIN, Opset};
use ort::environment::Environment;
use ort::memory::Allocator;
use ort::operator::Attribute;
use ort::session::Session;
use ort::value::{Outlet, PrimitiveTensorElementType, Shape, SymbolicDimensions, Tensor, TensorElementType, ValueType};

/// The name of a graph's result.
pub const OUTPUT: &str = "output";

/// The operators of ONNX that graphs are made of: the first set with a norm by the root of the mean square.
const OPERATORS: u32 = 23;

/// The model of a case.
pub struct Graph {
    /// What each call is given, by name.
    pub given: Vec<(&'static str, Array)>,
    /// Weights, which a session may pack when it is opened.
    pub constants: Vec<(&'static str, Array)>,
    /// In the order in which they follow each other; the last gives [`OUTPUT`].
    pub steps: Vec<Step>,
    /// The shape of the result.
    pub shape: Vec<usize>,
}

/// One operation.
pub struct Step {
    operator: &'static str,
    inputs: &'static [&'static str],
    output: &'static str,
    attributes: Vec<(&'static str, Attributed)>,
}

/// The value of an attribute.
pub enum Attributed {
    /// A whole number.
    Whole(i64),
    /// A real one.
    Real(f32),
    /// A word.
    Word(&'static str),
    /// Axes in their order.
    Axes(&'static [i64]),
}

/// The operation of this name on inputs, and the name of its result.
pub fn step(operator: &'static str, inputs: &'static [&'static str], output: &'static str) -> Step {
    Step { operator, inputs, output, attributes: Vec::new() }
}

impl Step {
    /// The same with an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Attributed) -> Self {
        self.attributes.push((name, value));
        self
    }

    fn node(&self) -> Result<Node> {
        let attribute = |(name, value): &(&'static str, Attributed)| match value {
            Attributed::Whole(number) => Attribute::new(name, *number),
            Attributed::Real(number) => Attribute::new(name, *number),
            Attributed::Word(word) => Attribute::new(name, (*word).to_owned()),
            Attributed::Axes(axes) => Attribute::new(name, axes.to_vec()),
        };
        let attributes: Result<Vec<Attribute>> = self.attributes.iter().map(attribute).collect();
        Node::new(self.operator, ONNX_DOMAIN, self.output, self.inputs, [self.output], attributes?)
    }
}

impl Graph {
    /// Whether all calls may share one session: what they share beside it is nothing to speak of.
    pub fn is_shared(&self) -> bool {
        self.constants.iter().all(|(_, array)| array.len() == 1)
    }

    /// A session of the model with as many threads. Those of one that is not `alone` wait without spinning, since another's
    /// compute then.
    ///
    /// # Errors
    /// The runtime refuses.
    pub fn session(&self, environment: &Environment, threads: usize, alone: bool) -> Result<Session> {
        let options = Session::builder(environment)?
            .with_intra_threads(threads)?
            .with_inter_threads(1)?
            .with_intra_op_spinning(alone)?;
        let mut graph = Made::new()?;
        graph.set_inputs(self.given.iter().map(|(name, array)| outlet(name, element(array), array.shape())))?;
        graph.set_outputs([outlet(OUTPUT, TensorElementType::Float32, &self.shape)])?;
        for (name, array) in &self.constants {
            graph.add_initializer(name, tensor::<f32>(array)?, false)?;
        }
        for step in &self.steps {
            graph.add_node(step.node()?)?;
        }
        let mut model = Model::new([Opset::new(ONNX_DOMAIN, OPERATORS)?])?;
        model.set_graph(graph)?;
        model.into_session(&options)
    }
}

/// An array in memory of the runtime's own, which lies as its kernels want it, and which graphs can take over.
///
/// # Errors
/// There is no memory.
pub fn tensor<T: Element + PrimitiveTensorElementType + Debug>(array: &Array) -> Result<Tensor<T>> {
    let mut tensor = Tensor::<T>::new(&Allocator::default(), array.shape())?;
    tensor.extract_tensor_mut().1.copy_from_slice(array.of::<T>());
    Ok(tensor)
}

/// The type of an input's elements: real numbers, or token ids.
fn element(array: &Array) -> TensorElementType {
    if array.dtype() == DType::I32 { TensorElementType::Int32 } else { TensorElementType::Float32 }
}

fn outlet(name: &str, ty: TensorElementType, shape: &[usize]) -> Outlet {
    let dimension_symbols = SymbolicDimensions::empty(shape.len());
    Outlet::new(name, ValueType::Tensor { ty, shape: Shape::from(shape), dimension_symbols })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnxruntime::library::{environment, library};

    #[test]
    fn arrays_lie_where_the_widest_vectors_are_read_at_once() {
        // Without the package there is no memory of the runtime's.
        if library().is_err() {
            return;
        }
        environment().expect("the library is here");
        let array = Array::new(vec![3, 5], &[1.5_f32; 15]);
        let made: Vec<Tensor<f32>> = (0..8).map(|_| tensor(&array).expect("there is memory")).collect();
        for tensor in &made {
            let (shape, numbers) = tensor.extract_tensor();
            assert_eq!((&**shape, numbers), (&[3, 5][..], &[1.5; 15][..]));
            assert!(numbers.as_ptr().addr().is_multiple_of(64), "{:p}", numbers.as_ptr());
        }
    }
}
