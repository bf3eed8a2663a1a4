//! Pages: plotly.js once, nothing from the network, text that stays text.

use crate::common::figures;
use benchbook_report::charts::{document, plotly_js, script_once};

const BANNER: &str = "* plotly.js v3.";

/// The page without what stands inside its scripts.
fn markup(page: &str) -> String {
    let mut out = String::new();
    let mut rest = page;
    while let Some((before, script)) = rest.split_once("<script") {
        let (tag, script) = script.split_once('>').expect("the tag ends");
        let (_, after) = script.split_once("</script>").expect("the script ends");
        out.push_str(&format!("{before}<script{tag}></script>"));
        rest = after;
    }
    out + rest
}

#[test]
fn plotly_js_is_the_bundled_one() {
    assert!(plotly_js().contains(BANNER) && plotly_js().len() > 3_000_000);
    assert!(!plotly_js().contains("<script") && !plotly_js().contains("</script") && !plotly_js().contains("<!--"));
    assert!(script_once().starts_with("<script>"));
}

#[test]
fn a_document_has_plotly_once_and_every_figure() {
    let page = document("demo", &figures(), "<p id=\"extra\">more</p>");
    assert_eq!(page.matches(BANNER).count(), 1);
    let markup = markup(&page);
    assert_eq!(markup.matches("class=\"benchbook-figure\"").count(), 3);
    for id in ["figure-1", "figure-2", "figure-3"] {
        assert_eq!(markup.matches(&format!("id=\"{id}\"")).count(), 1);
        assert_eq!(markup.matches(&format!("<script type=\"application/json\" id=\"{id}-data\">")).count(), 1);
    }
    assert!(markup.contains("<p id=\"extra\">more</p>") && markup.contains("prefers-color-scheme: dark"));
}

#[test]
fn a_document_loads_nothing() {
    let markup = markup(&document("demo", &figures(), ""));
    for word in ["src=", "href=", "http://", "https://", "@import", "url(", "<link", "<iframe"] {
        assert!(!markup.contains(word), "{word}");
    }
    assert!(markup.contains("default-src 'none'"), "the policy forbids the rest");
}

#[test]
fn no_text_leaves_its_place() {
    let evil = "</script></title><script>alert(1)</script>\"'";
    let [figure, ..] = figures();
    let figure = figure.with_title(evil);
    let div = figure.html_div("a\"><script>");
    assert!(div.starts_with("<div class=\"benchbook-figure\" id=\"a---script-\""));
    assert_eq!(div.matches("<script").count(), 2);
    assert_eq!(div.matches("</script").count(), 2);
    let page = document(evil, &[figure], "");
    assert!(!markup(&page).contains("alert(1)</script>"));
    assert!(page.contains("<title>&lt;/script&gt;&lt;/title&gt;"));
}

#[test]
fn an_empty_document_is_a_page() {
    let page = document("", &[], "");
    assert!(page.contains("There are no figures.") && page.ends_with("</html>\n"));
}
