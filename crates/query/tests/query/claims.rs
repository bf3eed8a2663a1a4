//! Published claims: the rule on rows made for it, and the table that comes with benchbook.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::common::{Fixture, floats, ints, one, texts};
use benchbook_query::{Answer, Error, Session, claims};

const HEADER: &str = "claim,catalogue,kind,statement,source,quantity,claimed_low,claimed_high,needs,unjudged,\
    value,low,high,replicates,provenance,machine,how";

/// A session whose claims are these lines, or why there is none.
fn session(header: &str, lines: &[&str]) -> Result<(Fixture, Session), Error> {
    let fixture = Fixture::new();
    let path = fixture.folder.path().join("mine.csv");
    fs::write(&path, format!("{header}\n{}\n", lines.join("\n"))).unwrap();
    let mut session = fixture.session();
    session.add_csv("claims", &path)?;
    Ok((fixture, session))
}

/// The answer to one published claim `quantity,claimed_low,claimed_high` with `needs,unjudged` and what became of it.
fn judged(claimed: &str, reasons: &str, became: &str) -> Answer {
    let line = format!("a,CL1,published,A is fast,here,{claimed},{reasons},{became}");
    let (_fixture, session) = session(HEADER, &[&line]).unwrap_or_else(|error| panic!("{line}: {error}"));
    session.named("claims", &BTreeMap::new()).unwrap()
}

fn only(answer: &Answer, name: &str) -> String {
    texts(answer, name).remove(0).unwrap_or_default()
}

/// The verdict on what was measured as `value,low,high` in eight processes.
fn verdict(claimed: &str, measured: &str) -> String {
    only(&judged(claimed, ",", &format!("{measured},8,measured,2 x CPU,a over b")), "verdict")
}

#[test]
fn the_whole_interval_decides() {
    for (claimed, measured, expected) in [
        // Bounds.
        ("speed,2,", "2.05,2,2.1", "confirmed"),
        ("speed,2,", "1.9,1.8,1.99", "refuted"),
        ("speed,2,", "1.9,1.8,2", "undecided"),
        ("waste,,2", "1.9,1.8,2", "confirmed"),
        ("waste,,2", "2.2,2.1,2.3", "refuted"),
        ("waste,,2", "2.1,2,2.2", "undecided"),
        // Points.
        ("speed,1,1", "1,0.9,1.1", "confirmed"),
        ("speed,1,1", "1,0.89,1", "undecided"),
        ("speed,1,1", "1.05,1,1.11", "undecided"),
        ("speed,1,1", "0.5,0.4,0.89", "refuted"),
        ("speed,1,1", "2,1.11,3", "exceeded"),
        ("speed,1,1", "1,0.5,3", "undecided"),
        ("memory,1,1", "0.5,0.4,0.89", "exceeded"),
        ("memory,1,1", "2,1.11,3", "refuted"),
        // Ranges, without more.
        ("speed,2,3", "2.5,2,3", "confirmed"),
        ("speed,2,3", "1.9,1.8,1.99", "refuted"),
        ("speed,2,3", "1.95,1.9,2", "undecided"),
        ("speed,2,3", "3.5,3.01,4", "exceeded"),
        ("speed,2,3", "3,2.9,3.1", "undecided"),
        ("memory,0.7,0.85", "0.6,0.5,0.69", "exceeded"),
        ("memory,0.7,0.85", "0.9,0.86,1", "refuted"),
    ] {
        assert_eq!(verdict(claimed, measured), expected, "{claimed}: {measured}");
    }
}

#[test]
fn every_quantity_has_its_better_side() {
    for (quantities, below, above) in [
        (&["speed", "compression"][..], "refuted", "exceeded"),
        (
            &["accuracy_lost", "accuracy_lost_ratio", "energy", "error", "loss_added", "memory", "time", "waste"][..],
            "exceeded",
            "refuted",
        ),
        (&["bits", "memory_growth", "time_growth"][..], "refuted", "refuted"),
    ] {
        for quantity in quantities {
            let claimed = format!("{quantity},4,4");
            assert_eq!(verdict(&claimed, "2,2,2"), below, "{quantity}");
            assert_eq!(verdict(&claimed, "8,8,8"), above, "{quantity}");
        }
    }
    let line = "a,CL1,published,x,here,sped,1,1,,,,,,,,,";
    assert!(session(HEADER, &[line]).is_err_and(|error| error.to_string().contains("quantity `sped`")));
}

