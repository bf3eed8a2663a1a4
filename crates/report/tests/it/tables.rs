//! Tables in a browser: what a click and a word do to them, beside the styles of a notebook. Without a browser: skipped,
//! and in CI failed.

use benchbook_report::charts::Browser;
use benchbook_report::{Cells, SCRIPT, STYLE, escaped, html_table};
use serde_json::{Value, json};

/// What JupyterLab says of every table in an output.
const NOTEBOOK: &str = "
:root { --jp-layout-color0: rgb(17, 17, 17); }
:not(.jp-RenderedMarkdown).jp-RenderedHTMLCommon td, :not(.jp-RenderedMarkdown).jp-RenderedHTMLCommon th { text-align: right; }
.jp-OutputArea-output.jp-RenderedHTMLCommon table { table-layout: fixed; }";

/// Clicks, types and scrolls, and leaves what it saw in the page.
const LOOK: &str = r#"<script>addEventListener("load", () => {
  const table = document.querySelector("table"), heads = [...table.querySelectorAll("th")];
  const column = (place) => [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[place].textContent);
  const clicked = (place) => {
    heads[place].querySelector("button").click();
    return [heads.map((head) => head.getAttribute("aria-sort")).join(" "), column(place).join(" ")];
  };
  const said = { first: column(0).join(" "), sorted: [0, 1, 1, 1].map(clicked) };
  const input = document.querySelector(".benchbook-filter input");
  const typed = (text) => {
    input.value = text;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    return [column(0).join(" "), document.querySelector("output").textContent];
  };
  said.filtered = ["MS", "ms s25", "no such", ""].map(typed);
  const wide = document.querySelector(".benchbook-wide"), cell = table.rows[1].cells[0], second = table.rows[1].cells[1];
  const left = (element) => Math.round(element.getBoundingClientRect().left);
  said.wide = [wide.clientWidth, wide.scrollWidth > wide.clientWidth];
  const before = left(second);
  wide.scrollLeft = 100;
  said.scrolled = [left(cell) - left(wide), before - left(second)];
  said.align = [cell, second].map((element) => getComputedStyle(element).textAlign);
  said.behind = getComputedStyle(table.rows[2].cells[0]).backgroundColor;
  said.cue = getComputedStyle(wide).backgroundImage.includes("gradient");
  const place = document.createElement("pre");
  place.id = "said";
  place.textContent = JSON.stringify(said);
  document.body.append(place);
});</script>"#;

fn browser() -> Option<Browser> {
    Browser::find()
        .inspect_err(|error| {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have a browser: {error}");
        })
        .ok()
}

/// What a page leaves in the element `said`, as JSON.
fn seen(browser: &Browser, body: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    std::fs::write(&page, format!("<!doctype html><meta charset=\"utf-8\">{body}")).unwrap();
    let dom = browser.dom(&page).unwrap();
    let said = dom.rsplit_once("<pre id=\"said\">").and_then(|(_, rest)| rest.split_once("</pre>")).unwrap().0;
    serde_json::from_str(said).unwrap()
}

fn said(browser: &Browser) -> Value {
    let rows = [
        ("s512", "1.500 ms"),
        ("s64", "↓ 999.0 ns"),
        ("s1024", "2.000 s"),
        ("s128", ""),
        ("s16", "20.00 µs"),
        ("s256", "3.000 ms"),
        ("s2048", "not measured"),
        ("s32", "1.000 µs"),
    ];
    let row = |(name, time): (&str, &str)| {
        vec![name.to_owned(), time.to_owned(), "a long text that no phone can show whole".to_owned()]
    };
    let cells = Cells {
        header: ["case", "time", "why"].map(str::to_owned).to_vec(),
        numeric: vec![false, true, false],
        rows: rows.map(row).to_vec(),
    };
    let table = html_table(&cells, "", &[]);
    let output = format!(
        "<div style=\"width:300px\"><div class=\"jp-OutputArea-output jp-RenderedHTMLCommon\"><style>{STYLE}</style>{table}\
         <script>{SCRIPT}</script><script>{SCRIPT}</script></div></div>"
    );
    seen(browser, &format!("<style>{NOTEBOOK}</style><body>{output}{LOOK}"))
}

#[test]
fn on_a_phone_a_long_name_leaves_room_for_the_others() {
    let Some(browser) = browser() else { return };
    let name = "attention b4 h16 s4096 d128 causal, with a block mask and a window";
    let cells = Cells {
        header: ["case", "time"].map(str::to_owned).to_vec(),
        numeric: vec![false, true],
        rows: vec![vec![name.to_owned(), "1.500 ms".to_owned()]],
    };
    let page = format!("<!doctype html><style>{STYLE}</style>{}", html_table(&cells, "", &[]));
    let measure = "<pre id=\"said\"></pre><script>addEventListener('load', () => {
        const cell = document.querySelector('iframe').contentDocument.querySelector('td');
        document.getElementById('said').textContent = cell.getBoundingClientRect().width;
    });</script>";
    let frame = format!("<iframe style=\"width:360px\" srcdoc=\"{}\"></iframe>{measure}", escaped(&page));
    let width_px = seen(&browser, &frame).as_f64().unwrap();
    assert!(width_px < 180.0, "{width_px} of 360 pixels");
}

#[test]
fn a_table_sorts_filters_and_keeps_its_first_column() {
    let Some(browser) = browser() else { return };
    let said = said(&browser);
    let as_it_came = "s512 s64 s1024 s128 s16 s256 s2048 s32";
    assert_eq!(said["first"], as_it_came);
    let rising = "↓ 999.0 ns 1.000 µs 20.00 µs 1.500 ms 3.000 ms 2.000 s  not measured";
    let falling = "2.000 s 3.000 ms 1.500 ms 20.00 µs 1.000 µs ↓ 999.0 ns  not measured";
    let expected = json!([
        ["ascending none none", "s16 s32 s64 s128 s256 s512 s1024 s2048"],
        ["none ascending none", rising],
        ["none descending none", falling],
        ["none none none", "1.500 ms ↓ 999.0 ns 2.000 s  20.00 µs 3.000 ms not measured 1.000 µs"],
    ]);
    assert_eq!(said["sorted"], expected);
    let filtered =
        json!([["s512 s256", "2 of 8 rows"], ["s256", "1 of 8 rows"], ["", "0 of 8 rows"], [as_it_came, ""]]);
    assert_eq!(said["filtered"], filtered);
    assert_eq!(said["wide"], json!([300, true]), "the table scrolls, not the page");
    assert_eq!(said["scrolled"], json!([0, 100]), "the first column stays, the others move");
    assert_eq!(said["align"], json!(["left", "right"]));
    assert_eq!(said["behind"], "rgb(17, 17, 17)", "what passes below the first column does not shine through");
    assert_eq!(said["cue"], true);
}
