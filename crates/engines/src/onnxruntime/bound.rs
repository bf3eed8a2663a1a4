//! A session with its inputs and its output bound, as a thing to time.

use std::cell::RefCell;
use std::rc::Rc;

use benchbook_core::{Array, DType, Inputs, Problem, Result, Row, Setting, Subject};
use ort::memory::Allocator;
use ort::session::{IoBinding, Session};
use ort::value::Tensor;

use super::graph::{Graph, OUTPUT, tensor};
use super::library::environment;
use super::{DEVICE, engine};
use crate::flex::failed;
use crate::turns::{Turn, Turns};

/// See [`Row::prepare`].
type Prepare<P> = fn(&'static str, &Setting, &<P as Problem>::Params, &Inputs) -> Result<Box<dyn Subject>>;

/// The row of a graph: what it is made of, in a line. One of many that few runs want side by side, and so on request.
pub const fn row<P: Problem>(about: &'static str, prepare: Prepare<P>) -> Row<P> {
    Row::new("ort", about, &[DEVICE], &[DType::F32], engine, prepare).catalogue(&["EN6"]).on_request()
}

/// Calls of a graph, each on inputs of its own. A graph with weights has a session for each, which holds them.
///
/// # Errors
/// The library is not here, or refuses the graph.
pub fn subject(name: &'static str, setting: &Setting, graph: &Graph) -> Result<Box<dyn Subject>> {
    let environment = environment().map_err(|reason| failed(name, &setting.device, &reason))?;
    let alone = graph.is_shared() || setting.copies == 1;
    let open = || {
        let session = graph.session(environment, setting.threads, alone).map_err(text)?;
        Ok::<_, String>(Rc::new(RefCell::new(session)))
    };
    let mut shared: Option<Rc<RefCell<Session>>> = None;
    let copy = |_| {
        let session = match &shared {
            Some(session) => Rc::clone(session),
            None => open()?,
        };
        if graph.is_shared() {
            shared = Some(Rc::clone(&session));
        }
        Bound::new(session, graph).map_err(text)
    };
    Ok(Box::new(Turns::new(name, &setting.device, (0..setting.copies).map(copy))?))
}

fn text(error: ort::Error) -> String {
    error.to_string()
}

/// An input of a graph.
enum Given {
    Numbers(Tensor<f32>),
    Ids(Tensor<i32>),
}

impl Given {
    fn bind(&self, name: &str, binding: &mut IoBinding) -> ort::Result<()> {
        match self {
            Self::Numbers(numbers) => binding.bind_input(name, numbers),
            Self::Ids(ids) => binding.bind_input(name, ids),
        }
    }
}

/// A session, what it reads and what it writes: nothing is copied between calls.
struct Bound {
    session: Rc<RefCell<Session>>,
    binding: IoBinding,
    given: Vec<(&'static str, Given)>,
    output: Tensor<f32>,
}

impl Bound {
    fn new(session: Rc<RefCell<Session>>, graph: &Graph) -> ort::Result<Self> {
        let mut binding = session.borrow().create_binding()?;
        let mut given = Vec::with_capacity(graph.given.len());
        for (name, array) in &graph.given {
            let is_ids = array.dtype() == DType::I32;
            let one = if is_ids { Given::Ids(tensor(array)?) } else { Given::Numbers(tensor(array)?) };
            one.bind(name, &mut binding)?;
            given.push((*name, one));
        }
        let mut output = Tensor::<f32>::new(&Allocator::default(), graph.shape.clone())?;
        binding.bind_output(OUTPUT, &mut output)?;
        Ok(Self { session, binding, given, output })
    }
}

impl Turn for Bound {
    const IN_RUST: bool = false;

    fn call(&mut self) -> std::result::Result<(), String> {
        let mut session = self.session.borrow_mut();
        let ran = session.run_binding(&self.binding).map(drop);
        ran.map_err(text)
    }

    fn overwrite(&mut self, input: &str, first: usize, values: &[f32]) -> std::result::Result<bool, String> {
        let Some((_, given)) = self.given.iter_mut().find(|(name, _)| *name == input) else { return Ok(false) };
        match given {
            Given::Numbers(tensor) => {
                let (shape, numbers) = tensor.extract_tensor_mut();
                let start = first * width(shape);
                numbers[start..start + values.len()].copy_from_slice(values);
            }
            Given::Ids(tensor) => {
                let (shape, ids) = tensor.extract_tensor_mut();
                let ids = &mut ids[first * width(shape)..][..values.len()];
                ids.iter_mut().zip(values).for_each(|(id, value)| *id = *value as i32);
            }
        }
        // What changes after it was bound need not be seen.
        given.bind(input, &mut self.binding).map_err(text)?;
        Ok(true)
    }

    fn outputs(&self) -> std::result::Result<Vec<Array>, String> {
        let (shape, numbers) = self.output.extract_tensor();
        Ok(vec![Array::new(shape.iter().map(|length| *length as usize).collect(), numbers)])
    }
}

/// The length of the last axis.
fn width(shape: &[i64]) -> usize {
    shape.last().map_or(1, |length| *length as usize)
}
