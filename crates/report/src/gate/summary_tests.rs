//! Reports as people and programs read them.

use super::flagged::{Comparison, Estimate, Label, Second};
use super::markdown::{markdown, plain};
use super::summary::{LeftOut, Missing, Outcome, Report, exit_code};

fn estimate(label: Label, ratio: f64, half_width: f64) -> Estimate {
    Estimate {
        ratio,
        low: Some(ratio - half_width),
        high: Some(ratio + half_width),
        label,
        // Twelve processes leave a slow mode unseen.
        said: if label == Label::Equivalent { "equivalent in the processes seen" } else { label.text() }.into(),
        reason: match label {
            Label::Slower | Label::Faster => "direction-excludes-one",
            Label::Equivalent => "size-within-margin",
            Label::Undecided => "too-noisy",
        }
        .into(),
        gates: true,
        minimum_detectable_effect: Some(1.6 * half_width),
        replicates: 12,
    }
}

fn comparison(case: &str, first: Estimate, second: Second) -> Comparison {
    Comparison { case: case.into(), variant: "flash/flex/f32/2t".into(), first, second }
}

fn once(case: &str, label: Label, ratio: f64) -> Comparison {
    comparison(case, estimate(label, ratio, 0.004), Second::NotNeeded)
}

fn report(comparisons: Vec<Comparison>) -> Report {
    Report {
        baseline: "main (1a2b3c4)".into(),
        candidate: "5d6e7f8+dirty".into(),
        sequential: false,
        not_comparable: None,
        comparisons,
        left_out: Vec::new(),
        warnings: Vec::new(),
        machine: vec!["Intel Xeon, 2 cores".into(), "Linux 6.1".into()],
        reproduce: "benchbook gate --baseline main --quick".into(),
    }
}

fn regression() -> Report {
    let second = Second::Measured(estimate(Label::Slower, 0.95, 0.006));
    let cleared = Second::Measured(estimate(Label::Equivalent, 0.999, 0.003));
    Report {
        left_out: vec![
            LeftOut {
                case: "matmul m64".into(),
                variant: "naive/flex/f32/2t".into(),
                missing: Missing::New,
                why: "the baseline has no such case".into(),
            },
            LeftOut {
                case: "softmax r8".into(),
                variant: "naive/flex/f32/2t".into(),
                missing: Missing::CandidateFails,
                why: "check failed: max error 0.3".into(),
            },
        ],
        warnings: vec!["budget exhausted after 60 s".into()],
        ..report(vec![
            once("attention s64", Label::Equivalent, 1.001),
            once("attention s128", Label::Faster, 1.25),
            comparison("attention s256", estimate(Label::Slower, 0.93, 0.02), second),
            comparison("attention s512", estimate(Label::Slower, 0.98, 0.01), cleared),
            comparison("conv c3", estimate(Label::Slower, 0.9, 0.05), Second::Failed("it ended by signal 9".into())),
            once("conv c8", Label::Undecided, 0.99),
        ])
    }
}

/// Snapshots by name alone, wherever this module lies.
fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn a_regression_as_markdown() {
    snapshot("regression", &markdown(&regression()));
}

#[test]
fn a_regression_as_json() {
    let mut short = regression();
    short.comparisons.drain(..2);
    short.comparisons.truncate(1);
    snapshot("regression-json", &format!("{:#}", short.json()));
}

#[test]
fn short_reports() {
    let mut none = report(Vec::new());
    none.not_comparable = Some("the revisions differ in threads".into());
    let pass = report(vec![once("a", Label::Equivalent, 1.0), once("b", Label::Faster, 2.0)]);
    let undecided = report(vec![once("a", Label::Undecided, 0.98)]);
    let open = report(vec![once("a", Label::Slower, 0.9)]);
    let all = [pass, undecided, open, none].map(|report| markdown(&report)).join("\n=====\n");
    snapshot("short", &all);
}

