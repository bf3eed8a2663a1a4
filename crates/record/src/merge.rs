//! Bringing the runs of one store into another.

use std::collections::BTreeMap;
use std::io::Write;

use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use benchbook_journal::folder::{MANIFEST, Staging, create_locked, run_folder};
use benchbook_journal::reader::JOURNAL;
use benchbook_journal::{file, version};

use crate::digest::Hashing;
use crate::examine::{Examined, Look};
use crate::{Damaged, Error, LocalStore, Readable, Result, RunState, Store, Table};

/// What a merge did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Merged {
    /// Runs that were copied.
    pub copied: usize,
    /// Runs that were there already, with the same content.
    pub identical: usize,
    /// Runs that were not copied: live or damaged ones, each with its reason.
    pub left_out: Vec<Damaged>,
}

/// Copies the runs of `from` that `into` does not have.
///
/// # Errors
/// Two runs share an id but not their content: nothing is copied at all. The disk refuses.
pub fn merge(from: &Store, into: &LocalStore) -> Result<Merged> {
    let look = Look { keep_batches: true, trust_cache: true };
    let there = into.reader()?;
    let known: BTreeMap<String, Examined> =
        there.examine(look)?.into_iter().map(|run| (run.entry.run_id.clone(), run)).collect();
    let mut merged = Merged::default();
    let mut wanted = Vec::new();
    for run in from.examine(look)? {
        let path = run_folder(&run.entry.run_id);
        if let Some(other) = known.get(&run.entry.run_id) {
            refuse_different(from, &run, &there, other)?;
            merged.identical += 1;
        } else if run.entry.state == RunState::Live {
            merged.left_out.push(Damaged { path, reason: "it is still being written".into() });
        } else if let RunState::Damaged(reason) = &run.entry.state {
            merged.left_out.push(Damaged { path, reason: reason.clone() });
        } else {
            wanted.push(run);
        }
    }
    for run in wanted {
        copy(from, &run, into)?;
        merged.copied += 1;
    }
    Ok(merged)
}

fn copy(from: &Store, run: &Examined, into: &LocalStore) -> Result<()> {
    let run_id = &run.entry.run_id;
    let staging = Staging::new(into.path(), run_id)?;
    let guard_path = staging.path().join("merge.lock");
    // Tells a repair that this folder is in the making.
    let guard = create_locked(&guard_path, run_id)?;
    let mut names: Vec<(&str, Option<&str>)> =
        run.parquet.iter().map(|(_, file)| (file.name.as_str(), Some(file.blake3.as_str()))).collect();
    let has_manifest = run.entry.files.iter().any(|file| file.name == MANIFEST);
    names.push((if has_manifest { MANIFEST } else { JOURNAL }, None));
    for (name, digest) in names {
        let source = format!("{}/{name}", run_folder(run_id));
        let path = staging.path().join(name);
        let file = file::create(&path).map_err(Error::io("create", &path))?;
        let mut to = Hashing::new(file.try_clone().map_err(Error::io("open", &path))?);
        from.place().copy(&source, &mut to)?;
        to.flush().and_then(|()| file.sync_all()).map_err(Error::io("write", &path))?;
        let (_, found) = to.result();
        if digest.is_some_and(|digest| digest != found) {
            return Err(Error::Damaged { path: source, reason: "it changed while it was copied, try again".into() });
        }
    }
    std::fs::remove_file(&guard_path).map_err(Error::io("remove", &guard_path))?;
    staging.commit(into.path(), run_id)?;
    drop(guard);
    Ok(())
}

fn refuse_different(from: &Store, run: &Examined, there: &Store, other: &Examined) -> Result<()> {
    let differs = |what: &str| {
        Err(Error::Conflict {
            run_id: run.entry.run_id.clone(),
            what: format!("{}/{what}", run_folder(&run.entry.run_id)),
        })
    };
    for (one, two) in [(run, other), (other, run)] {
        if let (RunState::Damaged(reason), false) = (&one.entry.state, same_parquet(one, two)) {
            return differs(&format!("damaged: {reason}"));
        }
    }
    if same_parquet(run, other) && run.batches.is_empty() && other.batches.is_empty() {
        return Ok(());
    }
    for table in Table::ALL {
        // One may be a journal and the other Parquet: the rows decide.
        if rows(from, run, table)? != rows(there, other, table)? {
            return differs(table.name());
        }
    }
    Ok(())
}

fn same_parquet(one: &Examined, two: &Examined) -> bool {
    let digests = |run: &Examined| -> Vec<(Table, String)> {
        run.parquet.iter().map(|(table, file)| (*table, file.blake3.clone())).collect()
    };
    digests(one) == digests(two)
}

fn rows(store: &Store, run: &Examined, table: Table) -> Result<RecordBatch> {
    let mut batches = run.batches.get(&table).cloned().unwrap_or_default();
    if let Some((_, file)) = run.parquet.iter().find(|(candidate, _)| *candidate == table) {
        for batch in store.place().parquet(&format!("{}/{}", run_folder(&run.entry.run_id), file.name))? {
            batches.push(version::upgrade_file(table, &batch)?);
        }
    }
    concat_batches(&table.schema(), &batches).map_err(|cause| Error::Rows { table, cause })
}
