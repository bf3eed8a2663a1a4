//! The runs that fill a matrix, in an order in which one that is ended at any time has told as much as it can: first what no
//! machine measures, which takes seconds, then a few techniques of each model, and a few more of each.

use std::collections::BTreeSet;
use std::time::Duration;

use benchbook_measure::clock;
use benchbook_measure::run::about;
use benchbook_models::technique::{self, Technique};

use crate::cases::ModelCase;

/// Techniques of a run at least: all of its processes hold a model at a time, and a run that is ended loses no more.
pub const TOGETHER: usize = 4;

/// Techniques of a run at most, where there is room: the model as it is stands beside all of them once, and the first of the table
/// are one for each optimization that people name.
const MOST_TOGETHER: usize = 7;

/// Copies of a model in a process of a technique: the weights as they are drawn, the model as it is and the one that was made of it. A
/// process that measures keeps what it has freed.
const COPIES: u64 = 3;

/// Copies that there are besides: the first two in the process of the model as it is, and here three for right answers.
const OTHERS: u64 = 2 + 3;

/// Copies of a model that a run with the fewest techniques holds at its highest.
pub const HOLDERS: u64 = COPIES * TOGETHER as u64 + OTHERS;

/// Techniques of a run whose model takes so many bytes, where a run with the fewest has `room_bytes` for each copy.
pub fn together(bytes: u64, room_bytes: u64) -> usize {
    let copies = room_bytes.saturating_mul(HOLDERS) / bytes.max(1);
    let most = copies.saturating_sub(OTHERS) / COPIES;
    usize::try_from(most).unwrap_or(usize::MAX).clamp(TOGETHER, MOST_TOGETHER)
}

/// Nanoseconds without which no run is begun: it would measure nothing.
const LEAST_NS: i64 = 20_000_000_000;

/// Some techniques on a model, which become a run.
pub struct Part<'a> {
    pub(crate) case: &'a ModelCase,
    pub(crate) techniques: Vec<&'static Technique>,
}

/// What a store lacks of a matrix.
pub struct Missing<'a> {
    /// The runs that fill it, in their order.
    pub parts: Vec<Part<'a>>,
    /// Cells of the whole matrix.
    pub cells: usize,
}

/// What those who measure know of a case.
pub struct Known {
    /// Its label.
    pub name: String,
    /// Techniques of its problem that are asked for.
    pub techniques: Vec<&'static Technique>,
}

impl Part<'_> {
    /// Its model and its techniques, in a line.
    pub fn described(&self) -> String {
        let names: Vec<&str> = self.techniques.iter().map(|technique| technique.name).collect();
        format!("{}: {}", self.case.model, names.join(", "))
    }
}

impl<'a> Missing<'a> {
    /// What is missing of these cases where so many cells are held, a few techniques of each at a time.
    pub(crate) fn of(cases: &'a [ModelCase], known: &[Known], held: &BTreeSet<(String, String)>) -> Self {
        let mut parts = Vec::new();
        for (case, Known { name, techniques }) in cases.iter().zip(known) {
            let is_missing = |technique: &&Technique| !held.contains(&(name.clone(), technique.name.to_owned()));
            let missing: Vec<&'static Technique> = techniques.iter().copied().filter(is_missing).collect();
            // Of a model that is not here, all say so at once.
            let together = if case.is_here { case.together } else { technique::ALL.len() };
            let some = missing.chunks(together).map(|some| Part { case, techniques: some.to_vec() });
            parts.extend(some.enumerate());
        }
        // Those of a round stay in the order of the models.
        parts.sort_by_key(|(round, part)| (part.case.is_here, *round));
        let cells = known.iter().map(|one| one.techniques.len()).sum();
        Self { parts: parts.into_iter().map(|(_, part)| part).collect(), cells }
    }
}

/// The time of runs one after another.
pub struct Pace {
    started_ns: i64,
    /// When no other run begins.
    ends_ns: Option<i64>,
    /// How long each took, with the label of its model.
    took: Vec<(String, i64)>,
}

impl Pace {
    /// Runs that begin now, of which none begins once so much time is over.
    pub fn new(now_ns: i64, most: Option<Duration>) -> Self {
        let after = |most: Duration| now_ns.saturating_add(i64::try_from(most.as_nanos()).unwrap_or(i64::MAX));
        Self { started_ns: now_ns, ends_ns: most.map(after), took: Vec::new() }
    }

