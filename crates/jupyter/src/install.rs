//! Puts the Jupyter kernel where Jupyter finds it.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Named, Result};
use crate::interpreter::Interpreter;
use crate::kernelspec::{CONFIG, FILE, Kernelspec, LINK, LINKER, PRELUDE, below, content, init, of_user};
use crate::snapshot::Snapshot;
use crate::surroundings::Surroundings;
use crate::toolchain::Toolchain;

/// Jupyter serves it beside the logo of the Jupyter kernel, so that live figures need no network.
const PLOTLY: &str = "plotly.min.js";

/// What may be done with an installed file, as far as the umask lets.
const READ: u32 = 0o666;
const RUN: u32 = 0o777;

/// What to install, and where; what is left out is looked for.
#[derive(Debug, Clone, Default)]
pub struct InstallRequest {
    /// The environment that gets the Jupyter kernel.
    pub prefix: Option<PathBuf>,
    /// The user's own Jupyter folder gets it instead.
    pub user: bool,
    /// The snapshot that the Jupyter kernel loads.
    pub snapshot: Option<PathBuf>,
    /// The Python whose environment gets the Jupyter kernel.
    pub python: Option<PathBuf>,
}

/// What was installed.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The kernelspec.
    pub kernelspec: Kernelspec,
    /// The snapshot that the Jupyter kernel loads.
    pub snapshot: Snapshot,
    /// The files that had to be written, in this order.
    pub written: Vec<PathBuf>,
}

/// Writes the kernelspec and evcxr's start-up files; writes nothing that is there already.
///
/// # Errors
/// Something that the Jupyter kernel needs is missing or does not fit, or its place is taken by another Jupyter kernel.
pub fn install(here: &Surroundings, request: &InstallRequest) -> Result<Installed> {
    let snapshot = Snapshot::find(here, request.snapshot.as_deref())?;
    snapshot.check_toolchain(&Toolchain::find(here)?)?;
    let folder = place(here, request)?;
    Kernelspec::read(&folder)?;
    // The kernel itself needs none; but whoever names one wants that one.
    let python = match &request.python {
        Some(named) => Some(Interpreter::find(here, Some(named))?),
        None => Interpreter::find(here, None).ok(),
    };

    let config = snapshot.folder().join(CONFIG);
    let files: [(PathBuf, String, u32); 5] = [
        (config.join("init.evcxr"), init(&snapshot)?, READ),
        (config.join("prelude.rs"), PRELUDE.into(), READ),
        (config.join(LINKER), LINK.into(), RUN),
        (folder.join(PLOTLY), benchbook_report::charts::plotly_js().into(), READ),
        // Last: Jupyter sees the kernel once everything else of it is there.
        (folder.join(FILE), content(&snapshot, python.as_ref().map(|python| python.program.as_path()))?, READ),
    ];
    let mut written = Vec::new();
    for (file, text, mode) in files {
        if write_if_changed(&file, text.as_bytes(), mode)? {
            written.push(file);
        }
    }
    let kernelspec = Kernelspec { folder, snapshot: snapshot.folder().to_owned(), program: snapshot.kernel() };
    Ok(Installed { kernelspec, snapshot, written })
}

fn place(here: &Surroundings, request: &InstallRequest) -> Result<PathBuf> {
    if let Some(prefix) = &request.prefix {
        return Ok(below(&here.absolute(prefix)));
    }
    if request.user {
        return of_user(here).ok_or(Error::NoHome);
    }
    let python = Interpreter::find(here, request.python.as_deref())?;
    python.environment().map(below).ok_or_else(|| Error::NoPrefix { python: python.program.clone() })
}

