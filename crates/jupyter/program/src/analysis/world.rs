//! The other side: rust-analyzer on the library's sources, and a cell beside them.

use std::fs;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ra_ap_base_db::SourceRoot;
use ra_ap_hir::{ChangeWithProcMacros, PrefixKind};
use ra_ap_ide::{
    AnalysisHost, CompletionConfig, CompletionFieldsToResolve, FileId, FilePosition, FileRange, HoverConfig,
    HoverDocFormat, RaFixtureConfig, SubstTyLen, TextRange, TextSize,
};
use ra_ap_ide_db::FxHashMap;
use ra_ap_ide_db::imports::insert_use::{ImportGranularity, InsertUseConfig};
use ra_ap_paths::AbsPathBuf;
use ra_ap_project_model::{CargoConfig, ProjectJson, ProjectJsonData, ProjectWorkspace, RustLibSource};
use ra_ap_vfs::file_set::FileSetConfig;
use ra_ap_vfs::{Change, Vfs, VfsPath};
use serde_json::{Value, json};

use super::{Answer, Question};

/// The crate that every cell uses, and the file that stands for the cell; there is none on disk.
const FACADE: &str = "benchbook";
const CELL: &str = "/benchbook-cell/lib.rs";

/// Answers questions from standard input, a line of JSON each, until it ends.
///
/// # Errors
/// The description of the library cannot be followed, or nobody hears the answers.
pub(crate) fn serve(project: &Path) -> io::Result<()> {
    let mut world = World::load(project)?;
    for line in io::stdin().lines() {
        let question: Question = serde_json::from_str(&line?)?;
        // What is half written is not always borne.
        let answer = catch_unwind(AssertUnwindSafe(|| world.answer(&question))).unwrap_or_default();
        let mut out = io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
        out.flush()?;
    }
    Ok(())
}

struct World {
    host: AnalysisHost,
    cell: FileId,
}

fn path(text: &str) -> io::Result<AbsPathBuf> {
    AbsPathBuf::try_from(text).map_err(|_| io::Error::other(format!("{text} is no absolute path")))
}

/// The description of the library, with a crate for the cell.
fn described(project: &Path) -> io::Result<ProjectJson> {
    let mut described: Value = serde_json::from_str(&fs::read_to_string(project)?)?;
    let crates = described["crates"].as_array_mut().ok_or_else(|| io::Error::other("it lists no crates"))?;
    let facade = crates.iter().position(|one| one["display_name"] == FACADE);
    let facade = facade.ok_or_else(|| io::Error::other(format!("{FACADE} is not among its crates")))?;
    crates.push(json!({
        "display_name": "cell", "root_module": CELL, "edition": "2024", "is_workspace_member": true,
        "deps": [{ "crate": facade, "name": FACADE }],
    }));
    let data: ProjectJsonData = serde_json::from_value(described)?;
    Ok(ProjectJson::new(None, &path("/")?, data))
}

impl World {
    fn load(project: &Path) -> io::Result<Self> {
        let config = CargoConfig { sysroot: Some(RustLibSource::Discover), ..CargoConfig::default() };
        let workspace = ProjectWorkspace::load_inline(described(project)?, &config, &|_| ());
        let mut files = Vfs::default();
        let place = VfsPath::from(path(CELL)?);
        files.set_file_contents(place.clone(), Some(Vec::new()));
        for root in workspace.to_roots() {
            for folder in &root.include {
                read(folder.as_ref(), &mut files);
            }
        }
        let mut change = ChangeWithProcMacros::default();
        for (id, file) in files.take_changes() {
            if let Change::Create(bytes, _) | Change::Modify(bytes, _) = file.change {
                change.change_file(id, String::from_utf8(bytes).ok());
            }
        }
        change.set_roots(FileSetConfig::default().partition(&files).into_iter().map(SourceRoot::new_local).collect());
        let mut find = |path: &ra_ap_paths::AbsPath| files.file_id(&path.to_path_buf().into()).map(|(id, _)| id);
        let (graph, _) = workspace.to_crate_graph(&mut find, &FxHashMap::default());
        change.set_crate_graph(graph);
        let mut host = AnalysisHost::default();
        host.apply_change(change);
        let (cell, _) = files.file_id(&place).ok_or_else(|| io::Error::other("the cell has no file"))?;
        Ok(Self { host, cell })
    }

    fn answer(&mut self, question: &Question) -> Answer {
        let text = question.text();
        let offset = TextSize::try_from(question.before.len() + question.byte).unwrap_or_default();
        let mut change = ChangeWithProcMacros::default();
        change.change_file(self.cell, Some(text.clone()));
        self.host.apply_change(change);
        if question.completes { self.complete(&text, offset) } else { self.explain(offset) }
    }

