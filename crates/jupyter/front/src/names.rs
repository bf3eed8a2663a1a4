//! What could stand at a place of an SQL statement, and what a name there means: from the names that the session knows,
//! so at once.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::assistant::Completions;
use crate::magics::{Cell, Mistake, Step};
use crate::page::Bundle;
use crate::source::name_at;

/// The names that a statement may use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Names {
    /// Tables and views, with their columns.
    pub tables: BTreeMap<String, Vec<String>>,
    /// Functions, with what is known of them; nothing is an empty text.
    pub functions: BTreeMap<String, String>,
    /// Rust variables, which stand after a `$`.
    pub variables: Vec<String>,
}

/// Words after which a table is named.
const OF_TABLES: [&str; 2] = ["from", "join"];
/// Words of SQL, those together that stand together.
const WORDS: &str = "select;from;where;group by;order by;having;limit;join;left join;inner join;full join;cross join;on;\
    using;as;and;or;not;in;is null;is not null;between;like;case;when;then;else;end;distinct;filter;over;partition by;with;\
    union all;values;asc;desc;cast;explain";

/// What could stand at a byte of a cell; nothing where that is no SQL.
pub(crate) fn complete(code: &str, byte: usize, names: impl FnOnce() -> Names) -> Option<Completions> {
    let (before, after) = around(code, byte)?;
    let matches = matching(&before, after, &names());
    let typed = word(&before);
    // Names that need quotation marks are written with them; those that were typed stay.
    Some(Completions { matches, start: byte - typed.len(), end: byte })
}

/// What the name at a byte of a cell means; nothing where that is no SQL, or where it means nothing there.
pub(crate) fn explain(code: &str, byte: usize, names: impl FnOnce() -> Names) -> Option<Bundle> {
    around(code, byte)?;
    let name = name_at(code, byte)?;
    describe(name.rsplit('.').next()?, &names())
}

/// What a name means in SQL.
#[must_use]
pub fn describe(name: &str, names: &Names) -> Option<Bundle> {
    let lower = name.to_lowercase();
    let function = names.functions.get(&lower);
    let function =
        function.map(|told| if told.is_empty() { format!("{lower}: a function of SQL") } else { told.clone() });
    let table = names.tables.get(name).or_else(|| names.tables.get(&lower));
    let table = table.map(|columns| format!("{name}: a table with the columns {}", columns.join(", ")));
    let has = |columns: &Vec<String>| columns.iter().any(|column| *column == name || *column == lower);
    let holders: Vec<&str> =
        names.tables.iter().filter(|(_, columns)| has(columns)).map(|(one, _)| one.as_str()).collect();
    let column = (!holders.is_empty()).then(|| format!("{name}: a column of {}", holders.join(", ")));
    let told: Vec<String> = [function, table, column].into_iter().flatten().collect();
    (!told.is_empty()).then(|| Bundle::text(told.join("\n\n")))
}

/// The statement that a byte of a cell stands in: what is before it, and what is after it.
fn around(code: &str, byte: usize) -> Option<(String, &str)> {
    let (head, after) = code.split_at_checked(byte)?;
    let line = head.rsplit('\n').next().unwrap_or_default().trim_start();
    let is_cell = head.lines().any(|line| line.trim_start().starts_with("%%sql"));
    let statement = match Cell::parse(head) {
        Err(Mistake::NoStatement(_)) => String::new(),
        Ok(Cell { mut steps, .. }) => match steps.pop()? {
            Step::Sql(sql) => sql.statement,
            _ => return None,
        },
        Err(_) => return None,
    };
    let blank = if statement.is_empty() { "" } else { &head[head.trim_end().len()..] };
    if is_cell {
        return Some((statement + blank, after));
    }
    // Of a line, the statement is the rest of it.
    let rest = after.split('\n').next().unwrap_or_default();
    line.starts_with("%sql").then(|| (statement + blank, rest))
}

