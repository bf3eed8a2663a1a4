//! The table of claims: what was claimed stays as it is written, what was measured is written anew.

use super::measured::Measured;
use crate::error::{Error, Named, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Columns: eight by hand, then six that are measured.
const HEADER: &str = "claim,catalogue,statement,source,quantity,relation,claimed,reason,\
    measured,low,high,replicates,machine,how";
const BY_HAND: usize = 8;
const COLUMNS: usize = 14;

/// What a measurement needs to know of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub quantity: String,
    pub relation: String,
}

/// The file of claims.
pub struct Ledger {
    path: PathBuf,
    lines: Vec<String>,
}

impl Ledger {
    /// # Errors
    /// The file cannot be read, or a line of it is no claim.
    pub fn open(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).named("read", path)?;
        let lines = parse(&text).map_err(|problem| Error::Content { path: path.to_owned(), problem })?;
        Ok(Self { path: path.to_owned(), lines })
    }

    /// The claim of this name.
    pub fn claim(&self, name: &str) -> Option<Claim> {
        let cells = cells(self.lines.iter().find(|line| cells(line).first() == Some(&name))?);
        Some(Claim { quantity: (*cells.get(4)?).to_owned(), relation: (*cells.get(5)?).to_owned() })
    }

    /// Puts a measurement beside its claim, and the whole file on the disk.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put(&mut self, name: &str, measured: &Measured, machine: &str) -> Result<()> {
        for line in self.lines.iter_mut().filter(|line| cells(line).first() == Some(&name)) {
            *line = with(line, measured, machine);
        }
        fs::write(&self.path, self.lines.join("\n") + "\n").named("write", &self.path)
    }
}

fn parse(text: &str) -> std::result::Result<Vec<String>, String> {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.first().map(String::as_str) != Some(HEADER) {
        return Err(format!("must begin with the line `{HEADER}`"));
    }
    match lines.iter().position(|line| cells(line).len() != COLUMNS) {
        Some(at) => Err(format!("line {} has not {COLUMNS} cells", at + 1)),
        None => Ok(lines),
    }
}

/// The cells of a line as they are written, quotation marks and all.
fn cells(line: &str) -> Vec<&str> {
    let mut quoted = false;
    let between = |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    };
    line.split(between).collect()
}

fn with(line: &str, measured: &Measured, machine: &str) -> String {
    let Measured { measured, low, high, replicates, how } = measured;
    let by_hand = cells(line)[..BY_HAND].join(",");
    let [machine, how] = [machine, how.as_str()].map(|text| text.replace([',', '\n', '"'], ";"));
    let [measured, low, high] = [measured, low, high].map(|figure| significant(*figure));
    format!("{by_hand},{measured},{low},{high},{replicates},{machine},{how}")
}

/// Six digits, small figures with an exponent.
fn significant(figure: f64) -> String {
    if figure == 0.0 || figure.abs() >= 0.1 { format!("{figure:.5}") } else { format!("{figure:.5e}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::claims::entry::entries;

    const COMMITTED: &str = include_str!("../../../../../datasets/claims.csv");

    fn measured(figure: f64) -> Measured {
        Measured { measured: figure, low: figure, high: figure, replicates: 8, how: "w n8, c".into() }
    }

    #[test]
    fn what_is_written_by_hand_stays_as_it_is() -> std::result::Result<(), String> {
        let line = "a,\"AT1, AT2\",\"say \"\"so\"\", and on\",s,speed,at least,1.30,,9,9,9,9,old,old";
        let ledger = Ledger { path: PathBuf::new(), lines: parse(&format!("{HEADER}\n{line}\n"))? };
        let claim = ledger.claim("a").ok_or("no claim")?;
        assert_eq!((claim.quantity.as_str(), claim.relation.as_str()), ("speed", "at least"));
        assert_eq!(ledger.claim("b"), None);
        let new = with(line, &measured(1.5), "2 x CPU, fast");
        assert_eq!(new, format!("{},1.50000,1.50000,1.50000,8,2 x CPU; fast,w n8; c", &line[..line.len() - 16]));
        assert_eq!(cells(&new).len(), COLUMNS);
        assert_eq!([significant(0.0), significant(-0.012_345_678)], ["0.00000", "-1.23457e-2"]);
        Ok(())
    }

    #[test]
    fn a_table_with_a_mistake_says_where() {
        assert!(parse("claim\n").is_err_and(|problem| problem.contains("must begin with")));
        assert!(parse(&format!("{HEADER}\na,b\n")).is_err_and(|problem| problem.contains("line 2")));
        assert!(parse(&format!("{HEADER}\n\n")).is_err_and(|problem| problem.contains("line 2")));
    }

    #[test]
    fn the_committed_table_and_the_entries_name_the_same_claims() -> std::result::Result<(), String> {
        let lines = parse(COMMITTED)?;
        let entries = entries()?;
        let named = |name: &str| lines.iter().find(|line| cells(line).first() == Some(&name));
        for entry in &entries {
            let line = named(&entry.claim).ok_or_else(|| format!("{} is no claim", entry.claim))?;
            assert_eq!(cells(line)[7], "", "{} is measured and not testable", entry.claim);
            assert!(
                entry.baselines.len() < 2 || cells(line)[5] != "about",
                "{}: of several none is meant",
                entry.claim
            );
        }
        for line in lines.iter().skip(1) {
            let cells = cells(line);
            // What has a machine was measured there; what has a figure and no machine holds by definition.
            let has_entry = entries.iter().any(|entry| entry.claim == cells[0]);
            assert!(cells[12].is_empty() || has_entry, "{} was measured, nothing says how", cells[0]);
        }
        Ok(())
    }
}
