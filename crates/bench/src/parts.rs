//! A family in parts: each has a plan and a store of its own, so that some are measured today and the others another time.

use crate::ask::rows;
use crate::goals;
use crate::kernels::{self, Measured};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use xtask::arguments::Choice;
use xtask::error::{Error, Result};
use xtask::workspace::Ready;

/// A part: its name, and its plan.
pub type Part = (&'static str, &'static str);

/// A family that is measured in parts.
pub struct Family {
    pub name: &'static str,
    pub parts: &'static [Part],
    /// Everything that any goal compares with.
    pub rivals: &'static [&'static str],
    /// Where both sides are measured, as far as these are here, where a plan does not say on which.
    pub devices: &'static [&'static str],
}

/// What is said of a measurement, and who in it exceeds a roof: that fails the bench once all is written.
#[derive(Debug, PartialEq)]
pub struct Told {
    pub text: String,
    pub exceeding: Vec<String>,
}

impl Told {
    /// Lines, and behind them that roofs are wrong, where some exceed one.
    fn new(mut lines: Vec<String>, exceeding: Vec<String>) -> Self {
        if !exceeding.is_empty() {
            lines.push(format!(
                "**Roofs that a kernel exceeds are wrong, and shares of them too; measure these parts again on a quiet \
                 machine:** {}.",
                exceeding.join("; ")
            ));
        }
        Self { text: lines.join("\n\n"), exceeding }
    }
}

impl From<String> for Told {
    /// What exceeds no roof.
    fn from(text: String) -> Self {
        Self { text, exceeding: Vec::new() }
    }
}

/// What ends a line of a plan that is left out where the time is limited.
const LONG: &str = "# long";

/// What a plan is called that was shortened.
const SHORT: &str = "short.toml";

/// Blocks of each case in a process where the time is limited: an interval is over processes, of which there are as many.
const FEW_BLOCKS: u64 = 3;

/// Devices of one engine, the second of which has it at its best.
const TWICE: [[&str; 2]; 3] =
    [["torch", "torch-mkl"], ["transformers", "transformers-mkl"], ["libtorch", "libtorch-mkl"]];

impl Family {
    /// Measures the chosen parts, all of them where none is named; one whose run fails is told, and keeps no other from being measured.
    ///
    /// # Errors
    /// Every run fails, or there is no such part.
    pub fn measure(&self, ready: &Ready, choice: &Choice) -> Result<()> {
        let Some(parts) = self.chosen(choice)? else { return Ok(()) };
        let mut devices = kernels::here(ready, self.devices)?;
        if choice.minutes.is_some() {
            devices = at_their_best(devices);
        }
        let whole_s: f64 = parts.iter().map(|(_, plan)| budget_s(plan)).sum();
        let (mut done, mut last) = (0, Ok(()));
        for (name, plan) in parts {
            let mut words = vec![kernels::python(ready)];
            if !plan.contains("\ndevices = ") {
                words.extend(kernels::on(&devices));
            }
            let (file, plan) = match choice.minutes {
                Some(minutes) => {
                    words.extend(limits(60.0 * minutes * budget_s(plan) / whole_s));
                    (SHORT, shortened(plan))
                }
                None => ("plan.toml", plan.to_owned()),
            };
            let folder = self.folder(ready, name);
            let _ = fs::remove_dir_all(&folder);
            println!("   {}: the part {name}", self.name);
            match kernels::run(ready, &folder, (file, plan.as_str()), &words) {
                Ok(()) => done += 1,
                Err(error) => {
                    println!("   {}: the part {name} has failed: {error}", self.name);
                    // What it has left is no measurement of it.
                    let _ = fs::remove_dir_all(&folder);
                    last = Err(error);
                }
            }
        }
        if done > 0 { Ok(()) } else { last }
    }

    /// What there is of these parts, from now or from before.
    ///
    /// # Errors
    /// The program cannot be asked.
    pub fn measured(&self, ready: &Ready, parts: &[Part]) -> Result<Measured> {
        let mut found = Measured::default();
        for (name, _) in parts {
            if let Some(folder) = self.measured_in(ready, name) {
                found.add(ready, &folder, self.rivals)?;
            }
        }
        Ok(found)
    }

    /// What the program answers, of one part after another of those that were measured.
    ///
    /// # Errors
    /// The program cannot be asked.
    pub fn asked(&self, ready: &Ready, parts: &[Part], words: &[&str]) -> Result<Vec<Value>> {
        let words = [&["sql", "--format", "json"][..], words].concat();
        let mut found: Vec<Value> = Vec::new();
        for (name, _) in parts {
            if let Some(folder) = self.measured_in(ready, name) {
                found.extend(rows(&kernels::ask(ready, &folder, &words)?).cloned());
            }
        }
        Ok(found)
    }

    /// What ran in all parts, which of them had a limited time and which were not measured yet, what is not here, and which roofs are wrong.
    ///
    /// # Errors
    /// The program cannot be asked.
    pub fn told(&self, ready: &Ready, measured: &Measured) -> Result<Told> {
        let mut ran: Vec<Value> = Vec::new();
        for row in self.asked(ready, self.parts, &[kernels::INSTRUCTIONS])? {
            if !ran.contains(&row) {
                ran.push(row);
            }
        }
        let (mut lacking, mut short) = (Vec::new(), Vec::new());
        for (name, _) in self.parts {
            match self.measured_in(ready, name) {
                None => lacking.push(*name),
                Some(folder) if folder.join(SHORT).exists() => short.push(*name),
                Some(_) => {}
            }
        }
        let mut lines = vec![kernels::instructions(&Value::Array(ran))];
        if !short.is_empty() {
            lines.push(format!(
                "The time of these parts was limited: {}. They have {FEW_BLOCKS} blocks of each case in a process, so that intervals\n\
                 are wider, PyTorch only where MKL takes its fast path, and not the rivals that take longest.",
                short.join(", ")
            ));
        }
        if !lacking.is_empty() {
            let (names, only) = (lacking.join(", "), lacking.join(","));
            lines.push(format!(
                "Parts that were not measured yet: {names} (`cargo xtask bench --kernels {} --only {only}`).",
                self.name
            ));
        }
        let absent = kernels::absent(ready, self.devices)?;
        if !absent.is_empty() {
            lines.push(format!("Not here, and so not measured: {}.", absent.join("; ")));
        }
        Ok(Told::new(lines, goals::exceeded(&measured.rooflines)))
    }