fn is_part(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The part of a word that stands at the end of a text.
fn word(text: &str) -> &str {
    &text[text.trim_end_matches(is_part).len()..]
}

/// A statement with its texts and comments as blanks; nothing where its end is inside of one.
fn plain(statement: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = statement;
    while let Some(first) = rest.chars().next() {
        let (begin, end) = match first {
            '\'' => (1, "'"),
            '"' => (1, "\""),
            '-' if rest.starts_with("--") => (2, "\n"),
            '/' if rest.starts_with("/*") => (2, "*/"),
            _ => {
                plain.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
        };
        let length = begin + rest[begin..].find(end)? + end.len();
        plain.push(' ');
        rest = &rest[length..];
    }
    Some(plain)
}

/// The words, commas and brackets of a statement without texts.
fn tokens(plain: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), plain);
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|letter: char| !is_part(letter)).unwrap_or(rest.len());
        let length = if length == 0 { first.len_utf8() } else { length };
        if is_part(first) || matches!(first, ',' | '(' | ')') {
            found.push(&rest[..length]);
        }
        rest = &rest[length..];
    }
    found
}

/// The tables that a statement names, each by the name that its columns go by.
fn tables<'a>(tokens: &[&str], names: &'a Names) -> Vec<(String, &'a Vec<String>)> {
    let is_word = |token: &str| WORDS.split([';', ' ']).any(|word| word.eq_ignore_ascii_case(token));
    let mut found = Vec::new();
    let mut names_table = false;
    let mut place = 0;
    while let Some(token) = tokens.get(place) {
        place += 1;
        if OF_TABLES.iter().any(|word| word.eq_ignore_ascii_case(token)) {
            names_table = true;
            continue;
        }
        let table = if names_table { names.tables.get_key_value(&token.to_lowercase()) } else { None };
        names_table = false;
        let Some((table, columns)) = table else { continue };
        found.push((table.clone(), columns));
        if tokens.get(place).is_some_and(|next| next.eq_ignore_ascii_case("as")) {
            place += 1;
        }
        if let Some(alias) = tokens.get(place).filter(|next| next.starts_with(is_part) && !is_word(next)) {
            found.push((alias.to_lowercase(), columns));
            place += 1;
        }
        names_table = tokens.get(place) == Some(&",");
        place += usize::from(names_table);
    }
    found
}

