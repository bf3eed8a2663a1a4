//! Text made safe for the three places it goes to (plotly labels, HTML, JSON inside a script), and numbers as text.

use benchbook_core::is_order;

/// Longest label on an axis or in a legend, in characters.
const LABEL: usize = 48;
/// Longest title or hover text, in characters.
const LINE: usize = 140;

/// A name as a plotly label: at most 48 characters (the middle gives way), shown literally.
pub(crate) fn label(text: &str) -> String {
    literal(&shortened(text, LABEL))
}

/// A name as a plotly label in lines of at most `most` characters.
pub(crate) fn broken(text: &str, most: usize) -> String {
    literal_lines(&shortened(text, LABEL), most)
}

/// `what: reason` in lines of at most `most` characters, with at most 48 characters of the reason.
pub(crate) fn because(what: &str, reason: &str, most: usize) -> String {
    literal_lines(&format!("{what}: {}", shortened(reason, LABEL)), most)
}

fn literal_lines(text: &str, most: usize) -> String {
    in_lines(pieces(text, most), most).iter().map(|line| literal(line)).collect::<Vec<_>>().join("<br>")
}

/// Number of lines of a label.
pub(crate) fn height(label: &str) -> usize {
    1 + label.matches("<br>").count()
}

/// Pieces of at most `most` characters (≥ 1), cut after spaces and slashes, and within a longer word.
fn pieces(text: &str, most: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    for mut word in text.split_inclusive([' ', '/']) {
        while word.trim_end().chars().count() > most {
            let (piece, rest) = word.split_at(word.char_indices().nth(most).map_or(word.len(), |(at, _)| at));
            pieces.push(piece);
            word = rest;
        }
        pieces.push(word);
    }
    pieces
}

/// The pieces of a text in lines of at most `most` characters; a longer piece stands whole.
pub fn in_lines<'a>(pieces: impl IntoIterator<Item = &'a str>, most: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for piece in pieces {
        if line.is_empty() || line.chars().count() + piece.trim_end().chars().count() <= most {
            line.push_str(piece);
        } else {
            lines.push(line.trim_end().to_owned());
            line = piece.trim_start().to_owned();
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// A line of text (a title, a hover text) of at most 140 characters, shown literally.
pub(crate) fn line(text: &str) -> String {
    literal(&shortened(text, LINE))
}

/// Escapes plotly's pseudo-HTML (`<`, `>`, `&`), its templates (`%{…}`) and TeX (`$…$`), which it reads in every label.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '%' => out.push_str("&#37;"),
            '$' => out.push_str("&#36;"),
            // It would break lines or reorder what is read.
            c if is_order(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn shortened(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let tail = most / 3;
    let head: String = text.chars().take(most - tail - 1).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{head}…{end}")
}

/// Escapes text for HTML content and quoted attributes.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// JSON that can stand inside a `<script>` element: nothing in it can end or open an element. Still the same JSON.
pub(crate) fn script_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

/// A count with thousands separated: `20,000`.
pub(crate) fn count(n: usize) -> String {
    grouped(&n.to_string())
}

/// `n` and its noun, with an s unless n is 1.
pub(crate) fn counted(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A finite number with `digits` significant digits, trailing zeros dropped.
pub(crate) fn significant(value: f64, digits: i32) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let exponent = value.abs().log10().floor();
    if !(-9.0..15.0).contains(&exponent) {
        return format!("{value:.*e}", usize::try_from(digits - 1).unwrap_or(0));
    }
    let text = fixed(value, f64::from(digits) - 1.0 - exponent);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A finite number with this many decimals (rounded, between 0 and 15).
pub(crate) fn fixed(value: f64, decimals: f64) -> String {
    let decimals = decimals.clamp(0.0, 15.0) as usize;
    grouped(&format!("{value:.decimals$}"))
}

fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let mut out = sign.to_owned();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_literal() {
        assert_eq!(label("<b>a</b> & %{x} $y$"), "&lt;b&gt;a&lt;/b&gt; &amp; &#37;{x} &#36;y&#36;");
        assert_eq!(label("two\nlines\u{202E}x"), "two\u{FFFD}lines\u{FFFD}x");
        let turns = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        assert_eq!(label(turns), "\u{fffd}".repeat(12));
    }

    #[test]
    fn long_labels_keep_both_ends() {
        let name = format!("{}{}", "a".repeat(60), "z".repeat(60));
        let short = label(&name);
        assert_eq!(short.chars().count(), LABEL);
        assert!(short.starts_with("aaa") && short.ends_with("zzz") && short.contains('…'));
        assert_eq!(label(&"é".repeat(LABEL)), "é".repeat(LABEL));
    }

    #[test]
    fn broken_labels_keep_every_word() {
        assert_eq!(broken("a/b", 34), "a/b");
        assert_eq!(broken("block-sparse/libtorch-mkl/f32/2t", 20), "block-sparse/<br>libtorch-mkl/f32/2t");
        assert_eq!(broken("one two three", 7), "one two<br>three");
        assert_eq!(broken("<&>aaaa", 3), "&lt;&amp;&gt;<br>aaa<br>a");
        assert_eq!(height(&broken("one two three", 7)), 2);
        assert_eq!(because("no data", "it was ended", 12), "no data: it<br>was ended");
        for most in 1..12 {
            let lines = in_lines(pieces("ab  cdefghi/j klm", most), most);
            let longest = lines.iter().map(|line| line.chars().count()).max();
            assert!(longest.is_some_and(|longest| longest <= most), "{most}");
        }
    }

    #[test]
    fn json_cannot_leave_its_script() {
        let text = "</script><!-- & \u{2028}";
        let json = serde_json::to_string(text).expect("a string is JSON");
        let safe = script_json(&json);
        assert!(!safe.contains('<') && !safe.contains('&') && !safe.contains('\u{2028}'));
        assert_eq!(serde_json::from_str::<String>(&safe).expect("still JSON"), text);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(significant(1.5, 3), "1.5");
        assert_eq!(significant(1234.5678, 6), "1,234.57");
        assert_eq!(significant(0.000_123_456, 3), "0.000123");
        assert_eq!(significant(-123_456.0, 3), "-123,456");
        assert_eq!(significant(1e-300, 3), "1.00e-300");
        assert_eq!(significant(100.0, 3), "100");
        assert_eq!(fixed(1.4, 2.0), "1.40");
        assert_eq!(counted(1, "row"), "1 row");
    }
}
