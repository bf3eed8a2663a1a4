//! The experiments done so far, on any number of machines: one line each, appended as they end.

use super::experiment::{Answer, Experiment, HEADER, cell};
use super::selection::Selection;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use xtask::error::{Named, Result};

/// Share of steal beyond which an experiment was not quiet, whatever its outcome.
pub const MOST_STEAL: f64 = 0.02;

/// Whether an experiment had the quiet that it asked for; noise may come from anywhere.
fn as_asked(experiment: &Experiment, answer: &Answer) -> bool {
    experiment.noisy || answer.steal <= MOST_STEAL
}

/// A file of experiments.
pub struct Ledger {
    path: PathBuf,
    file: File,
    /// This machine, as new rows name it.
    machine: String,
    /// The day and the revision of new rows.
    day: String,
    revision: String,
    rows: Vec<(Experiment, Answer)>,
}

impl Ledger {
    /// Reads what is there and opens the end; a line that was cut short is left out, and one of fewer columns gets all.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub fn open(path: &Path, machine: &str) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read.named("read", path)?,
        };
        let rows: Vec<(Experiment, Answer)> = text.lines().skip(1).filter_map(Experiment::parse).collect();
        if text != whole(&rows) {
            replace(path, &rows)?;
        }
        let machine = cell(machine);
        let (day, revision) = (String::new(), String::new());
        Ok(Self { path: path.to_owned(), file: end(path)?, machine, day, revision, rows })
    }

    /// The same, whose new rows are of this day and revision.
    #[must_use]
    pub fn dated(self, day: &str, revision: &str) -> Self {
        Self { day: day.to_owned(), revision: revision.to_owned(), ..self }
    }

    /// This machine, as new rows name it.
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// Writes this machine's answer.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, experiment: &Experiment, answer: &Answer) -> Result<()> {
        let (machine, day, revision) = (self.machine.clone(), self.day.clone(), self.revision.clone());
        let answer = Answer { machine, day, revision, ..answer.clone() };
        writeln!(self.file, "{}", experiment.line(&answer)).named("write", &self.path)?;
        self.rows.push((experiment.clone(), answer));
        Ok(())
    }

    /// Takes this machine's rows of the selection out of the file, and says how many they were.
    ///
    /// # Errors
    /// The file cannot be written; it is then as it was.
    pub fn put_away(&mut self, selection: &Selection) -> Result<usize> {
        let (gone, kept) =
            self.rows.iter().cloned().partition(|(one, answer)| selection.takes(one) && self.is_ours(answer));
        self.keep(gone, kept)
    }

    /// Takes the rows of every machine from before a day, of the selection, out of the file, and says how many they were. What
    /// does not say its day is from before every day.
    ///
    /// # Errors
    /// As of [`Self::put_away`].
    pub fn put_away_before(&mut self, selection: &Selection, day: &str) -> Result<usize> {
        let (gone, kept) =
            self.rows.iter().cloned().partition(|(one, answer)| selection.takes(one) && answer.day.as_str() < day);
        self.keep(gone, kept)
    }

    /// Keeps these rows, and says how many others there were.
    fn keep(&mut self, gone: Vec<(Experiment, Answer)>, kept: Vec<(Experiment, Answer)>) -> Result<usize> {
        replace(&self.path, &kept)?;
        self.file = end(&self.path)?;
        self.rows = kept;
        Ok(gone.len())
    }

    /// Whether this machine has given the answer, in the quiet that it needs.
    pub fn has(&self, one: &Experiment) -> bool {
        self.answer(one).is_some()
    }

    /// This machine's answer, given in the quiet that it needs.
    pub fn answer(&self, one: &Experiment) -> Option<&Answer> {
        let mut ours = self.rows.iter().filter(|(done, answer)| done == one && self.is_ours(answer));
        ours.find(|(done, answer)| as_asked(done, answer)).map(|(_, answer)| answer)
    }

    /// Every machine that has rows, in the order of its first one.
    pub fn machines(&self) -> Vec<Machine<'_>> {
        let mut machines: Vec<Machine<'_>> = Vec::new();
        for (experiment, answer) in &self.rows {
            let name = answer.machine.as_str();
            match machines.iter_mut().find(|machine| machine.name == name) {
                Some(machine) => machine.rows.push((experiment, answer)),
                None => machines.push(Machine { name, rows: vec![(experiment, answer)] }),
            }
        }
        machines
    }

    /// A row is of the machine that it names as new rows do: what says less could be of several.
    fn is_ours(&self, answer: &Answer) -> bool {
        answer.machine == self.machine
    }
}

