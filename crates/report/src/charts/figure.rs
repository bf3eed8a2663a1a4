//! A finished figure: plotly JSON, and the piece of HTML that shows it.

use serde_json::Value;

use super::frame::title_text;
use super::text;

/// A figure ready to be shown: plotly's `data`, `layout` and `config`.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    title: String,
    notes: Vec<String>,
    value: Value,
    height_px: u32,
}

impl Figure {
    pub(crate) fn new(title: &str, notes: Vec<String>, value: Value, height_px: u32) -> Self {
        Self { title: title.to_owned(), notes, value, height_px }
    }

    /// The title, as plain text.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Height of the figure in CSS pixels; its width is the page's.
    #[must_use]
    pub fn height_px(&self) -> u32 {
        self.height_px
    }

    /// The same figure under another title (plain text, shown literally).
    #[must_use]
    pub fn with_title(mut self, title: &str) -> Self {
        self.title = title.to_owned();
        if let Some(shown) = self.value.pointer_mut("/layout/title/text") {
            *shown = Value::String(title_text(title, &self.notes));
        }
        self
    }

    /// The plotly JSON `{data, layout, config}`, as MIME type `application/vnd.plotly.v1+json` has it.
    #[must_use]
    pub fn json(&self) -> String {
        self.value.to_string()
    }

    /// [`Figure::json`] for a notebook that draws it by itself: at one size, since JupyterLab's renderer loses a
    /// responsive figure when the window changes.
    #[must_use]
    pub fn json_of_fixed_size(&self) -> String {
        let mut value = self.value.clone();
        if let Some(responsive) = value.pointer_mut("/config/responsive") {
            *responsive = Value::Bool(false);
        }
        value.to_string()
    }

    /// The same as [`Figure::json`], as a value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Takes away the row of buttons that comes with the pointer.
    pub(crate) fn hide_mode_bar(&mut self) {
        if let Some(shown) = self.value.pointer_mut("/config/displayModeBar") {
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
        let height = self.height_px;
        let label = text::html(&self.title);
        let json = text::script_json(&self.json());
        format!(
            "<div class=\"benchbook-figure\" id=\"{id}\" role=\"img\" aria-label=\"{label}\" style=\"width:100%;height:{height}px\">{inside}</div>\n\
             <script type=\"application/json\" id=\"{id}-data\">{json}</script>\n\
             <script>{script}</script>\n"
        )
    }
}
