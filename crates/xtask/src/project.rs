//! What rust-analyzer is told of the library, by which it completes words in notebooks: our crates, arrow, burn and plotly,
//! from their sources. With all of their dependencies it would take minutes and gigabytes.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use xtask::error::{Error, Result};
use xtask::process;
use xtask::workspace::{Workspace, cargo};

/// What people name in cells: packages whose names begin by these.
const FAMILIES: [&str; 4] = ["benchbook", "arrow", "burn", "plotly"];
/// The package that cells use.
const FACADE: &str = "benchbook";
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The description, as a `rust-project.json` has it.
pub fn described(workspace: &Workspace) -> Result<Value> {
    let mut ask = process::command(cargo());
    ask.args(["metadata", "--format-version", "1", "--filter-platform", TARGET]).current_dir(&workspace.root);
    let said = process::output(&mut ask, "see cargo's message above")?;
    let content = |problem: String| Error::Content { path: "cargo metadata".into(), problem };
    let metadata = serde_json::from_str(&said).map_err(|error| content(error.to_string()))?;
    let sysroot = process::output(process::command("rustc").args(["--print", "sysroot"]), "install Rust")?;
    project(&metadata, sysroot.trim()).ok_or_else(|| content(format!("it has no package {FACADE}")))
}

/// A library among the packages.
struct Library<'a> {
    id: &'a str,
    name: &'a str,
    target: &'a Value,
}

impl<'a> Library<'a> {
    /// The package as a library of one of the families, unless it is one of macros, which rust-analyzer would have to run.
    fn of(package: &'a Value) -> Option<Self> {
        let (id, name) = (package["id"].as_str()?, package["name"].as_str()?);
        let is_library = |target: &&Value| {
            let kinds = target["kind"].as_array().into_iter().flatten().filter_map(Value::as_str);
            kinds.into_iter().any(|kind| matches!(kind, "lib" | "rlib"))
        };
        let target = package["targets"].as_array()?.iter().find(is_library)?;
        FAMILIES.iter().any(|family| name.starts_with(family)).then_some(Self { id, name, target })
    }
}

fn project(metadata: &Value, sysroot: &str) -> Option<Value> {
    let libraries = metadata["packages"].as_array()?.iter().filter_map(Library::of);
    let libraries: BTreeMap<&str, Library<'_>> = libraries.map(|library| (library.id, library)).collect();
    let nodes = metadata["resolve"]["nodes"].as_array()?;
    let nodes: BTreeMap<&str, &Value> = nodes.iter().filter_map(|node| Some((node["id"].as_str()?, node))).collect();
    let dependencies = |id: &str| -> Vec<(&str, &str)> {
        let all = nodes.get(id).and_then(|node| node["deps"].as_array()).into_iter().flatten();
        let is_usual = |one: &&Value| {
            one["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
        };
        all.filter(is_usual).filter_map(|one| Some((one["pkg"].as_str()?, one["name"].as_str()?))).collect()
    };

    let facade = libraries.values().find(|library| library.name == FACADE)?;
    let mut chosen = vec![facade];
    let mut looked_at = 0;
    while let Some(library) = chosen.get(looked_at) {
        looked_at += 1;
        let found = dependencies(library.id).into_iter().filter_map(|(id, _)| libraries.get(id));
        for library in found.collect::<Vec<_>>() {
            if chosen.iter().all(|known| known.id != library.id) {
                chosen.push(library);
            }
        }
    }

    let place = |id: &str| chosen.iter().position(|library| library.id == id);
    let described = |library: &&Library<'_>| {
        let root = library.target["src_path"].as_str()?;
        let features = nodes.get(library.id).and_then(|node| node["features"].as_array()).into_iter().flatten();
        let cfg: Vec<String> = features.filter_map(|one| Some(format!("feature=\"{}\"", one.as_str()?))).collect();
        let dep = |(id, name): (&str, &str)| Some(json!({ "crate": place(id)?, "name": name }));
        let deps: Vec<Value> = dependencies(library.id).into_iter().filter_map(dep).collect();
        let folder = Path::new(root).parent()?.to_str()?;
        Some(json!({
            "display_name": library.name, "root_module": root, "edition": library.target["edition"], "deps": deps, "cfg": cfg,
            "is_workspace_member": false, "source": { "include_dirs": [folder], "exclude_dirs": [] },
        }))
    };
    let crates: Vec<Value> = chosen.iter().filter_map(described).collect();
    let sources = Path::new(sysroot).join("lib/rustlib/src/rust/library");
    // A crate that were left out would move those behind it.
    (crates.len() == chosen.len()).then(|| json!({ "sysroot": sysroot, "sysroot_src": sources, "crates": crates }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, kind: &str) -> Value {
        json!({ "id": format!("{name}#1"), "name": name, "targets": [
            { "kind": ["custom-build"], "src_path": "/build.rs", "edition": "2021" },
            { "kind": [kind], "src_path": format!("/{name}/src/lib.rs"), "edition": "2024" },
        ] })
    }

    fn node(name: &str, deps: &[(&str, Value)]) -> Value {
        let dep = |(name, kind): &(&str, Value)| json!({ "pkg": format!("{name}#1"), "name": name.replace('-', "_"), "dep_kinds": [{ "kind": kind }] });
        json!({ "id": format!("{name}#1"), "features": ["std"], "deps": deps.iter().map(dep).collect::<Vec<_>>() })
    }

    #[test]
    fn the_families_are_described_as_far_as_the_library_uses_them() {
        let null = Value::Null;
        let metadata = json!({
            "packages": [
                package("serde", "lib"), package("plotly_derive", "proc-macro"), package("arrow-array", "lib"),
                package("burn", "lib"), package("benchbook", "lib"), package("benchbook-core", "lib"),
            ],
            "resolve": { "nodes": [
                node("benchbook", &[("benchbook-core", null.clone()), ("serde", null.clone()), ("burn", "dev".into())]),
                node("benchbook-core", &[("arrow-array", null.clone()), ("plotly_derive", null.clone())]),
                node("arrow-array", &[("serde", null)]),
            ] },
        });
        let project = project(&metadata, "/rust").expect("a project");
        let names: Vec<&str> =
            project["crates"].as_array().unwrap().iter().filter_map(|one| one["display_name"].as_str()).collect();
        assert_eq!(names, ["benchbook", "benchbook-core", "arrow-array"]);
        let core = &project["crates"][1];
        assert_eq!(core["deps"], json!([{ "crate": 2, "name": "arrow_array" }]));
        assert_eq!(
            (&core["cfg"], &core["root_module"]),
            (&json!(["feature=\"std\""]), &json!("/benchbook-core/src/lib.rs"))
        );
        assert_eq!(core["source"]["include_dirs"], json!(["/benchbook-core/src"]));
        assert_eq!(super::project(&json!({ "packages": [], "resolve": { "nodes": [] } }), "/rust"), None);
    }
}
