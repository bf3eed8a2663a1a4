//! CSV files as tables beside those of the store.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::datatypes::DataType;

use crate::common::{Fixture, flags, floats, ints, one, texts};
use benchbook_query::{Error, Session};

/// A file of the fixture's folder.
fn file(fixture: &Fixture, text: &[u8]) -> PathBuf {
    let path = fixture.folder.path().join("file.csv");
    fs::write(&path, text).unwrap();
    path
}

/// A session with `text` as the table `added`, or why there is none.
fn added(text: &[u8]) -> Result<(Fixture, Session), Error> {
    let fixture = Fixture::new();
    let path = file(&fixture, text);
    let mut session = fixture.session();
    session.add_csv("added", &path)?;
    Ok((fixture, session))
}

#[test]
fn columns_have_the_type_of_their_values() {
    let text = b"tool,noisy,extra,seed,low,note,nothing\na,true,0,1,1e-3,\"x, y\",\nb,false,0.05,2,NaN,,\n";
    let (_fixture, session) = added(text).unwrap();
    let answer = session.sql("SELECT * FROM added ORDER BY seed").unwrap();
    let types: Vec<DataType> = answer.schema.fields().iter().map(|field| field.data_type().clone()).collect();
    let (word, number) = (DataType::Utf8, DataType::Float64);
    assert_eq!(types, [word.clone(), DataType::Boolean, number.clone(), DataType::Int64, number, word.clone(), word]);
    assert_eq!(flags(&answer, "noisy"), [Some(true), Some(false)]);
    assert_eq!(floats(&answer, "extra"), [Some(0.0), Some(0.05)]);
    assert_eq!(ints(&answer, "seed"), [Some(1), Some(2)]);
    assert!(floats(&answer, "low")[1].unwrap().is_nan());
    let (_fixture, powers) = added(b"flops\n1e9\n3e9\n").unwrap();
    assert_eq!(one(&powers, "SELECT avg(flops) FROM added"), Some(2e9));
    assert_eq!(texts(&answer, "note"), [Some("x, y".to_owned()), None]);
    assert_eq!(texts(&answer, "nothing"), [None, None]);
    let sql = "SELECT count(*) FROM added a LEFT JOIN runs r ON r.suite = a.tool WHERE binomial_low(a.seed, 10) > 0";
    assert_eq!(one(&session, sql), Some(2.0));
}

#[test]
fn nothing_that_was_written_is_lost() {
    let text = b"commit,case,seed\n12e4567,007,9223372036854775808\n1234567,12,1\n";
    let (_fixture, session) = added(text).unwrap();
    let answer = session.sql("SELECT * FROM added ORDER BY commit").unwrap();
    let words = |words: [&str; 2]| words.map(|word| Some(word.to_owned()));
    assert_eq!(texts(&answer, "commit"), words(["1234567", "12e4567"]));
    assert_eq!(texts(&answer, "case"), words(["12", "007"]));
    assert_eq!(texts(&answer, "seed"), words(["1", "9223372036854775808"]));
}

#[test]
fn a_header_alone_is_a_table_without_rows() {
    for text in [&b"a,b\n"[..], b"a,b"] {
        let (_fixture, session) = added(text).unwrap();
        let answer = session.sql("SELECT a, CAST(b AS DOUBLE) AS b FROM added").unwrap();
        assert_eq!((answer.rows(), answer.schema.fields().len()), (0, 2));
    }
}

#[test]
fn what_is_no_csv_says_why() {
    for (text, part) in [
        (&b""[..], "it is empty"),
        (b" \n\n", "it is empty"),
        (b"a,b\n1,2\n1,2,3\n", "line 3"),
        (b"a,b\n1\n", "line 2"),
        (b"a,b,a\n1,2,3\n", "two columns are called `a`"),
        (b"a,,c\n1,2,3\n", "a column has no name"),
        (b"a,b\n1,\xff\xfe\n", "UTF-8"),
    ] {
        let error = added(text).err().unwrap_or_else(|| panic!("{text:?}"));
        assert!(matches!(error, Error::Csv { .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains(part) && message.contains("file.csv"), "{message}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let error = session.add_csv("added", &fixture.folder.path().join("absent.csv")).unwrap_err();
    assert!(matches!(error, Error::CsvUnread { .. }) && error.to_string().contains("absent.csv"), "{error}");
    let error = session.add_csv("added", fixture.folder.path()).unwrap_err();
    assert!(matches!(error, Error::CsvUnread { .. }), "{error}");
    let error = session.add_csv("added", Path::new("/dev/null")).unwrap_err();
    assert!(matches!(error, Error::CsvUnread { .. }) && error.to_string().contains("it is a device"), "{error}");
    assert!(session.sql("SELECT * FROM added").is_err());
}

#[test]
fn names_of_the_store_stay_its_own() {
    let fixture = Fixture::new();
    let path = file(&fixture, b"a\n1\n");
    let mut session = fixture.session();
    for taken in ["runs", "samples", "results", "pairs"] {
        let error = session.add_csv(taken, &path).unwrap_err();
        assert!(matches!(error, Error::TableName { .. }), "{taken}: {error:?}");
        assert_eq!(one(&session, &format!("SELECT count(*) FROM {taken}")), Some(0.0), "{taken}");
    }
    for odd in ["", "Trust", "a b", "1st", "a.b", "a;drop"] {
        let error = session.add_csv(odd, &path).unwrap_err();
        assert!(matches!(error, Error::TableName { .. }), "{odd}: {error:?}");
    }
}

#[test]
fn a_table_added_again_is_read_again_and_known_by_name() {
    let fixture = Fixture::new();
    let path = file(&fixture, b"a\n1\n");
    let mut session = fixture.session();
    session.add_csv("added", &path).unwrap();
    file(&fixture, b"a\n1\n2\n");
    assert_eq!(one(&session, "SELECT count(*) FROM added"), Some(1.0));
    session.add_csv("added", &path).unwrap();
    assert_eq!(one(&session, "SELECT count(*) FROM added"), Some(2.0));
    let error = session.sql("SELECT * FROM aded").unwrap_err().to_string();
    assert!(error.contains("did you mean `added`?"), "{error}");
}
