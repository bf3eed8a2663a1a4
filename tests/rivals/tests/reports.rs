//! The verdicts of criterion and tango, read from what they printed.

use rivals::{Error, Pair, Verdict, paired, parse_change, parse_dump, parse_line, parse_report, parse_sampled};

const REGRESSED: &str = include_str!("fixtures/criterion-regressed.txt");
const NO_CHANGE: &str = include_str!("fixtures/criterion-no-change.txt");
const CHANGE: &str = include_str!("fixtures/criterion-change.json");
const TANGO: &str = include_str!("fixtures/tango.txt");
const DUMP: &str = include_str!("fixtures/tango.csv");

#[test]
fn criterion_regressed() {
    let report = parse_report(REGRESSED).unwrap();
    assert_eq!((report.verdict, report.p.as_str()), (Verdict::Regressed, "p = 0.01 < 0.05"));
    let estimate = parse_change(CHANGE, &report).unwrap();
    // As printed: [+3.1861% +16.604% +31.764%].
    for (ours, printed) in [(estimate.low, 3.1861), (estimate.ratio, 16.604), (estimate.high, 31.764)] {
        assert!((100.0 * (ours - 1.0) - printed).abs() < 1e-3, "{ours} is not {printed} %");
    }
    assert!(estimate.significant && estimate.significant_no_threshold);
}

#[test]
fn criterion_no_change() {
    let report = parse_report(NO_CHANGE).unwrap();
    assert_eq!(report.verdict, Verdict::NoChange);
    let estimate = parse_change(CHANGE, &report).unwrap();
    assert!(!estimate.significant && !estimate.significant_no_threshold);
}

#[test]
fn criterion_other_sentences() {
    let sentence = "Performance has regressed.";
    let improved = parse_report(&REGRESSED.replace(sentence, "Performance has improved.")).unwrap();
    assert_eq!(improved.verdict, Verdict::Improved);
    let within = parse_report(&REGRESSED.replace(sentence, "Change within noise threshold.")).unwrap();
    assert_eq!(within.verdict, Verdict::WithinNoise);
    let estimate = parse_change(CHANGE, &within).unwrap();
    assert!(!estimate.significant && estimate.significant_no_threshold);
}

#[test]
fn criterion_unread() {
    let twice = format!("{REGRESSED}{NO_CHANGE}");
    let against_p = NO_CHANGE.replace("No change in performance detected.", "Performance has regressed.");
    for text in ["", "change: [", &twice, &against_p] {
        assert!(matches!(parse_report(text), Err(Error::Unread { tool: "criterion", .. })), "{text}");
    }
    assert!(matches!(parse_change("{}", &parse_report(REGRESSED).unwrap()), Err(Error::Json(_))));
}

#[test]
fn criterion_samples_add_up() {
    let json = r#"{"sampling_mode":"Linear","iters":[1.0,2.0],"times":[1e9,5e8]}"#;
    assert_eq!(parse_sampled(json).unwrap(), 1.5);
}

#[test]
fn tango_star_and_dump_agree() {
    let (percent, star) = parse_line(TANGO, "dependent").unwrap();
    let paired = paired(&parse_dump(DUMP).unwrap()).unwrap();
    let estimate = paired.estimate(percent, star).unwrap();
    assert!(star && estimate.significant && estimate.significant_no_threshold);
    assert!(1.0 < estimate.low && estimate.low < estimate.ratio && estimate.ratio < estimate.high);
    assert!(matches!(paired.estimate(percent + 0.02, star), Err(Error::NoInterval(_))));
}

#[test]
fn tango_lines() {
    let line = "gemm                                               [   8.5 us ...   8.4 us ]      -1.52%\n";
    assert_eq!(parse_line(line, "gemm").unwrap(), (-1.52, false));
    assert_eq!(parse_line(&format!("\r\u{1b}[2K{line}"), "gemm").unwrap(), (-1.52, false));
    assert!(matches!(parse_line(line, "dependent"), Err(Error::Unread { tool: "tango", .. })));
    for dump in ["1,2", "1,2,0", "1,2,x", "1,2,3,4", "\n"] {
        assert!(matches!(parse_dump(dump), Err(Error::Unread { tool: "tango", .. })), "{dump}");
    }
}

/// Differences 1, 2, 3: mean 2, standard deviation 1, standard error 1/√3.
#[test]
fn pairs_by_hand() {
    let pair = |difference| Pair { baseline: 100.0, candidate: 100.0 + difference };
    let of = paired(&[pair(1.0), pair(2.0), pair(3.0)]).unwrap();
    assert_eq!((of.pairs, of.baseline, of.difference), (3, 100.0, 2.0));
    assert!((of.error - 1.0 / 3.0_f64.sqrt()).abs() < 1e-12);
    let estimate = of.estimate(2.0, true).unwrap();
    assert!((estimate.low - (1.02 - 0.0196 / 3.0_f64.sqrt())).abs() < 1e-12);
    for pairs in [&[][..], &[pair(1.0)], &[pair(1.0), pair(1.0)]] {
        assert!(matches!(paired(pairs), Err(Error::NoInterval(_))));
    }
}