/// The rows of one machine.
pub struct Machine<'a> {
    pub name: &'a str,
    rows: Vec<(&'a Experiment, &'a Answer)>,
}

impl<'a> Machine<'a> {
    /// Answers to what `wanted` chooses; those that were asked for in quiet and did not have it are left out.
    pub fn of(&self, wanted: impl Fn(&Experiment) -> bool) -> Vec<(&'a Experiment, &'a Answer)> {
        self.rows.iter().copied().filter(|&(e, a)| wanted(e) && as_asked(e, a)).collect()
    }

    /// Quiet experiments during which the host gave too much of the processors to others.
    pub fn disturbed(&self) -> usize {
        self.rows.iter().filter(|(experiment, answer)| !as_asked(experiment, answer)).count()
    }

    /// The days that its rows tell.
    pub fn days(&self) -> BTreeSet<&'a str> {
        self.rows.iter().copied().map(|(_, answer)| answer.day.as_str()).filter(|day| !day.is_empty()).collect()
    }

    /// The revisions that its rows tell, in the order of the file.
    pub fn revisions(&self) -> Vec<&'a str> {
        let mut revisions = Vec::new();
        for (_, answer) in self.rows.iter().copied() {
            let revision = answer.revision.as_str();
            if !revision.is_empty() && !revisions.contains(&revision) {
                revisions.push(revision);
            }
        }
        revisions
    }
}

/// The end of the file, to write on from there.
fn end(path: &Path) -> Result<File> {
    OpenOptions::new().append(true).open(path).named("open", path)
}

/// The text of a file of these rows.
fn whole(rows: &[(Experiment, Answer)]) -> String {
    let lines = rows.iter().map(|(experiment, answer)| experiment.line(answer) + "\n");
    format!("{HEADER}\n{}", lines.collect::<String>())
}

