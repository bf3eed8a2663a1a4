//! Checking a store from its first byte to its last.

use std::fs;

use benchbook_journal::folder::{MANIFEST, STAGING_PREFIX, run_folder};
use benchbook_journal::reader::JOURNAL;

use crate::examine::Look;
use crate::place::Place;
use crate::{Damaged, Error, Result, RunState, Store, Table};

/// Reads every file of every run again, whatever was computed before, and names all that is
/// damaged, torn, missing or left over.
///
/// # Errors
/// The store cannot be listed.
pub fn verify(store: &Store) -> Result<Vec<Damaged>> {
    let mut findings = Vec::new();
    for found in store.examine(Look { keep_batches: true, trust_cache: false })? {
        findings.extend(found.damaged);
        let live = found.entry.state == RunState::Live;
        let has = |name: &str| found.entry.files.iter().any(|file| file.name == name);
        let folder = run_folder(&found.entry.run_id);
        let left_over = |name: String| Damaged {
            path: format!("{folder}/{name}"),
            reason: "it is left over from a write that did not end, `benchbook store repair` ends it".into(),
        };
        if has(MANIFEST) && has(JOURNAL) {
            findings.push(left_over(JOURNAL.into()));
        } else if has(JOURNAL) && !live {
            findings.extend(Table::ALL.map(Table::file_name).into_iter().filter(|name| has(name)).map(left_over));
        }
    }
    if let Place::Local(root) = store.place() {
        for entry in fs::read_dir(root).map_err(Error::io("read", root))? {
            let entry = entry.map_err(Error::io("read", root))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(STAGING_PREFIX) && !crate::repair::in_use(&entry.path()) {
                let reason = "it is a run that never began, `benchbook store repair` removes it".into();
                findings.push(Damaged { path: name, reason });
            }
        }
    }
    Ok(findings)
}
