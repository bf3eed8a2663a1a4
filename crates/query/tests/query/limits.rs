//! What a question may take, and what it may not do to the program that asks it.

use std::collections::BTreeMap;

use benchbook_query::{Error, Session};
use benchbook_record::Readable;
use serde_json::json;

use crate::common::{Fixture, add, ints, one, one_text, sample, texts, trial};

#[test]
fn a_question_that_takes_too_much_memory_is_an_error() {
    let fixture = Fixture::new();
    let session = Session::open_within(&fixture.store.reader().unwrap(), 64 << 20).unwrap();
    let rows = "FROM range(0, 5000) a CROSS JOIN range(0, 5000) b";
    for sql in [
        format!("SELECT a.value * b.value AS x {rows} ORDER BY x"),
        format!("SELECT a.value * b.value AS x, count(*) AS n {rows} GROUP BY x"),
    ] {
        let error = session.sql(&sql).unwrap_err();
        assert!(matches!(error, Error::Memory { limit_bytes: 67_108_864 }), "{sql}: {error:?}");
        assert!(error.to_string().contains("more than 64 MiB of memory"), "{error}");
    }
    assert_eq!(one(&session, "SELECT count(*) FROM range(0, 5000)"), Some(5000.0), "the session goes on");
}

#[test]
fn a_function_that_would_make_too_much_is_refused_before_it_is_called() {
    let fixture = Fixture::new();
    // More than the tests beside it take.
    let session = Session::open_within(&fixture.store.reader().unwrap(), 192 << 20).unwrap();
    for (function, call) in [
        ("repeat", "repeat('x', 10000000000)"),
        ("repeat", "repeat(CAST(value AS VARCHAR), 20000)"),
        // A constant, which is written out for each row.
        ("repeat", "repeat('x', 50000)"),
        ("lpad", "lpad('x', 100000000)"),
        ("rpad", "rpad('x', 100000000, 'ab')"),
        ("replace", "replace(repeat('a', 250), 'a', repeat('b', 250))"),
        ("regexp_replace", "regexp_replace(repeat('a', 250), 'a', repeat('b', 250), 'g')"),
        ("range", "range(0, 6000)"),
        ("range", "range(3 * value)"),
        ("generate_series", "generate_series(0, 20000, 3)"),
        ("generate_series", "generate_series(DATE '2000-01-01', DATE '2020-01-01', INTERVAL '1' DAY)"),
        ("generate_series", "generate_series(TIMESTAMP '2020-01-01', TIMESTAMP '2020-12-01', INTERVAL '1' HOUR)"),
        ("array_repeat", "list_repeat('x', 10000)"),
        ("array_resize", "array_resize([1], 4000, 7)"),
        ("array_to_string", "array_to_string(range(0, 250), repeat(',', 250))"),
        ("array_replace_all", "array_replace_all(array_repeat('a', 300), 'a', repeat('b', 300))"),
    ] {
        let error = session.sql(&format!("SELECT {call} AS x FROM range(0, 5000)")).unwrap_err().to_string();
        let start = format!("`{function}` would take ");
        assert!(error.starts_with(&start) && error.contains("may take 192 MiB in all"), "{call}: {error}");
        assert!(error.contains("BENCHBOOK_MEMORY=8GiB"), "{call}: {error}");
    }
    let error = session.sql("SELECT repeat('x', 10000000000)").unwrap_err().to_string();
    assert!(error.starts_with("`repeat` would take 9.3 GiB of memory at once"), "{error}");
    assert_eq!(one(&session, "SELECT length(repeat('x', 1000000))"), Some(1e6), "the session goes on");
}

