//! Greedy decoding from the command line to a verdict: its steps, and the metrics that follow from them.

use benchbook_tests::Bench;
use serde_json::Value;

/// Tokens of a loop.
const TOKENS: i64 = 6;

#[test]
fn tokens_are_steps_and_their_times_are_metrics() {
    let bench = Bench::new();
    let sizes = ["heads=4", "width=32", "prompt=9", "tokens=6", "vocabulary=64"].map(|size| ["--set", size]).concat();
    let measured = ["--quick", "--replicates", "5", "--blocks", "3", "--threads", "1"];
    bench.ok(&[&["run", "greedy-decoding"][..], &sizes, &measured].concat());

    let samples = bench.sql(
        "select t.implementation, s.iterations, count(*) as n from samples s \
         join trials t on t.run_id = s.run_id and t.trial = s.trial group by 1, 2 order by 1",
    );
    let told = |row: &Value| format!("{} {} {}", row["implementation"], row["iterations"], row["n"]);
    assert_eq!(samples.iter().map(told).collect::<Vec<_>>(), ["\"kv-cache\" 1 15", "\"recompute\" 1 15"]);
    let strange = bench.sql(&format!(
        "select * from (select s.run_id, s.trial, s.sample, count(*) as n, sum(p.tokens) as tokens, max(p.step) as last, \
         min(p.started_ns) >= s.started_ns and max(p.started_ns + p.elapsed_ns) <= s.started_ns + s.elapsed_ns as inside \
         from samples s join steps p on p.run_id = s.run_id and p.trial = s.trial and p.sample = s.sample \
         group by s.run_id, s.trial, s.sample, s.started_ns, s.elapsed_ns) \
         where n <> {TOKENS} or tokens <> {TOKENS} or last <> {TOKENS} - 1 or not inside",
    ));
    assert!(strange.is_empty(), "{strange:?}");
    let whole = bench.sql("select count(*) as n from (select distinct trial, sample from steps)");
    assert_eq!(whole[0]["n"], 30, "each sample has its steps");

    let changes = bench.sql("select distinct value from measures where name = 'inputs_change'");
    assert_eq!((changes.len(), &changes[0]["value"]), (1, &1.0.into()), "the prompt changes");
    let checks = bench.sql("select phase, count(*) as n, bool_and(passed) as passed from checks group by 1 order by 1");
    for check in checks {
        assert_eq!((&check["n"], &check["passed"]), (&10.into(), &true.into()), "{check}");
    }

    let metrics =
        bench.sql("select metric, count(*) as n from metric_values where metric like '%step%' group by 1 order by 1");
    let told = |row: &Value| format!("{} {}", row["metric"], row["n"]);
    let wanted = ["\"step_time\" 10", "\"step_time_p99\" 10", "\"time_to_first_step\" 10"];
    assert_eq!(metrics.iter().map(told).collect::<Vec<_>>(), wanted);
    for metric in ["step_time", "time_to_first_step", "step_time_p99", "tokens_per_second"] {
        let compared = bench.ok(&["compare", "--baseline", "recompute", "--metric", metric, "--wide"]);
        assert!(compared.contains("kv-cache/flex/f32/1t"), "{metric}: {compared}");
    }
    let steps = bench.ok(&["sql", "--query", "steps", "--format", "json"]);
    let steps: Vec<Value> = serde_json::from_str(&steps).unwrap();
    assert!(steps.len() == 2 && steps.iter().all(|row| row["step_ns"].as_f64() > Some(0.0)), "{steps:?}");
}

#[test]
fn guesses_are_values_of_steps_and_a_draft_that_is_the_model_is_always_right() {
    let bench = Bench::new();
    let sizes = ["layers=2", "draft_layers=2", "width=32", "prompt=9", "tokens=12", "vocabulary=64", "guesses=3"];
    let sizes = sizes.map(|size| ["--set", size]).concat();
    let measured = ["--quick", "--replicates", "1", "--blocks", "2", "--threads", "1"];
    bench.ok(&[&["run", "speculative-decoding"][..], &sizes, &measured].concat());
    let found = bench.sql(
        "select t.implementation, sum(case when v.name = 'accepted' then v.value end) as accepted, \
         sum(case when v.name = 'drafted' then v.value end) as drafted from step_values v \
         join trials t on t.run_id = v.run_id and t.trial = v.trial group by 1 order by 1",
    );
    // Eleven tokens after the first, in two steps of four and one of three: eight guesses a sample.
    let told = |row: &Value| format!("{} {} {}", row["implementation"], row["accepted"], row["drafted"]);
    assert_eq!(told(&found[0]), "\"draft-model\" 16.0 16.0");
    assert!(found[1]["accepted"].as_f64() <= found[1]["drafted"].as_f64(), "{}", found[1]);
    assert_eq!(told(&found[2]), "\"target-alone\" 0.0 0.0");
    let checks = bench.sql("select bool_and(passed) as passed, count(*) as n from checks");
    assert_eq!((&checks[0]["passed"], &checks[0]["n"]), (&true.into(), &6.into()));
    let metrics = bench.sql("select distinct metric from metric_values where metric like 'inter_token%'");
    assert_eq!(metrics.len(), 3, "{metrics:?}");
}

#[test]
fn what_a_loop_cannot_read_is_refused_before_it_begins() {
    let bench = Bench::new();
    bench.fails(&["run", "greedy-decoding", "--set", "prompt=0"], 4, &["`prompt`"]);
    let words = ["run", "speculative-decoding", "--set", "layers=2", "--set", "draft_layers=3"];
    bench.fails(&words, 4, &["`draft_layers`", "give 2 at most"]);
    bench.fails(&["run", "lossy-decoding", "--set", "bits=5"], 4, &["`bits`", "4, 8 or 32 bits, not 5"]);
    bench.fails(&["run", "speculative-sampling", "--set", "vocabulary=17"], 4, &["`vocabulary`", "give 16 at most"]);
}

#[test]
fn heads_that_do_not_divide_the_width_are_refused() {
    let words = ["run", "greedy-decoding", "--set", "heads=5", "--set", "width=64"];
    Bench::new().fails(&words, 4, &["`heads`", "5 heads do not divide a width of 64"]);
}