    fn folder(&self, ready: &Ready, part: &str) -> PathBuf {
        kernels::folder_of(ready, &format!("{}/{part}", self.name))
    }

    /// The folder of a part that was measured.
    fn measured_in(&self, ready: &Ready, part: &str) -> Option<PathBuf> {
        let folder = self.folder(ready, part);
        folder.join("store").is_dir().then_some(folder)
    }

    /// The parts to measure; nothing where what is there is only told.
    fn chosen(&self, choice: &Choice) -> Result<Option<Vec<Part>>> {
        let names: Vec<&str> = self.parts.iter().map(|(name, _)| *name).collect();
        if let Some(other) = choice.only.iter().find(|name| !names.contains(&name.as_str())) {
            let known = names.join(", ");
            return Err(Error::Usage(format!("`--kernels {}` has the parts {known}, and no `{other}`", self.name)));
        }
        if choice.minutes.is_some_and(|minutes| minutes <= 0.0) {
            return Ok(None);
        }
        let is_meant = |part: &&Part| choice.only.is_empty() || choice.only.iter().any(|name| name == part.0);
        Ok(Some(self.parts.iter().filter(is_meant).copied().collect()))
    }
}

/// Devices without those whose engine another of them has at its best.
fn at_their_best(devices: Vec<String>) -> Vec<String> {
    let has = |name: &str| devices.iter().any(|device| device == name);
    let is_best = |device: &&String| !TWICE.iter().any(|[slower, best]| *device == slower && has(best));
    devices.iter().filter(is_best).cloned().collect()
}

/// Words by which a run has few blocks and so many seconds.
fn limits(seconds: f64) -> [String; 4] {
    ["--blocks".to_owned(), FEW_BLOCKS.to_string(), "--time".to_owned(), format!("{}s", seconds.ceil().max(1.0))]
}

/// The seconds that a plan gives itself.
fn budget_s(plan: &str) -> f64 {
    let said = plan.lines().find_map(|line| line.strip_prefix("time_s = ")?.trim().parse().ok());
    said.unwrap_or_else(|| panic!("a part has a budget: {plan}"))
}

/// A plan without the lines that take longest.
pub fn shortened(plan: &str) -> String {
    plan.lines().filter(|line| !line.trim_end().ends_with(LONG)).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAMILY: Family = Family {
        name: "some",
        parts: &[("one", "time_s = 30\n"), ("two", "suite = \"kernels\"\ntime_s = 90\n")],
        rivals: &[],
        devices: &[],
    };

    #[test]
    fn who_exceeds_a_roof_is_told_and_handed_on() {
        let lines = || vec!["what ran".to_owned(), "what is not here".to_owned()];
        assert_eq!(Told::new(lines(), Vec::new()), Told::from("what ran\n\nwhat is not here".to_owned()));
        let told = Told::new(lines(), vec!["one".to_owned(), "two".to_owned()]);
        assert!(told.text.starts_with("what ran\n\nwhat is not here\n\n**") && told.text.ends_with(":** one; two."));
        assert_eq!(told.exceeding, ["one", "two"]);
    }

    #[test]
    fn what_takes_longest_is_left_out_of_a_limited_time() {
        let plan = "time_s = 90\nimplementations = [\n    \"fused\",\n    \"loop\", # long\n]\n";
        assert_eq!(shortened(plan), "time_s = 90\nimplementations = [\n    \"fused\",\n]\n");
        assert!((budget_s(plan) - 90.0).abs() < 1e-9);
        assert_eq!(limits(299.5), ["--blocks", "3", "--time", "300s"].map(str::to_owned));
        assert_eq!(limits(0.0)[3], "1s");
    }

    #[test]
    fn an_engine_is_measured_once_where_its_best_device_is_here() {
        let best = |names: &[&str]| at_their_best(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(best(&["flex", "torch", "torch-mkl"]), ["flex", "torch-mkl"]);
        assert_eq!(best(&["libtorch", "flex", "libtorch-mkl"]), ["flex", "libtorch-mkl"]);
        assert_eq!(best(&["flex", "torch", "transformers-mkl"]), ["flex", "torch", "transformers-mkl"]);
    }

    #[test]
    fn parts_are_chosen_by_their_names() {
        let names = |only: &[&str], minutes: Option<f64>| {
            let only = only.iter().map(|name| (*name).to_owned()).collect();
            let chosen = FAMILY.chosen(&Choice { only, minutes, ..Choice::default() });
            chosen.map(|parts| parts.map(|parts| parts.iter().map(|(name, _)| *name).collect::<Vec<_>>()))
        };
        assert_eq!(names(&[], None).expect("all"), Some(vec!["one", "two"]));
        assert_eq!(names(&["two"], Some(5.0)).expect("one of them"), Some(vec!["two"]));
        assert_eq!(names(&["two"], Some(0.0)).expect("none is measured"), None);
        let wrong = names(&["three"], None).expect_err("no part").to_string();
        assert!(wrong.contains("`--kernels some` has the parts one, two, and no `three`"), "{wrong}");
    }
}
