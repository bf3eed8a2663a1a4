//! The named queries, each on a small store, and their parameters.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::common::{Fixture, Numbers, add, assert_near, flags, floats, ints, sample, texts, trial};
use benchbook_query::{Error, ParamKind, named_queries, named_queries_in};
use benchbook_record::{MeasureRow, OutcomeRow, Provenance, Status};
use serde_json::json;

const REPLICATES: i64 = 6;
const BLOCKS: i64 = 30;

/// Two implementations on three sizes, six replicates; flash takes about half the time of naive.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let mut numbers = Numbers::new(3);
    fixture.tagged("night", |writer| {
        let (mut number, mut block) = (0, 0);
        for replicate in 0..REPLICATES {
            for size in [64, 128, 256] {
                let params = json!({"seq_q": {"int": size}, "seq_kv": {"int": size}, "heads": {"int": 8}});
                let case = format!("seq={size}");
                for (index, implementation) in [(0, "naive"), (1, "flash")] {
                    add(writer, &trial(number + index, implementation, &case, replicate, params.clone()));
                    let peak = MeasureRow {
                        trial: number + index,
                        sample: None,
                        device: None,
                        name: "peak_added_bytes".into(),
                        value: 1_000.0 / (index + 1) as f64,
                        unit: "bytes".into(),
                        provenance: Provenance::Measured,
                    };
                    writer.measure(&peak).unwrap();
                }
                for index in 0..BLOCKS {
                    let naive = size * size * 10 + numbers.next(0, 200);
                    writer.sample(&sample(number, index, block, naive)).unwrap();
                    let mut flash = sample(number + 1, index, block, naive / 2 + numbers.next(0, 100));
                    if replicate == 0 && index == 0 {
                        flash.valid = false;
                        flash.invalid_reason = Some("migrated");
                    }
                    writer.sample(&flash).unwrap();
                    block += 1;
                }
                number += 2;
            }
        }
        let ending = OutcomeRow { trial: None, at_ns: 1, status: Status::Ok, stop_reason: None, prepare_ns: None };
        writer.outcome(&ending).unwrap();
    });
    fixture
}

fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_folder_is_what_is_embedded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../queries");
    let mut files: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort_unstable();
    let embedded = named_queries().unwrap();
    let names: Vec<String> = embedded.iter().map(|query| format!("{}.sql", query.name)).collect();
    assert_eq!(files, names);
    assert_eq!(named_queries_in(&folder).unwrap(), embedded);
}

#[test]
fn speedup() {
    let fixture = fixture();
    let session = fixture.session();
    let answer = session.named("speedup", &given(&[])).unwrap();
    assert_eq!(answer.rows(), 3);
    assert_eq!(texts(&answer, "candidate"), vec![Some("flash/flex/f32/2t".to_owned()); 3]);
    assert_eq!(texts(&answer, "verdict"), vec![Some("faster".to_owned()); 3]);
    assert_eq!(texts(&answer, "scope"), vec![Some("across-replicates".to_owned()); 3]);
    assert_eq!(ints(&answer, "replicates"), [Some(REPLICATES); 3]);
    assert_eq!(ints(&answer, "blocks"), [Some(REPLICATES * BLOCKS - 1); 3]);
    for (ratio, (low, high)) in
        floats(&answer, "speedup").into_iter().zip(floats(&answer, "low").into_iter().zip(floats(&answer, "high")))
    {
        let (ratio, low, high) = (ratio.unwrap(), low.unwrap(), high.unwrap());
        assert!(low < ratio && ratio < high && (1.9..2.01).contains(&ratio), "{low} {ratio} {high}");
    }
    assert_eq!(answer.left_out.samples.get("migrated"), Some(&3));
    let turned = session.named("speedup", &given(&[("baseline", "flash/flex/f32/2t"), ("run", "night")])).unwrap();
    assert_eq!(texts(&turned, "verdict"), vec![Some("slower".to_owned()); 3]);
}

/// Five variants on one case; each takes 1 µs more than the one before it.
fn devices_and_dtypes() -> Fixture {
    let sides = [
        ("naive", "flex", "f32"),
        ("naive", "libtorch", "f32"),
        ("flash", "flex", "f32"),
        ("flash", "flex", "bf16"),
        ("torch", "moon", "f32"),
    ];
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for replicate in 0..REPLICATES {
            for (place, (name, device, dtype)) in (0..).zip(sides) {
                let number = 5 * replicate + place;
                let mut row = trial(number, name, "a", replicate, json!({}));
                (row.device, row.dtype) = (device.into(), dtype.parse().unwrap());
                row.variant = format!("{name}/{device}/{dtype}/2t");
                add(writer, &row);
                for index in 0..5 {
                    let elapsed = 100_000 + 1_000 * place + 7 * index + replicate;
                    writer.sample(&sample(number, index, 5 * replicate + index, elapsed)).unwrap();
                }
            }
        }
    });
    fixture
}