#[test]
fn outcomes_and_exit_codes() {
    let of = |comparisons| report(comparisons).outcome();
    let slower =
        || comparison("a", estimate(Label::Slower, 0.9, 0.1), Second::Measured(estimate(Label::Slower, 0.9, 0.1)));
    let (equal, unknown) = (|| once("b", Label::Equivalent, 1.0), || once("c", Label::Undecided, 1.0));
    assert_eq!(of(vec![]), Outcome::NotComparable);
    assert_eq!(of(vec![equal(), once("d", Label::Faster, 2.0)]), Outcome::Pass);
    assert_eq!(of(vec![equal(), unknown()]), Outcome::Undecided);
    assert_eq!(of(vec![equal(), once("never again", Label::Slower, 0.9), unknown()]), Outcome::Incomplete);
    assert_eq!(of(vec![unknown(), once("never again", Label::Slower, 0.9), slower()]), Outcome::Regression);
    let mut sequential = report(vec![once("a", Label::Slower, 0.5), once("b", Label::Faster, 2.0), slower()]);
    sequential.sequential = true;
    for one in &mut sequential.comparisons {
        one.first.gates = false;
        if let Second::Measured(second) = &mut one.second {
            second.gates = false;
        }
    }
    assert_eq!(sequential.outcome(), Outcome::Undecided, "two runs describe, whatever they show");
    assert_eq!([false, true].map(|fails| exit_code(sequential.outcome(), fails)), [0, 2]);
    let text = sequential.text();
    assert!(text.contains("describes and judges nothing: 2 of 3 look slower, 1 faster."), "{text}");
    assert!(!text.contains("regression") && text.contains("100.0 % slower"), "{text}");

    let mut broken = report(vec![equal()]);
    broken.left_out = regression().left_out;
    assert_eq!(broken.outcome(), Outcome::Incomplete);
    broken.not_comparable = Some("other machines".into());
    assert_eq!(broken.outcome(), Outcome::NotComparable);

    let codes = [Outcome::Pass, Outcome::Regression, Outcome::Undecided, Outcome::NotComparable, Outcome::Incomplete];
    assert_eq!(codes.map(|outcome| exit_code(outcome, false)), [0, 1, 0, 3, 4]);
    assert_eq!(codes.map(|outcome| exit_code(outcome, true)), [0, 1, 2, 3, 4]);
}

#[test]
fn names_stay_names() {
    assert_eq!(plain("a|b <img> `x` @you #1\nc_d"), "a&#124;b &#60;img&#62; &#96;x&#96; &#64;you &#35;1 c_d");
    let turns = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
    assert_eq!(plain(turns), " ".repeat(12));
    let mut odd = regression();
    let name = "|<script>alert(1)</script>\n| `@all` |";
    for one in &mut odd.comparisons {
        (one.case, one.variant) = (name.into(), name.into());
        one.first.reason = name.into();
    }
    (odd.baseline, odd.warnings, odd.machine) = (name.into(), vec![name.into()], vec![name.into()]);
    let text = markdown(&odd);
    assert!(!text.contains("<script") && !text.contains('@') && !text.contains('`'), "{text}");
    for line in text.lines().filter(|line| line.starts_with('|')) {
        assert!([5, 10, 11].contains(&line.matches('|').count()), "{line}");
    }
}

#[test]
fn numbers_that_are_none_are_words() {
    for ratio in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE * 1e-10] {
        let mut odd = report(vec![once("a", Label::Undecided, 1.0)]);
        let first = &mut odd.comparisons[0].first;
        (first.ratio, first.low, first.high) = (ratio, Some(ratio), None);
        first.minimum_detectable_effect = Some(f64::INFINITY);
        let text = markdown(&odd);
        assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
        assert!(text.contains("unknown") && text.contains("none"), "{text}");
    }
}

#[test]
fn files_are_written_whole() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (page, data) = (folder.path().join("gate.md"), folder.path().join("gate.json"));
    std::fs::write(&page, "old").expect("a file");
    let report = regression();
    report.write(&page).expect("written");
    report.write(&data).expect("written");
    assert_eq!(std::fs::read_to_string(&page).expect("a file"), markdown(&report));
    let read: serde_json::Value = serde_json::from_slice(&std::fs::read(&data).expect("a file")).expect("JSON");
    assert_eq!(read["outcome"], "regression");
    assert_eq!(read["comparisons"].as_array().map(Vec::len), Some(6));
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 2);
    assert!(report.write(&folder.path().join("absent/gate.md")).is_err());
}

#[test]
fn a_file_that_cannot_be_written_is_refused_beforehand() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("folder.md")).expect("a folder");
    std::os::unix::fs::symlink("/dev/null", folder.path().join("link.md")).expect("a link");
    std::os::unix::net::UnixListener::bind(folder.path().join("socket.md")).expect("a socket");
    for (name, part) in [
        ("gate.html", ".md or .json"),
        ("gate.md.txt", ".md or .json"),
        ("absent/gate.md", "its folder is missing"),
        ("folder.md", "this is a folder"),
        ("link.md", "a pipe or a device"),
        ("socket.md", "a pipe or a device"),
    ] {
        let file = folder.path().join(name);
        let told = Report::writable(&file).expect_err(name).to_string();
        assert!(told.contains(part), "{name}: {told}");
        assert!(regression().write(&file).is_err() && !file.is_file(), "{name}");
    }
    for name in ["gate.md", "gate.json", "summary"] {
        Report::writable(&folder.path().join(name)).expect(name);
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 3, "asking leaves nothing");
}
