//! An `.ipynb` file.

use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Named, Result};

/// The format that every Jupyter of this century writes.
const FORMAT: u64 = 4;

/// A notebook as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its cells, in order.
    pub cells: Vec<Cell>,
}

/// A cell of code, prose or something raw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Whether it is run.
    pub code: bool,
    /// Its text.
    pub source: String,
    /// Its tags.
    pub tags: Vec<String>,
}

impl Document {
    /// Reads a notebook.
    ///
    /// # Errors
    /// The file cannot be read, is a folder, a pipe or a device, or is no notebook.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::metadata(path).and_then(|found| {
            // A pipe or a device might never end.
            if !found.is_file() {
                return Err(std::io::Error::other("it is not a regular file"));
            }
            std::fs::read_to_string(path)
        });
        Self::parse(&text.named("read", path)?)
    }

    /// Reads a notebook's text.
    ///
    /// # Errors
    /// It is no notebook.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |problem: String| Error::NotANotebook(problem);
        // Editors of other systems put a byte order mark before it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let whole: Value = serde_json::from_str(text).map_err(|error| wrong(format!("it is not JSON: {error}")))?;
        match whole["nbformat"].as_u64() {
            Some(FORMAT) => {}
            Some(other) => {
                let remedy = "open it in Jupyter and save it, which brings it to the present format";
                return Err(wrong(format!("it has format {other}, not {FORMAT}: {remedy}")));
            }
            None => return Err(wrong("it is JSON without `nbformat`".into())),
        }
        let cells = whole["cells"].as_array().ok_or_else(|| wrong("it has no list of cells".into()))?;
        let cell = |(index, cell)| read_cell(cell).map_err(|problem| wrong(format!("cell {}: {problem}", index + 1)));
        Ok(Self { cells: cells.iter().enumerate().map(cell).collect::<Result<_>>()? })
    }

    /// The first code cell with this tag, and its place among all cells.
    pub(crate) fn tagged(&self, tag: &str) -> Option<(usize, &Cell)> {
        let has = |(_, cell): &(usize, &Cell)| cell.code && cell.tags.iter().any(|one| one == tag);
        self.cells.iter().enumerate().find(has)
    }
}

fn read_cell(cell: &Value) -> std::result::Result<Cell, String> {
    let code = cell["cell_type"].as_str().ok_or("it has no cell_type")? == "code";
    let lines = |lines: &Vec<Value>| lines.iter().map(|line| line.as_str()).collect::<Option<String>>();
    let source = match &cell["source"] {
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => lines(list),
        _ => None,
    };
    let tags = cell["metadata"]["tags"].as_array();
    let tags = tags.into_iter().flatten().filter_map(|tag| tag.as_str().map(str::to_owned)).collect();
    Ok(Cell { code, source: source.ok_or("its source is no text")?, tags })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_one_text_or_lines() {
        let text = r##"{"nbformat": 4, "cells": [
            {"cell_type": "markdown", "source": "# A", "metadata": {"tags": ["parameters"]}},
            {"cell_type": "code", "source": ["let a = 1;\n", "let b = 2;"], "metadata": {"tags": ["x", 3, "parameters"]}}
        ]}"##;
        let document = Document::parse(text).expect("a notebook");
        let (index, cell) = document.tagged("parameters").expect("prose does not count");
        assert_eq!((index, cell.source.as_str()), (1, "let a = 1;\nlet b = 2;"));
        assert_eq!(document.tagged("absent"), None);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_it() {
        let document = Document::parse("\u{feff}{\"nbformat\": 4, \"cells\": []}").expect("a notebook");
        assert_eq!(document.cells, []);
    }

    #[test]
    fn what_is_no_notebook_says_why() {
        for (text, part) in [
            ("{", "not JSON: EOF"),
            ("", "not JSON"),
            ("[]", "without `nbformat`"),
            ("{\"nbformat\": 3}", "format 3"),
            ("{\"nbformat\": 4}", "no list of cells"),
            ("{\"nbformat\": 4, \"cells\": [{}]}", "cell 1: it has no cell_type"),
            ("{\"nbformat\": 4, \"cells\": [{\"cell_type\": \"code\", \"source\": 3}]}", "cell 1: its source"),
            ("{\"nbformat\": 4, \"cells\": [{\"cell_type\": \"code\", \"source\": [3]}]}", "cell 1: its source"),
        ] {
            let error = Document::parse(text).expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let error = Document::read(Path::new("/no/such.ipynb")).expect_err("absent").to_string();
        assert!(error.contains("/no/such.ipynb"), "{error}");
        for special in ["/dev/null", "/"] {
            let error = Document::read(Path::new(special)).expect_err(special).to_string();
            assert!(error.contains(special) && error.contains("not a regular file"), "{error}");
        }
    }
}
