//! The Python worker: other people's engines, carried in this program and laid out in a folder of its own.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::iter;
use std::path::Path;

use benchbook_jupyter::{Interpreter, Surroundings};
use benchbook_measure::Foreign;
use benchbook_process::engines;
use tempfile::{NamedTempFile, TempDir};

use crate::coverage::Carried;
use crate::error::Failure;

/// What people call it.
const NAME: &str = "python";

/// What the name of its folder begins with.
const PREFIX: &str = "benchbook-python-";

/// A file of its folder, whose lock is held for as long as the folder is needed.
const LOCK: &str = "lock";

/// The part of its folder where engines leave what is temporary: a compiler leaves a hundred megabytes.
const TEMPORARY: &str = "temporary";

/// Files of `crates/engines/python` by their names, with their text.
macro_rules! carried {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../engines/python/", $name)))),*]
    };
}

const FILES: &[(&str, &str)] = carried![
    "__main__.py",
    "benchbook_worker/__init__.py",
    "benchbook_worker/__main__.py",
    "benchbook_worker/adapter_rows.py",
    "benchbook_worker/arrays.py",
    "benchbook_worker/attention.py",
    "benchbook_worker/blocks.py",
    "benchbook_worker/compressed_rows.py",
    "benchbook_worker/compression_rows.py",
    "benchbook_worker/ctranslate2_encoders.py",
    "benchbook_worker/ctranslate2_rows.py",
    "benchbook_worker/decoding.py",
    "benchbook_worker/devices.py",
    "benchbook_worker/encoders.py",
    "benchbook_worker/experts.py",
    "benchbook_worker/few_bits.py",
    "benchbook_worker/fla_rows.py",
    "benchbook_worker/form_rows.py",
    "benchbook_worker/gpu.py",
    "benchbook_worker/gpu_blocks.py",
    "benchbook_worker/gpu_rows.py",
    "benchbook_worker/graphs.py",
    "benchbook_worker/hybrid.py",
    "benchbook_worker/latent.py",
    "benchbook_worker/llama_models.py",
    "benchbook_worker/llama_rows.py",
    "benchbook_worker/machine.py",
    "benchbook_worker/mambapy_rows.py",
    "benchbook_worker/mixers.py",
    "benchbook_worker/names.py",
    "benchbook_worker/nbits_rows.py",
    "benchbook_worker/numpy_decoding.py",
    "benchbook_worker/numpy_rows.py",
    "benchbook_worker/onnx_rows.py",
    "benchbook_worker/openvino_rows.py",
    "benchbook_worker/optimizer_rows.py",
    "benchbook_worker/own.py",
    "benchbook_worker/program.py",
    "benchbook_worker/programs.py",
    "benchbook_worker/row_kinds.py",
    "benchbook_worker/rows.py",
    "benchbook_worker/singular_rows.py",
    "benchbook_worker/sparse_rows.py",
    "benchbook_worker/table.py",
    "benchbook_worker/tensorrt_llm_rows.py",
    "benchbook_worker/torch_rows.py",
    "benchbook_worker/training_rows.py",
    "benchbook_worker/transformer.py",
    "benchbook_worker/transformers_decoding.py",
    "benchbook_worker/transformers_encoders.py",
    "benchbook_worker/transformers_experts.py",
    "benchbook_worker/transformers_images.py",
    "benchbook_worker/transformers_llava.py",
    "benchbook_worker/transformers_models.py",
    "benchbook_worker/transformers_rows.py",
    "benchbook_worker/weight_rows.py",
    "benchbook_worker/whole_table.py",
    "benchbook_worker/wire.py",
    "benchbook_worker/worker.py",
];

/// Files that hold its table of implementations.
const TABLES: [&str; 3] =
    ["benchbook_worker/row_kinds.py", "benchbook_worker/table.py", "benchbook_worker/whole_table.py"];

/// The file that holds its devices, with the packages that these need.
const DEVICES: &str = "benchbook_worker/devices.py";

/// A package of pip's that an engine needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Its name.
    pub package: String,
    /// The first version that is taken.
    pub first: String,
    /// The first one that is not, or nothing where all that follow are.
    pub beyond: String,
}

/// What its engines need of pip, by name, each package once.
pub fn needed() -> Vec<Need> {
    let devices = FILES.iter().filter(|(name, _)| *name == DEVICES);
    let mut needs: Vec<Need> = devices.flat_map(|(_, text)| needs_in(text)).collect();
    needs.sort_by(|one, next| one.package.cmp(&next.package));
    needs.dedup_by(|next, one| next.package == one.package);
    needs
}

/// A name and two versions in quotation marks, in brackets: `("torch", "2.6", "3")`.
fn needs_in(text: &str) -> impl Iterator<Item = Need> {
    let bracketed = text.split('(').skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    bracketed.filter_map(|inside| {
        let words = inside.split(", ").map(|word| word.strip_prefix('"')?.strip_suffix('"'));
        let words: Vec<&str> = words.collect::<Option<_>>()?;
        let [package, first, beyond] = <[&str; 3]>::try_from(words).ok()?;
        let is_version = first.starts_with(|letter: char| letter.is_ascii_digit());
        is_version.then(|| Need { package: package.into(), first: first.into(), beyond: beyond.into() })
    })
}

