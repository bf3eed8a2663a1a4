//! A figure as PNG or SVG, drawn by a browser.

use std::fs;
use std::path::{Path, PathBuf};

use super::browser::Browser;
use super::error::Result;
use super::figure::Figure;
use super::page::{plotly_js, script_once};

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
