//! The report of real kernels, opened offline in a browser.

use std::fs;

use benchbook_report::charts::Browser;
use benchbook_tests::{Bench, repository};

/// A browser; without one the test fails in CI and says elsewhere why it is skipped.
fn browser() -> Option<Browser> {
    match Browser::find() {
        Ok(browser) => Some(browser),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "CI must have a browser: {error}");
            eprintln!("skipped: {error}");
            None
        }
    }
}

#[test]
fn the_report_of_real_kernels_opens_offline_with_its_charts_drawn() {
    let bench = Bench::new();
    let words =
        ["run", "attention", "--set", "seq_q=16,32,64,128", "--set", "heads=2", "--replicates", "5", "--blocks", "5"];
    bench.ok(&words);
    bench.ok(&["report", "--output", "r.html", "--baseline", "naive"]);
    let failed = bench
        .sql("select t.variant, o.stop_reason from outcomes o join trials t on t.trial = o.trial where status <> 'ok'");
    assert!(failed.is_empty(), "{failed:?}");
    let checks = bench.sql("select count(*) as n, sum(case when passed then 0 else 1 end) as failed from checks");
    assert!(checks[0]["n"].as_i64().unwrap() >= 2 * 4 * 5 * 2 && checks[0]["failed"] == 0, "{checks:?}");

    let html = fs::read_to_string(bench.folder().join("r.html")).unwrap();
    assert_eq!(html.matches("plotly.js v").count(), 1, "plotly.js stands in the report once");
    let Some(browser) = browser() else { return };
    let dom = browser.dom(&bench.folder().join("r.html")).unwrap();
    let figures = html.matches("<div class=\"benchbook-figure\"").count();
    assert!(figures >= 3, "a comparison, scaling and samples: {figures}");
    assert_eq!(dom.matches("data-drawn=\"yes\"").count(), figures, "every chart is drawn");
    assert!(dom.contains("main-svg"), "drawn means that there are lines on the page");
}

#[test]
fn cold_and_hot_runs_say_which_they_are() {
    let bench = Bench::new();
    for cache in ["hot", "cold"] {
        let words = ["run", "matmul", "--set", "m=64", "--implementation", "burn", "--device", "flex"];
        bench.ok(&[&words[..], &["--replicates", "1", "--blocks", "3", "--cache", cache]].concat());
    }
    let rows = bench.sql(
        "select t.cache, m.value from measures m join trials t on t.run_id = m.run_id and t.trial = m.trial \
         where m.name = 'input_copies' order by t.cache",
    );
    assert_eq!((rows[0]["cache"].as_str(), rows[1]["cache"].as_str()), (Some("cold"), Some("hot")));
    assert_eq!(rows[1]["value"].as_f64(), Some(1.0));
    let cache = bench.sql("select max(l3_bytes) as bytes from runs")[0]["bytes"].as_i64().unwrap_or(64 << 20);
    let filled = rows[0]["value"].as_f64().unwrap() * (2 * 64 * 64 * 4) as f64;
    assert!(filled >= 4.0 * cache as f64, "{filled} bytes of inputs against a cache of {cache}");
}

#[test]
fn an_implementation_by_its_old_name_is_told_by_todays() {
    let words = ["run", "attention", "--implementation", "flash", "--dry-run"];
    Bench::new().fails(&words, 4, &["unknown implementation `flash`, it is called `burn-attention` now"]);
}

#[test]
fn every_variant_gets_the_same_threads() {
    let bench = Bench::new();
    let words = ["run", "matmul", "--set", "m=512", "--threads", "1", "--replicates", "1", "--blocks", "5"];
    bench.ok(&words);
    // On one thread, a process cannot use more processor time than passes: 20 % for the clock's coarseness.
    let rows = bench.sql(
        "select variant, cast(sum(cpu_user_ns + cpu_system_ns) as double) / sum(elapsed_ns) as cores from samples s \
         join trials t on t.run_id = s.run_id and t.trial = s.trial group by variant",
    );
    // A kernel uses some of its one core, or nothing was measured.
    let fine = |row: &serde_json::Value| row["cores"].as_f64().is_some_and(|cores| (0.1..1.2).contains(&cores));
    assert!(!rows.is_empty() && rows.iter().all(fine), "{rows:?}");
}

