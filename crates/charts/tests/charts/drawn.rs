//! Every figure drawn by a real browser. Without one: skipped, and in CI failed.

use crate::common::{batch, browser, figures, floats, integers, text};
use arrow::array::RecordBatch;
use benchbook_charts::{Browser, Figure, distribution, document, scaling, speedup};
use serde_json::Value;

/// Counts, once all is drawn, what is in each figure; the browser's own DOM is asked, so scripts do not count.
const COUNT: &str = r##"<pre id="counts"></pre><script>
addEventListener("load", () => setTimeout(() => {
  const told = {};
  for (const place of document.querySelectorAll(".benchbook-figure")) {
    const count = (what) => place.querySelectorAll(what).length;
    told[place.id] = {
      drawn: place.dataset.drawn, svgs: count(".main-svg"), points: count(".point"), lines: count("path.js-line"),
      scripts: count("script"), inks: getComputedStyle(place.querySelector("text")).fill,
      texts: [...place.querySelectorAll("text")].map((t) => t.textContent),
    };
  }
  document.getElementById("counts").textContent = encodeURIComponent(JSON.stringify(told));
}, 1000));
</script>"##;

/// What the browser finds in a document of these figures.
fn drawn(browser: &Browser, figures: &[Figure]) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A name that must be escaped in a URL.
    let page = folder.path().join("a page #1?.html");
    std::fs::write(&page, document("drawn", figures, COUNT)).expect("written");
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
