//! Published claims: the rule on rows made for it, and the table that comes with benchbook.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::common::{Fixture, floats, one, texts};
use benchbook_query::{Answer, Error, Session, claims};

const HEADER: &str =
    "claim,catalogue,statement,source,quantity,relation,claimed,reason,measured,low,high,replicates,machine,how";

/// A session whose claims are these lines, or why there is none.
fn session(header: &str, lines: &[&str]) -> Result<(Fixture, Session), Error> {
    let fixture = Fixture::new();
    let path = fixture.folder.path().join("mine.csv");
    fs::write(&path, format!("{header}\n{}\n", lines.join("\n"))).unwrap();
    let mut session = fixture.session();
    session.add_csv("claims", &path)?;
    Ok((fixture, session))
}

/// The verdict on a claim `relation,claimed` with `reason` and `measured,low,high`.
fn verdict(claimed: &str, reason: &str, measured: &str) -> String {
    let line = format!("a,CL1,A is fast,here,speed,{claimed},{reason},{measured},8,2 x CPU,a over b");
    let (_fixture, session) = session(HEADER, &[&line]).unwrap_or_else(|error| panic!("{line}: {error}"));
    texts(&session.named("claims", &BTreeMap::new()).unwrap(), "verdict").remove(0).unwrap()
}

#[test]
fn the_whole_interval_decides() {
    for (claimed, measured, expected) in [
        ("at least,2", "2.05,2,2.1", "confirmed"),
        ("at least,2", "1.9,1.8,1.99", "refuted"),
        ("at least,2", "1.9,1.8,2", "undecided"),
        ("at least,2", "2,1.9,2.1", "undecided"),
        ("at most,2", "1.9,1.8,2", "confirmed"),
        ("at most,2", "2.2,2.1,2.3", "refuted"),
        ("at most,2", "2.1,2,2.2", "undecided"),
        ("about,1", "1,0.9,1.1", "confirmed"),
        ("about,1", "1,0.89,1", "undecided"),
        ("about,1", "1.05,1,1.11", "undecided"),
        ("about,1", "0.5,0.4,0.89", "refuted"),
        ("about,1", "2,1.11,3", "refuted"),
        ("about,1", "1,0.5,3", "undecided"),
        ("about,4", "3,3,3", "refuted"),
    ] {
        assert_eq!(verdict(claimed, "", measured), expected, "{claimed}: {measured}");
    }
}

#[test]
fn what_was_not_measured_is_no_verdict_on_the_claim() {
    assert_eq!(verdict("at least,2", "needs an H100", ",,"), "not testable here");
    assert_eq!(verdict("about,", "gives no figure", ",,"), "not testable here");
    assert_eq!(verdict("at least,2", "", ",,"), "not measured yet");
    assert_eq!(verdict("at least,2", "needs an H100", "3,2.9,3.1"), "confirmed", "numbers count before reasons");
}

#[test]
fn rows_stand_in_the_order_of_the_catalogue() {
    let line = |claim: &str, catalogue: &str| format!("{claim},{catalogue},x,here,speed,about,1,,,,,,,");
    let lines = [line("c", "CL10"), line("b", "CL2 AT1"), line("a", "CL2")];
    let (_fixture, session) = session(HEADER, &lines.each_ref().map(String::as_str)).unwrap();
    let order: Vec<String> =
        texts(&session.named("claims", &BTreeMap::new()).unwrap(), "claim").into_iter().flatten().collect();
    assert_eq!(order, ["a", "b", "c"]);
}

#[test]
fn a_table_with_a_mistake_is_refused_with_its_place() {
    let good = "a,CL1,x,here,speed,about,1,,1,1,1,8,m,h";
    for (header, lines, part) in [
        ("claim,claimed", &["a,1"][..], "begins with the line `claim,catalogue"),
        (HEADER, &["a,CL1"], "line 2"),
        (HEADER, &[good, "b,CL1,x,here,speed,about,one,,,,,,,"], "one"),
        (HEADER, &[good, good], "claim `a` stands twice"),
        (HEADER, &["a,CL1,x,here,speed,over,1,,,,,,,"], "relation `over` is none of at least, at most, about"),
        (HEADER, &["a,CL1,x,here,speed,,1,,,,,,,"], "relation `` is none of"),
        (HEADER, &["a,CL1,x,here,speed,about,,,,,,,,"], "neither a figure nor a reason"),
        (HEADER, &["a,CL1,x,here,speed,about,1,,2,2.5,3,8,m,h"], "low, measured and high"),
        (HEADER, &["a,CL1,x,here,speed,about,1,,2,,,8,m,h"], "low, measured and high"),
        (HEADER, &[",CL1,x,here,speed,about,1,,,,,,,"], "a row has no claim"),
    ] {
        let error = session(header, lines).err().unwrap_or_else(|| panic!("{lines:?}"));
        let message = error.to_string();
        assert!(matches!(error, Error::Csv { .. } | Error::Claims { .. }), "{message}");
        assert!(message.contains(part) && message.contains("mine.csv"), "{message}");
    }
}

/// Cells of a column of text, the empty ones as such.
fn column(answer: &Answer, name: &str) -> Vec<String> {
    texts(answer, name).into_iter().map(Option::unwrap_or_default).collect()
}

#[test]
fn every_claim_that_comes_with_benchbook_is_whole() {
    let answer = claims().unwrap();
    assert!(answer.rows() > 50, "{}", answer.rows());
    for name in ["claim", "catalogue", "statement", "source", "quantity", "verdict"] {
        assert!(column(&answer, name).iter().all(|cell| !cell.trim().is_empty()), "{name}");
    }
    // Every row of the catalogue's section on claims has one at least.
    let of: BTreeSet<String> = column(&answer, "catalogue")
        .iter()
        .flat_map(|ids| ids.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let missing: Vec<String> = (1..=54).map(|number| format!("CL{number}")).filter(|id| !of.contains(id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let (measured, how) = (floats(&answer, "measured"), column(&answer, "how"));
    for (claim, (measured, how)) in column(&answer, "claim").iter().zip(measured.iter().zip(&how)) {
        assert_eq!(measured.is_some(), !how.is_empty(), "{claim}");
    }
    let at = column(&answer, "claim").iter().position(|claim| claim == "e4m3-mantissa").unwrap();
    assert_eq!(column(&answer, "verdict")[at], "refuted", "three bits are not four");
}

#[test]
fn a_session_has_the_claims_beside_its_store_and_the_same_verdicts() {
    let fixture = Fixture::new();
    let session = fixture.session();
    let alone = claims().unwrap();
    assert_eq!(one(&session, "SELECT count(*) FROM claims"), Some(alone.rows() as f64));
    let within = session.named("claims", &BTreeMap::new()).unwrap();
    assert_eq!(column(&within, "claim"), column(&alone, "claim"));
    assert_eq!(column(&within, "verdict"), column(&alone, "verdict"));
    let error = session.sql("SELECT * FROM claim").unwrap_err().to_string();
    assert!(error.contains("did you mean `claims`?"), "{error}");
}
