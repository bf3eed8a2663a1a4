//! How a run shares its time, and what becomes of trials that have too little.

use benchbook_core::Plan;
use benchbook_journal::Status;

use super::mock::{Asked, Call, Mock, Reply, cells, plan, seen};
use crate::Result;

const TENTH_NS: i64 = 100_000_000;

/// Each sample takes a tenth of a second.
fn slow(mock: &Mock, _call: &Call, reply: Reply) -> Result<Reply> {
    Ok(mock.lasting(reply, TENTH_NS))
}

/// More blocks than any of these budgets pays for.
const BLOCKS: u64 = 1_000;

#[test]
fn groups_have_equal_shares_and_end_at_their_deadline() {
    let seen = seen(&plan(1, BLOCKS).time_s(10.0), &cells(&["a", "b"], &["x"]), slow);
    for case in ["a", "b"] {
        assert_eq!((seen.taken(case, "x"), seen.ends(case, "x")), (vec![50], vec![(Status::Ok, "time")]));
    }
    assert_eq!((seen.summary.ended.ok, seen.summary.out_of_time), (2, 2));
    let told = seen.heard.notes.iter().any(|note| note.starts_with("the budget of 10 s is used up: 2 trials"));
    assert!(told, "{:?}", seen.heard.notes);
}

#[test]
fn what_one_leaves_is_for_those_that_follow() {
    // The first replicate needs 2 of its 6 seconds; the second has the other 10, at a second each.
    let script = |mock: &Mock, call: &Call, reply: Reply| {
        let ns = if call.replicate == 0 { TENTH_NS } else { 10 * TENTH_NS };
        Ok(mock.lasting(reply, ns))
    };
    let seen = seen(&plan(2, 20).time_s(12.0), &cells(&["a"], &["x"]), script);
    assert_eq!(seen.taken("a", "x"), [20, 10]);
    assert_eq!(seen.ends("a", "x"), [(Status::Ok, "blocks"), (Status::Ok, "time")]);
    assert_eq!(seen.summary.out_of_time, 1);
}

#[test]
fn who_is_set_up_gets_the_fewest_blocks_and_who_comes_too_late_none() {
    let seen = seen(&plan(3, BLOCKS).time_s(1.0), &cells(&["a"], &["x"]), slow);
    assert_eq!(seen.taken("a", "x"), [5, 5, 0]);
    let late = (Status::Interrupted, "time: the budget was used up before it began");
    assert_eq!(seen.ends("a", "x"), [(Status::Ok, "time"), (Status::Ok, "time"), late]);
    assert_eq!((seen.asked(Asked::Prepare, "a", "x"), seen.spawned.len()), (2, 2), "nobody is started for the third");
    assert_eq!((seen.summary.out_of_time, seen.summary.trials, seen.summary.interrupted), (3, 3, false));
    assert_eq!(seen.end(None), (Status::Ok, "complete"));
    assert!(seen.summary.to_string().ends_with("3 cut short or not begun for lack of time"), "{}", seen.summary);
}

#[test]
fn without_a_budget_all_blocks_are_taken() {
    let seen = seen(&plan(1, 300), &cells(&["a"], &["x"]), slow);
    assert_eq!((seen.taken("a", "x"), seen.ends("a", "x")), (vec![300], vec![(Status::Ok, "blocks")]));
    assert_eq!(seen.summary.out_of_time, 0);
}

#[test]
fn a_pilot_keeps_to_its_share_and_is_not_called_short_of_blocks() {
    // Five blocks of two variants take a second, and the pilot may have four of ten.
    let plan = Plan { half_width: Some(0.005), ..plan(8, 20) }.time_s(10.0);
    let seen = seen(&plan, &cells(&["a"], &["x", "y"]), slow);
    let late = (Status::Interrupted, "time: the pilot's share of the budget was used up before it began");
    let expected = [[(Status::Ok, "time"); 4], [late; 4]].concat();
    for implementation in ["x", "y"] {
        assert_eq!(seen.ends("a", implementation), expected);
        assert_eq!(seen.taken("a", implementation), [5, 5, 5, 5, 0, 0, 0, 0]);
    }
    assert_eq!(seen.summary.out_of_time, 8, "what the pilot was short of does not count");
}
