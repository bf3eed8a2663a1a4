//! `pairs` and `verdicts` as functions of a metric: one form for the time of samples, values of steps and measures.

use crate::common::{Fixture, assert_near, floats, one, one_text, texts};
use crate::metrics::stepped;
use benchbook_query::Answer;
use benchbook_stats::verdict::Rules;

const FUNCTIONS: [(&str, &str); 2] = [("pairs", "metric_pairs"), ("verdicts", "metric_verdicts")];

fn columns(answer: &Answer) -> Vec<&str> {
    answer.schema.fields().iter().map(|field| field.name().as_str()).collect()
}

#[test]
fn every_metric_has_one_form() {
    let fixture = Fixture::new();
    stepped(&fixture, "first", None);
    for (function, view) in FUNCTIONS {
        // Nothing has been asked of the session before.
        let session = fixture.session();
        for metric in ["time", "step_time_p99", "steps_to_loss", "loss_threshold"] {
            let answer = session.sql(&format!("SELECT * FROM {function}('{metric}')")).unwrap();
            let told = texts(&answer, "metric");
            assert!(!told.is_empty() && told.iter().all(|one| one.as_deref() == Some(metric)), "{function} {metric}");
            let of_view = session.sql(&format!("SELECT * FROM {view}")).unwrap();
            assert_eq!(columns(&answer), columns(&of_view), "{function} {metric}");
        }
        let both = format!("SELECT * FROM {function}('time') UNION ALL SELECT * FROM {function}('step_time')");
        assert!(session.sql(&both).is_ok(), "{:?}", session.sql(&both).err());
    }
}

#[test]
fn they_say_what_the_views_say() {
    let fixture = Fixture::new();
    stepped(&fixture, "first", None);
    let mut session = fixture.session();
    let compared = ["*", "baseline, candidate, verdict, reason, margin"];
    for ((function, view), what) in FUNCTIONS.into_iter().zip(compared) {
        let whole = format!("SELECT {what} FROM {view} WHERE metric = 'steps_to_loss'");
        let called = format!("SELECT {what} FROM {function}('steps_to_loss')");
        for [left, right] in [[&whole, &called], [&called, &whole]] {
            assert_eq!(one(&session, &format!("SELECT count(*) FROM ({left} EXCEPT {right})")), Some(0.0), "{left}");
        }
    }
    let of_time = session.sql("SELECT * FROM verdicts('time') ORDER BY baseline").unwrap();
    let view = session.sql("SELECT * FROM verdicts ORDER BY baseline").unwrap();
    assert_eq!(texts(&of_time, "verdict"), [Some("slower".to_owned()), Some("faster".to_owned())]);
    assert_eq!(texts(&of_time, "reason"), texts(&view, "reason"));
    for (name, of_old) in [("ratio", "speedup"), ("baseline_value", "baseline_ns"), ("q_value", "q_value")] {
        for (got, wanted) in floats(&of_time, name).into_iter().zip(floats(&view, of_old)) {
            assert_near(got.unwrap(), wanted.unwrap(), name);
        }
    }
    assert_eq!(floats(&of_time, "margin"), [Some(Rules::default().margin); 2], "the margin of the judge of times");
    assert_eq!(texts(&of_time, "better"), vec![Some("lower".to_owned()); 2]);
    // What the statistics look for beside a log ratio is there, with an alias and without.
    for table in ["pairs('steps_to_loss')", "pairs('steps_to_loss') p", "pairs('time')"] {
        let sql =
            format!("SELECT paired_verdict(log_ratio, replicate) FROM {table} WHERE baseline_implementation = 'naive'");
        assert_eq!(one_text(&session, &sql).as_deref(), Some("faster"), "{table}");
    }
    let margin = "SELECT max(margin) FROM verdicts('step_time')";
    assert_eq!(one(&session, margin), Some(0.01));
    session.set_margin("step_time", 0.05).unwrap();
    assert_eq!(one(&session, margin), Some(0.05));
}