/// Puts `content` at `path`; says whether the file had to be written. Readers never see half of it.
fn write_if_changed(path: &Path, content: &[u8], mode: u32) -> Result<bool> {
    if std::fs::read(path).is_ok_and(|present| present == content) {
        return Ok(false);
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).named("make the folder", folder)?;
    // A temporary file is private; what is installed may be read by whom the umask lets.
    let mode = Permissions::from_mode(mode);
    let mut file = tempfile::Builder::new().permissions(mode).tempfile_in(folder).named("write to", folder)?;
    file.write_all(content).named("write", path)?;
    file.persist(path).map_err(|error| error.error).named("write", path)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::planted::{BUILD_ID, Machine, program};
    use benchbook_process::is_program;

    fn names(installed: &Installed) -> Vec<String> {
        let name = |file: &PathBuf| file.file_name().expect("a file").to_string_lossy().into_owned();
        installed.written.iter().map(name).collect()
    }

    #[test]
    fn everything_is_written_once() {
        let machine = Machine::new();
        let here = machine.surroundings();
        let first = install(&here, &InstallRequest::default()).expect("everything is there");
        assert_eq!(names(&first), ["init.evcxr", "prelude.rs", "cc", "plotly.min.js", "kernel.json"]);
        assert_eq!(first.kernelspec.folder, machine.kernelspec());
        assert_eq!(first.kernelspec.program, first.snapshot.folder().join("benchbook-jupyter"));
        let read = Kernelspec::read(&machine.kernelspec()).expect("ours").expect("there");
        assert_eq!(read, first.kernelspec);
        assert_eq!(Kernelspec::installed(&here, Some(&machine.at(".venv"))).expect("ours"), Some(read));
        assert!(std::fs::read_to_string(machine.kernelspec().join(PLOTLY)).expect("text").contains("Plotly"));
        let prelude = std::fs::read_to_string(first.snapshot.folder().join("config/prelude.rs")).expect("text");
        assert!(prelude.starts_with("use benchbook::prelude::*;"));

        let second = install(&here, &InstallRequest::default()).expect("again");
        assert_eq!(names(&second), Vec::<String>::new());
        let newer = machine.snapshot("fedcba9876543210");
        let third = install(&here, &InstallRequest::default()).expect("the newer one");
        assert_eq!(names(&third), ["init.evcxr", "prelude.rs", "cc", "kernel.json"]);
        assert_eq!(third.kernelspec.snapshot, newer);
        assert!(third.kernelspec.is_of_this_version(&third.snapshot));
        assert!(!third.kernelspec.is_of_this_version(&first.snapshot));
    }

    #[test]
    fn the_place_is_the_users_choice() {
        let machine = Machine::new();
        let here = machine.surroundings();
        let request = InstallRequest { prefix: Some("elsewhere".into()), ..InstallRequest::default() };
        let installed = install(&here, &request).expect("everything is there");
        assert_eq!(installed.kernelspec.folder, machine.at("elsewhere/share/jupyter/kernels/benchbook"));
        let request = InstallRequest { user: true, ..InstallRequest::default() };
        let installed = install(&here, &request).expect("everything is there");
        assert_eq!(Some(installed.kernelspec.folder), of_user(&here));
        let lonely = machine.at("lonely/bin/python");
        program(&lonely, "#!/bin/sh\n");
        let request = InstallRequest { python: Some(lonely), ..InstallRequest::default() };
        let error = install(&here, &request).expect_err("no environment").to_string();
        assert!(error.contains("--prefix") && error.contains("--user"), "{error}");
        let absent = Some(machine.at("absent/python"));
        let request = InstallRequest { prefix: Some("other".into()), python: absent, ..InstallRequest::default() };
        let error = install(&here, &request).expect_err("no such Python").to_string();
        assert!(error.contains("--python") && error.contains("absent/python"), "{error}");
        assert!(!machine.at("other").exists());
    }

    #[test]
    fn another_kernel_is_not_replaced() {
        let machine = Machine::new();
        let file = machine.kernelspec().join(FILE);
        std::fs::create_dir_all(machine.kernelspec()).expect("writable");
        for text in ["{\"argv\": [\"mine\"], \"display_name\": \"mine\"}", "{"] {
            std::fs::write(&file, text).expect("writable");
            let error = install(&machine.surroundings(), &InstallRequest::default()).expect_err("taken").to_string();
            assert!(error.contains("not from benchbook") && error.contains("kernel.json"), "{error}");
            assert_eq!(std::fs::read_to_string(&file).expect("text"), text);
            let beside = std::fs::read_dir(machine.kernelspec()).expect("a folder").count();
            assert_eq!(beside, 1, "nothing was written");
        }
    }

    #[test]
    fn what_is_missing_is_said_before_anything_is_written() {
        for (gone, part) in [
            ("bin/rustc", "rustup"),
            (".venv/bin/python", "cargo xtask setup"),
            ("target/notebook/current", "cargo xtask lab"),
        ] {
            let machine = Machine::new();
            std::fs::remove_file(machine.at(gone)).expect("it was there");
            let error = install(&machine.surroundings(), &InstallRequest::default()).expect_err(gone).to_string();
            assert!(error.contains(part), "{gone}: {error}");
            assert!(!machine.kernelspec().exists(), "{gone}");
        }
        let machine = Machine::new();
        program(&machine.at("bin/rustc"), "#!/bin/sh\necho rustc 1.96.0\n");
        let error = install(&machine.surroundings(), &InstallRequest::default()).expect_err("another").to_string();
        assert!(error.contains("1.96.0") && error.contains("1.95.0"), "{error}");
    }

    #[test]
    fn a_file_is_written_once_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("new/file");
        assert!(write_if_changed(&path, b"one", READ).expect("writable"));
        assert!(!write_if_changed(&path, b"one", READ).expect("writable"));
        assert!(write_if_changed(&path, b"two", RUN).expect("writable"));
        assert!(is_program(&path));
        assert_eq!(std::fs::read(&path).expect("readable"), b"two");
        assert_eq!(std::fs::read_dir(folder.path().join("new")).expect("a folder").count(), 1);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("writable");
        let error = write_if_changed(&file.join("below"), b"x", READ).expect_err("a file is no folder");
        assert!(error.to_string().contains("file"), "{error}");
    }

    #[test]
    fn cells_are_linked_without_what_their_process_has() {
        let machine = Machine::new();
        let installed = install(&machine.surroundings(), &InstallRequest::default()).expect("everything is there");
        program(&machine.at("bin/cc"), "#!/bin/sh\nprintf '%s\\n' \"$@\"\n");
        let linker = installed.snapshot.folder().join("config/cc");
        let words = ["-shared", "a b.o", "-ltorch_cpu", "-lc10", "-Lx", "-lstdc++", "/r/libstd-1.so", "-lmine", "-lc"];
        let mut link = Command::new("/bin/sh");
        link.arg(linker).args(words).arg(installed.snapshot.library()).env("PATH", machine.at("bin"));
        let output = link.output();
        let said = String::from_utf8(output.expect("a shell").stdout).expect("text");
        let kept: Vec<&str> = said.lines().collect();
        assert_eq!(kept, ["-shared", "a b.o", "-Lx", "/r/libstd-1.so", "-lmine", "-lc"]);
    }

    #[test]
    fn a_snapshot_is_found_by_its_folder() {
        let machine = Machine::new();
        machine.snapshot("fedcba9876543210");
        let older = machine.at("target/notebook").join(BUILD_ID);
        let request = InstallRequest { snapshot: Some(older.clone()), ..InstallRequest::default() };
        let installed = install(&machine.surroundings(), &request).expect("everything is there");
        assert_eq!(installed.kernelspec.snapshot, older);
    }
}
