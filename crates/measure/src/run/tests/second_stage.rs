//! What a pilot leads to.

use benchbook_core::Plan;
use benchbook_journal::Status;

use super::mock::{Call, Mock, Reply, Seen, cells, plan, seen};
use crate::Result;

/// Replicates of the pilot, and blocks of each.
const PILOT: usize = 8;
const BLOCKS: usize = 6;

const BASE_NS: i64 = 10_000_000;

/// `y` differs by up to 0.2 % from block to block, and on the case `wild` by up to 3 % from process to process.
fn script(mock: &Mock, call: &Call, reply: Reply) -> Result<Reply> {
    if call.implementation == "x" {
        return Ok(mock.lasting(reply, BASE_NS));
    }
    let block = (7 * call.sample + 3 * call.replicate) % 5;
    let process = if call.case == "wild" { call.replicate % 4 } else { 0 };
    Ok(mock.lasting(reply, BASE_NS + 5_000 * block as i64 + 100_000 * process as i64))
}

/// A run to ± 0.5 %.
fn planned(most_replicates: u32) -> Seen {
    let plan = Plan { half_width: Some(0.005), most_replicates, ..plan(PILOT as u32, BLOCKS as u64) };
    seen(&plan, &cells(&["calm", "wild"], &["x", "y"]), script)
}

/// The replicates and blocks that the record says were planned for a case.
fn numbers(seen: &Seen, case: &str) -> (usize, usize) {
    let begins = format!("w {case}: ");
    let of_case = |message: &&str| message.starts_with(&begins);
    let planned = seen.events.iter().filter(|event| event.kind == "planned").map(|event| event.message.as_str());
    let told: Vec<&str> = planned.filter(of_case).collect();
    assert_eq!(told.len(), 1, "fixed once: {told:?}");
    // `w CASE: R replicates of B blocks, …`
    let words: Vec<&str> = told[0].split_whitespace().collect();
    (words[2].parse().unwrap(), words[5].parse().unwrap())
}

#[test]
fn as_many_replicates_are_measured_as_the_pilot_has_shown_to_be_needed() {
    let seen = planned(100);
    let (calm, wild) = (numbers(&seen, "calm"), numbers(&seen, "wild"));
    assert_eq!(calm.0, PILOT, "equal processes take no more than the pilot");
    assert!(wild.0 > 2 * PILOT && wild.0 < 100 && wild.1 < BLOCKS, "{wild:?}");
    for (case, (replicates, blocks)) in [("calm", calm), ("wild", wild)] {
        for implementation in ["x", "y"] {
            let expected = [vec![BLOCKS; PILOT], vec![blocks; replicates - PILOT]].concat();
            assert_eq!(seen.taken(case, implementation), expected, "{implementation} on {case}");
            assert!(seen.ends(case, implementation).iter().all(|end| *end == (Status::Ok, "blocks")));
        }
    }
    assert_eq!(seen.summary.trials as usize, 2 * (calm.0 + wild.0));
    assert_eq!((seen.heard.planned, seen.heard.done), (Some(calm.0 + wild.0), calm.0 + wild.0));
    let more = format!("the pilot is over: {} more cases and replicates take about", wild.0 - PILOT);
    assert!(seen.heard.notes.iter().any(|note| note.starts_with(&more)), "{:?}", seen.heard.notes);
    // There is room for as many as the plan allows, so that numbers follow the plan.
    for one in seen.trials.iter().filter(|one| one.case_name == "wild") {
        assert_eq!(one.trial, 200 + 2 * one.replicate + i64::from(one.implementation == "y"), "{one:?}");
    }
}

#[test]
fn a_plan_that_allows_too_few_says_so_and_measures_those() {
    let seen = planned(12);
    assert_eq!((numbers(&seen, "calm").0, numbers(&seen, "wild").0), (PILOT, 12));
    assert_eq!(seen.taken("wild", "y").len(), 12);
    let short = |note: &&String| note.starts_with("w wild: 12 replicates") && note.contains("more time or replicates");
    assert_eq!(seen.heard.notes.iter().filter(short).count(), 1, "{:?}", seen.heard.notes);
}

#[test]
fn a_pilot_that_bears_no_plan_has_no_second_stage() {
    // Nothing to compare with.
    let plan = Plan { half_width: Some(0.005), ..plan(PILOT as u32, BLOCKS as u64) };
    let seen = seen(&plan, &cells(&["a"], &["x"]), script);
    assert_eq!(seen.taken("a", "x"), [BLOCKS; PILOT]);
    let none = "w a: no second stage, there is nothing to compare it with";
    assert!(seen.heard.notes.iter().any(|note| note == none), "{:?}", seen.heard.notes);
    assert_eq!(seen.end(None), (Status::Ok, "complete"));
}
