//! The page of a matrix in a browser: what helps comes first, its maps are drawn, and no model stands out of sight.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use benchbook_query::Answer;
use benchbook_report::matrix_page;
use serde_json::json;

use crate::common::{batch, browser, floats, integers, text};
use crate::drawn::{COUNT, seen};

/// A window of 1280 CSS pixels without the bar that scrolls it.
const WINDOW_PX: u32 = 1265;

/// Clicks on a cell of the first map, the lower left one, and tells the rows that it leads to: their first two columns.
const CLICK: &str = r##"<pre id="counts"></pre><script>
addEventListener("load", () => setTimeout(() => {
  const place = document.getElementById("figure-1");
  place.emit("plotly_click", { points: [{ data: place.data[0], x: 0, y: 1 }] });
  const found = [...document.querySelectorAll("tr.benchbook-found")];
  const told = found.map((row) => [...row.cells].slice(0, 2).map((cell) => cell.textContent));
  document.getElementById("counts").textContent = encodeURIComponent(JSON.stringify(told));
}, 1000));
</script>"##;

/// Of each table, how many columns it has and which of them lie out of sight, by the title above it; and each command with whether all
/// of it is seen once it is opened.
const OUTSIDE: &str = r##"<pre id="counts"></pre><script>
addEventListener("load", () => {
  for (const one of document.querySelectorAll("details")) one.open = true;
  const main = document.querySelector("main");
  const edge = main.getBoundingClientRect().right - parseFloat(getComputedStyle(main).paddingRight) + 1;
  const inside = (one) => one.getBoundingClientRect().right <= edge && one.scrollWidth <= one.clientWidth + 1;
  const told = { tables: {}, commands: {}, narrowest: Infinity };
  let title;
  for (const one of document.querySelectorAll("h2, summary, .benchbook-wide")) {
    if (!one.matches(".benchbook-wide")) {
      title = one.textContent.split(":")[0];
      continue;
    }
    const heads = [...one.querySelectorAll("th")];
    told.narrowest = Math.min(told.narrowest, ...heads.map((head) => head.clientWidth));
    told.tables[title] = { columns: heads.length, outside: heads.filter((head) => !inside(head)).map((head) => head.textContent) };
  }
  for (const one of document.querySelectorAll("details pre")) told.commands[one.textContent] = inside(one);
  document.getElementById("counts").textContent = encodeURIComponent(JSON.stringify(told));
});
</script>"##;

fn words<const N: usize>(words: [Option<&str>; N]) -> ArrayRef {
    Arc::new(StringArray::from(words.to_vec()))
}

fn nothing() -> Answer {
    batch(vec![("technique", text([]))]).into()
}

#[test]
fn the_page_of_a_matrix_tells_first_and_draws_its_maps() {
    let Some(browser) = browser() else { return };
    let matrix = batch(vec![
        ("model", text(["a", "a", "b", "c"])),
        ("technique", text(["int8", "2of4", "int8", "int8"])),
        ("cell", text(["measured", "measured", "not here", "measured"])),
        ("weights", text(["real", "real", "seeded", "seeded"])),
        ("helps", words([Some("faster and smaller"), Some("smaller"), None, Some("faster and smaller")])),
        ("said", words([Some("faster"), Some("undecided"), None, Some("faster")])),
        ("why", words([None, None, Some("b has none"), None])),
        ("speedup", floats([Some(2.1), Some(1.02), None, Some(1.9)])),
        ("low", floats([Some(2.0), Some(0.9), None, Some(1.8)])),
        ("high", floats([Some(2.2), Some(1.1), None, Some(2.0)])),
        ("memory_ratio", floats([Some(0.26), Some(0.57), None, Some(0.26)])),
        ("kl_divergence", floats([Some(0.001), Some(0.4), None, Some(0.002)])),
        ("perplexity_ratio", floats([Some(1.002), Some(7.5), None, None])),
        ("perplexity_ratio_low", floats([Some(1.001), Some(7.1), None, None])),
        ("perplexity_ratio_high", floats([Some(1.003), Some(8.0), None, None])),
    ]);
    let optimizations = batch(vec![("optimization", text(["sparse networks"])), ("technique", text(["2of4"]))]);
    let none = nothing();
    let page = matrix_page(&matrix.into(), &none, &optimizations.into(), &none, &none, &[]).expect("a page");
    let told = seen(&browser, &page.replace("</main>", &format!("{COUNT}</main>")));
    // Two maps, quality of real weights, and how far answers of seeded ones move.
    for id in ["figure-1", "figure-2", "figure-3", "figure-4"] {
        assert_eq!(told[id]["drawn"], "yes", "{id} of {told}");
    }
    let at = |part: &str| page.find(part).expect(part);
    let named = at("<h2>Optimizations by name</h2>");
    assert!(at("int8\n2.1× (2 to 2.2)\n0.26 of the memory") < named && named < at("<figure>\n"));
    // By their names, 2of4 comes before int8, and a before b.
    let led = seen(&browser, &page.replace("</main>", &format!("{CLICK}</main>")));
    assert_eq!(led, json!([["a", "int8"]]), "a cell of a map leads to its row");
}

