//! What a session refuses, and how it says so.

use crate::common::{Fixture, one};
use benchbook_query::{Error, Position};

#[test]
fn nothing_can_be_changed_or_read_outside_the_store() {
    let fixture = Fixture::new();
    let session = fixture.session();
    let target = fixture.folder.path().join("out.csv");
    let target = target.display();
    for sql in [
        format!("COPY (SELECT 1) TO '{target}'"),
        format!("COPY runs TO '{target}' STORED AS CSV"),
        "INSERT INTO runs SELECT * FROM runs".to_owned(),
        "DELETE FROM runs".to_owned(),
        "UPDATE runs SET suite = 'x'".to_owned(),
        "DROP TABLE runs".to_owned(),
        "CREATE TABLE t AS SELECT 1".to_owned(),
        "CREATE VIEW v AS SELECT 1".to_owned(),
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'".to_owned(),
        "SET datafusion.execution.batch_size = 1".to_owned(),
        "PREPARE p AS SELECT 1".to_owned(),
        "TRUNCATE TABLE runs".to_owned(),
        "EXPLAIN INSERT INTO runs SELECT * FROM runs".to_owned(),
        format!("EXPLAIN ANALYZE COPY (SELECT 1) TO '{target}'"),
    ] {
        let error = session.sql(&sql).unwrap_err();
        assert!(matches!(error, Error::ReadOnly { .. } | Error::Sql { .. }), "{sql}: {error:?}");
    }
    assert!(!fixture.folder.path().join("out.csv").exists());
    for sql in [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM 'file:///etc/passwd'",
        "SELECT * FROM '/etc/hosts.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT 1; SELECT 2",
        "",
        ";",
    ] {
        let error = session.sql(sql).unwrap_err();
        assert!(matches!(error, Error::Sql { .. } | Error::ReadOnly { .. }), "{sql}: {error:?}");
        assert!(!error.to_string().contains("root:"), "{error}");
    }
    assert_eq!(one(&session, "SELECT count(*) FROM runs"), Some(0.0));
}

#[test]
fn a_refusal_names_the_statement() {
    let error = Fixture::new().session().sql("drop table runs").unwrap_err().to_string();
    assert!(error.starts_with("DROP TABLE is refused: a store is only read here"), "{error}");
}

fn parts(sql: &str) -> (String, Option<Position>, Option<String>) {
    match Fixture::new().session().sql(sql).unwrap_err() {
        Error::Sql { message, position, nearest } => (message, position, nearest),
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn errors_say_where_and_what_was_meant() {
    let at = |line, column| Some(Position { line, column });
    let (message, position, nearest) = parts("SELECT elapsed_n\nFROM samples");
    assert_eq!(
        (message.as_str(), position, nearest.as_deref()),
        ("no column `elapsed_n` here", at(1, 8), Some("elapsed_ns"))
    );
    let (message, position, nearest) = parts("SELECT *\nFROM sample");
    assert_eq!(
        (message.as_str(), position, nearest.as_deref()),
        ("no table or view `sample`", at(2, 6), Some("samples"))
    );
    let (message, position, nearest) = parts("SELECT speedupp(1.0, true)");
    assert_eq!((message.as_str(), position, nearest.as_deref()), ("no function `speedupp`", at(1, 8), Some("speedup")));
    let (_, position, _) = parts("SELECT 1 FROM\nWHERE");
    assert_eq!(position.map(|position| position.line), Some(2));
    let (message, _, nearest) = parts("SELECT entirely_else FROM runs");
    assert_eq!((message.as_str(), nearest), ("no column `entirely_else` here", None));
    let text = Fixture::new().session().sql("SELECT vallid FROM results").unwrap_err().to_string();
    assert_eq!(text, "no column `vallid` here at line 1, column 8; did you mean `valid`?");
}

#[test]
fn a_name_that_needs_quotes_is_suggested_with_them() {
    let fixture = Fixture::new();
    let path = fixture.folder.path().join("mine.csv");
    std::fs::write(&path, "Name,plain_1,two words\na,1,b\n").unwrap();
    let mut session = fixture.session();
    session.add_csv("mine", &path).unwrap();
    for (asked, meant) in [("Name", "`\"Name\"`"), ("two_words", "`\"two words\"`"), ("plain_2", "`plain_1`")] {
        let error = session.sql(&format!("SELECT {asked} FROM mine")).unwrap_err().to_string();
        assert!(error.contains(&format!("did you mean {meant}?")), "{asked}: {error}");
    }
    assert_eq!(session.sql("SELECT \"Name\" FROM mine").unwrap().rows(), 1);
}

#[test]
fn a_parameter_without_a_value_is_named() {
    let error = Fixture::new().session().sql("SELECT * FROM runs WHERE suite = $suite").unwrap_err();
    assert_eq!(error.to_string(), "give a value to `$suite`");
}

#[test]
fn a_session_can_be_used_inside_another_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let count = runtime.block_on(async {
        let session = Fixture::new().session();
        one(&session, "SELECT count(*) FROM results")
    });
    assert_eq!(count, Some(0.0));
}
