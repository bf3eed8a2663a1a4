//! Cells of SQL: answered without a compiler.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use benchbook_report::charts::{Mark, chart};
use serde_json::Value;

use super::{desk, failed};
use crate::asked::Asked;
use crate::display::{Bundle, Show};
use crate::{Error, ErrorKind, Result};

/// A cell of SQL, as the Jupyter kernel takes it apart.
#[derive(Debug, Default, PartialEq)]
struct Question {
    statement: String,
    /// The names of its `$parameters`.
    parameters: Vec<String>,
    /// What the answer is bound to.
    name: Option<String>,
    chart: Option<Chart>,
}

#[derive(Debug, PartialEq)]
struct Chart {
    mark: Mark,
    x: String,
    y: String,
    by: Option<String>,
}

/// A question of another version of the kernel.
struct Misread<'a>(&'a str);

impl fmt::Display for Misread<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the library cannot read what its kernel asks: install both anew (`cargo xtask lab`): {}", self.0)
    }
}

impl Question {
    fn read(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let word = |value: &Value| value.as_str().map(str::to_owned);
        let chart = match &value["chart"] {
            Value::Null => None,
            chart => {
                let mark = match chart["kind"].as_str()? {
                    "line" => Mark::Line,
                    "scatter" => Mark::Scatter,
                    "bar" => Mark::Bar,
                    _ => return None,
                };
                Some(Chart { mark, x: word(&chart["x"])?, y: word(&chart["y"])?, by: word(&chart["by"]) })
            }
        };
        Some(Self {
            statement: word(&value["statement"])?,
            parameters: value["parameters"].as_array()?.iter().filter_map(word).collect(),
            name: word(&value["name"]),
            chart,
        })
    }

    /// The answer as it is shown; it is bound to its name, if it has one.
    fn answer(&self, asked: &Asked) -> Result<Bundle> {
        let mut session = asked.session()?;
        desk::lay_out(&mut session)?;
        let answer = session.sql_with(&self.statement, desk::values(&self.parameters))?;
        if let Some(name) = &self.name {
            // A name that the store needs is refused, and nothing is bound to it.
            session.add_answer(name, &answer)?;
            desk::bind(name, answer.clone());
        }
        match &self.chart {
            Some(Chart { mark, x, y, by }) => Ok(chart(&answer.batches, *mark, x, y, by.as_deref())?.bundle()),
            None => Ok(answer.bundle()),
        }
    }
}

/// Answers a question of the kernel, or shows why there is no answer.
pub(super) fn answer(text: &str) {
    let Some(question) = Question::read(text) else { return failed("kernel", &Misread(text)) };
    let ask = || Asked::last().and_then(|asked| question.answer(&asked));
    // The hook has told of a panic.
    match catch_unwind(AssertUnwindSafe(ask)) {
        Ok(Ok(bundle)) => bundle.emit(),
        Ok(Err(error)) => failed(kind(&error), &error),
        Err(_) => {}
    }
}

fn kind(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::Query(benchbook_query::Error::Interrupted) => "interrupted",
        _ => "sql",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked() -> (tempfile::TempDir, std::sync::Arc<Asked>) {
        let folder = tempfile::tempdir().unwrap();
        let asked = Asked::open(&folder.path().join("store")).unwrap();
        (folder, asked)
    }

    fn question(value: &Value) -> Question {
        Question::read(&value.to_string()).expect("a question")
    }

    #[test]
    fn an_answer_is_bound_and_asked_again() {
        let (_folder, asked) = asked();
        desk::give("question_limit", &3_u32);
        let first = json!({
            "statement": "select value as v from range(0, 9) where value < $question_limit", "name": "question_first",
            "parameters": ["question_limit"], "chart": null,
        });
        assert!(question(&first).answer(&asked).unwrap().text.contains("3 rows"));
        assert_eq!(desk::answer("question_first").unwrap().rows(), 3);
        let second = json!({
            "statement": "select v, v * 2 as twice from question_first", "name": null, "parameters": [],
            "chart": { "kind": "line", "x": "v", "y": "twice", "by": null },
        });
        assert!(question(&second).answer(&asked).unwrap().plotly.is_some());
    }

    #[test]
    fn what_cannot_be_answered_is_said() {
        let (_folder, asked) = asked();
        let told = |name: Option<&str>, statement: &str| {
            let value = json!({ "statement": statement, "name": name, "parameters": ["absent"], "chart": null });
            question(&value).answer(&asked).unwrap_err().to_string()
        };
        assert!(told(None, "select $absent").contains("`$absent`"));
        assert!(told(None, "select tme_ns from results").contains("time_ns"));
        assert!(told(Some("runs"), "select 1 as one").contains("`runs`"));
        assert!(desk::answer("runs").is_err());
        for wrong in ["", "{}", "{\"statement\": \"select 1\", \"parameters\": [], \"chart\": {\"kind\": \"pie\"}}"] {
            assert_eq!(Question::read(wrong), None, "{wrong}");
        }
    }
}