#[test]
fn the_columns_of_all_models_are_seen_beside_long_commands() {
    let Some(browser) = browser() else { return };
    let models = [
        "smollm2-135m",
        "smollm2-135m 96 tokens of brown",
        "smollm2-135m greedy 32+48",
        "minilm-l6 sentiment",
        "minilm-l6 lee",
        "whisper-base 10 sounds",
        "qwen3-4b",
        "qwen3-vl-2b",
        "qwen3-coder-30b",
        "glm-4.7-flash",
        "bert-base",
        "gpt2-124m",
    ];
    let count = models.len();
    let matrix = batch(vec![
        ("model", text(models)),
        ("technique", text(vec!["adaptive-precision"; count])),
        ("cell", text(vec!["measured"; count])),
        ("helps", text(vec!["faster and smaller"; count])),
        ("said", text(vec!["equivalent in the processes seen"; count])),
        ("speedup", floats(vec![11.25; count])),
        ("low", floats(vec![10.75; count])),
        ("high", floats(vec![12.25; count])),
        ("memory_ratio", floats(vec![0.26; count])),
        ("kl_divergence", floats(vec![0.001_23; count])),
    ]);
    let search = |model: &str| {
        format!(
            "benchbook tune --model {model} --set layers=1,2,4 --implementation int8,int4-g32,nf4,2of4 \
             --under kl_divergence=0.1 --budget 12 --comment {}",
            "w".repeat(300)
        )
    };
    let searches: Vec<String> = models.iter().map(|model| search(model)).collect();
    let name = "continuous architecture search";
    let optimizations = batch(vec![
        ("optimization", text(["automatic machine learning", name])),
        ("technique", words([Some("adaptive-precision"), None])),
        ("command", words([None, Some(searches[0].as_str())])),
        ("runs", integers([0, 0])),
    ]);
    let adaptive = batch(vec![
        ("model", text(models)),
        ("optimization", text(vec![name; count])),
        ("command", text(searches.iter().map(String::as_str))),
    ]);
    let none = nothing();
    let page = matrix_page(&matrix.into(), &none, &optimizations.into(), &adaptive.into(), &none, &[]).expect("a page");
    // As wide as in a window of 1280 pixels, however wide that of the browser is.
    let main = format!("<main style=\"width: {WINDOW_PX}px\">");
    let told = seen(&browser, &page.replace("<main>", &main).replace("</main>", &format!("{OUTSIDE}</main>")));
    let tables = &told["tables"];
    for title in ["What helps which model", "All that can be claimed", "Optimizations by name"] {
        assert_eq!(tables[title]["outside"], json!([]), "{title} of {tables}");
    }
    assert_eq!(tables["Optimizations by name"]["columns"], count + 2, "{tables}");
    assert!(told["narrowest"].as_f64() >= Some(60.0), "a column has room for a word: {told}");
    for search in &searches {
        assert_eq!(told["commands"][search], true, "{search} is there to be copied as it stands: {told}");
    }
}
