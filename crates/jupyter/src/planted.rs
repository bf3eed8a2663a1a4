//! Planted machines for tests: programs, environments, snapshots.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::snapshot::{CURRENT, LOCK, MANIFEST, Manifest, Snapshot};
use crate::surroundings::Surroundings;

pub(crate) const RUSTC: &str = "rustc 1.95.0 (abc 2026-04-14)\nhost: planted";
pub(crate) const BUILD_ID: &str = "0123456789abcdef";

/// A script that may be run.
///
/// Another process writes it: what is open for writing cannot be run, and a child of another test may hold what this
/// process has open.
pub(crate) fn program(file: &Path, text: &str) {
    std::fs::create_dir_all(file.parent().expect("inside a folder")).expect("writable");
    let source = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(source.path(), text).expect("writable");
    let written = Command::new("install").args(["-m", "755"]).arg(source.path()).arg(file).status();
    assert!(written.expect("coreutils").success(), "{}", file.display());
}

/// A virtual environment whose Python has every package; gives the Python.
pub(crate) fn environment(folder: &Path) -> PathBuf {
    let python = folder.join("bin/python");
    program(&python, "#!/bin/sh\necho jupyterlab 4.6\necho nbclient 0.11\necho nbconvert 7.17\n");
    std::fs::write(folder.join("pyvenv.cfg"), "").expect("writable");
    python
}

/// A machine with everything that the Jupyter kernel needs.
pub(crate) struct Machine {
    root: tempfile::TempDir,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let machine = Self { root: tempfile::tempdir().expect("a temporary folder") };
        environment(&machine.at(".venv"));
        let sysroot = machine.at("rust");
        std::fs::create_dir_all(sysroot.join("lib/rustlib/src/rust/library")).expect("writable");
        let rustc =
            format!("#!/bin/sh\nif [ \"$1\" = -vV ]; then echo '{RUSTC}'; else echo '{}'; fi\n", sysroot.display());
        program(&machine.at("bin/rustc"), &rustc);
        program(&machine.at("bin/cc"), "#!/bin/sh\n");
        machine.snapshot(BUILD_ID);
        machine
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        // The system's own temporary folder may be a link; what is found is compared with true paths.
        self.root.path().canonicalize().expect("it is there").join(path)
    }

    pub(crate) fn kernelspec(&self) -> PathBuf {
        self.at(".venv/share/jupyter/kernels/benchbook")
    }

    /// Makes a snapshot the newest one.
    pub(crate) fn snapshot(&self, build_id: &str) -> PathBuf {
        let folder = self.at("target/notebook").join(build_id);
        std::fs::create_dir_all(folder.join("deps")).expect("writable");
        for name in ["benchbook-worker", "benchbook-cells", "benchbook-jupyter"] {
            program(&folder.join(name), "#!/bin/sh\n");
        }
        std::fs::write(folder.join("libbenchbook_notebook.so"), "a library").expect("writable");
        std::fs::write(folder.join(LOCK), "").expect("writable");
        let manifest = Manifest {
            schema: 2,
            build_id: build_id.to_owned(),
            benchbook_version: "0.1.0".into(),
            library: "libbenchbook_notebook.so".into(),
            library_bytes: 9,
            worker: "benchbook-worker".into(),
            cells: "benchbook-cells".into(),
            kernel: "benchbook-jupyter".into(),
            deps: "deps".into(),
            rustc: RUSTC.into(),
            sysroot_lib: self.at("rust/lib"),
            libtorch_lib: None,
            made_at: Some("2026-11-21T00:00:00Z".into()),
        };
        self.describe(build_id, &manifest);
        std::fs::write(self.at("target/notebook").join(CURRENT), format!("{build_id}\n")).expect("writable");
        folder
    }

    /// Writes another description of a snapshot.
    pub(crate) fn describe(&self, build_id: &str, manifest: &Manifest) {
        let text = serde_json::to_string(manifest).expect("JSON");
        std::fs::write(self.at("target/notebook").join(build_id).join(MANIFEST), text).expect("writable");
    }

    pub(crate) fn manifest(&self) -> Manifest {
        Snapshot::open(&self.at("target/notebook").join(BUILD_ID)).expect("the planted one").manifest().clone()
    }

    pub(crate) fn surroundings(&self) -> Surroundings {
        let (path, home) = (self.at("bin"), self.at("home"));
        let variables = [("PATH", path.as_os_str()), ("HOME", home.as_os_str())];
        Surroundings::planted(&variables, &self.at(""), &self.at("target/release/benchbook"))
    }
}