#[test]
fn a_baseline_is_the_variant_on_the_same_device_where_there_is_one() {
    let fixture = devices_and_dtypes();
    let session = fixture.session();
    let pairs = |answer: &benchbook_query::Answer| -> Vec<String> {
        let (baselines, candidates) = (texts(answer, "baseline"), texts(answer, "candidate"));
        let short = |name: &Option<String>| name.clone().unwrap_or_default().replace("/2t", "");
        baselines.iter().zip(&candidates).map(|(b, c)| format!("{} {}", short(b), short(c))).collect()
    };
    let speedup = session.named("speedup", &given(&[])).unwrap();
    let wanted = [
        "naive/flex/f32 flash/flex/bf16",
        "naive/flex/f32 flash/flex/f32",
        "naive/flex/f32 torch/moon/f32",
        "naive/libtorch/f32 torch/moon/f32",
    ];
    assert_eq!(pairs(&speedup), wanted);
    assert_eq!(pairs(&session.named("evidence", &given(&[])).unwrap()), wanted);
    let rules = session.named("rules", &given(&[])).unwrap();
    let (all, names) = (pairs(&rules), texts(&rules, "rule"));
    let judged: Vec<&String> =
        all.iter().zip(&names).filter(|(_, rule)| rule.as_deref() == Some("category")).map(|(pair, _)| pair).collect();
    assert_eq!(judged, wanted.iter().collect::<Vec<_>>());
    let nearest = "SELECT baseline, candidate FROM verdicts WHERE nearest AND baseline_implementation = 'naive' \
                   AND candidate_implementation <> 'naive' ORDER BY first_trial, baseline, candidate";
    assert_eq!(pairs(&session.sql(nearest).unwrap()), wanted);
    // The times of the blocks that are compared stand beside the ratio.
    let (before, after) = (floats(&speedup, "baseline_ns"), floats(&speedup, "candidate_ns"));
    assert!((100_014.0..100_020.0).contains(&before[1].unwrap()), "{before:?}");
    assert!((102_014.0..102_020.0).contains(&after[1].unwrap()), "{after:?}");
    let whole = session.named("speedup", &given(&[("baseline", "naive/libtorch/f32/2t")])).unwrap();
    assert_eq!(whole.rows(), 4, "a whole variant is the baseline of all");
    let by =
        |by: &str, baseline: &str| session.named("speedup", &given(&[("by", by), ("baseline", baseline)])).unwrap();
    assert_eq!(pairs(&by("device", "flex")), ["naive/flex/f32 naive/libtorch/f32"]);
    assert_eq!(pairs(&by("dtype", "f32")), ["flash/flex/f32 flash/flex/bf16"]);
    // A name of another kind is none of these, and no empty table.
    let refused: [(&[(&str, &str)], &str); 4] = [
        (&[("baseline", "flex")], "no variant or implementation `flex`"),
        (&[("by", "device"), ("baseline", "flx")], "no device `flx` in this store; did you mean `flex`?"),
        (&[("by", "device")], "no device `naive` in this store; there are flex, libtorch, moon"),
        (&[("by", "dtype"), ("baseline", "flex")], "no dtype `flex` in this store; there are bf16, f32"),
    ];
    for (params, told) in refused {
        let error = session.named("speedup", &given(params)).unwrap_err().to_string();
        assert!(error.starts_with(told), "{params:?}: {error}");
    }
}

#[test]
fn answers_are_in_the_order_of_trials() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for (number, size) in (0..).zip([512, 64, 256]) {
            for replicate in 0..2 {
                let number = 10 * number + replicate;
                add(writer, &trial(number, "naive", &format!("s{size}"), replicate, json!({})));
                for index in 0..3 {
                    let mut one = sample(number, index, number * 10 + index, 1_000 * size + index);
                    // What is left out of the first replicate moves no case.
                    (one.valid, one.invalid_reason) =
                        if replicate == 0 { (false, Some("starved")) } else { (true, None) };
                    writer.sample(&one).unwrap();
                }
            }
        }
    });
    let session = fixture.session();
    for name in ["summary", "checks", "health", "left_out"] {
        let mut cases: Vec<String> =
            texts(&session.named(name, &given(&[])).unwrap(), "case_name").into_iter().flatten().collect();
        cases.dedup();
        assert_eq!(cases, ["s512", "s64", "s256"], "{name}");
    }
}

