//! Which time of a case is the shortest and which the longest.

use std::collections::BTreeMap;

use benchbook_query::Answer;

use crate::row::rows;

/// The place of a time among all times of its case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rank {
    Shortest,
    Longest,
}

/// The ranks of a comparison's cells, by row and name of the column.
pub(crate) fn cells(answer: &Answer) -> impl Fn(usize, &str) -> Option<Rank> {
    let ranks = ranks(answer);
    move |row, column| {
        let [baseline, candidate] = ranks.get(row)?;
        match column {
            "baseline time" => *baseline,
            "time" => *candidate,
            _ => None,
        }
    }
}

/// The ranks of baseline and candidate in each row of a comparison; nothing for those between, and where all are equal.
fn ranks(answer: &Answer) -> Vec<[Option<Rank>; 2]> {
    let times: Vec<(String, [Option<f64>; 2])> =
        rows(answer).map(|row| (row.case(), ["baseline_ns", "candidate_ns"].map(|name| row.float(name)))).collect();
    let mut ends: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (case, both) in &times {
        for time in both.iter().flatten() {
            let (low, high) = ends.entry(case).or_insert((*time, *time));
            (*low, *high) = (low.min(*time), high.max(*time));
        }
    }
    let rank = |case: &str, time: Option<f64>| {
        let (time, (low, high)) = (time?, *ends.get(case)?);
        if low >= high {
            None
        } else if time <= low {
            Some(Rank::Shortest)
        } else {
            (time >= high).then_some(Rank::Longest)
        }
    };
    times.iter().map(|(case, both)| both.map(|time| rank(case, time))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};

    use super::*;

    #[test]
    fn times_are_ranked_within_their_case() {
        let text = |values: [&str; 3]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
        let number = |values: [Option<f64>; 3]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
        let columns = [
            ("workload", text(["w"; 3])),
            ("case_name", text(["a", "a", "b"])),
            ("baseline_ns", number([Some(9.0), Some(9.0), Some(1.0)])),
            ("candidate_ns", number([Some(3.0), Some(5.0), None])),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let answer = Answer::from(batch);
        let (short, long) = (Some(Rank::Shortest), Some(Rank::Longest));
        assert_eq!(ranks(&answer), [[long, short], [long, None], [None, None]]);
    }
}