#[test]
fn fewer_than_five_processes_leave_a_claim_undecided() {
    let of = |replicates: u8| judged("speed,2,", ",", &format!("3,2.9,3.1,{replicates},measured,m,h"));
    assert_eq!([4, 5].map(|replicates| only(&of(replicates), "verdict")), ["undecided", "confirmed"]);
}

#[test]
fn what_was_not_measured_is_told_apart() {
    for (claimed, reasons, became, verdict, reason) in [
        ("speed,2,", "an H100,", ",,,,,,", "not testable here", "needs an H100"),
        ("speed,2,", "an H100,", "3,2.9,3.1,8,measured,m,h", "confirmed", "needs an H100"),
        ("speed,,", ",gives no number", ",,,,,,", "not judged", "gives no number"),
        ("accuracy_lost,,0.01", "an H100,no model yet", ",,,,,,", "not judged", "no model yet"),
        ("speed,2,", ",", ",,,,,,", "not measured yet", ""),
        ("bits,4,4", ",", "3,,,,quoted,,a standard", "refuted by definition", ""),
        ("waste,,0.04", ",", "0.003,,,,modelled,,a count", "confirmed by definition", ""),
    ] {
        let answer = judged(claimed, reasons, became);
        assert_eq!(only(&answer, "verdict"), verdict, "{claimed} {reasons}: {became}");
        assert_eq!(only(&answer, "reason"), reason, "{claimed} {reasons}: {became}");
    }
}

#[test]
fn what_is_claimed_is_told_in_words() {
    for (ends, told) in [
        ("1.45,1.45", "about 1.45"),
        ("20,20", "about 20"),
        ("2,3", "2 to 3"),
        ("1.2,", "at least 1.2"),
        (",0.001", "at most 0.001"),
    ] {
        assert_eq!(only(&judged(&format!("speed,{ends}"), ",", ",,,,,,"), "claimed"), told);
    }
    assert_eq!(texts(&judged("speed,,", ",no number", ",,,,,,"), "claimed"), [None]);
}

#[test]
fn rows_stand_in_the_order_of_the_catalogue_and_inferences_last() {
    let line =
        |claim: &str, catalogue: &str, kind: &str| format!("{claim},{catalogue},{kind},x,here,speed,1,1,,,,,,,,,");
    let lines = [
        line("d", "AT5", "inference"),
        line("c", "CL10", "published"),
        line("b", "CL2 AT1", "target"),
        line("a", "CL2", "published"),
    ];
    let (_fixture, session) = session(HEADER, &lines.each_ref().map(String::as_str)).unwrap();
    let answer = session.named("claims", &BTreeMap::new()).unwrap();
    assert_eq!(column(&answer, "claim"), ["a", "b", "c", "d"]);
}