#[test]
fn lines_of_a_sweep_are_in_the_order_of_trials() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for (number, (heads, size)) in (0..).zip([64, 1024].into_iter().flat_map(|h| [1, 2, 3].map(|s| (h, s)))) {
            let params = json!({"heads": {"int": heads}, "size": {"int": size}});
            add(writer, &trial(number, "naive", &format!("h{heads} s{size}"), 0, params));
            writer.sample(&sample(number, 0, number, 1_000 * size)).unwrap();
        }
    });
    let answer = fixture.session().named("scaling", &given(&[("x", "size"), ("along", "")])).unwrap();
    let mut lines: Vec<String> = texts(&answer, "fixed").into_iter().flatten().collect();
    lines.dedup();
    assert_eq!(lines, ["heads=64", "heads=1024"]);
}

#[test]
fn summary() {
    let fixture = fixture();
    let answer = fixture.session().named("summary", &given(&[])).unwrap();
    assert_eq!(answer.rows(), 6);
    assert_eq!(ints(&answer, "n").iter().flatten().sum::<i64>(), 2 * 3 * REPLICATES * BLOCKS - 3);
    let (medians, rates) = (floats(&answer, "median_ns"), floats(&answer, "gflops"));
    for (median, rate) in medians.iter().zip(&rates) {
        assert_near(rate.unwrap(), 2_000.0 / median.unwrap(), "gflops");
    }
    let lows = floats(&answer, "median_low_ns");
    assert!(lows.iter().zip(&medians).all(|(low, median)| low.unwrap() < median.unwrap()));
    assert_eq!(ints(&answer, "replicates"), [Some(REPLICATES); 6]);
    assert_eq!(texts(&answer, "reason"), [const { None::<String> }; 6]);
}

#[test]
fn checks_memory_scaling_left_out_runs() {
    let fixture = fixture();
    let session = fixture.session();
    let checks = session.named("checks", &given(&[])).unwrap();
    assert_eq!(checks.rows(), 72);
    assert_near(floats(&checks, "used")[0].unwrap(), 0.5, "used");

    let memory = session.named("memory", &given(&[])).unwrap();
    assert_eq!(memory.rows(), 6);
    assert_eq!(ints(&memory, "replicates"), [Some(REPLICATES); 6]);
    for (name, flash, naive) in
        [("added_bytes", 500.0, 1_000.0), ("highest_bytes", 500.0, 1_000.0), ("ratio", 0.5, 1.0)]
    {
        let values = floats(&memory, name);
        assert_near(values[0].unwrap(), naive, name);
        assert_near(values[1].unwrap(), flash, name);
    }
    assert_eq!(texts(&memory, "reason"), vec![Some("constant".to_owned()); 6]);

    let scaling = session.named("scaling", &given(&[("x", "seq_q")])).unwrap();
    assert_eq!(scaling.rows(), 6);
    assert_eq!(floats(&scaling, "x")[..3], [Some(64.0), Some(128.0), Some(256.0)]);
    assert_eq!(texts(&scaling, "fixed")[0].as_deref(), Some("heads=8"));
    assert!(floats(&scaling, "exponent").iter().all(|exponent| (1.98..2.02).contains(&exponent.unwrap())));
    // Alone in x: nothing to fit.
    let alone = session.named("scaling", &given(&[("along", "")])).unwrap();
    assert_eq!(floats(&alone, "exponent"), vec![None; 6]);
    let error = session.named("scaling", &given(&[("x", "seq")])).unwrap_err().to_string();
    assert_eq!(error, "no parameter `seq` in this store; there are heads, seq_kv, seq_q");

    let left_out = session.named("left_out", &given(&[])).unwrap();
    assert_eq!((left_out.rows(), ints(&left_out, "samples")), (3, vec![Some(1); 3]));

    let runs = session.named("runs", &given(&[])).unwrap();
    assert_eq!(texts(&runs, "status"), [Some("ok".to_owned())]);
    assert_eq!(
        (ints(&runs, "trials"), ints(&runs, "samples")),
        (vec![Some(36)], vec![Some(2 * 3 * REPLICATES * BLOCKS)])
    );
}