/// Puts a file of these rows in the place of another in one step, so that a crash leaves one of the two.
fn replace(path: &Path, rows: &[(Experiment, Answer)]) -> Result<()> {
    let beside = path.with_extension(format!("csv-{}", std::process::id()));
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(whole(rows).as_bytes())?;
        file.sync_all()
    });
    written.named("write", &beside)?;
    fs::rename(&beside, path).named("write", path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::ask::undecided;

    const BRIEF: &str = "2 x Epic";
    const FULL: &str = "2 x Epic (family 25 model 17) with AVX-512";
    const OTHER: &str = "2 x Xeon (family 6 model 167) with AVX-512 and AMX";
    const DAY: &str = "2026-11-29";

    fn line(goal: &str, tool: &str, machine: &str) -> String {
        let answer = "true,slower,1.050000,1.040000,1.060000,1.500,0.0000";
        format!("{goal},{tool},false,dependent,0.05,10,0,1,{answer},{machine},a note,{DAY},19d54e6\n")
    }

    /// A file of these lines, of its own.
    fn file(name: &str, lines: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("benchbook-{name}-{}.csv", std::process::id()));
        fs::write(&path, format!("{HEADER}\n{lines}")).expect("written");
        path
    }

    fn experiment(line: &str) -> Experiment {
        Experiment::parse(line.trim_end()).expect("a row").0
    }

    /// Machines with the number of their rows.
    fn counted(ledger: &Ledger) -> Vec<(&str, usize)> {
        ledger.machines().iter().map(|machine| (machine.name, machine.of(|_| true).len())).collect()
    }

    #[test]
    fn machines_stand_side_by_side() -> Result<()> {
        let first = line("power", "benchbook", FULL);
        let path = file("side-by-side", &first);
        let mut ledger = Ledger::open(&path, OTHER)?;
        let one = experiment(&first);
        assert!(!ledger.has(&one));
        ledger.append(&one, &undecided("x"))?;
        assert!(ledger.has(&one));
        let again = Ledger::open(&path, FULL)?;
        assert!(again.has(&one));
        assert_eq!(counted(&again), [(FULL, 1), (OTHER, 1)]);
        assert!(fs::read_to_string(&path).named("read", &path)?.starts_with(&format!("{HEADER}\n{first}")));
        fs::remove_file(&path).named("remove", &path)
    }

    #[test]
    fn a_row_that_says_less_of_its_machine_is_of_none_in_full() -> Result<()> {
        let (brief, full) = (line("power", "benchbook", BRIEF), line("coverage", "benchbook", FULL));
        let path = file("brief", &format!("{brief}{full}"));
        let has = |machine: &str| -> Result<bool> { Ok(Ledger::open(&path, machine)?.has(&experiment(&brief))) };
        assert_eq!([has(BRIEF)?, has(FULL)?, has(OTHER)?], [true, false, false]);
        assert_eq!(counted(&Ledger::open(&path, FULL)?), [(BRIEF, 1), (FULL, 1)]);
        fs::remove_file(&path).named("remove", &path)
    }

    #[test]
    fn only_what_this_machine_measured_is_put_away() -> Result<()> {
        let [old, other] = [BRIEF, OTHER].map(|machine| line("power", "benchbook", machine));
        let (new, tool) = (line("power", "benchbook", FULL), line("power", "tango", FULL));
        let goal = line("coverage", "benchbook", FULL);
        let path = file("put-away", &format!("{old}{other}{new}{tool}{goal}"));
        let mut ledger = Ledger::open(&path, FULL)?;
        let selection = Selection::new(&["power".to_owned()], &["benchbook".to_owned()])?;
        assert_eq!(ledger.put_away(&selection)?, 1);
        let read = || fs::read_to_string(&path).named("read", &path);
        assert_eq!(read()?, format!("{HEADER}\n{old}{other}{tool}{goal}"));
        assert!(!ledger.has(&experiment(&new)) && ledger.has(&experiment(&tool)));
        ledger.append(&experiment(&new), &undecided("x"))?;
        assert_eq!(read()?.lines().count(), 6, "the answer goes to the file that is there");
        assert_eq!(ledger.put_away(&Selection::default())?, 3);
        assert_eq!(read()?, format!("{HEADER}\n{old}{other}"));
        fs::remove_file(&path).named("remove", &path)
    }

    #[test]
    fn what_is_from_before_a_day_is_put_away_whoever_has_measured_it() -> Result<()> {
        let [here, there] = [FULL, OTHER].map(|machine| line("power", "benchbook", machine));
        let earlier = here.replace(DAY, "2026-11-21");
        let (undated, tool) = (there.replace(DAY, ""), line("power", "tango", OTHER).replace(DAY, ""));
        let path = file("before", &format!("{earlier}{here}{undated}{there}{tool}"));
        let mut ledger = Ledger::open(&path, FULL)?.dated("2026-11-30", "abc1234");
        let selection = Selection::new(&[], &["benchbook".to_owned()])?;
        assert_eq!(ledger.put_away_before(&selection, DAY)?, 2);
        let read = || fs::read_to_string(&path).named("read", &path);
        assert_eq!(read()?, format!("{HEADER}\n{here}{there}{tool}"));
        ledger.append(&experiment(&here), &undecided("x"))?;
        assert!(read()?.ends_with(",undecided; x,2026-11-30,abc1234\n"));
        let machines = ledger.machines();
        assert_eq!(machines[0].days().into_iter().collect::<Vec<_>>(), [DAY, "2026-11-30"]);
        assert_eq!((machines[0].revisions(), machines[1].days().len()), (vec!["19d54e6", "abc1234"], 1));
        fs::remove_file(&path).named("remove", &path)
    }

    #[test]
    fn a_file_from_before_there_were_days_keeps_its_rows() -> Result<()> {
        let row = line("power", "benchbook", FULL);
        let older = row.replace(&format!(",{DAY},19d54e6"), "");
        let undated = row.replace(&format!("{DAY},19d54e6"), ",");
        let path = file("undated", "");
        // A file that an earlier program has made, and one that it has written on.
        for header in [HEADER.replace(",day,revision", ""), HEADER.to_owned()] {
            fs::write(&path, format!("{header}\n{older}")).named("write", &path)?;
            assert!(Ledger::open(&path, FULL)?.has(&experiment(&row)));
            assert_eq!(fs::read_to_string(&path).named("read", &path)?, format!("{HEADER}\n{undated}"));
        }
        fs::remove_file(&path).named("remove", &path)
    }

    #[test]
    fn a_name_with_a_comma_is_known_again() -> Result<()> {
        let path = file("comma", "");
        let one = experiment(&line("power", "benchbook", "x"));
        Ledger::open(&path, "2 x Xeon (Skylake, IBRS)")?.append(&one, &undecided("x"))?;
        assert!(Ledger::open(&path, "2 x Xeon (Skylake, IBRS)")?.has(&one));
        fs::remove_file(&path).named("remove", &path)
    }

    #[test]
    fn a_file_that_cannot_be_read_is_left_alone() {
        let path = std::env::temp_dir().join(format!("benchbook-unread-{}.csv", std::process::id()));
        fs::write(&path, b"\xff\n").expect("written");
        assert!(Ledger::open(&path, FULL).is_err_and(|error| error.to_string().contains("could not read")));
        assert_eq!(fs::read(&path).expect("read"), b"\xff\n");
        fs::remove_file(&path).expect("removed");
    }
}
