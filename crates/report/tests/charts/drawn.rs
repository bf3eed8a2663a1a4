//! Every figure drawn by a real browser: without one skipped, and in CI failed. And browsers that hang, fail or say
//! nothing, played by small scripts, so that none is needed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use benchbook_report::charts::{
    Browser, Error, Figure, distribution, document, heat_map, history, scaling, script_once, speedup,
};
use serde_json::Value;

use crate::common::{batch, browser, figures, floats, integers, text};

/// Counts, once all is drawn, what is in each figure; the browser's own DOM is asked, so scripts do not count.
pub const COUNT: &str = r##"<pre id="counts"></pre><script>
addEventListener("load", () => setTimeout(() => {
  const told = {};
  for (const place of document.querySelectorAll(".benchbook-figure")) {
    const count = (what) => place.querySelectorAll(what).length;
    const box = place.getBoundingClientRect();
    const leaves = (text) => {
      const { left, right, top, bottom, width } = text.getBoundingClientRect();
      return width > 0 && (left < box.left - 1 || right > box.right + 1 || top < box.top - 1 || bottom > box.bottom + 1);
    };
    told[place.id] = {
      drawn: place.dataset.drawn, svgs: count(".main-svg"), points: count(".point"), lines: count("path.js-line"),
      scripts: count("script"), inks: getComputedStyle(place.querySelector("text")).fill,
      texts: [...place.querySelectorAll("text")].map((t) => t.textContent),
      cut: [...place.querySelectorAll("text")].filter(leaves).map((t) => t.textContent),
    };
  }
  document.getElementById("counts").textContent = encodeURIComponent(JSON.stringify(told));
}, 1000));
</script>"##;

/// What the browser finds in a document of these figures.
fn drawn(browser: &Browser, figures: &[Figure]) -> Value {
    seen(browser, &document("drawn", figures, COUNT))
}

/// What the browser finds in a page.
pub fn seen(browser: &Browser, html: &str) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A name that must be escaped in a URL.
    let page = folder.path().join("a page #1?.html");
    std::fs::write(&page, html).expect("written");
    let dom = browser.dom(&page).expect("the browser runs");
    let counts = dom
        .rsplit_once("<pre id=\"counts\">")
        .and_then(|(_, rest)| rest.split_once("</pre>"))
        .expect("counts are there")
        .0;
    let mut bytes = Vec::new();
    let mut rest = counts;
    while let Some((plain, after)) = rest.split_once('%') {
        bytes.extend_from_slice(plain.as_bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).expect("two digits"));
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    serde_json::from_slice(&bytes).expect("JSON")
}

fn texts(told: &Value) -> Vec<&str> {
    told["texts"].as_array().expect("texts").iter().filter_map(Value::as_str).collect()
}

#[test]
fn every_figure_is_drawn() {
    let Some(browser) = browser() else { return };
    let told = drawn(&browser, &figures());
    for id in ["figure-1", "figure-2", "figure-3"] {
        assert_eq!(told[id]["drawn"], "yes", "{id}");
        assert!(told[id]["svgs"].as_u64() >= Some(2), "{id}: {}", told[id]);
    }
    // All 28 samples; 5 ratios and 8 whisker ends; 12 medians and 24 whisker ends.
    assert_eq!(told["figure-1"]["points"], 28);
    assert_eq!(told["figure-2"]["points"], 13);
    assert_eq!(told["figure-3"]["points"], 36);
    // Box and median of four strips; at least one line for whiskers and one for each fit.
    assert!(told["figure-1"]["lines"].as_u64() >= Some(8), "{}", told["figure-1"]);
    assert!(told["figure-3"]["lines"].as_u64() >= Some(2), "{}", told["figure-3"]);
    assert!(texts(&told["figure-3"]).contains(&"flash: n^1.93 [1.88, 1.98]"));
    assert!(texts(&told["figure-2"]).contains(&"1.52× [1.40, 1.71]"));
}

