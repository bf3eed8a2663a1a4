//! What other programs take of the processors is not told as a kernel's speed. A program of its own, so that no other test
//! runs beside the quiet half.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use benchbook_tests::Bench;
use serde_json::Value;

/// Loops that take the processors from what is measured.
const BUSY: usize = 4;

/// The verdict on `fused` over `naive` attention, on two threads, with disturbed samples left out.
fn judged(bench: &Bench, tag: &str) -> Value {
    let what = ["run", "attention", "--implementation", "naive,fused", "--device", "flex", "--set", "seq_q=128"];
    let often = ["--threads", "2", "--replicates", "5", "--blocks", "20", "--time", "90s", "--tag", tag];
    let mut command = bench.command(&[&what[..], &often].concat());
    let ran = command.env_remove("BENCHBOOK_KEEP_DISTURBED").output().expect("benchbook starts");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    let verdicts = bench.sql(&format!(
        "select v.said, v.low, v.high, v.reason from verdicts v join runs r on r.run_id = v.run_id \
         where v.candidate like 'fused/%' and array_has(r.tags, '{tag}')"
    ));
    assert_eq!(verdicts.len(), 1, "{verdicts:?}\n{said}");
    verdicts[0].clone()
}

#[test]
fn beside_busy_loops_a_verdict_agrees_with_the_quiet_one_or_is_none() {
    let bench = Bench::new();
    let quiet = judged(&bench, "quiet");
    let over = AtomicBool::new(false);
    let beside = thread::scope(|scope| {
        for _ in 0..BUSY {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    spin_loop();
                }
            });
        }
        let beside = judged(&bench, "beside");
        over.store(true, Ordering::Relaxed);
        beside
    });
    if beside["said"] == "undecided" {
        return;
    }
    let end = |verdict: &Value, name: &str| verdict[name].as_f64();
    let ends = |verdict: &Value| end(verdict, "low").zip(end(verdict, "high"));
    let Some(((low, high), (quiet_low, quiet_high))) = ends(&beside).zip(ends(&quiet)) else {
        panic!("a verdict needs an interval: {beside}, and quiet {quiet}");
    };
    assert!(low <= quiet_high && quiet_low <= high, "beside busy loops {beside}, quiet {quiet}");
}
