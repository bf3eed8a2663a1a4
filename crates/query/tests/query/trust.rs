//! Functions that say how far numbers can be trusted: series, change points, many tests, intervals of shares.

use crate::common::{Fixture, Numbers, assert_near, floats, ints, one, one_text, sample, texts, trial};
use benchbook_query::Session;
use benchbook_stats as stats;
use benchbook_stats::change::{Rules, change_points};
use serde_json::json;

/// Values with their places as a table `(i, v)`.
fn values(rows: &[(usize, Option<f64>)]) -> String {
    let value = |v: &Option<f64>| v.map_or("NULL".to_owned(), |v| format!("'{v:?}'"));
    let rows: Vec<String> = rows.iter().map(|(i, v)| format!("({i}, CAST({} AS DOUBLE))", value(v))).collect();
    format!("(VALUES {}) AS t(i, v)", rows.join(", "))
}

fn numbered(series: &[f64]) -> Vec<(usize, Option<f64>)> {
    series.iter().copied().map(Some).enumerate().collect()
}

#[test]
fn series_are_put_in_order_across_files() {
    let fixture = Fixture::new();
    let mut numbers = Numbers::new(17);
    let mut series = [Vec::new(), Vec::new()];
    for run in 0..3 {
        fixture.run(|writer| {
            for number in 0..2 {
                writer.trial(&trial(number, "naive", "a", run, json!({}))).unwrap();
            }
            for index in 0..200 {
                for (number, times) in (0..).zip(&mut series) {
                    let time = numbers.next(1_000 + index + 200 * run, 300);
                    writer.sample(&sample(number, 200 * run + index, index, time)).unwrap();
                    times.push(time as f64);
                }
            }
        });
    }
    let session = fixture.session();
    let sql = "SELECT trial, autocorrelation(elapsed_ns, sample) AS autocorrelation, \
               effective_n(elapsed_ns, sample) AS effective_n, drift(elapsed_ns, sample) AS drift, \
               drift_p(elapsed_ns, sample) AS drift_p, series_summary(elapsed_ns, sample)['n'] AS n \
               FROM samples GROUP BY trial ORDER BY trial";
    let answer = session.sql(sql).unwrap();
    assert_eq!(ints(&answer, "n"), [Some(600), Some(600)]);
    for (row, times) in series.iter().enumerate() {
        let near = |name: &str, wanted: f64| assert_near(floats(&answer, name)[row].unwrap(), wanted, name);
        near("autocorrelation", stats::serial::autocorrelation(times, 1).unwrap());
        near("effective_n", stats::serial::effective_sample_size(times).unwrap());
        let drift = stats::serial::drift(times).unwrap();
        near("drift", drift.share);
        near("drift_p", drift.p_value);
        assert!(drift.share > 0.0, "the times rise");
    }
}

#[test]
fn change_points_follow_the_order_of_the_window() {
    let session = Fixture::new().session();
    let mut numbers = Numbers::new(5);
    let series: Vec<f64> = (0..40).map(|i| numbers.next(if i < 20 { 1_000 } else { 1_300 }, 20) as f64).collect();
    let wanted = change_points(&series, &Rules::default()).unwrap();
    assert!(wanted.iter().any(|change| change.index == 20), "{wanted:?}");
    // Rows arrive backwards, one of them without a value.
    let mut rows = numbered(&series);
    rows.push((40, None));
    rows.reverse();
    let sql = format!(
        "WITH found AS (SELECT i, change_point(v) OVER (ORDER BY i) AS c FROM {}) \
         SELECT i, c['level'] AS level, c['p_value'] AS p, c['before'] AS before, c['after'] AS after, \
         c['reason'] AS reason FROM found ORDER BY i",
        values(&rows)
    );
    let answer = session.sql(&sql).unwrap();
    let (levels, p) = (floats(&answer, "level"), floats(&answer, "p"));
    let (before, after) = (floats(&answer, "before"), floats(&answer, "after"));
    for row in 0..40 {
        let last = wanted.iter().rfind(|change| change.index <= row);
        assert_near(levels[row].unwrap(), last.map_or(wanted[0].before, |change| change.after), "level");
        let change = wanted.iter().find(|change| change.index == row);
        assert_eq!(p[row].is_some(), change.is_some(), "row {row}");
        if let Some(change) = change {
            assert_near(p[row].unwrap(), change.p_value, "p");
            assert_near(before[row].unwrap(), change.before, "before");
            assert_near(after[row].unwrap(), change.after, "after");
        }
    }
    assert_eq!((levels[40], p[40]), (None, None));
    assert_eq!(texts(&answer, "reason"), vec![None; 41]);
}