#[test]
fn what_is_published_of_claims_is_what_their_table_holds() {
    let page = fs::read_to_string(repository().join("datasets/bench.md")).unwrap();
    let told = Bench::new().ok(&["list", "claims", "--format", "json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&told).unwrap();
    for row in rows.iter().filter(|row| row["value"].is_number()) {
        let [statement, verdict] = ["statement", "verdict"].map(|name| row[name].as_str().unwrap());
        let stands = |line: &str| line.contains(statement) && line.contains(&format!("| {verdict} |"));
        assert!(page.lines().any(stands), "bench.md does not say that it is {verdict}: {statement}");
    }
}

#[test]
fn claims_are_told_from_any_folder_and_beside_a_store() {
    let bench = Bench::new();
    let listed = bench.ok(&["list", "claims"]);
    for part in
        ["e4m3-mantissa", "bits about 4", "refuted by definition", "not testable here", "not judged", "catalogue CL"]
    {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    assert!(!bench.store().exists(), "no store is needed, and none is made");
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&bench.ok(&["list", "claims", "--format", "json"])).unwrap();
    let e4m3 = rows.iter().find(|row| row["claim"] == "e4m3-mantissa").unwrap();
    assert_eq!((e4m3["claimed_high"].as_f64(), e4m3["value"].as_f64()), (Some(4.0), Some(3.0)));
    assert!(bench.ok(&["list", "claims", "--format", "csv"]).starts_with("claim,catalogue,kind,statement,source,"));

    bench.ok(&["run", "matmul", "--set", "m=16", "--replicates", "1", "--blocks", "1"]);
    let count = |words: &[&str]| {
        let words = [&["sql", "--format", "json"][..], words].concat();
        serde_json::from_str::<Vec<serde_json::Value>>(&bench.ok(&words)).unwrap().len()
    };
    assert_eq!(count(&["--query", "claims"]), rows.len());
    let columns = "claim,catalogue,kind,statement,source,quantity,claimed_low,claimed_high,needs,unjudged,\
        value,low,high,replicates,provenance,machine,how";
    let one = format!("{columns}\na,CL1,published,A is fast,here,speed,2,,,,2.5,2.4,2.6,8,measured,2 x CPU,a over b\n");
    std::fs::write(bench.folder().join("mine.csv"), one).unwrap();
    assert_eq!(count(&["--csv", "claims=mine.csv", "--query", "claims"]), 1);
    bench.fails(&["sql", "--csv", "claims=none.csv", "--query", "claims"], 4, &["none.csv"]);
}

#[test]
fn coverage_tells_every_row_of_the_catalogue() {
    let bench = Bench::new();
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&bench.ok(&["list", "coverage", "--format", "json"])).unwrap();
    assert!(rows.len() > 300, "{}", rows.len());
    let status =
        |id: &str| rows.iter().find(|row| row["id"] == id).map(|row| row["status"].as_str().unwrap().to_owned());
    assert_eq!(status("AT1").as_deref(), Some("works"));
    assert_eq!(status("AT3").as_deref(), Some("works"), "within limits");
    assert_eq!(status("HW28").as_deref(), Some("not yet"));
    let because = |id: &str| rows.iter().find(|row| row["id"] == id).unwrap()["because"].as_str().unwrap().to_owned();
    let works = "AD1 PR7 MO1 MO10 MO13 MO16 MO18 MO19 MO21 MO23 MO24 MO45 MO46 MO47 MO48 MO49 WL1 WL4 WL8 WL9 WL10 \
        WL11 WL14 WL18 WL19";
    for id in works.split_whitespace() {
        assert_eq!(status(id).as_deref(), Some("works"), "{id}: {}", because(id));
    }
    let metrics = "ME5 ME6 ME7 ME10 ME13 ME14 ME15 ME25 ME27 ME28 ME33 ME35 ME38 ME41 ME42 ME45 ME46";
    let others = "VA7 VA8 VA9 VA10 VA11 RE3 RE4 RE6 RE7 RE8 RE9 RE10 RE11 RE12 RE15 RE34 RE41";
    for id in metrics.split(' ').chain(others.split(' ')) {
        assert_eq!(status(id).as_deref(), Some("works"), "{id}: {}", because(id));
    }
    // Qwen3-4B and GLM-4.7-Flash take part in the matrix, BERT not yet.
    assert!(because("MO39").contains("of 35 techniques in MO15"), "{}", because("MO39"));
    assert!(because("MO42").contains("of 35 techniques in MO18"), "{}", because("MO42"));
    assert!(because("MO28").contains("both directions"), "{}", because("MO28"));
    assert!(because("WL15").contains("no server"), "{}", because("WL15"));
    assert!(rows.iter().all(|row| !row["because"].as_str().unwrap().is_empty()));
}
