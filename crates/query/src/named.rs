//! Named queries: SQL files with a header that says what they show and take.

use std::fs;
use std::path::Path;
use std::str::FromStr;

use crate::error::{Error, Result};

/// What a parameter of a named query holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// Text.
    Text,
    /// A signed 64-bit integer.
    Integer,
    /// A 64-bit float.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A run: id, unique prefix, tag, `latest` or `latest~N`; bound as its id.
    Run,
    /// A variant or an implementation that stands in the store.
    Variant,
    /// A parameter that some trial of the store has.
    Parameter,
}

impl ParamKind {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Text, "text"),
        (Self::Integer, "integer"),
        (Self::Number, "number"),
        (Self::Boolean, "boolean"),
        (Self::Run, "run"),
        (Self::Variant, "variant"),
        (Self::Parameter, "parameter"),
    ];

    /// The word that stands in a header.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("text", |(_, name)| name)
    }
}

impl FromStr for ParamKind {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let names = Self::ALL.map(|(_, name)| name).join(", ");
        let found = Self::ALL.into_iter().find(|(_, name)| *name == text);
        found.map(|(kind, _)| kind).ok_or_else(|| format!("`{text}` is no type of a parameter: use {names}"))
    }
}

/// A parameter of a named query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryParam {
    /// Its name, without the `$`.
    pub name: String,
    /// What it holds.
    pub kind: ParamKind,
    /// Its value where none is given; a parameter without one must be given.
    pub default: Option<String>,
    /// One line of help.
    pub doc: String,
}

/// A query that is asked for by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedQuery {
    /// Its name: the file's, without `.sql`.
    pub name: String,
    /// What it shows, in a line.
    pub title: String,
    /// What it takes.
    pub params: Vec<QueryParam>,
    /// The file, header included.
    pub sql: String,
}

/// The queries that come with benchbook, by file name: every file of `queries/`, as `build.rs` found them.
const EMBEDDED: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/queries.rs"));

/// The queries that come with benchbook, by name.
///
/// # Errors
/// [`Error::QueryFile`] if a header is broken, which a test rules out.
pub fn named_queries() -> Result<Vec<NamedQuery>> {
    EMBEDDED.iter().map(|(name, sql)| parse(name, sql, Path::new(name))).collect()
}

/// The queries of a folder: every `*.sql` in it, by name.
///
/// # Errors
/// [`Error::QueryFile`] for a file that cannot be read or whose header is broken.
pub fn named_queries_in(folder: &Path) -> Result<Vec<NamedQuery>> {
    let failed =
        |path: &Path, error: std::io::Error| Error::QueryFile { path: path.to_owned(), reason: error.to_string() };
    let mut queries = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        if path.extension().is_some_and(|extension| extension == "sql") {
            let sql = benchbook_record::read_text(&path).map_err(|error| failed(&path, error))?;
            queries.push(parse(name, &sql, &path)?);
        }
    }
    queries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(queries)
}

/// Reads a header: `-- title: …` and `-- param name type = default: help`, in the leading comments.
pub(crate) fn parse(name: &str, sql: &str, path: &Path) -> Result<NamedQuery> {
    let bad = |reason: String| Error::QueryFile { path: path.to_owned(), reason };
    let mut title = None;
    let mut params: Vec<QueryParam> = Vec::new();
    for line in sql.lines().map_while(|line| line.trim().strip_prefix("--")) {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("title:") {
            title = Some(text.trim().to_owned());
        } else if let Some(text) = line.strip_prefix("param ") {
            let param = parse_param(text).map_err(bad)?;
            if params.iter().any(|known| known.name == param.name) {
                return Err(bad(format!("parameter `{}` is declared twice", param.name)));
            }
            params.push(param);
        }
    }
    let title = title.ok_or_else(|| bad("begin with a line `-- title: what it shows`".to_owned()))?;
    Ok(NamedQuery { name: name.to_owned(), title, params, sql: sql.to_owned() })
}

fn parse_param(text: &str) -> std::result::Result<QueryParam, String> {
    let (declared, doc) = text
        .split_once(": ")
        .ok_or_else(|| format!("write `-- param name type = default: help`, not `-- param {text}`"))?;
    let (head, default) = match declared.split_once('=') {
        Some((head, default)) => (head, Some(default.trim().to_owned())),
        None => (declared, None),
    };
    let mut words = head.split_whitespace();
    let (Some(name), Some(kind), None) = (words.next(), words.next(), words.next()) else {
        return Err(format!("write `-- param name type = default: help`, not `-- param {text}`"));
    };
    Ok(QueryParam { name: name.to_owned(), kind: kind.parse()?, default, doc: doc.trim().to_owned() })
}
