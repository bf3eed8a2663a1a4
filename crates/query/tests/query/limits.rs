//! What a question may take, and what it may not do to the program that asks it.

use std::collections::BTreeMap;

use benchbook_query::{Error, Session};
use serde_json::json;

use crate::common::{Fixture, add, ints, one, sample, texts, trial};

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