/// One figure of each kind with the longest names, and a row that has only a reason.
fn long_texts() -> Vec<Figure> {
    let long =
        ["block-sparse-flash-attention/libtorch-mkl/f32/2t", "fused/flex/f32/2t", "block-sparse/libtorch-mkl/bf16/2t"];
    let case = "attention b4 h16 s4096 d128 causal, with a block mask";
    let times = || floats([1.234_5e6, 2.345_6e6, 0.4e6]);
    let cases = || text([case, case, "s64", "s64"]);
    let variants = || text([long[0], long[1], long[2], long[0]]);
    let reasons = || -> ArrayRef {
        Arc::new(StringArray::from(vec![None, None, None, Some("the worker was ended after 300 s without an answer")]))
    };
    [
        distribution(&[batch(vec![
            ("case_name", cases()),
            ("variant", variants()),
            ("time_ns", floats([Some(1.234_5e6), Some(2.345_6e6), Some(0.4e6), None])),
            ("reason", reasons()),
        ])]),
        speedup(&[batch(vec![
            ("case_name", cases()),
            ("candidate", variants()),
            ("baseline", text(["naive/libtorch-mkl/f32/2t"; 4])),
            ("ratio", floats([Some(1.234_56), Some(0.987_65), Some(3.0), None])),
            ("low", floats([Some(1.233_1), Some(0.912_34), Some(2.9), None])),
            ("high", floats([Some(1.236_2), Some(1.012_34), Some(3.1), None])),
            ("verdict", text(["faster", "undecided", "equivalent in the processes seen", "undecided"])),
            ("reason", reasons()),
        ])]),
        scaling(&[batch(vec![
            ("variant", text([long[0], long[0], long[2]])),
            ("x", integers([128, 256, 128])),
            ("time_ns", times()),
            ("exponent", floats([1.93; 3])),
            ("exponent_low", floats([1.88; 3])),
            ("exponent_high", floats([1.98; 3])),
        ])]),
        history(&[batch(vec![("variant", text(long)), ("run_number", integers([1, 2, 3])), ("time_ns", times())])]),
        heat_map(&[batch(vec![
            ("down", variants()),
            ("across", cases()),
            ("ratio", floats([Some(1.234_56), Some(0.987_65), Some(30.0), None])),
            ("reason", reasons()),
        ])]),
    ]
    .into_iter()
    .map(|figure| figure.expect("drawn"))
    .collect()
}

#[test]
fn a_phone_shows_every_text_whole_and_so_it_does_when_turned() {
    let Some(browser) = browser() else { return };
    let figures = long_texts();
    // A phone's 360 CSS pixels without the margins of a page, held upright or turned; a desktop beside it.
    for (first_px, then_px) in [(328, 328), (1000, 1000), (1000, 328), (328, 1000), (600, 328)] {
        let ids = (1..).map(|number| format!("figure-{number}"));
        let divs: String = figures.iter().zip(ids).map(|(figure, id)| figure.html_div(&id)).collect();
        let head = "<!doctype html><meta charset=\"utf-8\">";
        let turn = format!(
            "<script>addEventListener('load', () => setTimeout(() => {{
                document.querySelector('main').style.width = '{then_px}px';
                dispatchEvent(new Event('resize'));
            }}, 100));</script>"
        );
        let main = format!("<main style=\"width:{first_px}px\">{divs}</main>");
        let told = seen(&browser, &format!("{head}{}{main}{turn}{COUNT}", script_once()));
        for id in ["figure-1", "figure-2", "figure-3", "figure-4", "figure-5"] {
            assert_eq!(told[id]["drawn"], "yes", "{id}");
            assert_eq!(told[id]["cut"], serde_json::json!([]), "{id} at {first_px}, then {then_px} px");
        }
        let words = [
            ("figure-1", "libtorch-mkl/f32/2t"),
            ("figure-1", "no data: the worker was ended"),
            ("figure-2", "1.2346× [1.2331, 1.2362]"),
            ("figure-2", "no ratio: the worker was ended"),
            ("figure-3", "n^1.93"),
        ];
        for (id, word) in words {
            assert!(texts(&told[id]).iter().any(|text| text.contains(word)), "{id}: {}", told[id]);
        }
    }
}

#[test]
fn script_in_a_name_is_shown_as_text() {
    let Some(browser) = browser() else { return };
    let evil = "<script>alert(1)</script>";
    let both = "<b>x</b> & %{y} $z$";
    let data = |values: [f64; 2]| floats(values);
    let figures: Vec<Figure> = [
        distribution(&[batch(vec![
            ("case_name", text([both, both])),
            ("variant", text([evil, both])),
            ("time_ns", data([1.0, 2.0])),
        ])]),
        speedup(&[batch(vec![
            ("case_name", text([evil, both])),
            ("candidate", text([evil, both])),
            ("ratio", data([1.0, 2.0])),
            ("low", data([0.9, 1.9])),
            ("high", data([1.1, 2.2])),
            ("verdict", text(["undecided", "faster"])),
        ])]),
        scaling(&[batch(vec![
            ("variant", text([evil, both])),
            ("x", integers([1, 2])),
            ("time_ns", data([1.0, 2.0])),
        ])]),
    ]
    .into_iter()
    .map(|f| f.expect("drawn").with_title(evil))
    .collect();
    let told = drawn(&browser, &figures);
    for id in ["figure-1", "figure-2", "figure-3"] {
        let texts = texts(&told[id]);
        assert_eq!(told[id]["drawn"], "yes");
        assert_eq!(told[id]["scripts"], 0, "{id}");
        // The title, and the name on an axis or in the legend.
        assert!(texts.iter().filter(|t| t.contains(evil)).count() >= 2, "{id}: {texts:?}");
        assert!(texts.iter().any(|t| t.contains(both)), "{id}: {texts:?}");
    }
}

