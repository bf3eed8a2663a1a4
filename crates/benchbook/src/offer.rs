//! What this process can measure, as a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use benchbook_measure::Offers;
use benchbook_query::Answer;

use crate::{Lab, Result};

/// Implementations by workload and device.
pub(crate) fn list(lab: &Lab) -> Result<Answer> {
    let known = lab.here.clone().describe()?;
    let why: BTreeMap<_, _> =
        known.devices.iter().map(|device| (device.name.as_str(), device.unavailable.as_deref())).collect();
    let mut columns: [Vec<&str>; 5] = Default::default();
    for one in &known.implementations {
        for device in &one.devices {
            let available = why.get(device.as_str()).copied().flatten().unwrap_or("available");
            let row = [one.workload.as_str(), &one.name, device, available, &one.about];
            columns.iter_mut().zip(row).for_each(|(column, text)| column.push(text));
        }
    }
    let names = ["workload", "implementation", "device", "status", "about"];
    let schema = Arc::new(Schema::new(names.map(|name| Field::new(name, DataType::Utf8, false)).to_vec()));
    let arrays = columns.map(|column| Arc::new(StringArray::from(column)) as ArrayRef).to_vec();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(benchbook_report::Error::from)?;
    Ok(Answer { schema, batches: vec![batch], left_out: Default::default() })
}
