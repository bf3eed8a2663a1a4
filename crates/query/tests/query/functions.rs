//! Every SQL function gives what the stats crate gives, whatever the batches and partitions.

use std::collections::BTreeMap;

use crate::common::{Fixture, Numbers, assert_near, floats, ints, one, one_text, sample, texts, trial};
use benchbook_query::{Session, functions};
use benchbook_stats as stats;
use benchbook_stats::verdict::{Rules, paired_verdict};
use serde_json::json;

const TRIALS: i64 = 7;
const SAMPLES: i64 = 500;

/// The values of a group, by side.
type Groups = BTreeMap<i64, [Vec<f64>; 2]>;

/// Samples of several runs (several files) and of a journal, spread over groups by trial.
fn spread() -> (Fixture, Session, Groups) {
    let fixture = Fixture::new();
    let mut numbers = Numbers::new(11);
    let mut groups = Groups::new();
    for run in 0..4 {
        let write = |writer: &mut benchbook_record::RunWriter| {
            for number in 0..TRIALS {
                writer.trial(&trial(number, "naive", "a", run, json!({}))).expect("written");
            }
            for index in 0..SAMPLES {
                for number in 0..TRIALS {
                    let mut row = sample(number, index, index, numbers.next(1_000 * (number + 1), 900));
                    row.position = i64::from(numbers.next(0, 3) == 0);
                    writer.sample(&row).expect("written");
                    let side = usize::try_from(row.position).expect("0 or 1");
                    groups.entry(number).or_default()[side].push(row.elapsed_ns as f64);
                }
            }
        };
        if run == 3 {
            fixture.journal(write)
        } else {
            fixture.run(write)
        };
    }
    let session = fixture.session();
    (fixture, session, groups)
}

