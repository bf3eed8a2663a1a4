//! The library as it was built once: a folder that a Jupyter kernel uses for its whole life.

use std::path::{Path, PathBuf};

use benchbook_process::is_program;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Named, Result};
use crate::surroundings::Surroundings;
use crate::toolchain::{Toolchain, short};

/// Describes a snapshot, inside it.
pub(crate) const MANIFEST: &str = "snapshot.json";
/// Names the newest snapshot, beside them all.
pub(crate) const CURRENT: &str = "current";
/// Locked by every Jupyter kernel that uses the snapshot, so that none is removed under it.
pub(crate) const LOCK: &str = "lock";
/// The layout that this program reads.
const SCHEMA: u32 = 2;

/// What a snapshot says of itself, in `snapshot.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the layout.
    pub schema: u32,
    /// 16 hexadecimal digits of the SHA-256 hash of the library and the kernel; also the name of the folder.
    pub build_id: String,
    /// Version of benchbook.
    pub benchbook_version: String,
    /// File name of the library.
    pub library: String,
    /// Size of the library.
    pub library_bytes: u64,
    /// File name of the worker program.
    pub worker: String,
    /// File name of the program of the cells.
    pub cells: String,
    /// File name of the Jupyter kernel.
    pub kernel: String,
    /// Folder name of the dependencies' metadata and proc macros.
    pub deps: String,
    /// What `rustc -vV` said of the compiler.
    pub rustc: String,
    /// Folder of the compiler's own libraries.
    pub sysroot_lib: PathBuf,
    /// Folder of libtorch, where the library is linked with it.
    pub libtorch_lib: Option<PathBuf>,
    /// When it was made, as RFC 3339, where that is known.
    #[serde(default)]
    pub made_at: Option<String>,
}

/// A snapshot that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    folder: PathBuf,
    manifest: Manifest,
}

impl Snapshot {
    /// The snapshot at `asked` (one, or a folder of them), else the newest beside this program.
    ///
    /// # Errors
    /// There is none, or it is not what it says it is.
    pub fn find(here: &Surroundings, asked: Option<&Path>) -> Result<Self> {
        match asked.map(|asked| here.absolute(asked)) {
            Some(asked) if asked.join(MANIFEST).exists() => Self::open(&asked),
            Some(asked) => Self::newest(&asked),
            None => Self::newest(&beside(here.program())),
        }
    }

    /// The newest in a folder of snapshots, named by the file `current` in it.
    ///
    /// # Errors
    /// There is none, or it is not what it says it is.
    pub fn newest(folder: &Path) -> Result<Self> {
        let current = folder.join(CURRENT);
        let named = match std::fs::read_to_string(&current) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoSnapshot { looked_in: folder.to_owned() });
            }
            read => read.named("read", current)?,
        };
        let build_id = named.trim();
        if !is_build_id(build_id) {
            let problem = format!("`{CURRENT}` holds `{}`, which is no build id", build_id.escape_debug());
            return Err(Error::BrokenSnapshot { folder: folder.to_owned(), problem });
        }
        Self::open(&folder.join(build_id))
    }

    /// The snapshot in this folder.
    ///
    /// # Errors
    /// There is none, or it is not what it says it is.
    pub fn open(folder: &Path) -> Result<Self> {
        let Ok(folder) = folder.canonicalize() else {
            return Err(Error::NoSnapshot { looked_in: folder.to_owned() });
        };
        match checked(&folder) {
            Ok(manifest) => Ok(Self { folder, manifest }),
            Err(problem) => Err(Error::BrokenSnapshot { folder, problem }),
        }
    }

    /// Its folder, as an absolute path without links.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The library.
    pub(crate) fn library(&self) -> PathBuf {
        self.folder.join(&self.manifest.library)
    }

    /// The worker program of the same build.
    pub(crate) fn worker(&self) -> PathBuf {
        self.folder.join(&self.manifest.worker)
    }

    /// The Jupyter kernel of the same build.
    pub(crate) fn kernel(&self) -> PathBuf {
        self.folder.join(&self.manifest.kernel)
    }

    /// Metadata of the library's dependencies.
    pub(crate) fn deps(&self) -> PathBuf {
        self.folder.join(&self.manifest.deps)
    }

    /// Metadata is read by the very compiler that wrote it only.
    pub(crate) fn check_toolchain(&self, here: &Toolchain) -> Result<()> {
        if self.manifest.rustc.trim() == here.version.trim() {
            return Ok(());
        }
        let (built_by, here) = (self.manifest.rustc.trim(), here.version.trim());
        // Two builds of one version differ further down.
        let same_line = short(built_by) == short(here);
        let name = |version: &str| if same_line { version.replace('\n', ", ") } else { short(version).to_owned() };
        Err(Error::OtherToolchain { built_by: name(built_by), here: name(here) })
    }
}

/// The folder of snapshots that belongs to a program of the same build.
fn beside(program: &Path) -> PathBuf {
    let release = program.parent().unwrap_or(Path::new("."));
    release.parent().unwrap_or(release).join("notebook")
}