#[test]
fn sequential() {
    let fixture = fixture();
    let first = fixture.session().sql("SELECT run_id FROM runs").unwrap();
    let first = texts(&first, "run_id").remove(0).unwrap();
    fixture.tagged("later", |writer| {
        for replicate in 0..REPLICATES {
            let params = json!({"seq_q": {"int": 64}, "seq_kv": {"int": 64}, "heads": {"int": 8}});
            add(writer, &trial(replicate, "naive", "seq=64", replicate, params));
            for index in 0..BLOCKS {
                writer.sample(&sample(replicate, index, replicate * BLOCKS + index, 20_000 + replicate)).unwrap();
            }
        }
    });
    let session = fixture.session();
    let answer = session.named("sequential", &given(&[("baseline", first.as_str())])).unwrap();
    let verdicts: Vec<String> = texts(&answer, "verdict").into_iter().flatten().collect();
    assert_eq!(verdicts.iter().filter(|verdict| *verdict == "not in both").count(), 5);
    assert_eq!(verdicts.iter().filter(|verdict| *verdict == "faster").count(), 1, "{verdicts:?}");
    assert_eq!(answer.left_out.sample_count(), 3);
    let seeds =
        |answer: &benchbook_query::Answer| flags(answer, "same_seeds").into_iter().flatten().collect::<Vec<_>>();
    // Two variants of a case that is in both.
    assert_eq!(seeds(&answer), [true; 2]);
    let other = fixture.tagged("other", |writer| {
        let mut row = trial(0, "naive", "seq=64", 0, json!({}));
        row.input_seed = 8;
        add(writer, &row);
        writer.sample(&sample(0, 0, 0, 20_000)).unwrap();
    });
    let session = fixture.session();
    let params = given(&[("baseline", first.as_str()), ("candidate", other.as_str())]);
    assert_eq!(seeds(&session.named("sequential", &params).unwrap()), [false; 2]);
    let later = session.named("summary", &given(&[("run", "later")])).unwrap();
    assert!(later.left_out.is_empty());
}

#[test]
fn parameters_that_do_not_fit_are_named() {
    let fixture = fixture();
    let session = fixture.session();
    let error = |name: &str, params: &[(&str, &str)]| session.named(name, &given(params)).unwrap_err().to_string();
    assert_eq!(
        error("speedpu", &[]),
        "no query named `speedpu`; did you mean `speedup`?; there are adaptive, approximations, before_after, capacity, checks, claims, cost, cross_model, crossover, datasheet, evaluations, evidence, feedback, figures, health, history, left_out, matrix, memory, metrics, optimizations, overhead, papers, roofline, rules, runs, scaling, sequential, speedup, steps, summary, tails"
    );
    assert_eq!(
        error("speedup", &[("basline", "naive")]),
        "query `speedup` has no parameter `basline`; did you mean `baseline`?; it takes baseline, by, run"
    );
    assert!(error("speedup", &[("baseline", "naiv")]).contains("did you mean `naive`?"));
    assert!(session.named("speedup", &given(&[("run", "no-such-run")])).is_err());
    // A value is never part of the query's text.
    assert!(error("speedup", &[("baseline", "x' OR 'a' = 'a")]).starts_with("no variant or implementation"));
    let along = given(&[("x", "seq_q"), ("along", "x' OR 'a' = 'a")]);
    assert_eq!(session.named("scaling", &along).unwrap().rows(), 6);
}

#[test]
fn queries_of_a_folder_are_read() {
    let fixture = fixture();
    let folder = fixture.folder.path().join("queries");
    fs::create_dir(&folder).unwrap();
    let text = "-- title: Least time\n-- param least integer: in ns\n-- param share number = 0.5: a share\n\
                SELECT count(*) AS n FROM results WHERE time_ns > $least * $share";
    fs::write(folder.join("least.sql"), text).unwrap();
    fs::write(folder.join("notes.txt"), "no query").unwrap();
    let mut session = fixture.session();
    session.add_queries(&folder).unwrap();
    let query = session.queries().iter().find(|query| query.name == "least").unwrap().clone();
    assert_eq!((query.title.as_str(), query.params.len()), ("Least time", 2));
    assert_eq!((query.params[0].kind, query.params[0].default.as_deref()), (ParamKind::Integer, None));
    assert!(matches!(session.named("least", &given(&[])), Err(Error::MissingParameter { .. })));
    assert!(matches!(session.named("least", &given(&[("least", "many")])), Err(Error::BadParameter { .. })));
    let all = session.named("least", &given(&[("least", "0")])).unwrap();
    assert_eq!(ints(&all, "n"), [Some(2 * 3 * REPLICATES * BLOCKS)]);
    for bad in ["SELECT 1", "-- title: x\n-- param a: b\nSELECT 1", "-- title: x\n-- param a wrong: b\nSELECT 1"] {
        fs::write(folder.join("bad.sql"), bad).unwrap();
        let error = session.add_queries(&folder).unwrap_err();
        assert!(matches!(error, Error::QueryFile { .. }), "{error}");
    }
}
