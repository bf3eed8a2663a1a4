//! How soon there is an answer: the start of a worker, and a first comparison with what its time is spent on.

use crate::ask::{ask, number, rows};
use crate::numbers::{at_most, median, quantile};
use benchbook_process::Supervised;
use serde_json::{Value, json};
use std::fs;
use std::io::{self, Read, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;
use xtask::error::{Error, Named, Result};
use xtask::process;
use xtask::workspace::Ready;

/// What every frame begins with, and bytes of its head (ARCHITECTURE.md, *The wire*).
const MAGIC: &[u8; 4] = b"bbw3";
const HEAD: usize = 16;

const STARTS: usize = 20;

/// The device whose workers need no libtorch, and how soon one of them is to greet.
const DEVICE: &str = "flex";
const GREETING_MS: f64 = 50.0;

/// The quick comparison of attention, and how soon it is to be there.
const QUICK: [&str; 3] = ["run", "attention", "--quick"];
const QUICK_S: f64 = 60.0;

/// What the time of a run was spent on, in seconds: `sampled_s` from the first sample of each case to its last,
/// `finished_s` from there to the last of its second checks.
const SPENT: &str = "
    with sampled as (
        select t.replicate, t.case_name, min(s.started_ns) as first_ns, max(s.started_ns + s.elapsed_ns) as last_ns
        from samples s join trials t on t.run_id = s.run_id and t.trial = s.trial
        group by t.replicate, t.case_name
    ),
    ended as (
        select t.replicate, t.case_name, max(o.at_ns) as at_ns
        from outcomes o join trials t on t.run_id = o.run_id and t.trial = o.trial
        group by t.replicate, t.case_name
    )
    select * from (
        select count(*) as samples, sum(elapsed_ns) / 1e9 as timed_s,
            sum(case when iterations = 1 then elapsed_ns else 0 end) / 1e9 as single_s,
            count(distinct block) as blocks, count(distinct case when valid then null else block end) as disturbed
        from samples
    ) s
    cross join (
        select sum(s.last_ns - s.first_ns) / 1e9 as sampled_s, sum(e.at_ns - s.last_ns) / 1e9 as finished_s
        from sampled s join ended e on e.replicate = s.replicate and e.case_name = s.case_name
    ) b
    cross join (
        select count(*) as trials, sum(prepare_ns) / 1e9 as prepared_s from outcomes where trial is not null
    ) o
    cross join (select sum(value) / 1e9 as waited_s from measures where name = 'reference_ns') m";

const REMEDY: &str = "see its message above";

pub fn measure(ready: &Ready) -> Result<String> {
    let workers = workers(ready)?;
    let quick = quick(ready)?;
    Ok(format!(
        "{STARTS} starts of each worker in turn, files in the page cache: wall time until it has greeted, and what it\n\
         holds in memory then.\n\n{workers}\n\n{quick}\n\n\
         How long an interval of ± 0.5 % takes on work of known length stands under *Trust*."
    ))
}

/// Workers of a device that needs no libtorch, beside those that load it; where nothing is linked with it, there is one kind.
fn workers(ready: &Ready) -> Result<String> {
    let start = |libraries: Option<&str>| {
        let mut command = ready.workspace.run("benchbook-worker");
        if let Some(folder) = libraries {
            command.env("LD_LIBRARY_PATH", folder);
        }
        Greeted::start(command)
    };
    let mut asked = start(None)?;
    let spared = asked.libraries_of(DEVICE)?;
    asked.end()?;
    let mut kinds = vec![(DEVICE, spared.as_deref(), Vec::new())];
    if spared.is_some() {
        kinds.push(("any device", None, Vec::new()));
    }
    for _ in 0..STARTS {
        for (_, libraries, found) in &mut kinds {
            let worker = start(*libraries)?;
            found.push((worker.took_ms, worker.resident_mib));
            worker.end()?;
        }
    }
    let mut lines = vec![
        "| a worker of | median | 90th percentile | memory | goal for the median |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for (device, _, found) in kinds {
        let (took_ms, resident_mib): (Vec<f64>, Vec<f64>) = found.into_iter().unzip();
        let (middle, late) = (median(&took_ms), quantile(&took_ms, 0.9));
        let goal = if device == DEVICE { at_most(middle, GREETING_MS, " ms") } else { "none".to_owned() };
        let memory = median(&resident_mib);
        lines.push(format!("| {device} | {middle:.1} ms | {late:.1} ms | {memory:.0} MiB | {goal} |"));
    }
    Ok(lines.join("\n"))
}

/// A worker that has greeted.
struct Greeted {
    child: Supervised,
    asks: ChildStdin,
    says: ChildStdout,
    took_ms: f64,
    resident_mib: f64,
}

impl Greeted {
    /// Starts a worker as a controller does, and hears its first words.
    fn start(mut command: Command) -> Result<Self> {
        command.args(["serve", "--threads", "1", "--parent", &std::process::id().to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let started = Instant::now();
        let mut child = process::start(&mut command, REMEDY)?;
        let (Some(asks), Some(mut says)) = (child.take_stdin(), child.take_stdout()) else {
            return Err(Error::Content { path: "the worker".into(), problem: "it has no pipes".to_owned() });
        };
        heard(&mut says).named("hear", "the greeting of the worker")?;
        let took_ms = started.elapsed().as_secs_f64() * 1e3;
        let resident_mib = resident_mib(child.id());
        Ok(Self { child, asks, says, took_ms, resident_mib })
    }

    /// The folder of libraries that it names for the processes of a device, if it names one.
    fn libraries_of(&mut self, device: &str) -> Result<Option<String>> {
        let question = frame(&json!({ "ask": "describe" }));
        let asked = self.asks.write_all(&question).and_then(|()| self.asks.flush());
        let answer = asked.and_then(|()| heard(&mut self.says)).named("hear", "what the worker offers")?;
        let known = rows(&answer["devices"]).find(|known| known["name"] == device);
        Ok(known.and_then(|known| known["libraries"].as_str()).map(str::to_owned))
    }

    /// Ends it by closing its input.
    fn end(self) -> Result<()> {
        let Self { mut child, asks, .. } = self;
        drop(asks);
        child.wait().named("wait for", "the worker").map(drop)
    }
}

/// A frame without arrays.
fn frame(header: &Value) -> Vec<u8> {
    let header = header.to_string().into_bytes();
    [&MAGIC[..], &(header.len() as u32).to_le_bytes(), &[0_u8; 8], &header].concat()
}

/// The header of the next frame, which has no arrays.
fn heard(pipe: &mut impl Read) -> io::Result<Value> {
    let mut head = [0; HEAD];
    pipe.read_exact(&mut head)?;
    if head[..MAGIC.len()] != MAGIC[..] {
        return Err(io::Error::other(format!("it begins with {:?}", String::from_utf8_lossy(&head))));
    }
    let [_, _, _, _, a, b, c, d, ..] = head;
    let mut header = Vec::new();
    pipe.by_ref().take(u32::from_le_bytes([a, b, c, d]).into()).read_to_end(&mut header)?;
    Ok(serde_json::from_slice(&header)?)
}

/// What is resident of a process, in mebibytes; not a number where that cannot be read.
fn resident_mib(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB"));
    line.and_then(|kib| kib.trim().parse::<f64>().ok()).map_or(f64::NAN, |kib| kib / 1024.0)
}

/// The quick comparison, with nothing kept from earlier runs.
fn quick(ready: &Ready) -> Result<String> {
    let folder = ready.workspace.target.join("bench/answer");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).named("create", &folder)?;
    let benchbook = || {
        let mut command = ready.workspace.run("benchbook");
        command.arg("--store").arg(folder.join("store")).env("XDG_CACHE_HOME", folder.join("cache"));
        command
    };
    let started = Instant::now();
    process::run(benchbook().args(QUICK), REMEDY)?;
    let wall_s = started.elapsed().as_secs_f64();
    let said = ask(benchbook().args(["sql", "--format", "json", SPENT]))?;
    Ok(spent(wall_s, &said[0]))
}

/// How long the quick comparison has taken, beside its goal and what the time was spent on.
fn spent(wall_s: f64, row: &Value) -> String {
    let of = |name: &str| number(row, name);
    let [prepared_s, sampled_s, finished_s] = ["prepared_s", "sampled_s", "finished_s"].map(of);
    let (timed_s, single_s) = (of("timed_s"), of("single_s"));
    let rest_s = wall_s - prepared_s - sampled_s - finished_s;
    format!(
        "| command | wall time | goal |\n|---|---|---|\n| `benchbook {}` | {wall_s:.1} s | {} |\n\n\
         Of this time {prepared_s:.1} s prepare {} trials (inputs, first calls, checks and warm-ups; the right answers were\n\
         waited for {:.1} s in all), {finished_s:.1} s are second checks, and {sampled_s:.1} s lie between the first\n\
         samples of cases and their last: {} samples in {} blocks, of which {} have a disturbed sample, so that\n\
         one more follows. {timed_s:.1} s are timed. Samples of one call are {single_s:.1} s of these: a call as long comes\n\
         before each, brings its inputs back and is not timed, so that all of them take {:.1} s, whatever else is saved.\n\
         The other {rest_s:.1} s are processes that start, tell their memory and end.",
        QUICK.join(" "),
        at_most(wall_s, QUICK_S, " s"),
        of("trials"),
        of("waited_s"),
        of("samples"),
        of("blocks"),
        of("disturbed"),
        timed_s + single_s,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_heard_as_it_was_written() {
        let bytes = frame(&json!({ "say": "hello" }));
        assert_eq!(heard(&mut bytes.as_slice()).expect("a frame"), json!({ "say": "hello" }));
        assert!(heard(&mut &bytes[..bytes.len() - 1]).is_err() && heard(&mut &bytes[..HEAD - 1]).is_err());
        let other = heard(&mut &b"I am no worker at all"[..]).expect_err("no frame").to_string();
        assert!(other.contains("begins with \"I am no worker"), "{other}");
    }

    #[test]
    fn a_process_holds_memory() {
        assert!(resident_mib(std::process::id()) > 0.1);
        assert!(resident_mib(u32::MAX).is_nan());
    }

    #[test]
    fn a_missed_goal_says_what_the_time_was_spent_on() {
        let row = json!({ "samples": 900, "blocks": 180, "disturbed": 31, "timed_s": 38.0, "single_s": 21.5,
                          "trials": 72, "prepared_s": 60.3, "sampled_s": 72.5, "finished_s": 5.2, "waited_s": 1.5 });
        let told = spent(174.0, &row);
        for part in [
            "| `benchbook run attention --quick` | 174.0 s | at most 60 s: **missed by 114.00 s** |",
            "60.3 s prepare 72 trials",
            "for 1.5 s in all), 5.2 s are second checks, and 72.5 s lie between",
            "900 samples in 180 blocks, of which 31 have",
            "38.0 s are timed",
            "one call are 21.5 s",
            "take 59.5 s, whatever",
            "The other 36.0 s are processes",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(spent(59.0, &row).contains("at most 60 s: met, 1.00 s to spare"));
    }
}
