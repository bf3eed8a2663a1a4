//! What a cell of SQL asks: values for parameters, answers as tables, and an end from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use benchbook_query::Error;
use datafusion::common::ScalarValue;

use crate::common::{Fixture, flags, floats, ints, one, texts};

#[test]
fn values_have_their_type_and_are_no_text_of_the_statement() {
    let fixture = Fixture::new();
    let session = fixture.session();
    let hostile = "it's; drop table runs --";
    let values = vec![
        ("n".to_owned(), ScalarValue::Int64(Some(3))),
        ("x".to_owned(), ScalarValue::Float64(Some(0.5))),
        ("yes".to_owned(), ScalarValue::Boolean(Some(true))),
        ("word".to_owned(), ScalarValue::Utf8(Some(hostile.to_owned()))),
    ];
    let sql = "SELECT $n + 1 AS n, $x * 2 AS x, NOT $yes AS no, $word AS word";
    let answer = session.sql_with(sql, values).unwrap();
    assert_eq!((ints(&answer, "n"), floats(&answer, "x")), (vec![Some(4)], vec![Some(1.0)]));
    assert_eq!((flags(&answer, "no"), texts(&answer, "word")), (vec![Some(false)], vec![Some(hostile.to_owned())]));
    let error = session.sql_with("SELECT $absent", Vec::new()).unwrap_err();
    assert!(matches!(&error, Error::MissingParameter { names } if names == &["absent"]), "{error:?}");
}

#[test]
fn an_answer_is_a_table_for_later_questions() {
    let fixture = Fixture::new();
    let mut session = fixture.session();
    let answer = session.sql("SELECT value AS v FROM range(0, 4)").unwrap();
    session.add_answer("best", &answer).unwrap();
    assert_eq!(one(&session, "SELECT sum(v) FROM best"), Some(6.0));
    session.add_answer("best", &session.sql("SELECT v FROM best WHERE v > 2").unwrap()).unwrap();
    assert_eq!(one(&session, "SELECT sum(v) FROM best"), Some(3.0), "the newer one has taken its place");
    session.add_answer("Mixed", &answer).unwrap();
    assert_eq!(one(&session, "SELECT count(*) FROM \"Mixed\""), Some(4.0));
    for taken in ["runs", "results", "claims"] {
        let error = session.add_answer(taken, &answer).unwrap_err();
        assert!(matches!(error, Error::TableName { .. }), "{taken}: {error:?}");
    }
}

#[test]
fn a_question_is_ended_by_a_flag() {
    let fixture = Fixture::new();
    let flag = Arc::new(AtomicBool::new(true));
    let mut session = fixture.session();
    session.interrupted_by(&flag);
    let endless = "SELECT count(*) FROM range(0, 200000) a CROSS JOIN range(0, 200000) b WHERE a.value < -b.value";
    assert!(matches!(session.sql(endless), Err(Error::Interrupted)));
    flag.store(false, Ordering::Relaxed);
    assert_eq!(one(&session, "SELECT 1"), Some(1.0), "the session goes on");
}
