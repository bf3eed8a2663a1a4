//! Kept values as list columns: how exact order statistics travel between partitions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use datafusion::common::cast::as_list_array;
use datafusion::common::{Result, exec_err};

fn item(kind: DataType) -> Arc<Field> {
    Arc::new(Field::new_list_field(kind, true))
}

/// The field of a list column.
pub(crate) fn field(name: &str, kind: DataType) -> Field {
    Field::new(name, DataType::List(item(kind)), false)
}

/// A list column of the concatenated `values`, one list of each length.
pub(crate) fn column(lengths: impl Iterator<Item = usize>, values: ArrayRef) -> Result<ArrayRef> {
    let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(item(values.data_type().clone()), offsets, values, None)?))
}

/// Refuses more kept values than a list column can hold, before its offsets would overflow.
pub(crate) fn check(total: usize) -> Result<()> {
    if i32::try_from(total).is_err() {
        return exec_err!("more than {} values would have to be kept: query fewer rows", i32::MAX);
    }
    Ok(())
}

/// The rows of a list column: the values of all lists and the range of each.
pub(crate) fn parts(column: &ArrayRef) -> Result<(&ArrayRef, impl Iterator<Item = std::ops::Range<usize>> + '_)> {
    let lists = as_list_array(column)?;
    let ranges = lists.value_offsets().windows(2).map(|pair| pair[0] as usize..pair[1] as usize);
    Ok((lists.values(), ranges))
}
