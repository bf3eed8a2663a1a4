//! Pairs of numbers that are all kept until their group is finished.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::common::cast::as_float64_array;

use super::family::{Cell, Family};
use super::lists;
use super::state::{Rows, State};
use super::summary::floats;

/// What a family makes of all the pairs of a group, which come in no order.
pub(crate) trait OfPoints: Clone + Default + Debug + Send + Sync + 'static {
    /// The family; its first two arguments are the pair.
    fn family() -> &'static Family;

    /// The values of the summary, in the order of its fields.
    fn finish(points: Vec<[f64; 2]>, level: f64) -> Vec<Cell>;
}

/// State of such a family.
#[derive(Debug, Clone, Default)]
pub(crate) struct Points<F>(Vec<[f64; 2]>, PhantomData<F>);

impl<F: OfPoints> State for Points<F> {
    fn family() -> &'static Family {
        F::family()
    }

    fn state_fields() -> Vec<Field> {
        vec![lists::field("points", DataType::Float64)]
    }

    fn update(states: &mut [Self], arguments: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let (first, second) = (floats(arguments, 0)?, floats(arguments, 1)?);
        rows.each(&[first, second], |row, group| states[group].0.push([first.value(row), second.value(row)]));
        Ok(())
    }

    fn merge(states: &mut [Self], columns: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let (values, ranges) = lists::parts(&columns[0])?;
        let values = as_float64_array(values)?.values();
        for (group, range) in groups.iter().zip(ranges) {
            let (points, _) = values[range].as_chunks::<2>();
            states[*group].0.extend_from_slice(points);
        }
        Ok(())
    }

    fn export(states: &[Self]) -> Result<Vec<ArrayRef>> {
        let lengths = || states.iter().map(|state| 2 * state.0.len());
        lists::check(lengths().sum())?;
        let values: Float64Array = states.iter().flat_map(|state| state.0.as_flattened()).copied().map(Some).collect();
        Ok(vec![lists::column(lengths(), Arc::new(values))?])
    }

    fn finish(&self, level: f64) -> Vec<Cell> {
        F::finish(self.0.clone(), level)
    }

    fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<[f64; 2]>()
    }
}