#[test]
fn figures_without_data_say_so() {
    let Some(browser) = browser() else { return };
    let none: [RecordBatch; 0] = [];
    let figures = [distribution(&none), speedup(&none), scaling(&none)].map(|f| f.expect("a figure that says so"));
    let told = drawn(&browser, &figures);
    for id in ["figure-1", "figure-2", "figure-3"] {
        assert_eq!(told[id]["drawn"], "yes");
        assert!(texts(&told[id]).iter().any(|t| t.contains("no data")), "{}", told[id]);
    }
}

#[test]
fn many_cases_each_get_a_panel() {
    let Some(browser) = browser() else { return };
    // More panels than plotly's typed layout has axes for.
    let names: Vec<String> = (0..11).map(|i| format!("case {i}")).collect();
    let cases = names.iter().flat_map(|n| [n.as_str(); 3]);
    let figure = distribution(&[batch(vec![
        ("case_name", text(cases)),
        ("variant", text(["a"; 33])),
        ("time_ns", floats((0..33).map(|i| 1e3 * f64::from(i + 1)))),
    ])]);
    let told = drawn(&browser, &[figure.expect("drawn")]);
    assert_eq!(told["figure-1"]["points"], 33);
    for name in &names {
        assert!(texts(&told["figure-1"]).contains(&name.as_str()), "{name}");
    }
}

#[test]
fn png_and_svg_of_each_figure() {
    let Some(browser) = browser() else { return };
    for figure in figures() {
        let png = figure.png(&browser).expect("a PNG");
        // Width and height stand at bytes 16 to 23 of a PNG.
        let side = |at: usize| u32::from_be_bytes([png[at], png[at + 1], png[at + 2], png[at + 3]]);
        assert_eq!((side(16), side(20)), (2000, 2 * figure.height_px()), "{}", figure.title());
        assert!(png.len() > 20_000, "{} bytes are too few for a drawn figure", png.len());
        let svg = figure.svg(&browser).expect("an SVG");
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(svg.contains("class=\"point\"") && svg.contains(figure.title()));
        assert!(svg.contains("xmlns=\"http://www.w3.org/2000/svg\""), "it can stand alone");
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browsers").join(name)
}

/// True if the process runs; one that only waits to be reaped does not.
fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

#[cfg(target_os = "linux")]
#[test]
fn a_browser_that_hangs_is_killed_with_its_helpers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = folder.path().join("page.html");
    std::fs::write(&page, "<p>").expect("written");
    let limit = Duration::from_secs(2);
    let started = Instant::now();
    let ended = Browser::at(script("hangs.sh")).with_limit(limit).dom(&page);
    assert!(matches!(ended, Err(Error::BrowserTimedOut { limit: told, .. }) if told == limit), "{ended:?}");
    assert!(started.elapsed() < Duration::from_secs(60));
    let pids = std::fs::read_to_string(folder.path().canonicalize().expect("there").join("page.html.pids"))
        .expect("the script began");
    let pids: Vec<&str> = pids.split_whitespace().collect();
    assert_eq!(pids.len(), 2);
    // A signal is delivered soon, not at once.
    while pids.iter().any(|pid| runs(pid)) && started.elapsed() < Duration::from_secs(60) {
        std::thread::yield_now();
    }
    assert!(!pids.iter().any(|pid| runs(pid)), "{pids:?} still run");
}

#[test]
fn a_browser_that_fails_is_quoted() {
    let [figure, ..] = figures();
    let told = figure.png(&Browser::at(script("fails.sh"))).map_err(|e| e.to_string()).expect_err("it fails");
    assert!(told.contains("fails.sh drew no picture (exit status: 3): cannot open display"), "{told}");
}

#[test]
fn a_browser_that_says_nothing_is_an_error() {
    let [figure, ..] = figures();
    let silent = Browser::at(script("silent.sh"));
    assert!(matches!(figure.png(&silent), Err(Error::BrowserFailed { status, .. }) if status == "no PNG"));
    assert!(matches!(figure.svg(&silent), Err(Error::BrowserFailed { status, .. }) if status == "an empty page"));
    let absent = figure.png(&Browser::at("/no/such/browser"));
    assert!(matches!(absent, Err(Error::BrowserFailed { status, .. }) if status == "it did not start"));
}
