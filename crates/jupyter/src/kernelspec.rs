//! The description of the Jupyter kernel: a folder with `kernel.json`.

use std::path::{Path, PathBuf};

use benchbook_process::PYTHON;
use serde_json::{Value, json};

use crate::error::{Error, Named, Result};
use crate::snapshot::Snapshot;
use crate::surroundings::Surroundings;

/// The Jupyter kernel's name, and that of its folder.
pub(crate) const NAME: &str = "benchbook";
/// The file that Jupyter reads.
pub(crate) const FILE: &str = "kernel.json";
/// Names the snapshot in the Jupyter kernel's environment.
const SNAPSHOT: &str = "BENCHBOOK_SNAPSHOT";
/// The start-up files of evcxr, inside the snapshot.
pub(crate) const CONFIG: &str = "config";

/// A kernelspec that benchbook wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernelspec {
    /// Its folder.
    pub folder: PathBuf,
    /// The snapshot that the Jupyter kernel loads.
    pub snapshot: PathBuf,
    /// The program of the Jupyter kernel.
    pub program: PathBuf,
}

impl Kernelspec {
    /// The kernelspec that Jupyter of an environment would take, if there is one.
    ///
    /// # Errors
    /// The first one found is not from benchbook.
    pub fn installed(here: &Surroundings, environment: Option<&Path>) -> Result<Option<Self>> {
        for folder in places(here, environment) {
            if let Some(found) = Self::read(&folder)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The kernelspec in a folder, if there is one.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>> {
        let file = folder.join(FILE);
        let text = match std::fs::read_to_string(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.named("read", &file)?,
        };
        let foreign = |problem: String| Error::ForeignKernelspec { file: file.clone(), problem };
        let spec: Value = serde_json::from_str(&text).map_err(|error| foreign(error.to_string()))?;
        let path = |value: &Value| value.as_str().map(|text| PathBuf::from(text.replace("$$", "$")));
        match (path(&spec["argv"][0]), path(&spec["env"][SNAPSHOT])) {
            (Some(program), Some(snapshot)) => Ok(Some(Self { folder: folder.to_owned(), snapshot, program })),
            _ => Err(foreign(format!("it does not name {SNAPSHOT}"))),
        }
    }

    /// Whether it says what this version of benchbook would write for its snapshot.
    pub(crate) fn is_of_this_version(&self, snapshot: &Snapshot) -> bool {
        let text = std::fs::read_to_string(self.folder.join(FILE)).unwrap_or_default();
        let spec: Value = serde_json::from_str(&text).unwrap_or_default();
        let python = spec["env"][PYTHON].as_str().map(|python| PathBuf::from(python.replace("$$", "$")));
        content(snapshot, python.as_deref()).is_ok_and(|own| own == text)
    }
}

/// The folder for the kernelspec below a prefix.
pub(crate) fn below(prefix: &Path) -> PathBuf {
    prefix.join("share/jupyter/kernels").join(NAME)
}

/// The folder for the kernelspec among the user's own files.
pub(crate) fn of_user(here: &Surroundings) -> Option<PathBuf> {
    let home = || here.variable("HOME").map(PathBuf::from);
    let data = match (here.variable("JUPYTER_DATA_DIR"), here.variable("XDG_DATA_HOME")) {
        (Some(data), _) => data.into(),
        (None, _) if cfg!(target_os = "macos") => home()?.join("Library/Jupyter"),
        (None, Some(data)) => Path::new(data).join("jupyter"),
        (None, None) => home()?.join(".local/share/jupyter"),
    };
    Some(data.join("kernels").join(NAME))
}

/// Where Jupyter looks, in its order: an environment goes before the user's own files.
fn places(here: &Surroundings, environment: Option<&Path>) -> Vec<PathBuf> {
    let named = here.variable("JUPYTER_PATH").map(|path| std::env::split_paths(path).collect::<Vec<_>>());
    let named = named.unwrap_or_default().into_iter().map(|folder| folder.join("kernels").join(NAME));
    named.chain(environment.map(below)).chain(of_user(here)).collect()
}

/// The text of `kernel.json`; other people's engines are measured in `python`, where there is one.
pub(crate) fn content(snapshot: &Snapshot, python: Option<&Path>) -> Result<String> {
    let manifest = snapshot.manifest();
    let mut libraries = vec![snapshot.folder(), &manifest.sysroot_lib];
    libraries.extend(manifest.libtorch_lib.as_deref());
    let libraries = libraries.into_iter().map(in_list).collect::<Result<Vec<_>>>()?.join(":");
    let program = snapshot.kernel();
    // Jupyter replaces `$NAME` in the values of `env`.
    let value = |path: &Path| Ok(utf8(path)?.replace('$', "$$"));
    let mut spec = json!({
        "argv": [utf8(&program)?, "{connection_file}"],
        "display_name": "Rust (benchbook)",
        "language": "rust",
        "interrupt_mode": "message",
        "kernel_protocol_version": "5.4",
        "env": {
            SNAPSHOT: value(snapshot.folder())?,
            "BENCHBOOK_WORKER": value(&snapshot.worker())?,
            "EVCXR_CONFIG_DIR": value(&snapshot.folder().join(CONFIG))?,
            "LD_LIBRARY_PATH": libraries.replace('$', "$$"),
            // As workers have it: one process would pay page faults that another does not.
            "GLIBC_TUNABLES": "glibc.malloc.arena_max=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=9223372036854775807",
            // evcxr's own profile checks and optimises less: a kernel of the user's would be measured slower than it is.
            "CARGO_PROFILE_DEV_OPT_LEVEL": "3",
            "CARGO_PROFILE_DEV_DEBUG_ASSERTIONS": "false",
            "CARGO_PROFILE_DEV_OVERFLOW_CHECKS": "false",
        },
        "metadata": { NAME: { "build_id": manifest.build_id, "version": manifest.benchbook_version } },
    });
    if let Some(python) = python {
        spec["env"][PYTHON] = value(python)?.into();
    }
    Ok(format!("{spec:#}\n"))
}

/// The text of `init.evcxr`: how a cell finds the library, which cargo does not know.
pub(crate) fn init(snapshot: &Snapshot) -> Result<String> {
    let mut flags = vec!["-Cprefer-dynamic".to_owned()];
    flags.push(format!("--extern={NAME}={}", utf8(&snapshot.library())?));
    flags.push(format!("-Ldependency={}", utf8(&snapshot.deps())?));
    if let Some(libtorch) = &snapshot.manifest().libtorch_lib {
        flags.push(format!("-Lnative={}", utf8(libtorch)?));
        flags.push(format!("-Clinker={}", utf8(&snapshot.folder().join(CONFIG).join(LINKER))?));
    }
    // Cargo's encoded form goes before RUSTFLAGS and, unlike it, takes paths with spaces.
    Ok(format!(":build_env CARGO_ENCODED_RUSTFLAGS={}\n", flags.join("\u{1f}")))
}

/// The name of what links cells, beside the start-up files: the compiler knows by it how to call it.
pub(crate) const LINKER: &str = "cc";

/// The text of what links cells. The program of the cells has the library and libtorch, where a cell finds whatever it lacks as
/// it is loaded; to read their tables takes a linker longer than all else that it does.
pub(crate) const LINK: &str = "\
#!/bin/sh
# Links a cell without the library, libtorch and what that brings: the process of the cell has them.
for word do
    shift
    case $word in
        */libbenchbook_notebook.so | -lbenchbook_notebook) ;;
        -ltorch* | -lc10* | -lstdc++ | -lgomp*) ;;
        *) set -- \"$@\" \"$word\" ;;
    esac
