//! Which of the experiments are asked for.

use super::experiment::Experiment;
use super::schedule;
use xtask::error::{Error, Result};

/// Goals, and tools that are asked; none of them means all.
#[derive(Debug, Default)]
pub struct Selection {
    goals: Vec<String>,
    tools: Vec<String>,
}

impl Selection {
    /// # Errors
    /// A goal that no experiment has, or a tool that nobody asks.
    pub fn new(goals: &[String], tools: &[String]) -> Result<Self> {
        let goals = known("--only", goals, &schedule::goals())?;
        let tools = known("--tool", tools, &schedule::TOOLS.map(str::to_owned))?;
        Ok(Self { goals, tools })
    }

    pub fn takes(&self, one: &Experiment) -> bool {
        let chosen = |words: &[String], word: &String| words.is_empty() || words.contains(word);
        chosen(&self.goals, &one.goal) && chosen(&self.tools, &one.tool)
    }
}

fn known(option: &str, words: &[String], all: &[String]) -> Result<Vec<String>> {
    match words.iter().find(|word| !all.contains(word)) {
        Some(word) => Err(Error::Usage(format!("`{option}` knows {}, but no `{word}`", all.join(", ")))),
        None => Ok(words.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::ledger::Ledger;
    use crate::trust::same_kernel;
    use crate::trust::schedule::Task;

    fn selection(goals: &[&str], tools: &[&str]) -> Result<Selection> {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        Selection::new(&owned(goals), &owned(tools))
    }

    #[test]
    fn only_what_is_chosen_is_left() -> Result<()> {
        let path = std::env::temp_dir().join(format!("benchbook-selection-{}.csv", std::process::id()));
        let ledger = Ledger::open(&path, "cpu")?;
        let left = |goals: &[&str], tools: &[&str]| -> Result<(Vec<Experiment>, usize)> {
            let tasks = schedule::left(&ledger, &selection(goals, tools)?);
            let sweeps = tasks.iter().filter(|task| matches!(task, Task::Sweep(_))).count();
            let one = |task| if let Task::One(one) = task { Some(one) } else { None };
            Ok((tasks.into_iter().filter_map(one).collect(), sweeps))
        };
        let (all, sweeps) = left(&[], &[])?;
        let (some, none) = left(&["power", "curve"], &["benchbook"])?;
        let chosen = |one: &&Experiment| ["power", "curve"].contains(&one.goal.as_str()) && one.tool == "benchbook";
        assert_eq!(some, all.iter().filter(chosen).cloned().collect::<Vec<_>>());
        assert!(!some.is_empty() && some.len() < all.len() && sweeps > 0 && none == 0);
        assert_eq!(left(&[same_kernel::GOAL], &[])?, (Vec::new(), sweeps));
        assert_eq!(left(&[], &["tango"])?.1, 0);
        std::fs::remove_file(&path).expect("removed");
        Ok(())
    }

    #[test]
    fn what_nobody_asks_is_named_with_what_there_is() {
        let said = |goals, tools| selection(goals, tools).expect_err("unknown").to_string();
        let goal = said(&["power", "speed"], &[]);
        assert!(goal.contains("`speed`") && goal.contains("coverage") && goal.contains(same_kernel::GOAL), "{goal}");
        let tool = said(&[], &["hyperfine"]);
        assert!(tool.contains("`hyperfine`") && tool.contains("criterion"), "{tool}");
    }
}