fn is_build_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn checked(folder: &Path) -> std::result::Result<Manifest, String> {
    let text = std::fs::read_to_string(folder.join(MANIFEST)).map_err(|error| format!("{MANIFEST}: {error}"))?;
    let read = serde_json::from_str::<serde_json::Value>(&text).map_err(|error| format!("{MANIFEST}: {error}"))?;
    // The version first: of another layout nothing else is expected.
    let schema = read["schema"].as_u64();
    if schema != Some(SCHEMA.into()) {
        let found = schema.map_or("no".to_owned(), |number| number.to_string());
        return Err(format!("{MANIFEST} has {found} schema number where this benchbook reads {SCHEMA}"));
    }
    let manifest: Manifest = serde_json::from_value(read).map_err(|error| format!("{MANIFEST}: {error}"))?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    if manifest.build_id != name {
        return Err(format!("it is foreign: the folder is named {name} and holds build {}", manifest.build_id));
    }
    let library = folder.join(&manifest.library);
    let bytes = library.metadata().map_err(|error| format!("{}: {error}", manifest.library))?.len();
    if bytes != manifest.library_bytes {
        return Err(format!(
            "it is foreign: {} has {bytes} bytes where build {} had {}",
            manifest.library, manifest.build_id, manifest.library_bytes
        ));
    }
    let programs = [("worker", &manifest.worker), ("program of cells", &manifest.cells), ("kernel", &manifest.kernel)];
    for (what, name) in programs {
        if !is_program(&folder.join(name)) {
            return Err(format!("its {what} {name} is missing or may not be run"));
        }
    }
    if !folder.join(&manifest.deps).is_dir() {
        return Err(format!("its folder {} is missing", manifest.deps));
    }
    if !folder.join(LOCK).is_file() {
        return Err(format!("its file {LOCK}, by which kernels keep it, is missing"));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::{BUILD_ID, Machine};

    fn problem(machine: &Machine) -> String {
        Snapshot::find(&machine.surroundings(), None).expect_err("it was spoilt").to_string()
    }

    #[test]
    fn the_newest_is_found_beside_the_program_and_another_by_name() {
        let machine = Machine::new();
        let here = machine.surroundings();
        let newest = machine.snapshot("fedcba9876543210");
        let found = Snapshot::find(&here, None).expect("the newest");
        assert_eq!(found.folder(), newest);
        assert_eq!(found.library(), newest.join("libbenchbook_notebook.so"));
        let older = machine.at("target/notebook").join(BUILD_ID);
        assert_eq!(Snapshot::find(&here, Some(&older)).expect("named").folder(), older);
        let all = machine.at("target/notebook");
        assert_eq!(Snapshot::find(&here, Some(&all)).expect("the newest in it").folder(), newest);
    }

    #[test]
    fn absence_is_told_with_the_place_and_the_remedy() {
        let machine = Machine::new();
        std::fs::remove_dir_all(machine.at("target/notebook")).expect("it was there");
        let told = problem(&machine);
        assert!(told.contains("target/notebook") && told.contains("cargo xtask lab"), "{told}");
        machine.snapshot(BUILD_ID);
        std::fs::remove_dir_all(machine.at("target/notebook").join(BUILD_ID)).expect("it was there");
        assert!(problem(&machine).contains(BUILD_ID));
        let error = Snapshot::find(&machine.surroundings(), Some(Path::new("/nowhere"))).expect_err("absent");
        assert!(matches!(error, Error::NoSnapshot { .. }), "{error}");
    }

    #[test]
    fn what_is_foreign_or_broken_is_said_precisely() {
        let machine = Machine::new();
        let folder = machine.at("target/notebook").join(BUILD_ID);
        let good = machine.manifest();
        let told = |change: fn(&mut Manifest)| {
            let mut manifest = good.clone();
            change(&mut manifest);
            machine.describe(BUILD_ID, &manifest);
            let told = problem(&machine);
            machine.describe(BUILD_ID, &good);
            told
        };
        let cases: [(fn(&mut Manifest), &str); 8] = [
            (|m| m.build_id = "f".repeat(16), "holds build ffffffffffffffff"),
            (|m| m.library_bytes = 10, "has 9 bytes where build 0123456789abcdef had 10"),
            (|m| m.schema = 1, "has 1 schema number where this benchbook reads 2"),
            (|m| m.library = "absent.so".into(), "absent.so: "),
            (|m| m.worker = "absent".into(), "worker absent is missing"),
            (|m| m.cells = "absent".into(), "program of cells absent is missing"),
            (|m| m.kernel = "absent".into(), "kernel absent is missing"),
            (|m| m.deps = "absent".into(), "folder absent is missing"),
        ];
        for (change, part) in cases {
            let said = told(change);
            assert!(said.contains(part) && said.contains("cargo xtask lab"), "{part}: {said}");
        }
        for (text, part) in [("{", "snapshot.json: "), ("{}", "has no schema number"), ("{\"schema\":2}", "build_id")] {
            std::fs::write(folder.join(MANIFEST), text).expect("writable");
            assert!(problem(&machine).contains(part), "{text}");
        }
        std::fs::remove_file(folder.join(MANIFEST)).expect("it was there");
        assert!(problem(&machine).contains("snapshot.json: "));
        machine.describe(BUILD_ID, &good);
        std::fs::remove_file(folder.join(LOCK)).expect("it was there");
        assert!(problem(&machine).contains("its file lock"));
        std::fs::write(machine.at("target/notebook/current"), "../../etc").expect("writable");
        assert!(problem(&machine).contains("no build id"));
    }

    #[test]
    fn another_compiler_is_refused() {
        let machine = Machine::new();
        let snapshot = Snapshot::find(&machine.surroundings(), None).expect("whole");
        let mut toolchain = Toolchain::find(&machine.surroundings()).expect("planted");
        snapshot.check_toolchain(&toolchain).expect("the same");
        toolchain.version = "rustc 1.96.0 (def)\nhost: planted".into();
        let told = snapshot.check_toolchain(&toolchain).expect_err("another").to_string();
        assert!(told.contains("1.95.0") && told.contains("1.96.0") && told.contains("cargo xtask lab"), "{told}");
        toolchain.version = "rustc 1.95.0 (abc 2026-04-14)\nhost: elsewhere".into();
        let told = snapshot.check_toolchain(&toolchain).expect_err("another").to_string();
        assert!(told.contains("planted") && told.contains("elsewhere"), "{told}");
    }
}
