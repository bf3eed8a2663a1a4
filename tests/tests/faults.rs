//! Kernels that go wrong: their trial fails, the others go on, and nothing wrong has a speed.

use benchbook_tests::{Bench, FAULTS};

#[test]
fn every_fault_is_an_outcome_and_the_run_goes_on() {
    let bench = Bench::faulty();
    let ran = bench.run(&["run", "double", "--quick", "--replicates", "2", "--blocks", "40", "--timeout", "3s"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let rows = bench.sql(
        "select t.implementation, o.status, o.stop_reason, count(*) as n from outcomes o \
         join trials t on t.run_id = o.run_id and t.trial = o.trial group by 1, 2, 3 order by 1",
    );
    let outcome = |name: &str| {
        let found: Vec<_> = rows.iter().filter(|row| row["implementation"] == name).collect();
        assert_eq!(found.iter().map(|row| row["n"].as_i64().unwrap()).sum::<i64>(), 2, "{name}: {found:?}");
        let reasons: Vec<&str> = found.iter().map(|row| row["stop_reason"].as_str().unwrap()).collect();
        (found[0]["status"].as_str().unwrap().to_owned(), reasons.join(" | "))
    };
    let expected = [
        ("good", "ok", "blocks"),
        ("twin", "ok", "blocks"),
        ("half-speed", "ok", "blocks"),
        ("prints", "ok", "blocks"),
        ("panics", "failed", "a kernel panics on purpose"),
        ("panics-later", "failed", "a kernel panics on purpose"),
        // For what is left of the time of its step.
        ("hangs", "failed", "no answer for"),
        ("hangs-when-long", "ok", "blocks"),
        ("aborts", "failed", "signal 6"),
        ("nan", "wrong", "inf"),
        ("wrong", "wrong", "scaled error"),
        ("wrong-later", "wrong", "scaled error"),
        ("absent", "failed", "the engine is not installed"),
        ("unsupported", "unsupported", "it never does"),
        ("keeps-first", "wrong", "scaled error"),
        ("remembers-inputs", "failed", "it remembers results"),
        ("ignores-calls", "failed", "it leaves calls out"),
    ];
    assert_eq!(expected.len(), FAULTS.len());
    for (name, status, reason) in expected {
        let (got, text) = outcome(name);
        assert_eq!(got, status, "{name}: {text}");
        assert!(text.contains(reason), "{name}: {text}");
    }

    let sampled = bench.sql(
        "select implementation, count(*) as n, sum(case when valid then 1 else 0 end) as valid from results group by 1",
    );
    for name in ["panics-later", "hangs", "aborts", "wrong-later"] {
        let row =
            sampled.iter().find(|row| row["implementation"] == name).unwrap_or_else(|| panic!("{name} has no sample"));
        assert!(row["n"].as_i64().unwrap() >= 2 && row["valid"] == 0, "it went wrong among its samples: {row}");
    }
    let skipped = bench.sql("select stop_reason from outcomes where stop_reason like '%not tried again%'");
    assert_eq!(skipped.len(), 1, "a kernel that hung costs the timeout once");

    let valid = bench.sql("select distinct implementation from results where valid order by 1");
    let names: Vec<_> = valid.iter().map(|row| row["implementation"].as_str().unwrap()).collect();
    assert_eq!(names, ["good", "half-speed", "hangs-when-long", "prints", "twin"], "only right kernels have a speed");
    let never = bench.sql("select count(*) as n from results where implementation in ('nan', 'wrong')");
    assert_eq!(never[0]["n"], 0, "a wrong kernel is not even sampled");

    let compared = bench.ok(&["compare", "--baseline", "good"]);
    for (name, why) in [("panics-later", "2 failed"), ("wrong-later", "2 wrong"), ("unsupported", "2 unsupported")] {
        let named = |line: &&str| line.starts_with(&format!("Warning: {name}/host/f32")) && line.contains(why);
        assert!(compared.lines().any(|line| named(&line)), "{name}: {compared}");
    }

    let report = bench.ok(&["report", "--output", "r.md", "--baseline", "good"]);
    assert!(report.contains("correctness checks failed"), "{report}");
    let text = std::fs::read_to_string(bench.folder().join("r.md")).unwrap();
    assert!(text.contains("a kernel panics on purpose") && text.contains("Left out"), "{text}");
    assert!(text.contains("- unsupported/host/f32"), "the report names what is missing as the comparison does: {text}");
}

#[test]
fn a_gate_sees_what_failed_and_a_run_of_nothing_else_is_no_success() {
    let bench = Bench::faulty();
    let words = ["run", "double", "--set", "length=4096", "--replicates", "5", "--blocks", "20", "--implementation"];
    bench.ok(&[&words[..], &["good,half-speed,panics"]].concat());
    let compare = ["compare", "--baseline", "half-speed"];
    let json = bench.ok(&[&compare[..], &["--format", "json"]].concat());
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    let lost = rows.iter().find(|row| row["candidate"].as_str().unwrap().starts_with("panics/")).unwrap();
    assert_eq!((&lost["verdict"], &lost["reason"]), (&"undecided".into(), &"candidate-failed".into()));
    let gated = bench.run(&[&compare[..], &["--wide", "--fail-on", "slower,undecided"]].concat());
    assert_eq!(gated.code, Some(2), "{}", gated.stdout);
    assert!(gated.stdout.contains("candidate failed"), "{}", gated.stdout);

    let ran = bench.run(&[&words[..], &["panics,nan"]].concat());
    assert_eq!(ran.code, Some(4), "{}", ran.stdout);
    let told = "measured nothing: 10 trials (0 ok, 5 failed, 5 wrong)";
    assert!(ran.stdout.contains(told) && !ran.stdout.contains("next:"), "{}", ran.stdout);
}

#[test]
fn a_device_that_is_absent_is_refused_by_name_and_left_out_otherwise() {
    let bench = Bench::faulty();
    bench.fails(&["run", "double", "--device", "moon"], 4, &["moon", "no rocket"]);
    bench.fails(&["run", "double", "--device", "hst"], 4, &["did you mean `host`"]);
    bench.ok(&["run", "double", "--quick", "--replicates", "1", "--implementation", "good,twin", "--blocks", "4"]);
    let events = bench.sql("select message from events where kind = 'device_unavailable'");
    assert_eq!(events[0]["message"], "moon: no rocket");
}

/// Few blocks of one replicate of `good` and of what else is named, on these lengths.
fn lengths<'a>(lengths: &'a str, implementations: &'a str) -> Vec<&'a str> {
    let words = ["run", "double", "--quick", "--blocks", "4", "--set", lengths, "--implementation", implementations];
    words.to_vec()
}

#[test]
fn a_case_that_hangs_takes_no_other_with_it() {
    let bench = Bench::faulty();
    let words = lengths("length=64,128,6144", "good,hangs-when-long");
    bench.ok(&[&words[..], &["--replicates", "2", "--timeout", "3s"]].concat());
    let rows = bench.sql(
        "select t.case_name, o.status, count(*) as n from outcomes o \
         join trials t on t.run_id = o.run_id and t.trial = o.trial \
         where t.implementation = 'hangs-when-long' group by 1, 2 order by 1",
    );
    let text =
        |row: &serde_json::Value| format!("{} {} {}", row["case_name"], row["status"], row["n"]).replace('"', "");
    assert_eq!(rows.iter().map(text).collect::<Vec<_>>(), ["n128 ok 2", "n6144 failed 2", "n64 ok 2"]);
    let skipped = bench.sql("select stop_reason from outcomes where stop_reason like '%not tried again%'");
    assert_eq!(skipped.len(), 1, "the case costs the timeout once");
}

#[test]
fn what_is_impossible_in_a_sweep_is_named_and_the_rest_is_measured() {
    let bench = Bench::faulty();
    let words = lengths("length=0,64,-1,128", "good");
    let ran = bench.run(&[&words[..], &["--replicates", "1"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("double with length=0 is left out") && ran.stderr.contains("give 1 to"), "{ran:?}");
    let cases = bench.sql("select distinct case_name from trials order by 1");
    assert_eq!(cases.iter().map(|row| row["case_name"].as_str().unwrap()).collect::<Vec<_>>(), ["n128", "n64"]);
    let left_out = bench.sql("select message from events where kind = 'left_out'");
    assert_eq!(left_out.len(), 2, "{left_out:?}");
    // What no combination is right with is a slip.
    bench.fails(&lengths("length=64,abc", "good"), 4, &["`abc` is not a whole number"]);
}

#[test]
fn an_entry_of_which_nothing_is_possible_leaves_the_others() {
    let bench = Bench::faulty();
    let entry = |lengths: &str| {
        format!("[[cases]]\nworkload = \"double\"\nimplementations = [\"good\"]\nparams = {{ length = {lengths} }}\n")
    };
    let plan = format!("replicates = 1\n[sampling]\nblocks = 4\n{}{}", entry("[0, 0]"), entry("64"));
    std::fs::write(bench.folder().join("plan.toml"), plan).unwrap();
    bench.ok(&["run", "plan.toml", "--quick"]);
    let cases = bench.sql("select distinct case_name from trials");
    assert_eq!(cases.iter().map(|row| row["case_name"].as_str().unwrap()).collect::<Vec<_>>(), ["n64"]);
    let left_out = bench.sql("select message from events where kind = 'left_out'");
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    bench.fails(&lengths("length=0,-1", "good"), 4, &["length=0 is left out", "length=-1 is left out", "give 1 to"]);
}

#[test]
fn the_order_of_a_block_is_random_and_follows_from_the_seed() {
    let bench = Bench::faulty();
    for seed in ["7", "7", "8"] {
        let words = ["run", "double", "--quick", "--replicates", "1", "--implementation", "good,twin,prints"];
        bench.ok(&[&words[..], &["--blocks", "30", "--seed", seed, "--tag", seed]].concat());
    }
    let orders = bench.sql(
        "select run_id, string_agg(implementation, ',' order by block, position) as \"order\" \
         from results group by run_id order by run_id",
    );
    assert_eq!(orders[0]["order"], orders[1]["order"]);
    assert_ne!(orders[0]["order"], orders[2]["order"]);
    let first = bench.sql("select implementation, count(*) as n from results where position = 0 group by 1");
    // Binomial(90, 1/3): sd 4.5; six of them either way.
    assert!(first.iter().all(|row| (3..=57).contains(&row["n"].as_i64().unwrap())), "{first:?}");
}

#[test]
fn disturbed_samples_are_marked_and_too_many_make_a_trial_invalid() {
    let bench = Bench::faulty();
    // Samples of 30 ms outlast the share of a processor that a thread gets at once.
    let plan = "replicates = 1\nthreads = 1\ndevices = [\"host\"]\n[sampling]\nblocks = 8\nmin_sample_ns = 30000000\n\
                warmup_ns = 1000000\n[[cases]]\nworkload = \"double\"\nimplementations = [\"good\", \"twin\"]\n";
    std::fs::write(bench.folder().join("plan.toml"), plan).unwrap();
    // More busy threads than processors: a single measuring thread then has to wait for one of them.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let over = std::sync::atomic::AtomicBool::new(false);
    let ran = std::thread::scope(|scope| {
        for _ in 0..4 * processors {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let mut command = bench.command(&["run", "plan.toml"]);
        let output = command.env_remove("BENCHBOOK_KEEP_DISTURBED").output().unwrap();
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        output
    });
    let rows = bench.sql("select status, count(*) as n from outcomes where trial is not null group by status");
    let marked = bench.sql("select count(*) as n from samples where invalid_reason = 'preempted' and not valid");
    assert!(marked[0]["n"].as_i64().unwrap() > 0, "{marked:?} {}", String::from_utf8_lossy(&ran.stderr));
    assert!(rows.iter().any(|row| row["status"] == "invalid"), "{rows:?}");
    // One line tells of all of it, and what to do.
    let stderr = String::from_utf8_lossy(&ran.stderr);
    let told: Vec<&str> = stderr.lines().filter(|line| line.contains("disturbed by the machine")).collect();
    assert!(told.len() == 1 && told[0].contains("left out") && told[0].contains("--keep-disturbed"), "{told:?}");
    // What is invalid is a typed answer, and nothing of it is compared.
    let used = bench.sql("select count(*) as n from results where valid and invalid_reason is not null");
    assert_eq!(used[0]["n"], 0);
}
