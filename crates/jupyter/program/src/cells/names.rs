//! What cells of SQL may name, as the process of the cells knows it: asked when that does nothing else, and kept.

use std::io::Write;
use std::time::Duration;

use super::{Cells, Place, Turn, held};

/// How the kernel asks, and how the library answers before it has done: by one line of JSON.
const ASK: &str = "NAMES";
const ANSWER: &str = "EVCXR_NAMES ";

/// How long an answer is waited for: who completes a word waits no longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of these names.
#[derive(Default)]
pub(super) struct Known {
    text: String,
    /// Whether nothing has run since.
    is_fresh: bool,
}

impl Known {
    /// Takes a line of the answer.
    pub(super) fn hear(&mut self, line: &str) {
        if let Some(text) = line.strip_prefix(ANSWER) {
            text.clone_into(&mut self.text);
            self.is_fresh = true;
        }
    }

    /// Something has run: there may be other tables.
    pub(super) fn may_have_changed(&mut self) {
        self.is_fresh = false;
    }
}

impl Cells {
    /// What cells of SQL may name, as JSON, and what it was before while the process does something else; empty where that
    /// has never been asked.
    pub(crate) fn names(&self) -> String {
        if self.asks_for_names() {
            let place = held(&self.0.place);
            let waits = |place: &mut Place| place.turns.contains(&Turn::Names);
            // What comes later is for the next one who asks.
            drop(self.0.changed.wait_timeout_while(place, PATIENCE, waits));
        }
        held(&self.0.place).known.text.clone()
    }

    /// Whether the process has been asked, which it is while nobody else asks anything of it.
    fn asks_for_names(&self) -> bool {
        let Ok(mut input) = self.0.input.try_lock() else { return false };
        let Some(pipe) = input.as_mut() else { return false };
        {
            let mut place = held(&self.0.place);
            let may_ask = matches!(place.checked, Some(Ok(_))) && place.process.is_some() && place.turns.is_empty();
            if !may_ask || place.known.is_fresh {
                return false;
            }
            place.turns.push_back(Turn::Names);
        }
        pipe.write_all(format!("{ASK}\n").as_bytes()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::COMPLETE;

    #[test]
    fn names_are_kept_until_something_has_run() {
        let mut known = Known::default();
        known.hear("EVCXR_NAMES {\"tables\": {}}");
        known.hear(COMPLETE);
        assert_eq!((known.text.as_str(), known.is_fresh), ("{\"tables\": {}}", true));
        known.may_have_changed();
        assert_eq!((known.text.is_empty(), known.is_fresh), (false, false));
    }
}