#[test]
fn a_table_with_a_mistake_is_refused_with_its_place() {
    let good = "a,CL1,published,x,here,speed,1,1,,,1,1,1,8,measured,m,h";
    let row = |facts: &str, claimed: &str, became: &str| format!("a,{facts},x,here,{claimed},{became}");
    let published = |claimed: &str, became: &str| row("CL1,published", claimed, became);
    let not_measured = "what was not measured carries no interval";
    let whole = "what was measured needs low, value and high";
    for (header, lines, part) in [
        ("claim,claimed", vec!["a,1".into()], "begins with the line `claim,catalogue"),
        (HEADER, vec!["a,CL1".into()], "line 2"),
        (HEADER, vec![good.into(), good.replace(",1,1,,,", ",one,1,,,")], "one"),
        (HEADER, vec![good.into(), good.into()], "claim `a` stands twice"),
        (HEADER, vec![good.replacen('a', "", 1)], "a row has no claim"),
        (HEADER, vec![good.replace("published", "rumour")], "kind `rumour` is none of published, target, inference"),
        (HEADER, vec![good.replace("speed", "")], "quantity `` is none of"),
        (HEADER, vec![row("CL1,inference", "speed,1,1,,", ",,,,,,")], "inferences none"),
        (HEADER, vec![row("AT1,published", "speed,1,1,,", ",,,,,,")], "published claims and targets have a row CL"),
        (HEADER, vec![published("speed,,,,", ",,,,,,")], "neither a number nor a reason"),
        (HEADER, vec![published("speed,,,an H100,", ",,,,,,")], "neither a number nor a reason"),
        (HEADER, vec![published("speed,3,2,,", ",,,,,,")], "claimed_low must not exceed claimed_high"),
        (HEADER, vec![published("speed,1,1,,no model", "1,1,1,8,measured,m,h")], "not judged carries no value"),
        (HEADER, vec![published("speed,1,1,,", "1,1,1,8,,m,h")], "measured, modelled or quoted"),
        (HEADER, vec![published("speed,1,1,,", "1,,,,guessed,,h")], "measured, modelled or quoted"),
        (HEADER, vec![published("speed,1,1,,", ",,,,modelled,,")], "measured, modelled or quoted"),
        (HEADER, vec![published("speed,1,1,,", "1,,,,modelled,,")], "a value says how"),
        (HEADER, vec![published("speed,1,1,,", "1,1,1,,modelled,,h")], not_measured),
        (HEADER, vec![published("speed,1,1,,", "1,,,8,modelled,,h")], not_measured),
        (HEADER, vec![published("speed,1,1,,", "1,,,,quoted,m,h")], not_measured),
        (HEADER, vec![published("speed,1,1,,", ",1,1,,,,")], not_measured),
        (HEADER, vec![published("speed,1,1,,", "2,2.5,3,8,measured,m,h")], whole),
        (HEADER, vec![published("speed,1,1,,", "2,,,8,measured,m,h")], whole),
        (HEADER, vec![published("speed,1,1,,", "2,2,2,,measured,m,h")], whole),
        (HEADER, vec![published("speed,1,1,,", "2,2,2,8,measured,,h")], whole),
    ] {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let error = session(header, &lines).err().unwrap_or_else(|| panic!("{lines:?}"));
        let message = error.to_string();
        assert!(matches!(error, Error::Csv { .. } | Error::Claims { .. }), "{message}");
        assert!(message.contains(part) && message.contains("mine.csv"), "{lines:?}: {message}");
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
    for name in ["claim", "catalogue", "kind", "statement", "source", "quantity", "verdict"] {
        assert!(column(&answer, name).iter().all(|cell| !cell.trim().is_empty()), "{name}");
    }
    // Every row of the catalogue's section on claims has one at least.
    let of: BTreeSet<String> = column(&answer, "catalogue")
        .iter()
        .flat_map(|ids| ids.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let missing: Vec<String> = (1..=54).map(|number| format!("CL{number}")).filter(|id| !of.contains(id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let at = column(&answer, "claim").iter().position(|claim| claim == "e4m3-mantissa").unwrap();
    assert_eq!(column(&answer, "verdict")[at], "refuted by definition", "three bits are not four");
}

/// The numbers of a sentence.
fn numbers(statement: &str) -> Vec<f64> {
    let words = statement.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    words.filter_map(|word| word.trim_matches('.').parse().ok()).collect()
}

/// Whether a sentence gives the number `end`: as it stands, as a share, as a share more or less, as its inverse, or as the
/// difference of two of its numbers.
fn gives(statement: &str, end: f64) -> bool {
    let numbers = numbers(statement);
    let near = |number: f64| (number - end).abs() <= 1e-3 * end.abs();
    let alone = |n: &f64| [*n, n / 100.0, 1.0 + n / 100.0, 1.0 - n / 100.0, 1.0 / n].into_iter().any(near);
    let between = numbers.iter().any(|a| numbers.iter().any(|b| near(a - b)));
    let equal = ["the same", "the fastest", "no other"].iter().any(|words| statement.contains(words));
    numbers.iter().any(alone) || between || (equal && near(1.0))
}

/// Whether a sentence says `2 to 3`.
fn says_a_range(statement: &str) -> bool {
    let words: Vec<&str> = statement.split(' ').collect();
    words.windows(3).any(|three| three[1] == "to" && [three[0], three[2]].iter().all(|n| n.parse::<f64>().is_ok()))
}

#[test]
fn every_claim_is_read_as_its_statement_is_worded() {
    let answer = claims().unwrap();
    let (names, statements) = (column(&answer, "claim"), column(&answer, "statement"));
    let (low, high) = (floats(&answer, "claimed_low"), floats(&answer, "claimed_high"));
    for (row, (name, statement)) in names.iter().zip(&statements).enumerate() {
        let says = |words: &[&str]| words.iter().any(|words| statement.contains(words));
        for end in [low[row], high[row]].into_iter().flatten() {
            assert!(gives(statement, end), "{name} claims {end}: {statement}");
        }
        let reading = match (low[row], high[row]) {
            (Some(low), Some(high)) if low < high => Some("a range"),
            (Some(_), Some(_)) => Some("a point"),
            (Some(_), None) => Some("at least"),
            (None, Some(_)) => Some("at most"),
            (None, None) => None,
        };
        let worded = [
            (says_a_range(statement), "a range"),
            (says(&["at least", "the fastest"]), "at least"),
            (says(&["at most", "under ", "no other"]), "at most"),
            (says(&["the same"]) || !numbers(statement).is_empty(), "a point"),
        ];
        assert_eq!(worded.iter().find(|(says, _)| *says).map(|(_, words)| *words), reading, "{name}: {statement}");
    }
}

#[test]
fn a_sentence_that_says_otherwise_is_found() {
    assert!(gives("takes 47 % less memory", 0.53) && !gives("takes 47 % less memory", 0.54));
    assert!(gives("a loss of 2.351 beside 2.347", 0.004) && !gives("a loss of 2.351 beside 2.347", 0.005));
    assert!(gives("takes the same memory", 1.0) && !gives("is fast", 1.0));
    assert!(says_a_range("is 1.5 to 2 times as fast") && !says_a_range("is to take 40 % less"));
}

#[test]
fn an_interval_belongs_to_what_was_measured_in_enough_processes_and_to_nothing_else() {
    let answer = claims().unwrap();
    let (names, provenance) = (column(&answer, "claim"), column(&answer, "provenance"));
    let (low, high, replicates) = (floats(&answer, "low"), floats(&answer, "high"), ints(&answer, "replicates"));
    let (machine, verdict) = (column(&answer, "machine"), column(&answer, "verdict"));
    for (row, name) in names.iter().enumerate() {
        let has = [low[row].is_some(), high[row].is_some(), replicates[row].is_some(), !machine[row].is_empty()];
        let measured = provenance[row] == "measured";
        assert_eq!(has, [measured; 4], "{name}");
        assert!(!measured || replicates[row] >= Some(5), "{name}: too few processes for a verdict");
        let by_definition = ["modelled", "quoted"].contains(&provenance[row].as_str());
        assert_eq!(verdict[row].ends_with(" by definition"), by_definition, "{name}: {}", verdict[row]);
    }
}

#[test]
fn a_model_s_accuracy_is_not_judged_by_a_layer() {
    let answer = claims().unwrap();
    let lost = column(&answer, "quantity").into_iter().zip(column(&answer, "verdict"));
    let lost: Vec<String> =
        lost.filter(|(of, _)| of.starts_with("accuracy_lost")).map(|(_, verdict)| verdict).collect();
    assert!(!lost.is_empty() && lost.iter().all(|verdict| verdict == "not judged"), "{lost:?}");
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