fn check(session: &Session, call: &str, groups: &Groups, wanted: impl Fn(&[f64], &[f64]) -> f64) {
    let sql = format!(
        "SELECT trial, {call} AS value FROM (SELECT trial, elapsed_ns AS x, position = 1 AS c FROM samples) \
         GROUP BY trial ORDER BY trial"
    );
    let answer = session.sql(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let (trials, values) = (ints(&answer, "trial"), floats(&answer, "value"));
    assert_eq!(trials.len(), groups.len(), "{call}");
    for (number, value) in trials.into_iter().zip(values) {
        let [baseline, candidate] = &groups[&number.expect("a trial")];
        assert_near(value.expect(call), wanted(baseline, candidate), call);
    }
    let (mut baseline, mut candidate) = (Vec::new(), Vec::new());
    for [b, c] in groups.values() {
        baseline.extend_from_slice(b);
        candidate.extend_from_slice(c);
    }
    let sql = format!("SELECT {call} AS value FROM (SELECT elapsed_ns AS x, position = 1 AS c FROM samples)");
    assert_near(one(session, &sql).expect(call), wanted(&baseline, &candidate), &sql);
}

#[test]
fn functions_of_one_sample() {
    let (_fixture, session, groups) = spread();
    let both = |b: &[f64], c: &[f64]| [b, c].concat();
    check(&session, "ci_low(x, 0.95)", &groups, |b, c| stats::mean_interval(&both(b, c), 0.95).unwrap().low);
    check(&session, "ci_high(x, 0.99)", &groups, |b, c| stats::mean_interval(&both(b, c), 0.99).unwrap().high);
    check(&session, "ci_high(x)", &groups, |b, c| stats::mean_interval(&both(b, c), 0.95).unwrap().high);
    check(&session, "mean_summary(x)['std_dev']", &groups, |b, c| stats::std_dev(&both(b, c)).unwrap());
    check(&session, "median_ci_low(x, 0.9)", &groups, |b, c| stats::median_interval(&both(b, c), 0.9).unwrap().low);
    check(&session, "median_ci_high(x, 0.9)", &groups, |b, c| stats::median_interval(&both(b, c), 0.9).unwrap().high);
    check(&session, "order_summary(x)['median']", &groups, |b, c| stats::median(&both(b, c)).unwrap());
    check(&session, "mad(x)", &groups, |b, c| stats::mad(&both(b, c)).unwrap());
    check(&session, "geomean(x)", &groups, |b, c| stats::geometric_mean(&both(b, c)).unwrap());
    check(&session, "outliers(x * x * x)", &groups, |b, c| {
        let cubes: Vec<f64> = both(b, c).iter().map(|x| x * x * x).collect();
        stats::outliers(&cubes).unwrap() as f64
    });
}

#[test]
fn functions_of_two_samples() {
    let (_fixture, session, groups) = spread();
    let ratio = |b: &[f64], c: &[f64], level| stats::ratio_interval(c, b, level).unwrap();
    check(&session, "speedup(x, c)", &groups, |b, c| stats::mean(b).unwrap() / stats::mean(c).unwrap());
    check(&session, "speedup_low(x, c)", &groups, |b, c| ratio(b, c, 0.95).low);
    check(&session, "speedup_low(x, c, 0.8)", &groups, |b, c| ratio(b, c, 0.8).low);
    check(&session, "speedup_high(x, c, 0.8)", &groups, |b, c| ratio(b, c, 0.8).high);
    check(&session, "welch_p(x, c)", &groups, |b, c| stats::welch_t(c, b).unwrap().p);
    check(&session, "cohens_d(x, c)", &groups, |b, c| stats::cohens_d(c, b).unwrap());
    check(&session, "hedges_g(x, c)", &groups, |b, c| stats::hedges_g(c, b).unwrap());
    check(&session, "mann_whitney_p(x, c)", &groups, |b, c| stats::mann_whitney(c, b, stats::Method::Auto).unwrap().p);
}

/// Blocks `(replicate, block, log_ratio)` as a table.
fn values(blocks: &[(i64, i64, f64)]) -> String {
    let rows: Vec<String> = blocks.iter().map(|(r, b, l)| format!("({r}, {b}, CAST({l:?} AS DOUBLE))")).collect();
    format!("(VALUES {}) AS v(replicate, block, log_ratio)", rows.join(", "))
}

fn blocks(replicates: i64) -> Vec<(i64, i64, f64)> {
    let mut numbers = Numbers::new(5);
    let ratio = |numbers: &mut Numbers| numbers.next(100, 100) as f64 / 1_000.0;
    (0..replicates).flat_map(|r| (0..20).map(move |b| (r, b))).map(|(r, b)| (r, b, ratio(&mut numbers))).collect()
}

#[test]
fn paired_functions_give_the_verdict_of_stats() {
    let session = Fixture::new().session();
    for replicates in [1, 3, 6, 12] {
        let blocks = blocks(replicates);
        let plain: Vec<(i64, f64)> = blocks.iter().map(|(r, _, l)| (*r, *l)).collect();
        let wanted = paired_verdict(&plain, &Rules::default()).unwrap();
        // Rows arrive backwards; the order of blocks comes from the column.
        let backwards: Vec<_> = blocks.iter().rev().copied().collect();
        let sql = format!(
            "SELECT paired_speedup(log_ratio, replicate, 0.95) AS ratio, \
             paired_speedup_low(log_ratio, replicate, 0.95) AS low, \
             paired_speedup_high(log_ratio, replicate, 0.95) AS high, \
             paired_mde(log_ratio, replicate) AS mde, paired_verdict(log_ratio, replicate) AS verdict, \
             paired_reason(log_ratio, replicate) AS reason, paired_scope(log_ratio, replicate) AS scope, \
             paired_summary(log_ratio, replicate, 0.95, block)['hierarchical_low'] AS hierarchical, \
             paired_p(log_ratio, replicate) AS p, paired_se(log_ratio, replicate) AS se, \
             paired_df(log_ratio, replicate) AS df FROM {}",
            values(&backwards)
        );
        let answer = session.sql(&sql).unwrap();
        assert_near(floats(&answer, "ratio")[0].unwrap(), wanted.ratio, "ratio");
        assert_near(floats(&answer, "low")[0].unwrap(), wanted.low.unwrap(), "low");
        assert_near(floats(&answer, "high")[0].unwrap(), wanted.high.unwrap(), "high");
        assert_near(floats(&answer, "mde")[0].unwrap(), wanted.minimum_detectable_effect.unwrap(), "mde");
        assert_eq!(floats(&answer, "p")[0], wanted.p_value);
        assert_eq!(wanted.p_value.is_some(), replicates >= 5);
        assert_near(floats(&answer, "se")[0].unwrap(), wanted.standard_error.unwrap(), "se");
        assert_near(floats(&answer, "df")[0].unwrap(), wanted.df.unwrap(), "df");
        assert_eq!(texts(&answer, "verdict")[0].as_deref(), Some(wanted.label.text()));
        assert_eq!(texts(&answer, "reason")[0].as_deref(), Some(wanted.reason.code()));
        assert_eq!(texts(&answer, "scope")[0].as_deref(), Some(wanted.scope.code()));
        assert_eq!(floats(&answer, "hierarchical")[0], wanted.hierarchical.map(|interval| interval.low));
    }
}

#[test]
fn without_the_order_of_blocks_one_process_gets_no_bounds() {
    let session = Fixture::new().session();
    let table = format!("(SELECT replicate, log_ratio AS l FROM {})", values(&blocks(1)));
    assert!(one(&session, &format!("SELECT paired_speedup(l, replicate) FROM {table}")).is_some());
    assert_eq!(one(&session, &format!("SELECT paired_speedup_low(l, replicate) FROM {table}")), None);
    let reason = one_text(&session, &format!("SELECT paired_reason(l, replicate) FROM {table}"));
    assert_eq!(reason.as_deref(), Some("block-order-unknown"));
    let table = format!("(SELECT replicate, log_ratio AS l FROM {})", values(&blocks(6)));
    assert!(one(&session, &format!("SELECT paired_speedup_low(l, replicate) FROM {table}")).is_some());
}

#[test]
fn power_laws() {
    let session = Fixture::new().session();
    let table = "(SELECT CAST(value AS DOUBLE) AS x, 3.0 * power(CAST(value AS DOUBLE), 2.0) AS y FROM range(1, 9))";
    assert_near(one(&session, &format!("SELECT power_exponent(x, y) FROM {table}")).unwrap(), 2.0, "exponent");
}

#[test]
fn impossible_input_is_null_with_a_reason() {
    let session = Fixture::new().session();
    let nothing = "(SELECT 1.0 AS x, true AS c, 1 AS r WHERE false)";
    let single = "(VALUES (1.0, true, 1)) AS t(x, c, r)";
    let constant = "(VALUES (2.0, true, 1), (2.0, false, 1), (2.0, true, 2), (2.0, false, 2)) AS t(x, c, r)";
    let negative = "(VALUES (-2.0, true, 1), (-1.0, false, 1), (-3.0, true, 2), (2.5, false, 2)) AS t(x, c, r)";
    let infinite = "(VALUES (CAST('inf' AS DOUBLE), true, 1), (1.0, false, 1), (CAST('NaN' AS DOUBLE), true, 2), \
                    (2.0, false, 2)) AS t(x, c, r)";
    let nulls = "(VALUES (CAST(NULL AS DOUBLE), true, 1), (NULL, false, 2)) AS t(x, c, r)";
    let calls = [
        "ci_low(x)",
        "ci_high(x)",
        "median_ci_low(x)",
        "median_ci_high(x)",
        "mad(x)",
        "geomean(x)",
        "welch_p(x, c)",
        "cohens_d(x, c)",
        "hedges_g(x, c)",
        "mann_whitney_p(x, c)",
        "speedup(x, c)",
        "speedup_low(x, c)",
        "speedup_high(x, c)",
        "paired_speedup(x, r)",
        "paired_speedup_low(x, r)",
        "paired_speedup_high(x, r)",
        "paired_mde(x, r)",
        "paired_p(x, r)",
        "paired_se(x, r)",
        "paired_df(x, r)",
        "replicate_median(x, r)",
        "replicate_low(x, r)",
        "replicate_high(x, r)",
        "power_exponent(x, r)",
        "autocorrelation(x, r)",
        "effective_n(x, r)",
        "drift(x, r)",
        "drift_p(x, r)",
    ];
    for table in [nothing, single, constant, negative, infinite, nulls] {
        for call in calls {
            let value = one(&session, &format!("SELECT {call} FROM {table}"));
            assert!(value.is_none_or(f64::is_finite), "{call} of {table}: {value:?}");
        }
    }
    for call in calls {
        for table in [nothing, nulls] {
            assert_eq!(one(&session, &format!("SELECT {call} FROM {table}")), None, "{call} of {table}");
        }
    }
    let reason = |call: &str, table: &str| one_text(&session, &format!("SELECT {call} FROM {table}"));
    assert_eq!(reason("speedup_reason(x, c)", single).as_deref(), Some("too-few"));
    assert_eq!(reason("paired_reason(x, r)", nothing).as_deref(), Some("too-few"));
    assert_eq!(reason("paired_reason(x, r)", infinite).as_deref(), Some("not-finite"));
    assert_eq!(reason("paired_verdict(x, r)", single).as_deref(), Some("undecided"));
    assert_eq!(one(&session, &format!("SELECT geomean(x) FROM {negative}")), None);
}

#[test]
fn reasons_name_what_is_wrong_in_any_order() {
    let session = Fixture::new().session();
    let reason = |summary: &str, values: &str| {
        let rows: Vec<String> = values.split(' ').map(|value| format!("(CAST('{value}' AS DOUBLE))")).collect();
        let sql = format!("SELECT {summary}(x)['reason'] FROM (VALUES {}) AS t(x)", rows.join(", "));
        one_text(&session, &sql)
    };
    for (values, wanted) in [
        ("1 2", None),
        ("1 NaN 2", Some("not-finite")),
        ("inf 1", Some("not-finite")),
        ("1 0", Some("not-positive")),
        ("-2 1", Some("not-positive")),
        ("0 NaN", Some("not-finite")),
        ("NaN 1 -1", Some("not-finite")),
    ] {
        assert_eq!(reason("log_summary", values).as_deref(), wanted, "{values}");
    }
    for (values, wanted) in [
        ("1 2", None),
        ("7 7 7", Some("constant")),
        ("5e-324 5e-324", Some("constant")),
        ("5e-324 1e-323", Some("too-small")),
        ("1e-300 2e-300 3e-300", Some("too-small")),
        ("1 NaN", Some("not-finite")),
    ] {
        assert_eq!(reason("mean_summary", values).as_deref(), wanted, "{values}");
    }
}

#[test]
fn a_flaw_is_told_across_files() {
    // One value a run, so that each lies in a file of its own and states are merged.
    let fixture = Fixture::new();
    for elapsed_ns in [1_000, 2_000, 3_000] {
        fixture.run(|writer| {
            writer.trial(&trial(0, "naive", "a", 0, json!({}))).unwrap();
            writer.sample(&sample(0, 0, 0, elapsed_ns)).unwrap();
        });
    }
    let session = fixture.session();
    let reason = |x: &str| one_text(&session, &format!("SELECT log_summary({x})['reason'] FROM samples"));
    assert_eq!(reason("elapsed_ns"), None);
    assert_eq!(reason("elapsed_ns - 2000").as_deref(), Some("not-positive"));
    let nan = "CASE elapsed_ns WHEN 1000 THEN CAST('NaN' AS DOUBLE) WHEN 2000 THEN 0.0 ELSE 1.0 END";
    assert_eq!(reason(nan).as_deref(), Some("not-finite"));
}

#[test]
fn rows_with_null_are_ignored() {
    let session = Fixture::new().session();
    let with = "(VALUES (1.0, true), (2.0, false), (NULL, true), (4.0, NULL), (3.0, true), (5.0, false)) AS t(x, c)";
    let without = "(VALUES (1.0, true), (2.0, false), (3.0, true), (5.0, false)) AS t(x, c)";
    for call in ["speedup_low(x, c)", "welch_p(x, c)", "mann_whitney_p(x, c)"] {
        let of = |table: &str| one(&session, &format!("SELECT {call} FROM {table}"));
        assert_eq!(of(with), of(without), "{call}");
    }
    let filtered = "SELECT mad(x) FILTER (WHERE x > 1) FROM (VALUES (1.0), (2.0), (4.0), (9.0)) AS t(x)";
    assert_eq!(one(&session, filtered), Some(2.0));
    let grouped = "SELECT max(v) FROM (SELECT g, ci_high(x) FILTER (WHERE x > 1) AS v FROM \
                   (VALUES (1, 1.0), (1, 2.0), (1, 4.0), (2, 1.0)) AS t(g, x) GROUP BY g)";
    assert_near(one(&session, grouped).unwrap(), stats::mean_interval(&[2.0, 4.0], 0.95).unwrap().high, "filter");
}

#[test]
fn a_family_is_computed_once() {
    let (_fixture, session, _) = spread();
    let sql = "EXPLAIN SELECT trial, speedup(x, c), speedup_low(x, c), speedup_high(x, c, 0.95), welch_p(x, c), \
               round(cohens_d(x, c), 2) FROM (SELECT trial, elapsed_ns AS x, position = 1 AS c FROM samples) \
               GROUP BY trial HAVING hedges_g(x, c) IS NOT NULL ORDER BY speedup(x, c)";
    let answer = session.sql(sql).unwrap();
    let plan = texts(&answer, "plan")[0].clone().unwrap();
    let aggregate = plan.lines().find(|line| line.contains("Aggregate:")).unwrap();
    assert_eq!(aggregate.matches("unpaired_summary(").count(), 1, "{plan}");
    assert_eq!(plan.matches("Aggregate:").count(), 1, "{plan}");
}

#[test]
fn columns_are_named_as_they_were_asked_for() {
    let session = Fixture::new().session();
    let answer = session.sql("SELECT mad(x), ci_low(x, 0.9) AS low FROM (VALUES (1.0), (2.0)) AS t(x)").unwrap();
    assert_eq!(answer.schema.field(0).name(), "mad(t.x)");
    assert_eq!(answer.schema.field(1).name(), "low");
}

#[test]
fn windows_without_a_frame_work() {
    let session = Fixture::new().session();
    let sql = "SELECT g, mad(x) OVER (PARTITION BY g) AS v FROM (VALUES (1, 1.0), (1, 2.0), (1, 4.0), (2, 7.0)) AS t(g, x) \
               ORDER BY g";
    let answer = session.sql(sql).unwrap();
    assert_eq!(floats(&answer, "v"), [Some(1.0), Some(1.0), Some(1.0), Some(0.0)]);
}

#[test]
fn wrong_arguments_are_named() {
    let session = Fixture::new().session();
    let table = "(VALUES (1.0, true, 'a')) AS t(x, c, s)";
    let cases = [
        ("ci_low()", "ci_low(x [, level])"),
        ("mad(x, 0.9)", "call mad(x), got 2"),
        ("speedup(x)", "speedup(x, is_candidate [, level])"),
        ("speedup(x, s)", "`is_candidate` of unpaired_summary(x, is_candidate [, level]) must be true or false"),
        ("mad(s)", "`x` of order_summary(x [, level]) must be a number"),
        ("ci_low(x, 1.5)", "must lie between 0 and 1"),
        ("ci_low(x, x)", "must be a constant"),
        ("mad(DISTINCT x)", "DISTINCT has no meaning"),
    ];
    for (call, message) in cases {
        let error = session.sql(&format!("SELECT {call} FROM {table}")).unwrap_err().to_string();
        assert!(error.contains(message), "{call}: {error}");
    }
}

#[test]
fn every_function_is_listed_and_known_to_the_engine() {
    let session = Fixture::new().session();
    let listed = functions();
    for name in [
        "ci_low",
        "ci_high",
        "median_ci_low",
        "median_ci_high",
        "mad",
        "geomean",
        "outliers",
        "welch_p",
        "cohens_d",
        "hedges_g",
        "mann_whitney_p",
        "speedup",
        "speedup_low",
        "speedup_high",
        "paired_speedup",
        "paired_speedup_low",
        "paired_speedup_high",
        "paired_verdict",
        "paired_reason",
        "paired_mde",
        "paired_p",
        "replicate_median",
        "replicate_low",
        "replicate_high",
        "replicate_reason",
        "autocorrelation",
        "effective_n",
        "drift",
        "drift_p",
        "speedup_category",
        "interval_low",
        "interval_high",
        "false_coverage_level",
        "binomial_low",
        "binomial_high",
        "change_point",
        "q_value",
        "suite_verdict",
    ] {
        assert!(listed.iter().any(|function| function.name == name), "{name}");
    }
    for function in listed {
        assert!(function.signature.starts_with(&format!("{}(", function.name)) && !function.doc.is_empty());
        // Called without arguments, each complains of them and is not unknown.
        let error = session.sql(&format!("SELECT {}()", function.name)).unwrap_err().to_string();
        assert!(!error.contains("no function"), "{error}");
    }
}

#[test]
fn groups_of_one_row_skip_the_first_aggregation_and_lose_nothing() {
    let session = Fixture::new().session();
    // Enough groups that the engine stops aggregating before it repartitions.
    let groups = 400_000.0_f64;
    let wanted = groups * (groups - 1.0) / 2.0;
    for call in [
        "mean_summary(value)['mean']",
        "order_summary(value)['median']",
        "unpaired_summary(value, true)['mean_candidate']",
        "ln(paired_speedup(value / 1e6, 1)) * 1e6",
    ] {
        let sql = format!("SELECT sum(v) FROM (SELECT value, {call} AS v FROM range(0, 400000) GROUP BY value)");
        assert_near(one(&session, &sql).unwrap(), wanted, call);
    }
}
