//! Stores that are empty, unfinished or damaged.

use std::fs;

use crate::common::{Fixture, add, one, sample, texts, trial};
use benchbook_query::named_queries;
use benchbook_record::{RunWriter, Table};
use serde_json::json;

fn write(writer: &mut RunWriter) {
    for (number, implementation) in [(0, "naive"), (1, "flash")] {
        add(writer, &trial(number, implementation, "a", 0, json!({"seq": {"int": 64}})));
        for block in 0..10 {
            writer.sample(&sample(number, block, block, 100 + block)).unwrap();
        }
    }
}

fn flip(path: &std::path::Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_empty_store_has_every_table_and_view() {
    let fixture = Fixture::new();
    let session = fixture.session();
    let views = ["results", "pairs", "verdicts", "metric_values", "metric_pairs", "metric_verdicts"];
    for table in Table::ALL.iter().map(|table| table.name()).chain(views) {
        let answer = session.sql(&format!("SELECT * FROM {table}")).unwrap();
        assert_eq!(answer.rows(), 0, "{table}");
        assert!(answer.schema.fields().len() > 5, "{table}");
        assert!(answer.left_out.is_empty());
    }
    // The claims, the papers and the names of optimizations come with benchbook, not with a store.
    let of_stores = |name: &str| !["claims", "optimizations", "papers"].contains(&name);
    for query in named_queries().unwrap().iter().filter(|query| of_stores(&query.name)) {
        let answer =
            session.named(&query.name, &Default::default()).unwrap_or_else(|error| panic!("{}: {error}", query.name));
        assert_eq!(answer.rows(), 0, "{}", query.name);
    }
    let answer = session.sql("SHOW TABLES").unwrap();
    let names: Vec<String> = texts(&answer, "table_name").into_iter().flatten().collect();
    assert!(
        ["samples", "results", "pairs", "claims"].iter().all(|name| names.iter().any(|known| known == name)),
        "{names:?}"
    );
    assert!(session.sql("DESCRIBE results").unwrap().rows() > 20);
}

#[test]
fn tables_without_rows_stand_beside_tables_with_rows() {
    let fixture = Fixture::new();
    fixture.run(write);
    let session = fixture.session();
    assert_eq!(one(&session, "SELECT count(*) FROM telemetry"), Some(0.0));
    assert_eq!(one(&session, "SELECT count(*) FROM samples"), Some(20.0));
}

#[test]
fn journals_answer_beside_parquet() {
    let fixture = Fixture::new();
    fixture.run(write);
    let cut = fixture.journal(write);
    let session = fixture.session();
    assert_eq!(one(&session, "SELECT count(*) FROM results WHERE valid"), Some(40.0));
    assert_eq!(one(&session, &format!("SELECT count(*) FROM pairs WHERE run_id = '{cut}'")), Some(20.0));
}

#[test]
fn a_damaged_file_is_named_and_the_rest_answers() {
    let fixture = Fixture::new();
    fixture.run(write);
    let hurt = fixture.run(write);
    flip(&fixture.file(&hurt, "samples.parquet"));
    let session = fixture.session();
    let answer = session.sql("SELECT count(*) FROM samples").unwrap();
    assert_eq!(one(&session, "SELECT count(*) FROM samples"), Some(20.0));
    assert_eq!(answer.left_out.damaged.len(), 1);
    assert!(answer.left_out.damaged[0].path.ends_with(&format!("run_id={hurt}/samples.parquet")));
    assert!(answer.left_out.to_string().contains("samples.parquet"));
    assert_eq!(one(&session, "SELECT count(*) FROM results"), Some(20.0));
}

#[test]
fn without_its_checks_a_run_is_not_trusted() {
    let fixture = Fixture::new();
    let hurt = fixture.run(write);
    flip(&fixture.file(&hurt, "checks.parquet"));
    let session = fixture.session();
    assert_eq!(one(&session, "SELECT count(*) FROM results WHERE valid"), Some(0.0));
    let answer = session.sql("SELECT count(*) FROM pairs").unwrap();
    assert_eq!(answer.left_out.samples.get("checks_unreadable"), Some(&20));
}

#[test]
fn without_the_row_of_its_run_a_sample_still_answers() {
    let fixture = Fixture::new();
    let hurt = fixture.run(write);
    flip(&fixture.file(&hurt, "runs.parquet"));
    let session = fixture.session();
    assert_eq!(one(&session, "SELECT count(*) FROM results WHERE suite IS NULL"), Some(20.0));
}
