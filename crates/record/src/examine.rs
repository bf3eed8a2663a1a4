//! One run as it stands: its state, what may be read of it, and what may not; and a whole store from its first byte to its
//! last.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::sync::{LazyLock, Mutex};

use arrow::record_batch::RecordBatch;
use benchbook_journal::file::SMALL_BYTES;
use benchbook_journal::folder::{MANIFEST, STAGING_PREFIX, run_folder};
use benchbook_journal::parse_run_id;
use benchbook_journal::reader::{self, DAMAGED_JOURNAL, Ending, JOURNAL, Summary};

use crate::digest::Hashing;
use crate::manifest::{Manifest, ManifestFile};
use crate::parquet_file::Tail;
use crate::place::{FileInfo, Listing, Place};
use crate::{Damaged, Error, Result, RunEntry, RunFile, RunState, Store, Table};

/// How closely to look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Keep every row of a journal, not only what a listing needs.
    pub(crate) keep_batches: bool,
    /// Believe a checksum that was computed before over a file that has not changed since.
    pub(crate) trust_cache: bool,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) entry: RunEntry,
    pub(crate) parquet: Vec<(Table, ManifestFile)>,
    pub(crate) batches: BTreeMap<Table, Vec<RecordBatch>>,
    pub(crate) damaged: Vec<Damaged>,
}

impl Examined {
    fn new(listing: &Listing) -> Self {
        let summary = Summary::unknown(&listing.run_id);
        let files = listing.files.iter();
        let entry = RunEntry {
            run_id: listing.run_id.clone(),
            started_at_ns: summary.started_at_ns,
            suite: summary.suite,
            tags: summary.tags,
            state: RunState::Interrupted,
            files: files.map(|(name, info)| RunFile { name: name.clone(), size_bytes: info.size_bytes }).collect(),
        };
        Self { entry, parquet: Vec::new(), batches: BTreeMap::new(), damaged: Vec::new() }
    }

    fn tell(&mut self, summary: Summary) {
        self.entry.started_at_ns = summary.started_at_ns;
        self.entry.suite = summary.suite;
        self.entry.tags = summary.tags;
        self.entry.state = if summary.finished { RunState::Finished } else { RunState::Interrupted };
    }

    fn blame(&mut self, path: &str, reason: impl Into<String>) {
        let (path, reason) = (path.to_owned(), reason.into());
        self.entry.state = RunState::Damaged(format!("{path}: {reason}"));
        self.damaged.push(Damaged { path, reason });
    }
}

/// Looks at one run; whatever is wrong with it is part of the answer.
pub(crate) fn examine(place: &Place, location: &str, listing: &Listing, look: Look) -> Examined {
    let mut now = listing.clone();
    let mut tries = 3;
    loop {
        tries -= 1;
        let mut found = Examined::new(&now);
        match look_at(place, location, &now, look, &mut found) {
            Ok(()) => return found,
            // The run has ended meanwhile: its journal became Parquet.
            Err(error) if error.is_absent() && tries > 0 => match place.listing(&listing.run_id) {
                Ok(relisted) => now = relisted,
                Err(error) => {
                    found.blame(&run_folder(&listing.run_id), error.to_string());
                    return found;
                }
            },
            Err(error) => {
                found.blame(&run_folder(&listing.run_id), error.to_string());
                return found;
            }
        }
    }
}

fn look_at(place: &Place, location: &str, listing: &Listing, look: Look, found: &mut Examined) -> Result<()> {
    parse_run_id(&listing.run_id)?;
    if !listing.refused.is_empty() {
        listing.refused.iter().for_each(|(path, reason)| found.blame(path, reason));
        return Ok(());
    }
    let folder = run_folder(&listing.run_id);
    if let Some(info) = listing.files.get(MANIFEST) {
        let path = format!("{folder}/{MANIFEST}");
        let manifest = match info.size_bytes {
            0..=SMALL_BYTES => Manifest::from_bytes(&path, &place.read(&path)?),
            size => Err(Error::Damaged { path: path.clone(), reason: format!("it has {size} bytes, far too many") }),
        };
        match manifest {
            Ok(manifest) if manifest.run_id == listing.run_id => {
                return look_at_files(place, location, listing, manifest, look, found);
            }
            Ok(manifest) => found.blame(&path, format!("it belongs to run {}", manifest.run_id)),
            Err(Error::Damaged { reason, .. }) => found.blame(&path, reason),
            Err(error) => found.blame(&path, error.to_string()),
        }
        // A crash between the manifest and the end of the journal leaves both: the journal has it all.
        if listing.files.contains_key(JOURNAL) {
            let blamed = found.entry.state.clone();
            look_at_journal(place, listing, look, found)?;
            found.entry.state = blamed;
        }
        return Ok(());
    }
    if listing.files.contains_key(JOURNAL) {
        return look_at_journal(place, listing, look, found);
    }
    // Says why the folder cannot be read, where it cannot.
    place.listing(&listing.run_id)?;
    found.blame(&folder, "it has neither a manifest nor a journal");
    Ok(())
}

