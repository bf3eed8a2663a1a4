//! One result in several MIME types, as evcxr takes it from standard output.

use std::io::Write;

use benchbook_core::for_people;
use benchbook_report::{SCRIPT, STYLE, escaped};

/// A result as HTML and as plain text, and as plotly's JSON where it is one figure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bundle {
    /// A piece of HTML without the style that all pieces share.
    pub html: String,
    /// The same as plain text.
    pub text: String,
    /// `{data, layout, config}` of a lone figure.
    pub plotly: Option<String>,
    /// What a runner must know: the MIME type and its JSON.
    pub note: Option<(&'static str, String)>,
}

impl Bundle {
    /// Text alone.
    pub fn of_text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { html: format!("<pre>{}</pre>\n", escaped(&text)), text, ..Self::default() }
    }

    /// Sends the bundle to the notebook.
    pub fn emit(&self) {
        let mut out = std::io::stdout().lock();
        let has_table = self.html.contains("benchbook-table");
        let script = if has_table { format!("<script>{SCRIPT}</script>\n") } else { String::new() };
        let styled = format!("<style>{STYLE}</style>\n{}{script}", self.html);
        // Jupyter's console is a terminal.
        let text = for_people(&self.text);
        let mut parts = vec![("text/html", styled.as_str()), ("text/plain", text.as_str())];
        parts.extend(self.plotly.as_deref().map(|json| ("application/vnd.plotly.v1+json", json)));
        parts.extend(self.note.as_ref().map(|(mime, json)| (*mime, json.as_str())));
        for (mime, content) in parts {
            // A notebook that is gone cannot be told that it is gone.
            let _ = writeln!(out, "EVCXR_BEGIN_CONTENT {mime}\n{}\nEVCXR_END_CONTENT", harmless(content));
        }
        let _ = out.flush();
    }
}

/// No line of a content may look like the end of it.
fn harmless(content: &str) -> String {
    let line = |line: &str| if line.starts_with("EVCXR_") { format!(" {line}") } else { line.to_owned() };
    content.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_cannot_end_itself() {
        assert_eq!(harmless("a\nEVCXR_END_CONTENT\nb"), "a\n EVCXR_END_CONTENT\nb");
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(Bundle::of_text("<script>").html, "<pre>&lt;script&gt;</pre>\n");
    }
}