    fn complete(&self, text: &str, offset: TextSize) -> Answer {
        let insert_use = InsertUseConfig {
            prefix_kind: PrefixKind::ByCrate,
            group: false,
            granularity: ImportGranularity::Item,
            enforce_granularity: false,
            skip_glob_imports: false,
        };
        let config = CompletionConfig {
            enable_postfix_completions: false,
            enable_imports_on_the_fly: false,
            enable_self_on_the_fly: false,
            enable_auto_iter: false,
            enable_auto_await: false,
            // What is private in the library cannot be named in a cell.
            enable_private_editable: false,
            enable_term_search: false,
            term_search_fuel: 0,
            full_function_signatures: false,
            callable: None,
            add_colons_to_module: false,
            add_semicolon_to_unit: false,
            snippet_cap: None,
            insert_use,
            prefer_no_std: false,
            prefer_prelude: true,
            prefer_absolute: false,
            snippets: Vec::new(),
            limit: None,
            fields_to_resolve: CompletionFieldsToResolve::empty(),
            exclude_flyimport: Vec::new(),
            exclude_traits: &[],
            ra_fixture: RaFixtureConfig::default(),
        };
        let place = FilePosition { file_id: self.cell, offset };
        let found = self.host.analysis().completions(&config, place, None).ok().flatten().unwrap_or_default();
        let start = found.iter().map(|one| one.source_range.start()).min().unwrap_or(offset);
        let typed = &text[usize::from(start)..usize::from(offset)];
        let mut matches: Vec<String> = Vec::new();
        for name in found.iter().map(|one| one.lookup()).filter(|name| name.starts_with(typed)) {
            if matches.iter().all(|known| known != name) {
                matches.push(name.to_owned());
            }
        }
        Answer { matches, start: start.into(), end: offset.into(), ..Answer::default() }
    }

    fn explain(&self, offset: TextSize) -> Answer {
        let told = |format| {
            let config = HoverConfig {
                links_in_hover: false,
                memory_layout: None,
                documentation: true,
                keywords: false,
                format,
                max_trait_assoc_items_count: None,
                max_fields_count: Some(8),
                max_enum_variants_count: Some(8),
                max_subst_ty_len: SubstTyLen::Unlimited,
                show_drop_glue: false,
                ra_fixture: RaFixtureConfig::default(),
            };
            let range = FileRange { file_id: self.cell, range: TextRange::empty(offset) };
            let found = self.host.analysis().hover(&config, range).ok().flatten();
            found.map(|found| String::from(found.info.markup))
        };
        let (text, markdown) = (told(HoverDocFormat::PlainText), told(HoverDocFormat::Markdown));
        Answer { text, markdown, ..Answer::default() }
    }
}

/// Reads the sources below a folder; what cannot be read is not known.
fn read(folder: &Path, files: &mut Vfs) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read(&path, files);
            continue;
        }
        let place = path.to_str().filter(|text| text.ends_with(".rs")).and_then(|text| AbsPathBuf::try_from(text).ok());
        if let (Some(place), Ok(bytes)) = (place, fs::read(&path)) {
            files.set_file_contents(VfsPath::from(place), Some(bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A library of one type, as `cargo xtask lab` describes the real one.
    fn library() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lib.rs");
        let text = "pub mod prelude { pub use crate::Lab; }\n/// A store.\npub struct Lab;\n\
            impl Lab {\n    /// Opens it.\n    pub fn open() -> Lab { Lab }\n    pub fn sql(&self) -> u8 { 1 }\n    fn hidden(&self) {}\n}\n";
        fs::write(&root, text).unwrap();
        let project = folder.path().join("rust-project.json");
        let crates = json!([{ "display_name": FACADE, "root_module": root, "edition": "2024", "deps": [] }]);
        fs::write(&project, json!({ "crates": crates }).to_string()).unwrap();
        (folder, project)
    }

    #[test]
    fn a_cell_is_completed_and_explained_by_the_library() {
        let (_folder, project) = library();
        let mut world = World::load(&project).unwrap();
        let variables = [("lab".to_owned(), "Lab".to_owned())];
        let mut ask = |code: &str, completes| world.answer(&Question::new(code, code.len(), completes, &variables));
        let found = ask("let a = 1;\nlab.", true);
        assert!(
            found.matches.contains(&"sql".to_owned()) && !found.matches.contains(&"hidden".to_owned()),
            "{found:?}"
        );
        assert_eq!(ask("Lab::op", true).matches, ["open"]);
        let told = ask("Lab::open", false).text.expect("it is known");
        assert!(told.contains("Opens it."), "{told}");
        assert_eq!(ask("}}}((", false).text, None);
    }

    #[test]
    fn what_describes_no_library_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("rust-project.json");
        for text in ["", "{}", "{\"crates\": []}"] {
            fs::write(&project, text).unwrap();
            assert!(World::load(&project).is_err(), "{text}");
        }
    }
}
