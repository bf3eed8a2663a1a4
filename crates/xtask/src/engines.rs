//! Environments of engines whose versions clash with the project's: an engine's own packages win, all others are the project's.

use crate::error::{Named, Result};
use crate::process;
use crate::workspace::Python;
use benchbook_process::ENGINES;
use std::fs;
use std::path::Path;

/// What `venv` needs where it fails.
pub const VENV: &str = "Debian and Ubuntu keep this module in a package of its own: `apt-get install python3-venv`";

/// A path file: Python looks for packages in the folder that it names, after those beside it.
const PATH_FILE: &str = "benchbook-project.pth";

/// Asks the worker's own table what pip is to install for an engine.
const WANTED: &str = "import sys; sys.path.insert(0, sys.argv[1]); from benchbook_worker.devices import wanted; \
                      print(*wanted(sys.argv[2]), sep='\\n')";

/// What pip is to install for an engine of the Python worker, a requirement each, by the table of the clone in `root`.
///
/// # Errors
/// There is no such engine; the error names those that there are.
pub fn wanted(root: &Path, project: &Python, engine: &str) -> Result<Vec<String>> {
    let mut ask = process::command(&project.executable);
    ask.args(["-B", "-c", WANTED]).arg(root.join("crates/engines/python")).arg(engine);
    let said = process::output(&mut ask, "`benchbook list devices --python` shows engines beside their devices")?;
    Ok(said.lines().map(str::to_owned).collect())
}

/// The environment of an engine within that of the project; where there is none it is made, empty but for the path file by which
/// it reuses what the project has.
///
/// # Errors
/// The project's Python makes none, or the path file cannot be written.
pub fn environment(project: &Python, engine: &str) -> Result<Python> {
    let own = Python::in_folder(project.folder.join(ENGINES).join(engine));
    if own.has_pip() {
        return Ok(own);
    }
    let mut make = process::command(&project.executable);
    // Its pip is the project's.
    make.args(["-m", "venv", "--clear", "--without-pip"]).arg(&own.folder);
    println!("   $ {}", process::line(&make));
    process::run(&mut make, VENV)?;
    let file = own.packages()?.join(PATH_FILE);
    fs::write(&file, format!("{}\n", project.packages()?.display())).named("write", &file)?;
    Ok(own)
}
