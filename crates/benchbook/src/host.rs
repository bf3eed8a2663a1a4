//! The library's kernels and engines, a worker of them, and what this process can measure of them, as a table.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use benchbook_core::Registry;
use benchbook_measure::{Host, Offers};
use benchbook_query::Answer;

use crate::{Lab, Result};

/// The library's kernels and engines, with whatever `extend` adds.
pub fn host(extend: impl FnOnce(&mut Registry)) -> Host {
    let mut registry = Registry::default();
    benchbook_workloads::register(&mut registry);
    benchbook_engines::register(&mut registry);
    extend(&mut registry);
    let facts = benchbook_engines::build_facts();
    Host::new(registry, benchbook_engines::probe, facts, benchbook_engines::thread_pools)
        .with_settle(benchbook_engines::settle)
}

/// The `main` of a worker program with kernels of your own beside the library's.
///
/// Point `BENCHBOOK_WORKER` at the program, and `benchbook run` measures them in fresh processes.
pub fn worker_main(extend: impl FnOnce(&mut Registry)) -> ExitCode {
    if let Some(code) = benchbook_engines::member_main() {
        return code;
    }
    benchbook_engines::own_process();
    let spared = || host(extend).with_libraries(benchbook_engines::libraries);
    benchbook_measure::worker_main(benchbook_engines::set_threads, spared)
}

/// Implementations by workload and device.
pub(crate) fn list(lab: &Lab) -> Result<Answer> {
    let known = lab.0.here.clone().describe()?;
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
    let batch = RecordBatch::try_new(schema, arrays).map_err(benchbook_report::Error::from)?;
    Ok(batch.into())
}

#[cfg(test)]
mod tests {
    use benchbook_measure::InProcess;

    use super::*;

    #[test]
    fn what_needs_a_process_of_its_own_is_not_here() {
        let known = InProcess::new(host(|_| ())).describe().expect("it answers");
        let why = |name: &str| known.devices.iter().find(|device| device.name == name).expect(name).unavailable.clone();
        assert_eq!(why("flex"), None);
        assert!(why("libtorch-mkl").is_some(), "its path is chosen once in a process");
    }
}
