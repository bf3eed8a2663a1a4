//! The words of the command line, SQL that begins with a comment among them.

use std::ffi::{OsStr, OsString};

/// The words, with a space before each that begins with a comment of SQL: no option has white space in its name.
pub fn words(given: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    given.map(|word| if is_comment(&word) { [" ".into(), word].into_iter().collect() } else { word })
}

fn is_comment(word: &OsStr) -> bool {
    let option = word.to_str().and_then(|word| word.strip_prefix("--")).unwrap_or_default();
    option.split('=').next().is_some_and(|name| name.contains(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command, Format};

    #[test]
    fn a_statement_may_begin_with_a_comment() {
        let sql = "-- title: Every run = all\n-- more\nSELECT 1";
        for statement in [sql, "--\nSELECT 1", "--x\nSELECT 1", "/* x */ SELECT 1"] {
            let given = ["benchbook", "sql", statement, "--format=csv"].map(OsString::from);
            let Command::Sql(arguments) = Cli::try_parse_from(words(given.into_iter())).unwrap().command else {
                panic!("{statement} is no statement")
            };
            assert_eq!(arguments.statement.unwrap().trim_start(), statement);
            assert_eq!(arguments.format.format, Format::Csv);
        }
    }

    #[test]
    fn options_stay_options() {
        for option in ["--format", "--tag=two words", "--param=x= y", "--", "-x", "-- "] {
            let kept: Vec<OsString> = words([OsString::from(option)].into_iter()).collect();
            assert_eq!(kept[0] == option, option != "-- ", "{option}");
        }
        let wrong = ["benchbook", "sql", "--formt", "csv", "select 1"].map(OsString::from);
        assert!(Cli::try_parse_from(words(wrong.into_iter())).unwrap_err().to_string().contains("--format"));
    }
}