fn look_at_files(
    place: &Place,
    location: &str,
    listing: &Listing,
    manifest: Manifest,
    look: Look,
    found: &mut Examined,
) -> Result<()> {
    let folder = run_folder(&listing.run_id);
    found.tell(Summary {
        started_at_ns: manifest.started_at_ns,
        suite: manifest.suite,
        tags: manifest.tags,
        finished: manifest.finished,
    });
    if let Some(reason) = manifest.left_out {
        found.blame(&format!("{folder}/{DAMAGED_JOURNAL}"), reason);
    }
    for file in manifest.files {
        let path = format!("{folder}/{}", file.name);
        let Some(info) = listing.files.get(&file.name) else {
            found.blame(&path, "it is missing");
            continue;
        };
        if info.size_bytes != file.size_bytes {
            found.blame(&path, format!("it has {} bytes instead of {}", info.size_bytes, file.size_bytes));
            continue;
        }
        let content = content(place, location, &path, info, look.trust_cache)?;
        if content.blake3 != file.blake3 {
            found.blame(&path, "it fails its checksum");
            continue;
        }
        match content.rows {
            Some(rows) if rows == file.rows => found.parquet.push((file.table()?, file)),
            Some(rows) => found.blame(&path, format!("it has {rows} rows, its manifest says {}", file.rows)),
            None => found.blame(&path, "its footer does not say how many rows it has"),
        }
    }
    Ok(())
}

fn look_at_journal(place: &Place, listing: &Listing, look: Look, found: &mut Examined) -> Result<()> {
    let path = format!("{}/{JOURNAL}", run_folder(&listing.run_id));
    let open = place.journal(&path)?;
    let mut summary = Summary::unknown(&listing.run_id);
    let wanted = |table| look.keep_batches || matches!(table, Table::Runs | Table::Outcomes);
    let batches = &mut found.batches;
    let run_id = &listing.run_id;
    let ending = reader::read(&path, open.reader, open.size_bytes, run_id, &mut summary, wanted, |table, batch| {
        if look.keep_batches && batch.num_rows() > 0 {
            batches.entry(table).or_default().push(batch);
        }
        Ok(())
    })?;
    found.tell(summary);
    match ending {
        Ending::Clean => {}
        // A live writer may be in the middle of a frame.
        Ending::Torn(_) if open.live => {}
        Ending::Torn(reason) => found.damaged.push(Damaged { path, reason }),
        Ending::Damaged(reason) | Ending::Unreadable(reason) => found.blame(&path, reason),
    }
    if open.live {
        found.entry.state = RunState::Live;
    }
    Ok(())
}

type Key = (String, String, u64, String);
static CONTENTS: LazyLock<Mutex<HashMap<Key, Content>>> = LazyLock::new(Mutex::default);

/// What a Parquet file's own bytes say.
#[derive(Debug, Clone)]
struct Content {
    blake3: String,
    /// Nothing where its footer makes no sense.
    rows: Option<u64>,
}

/// The content of a file, from the cache where the file has not changed since.
fn content(place: &Place, location: &str, path: &str, info: &FileInfo, trust_cache: bool) -> Result<Content> {
    let key = info.stamp.as_ref().map(|stamp| (location.to_owned(), path.to_owned(), info.size_bytes, stamp.clone()));
    let cache = || CONTENTS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if trust_cache && let Some(known) = key.as_ref().and_then(|key| cache().get(key).cloned()) {
        return Ok(known);
    }
    let mut hashing = Hashing::new(Tail::default());
    place.copy(path, &mut hashing)?;
    let (_, blake3) = hashing.result();
    let content = Content { blake3, rows: hashing.inner().rows() };
    if let Some(key) = key {
        cache().insert(key, content.clone());
    }
    Ok(content)
}

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