/// `field` of the change points of a series, row by row.
fn changes(session: &Session, series: &[(usize, Option<f64>)], field: &str) -> benchbook_query::Answer {
    let sql = format!(
        "WITH found AS (SELECT i, change_point(v) OVER (ORDER BY i) AS c FROM {}) \
         SELECT i, c['{field}'] AS x FROM found ORDER BY i",
        values(series)
    );
    session.sql(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

#[test]
fn series_without_a_change_have_one_level() {
    let session = Fixture::new().session();
    let levels = |series: &[(usize, Option<f64>)]| floats(&changes(&session, series, "level"), "x");
    assert_eq!(levels(&numbered(&[7.0])), [Some(7.0)]);
    assert_eq!(levels(&numbered(&[7.0; 30])), [Some(7.0); 30]);
    assert_eq!(levels(&[(0, None), (1, Some(3.0)), (2, None)]), [None, Some(3.0), None]);
    assert_eq!(levels(&[(0, None), (1, None)]), [None, None]);
    assert_eq!(floats(&changes(&session, &numbered(&[7.0; 30]), "p_value"), "x"), [None; 30]);
    let mut infinite = numbered(&[7.0; 30]);
    infinite[4].1 = Some(f64::INFINITY);
    assert_eq!(levels(&infinite), [None; 30]);
    let reasons = texts(&changes(&session, &infinite, "reason"), "x");
    assert_eq!(reasons, vec![Some("not-finite".to_owned()); 30]);
    let none = "SELECT count(*) FROM (SELECT change_point(x) OVER (ORDER BY x) FROM (SELECT 1.0 AS x WHERE false))";
    assert_eq!(one(&session, none), Some(0.0));
}

#[test]
fn q_values_are_of_their_partition() {
    let session = Fixture::new().session();
    let table =
        "(VALUES (1, 0, 0.01), (1, 1, 0.04), (1, 2, NULL), (1, 3, 0.03), (2, 4, 0.04), (3, 5, NULL)) AS t(g, i, p)";
    let sql = format!("SELECT i, q_value(p) OVER (PARTITION BY g) AS q FROM {table} ORDER BY i");
    let q = floats(&session.sql(&sql).unwrap(), "q");
    let wanted = stats::benjamini_hochberg(&[0.01, 0.04, 0.03]).unwrap();
    for (row, wanted) in [(0, wanted[0]), (1, wanted[1]), (3, wanted[2]), (4, 0.04)] {
        assert_near(q[row].unwrap(), wanted, "q");
    }
    assert_eq!((q[2], q[5]), (None, None));
    let none = "SELECT count(*) FROM (SELECT q_value(x) OVER () FROM (SELECT 1.0 AS x WHERE false))";
    assert_eq!(one(&session, none), Some(0.0));
    for bad in ["CAST('inf' AS DOUBLE)", "CAST('NaN' AS DOUBLE)", "1.5", "-0.1"] {
        let error = session.sql(&format!("SELECT q_value({bad}) OVER ()")).unwrap_err().to_string();
        assert!(error.contains("q_value takes p-values"), "{bad}: {error}");
    }
}

#[test]
fn a_window_function_without_a_window_says_so() {
    let session = Fixture::new().session();
    let error = |sql: &str| session.sql(sql).unwrap_err().to_string();
    assert!(error("SELECT q_value(0.5)").contains("`q_value` needs a window: write q_value(…) OVER (ORDER BY …)"));
    assert!(error("SELECT row_number()").contains("`row_number` needs a window"));
    assert!(error("SELECT q_value() OVER ()").contains("call q_value(p) OVER (), got 0"));
    assert!(error("SELECT change_point('a') OVER ()").contains("takes a number"));
}

#[test]
fn scalars_give_what_stats_gives() {
    let session = Fixture::new().session();
    for ratio in [0.5, 0.999, 1.0, 1.2, 3.5] {
        let word = one_text(&session, &format!("SELECT speedup_category({ratio})"));
        assert_eq!(word.as_deref(), Some(stats::category(ratio).unwrap().text()), "{ratio}");
    }
    let student = stats::student_interval(1.5_f64.ln(), 0.1, 9.0, 0.9).unwrap();
    let exact = stats::clopper_pearson(7, 10, 0.99).unwrap();
    let coverage = stats::false_coverage_level(3, 10, 0.05).unwrap();
    for (call, wanted) in [
        ("interval_low(1.5, 0.1, 9, 0.9)", student.low.exp()),
        ("interval_high(1.5, 0.1, 9, 0.9)", student.high.exp()),
        ("binomial_low(7, 10, 0.99)", exact.low),
        ("binomial_high(7, 10, 0.99)", exact.high),
        ("binomial_low(7, 10)", stats::clopper_pearson(7, 10, 0.95).unwrap().low),
        ("false_coverage_level(3, 10, 0.05)", coverage),
    ] {
        assert_near(one(&session, &format!("SELECT {call}")).expect(call), wanted, call);
    }
    // Columns and constants side by side.
    let sql = "SELECT sum(binomial_low(s, 10)) FROM (VALUES (0), (7), (NULL)) AS t(s)";
    let wanted = stats::clopper_pearson(0, 10, 0.95).unwrap().low + stats::clopper_pearson(7, 10, 0.95).unwrap().low;
    assert_near(one(&session, sql).unwrap(), wanted, sql);
}

#[test]
fn scalars_of_impossible_input_are_null() {
    let session = Fixture::new().session();
    for ratio in ["0.0", "-1.0", "CAST('inf' AS DOUBLE)", "CAST('NaN' AS DOUBLE)", "NULL"] {
        assert_eq!(one_text(&session, &format!("SELECT speedup_category({ratio})")), None, "{ratio}");
        assert_eq!(one(&session, &format!("SELECT interval_low({ratio}, 0.1, 5)")), None, "{ratio}");
    }
    for call in [
        "interval_high(1.5, NULL, 5)",
        "interval_high(1.5, CAST('inf' AS DOUBLE), 5)",
        "interval_high(1.5, 0.1, 5, 1.5)",
        "binomial_low(11, 10)",
        "binomial_low(-1, 10)",
        "binomial_high(3, NULL)",
        "binomial_high(3, 10, 0.0)",
        "false_coverage_level(11, 10, 0.05)",
        "false_coverage_level(-1, 10, 0.05)",
    ] {
        assert_eq!(one(&session, &format!("SELECT {call}")), None, "{call}");
    }
    for (call, message) in [
        ("speedup_category()", "call speedup_category(ratio), got 0"),
        ("binomial_low(1)", "call binomial_low(successes, trials [, level]), got 1"),
        ("binomial_low(1, 2, 0.9, 3)", "got 4"),
        ("binomial_low(0.5, 2)", "`successes` of binomial_low(successes, trials [, level]) must be an integer"),
        ("interval_low('a', 1, 1)", "`ratio` of interval_low(ratio, standard_error, df [, level]) must be a number"),
    ] {
        let error = session.sql(&format!("SELECT {call}")).unwrap_err().to_string();
        assert!(error.contains(message), "{call}: {error}");
    }
}
