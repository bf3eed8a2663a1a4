//! Text for people: it gives a terminal no orders, tells no password, and counts with a noun.

/// Text as a person may see it: characters that a terminal obeys, or that turn the direction of reading, become
/// `\u{fffd}`, and passwords in URLs become `***`. New lines and tabs stay.
#[must_use]
pub fn for_people(text: &str) -> String {
    without_passwords(text).replace(|c: char| is_order(c) && !matches!(c, '\n' | '\t'), "\u{fffd}")
}

/// The same on one line, for a name or a cell.
#[must_use]
pub fn on_one_line(text: &str) -> String {
    without_passwords(text).replace(['\n', '\t'], " ").replace(is_order, "\u{fffd}")
}

/// Whether a terminal obeys a character, new lines and tabs too, or it turns the direction of reading.
#[must_use]
pub fn is_order(c: char) -> bool {
    let turns_direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns_direction || c.is_control()
}

/// Text with `***` in place of the passwords of its URLs.
#[must_use]
pub fn without_passwords(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>');
    for mut rest in text.split_inclusive(is_end) {
        while let Some(at) = rest.find("://") {
            let (before, after) = rest.split_at(at + 3);
            told += before;
            rest = after;
            if let Some((from, to)) = password(after) {
                told.extend([&after[..from], "***"]);
                // Another URL may follow in the same word.
                rest = &after[to..];
            }
        }
        told += rest;
    }
    told
}

/// Where the password stands in what follows the `://` of a URL.
fn password(url: &str) -> Option<(usize, usize)> {
    let authority = &url[..url.find(['/', '?', '#']).unwrap_or(url.len())];
    let from = authority.find(':')? + 1;
    let is_port = authority[from..].chars().all(|c| c.is_ascii_digit());
    // A password may hold a slash that nobody has escaped.
    let to = authority.rfind('@').or_else(|| url.rfind('@').filter(|_| !is_port))?;
    (from <= to).then_some((from, to))
}

/// A count and its noun, with an s unless it is one: `1 trial`, `2 trials`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_given_no_orders() {
        let hostile = "a\u{1b}[31mred\u{1b}]0;title\u{7} \u{9b}2J\u{7f}\u{202e}olleh\r";
        let shown = for_people(&format!("{hostile}\n\tµ é 日本"));
        assert_eq!(
            shown,
            "a\u{fffd}[31mred\u{fffd}]0;title\u{fffd} \u{fffd}2J\u{fffd}\u{fffd}olleh\u{fffd}\n\tµ é 日本"
        );
        assert_eq!(on_one_line("two\nlines\u{1b}c"), "two lines\u{fffd}c");
        let turns = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        assert_eq!(for_people(turns), "\u{fffd}".repeat(12));
    }

    #[test]
    fn passwords_of_urls_are_not_told() {
        let cases = [
            ("https://me:secret@host/a", "https://me:***@host/a"),
            ("`http://me:s:e@c@host:80/a`: no", "`http://me:***@host:80/a`: no"),
            ("http://me:to/k?e#n@host/a", "http://me:***@host/a"),
            ("http://:secret@host and ftp://a:secret@b", "http://:***@host and ftp://a:***@b"),
            ("https://a:p@h/x,https://b:q@i", "https://a:***@h/x,https://b:***@i"),
            ("https://h/x,https://b:q@i,http://j:80", "https://h/x,https://b:***@i,http://j:80"),
            ("http://host:80/a@b", "http://host:80/a@b"),
            ("s3://bucket/prefix", "s3://bucket/prefix"),
            ("http://me@host:80/", "http://me@host:80/"),
            ("a: b@c, 2://", "a: b@c, 2://"),
        ];
        for (text, told) in cases {
            assert_eq!(without_passwords(text), told);
        }
    }
}
