//! The cells that have run, as consoles and other clients ask for them.

use serde_json::{Value, json};

/// The session of this kernel among those of the history; it knows no other.
const SESSION: u32 = 0;

/// The inputs of this session, in the order in which they ran.
#[derive(Debug, Default)]
pub struct History(Vec<(u32, String)>);

impl History {
    /// Adds a cell.
    pub fn add(&mut self, number: u32, code: &str) {
        self.0.push((number, code.to_owned()));
    }

    /// The answer to a `history_request` with this content.
    ///
    /// Sessions are counted from this one backwards, as IPython counts them; of earlier ones nothing is known.
    #[must_use]
    pub fn answer(&self, asked: &Value) -> Value {
        let found = match asked["hist_access_type"].as_str() {
            Some("range") if asked["session"].as_i64().unwrap_or(0) != 0 => Vec::new(),
            Some("range") => {
                let start = asked["start"].as_i64().unwrap_or(0);
                let stop = asked["stop"].as_i64().unwrap_or(i64::MAX);
                self.0.iter().filter(|(number, _)| (start..stop).contains(&i64::from(*number))).collect()
            }
            Some("search") => {
                let pattern = asked["pattern"].as_str().unwrap_or("*");
                let mut found: Vec<&(u32, String)> = self.0.iter().filter(|(_, code)| matches(pattern, code)).collect();
                if asked["unique"].as_bool().unwrap_or(false) {
                    found = last_of_each(found);
                }
                tail(found, asked)
            }
            _ => tail(self.0.iter().collect(), asked),
        };
        let output = asked["output"].as_bool().unwrap_or(false);
        let row = |(number, code): &(u32, String)| match output {
            // What cells showed is not kept.
            true => json!([SESSION, number, [code, null]]),
            false => json!([SESSION, number, code]),
        };
        json!({ "status": "ok", "history": found.into_iter().map(row).collect::<Vec<_>>() })
    }
}

/// The last ones, as many as were asked for.
fn tail<'a>(mut found: Vec<&'a (u32, String)>, asked: &Value) -> Vec<&'a (u32, String)> {
    let wanted = asked["n"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    found.split_off(found.len().saturating_sub(wanted))
}

/// Each text once, at its last place.
fn last_of_each(found: Vec<&(u32, String)>) -> Vec<&(u32, String)> {
    let again = |at: usize, code: &str| found[at + 1..].iter().any(|(_, later)| later == code);
    let kept = found.iter().enumerate().filter(|(at, (_, code))| !again(*at, code));
    kept.map(|(_, one)| *one).collect()
}

/// Whether the whole text fits a pattern with `*` for any letters and `?` for one.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // Where to go on when a letter does not fit: behind the last star, one letter later than before.
    let (mut at, mut letter, mut again) = (0, 0, None);
    while letter < text.len() {
        match pattern.get(at) {
            Some('*') => {
                again = Some((at + 1, letter));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[letter] => {
                at += 1;
                letter += 1;
            }
            _ => {
                let Some((star, from)) = again else { return false };
                again = Some((star, from + 1));
                (at, letter) = (star, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn history() -> History {
        let mut history = History::default();
        for (number, code) in [(1, "let a = 1;"), (2, "a + 1"), (3, "let b = 2;"), (4, "a + 1")] {
            history.add(number, code);
        }
        history
    }

    /// The numbers of the cells that the answer has.
    fn numbers(asked: Value) -> Vec<u64> {
        let answer = history().answer(&asked);
        assert_eq!(answer["status"], "ok");
        let rows = answer["history"].as_array().expect("rows").clone();
        rows.iter().map(|row| row[1].as_u64().expect("a number")).collect()
    }

    #[test]
    fn each_way_of_asking_has_its_answer() {
        for (asked, expected) in [
            (json!({ "hist_access_type": "tail", "n": 2 }), vec![3, 4]),
            (json!({ "hist_access_type": "tail", "n": 99 }), vec![1, 2, 3, 4]),
            (json!({ "hist_access_type": "range", "session": 0, "start": 2, "stop": 4 }), vec![2, 3]),
            (json!({ "hist_access_type": "range", "start": 0 }), vec![1, 2, 3, 4]),
            (json!({ "hist_access_type": "range", "session": -1, "start": 0, "stop": 9 }), vec![]),
            (json!({ "hist_access_type": "search", "pattern": "*a*" }), vec![1, 2, 4]),
            (json!({ "hist_access_type": "search", "pattern": "*a*", "n": 1 }), vec![4]),
            (json!({ "hist_access_type": "search", "pattern": "*a*", "unique": true }), vec![1, 4]),
            (json!({ "hist_access_type": "search", "pattern": "let ? = ?;" }), vec![1, 3]),
            (json!({ "hist_access_type": "search", "pattern": "a" }), vec![]),
            (json!({}), vec![1, 2, 3, 4]),
        ] {
            assert_eq!(numbers(asked.clone()), expected, "{asked}");
        }
    }

    #[test]
    fn outputs_are_asked_for_and_unknown() {
        let answer = history().answer(&json!({ "hist_access_type": "tail", "n": 1, "output": true }));
        assert_eq!(answer["history"], json!([[0, 4, ["a + 1", null]]]));
    }

    proptest! {
        #[test]
        fn a_text_with_some_of_it_hidden_fits(text in "[ab*?]{0,12}", from in 0..12_usize, length in 0..12_usize) {
            let letters: Vec<char> = text.chars().collect();
            let (from, to) = (from.min(letters.len()), (from + length).min(letters.len()));
            let part = |letters: &[char]| letters.iter().collect::<String>();
            let hidden = format!("{}*{}", part(&letters[..from]), part(&letters[to.max(from)..]));
            prop_assert!(matches(&hidden, &text));
            prop_assert!(matches(&"?".repeat(letters.len()), &text));
            let longer = "?".repeat(letters.len() + 1);
            prop_assert!(!matches(&longer, &text));
        }
    }
}
