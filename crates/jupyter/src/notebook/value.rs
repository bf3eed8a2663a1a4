//! A text from the command line as a Rust expression of a declared type.

/// The expression, or what is wrong with the text.
pub(super) fn expression(kind: &str, text: &str) -> Result<String, String> {
    let kind: String = kind.split_whitespace().collect::<Vec<_>>().join(" ");
    match kind.as_str() {
        "&str" | "&'static str" => return Ok(format!("{text:?}")),
        "String" => return Ok(format!("String::from({text:?})")),
        _ => {}
    }
    if let Some(item) = kind.strip_prefix("Vec<").and_then(|rest| rest.strip_suffix('>')) {
        return Ok(format!("vec![{}]", list(item.trim(), text)?.join(", ")));
    }
    if let Some((item, length)) = array(&kind) {
        let items = list(item, text)?;
        if items.len().to_string() != length {
            return Err(format!("it has {} values, not {length}", items.len()));
        }
        return Ok(format!("[{}]", items.join(", ")));
    }
    scalar(&kind, text.trim())
}

/// `[T; N]`, as its item and its length.
fn array(kind: &str) -> Option<(&str, &str)> {
    let (item, length) = kind.strip_prefix('[')?.strip_suffix(']')?.rsplit_once(';')?;
    Some((item.trim(), length.trim()))
}

/// `1,2,3`; nothing is an empty list.
fn list(item: &str, text: &str) -> Result<Vec<String>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    text.split(',').map(|one| expression(item, one.trim())).collect()
}

macro_rules! numbers {
    ($kind:expr, $text:expr, [$($integer:ident)*], [$($float:ident)*]) => {
        match $kind {
            $(stringify!($integer) => match $text.replace('_', "").parse::<$integer>() {
                Ok(number) => Ok(number.to_string()),
                Err(_) => Err(format!("write a whole number from {} to {}", $integer::MIN, $integer::MAX)),
            },)*
            $(stringify!($float) => match $text.replace('_', "").parse::<$float>() {
                // Rust has no literal for infinity.
                Ok(number) if number.is_finite() => Ok(format!("{number:?}")),
                _ => Err("write a number such as 0.5 or 1e-3".into()),
            },)*
            other => Err(format!(
                "no text can give a `{other}`: take bool, a number type, String, &str, or Vec<T> and [T; N] of them"
            )),
        }
    };
}

fn scalar(kind: &str, text: &str) -> Result<String, String> {
    match kind {
        "bool" if ["true", "false"].contains(&text) => Ok(text.to_owned()),
        "bool" => Err("write true or false".into()),
        _ => numbers!(kind, text, [i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize], [f32 f64]),
    }
}

/// The type of a literal, where the declaration names none.
pub(super) fn kind_of(literal: &str) -> Option<&'static str> {
    let number = literal.strip_prefix('-').unwrap_or(literal).replace('_', "");
    const SUFFIXES: [&str; 14] =
        ["i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize", "f32", "f64"];
    if let Some(suffix) = SUFFIXES
        .into_iter()
        .find(|suffix| number.strip_suffix(suffix).is_some_and(|digits| digits.parse::<f64>().is_ok()))
    {
        return Some(suffix);
    }
    match literal {
        "true" | "false" => Some("bool"),
        _ if number.parse::<u128>().is_ok() => Some("i32"),
        _ if number.starts_with(|first: char| first.is_ascii_digit()) && number.parse::<f64>().is_ok() => Some("f64"),
        _ if literal.starts_with('"') && literal.len() > 1 && literal.ends_with('"') => Some("&str"),
        _ if literal.starts_with("String::from(\"") => Some("String"),
        _ if literal.starts_with('"') && [".to_string()", ".to_owned()"].iter().any(|end| literal.ends_with(end)) => {
            Some("String")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_expressions() {
        for (kind, text, expected) in [
            ("bool", "true", "true"),
            ("i64", "-7", "-7"),
            ("usize", "1_000", "1000"),
            ("u128", "340282366920938463463374607431768211455", "340282366920938463463374607431768211455"),
            ("f64", "3", "3.0"),
            ("f64", "1e300", "1e300"),
            ("f32", " 0.1 ", "0.1"),
            ("&str", "a \"b\"\\\n", r#""a \"b\"\\\n""#),
            ("&'static  str", "x", r#""x""#),
            ("String", " kept ", r#"String::from(" kept ")"#),
            ("Vec<usize>", "64, 128", "vec![64, 128]"),
            ("Vec<String>", "a,b", r#"vec![String::from("a"), String::from("b")]"#),
            ("Vec<i64>", "", "vec![]"),
            ("[f64; 2]", "1,2", "[1.0, 2.0]"),
        ] {
            assert_eq!(expression(kind, text).as_deref(), Ok(expected), "{kind} {text}");
        }
    }

    #[test]
    fn what_does_not_fit_says_what_would() {
        for (kind, text, part) in [
            ("bool", "yes", "true or false"),
            ("u64", "-1", "from 0 to 18446744073709551615"),
            ("i8", "128", "from -128 to 127"),
            ("i64", "1.5", "whole number"),
            ("i64", "1; std::process::exit(1)", "whole number"),
            ("f64", "fast", "0.5"),
            ("f64", "inf", "0.5"),
            ("f32", "1e300", "0.5"),
            ("[i64; 3]", "1,2", "2 values, not 3"),
            ("Vec<i64>", "1,x", "whole number"),
            ("Duration", "3s", "no text can give a `Duration`"),
        ] {
            let problem = expression(kind, text).expect_err(kind);
            assert!(problem.contains(part), "{kind} {text}: {problem}");
        }
    }

    #[test]
    fn literals_have_the_types_that_rust_gives_them() {
        for (literal, kind) in [
            ("true", Some("bool")),
            ("3", Some("i32")),
            ("-3", Some("i32")),
            ("3_usize", Some("usize")),
            ("3.5", Some("f64")),
            ("1e-3", Some("f64")),
            ("1f32", Some("f32")),
            ("\"a\"", Some("&str")),
            ("\"a\".to_owned()", Some("String")),
            ("String::from(\"a\")", Some("String")),
            ("inf", None),
            ("f()", None),
            ("\"", None),
        ] {
            assert_eq!(kind_of(literal), kind, "{literal}");
        }
    }
}
