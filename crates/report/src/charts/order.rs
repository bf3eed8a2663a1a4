//! Natural order of names: `seq=512` before `seq=1024`.

use std::cmp::Ordering;

/// Compares names piece by piece, runs of digits by value; ties fall back to plain text order.
pub(crate) fn natural(left: &str, right: &str) -> Ordering {
    let (mut a, mut b) = (left, right);
    while !a.is_empty() && !b.is_empty() {
        let (x, rest_a) = piece(a);
        let (y, rest_b) = piece(b);
        let order = if is_number(x) && is_number(y) {
            let (x, y) = (x.trim_start_matches('0'), y.trim_start_matches('0'));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            x.cmp(y)
        };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.len().cmp(&b.len()).then_with(|| left.cmp(right))
}

fn is_number(piece: &str) -> bool {
    piece.starts_with(|c: char| c.is_ascii_digit())
}

/// The leading run of digits, or of anything else, and what follows it.
fn piece(text: &str) -> (&str, &str) {
    let digits = is_number(text);
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_by_value() {
        let mut names = vec!["seq=1024", "seq=128", "a", "seq=128 b", "seq=0128", "", "é2", "é10"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["", "a", "seq=0128", "seq=128", "seq=128 b", "seq=1024", "é2", "é10"]);
    }

    #[test]
    fn longer_than_any_integer_type() {
        let (small, large) = ("9".repeat(40), format!("1{}", "0".repeat(40)));
        assert_eq!(natural(&small, &large), Ordering::Less);
    }
}