/// A name as it is written in a statement.
fn written(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter == '_' || letter.is_ascii_digit();
    let needs_marks = !name.chars().all(plain) || name.starts_with(|first: char| first.is_ascii_digit());
    if needs_marks { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
}

fn matching(before: &str, after: &str, names: &Names) -> Vec<String> {
    let Some(head) = plain(before) else { return Vec::new() };
    let head = head.rsplit(';').next().unwrap_or_default();
    let typed = word(head);
    let base = &head[..head.len() - typed.len()];
    if base.ends_with('$') {
        return fitting(typed, names.variables.iter().cloned());
    }
    let after = plain(after).unwrap_or_default();
    let whole = format!("{base} {}", after.split(';').next().unwrap_or_default());
    let tables = tables(&tokens(&whole), names);
    if let Some(qualified) = base.strip_suffix('.') {
        let owner = word(qualified).to_lowercase();
        let columns = tables.iter().filter(|(name, _)| *name == owner).flat_map(|(_, columns)| columns.iter());
        return fitting(typed, columns.map(|name| written(name)));
    }
    let table_names = names.tables.keys().map(|name| written(name));
    let last = tokens(base).last().copied().unwrap_or_default();
    if OF_TABLES.iter().any(|word| word.eq_ignore_ascii_case(last)) {
        return fitting(typed, table_names);
    }
    let columns = tables.iter().flat_map(|(_, columns)| columns.iter()).map(|name| written(name));
    let known = columns.chain(table_names);
    if typed.is_empty() {
        return fitting(typed, known);
    }
    fitting(typed, known.chain(names.functions.keys().cloned()).chain(WORDS.split(';').map(str::to_owned)))
}

/// Those that begin as what was typed, each once; an underscore in front hides a name from who has typed nothing.
fn fitting(typed: &str, names: impl Iterator<Item = String>) -> Vec<String> {
    let begins = |name: &String| name.get(..typed.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(typed));
    let mut found: Vec<String> = Vec::new();
    for name in names.filter(begins) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names() -> Names {
        let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let tables = [
            ("runs", columns(&["run_id", "suite"])),
            ("results", columns(&["run_id", "replicate", "time_ns", "Odd name"])),
        ];
        let functions = [("replicate_median", "replicate_median(x, replicate)\nThe median."), ("abs", "")];
        Names {
            tables: tables.map(|(name, columns)| (name.to_owned(), columns)).into(),
            functions: functions.map(|(name, told)| (name.to_owned(), told.to_owned())).into(),
            variables: vec!["limit".into(), "tag".into()],
        }
    }

    /// What could stand at the mark `|`.
    fn offered(marked: &str) -> Option<Vec<String>> {
        let byte = marked.find('|').expect("a mark");
        let code = marked.replacen('|', "", 1);
        complete(&code, byte, names).map(|found| found.matches)
    }

    #[test]
    fn what_fits_its_place_is_offered() {
        for (marked, expected) in [
            ("%%sql\nselect repl| from results", vec!["replicate", "replicate_median"]),
            ("%%sql\nselect  | from runs", vec!["run_id", "suite", "results", "runs"]),
            ("%%sql\nselect * from r|", vec!["results", "runs"]),
            ("%%sql\nselect * from results join |", vec!["results", "runs"]),
            ("%%sql\nselect a.| from runs as a, results b", vec!["run_id", "suite"]),
            ("%%sql\nselect b.t| from runs a, results b where true", vec!["time_ns"]),
            ("%%sql\nselect results.| from results", vec!["run_id", "replicate", "time_ns", "\"Odd name\""]),
            ("%%sql\nselect x.| from runs", vec![]),
            ("%%sql\nselect * from runs where suite = $|", vec!["limit", "tag"]),
            ("%%sql\nselect * from runs where suite = $t|", vec!["tag"]),
            ("%%sql\nselect 'run| from runs", vec![]),
            ("%%sql\nselect 1 -- run| from runs", vec![]),
            ("%%sql\nselect 'a' /* b */ , SUI| from runs", vec!["suite"]),
            ("%%sql\nse|", vec!["select"]),
            ("%%sql\n|", vec!["results", "runs"]),
            ("%%sql best <<\nselect ab|", vec!["abs"]),
            ("%%sql\nselect * from runs; select tim|; select * from results", vec![]),
            ("!ls\n%sql select run_i| from runs\nlet a = 1;", vec!["run_id"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(offered(marked), Some(expected), "{marked}");
        }
    }

    #[test]
    fn what_is_no_sql_is_left_to_others() {
        for marked in
            ["let a = |", "let a = \"%%sql\n|\";", "%vars\nlab.s|", "%sql select 1\nx.|", "%%sq|", "%%sql --save x\n|"]
        {
            assert_eq!(offered(marked), None, "{marked}");
        }
        let found = complete("%%sql\nselect 'größe', run_ from runs", 28, names).expect("SQL");
        assert_eq!((found.start, found.end), (24, 28));
    }

    #[test]
    fn a_name_means_what_the_session_says() {
        let told = |code: &str, byte| explain(code, byte, names).map(|found| found.data["text/plain"].clone());
        let code = "%%sql\nselect replicate_median(r.time_ns, r.replicate), run_id, x from results r";
        assert_eq!(told(code, 15), Some("replicate_median(x, replicate)\nThe median.".into()));
        assert_eq!(told(code, 34), Some("time_ns: a column of results".into()));
        assert_eq!(told(code, 59), Some("run_id: a column of results, runs".into()));
        assert_eq!(told(code, 63), None);
        assert_eq!(told(&code.replace("%%sql\n", ""), 9), None);
    }

    proptest! {
        #[test]
        fn every_place_of_every_cell_has_an_answer(
            code in "(%%sql|%sql|\n| |select|from|runs|as|,|\\(|'|\"|--|/\\*|\\$|\\.|é|\\PC){0,24}", at in 0..64_usize,
        ) {
            if let Some(found) = complete(&code, at, names) {
                prop_assert!(found.start <= at && found.end == at && code.is_char_boundary(found.start));
            }
            let _ = explain(&code, at, names);
        }
    }
}