    /// Seconds that are left for a run of a model; nothing where it may take as long as it does.
    ///
    /// # Errors
    /// They are fewer than the longest run of this model took, in words.
    pub fn left_s(&self, now_ns: i64, model: &str) -> Result<Option<f64>, String> {
        let Some(ends_ns) = self.ends_ns else { return Ok(None) };
        let left_ns = ends_ns - now_ns;
        let longest = self.took.iter().filter(|(of, _)| of == model).map(|(_, took)| *took).max().unwrap_or(0);
        if left_ns < longest.max(LEAST_NS) {
            return Err(format!("{} left, and a run of {model} takes longer", about(left_ns.max(0) as f64)));
        }
        Ok(Some(left_ns as f64 / 1e9))
    }

    /// Notes a run that began then.
    pub fn ended(&mut self, model: &str, began_ns: i64) {
        self.took.push((model.to_owned(), clock::now_ns() - began_ns));
    }

    /// Which run of how many is next, and about how long all of them still take, as the ones before have.
    pub fn told(&self, now_ns: i64, all: usize) -> String {
        let done = self.took.len();
        let place = format!(" (run {} of {all}", done + 1);
        if done == 0 {
            return place + ")";
        }
        let each = (now_ns - self.started_ns) as f64 / done as f64;
        let mut left = each * (all - done) as f64;
        if let Some(ends_ns) = self.ends_ns {
            left = left.min((ends_ns - now_ns).max(0) as f64);
        }
        format!("{place}, {} left)", about(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_matrix_that_is_ended_early_has_something_of_each_model() {
        let of = |name: &str| ModelCase::of(name, 1 << 40, true, None).unwrap();
        let cases = ["smollm2-135m", "bert-base", "qwen3-vl-2b"].map(of);
        let known =
            |case: &ModelCase| Known { name: case.name.clone().unwrap(), techniques: technique::ALL.iter().collect() };
        let known: Vec<Known> = cases.iter().map(known).collect();
        let parts = Missing::of(&cases, &known, &BTreeSet::new()).parts;
        let told: Vec<(&str, &str)> =
            parts.iter().take(5).map(|part| (part.case.model.as_str(), part.techniques[0].name)).collect();
        let [first, second] = [technique::ALL[0].name, technique::ALL[MOST_TOGETHER].name];
        let wanted = [
            ("bert-base", first),
            ("smollm2-135m", first),
            ("qwen3-vl-2b", first),
            ("smollm2-135m", second),
            ("qwen3-vl-2b", second),
        ];
        assert_eq!(told, wanted);
    }

    #[test]
    fn as_many_techniques_stand_beside_a_model_as_there_is_room_for() {
        assert_eq!(HOLDERS, 17);
        // Room for 17 copies of 100 bytes, which are four techniques; 20 copies are five.
        let of = [99, 100, 85, 84, 1, 0, 1000].map(|bytes| together(bytes, 100));
        assert_eq!(of, [4, 4, 5, 5, MOST_TOGETHER, MOST_TOGETHER, 4]);
    }

    #[test]
    fn no_run_begins_that_would_end_behind_the_time() {
        let mut pace = Pace::new(0, Some(Duration::from_secs(100)));
        assert_eq!(pace.left_s(40 * SECOND, "a"), Ok(Some(60.0)));
        pace.took = vec![("a".to_owned(), 50 * SECOND)];
        assert!(pace.left_s(49 * SECOND, "a").is_ok());
        let told = pace.left_s(51 * SECOND, "a").unwrap_err();
        assert!(told.contains("49 s left") && told.contains("run of a"), "{told}");
        assert!(pace.left_s(51 * SECOND, "b").is_ok(), "nothing is known of it");
        assert!(pace.left_s(99 * SECOND, "b").is_err());
        assert_eq!(Pace::new(0, None).left_s(100 * SECOND, "a"), Ok(None));
    }

    #[test]
    fn the_time_left_follows_from_the_runs_before() {
        let mut pace = Pace::new(0, None);
        assert_eq!(pace.told(0, 3), " (run 1 of 3)");
        pace.took = vec![("a".to_owned(), 60 * SECOND)];
        let told = pace.told(60 * SECOND, 3);
        assert!(told.starts_with(" (run 2 of 3, ") && told.contains("2 min 0 s"), "{told}");
        let ended = Pace { ends_ns: Some(70 * SECOND), ..pace };
        assert!(ended.told(60 * SECOND, 3).contains("10 s left"), "no more than there is");
    }
}
