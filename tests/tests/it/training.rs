//! Training from the command line to its metrics, and what becomes of a loss that is no number.

use benchbook_tests::{Bench, on_small_disk};
use serde_json::Value;

/// A model that is trained in no time: three steps of six tokens.
const SIZES: [&str; 7] = ["layers=2", "heads=2", "width=16", "vocabulary=31", "batch=2", "seq=3", "steps=3"];

/// The words of a run of training with these settings in the place of others.
fn words<'a>(others: &[&'a str]) -> Vec<&'a str> {
    let name = |size: &str| size.split('=').next().unwrap_or_default().to_owned();
    let replaced = |size: &str| others.iter().any(|other| name(other) == name(size));
    let mut words: Vec<&'a str> = vec!["run", "gpt2-training"];
    for size in SIZES {
        if !replaced(size) {
            words.extend(["--set", size]);
        }
    }
    for size in others {
        words.extend(["--set", *size]);
    }
    words.extend(["--quick", "--replicates", "1", "--blocks", "2", "--threads", "1"]);
    words.extend(["--implementation", "kept,checkpointed"]);
    words
}

#[test]
fn batches_are_steps_that_tell_loss_and_gradients() {
    let bench = Bench::new();
    bench.ok(&words(&[]));
    let told = bench.sql(
        "select t.implementation, v.name, v.step, min(v.value) as least \
         from step_values v join trials t on t.run_id = v.run_id and t.trial = v.trial group by 1, 2, 3",
    );
    // Two implementations tell four numbers of three steps, and all of them are above zero.
    assert_eq!(told.len(), 2 * 4 * 3, "{told:?}");
    assert!(told.iter().all(|row| row["least"].as_f64() > Some(0.0)), "{told:?}");
    let tokens = bench.sql("select distinct tokens from steps");
    assert_eq!((tokens.len(), &tokens[0]["tokens"]), (1, &6.into()));
    let bytes = bench.sql(
        "select t.implementation, m.value from measures m join trials t on t.run_id = m.run_id and t.trial = m.trial \
         where m.name = 'activation_bytes' order by 1",
    );
    let of = |row: &Value| row["value"].as_f64().unwrap_or_default();
    assert!(bytes.len() == 2 && of(&bytes[0]) < of(&bytes[1]), "checkpointing keeps less: {bytes:?}");
    let checks = bench.sql("select bool_and(passed) as passed, count(*) as n from checks");
    assert_eq!(
        (&checks[0]["passed"], &checks[0]["n"]),
        (&true.into(), &8.into()),
        "losses and norms, before and after"
    );
}

#[test]
fn a_loss_that_is_no_number_ends_a_trial_as_diverged_at_its_step() {
    let bench = Bench::new();
    bench.fails(&words(&["rate=1e29"]), 4, &[]);
    let outcomes = bench.sql("select status, stop_reason from outcomes where trial is not null");
    assert_eq!(outcomes.len(), 2, "{outcomes:?}");
    for outcome in outcomes {
        let reason = outcome["stop_reason"].as_str().unwrap_or_default();
        assert!(outcome["status"] == "failed" && reason.contains("diverged: the loss of step 2 of 3 is"), "{outcome}");
    }
    let kept = bench.sql(
        "select s.valid, s.invalid_reason, v.step, v.value from samples s join step_values v \
         on v.run_id = s.run_id and v.trial = s.trial and v.sample = s.sample where v.name = 'loss'",
    );
    assert_eq!(kept.len(), 2, "the step before it, of each trial: {kept:?}");
    for row in kept {
        assert!(row["valid"] == false && row["invalid_reason"] == "loop_failed" && row["step"] == 0, "{row}");
        assert!(row["value"].as_f64() > Some(0.0), "{row}");
    }
}

#[test]
fn steps_to_a_loss_are_counted_over_replicates_with_seeds_of_their_own() {
    let bench = Bench::new();
    let mut words = vec!["run", "text-training", "--implementation", "kept", "--quick", "--blocks", "1"];
    words.extend(["--threads", "1", "--replicates", "4"]);
    // The first is above any loss, and the second below what anybody can know of the language.
    for size in ["layers=1", "heads=1", "width=8", "batch=2", "seq=8", "steps=5", "goal=99.5,0.5"] {
        words.extend(["--set", size]);
    }
    bench.ok(&words);
    let seeds = bench.sql("select count(distinct input_seed) as seeds, count(*) as trials from trials");
    assert_eq!((&seeds[0]["seeds"], &seeds[0]["trials"]), (&4.into(), &8.into()), "{seeds:?}");
    let values = |metric: &str, goal: &str| -> Vec<Option<f64>> {
        let rows = bench.sql(&format!(
            "select value from metric_values where metric = '{metric}' and case_name like '% to {goal}' order by trial"
        ));
        rows.iter().map(|row| row["value"].as_f64()).collect()
    };
    assert_eq!(values("steps_to_recent_loss", "99.5"), [Some(1.0); 4]);
    assert_eq!(values("steps_to_recent_loss", "0.5"), [None; 4]);
    let losses = values("recent_loss_last", "99.5");
    // ln 256 is 5.5, and no two seeds have the same weights and the same text.
    assert!(losses.iter().all(|loss| loss.is_some_and(|loss| (3.0..8.0).contains(&loss))), "{losses:?}");
    assert!((1..4).all(|seed| losses[seed] != losses[0]), "{losses:?}");
    let norms = bench.sql("select distinct name from step_values where name like 'gradient_norm_layer_%'");
    assert_eq!((norms.len(), &norms[0]["name"]), (1, &"gradient_norm_layer_0".into()));
}

#[test]
fn a_disk_that_fills_while_states_go_to_it_fails_the_trial_and_says_where() {
    let bench = Bench::new();
    let disk = bench.folder().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mut words = vec!["run", "adamw", "--set", "width=1024", "--implementation", "fused,fused-file"];
    words.extend(["--set", "rows=64", "--quick", "--replicates", "1", "--blocks", "2", "--threads", "1"]);
    let mut command = bench.command(&words);
    command.env("TMPDIR", &disk);
    // Its states are half a megabyte.
    let Some(output) = on_small_disk(&disk, "64k", &command) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    let outcomes = bench.sql(
        "select t.implementation, o.status, o.stop_reason from outcomes o \
         join trials t on t.run_id = o.run_id and t.trial = o.trial order by t.implementation",
    );
    assert_eq!(outcomes.len(), 2, "{outcomes:?} {said}");
    assert_eq!(outcomes[0]["status"], "ok", "{outcomes:?} {said}");
    let reason = outcomes[1]["stop_reason"].as_str().unwrap_or_default();
    assert!(reason.contains("0.5 MB cannot be written") && reason.contains("TMPDIR"), "{reason}");
    assert!(reason.contains("No space left on device"), "{reason}");
}

#[test]
fn a_sequence_of_one_is_trained_too() {
    let bench = Bench::new();
    bench.ok(&words(&["seq=1", "batch=1"]));
    let told = bench.sql("select count(*) as n, min(value) as least from step_values where name = 'loss' and step = 2");
    assert!(told[0]["n"].as_i64() > Some(0) && told[0]["least"].as_f64() > Some(0.0), "{told:?}");
    let tokens = bench.sql("select distinct tokens from steps");
    assert_eq!((tokens.len(), &tokens[0]["tokens"]), (1, &1.into()));
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let bench = Bench::new();
    for (size, part) in [("batch=0", "`batch`"), ("seq=0", "`seq`"), ("heads=5", "do not divide a width of 16")] {
        bench.fails(&words(&[size]), 4, &[part]);
    }
}