#[test]
fn a_function_that_is_watched_answers_as_ever() {
    let session = Fixture::new().session();
    for (call, wanted) in [
        ("repeat('ab', 3)", "ababab"),
        ("lpad('7', 3, '0')", "007"),
        ("rpad('é', 3) || '.'", "é  ."),
        ("replace('a-b', '-', ' ')", "a b"),
        (r"regexp_replace('run-12', '([a-z]+)-([0-9]+)', '\2 \1')", "12 run"),
        ("array_to_string(range(1, 4), ', ')", "1, 2, 3"),
        ("array_to_string(generate_series(3), ' ')", "0 1 2 3"),
        ("array_join(list_repeat('x', 2), ' ')", "x x"),
        ("array_to_string(array_resize([1], 3, 7), ' ')", "1 7 7"),
        ("array_to_string(list_replace([1, 2, 2], 2, 5), ' ')", "1 5 2"),
        ("array_to_string(array_replace_n([2, 2, 2], 2, 5, 2), ' ')", "5 5 2"),
        ("array_to_string(array_replace_all([1, 2, 2], 2, 5), ' ')", "1 5 5"),
    ] {
        assert_eq!(one_text(&session, &format!("SELECT {call}")).as_deref(), Some(wanted), "{call}");
    }
    assert_eq!(one_text(&session, "SELECT repeat(CAST(NULL AS VARCHAR), 3)"), None);
    let days = "array_length(range(DATE '2026-01-01', DATE '2026-03-01', INTERVAL '1' DAY))";
    let numbers = "(SELECT value, lpad(CAST(value AS VARCHAR), 4, '0') AS text FROM range(0, 5000))";
    for (sql, wanted) in [
        (format!("SELECT {days}"), 59.0),
        ("SELECT sum(x) FROM (SELECT unnest(range(0, 1000)) AS x)".to_owned(), 499_500.0),
        (format!("SELECT count(*) FROM {numbers} WHERE text = lpad('7', 4, '0')"), 1.0),
        (format!("SELECT count(*) FROM (SELECT replace(text, '0', '') AS k FROM {numbers} GROUP BY k)"), 3_736.0),
        (format!("SELECT count(*) FROM {numbers} a JOIN {numbers} b ON a.text = b.text"), 5_000.0),
    ] {
        assert_eq!(one(&session, &sql), Some(wanted), "{sql}");
    }
}

#[test]
fn a_run_with_a_text_without_end_is_left_out_of_the_views_and_named() {
    let fixture = Fixture::new();
    let long = "x".repeat(70_000);
    let write = |implementation: &str, params| {
        fixture.run(|writer| {
            add(writer, &trial(0, implementation, "a", 0, params));
            writer.sample(&sample(0, 0, 0, 100)).unwrap();
        })
    };
    let plain = write("naive", json!({"size": {"int": 1}}));
    let hostile = [
        write(&long, json!({})),
        write("naive", json!({"mode": {"text": long}})),
        write("naive", json!({&long: {"int": 1}})),
    ];
    let session = fixture.session();
    let answer = session.sql("SELECT run_id FROM results").unwrap();
    assert_eq!(texts(&answer, "run_id"), [Some(plain)]);
    let named: Vec<&str> = answer.left_out.damaged.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(named.len(), hostile.len(), "{named:?}");
    for run_id in hostile {
        assert!(named.contains(&format!("run_id={run_id}/trials.parquet").as_str()), "{named:?}");
    }
}

#[test]
fn columns_of_one_name_are_told_apart() {
    let fixture = Fixture::new();
    let sql = "SELECT a.run_id, b.run_id, c.run_id FROM runs a JOIN trials b ON true JOIN trials c ON true";
    let answer = fixture.session().sql(sql).unwrap();
    let names: Vec<&str> = answer.schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["run_id", "b.run_id", "c.run_id"]);
}

#[test]
fn a_function_that_takes_no_text_says_so() {
    let error = Fixture::new().session().sql("SELECT avg(variant) FROM trials").unwrap_err().to_string();
    assert!(error.contains("`avg` takes no text") && !error.contains("bug"), "{error}");
}

#[test]
fn a_text_with_the_header_of_a_named_query_takes_its_parameters() {
    let fixture = Fixture::new();
    let session = fixture.session();
    let ask = |sql: &str, given: &[(&str, &str)]| {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        session.script("mine.sql", sql, &given.collect::<BTreeMap<_, _>>())
    };
    let sql = "-- title: rows\n-- param most integer = 3: how many\nSELECT count(*) AS n FROM range(0, 10) WHERE value < $most";
    assert_eq!(ints(&ask(sql, &[]).unwrap(), "n"), [Some(3)]);
    assert_eq!(ints(&ask(sql, &[("most", "5")]).unwrap(), "n"), [Some(5)]);
    assert!(matches!(ask(sql, &[("most", "x")]), Err(Error::BadParameter { .. })));
    assert_eq!(ints(&ask("-- a remark\nSELECT 1 AS n", &[]).unwrap(), "n"), [Some(1)]);
    let error = ask("SELECT 1 AS n", &[("most", "5")]).unwrap_err().to_string();
    assert!(error.contains("mine.sql") && error.contains("-- title:"), "{error}");
}
