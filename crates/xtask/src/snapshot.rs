//! One build of the library, kept whole for Jupyter kernels: what is built later changes nothing in it.

use crate::project;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use xtask::error::{Error, Named, Result};
use xtask::process;
use xtask::step::State;
use xtask::workspace::{Python, Workspace};

const PACKAGE: &str = "benchbook-notebook";
const LIBRARY: &str = "libbenchbook_notebook.so";
const WORKER: &str = "benchbook-worker";
const CELLS: &str = "benchbook-cells";
const KERNEL: &str = "benchbook-jupyter";

/// The program that runs the cells of a notebook: the library, and nothing else.
const SOURCE: &str = "fn main() -> std::process::ExitCode {\n    benchbook::notebook::cells()\n}\n";

/// Builds the library for notebooks and keeps it in a folder named by its content.
pub fn take(workspace: &Workspace, python: &Python, minimal: bool) -> Result<(PathBuf, State)> {
    let built = build(workspace)?;
    let id = content_id(workspace, &built.library)?;
    let all = workspace.target.join("notebook");
    let folder = all.join(&id);
    let state = if folder.join("snapshot.json").is_file() { State::UpToDate } else { State::Done };
    if state == State::Done {
        // Made beside and renamed, so that no Jupyter kernel ever meets half of one.
        let making = all.join(format!("making-{}", std::process::id()));
        let _ = fs::remove_dir_all(&making);
        fill(&making, &built, &describe(&id, &built.library, python, minimal)?, workspace)?;
        let _ = fs::remove_dir_all(&folder);
        fs::rename(&making, &folder).named("rename", &making)?;
    }
    let current = all.join("current");
    let next = all.join(format!("current-{}", std::process::id()));
    fs::write(&next, format!("{id}\n")).named("write", &next)?;
    fs::rename(&next, &current).named("write", current)?;
    remove_unused(&all, &id)?;
    println!("   snapshot {id}");
    Ok((folder, state))
}

/// What cargo made: the library, and the metadata and proc macros of all that it rests on.
struct Built {
    library: PathBuf,
    parts: BTreeSet<PathBuf>,
}

fn build(workspace: &Workspace) -> Result<Built> {
    let mut command = workspace.one("rustc", PACKAGE);
    // On this package alone, or every dependency would be compiled again.
    command.args(["--message-format=json-render-diagnostics", "--", "-Cprefer-dynamic"]);
    println!("   $ {}", process::line(&command));
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(|source| process::cannot_start(&command, &source, "install cargo"))?;
    if !output.status.success() {
        return Err(process::failed(&command, output.status, "see the compiler's message above"));
    }
    read_messages(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| Error::Content {
        path: "cargo's messages".into(),
        problem: format!("they name no {LIBRARY}, so it cannot be found"),
    })
}

fn read_messages(messages: &str) -> Option<Built> {
    let mut library = None;
    let mut parts = BTreeSet::new();
    for message in messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if message["reason"] != "compiler-artifact" {
            continue;
        }
        for file in message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let path = PathBuf::from(file);
            let is_macro =
                message["target"]["kind"].as_array().is_some_and(|kinds| kinds.contains(&"proc-macro".into()));
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("so") if path.file_name().is_some_and(|name| name == LIBRARY) => library = Some(path),
                Some("rmeta") => drop(parts.insert(path)),
                Some("so") if is_macro => drop(parts.insert(path)),
                _ => {}
            }
        }
    }
    Some(Built { library: library?, parts })
}

/// The name of a build, from the Jupyter kernel, which checks it at each start; it belongs to the build.
fn content_id(workspace: &Workspace, library: &Path) -> Result<String> {
    let mut ask = workspace.run(KERNEL);
    ask.arg("--content-id").arg(library).arg(kernel(workspace));
    process::output(&mut ask, "build the kernel again: `cargo xtask lab`")
}

/// The program of the Jupyter kernel, as cargo has built it.
fn kernel(workspace: &Workspace) -> PathBuf {
    workspace.target.join("release").join(KERNEL)
}

fn describe(id: &str, library: &Path, python: &Python, minimal: bool) -> Result<Value> {
    let said = |arguments: &[&str]| process::output(process::command("rustc").args(arguments), "install Rust");
    let libtorch = if minimal { None } else { Some(python.torch()?.join("lib")) };
    Ok(json!({
        "schema": 2,
        "build_id": id,
        "benchbook_version": env!("CARGO_PKG_VERSION"),
        "library": LIBRARY,
        "library_bytes": fs::metadata(library).named("read", library)?.len(),
        "worker": WORKER,
        "cells": CELLS,
        "kernel": KERNEL,
        "deps": "deps",
        "rustc": said(&["-vV"])?,
        // evcxr moves a cell's library after linking it, which its run path to std survives in a shallow folder only.
        "sysroot_lib": said(&["--print", "target-libdir"])?,
        "libtorch_lib": libtorch,
    }))
}

