//! A finished figure: plotly JSON, and the piece of HTML that shows it.

use std::fs;
use std::path::{Path, PathBuf};

use benchbook_core::Opaque;
use serde_json::Value;

use super::browser::Browser;
use super::error::Result;
use super::frame::title_text;
use super::page::{plotly_js, script_once};
use super::text;

/// A figure ready to be shown: plotly's `data`, `layout` and `config`.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure(Opaque<Drawing>);

#[derive(Debug, Clone, PartialEq)]
struct Drawing {
    title: String,
    notes: Vec<String>,
    value: Value,
    height_px: u32,
}

impl Figure {
    pub(crate) fn new(title: &str, notes: Vec<String>, value: Value, height_px: u32) -> Self {
        Self(Drawing { title: title.to_owned(), notes, value, height_px }.into())
    }

    /// The title, as plain text.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.0.title
    }

    /// Height of the figure in CSS pixels; its width is the page's.
    #[must_use]
    pub fn height_px(&self) -> u32 {
        self.0.height_px
    }

    /// The same figure under another title (plain text, shown literally).
    #[must_use]
    pub fn with_title(mut self, title: &str) -> Self {
        let drawing = &mut *self.0;
        drawing.title = title.to_owned();
        if let Some(shown) = drawing.value.pointer_mut("/layout/title/text") {
            *shown = Value::String(title_text(title, &drawing.notes));
        }
        self
    }

    /// The plotly JSON `{data, layout, config}`, as MIME type `application/vnd.plotly.v1+json` has it.
    #[must_use]
    pub fn json(&self) -> String {
        self.0.value.to_string()
    }

    /// [`Figure::json`] for a notebook that draws it by itself: at one size, since JupyterLab's renderer loses a
    /// responsive figure when the window changes.
    #[must_use]
    pub fn json_of_fixed_size(&self) -> String {
        let mut value = self.0.value.clone();
        if let Some(responsive) = value.pointer_mut("/config/responsive") {
            *responsive = Value::Bool(false);
        }
        value.to_string()
    }

    /// The same as [`Figure::json`], as a value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0.value
    }

    /// Takes away the row of buttons that comes with the pointer.
    pub(crate) fn hide_mode_bar(&mut self) {
        if let Some(shown) = self.0.value.pointer_mut("/config/displayModeBar") {
            *shown = Value::Bool(false);
        }
    }

    /// A `div`, its data, and a call that draws it, for a page that has [`script_once`](super::script_once) before it.
    ///
    /// `id` must be unique in the page; characters other than ASCII letters, digits, `-` and `_` become `-`.
    /// Once drawn, the div has `data-drawn="yes"`; if drawing fails it shows the error and has `data-drawn="no"`.
    #[must_use]
    pub fn html_div(&self, id: &str) -> String {
        self.piece(id, "", &format!("benchbookDraw(\"{}\");", Self::safe(id)))
    }

    /// An id that can stand in markup and scripts.
    pub(crate) fn safe(id: &str) -> String {
        let safe = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        if id.is_empty() { "figure".to_owned() } else { id.chars().map(safe).collect() }
    }

    /// The div with what stands in it until it is drawn, the data, and a script.
    pub(crate) fn piece(&self, id: &str, inside: &str, script: &str) -> String {
        let id = Self::safe(id);
        let height = self.0.height_px;
        let label = text::html(&self.0.title);
        let json = text::script_json(&self.json());
        format!(
            "<div class=\"benchbook-figure\" id=\"{id}\" role=\"img\" aria-label=\"{label}\" style=\"width:100%;height:{height}px\">{inside}</div>\n\
             <script type=\"application/json\" id=\"{id}-data\">{json}</script>\n\
             <script>{script}</script>\n"
        )
    }
}

/// Width of pictures in CSS pixels.
const WIDTH_PX: u32 = 1000;
const STYLE: &str = "html { color-scheme: light; } body { margin: 0; background: #ffffff; color: #1f2328; }";
/// Where the page that makes an SVG leaves it.
const OPEN: &str = "<pre id=\"svg\">";
const PREFIX: &str = "data:image/svg+xml,";

impl Figure {
    /// The figure as PNG on white, 1000 CSS pixels wide, two device pixels to each.
    ///
    /// # Errors
    /// The browser fails, or takes longer than its limit.
    pub fn png(&self, browser: &Browser) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir()?;
        let page = folder.path().join("figure.html");
        let mut still = self.clone();
        still.hide_mode_bar();
        let body = still.html_div("figure");
        fs::write(
            &page,
            format!("<!doctype html><meta charset=\"utf-8\"><style>{STYLE}</style>{}{body}", script_once()),
        )?;
        browser.screenshot(&page, WIDTH_PX, self.height_px())
    }

    /// The figure as a stand-alone SVG with a transparent background, 1000 CSS pixels wide.
    ///
    /// # Errors
    /// The browser fails, or takes longer than its limit.
    pub fn svg(&self, browser: &Browser) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let page = self.svg_page(folder.path())?;
        let dom = browser.dom(&page)?;
        let left = dom.split_once(OPEN).and_then(|(_, rest)| rest.split_once("</pre>")).map(|(left, _)| left);
        let svg = left.and_then(|left| left.strip_prefix(PREFIX)).and_then(percent_decoded);
        svg.filter(|svg| svg.starts_with("<svg"))
            .ok_or_else(|| browser.failed("no SVG", left.unwrap_or_default().to_owned()))
    }

    /// A page that leaves plotly's SVG, percent-encoded and so untouched by HTML, in its one `pre`.
    fn svg_page(&self, folder: &Path) -> Result<PathBuf> {
        // Beside the page rather than in it, or the DOM that comes back would hold all of plotly.js.
        fs::write(folder.join("plotly.js"), plotly_js())?;
        fs::write(folder.join("figure.js"), format!("const figure = {};\n{}", self.json(), include_str!("svg.js")))?;
        let page = folder.join("figure.html");
        let (width, height) = (WIDTH_PX, self.height_px());
        fs::write(
            &page,
            format!(
                "<!doctype html><meta charset=\"utf-8\"><style>{STYLE}</style>\
                 <div id=\"figure\" style=\"width:{width}px;height:{height}px\"></div>{OPEN}</pre>\
                 <script src=\"plotly.js\"></script><script src=\"figure.js\"></script>"
            ),
        )?;
        Ok(page)
    }
}

/// Text from its percent-encoded UTF-8; none if it is not that.
fn percent_decoded(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone() {
        assert_eq!(percent_decoded("%3Csvg%3E%C2%B5s").as_deref(), Some("<svg>µs"));
        assert_eq!(percent_decoded("50%"), None);
        assert_eq!(percent_decoded("%FF"), None);
    }
}
