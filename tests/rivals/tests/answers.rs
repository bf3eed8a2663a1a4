//! Each program answers with exactly one line, and says slower of twice the work.

use std::process::{Command, Stdio};

use serde_json::Value;

const RIVALS: [(&str, &str); 3] = [
    ("criterion", env!("CARGO_BIN_EXE_rival-criterion")),
    ("tango", env!("CARGO_BIN_EXE_rival-tango")),
    ("sequential", env!("CARGO_BIN_EXE_rival-sequential")),
];

/// Three times the work, which no noise hides.
#[test]
fn one_line_says_slower() {
    for (tool, program) in RIVALS {
        for work in ["dependent", "gemm"] {
            let output = Command::new(program)
                .args(["--work", work, "--extra", "2", "--seconds", "1", "--seed", "5"])
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(text.lines().count(), 1, "{text}");
            let answer: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(
                (&answer["tool"], &answer["work"], &answer["direction"]),
                (&tool.into(), &work.into(), &"slower".into()),
                "{text}"
            );
            let [low, ratio, high, half] =
                ["low", "ratio", "high", "half_width"].map(|name| answer[name].as_f64().unwrap());
            assert!(low <= ratio && ratio <= high && (half - (high - low) / 2.0).abs() < 1e-12, "{text}");
            assert!(answer["wall_s"].as_f64().unwrap() > 0.5, "{text}");
        }
    }
}

#[test]
fn bad_options_have_no_answer() {
    for (_, program) in RIVALS {
        for (extra, seconds) in [("-1", "1"), ("NaN", "1"), ("0", "0"), ("0", "NaN")] {
            let output = Command::new(program)
                .args(["--work", "gemm", &format!("--extra={extra}"), "--seconds", seconds])
                .output()
                .unwrap();
            assert!(!output.status.success() && output.stdout.is_empty() && !output.stderr.is_empty());
        }
    }
}

#[test]
fn neighbour_ends_with_its_parent() {
    let mut neighbour = Command::new(env!("CARGO_BIN_EXE_neighbour"))
        .args(["--seed", "1", "--burst-ms", "5"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(neighbour.try_wait().unwrap().is_none());
    drop(neighbour.stdin.take());
    let output = neighbour.wait_with_output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success() && told["bursts"].as_u64().unwrap() > 0);
}