#[test]
fn they_stand_wherever_a_table_may_stand() {
    let fixture = Fixture::new();
    stepped(&fixture, "first", None);
    for sql in [
        "WITH m AS (SELECT * FROM verdicts('step_time')) SELECT count(*) FROM m",
        "SELECT count(*) FROM verdicts('time') t JOIN verdicts('step_time') s ON s.candidate = t.candidate",
        "SELECT count(*) FROM trials WHERE trial < (SELECT count(*) FROM verdicts('time'))",
    ] {
        assert_eq!(one(&fixture.session(), sql), Some(2.0), "{sql}");
    }
    assert!(fixture.session().sql("EXPLAIN SELECT * FROM pairs('time')").unwrap().rows() > 0);
}

#[test]
fn a_metric_that_is_none_is_named() {
    let fixture = Fixture::new();
    stepped(&fixture, "first", None);
    let refused = |sql: &str| fixture.session().sql(sql).unwrap_err().to_string();
    let unknown = refused("SELECT * FROM verdicts('steptime')");
    assert!(unknown.starts_with("no metric `steptime` in this store") && unknown.contains("`step_time`"), "{unknown}");
    assert!(unknown.contains(" time, "), "{unknown}");
    for call in ["pairs()", "pairs(1)", "pairs(NULL)", "pairs('time', 'loss_last')"] {
        let words = refused(&format!("SELECT * FROM {call}"));
        assert!(words.contains("takes the name of a metric, as text: write pairs('time')"), "{call}: {words}");
    }
    let scalar = refused("SELECT verdicts('time')");
    assert!(scalar.contains("gives a table: write SELECT * FROM verdicts('time')"), "{scalar}");
    let near = refused("SELECT * FROM verdict('time')");
    assert!(near.contains("no function `verdict`") && near.contains("`verdicts`"), "{near}");
    let empty = Fixture::new().session();
    for call in ["pairs('time')", "verdicts('time')", "verdicts('perplexity')"] {
        assert_eq!(empty.sql(&format!("SELECT * FROM {call}")).unwrap().rows(), 0, "{call}");
    }
}

#[test]
fn another_metric_that_is_sought_among_times_is_told_where_it_is() {
    let fixture = Fixture::new();
    stepped(&fixture, "first", None);
    let session = fixture.session();
    for (function, _) in FUNCTIONS {
        for asked in [
            format!("SELECT * FROM {function} WHERE metric = 'step_time'"),
            format!("SELECT * FROM {function} v WHERE v.baseline IS NOT NULL AND ('step_time' = v.metric)"),
            format!("EXPLAIN SELECT * FROM {function} WHERE {function}.METRIC = 'step_time'"),
            format!("SELECT count(*) FROM (SELECT * FROM {function} WHERE metric = 'step_time') t"),
        ] {
            let told = session.sql(&asked).unwrap_err().to_string();
            let wanted = format!(
                "`{function}` holds times, and no row of it is of the metric `step_time`: write {function}('step_time') \
                 in its place"
            );
            assert_eq!(told, wanted, "{asked}");
        }
        let of_time = |condition: &str| one(&session, &format!("SELECT count(*) FROM {function} WHERE {condition}"));
        assert!(of_time("metric = 'time'") > Some(0.0), "{function}");
        assert_eq!(of_time("metric = 'time'"), of_time("metric = 'step_time' OR true"), "{function}");
    }
    // Another table is asked as before.
    for sql in [
        "SELECT count(*) FROM metric_verdicts WHERE metric = 'step_time'",
        "SELECT count(*) FROM verdicts('step_time') WHERE metric = 'step_time'",
        "WITH verdicts AS (SELECT * FROM metric_verdicts) SELECT count(*) FROM verdicts WHERE metric = 'step_time'",
        "SELECT count(*) FROM verdicts v JOIN metric_verdicts m ON m.candidate = v.candidate \
         WHERE m.metric = 'step_time'",
    ] {
        assert_eq!(one(&session, sql), Some(2.0), "{sql}");
    }
}