done
exec cc \"$@\"
";

/// The text of `prelude.rs`, run before a notebook's first cell.
///
/// The `?` matters: evcxr shows the first value that comes with one as if it had no display of its own.
pub(crate) const PRELUDE: &str = "use benchbook::prelude::*;\nbenchbook::notebook::begin()?;\n";

fn utf8(path: &Path) -> Result<&str> {
    let problem = |problem| Error::Path { path: path.to_owned(), problem };
    let text = path.to_str().ok_or(problem("it is not UTF-8"))?;
    if text.contains(char::is_control) { Err(problem("it has a control character")) } else { Ok(text) }
}

fn in_list(path: &Path) -> Result<&str> {
    match utf8(path)? {
        text if text.contains(':') => {
            Err(Error::Path { path: path.to_owned(), problem: "LD_LIBRARY_PATH cannot hold a path with `:`" })
        }
        text => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::{BUILD_ID, Machine};

    #[test]
    fn the_kernel_gets_the_library_the_worker_and_a_release_profile() {
        let machine = Machine::new();
        let mut manifest = machine.manifest();
        manifest.libtorch_lib = Some("/torch/$lib".into());
        machine.describe(BUILD_ID, &manifest);
        let snapshot = Snapshot::find(&machine.surroundings(), None).expect("whole");
        let folder = snapshot.folder().display();
        let text = content(&snapshot, Some(Path::new("/v/bin/python"))).expect("plain");
        let spec: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(spec["argv"], json!([format!("{folder}/benchbook-jupyter"), "{connection_file}"]));
        assert_eq!(spec["interrupt_mode"], "message");
        let env = &spec["env"];
        assert_eq!(env["BENCHBOOK_SNAPSHOT"], folder.to_string());
        assert_eq!(env["BENCHBOOK_WORKER"], format!("{folder}/benchbook-worker"));
        assert_eq!(env["BENCHBOOK_PYTHON"], "/v/bin/python");
        assert_eq!(env["EVCXR_CONFIG_DIR"], format!("{folder}/config"));
        let libraries = format!("{folder}:{}:/torch/$$lib", manifest.sysroot_lib.display());
        assert_eq!(env["LD_LIBRARY_PATH"], libraries);
        assert_eq!(env["CARGO_PROFILE_DEV_OPT_LEVEL"], "3");
        let init = init(&snapshot).expect("plain");
        let flags: Vec<&str> = init.trim_end().split_once('=').expect("a variable").1.split('\u{1f}').collect();
        let library = format!("--extern=benchbook={folder}/libbenchbook_notebook.so");
        let deps = format!("-Ldependency={folder}/deps");
        let linker = format!("-Clinker={folder}/config/cc");
        assert_eq!(flags, ["-Cprefer-dynamic", &library, &deps, "-Lnative=/torch/$lib", &linker]);
        assert_eq!(init.lines().count(), 1);
    }

    #[test]
    fn paths_that_cannot_stand_there_are_refused() {
        let machine = Machine::new();
        let mut manifest = machine.manifest();
        for (path, part) in [("/a:b", "`:`"), ("/a\nb", "control")] {
            manifest.sysroot_lib = path.into();
            machine.describe(BUILD_ID, &manifest);
            let snapshot = Snapshot::find(&machine.surroundings(), None).expect("whole");
            let error = content(&snapshot, None).expect_err(path).to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_users_folder_follows_jupyter() {
        let at = |variables: &[(&str, &std::ffi::OsStr)]| {
            of_user(&Surroundings::planted(variables, Path::new("/"), Path::new("/")))
        };
        let home = ("HOME", "/h".as_ref());
        if cfg!(target_os = "linux") {
            assert_eq!(at(&[home]), Some("/h/.local/share/jupyter/kernels/benchbook".into()));
            assert_eq!(at(&[home, ("XDG_DATA_HOME", "/x".as_ref())]), Some("/x/jupyter/kernels/benchbook".into()));
        }
        assert_eq!(at(&[home, ("JUPYTER_DATA_DIR", "/d".as_ref())]), Some("/d/kernels/benchbook".into()));
        assert_eq!(at(&[]), None);
    }
}
