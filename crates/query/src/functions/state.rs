//! What an aggregate keeps of a group, and the rows that reach it.

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Field;
use datafusion::common::Result;

use super::family::{Cell, Family};

/// The state of one group of a family.
pub(crate) trait State: Clone + Default + std::fmt::Debug + Send + Sync + 'static {
    /// The family this is the state of.
    fn family() -> &'static Family;

    /// The columns in which states travel between partitions.
    fn state_fields() -> Vec<Field>;

    /// Takes in rows of input.
    fn update(states: &mut [Self], arguments: &[ArrayRef], rows: &Rows<'_>) -> Result<()>;

    /// Takes in states of other partitions, one a row.
    fn merge(states: &mut [Self], columns: &[ArrayRef], groups: &[usize]) -> Result<()>;

    /// The states as columns of [`State::state_fields`].
    fn export(states: &[Self]) -> Result<Vec<ArrayRef>>;

    /// The values of the summary, in the order of its fields.
    fn finish(&self, level: f64) -> Vec<Cell>;

    /// Bytes held outside the state itself.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// The group of each row, and which rows count.
pub(crate) struct Rows<'a> {
    pub(crate) groups: &'a [usize],
    pub(crate) filter: Option<&'a BooleanArray>,
}

impl Rows<'_> {
    /// Calls `visit(row, group)` for each row that passes the filter and is NULL in none of `arrays`.
    pub(crate) fn each(&self, arrays: &[&dyn Array], mut visit: impl FnMut(usize, usize)) {
        let passing = self.filter.map(|filter| match filter.nulls() {
            Some(nulls) => NullBuffer::new(filter.values() & nulls.inner()),
            None => NullBuffer::new(filter.values().clone()),
        });
        let kept = arrays
            .iter()
            .map(|array| array.logical_nulls())
            .fold(passing, |kept, nulls| NullBuffer::union(kept.as_ref(), nulls.as_ref()));
        match kept {
            Some(kept) if kept.null_count() > 0 => {
                for row in kept.valid_indices() {
                    visit(row, self.groups[row]);
                }
            }
            _ => {
                for (row, group) in self.groups.iter().enumerate() {
                    visit(row, *group);
                }
            }
        }
    }
}
