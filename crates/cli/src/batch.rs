//! Record batches for the formats that cannot hold everything, and from what no query made.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use benchbook_report::texts;

use crate::error::Failure;

/// The same batches with lists, maps and structs as text, for formats without them.
pub fn without_nesting(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(SchemaRef, Vec<RecordBatch>), Failure> {
    let flat = |field: &Field| match field.data_type() {
        data_type if data_type.is_nested() => Field::new(field.name(), DataType::Utf8, true),
        _ => field.clone(),
    };
    let schema = Arc::new(Schema::new(schema.fields().iter().map(|field| flat(field)).collect::<Vec<_>>()));
    let column = |column: &ArrayRef| -> Result<ArrayRef, Failure> {
        if !column.data_type().is_nested() {
            return Ok(Arc::clone(column));
        }
        Ok(Arc::new(StringArray::from(texts(column, column.len())?)))
    };
    let batch = |batch: &RecordBatch| -> Result<RecordBatch, Failure> {
        let columns = batch.columns().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
    };
    let batches = batches.iter().map(batch).collect::<Result<Vec<_>, _>>()?;
    Ok((schema, batches))
}

/// A batch from named text columns, for answers that no query made.
pub fn text_batch(columns: &[(&str, Vec<String>)]) -> Result<RecordBatch, Failure> {
    let fields: Vec<Field> = columns.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, false)).collect();
    let arrays = columns.iter().map(|(_, texts)| Arc::new(StringArray::from(texts.clone())) as ArrayRef).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        let batch = text_batch(&[("name", vec!["a\u{1b}[31mred".into()])]).unwrap();
        assert!(!benchbook_report::table(&batch.schema(), &[batch], None).unwrap().contains('\u{1b}'));
    }
}
