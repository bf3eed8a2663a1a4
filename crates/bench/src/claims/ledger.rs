//! The table of claims: what was claimed stays as it is written, what was measured is written anew.

use super::entry::MEASURED;
use super::measured::{Interval, Measured};
use std::fs;
use std::path::{Path, PathBuf};
use xtask::error::{Error, Named, Result};

/// Columns: ten by hand, then seven of what became of it.
const HEADER: &str = "claim,catalogue,kind,statement,source,quantity,claimed_low,claimed_high,needs,unjudged,\
    value,low,high,replicates,provenance,machine,how";
const BY_HAND: usize = 10;
const COLUMNS: usize = 17;
const QUANTITY: usize = 5;

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

    /// What the claim of this name gives a number of.
    pub fn quantity(&self, name: &str) -> Option<&str> {
        let cells = cells(self.lines.iter().find(|line| cells(line).first() == Some(&name))?);
        cells.get(QUANTITY).copied()
    }

    /// Puts a number beside its claim, and the whole file on the disk.
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

/// A line with a new number; one without an interval was not measured, and has no machine either.
fn with(line: &str, measured: &Measured, machine: &str) -> String {
    let by_hand = cells(line)[..BY_HAND].join(",");
    let plain = |text: &str| text.replace([',', '\n', '"'], ";");
    let became = match measured.interval {
        Some(Interval { low, high, replicates }) => {
            let [low, high] = [low, high].map(significant);
            format!("{low},{high},{replicates},{MEASURED},{}", plain(machine))
        }
        None => ",,,modelled,".to_owned(),
    };
    format!("{by_hand},{},{became},{}", significant(measured.value), plain(&measured.how))
}

/// Six digits, small numbers with an exponent.
fn significant(number: f64) -> String {
    if number == 0.0 || number.abs() >= 0.1 { format!("{number:.5}") } else { format!("{number:.5e}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::entry::{Entry, TIME, entries};

    const COMMITTED: &str = include_str!("../../../../datasets/claims.csv");

    #[test]
    fn what_is_written_by_hand_stays_as_it_is() -> std::result::Result<(), String> {
        let by_hand = "a,\"AT1, AT2\",published,\"say \"\"so\"\", and on\",s,speed,1.30,1.30,,";
        let line = format!("{by_hand},9,9,9,9,measured,old,old");
        let ledger = Ledger { path: PathBuf::new(), lines: parse(&format!("{HEADER}\n{line}\n"))? };
        assert_eq!((ledger.quantity("a"), ledger.quantity("b")), (Some("speed"), None));
        let interval = Some(Interval { low: 1.4, high: 1.6, replicates: 8 });
        let new = with(&line, &Measured { value: 1.5, interval, how: "w n8, c".into() }, "2 x CPU, fast");
        assert_eq!(new, format!("{by_hand},1.50000,1.40000,1.60000,8,measured,2 x CPU; fast,w n8; c"));
        assert_eq!(cells(&new).len(), COLUMNS);
        let modelled = with(&line, &Measured { value: 0.25, interval: None, how: "c".into() }, "2 x CPU");
        assert_eq!(modelled, format!("{by_hand},0.25000,,,,modelled,,c"));
        assert_eq!(cells(&modelled).len(), COLUMNS);
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
        for entry in &entries {
            let line = lines.iter().find(|line| cells(line).first() == Some(&entry.claim.as_str()));
            let [needs, unjudged] = [8, 9].map(|column| line.map(|line| cells(line)[column]));
            assert_eq!(needs, Some(""), "{} is measured and not testable", entry.claim);
            assert_eq!(unjudged, Some(""), "{} is measured and not judged", entry.claim);
        }
        for line in lines.iter().skip(1) {
            let cells = cells(line);
            let (claim, provenance, how) = (cells[0], cells[14], cells[16]);
            match entries.iter().find(|entry| entry.claim == claim) {
                // What is quoted from a standard needs no run.
                None => assert!(["", "quoted"].contains(&provenance), "{claim} has a number, nothing says how"),
                Some(_) if provenance.is_empty() => {}
                Some(entry) => {
                    assert_eq!(provenance, entry.provenance, "{claim}");
                    assert!(answers(how, entry), "{claim} was measured for another question: {how}");
                }
            }
        }
        Ok(())
    }

    /// Whether what stands beside a number names the entry's workload, metric and sides.
    fn answers(how: &str, entry: &Entry) -> bool {
        let metric = entry.metric == TIME || how.contains(&format!(" {} of ", entry.metric));
        let candidate = how.contains(&format!(" {}/", entry.candidate));
        let baseline = |name: &String| how.contains(&format!(" over {name}/"));
        // Each baseline on each device that has it.
        let of = how.rsplit_once("; the strongest of ").and_then(|(_, count)| count.parse().ok()).unwrap_or(1_usize);
        how.starts_with(&entry.workload)
            && metric
            && candidate
            && (entry.baselines.is_empty() || entry.baselines.iter().any(baseline))
            && of >= entry.baselines.len()
    }

    #[test]
    fn a_metric_for_another_question_is_found() {
        let entry = |metric: &str, baselines: &[&str]| Entry {
            workload: "w".into(),
            candidate: "c".into(),
            metric: metric.into(),
            baselines: baselines.iter().map(|name| (*name).to_owned()).collect(),
            ..Entry::default()
        };
        assert!(answers("w n8: c/flex over a/flex", &entry(TIME, &["a"])));
        assert!(answers("w: bytes of c/flex on n8 over c/flex on n1", &entry("bytes", &["c"])));
        for how in ["v n8: c/flex over a/flex", "w n8: d/flex over a/flex", "w n8: c/flex over b/flex"] {
            assert!(!answers(how, &entry(TIME, &["a"])), "{how}");
        }
        assert!(!answers("w n8: c/flex over a/flex", &entry("bytes", &["a"])));
        assert!(!answers("w n8: c/flex over a/flex", &entry(TIME, &["a", "b"])));
    }
}