/// What of it can be told without starting it: by its text, and by the files of the project's Python.
pub fn carried() -> Carried {
    let tables = FILES.iter().filter(|(name, _)| TABLES.contains(name));
    let claims = tables.flat_map(|(_, text)| ids_in(text)).collect();
    let told = FILES.iter().flat_map(|(_, text)| metrics_in(text)).collect();
    let found = Surroundings::here().and_then(|here| Interpreter::find(&here, None));
    let (packages, absent) = match found {
        Ok(python) => {
            let own = engines(&python.program);
            let programs = iter::once(&python.program).chain(own.iter().map(|(_, program)| program));
            (programs.flat_map(|program| packages_of(program)).collect(), None)
        }
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    Carried { claims, told, packages, absent }
}

/// Ids of rows of the catalogue in quotation marks: two letters and a number.
fn ids_in(text: &str) -> impl Iterator<Item = String> {
    let is_id = |word: &&str| {
        word.len() > 2
            && word.bytes().take(2).all(|byte| byte.is_ascii_uppercase())
            && word.bytes().skip(2).all(|byte| byte.is_ascii_digit())
    };
    text.split('"').skip(1).step_by(2).filter(is_id).map(str::to_owned)
}

/// Names of metrics that are told, of those with a part that changes what is before it: `clock_kept_low_by`.
fn metrics_in(text: &str) -> impl Iterator<Item = String> {
    let names = text.split("tell(").skip(1).filter_map(|rest| rest.trim_start_matches('f').strip_prefix('"'));
    names.filter_map(|rest| rest.split(['"', '{']).next()).map(|name| name.trim_end_matches('_').to_owned())
}

/// Folders of packages beside a Python of an environment; none beside one of the system.
fn packages_of(program: &Path) -> Vec<String> {
    let library = program.parent().and_then(Path::parent).map(|environment| environment.join("lib"));
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let versions = library.iter().flat_map(|library| entries(library));
    let packages = versions.flat_map(|version| entries(&version.path().join("site-packages")));
    packages.filter_map(|package| package.file_name().into_string().ok()).collect()
}

/// The worker, for as long as its folder is there: it goes with this value.
pub struct PythonWorker {
    /// How it is started: in the Python of most engines, and in that of each engine which has one of its own.
    pub workers: Vec<Foreign>,
    _lock: File,
    _folder: TempDir,
}

impl PythonWorker {
    /// The worker in this Python, or in that of the project, and in those of engines that lie in its environment.
    ///
    /// # Errors
    /// There is no Python, or no room for the files.
    pub fn lay_out(python: Option<&Path>) -> Result<Self, Failure> {
        let python = Interpreter::find(&Surroundings::here()?, python)?;
        Self::lay_out_in(&std::env::temp_dir(), &python.program)
            .map_err(|error| Failure::while_doing("the Python worker in a temporary folder", error))
    }

    fn lay_out_in(place: &Path, python: &Path) -> io::Result<Self> {
        remove_abandoned(place);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(place)?;
        let root = folder.path();
        // A folder without a lock is nobody's to remove: so it gets one that is held already.
        let lock = NamedTempFile::new_in(root)?;
        lock.as_file().lock()?;
        let lock = lock.persist(root.join(LOCK))?;
        for part in ["benchbook_worker", TEMPORARY] {
            fs::create_dir(root.join(part))?;
        }
        for (name, text) in FILES {
            fs::write(root.join(name), text)?;
        }
        let mut temporary = OsString::from("TMPDIR=");
        temporary.push(root.join(TEMPORARY));
        let worker = |name: &str, python: &Path, engines: &[&str]| {
            let words = [OsStr::new("env"), temporary.as_os_str(), python.as_os_str(), root.as_os_str()];
            Foreign::of_words(name, words.into_iter().chain(engines.iter().map(|word| OsStr::new(*word))))
        };
        let own = engines(python);
        let names = own.iter().map(|(engine, _)| engine.as_str()).collect::<Vec<_>>().join(",");
        let others = if own.is_empty() { Vec::new() } else { vec!["--but", names.as_str()] };
        let mut workers = vec![worker(NAME, python, &others)];
        for (engine, python) in &own {
            workers.push(worker(&format!("{NAME}-{engine}"), python, &["--only", engine.as_str()]));
        }
        Ok(Self { workers, _lock: lock, _folder: folder })
    }
}

/// Removes what programs have left that were ended before they could do so: nobody holds the locks.
fn remove_abandoned(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let lock = entry.path().join(LOCK);
        // Who opens a pipe waits.
        let is_file = || lock.symlink_metadata().is_ok_and(|found| found.is_file());
        let is_one = entry.file_name().to_string_lossy().starts_with(PREFIX) && is_file();
        if is_one && File::open(&lock).is_ok_and(|lock| lock.try_lock().is_ok()) {
            // Another program may be at the same.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_package_is_carried() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engines/python");
        let mut found = vec!["__main__.py".to_owned()];
        for entry in fs::read_dir(root.join("benchbook_worker")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            found.extend(name.ends_with(".py").then(|| format!("benchbook_worker/{name}")));
        }
        found.sort_unstable();
        assert_eq!(FILES.iter().map(|(name, _)| *name).collect::<Vec<_>>(), found);
    }

    #[test]
    fn what_it_claims_and_tells_shows_in_its_text() {
        let text = "row(\"eager\", \"EN2x\", (\"EN2\",), \"E22\", \"en2\")\nother(\"EN\", \"MO17\")";
        assert_eq!(ids_in(text).collect::<Vec<_>>(), ["EN2", "MO17"]);
        let text = "a.tell(\"sm_clock_hz\", 1, \"Hz\")\ndef tell(self, name):\n b.tell(f\"low_by_{name}\", 2)";
        assert_eq!(metrics_in(text).collect::<Vec<_>>(), ["sm_clock_hz", "low_by"]);
        let carried = carried();
        for id in ["EN2", "EN3", "EN4", "EN5", "EN7"] {
            assert!(carried.claims.iter().any(|claimed| claimed == id), "{id} in {:?}", carried.claims);
        }
        assert!(carried.told.iter().any(|name| name == "sm_clock_hz"), "{:?}", carried.told);
    }

    #[test]
    fn what_its_engines_need_shows_in_its_text() {
        let text = "TORCH = (\"torch\", \"2.6\", \"3\")\nDevice(\"a\", \"b\", ((\"c\", \"1\", \"\"), TORCH), \"d\")\ncall(\"e\", \"f\", \"g\")";
        let told: Vec<String> =
            needs_in(text).map(|one| format!("{} {} {}", one.package, one.first, one.beyond)).collect();
        assert_eq!(told, ["torch 2.6 3", "c 1 "]);
        let needed = needed();
        assert!(needed.is_sorted_by(|one, next| one.package < next.package), "{needed:?}");
        for package in ["ctranslate2", "onnxruntime", "openvino", "torch", "transformers"] {
            assert!(needed.iter().any(|one| one.package == package), "{package} in {needed:?}");
        }
    }

    #[test]
    fn packages_lie_beside_the_python_of_an_environment() {
        let place = tempfile::tempdir().unwrap();
        let program = place.path().join("bin/python");
        assert!(packages_of(&program).is_empty() && packages_of(Path::new("python")).is_empty());
        fs::create_dir_all(place.path().join("lib/python3.13/site-packages/torch")).unwrap();
        fs::create_dir_all(place.path().join("lib/pkgconfig")).unwrap();
        assert_eq!(packages_of(&program), ["torch"]);
    }

    #[test]
    fn an_engine_with_a_python_of_its_own_is_measured_there_alone() {
        let place = tempfile::tempdir().unwrap();
        let python = place.path().join("bin/python");
        for engine in ["zentorch", "onnxruntime"] {
            let own = place.path().join("engines").join(engine).join("bin/python");
            fs::create_dir_all(own.parent().unwrap()).unwrap();
            fs::copy("/bin/true", own).unwrap();
        }
        fs::create_dir_all(place.path().join("engines/half-made/bin")).unwrap();
        let laid_out = PythonWorker::lay_out_in(place.path(), &python).unwrap();
        let folder = laid_out._folder.path().display();
        let start = |python: &str, words: &str| {
            let python = place.path().join(python);
            format!("'env' 'TMPDIR={folder}/temporary' '{}' '{folder}' {words}", python.display())
        };
        let expected = [
            ("python", start("bin/python", "'--but' 'onnxruntime,zentorch'")),
            ("python-onnxruntime", start("engines/onnxruntime/bin/python", "'--only' 'onnxruntime'")),
            ("python-zentorch", start("engines/zentorch/bin/python", "'--only' 'zentorch'")),
        ];
        let found: Vec<(&str, String)> =
            laid_out.workers.iter().map(|one| (one.name.as_str(), one.command.clone())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_laid_out_goes_with_it_and_what_was_left_goes_with_the_next() {
        let place = tempfile::tempdir().unwrap();
        let [left, young, other] = ["benchbook-python-left", "benchbook-python-young", "left"].map(|name| {
            let folder = place.path().join(name);
            fs::create_dir(&folder).unwrap();
            folder
        });
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(other.join(LOCK), "").unwrap();
        let workers = [(); 2].map(|()| PythonWorker::lay_out_in(place.path(), Path::new("/a python")).unwrap());
        assert!(!left.exists() && young.exists() && other.exists());
        for worker in &workers {
            let [Foreign { command, .. }] = worker.workers.as_slice() else { panic!("it has no engines of its own") };
            let folder = command.rsplit('\'').nth(1).unwrap();
            assert_eq!(*command, format!("'env' 'TMPDIR={folder}/temporary' '/a python' '{folder}'"));
            let folder = Path::new(folder);
            assert!(folder.join(TEMPORARY).is_dir() && FILES.iter().all(|(name, _)| folder.join(name).is_file()));
        }
        drop(workers);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2);
    }
}
