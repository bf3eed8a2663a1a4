//! Stores that this process has opened, and what is said of them.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use benchbook_core::{counted, for_people, on_one_line};
use benchbook_record::{LocalStore, RunState, Store, merge as copy_runs};

use crate::{Lab, Result, notebook};

/// Interrupted runs that are told of when a store is opened.
const MOST_TOLD: usize = 3;

static OPEN: Mutex<Vec<(PathBuf, Weak<LocalStore>)>> = Mutex::new(Vec::new());

/// The store at `path`, one handle for all that ask while any lives.
pub(crate) fn shared(path: &Path) -> Result<Arc<LocalStore>> {
    let opened = LocalStore::create_or_open(path)?;
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|(_, store)| store.strong_count() > 0);
    if let Some(known) = open.iter().find_map(|(known, store)| (*known == real).then(|| store.upgrade())?) {
        return Ok(known);
    }
    let store = Arc::new(opened);
    open.push((real, Arc::downgrade(&store)));
    Ok(store)
}

/// Says in a notebook which runs were interrupted, and after how many blocks.
pub(crate) fn tell_of_interrupted(lab: &Lab) -> Result<()> {
    if !notebook::live() {
        return Ok(());
    }
    let runs = lab.reader()?.runs()?;
    let mut interrupted: Vec<_> = runs.into_iter().filter(|run| run.state == RunState::Interrupted).collect();
    if interrupted.is_empty() {
        return Ok(());
    }
    let blocks = blocks(lab)?;
    // Oldest first, as the store lists them: the newest are of interest.
    let earlier = interrupted.len().saturating_sub(MOST_TOLD);
    let mut out = std::io::stdout().lock();
    for run in interrupted.drain(earlier..) {
        let blocks = counted(blocks.get(&run.run_id).copied().unwrap_or(0), "block");
        // A notebook that is gone cannot be told.
        let run = for_people(&run.run_id);
        let _ = writeln!(out, "run {run} was interrupted after {blocks}: what was written is kept");
    }
    if earlier > 0 {
        let _ = writeln!(out, "and {earlier} earlier; `benchbook store ls` lists them");
    }
    Ok(())
}

/// Blocks recorded of each run.
fn blocks(lab: &Lab) -> Result<HashMap<String, usize>> {
    let answer = lab.sql("select run_id, count(distinct block) as blocks from samples group by run_id")?;
    let mut blocks = HashMap::new();
    for batch in &answer.batches {
        let (runs, counts) = (batch.column(0).as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>());
        for row in 0..batch.num_rows() {
            blocks.insert(runs.value(row).to_owned(), usize::try_from(counts.value(row)).unwrap_or(0));
        }
    }
    Ok(blocks)
}

/// Copies the runs of the store at `from` into the lab's, and says in a notebook what was left out.
pub(crate) fn merge(lab: &Lab, from: &Path) -> Result<usize> {
    let merged = copy_runs(&Store::local(from)?, &lab.0.asked.store)?;
    if notebook::live() {
        let mut out = std::io::stdout().lock();
        for damaged in &merged.left_out {
            // A notebook that is gone cannot be told.
            let _ = writeln!(out, "left out {}", on_one_line(&damaged.to_string()));
        }
    }
    Ok(merged.copied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_folder_is_one_handle_while_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = [folder.path().join("s"), folder.path().join("./s")].map(|path| shared(&path).unwrap());
        assert!(Arc::ptr_eq(&a, &b));
        let other = shared(&folder.path().join("t")).unwrap();
        assert!(!Arc::ptr_eq(&a, &other));
    }
}