fn fill(folder: &Path, built: &Built, about: &Value, workspace: &Workspace) -> Result<()> {
    let deps = folder.join("deps");
    fs::create_dir_all(&deps).named("create", &deps)?;
    // Cargo writes the next build over these: copies, not links.
    let worker = workspace.target.join("release").join(WORKER);
    for (from, name) in [(&built.library, LIBRARY), (&worker, WORKER), (&kernel(workspace), KERNEL)] {
        fs::copy(from, folder.join(name)).named("copy", from)?;
    }
    for part in &built.parts {
        let name = part.file_name().unwrap_or_default();
        let to = deps.join(name);
        // Other file systems have no links between them.
        fs::hard_link(part, &to).or_else(|_| fs::copy(part, &to).map(drop)).named("link", part)?;
    }
    cells(folder, about["libtorch_lib"].as_str())?;
    let analysis = folder.join("analysis");
    fs::create_dir_all(&analysis).named("create", &analysis)?;
    let file = analysis.join("rust-project.json");
    fs::write(&file, format!("{:#}\n", project::described(workspace)?)).named("write", &file)?;
    fs::write(folder.join("lock"), "").named("write", folder.join("lock"))?;
    let text = format!("{about:#}\n");
    fs::write(folder.join("snapshot.json"), text).named("write", folder.join("snapshot.json"))
}

/// Compiles the program of the cells, as a cell is compiled: cargo would build the library again, and otherwise.
fn cells(folder: &Path, libtorch: Option<&str>) -> Result<()> {
    let source = folder.join("cells.rs");
    fs::write(&source, SOURCE).named("write", &source)?;
    let mut command = process::command("rustc");
    command.args(["--edition=2024", "--crate-type=bin", "--crate-name=benchbook_cells", "-Cprefer-dynamic"]);
    // What libtorch needs is found when the program starts.
    command.arg("-Clink-arg=-Wl,--allow-shlib-undefined");
    command.arg(format!("--extern=benchbook={}", folder.join(LIBRARY).display()));
    command.arg(format!("-Ldependency={}", folder.join("deps").display()));
    command.args(libtorch.map(|libtorch| format!("-Lnative={libtorch}")));
    command.arg("-o").arg(folder.join(CELLS)).arg(&source);
    process::run(&mut command, "see the compiler's message above")
}

/// Removes the snapshots that no Jupyter kernel uses, but for the newest.
fn remove_unused(all: &Path, newest: &str) -> Result<()> {
    for entry in fs::read_dir(all).named("read", all)? {
        let folder = entry.named("read", all)?.path();
        if !folder.is_dir() || folder.ends_with(newest) {
            continue;
        }
        // A running Jupyter kernel holds the lock for as long as it lives.
        let free = File::open(folder.join("lock")).map_or(true, |lock| lock.try_lock().is_ok());
        if free {
            fs::remove_dir_all(&folder).named("remove", &folder)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_library_its_metadata_and_proc_macros() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"kind":["lib"]},"filenames":["/t/liba-1.rlib","/t/liba-1.rmeta"]}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"kind":["proc-macro"]},"filenames":["/t/libm-2.so"]}"#,
            "\nnot JSON\n",
            r#"{"reason":"build-script-executed","filenames":["/t/libno.rmeta"]}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"kind":["dylib"]},"filenames":["/t/libbenchbook_notebook.so"]}"#,
        );
        let built = read_messages(messages).expect("a library");
        assert_eq!(built.library, Path::new("/t/libbenchbook_notebook.so"));
        let parts: Vec<_> = built.parts.iter().filter_map(|part| part.to_str()).collect();
        assert_eq!(parts, ["/t/liba-1.rmeta", "/t/libm-2.so"]);
        assert!(read_messages("{}").is_none());
    }

    #[test]
    fn only_what_no_kernel_holds_is_removed() -> Result<()> {
        let all = std::env::temp_dir().join(format!("benchbook-snapshots-{}", std::process::id()));
        for name in ["old", "held", "newest"] {
            fs::create_dir_all(all.join(name)).named("create", &all)?;
            fs::write(all.join(name).join("lock"), "").named("write", &all)?;
        }
        let held = File::open(all.join("held/lock")).named("read", &all)?;
        held.lock_shared().named("lock", &all)?;
        remove_unused(&all, "newest")?;
        let left = ["old", "held", "newest"].map(|name| all.join(name).exists());
        fs::remove_dir_all(&all).named("remove", &all)?;
        assert_eq!(left, [false, true, true]);
        Ok(())
    }
}
