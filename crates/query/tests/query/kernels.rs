//! The queries about kernels: roofs, approximations, metrics.

use std::collections::BTreeMap;

use crate::common::{Fixture, add, assert_near, floats, ints, sample, texts, trial};
use benchbook_query::{Answer, Session};
use benchbook_record::{DeviceRow, MeasureRow, Provenance, RunRow, RunWriter, TrialRow, to_parquet};
use serde_json::json;

fn named(session: &Session, name: &str, params: &[(&str, &str)]) -> Answer {
    let params: BTreeMap<String, String> =
        params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    session.named(name, &params).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A trial with its work, and three samples around `time_ns`.
fn write(writer: &mut RunWriter, number: i64, change: impl FnOnce(&mut TrialRow), time_ns: i64) {
    let mut row = trial(number, "fused", "s512", 0, json!({}));
    change(&mut row);
    add(writer, &row);
    for (index, elapsed) in [time_ns - 1, time_ns, time_ns + 5].into_iter().enumerate() {
        let index = index as i64;
        writer.sample(&sample(number, index, number * 10 + index, elapsed)).unwrap();
    }
}

fn work(workload: &'static str, flops: f64, bytes: f64) -> impl FnOnce(&mut TrialRow) {
    move |row| {
        row.workload = workload.into();
        (row.flops, row.bytes) = (Some(flops), Some(bytes));
    }
}

#[test]
fn a_case_is_held_by_the_lower_roof_of_its_own_threads() {
    let fixture = Fixture::new();
    fixture.tagged("kernels", |writer| {
        write(writer, 0, work("attention", 2000.0, 64.0), 400);
        write(writer, 1, work("decoding", 200.0, 640.0), 640);
        write(writer, 2, work("copying", 0.0, 64.0), 32);
        let four = |row: &mut TrialRow| (row.workload, row.threads) = ("four threads".into(), 4);
        write(writer, 3, four, 100);
        let half = |row: &mut TrialRow| {
            (row.workload, row.dtype) = ("half".into(), serde_json::from_value(json!("bf16")).unwrap())
        };
        write(writer, 4, half, 100);
        write(writer, 5, work("small", 200.0, 100.0), 640);
    });
    let without = named(&fixture.session(), "roofline", &[("run", "kernels")]);
    assert_eq!(floats(&without, "of_the_roof"), vec![None; 6]);
    assert_eq!(texts(&without, "roof"), vec![None; 6]);

    // Older roofs, which the newer ones replace, and memory in two working sets. The best sample is one less.
    for (tag, times) in [("old", [1_001, 1_001, 1_001]), ("new", [101, 33, 161])] {
        fixture.tagged(tag, |writer| {
            write(writer, 0, work("fma", 2000.0, 0.0), times[0]);
            write(writer, 1, work("read", 0.0, 64.0), times[1]);
            let large = |row: &mut TrialRow| {
                work("read", 0.0, 640.0)(row);
                row.case_name = "large".into();
            };
            write(writer, 2, large, times[2]);
        });
    }
    let answer = named(&fixture.session(), "roofline", &[("run", "kernels")]);
    assert_eq!(
        texts(&answer, "workload").into_iter().flatten().collect::<Vec<_>>(),
        ["attention", "decoding", "copying", "four threads", "half", "small"]
    );
    let text = |name| texts(&answer, name).into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>();
    assert_eq!(text("roof"), ["arithmetic", "memory", "memory", "", "", "memory"]);
    let of_the_roof = floats(&answer, "of_the_roof");
    for (at, wanted) in [(0, 100.0 / 400.0), (1, 160.0 / 640.0), (2, 32.0 / 32.0), (5, 50.0 / 640.0)] {
        assert_near(of_the_roof[at].unwrap(), wanted, "of the roof");
    }
    assert_eq!(of_the_roof[3], None, "roofs of two threads say nothing of four");
    assert_eq!(of_the_roof[4], None, "arithmetic in f32 says nothing of another");
    assert_near(floats(&answer, "peak_gflops")[0].unwrap(), 20.0, "the newer roof, its best sample");
    let memory = [1, 2, 5].map(|at| floats(&answer, "memory_gb_s")[at].unwrap());
    for (found, wanted) in memory.into_iter().zip([4.0, 2.0, 2.0]) {
        assert_near(found, wanted, "the working set that is nearest by ratio");
    }
    assert_near(floats(&answer, "roof_spread")[0].unwrap(), 1.0 / 101.0, "from the best sample to the median");
    let roofs = named(&fixture.session(), "roofline", &[("run", "new")]);
    assert_eq!(roofs.rows(), 3, "roofs have roofs too");
    assert!(
        floats(&roofs, "of_the_roof").into_iter().flatten().all(|share| share < 1.0),
        "and never exceed themselves"
    );

    // A copy that is faster than every read shows that reads are no roof of memory, and takes their place.
    fixture.tagged("copied", |writer| write(writer, 0, work("copy", 0.0, 64.0), 17));
    let answer = named(&fixture.session(), "roofline", &[("run", "kernels")]);
    assert_near(floats(&answer, "memory_gb_s")[2].unwrap(), 4.0, "the faster of the two");
}

/// A run on these chips: a trial in f32 on the processor, one on a GPU, and one there in bf16.
fn run_on(fixture: &Fixture, tag: &str, cpu_model: &str, gpus: &[&str]) {
    let device = |name: &&str| DeviceRow {
        name: Some((*name).to_owned()),
        kind: Some("cuda".to_owned()),
        driver: None,
        memory_bytes: None,
    };
    let run = RunRow {
        tags: vec![tag.to_owned()],
        cpu_model: Some(cpu_model.to_owned()),
        devices: gpus.iter().map(device).collect(),
        ..RunRow::new("test")
    };
    let mut writer = RunWriter::create(&fixture.store, &run).unwrap();
    for (number, dtype) in [(0, "f32"), (1, "f32"), (2, "bf16")] {
        let of = |row: &mut TrialRow| {
            work("product", 2000.0, 64.0)(row);
            row.variant = format!("{number} {dtype}");
            row.dtype = serde_json::from_value(json!(dtype)).unwrap();
        };
        write(&mut writer, number, of, 400);
    }
    for number in [1, 2] {
        writer.measure(&metric(number, "gpu_peak_bytes", 1e9)).unwrap();
    }
    writer.finish(to_parquet).unwrap();
}

#[test]
fn a_share_of_what_a_datasheet_says_is_of_the_chip_and_the_dtype_or_has_its_reason() {
    let fixture = Fixture::new();
    run_on(&fixture, "known", "AMD EPYC 9654 96-Core Processor", &["NVIDIA H200", "NVIDIA H200"]);
    run_on(&fixture, "unknown", "a chip of somebody", &["NVIDIA H200", "NVIDIA A100-SXM4-80GB"]);
    let session = fixture.session();
    let known = named(&session, "datasheet", &[("run", "known")]);
    // Five operations and 0.16 bytes a nanosecond.
    let flops = floats(&known, "of_published_flops");
    assert_eq!(flops[0], None);
    assert_near(flops[1].unwrap(), 5.0 / 67_000.0, "of f32 without TF32");
    assert_near(flops[2].unwrap(), 5.0 / 989_500.0, "of dense products in bf16");
    let bandwidth = floats(&known, "of_published_bandwidth");
    for (found, published) in bandwidth.into_iter().zip([460.8, 4_800.0, 4_800.0]) {
        assert_near(found.unwrap(), 0.16 / published, "of the memory of its chip");
    }
    let reasons =
        |answer: &Answer| texts(answer, "reason").into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>();
    assert_eq!(reasons(&known), ["its datasheet has no peak of arithmetic in f32", "", ""]);
    let unknown = named(&session, "datasheet", &[("run", "unknown")]);
    let several = "the machine has GPUs of several kinds";
    assert_eq!(reasons(&unknown), ["no datasheet of a chip of somebody is known here", several, several]);
    assert_eq!(floats(&unknown, "of_published_bandwidth"), [None; 3]);
}

#[test]
fn exponentials_are_a_roof_where_a_case_says_how_many_it_takes() {
    let fixture = Fixture::new();
    fixture.tagged("kernels", |writer| {
        for number in 0..3 {
            write(writer, number, work(["scan", "other", "few"][number as usize], 2000.0, 64.0), 400);
        }
        writer.measure(&metric(0, "exponentials", 300.0)).unwrap();
        writer.measure(&metric(2, "exponentials", 100.0)).unwrap();
    });
    fixture.tagged("roofs", |writer| {
        write(writer, 0, work("fma", 2000.0, 0.0), 101);
        write(writer, 1, work("read", 0.0, 64.0), 33);
        // An exponential a nanosecond: 300 take longer than the operations, and 100 do not.
        write(writer, 2, work("exp2", 100.0, 1.0), 101);
    });
    let answer = named(&fixture.session(), "roofline", &[("run", "kernels")]);
    let roofs: Vec<String> = texts(&answer, "roof").into_iter().flatten().collect();
    assert_eq!(roofs, ["exponentials", "arithmetic", "arithmetic"]);
    assert_near(floats(&answer, "of_the_roof")[0].unwrap(), 300.0 / 400.0, "of the roof");
    assert_near(floats(&answer, "gexp_s")[0].unwrap(), 300.0 / 400.0, "exponentials a nanosecond");
    assert_near(floats(&answer, "of_the_roof")[1].unwrap(), 100.0 / 400.0, "without the metric");
    assert_eq!((floats(&answer, "gexp_s")[1], floats(&answer, "peak_gexp_s")[0]), (None, Some(1.0)));
}

#[test]
fn a_variant_is_held_to_the_work_that_it_does_itself() {
    let fixture = Fixture::new();
    fixture.tagged("kernels", |writer| {
        for (number, name) in ["whole", "few bits", "bytes", "sparse"].into_iter().enumerate() {
            let of = |row: &mut TrialRow| {
                work("product", 2000.0, 640.0)(row);
                row.variant = name.into();
            };
            write(writer, number as i64, of, 400);
        }
        for (number, name, value) in [
            (1, "own_bytes", 160.0),
            (2, "own_bytes", 160.0),
            (2, "own_flops", 0.0),
            (2, "int8_ops", 2000.0),
            (3, "own_bytes", 64.0),
            (3, "own_flops", 200.0),
        ] {
            writer.measure(&metric(number, name, value)).unwrap();
        }
    });
    // A byte a nanosecond, and twenty operations.
    fixture.tagged("roofs", |writer| {
        write(writer, 0, work("fma", 2000.0, 0.0), 101);
        write(writer, 1, work("read", 0.0, 64.0), 65);
    });
    let asked = || {
        let answer = named(&fixture.session(), "roofline", &[("run", "kernels")]);
        let rows =
            texts(&answer, "variant").into_iter().zip(texts(&answer, "roof")).zip(floats(&answer, "of_the_roof"));
        let of = |((variant, roof), share): ((Option<String>, Option<String>), Option<f64>)| {
            (variant.unwrap_or_default(), (roof.unwrap_or_default(), share))
        };
        rows.map(of).collect::<BTreeMap<String, (String, Option<f64>)>>()
    };
    let before = asked();
    assert_eq!(before["bytes"], (String::new(), None), "nobody has measured operations on bytes");
    assert_near(before["few bits"].1.unwrap(), 160.0 / 400.0, "weights of few bits");
    // Of two ways to add up bytes the faster one is the roof: ten operations a nanosecond.
    fixture.tagged("bytes", |writer| {
        for (number, (name, time)) in [("eights", 101), ("fours", 201)].into_iter().enumerate() {
            let of = |row: &mut TrialRow| {
                work("int8-dot", 1000.0, 1.0)(row);
                row.variant = name.into();
            };
            write(writer, number as i64, of, time);
        }
    });
    let after = asked();
    for (variant, roof, share) in [
        ("whole", "memory", 640.0),
        ("few bits", "memory", 160.0),
        ("bytes", "int8", 200.0),
        ("sparse", "memory", 64.0),
    ] {
        assert_eq!(after[variant].0, roof, "{variant}");
        assert_near(after[variant].1.unwrap(), share / 400.0, variant);
    }
}

#[test]
fn an_approximation_stands_beside_the_fastest_exact_variant_of_its_case() {
    let fixture = Fixture::new();
    let called = |name: &'static str| move |row: &mut TrialRow| row.variant = name.into();
    let run = fixture.run(|writer| {
        for (number, (name, time)) in
            [("dense", 400), ("slow and exact", 900), ("threshold", 500), ("blocks", 100)].into_iter().enumerate()
        {
            write(writer, number as i64, called(name), time);
        }
        for (number, name, value) in [
            (2, "relative_error", 0.01),
            (2, "compute_saved", -0.1),
            (3, "relative_error", 0.2),
            (3, "mean_error", 0.1),
            (3, "sparsity", 0.75),
            (3, "own_flops", 500.0),
        ] {
            writer.measure(&metric(number, name, value)).unwrap();
        }
    });
    let session = fixture.session();
    let answer = named(&session, "approximations", &[]);
    assert_eq!(texts(&answer, "variant"), [Some("threshold".to_owned()), Some("blocks".to_owned())]);
    assert_eq!(floats(&answer, "relative_error"), [Some(0.01), Some(0.2)]);
    assert_eq!(floats(&answer, "mean_error"), [None, Some(0.1)]);
    assert_eq!(floats(&answer, "sparsity_reached"), [None, Some(0.75)]);
    assert_eq!(floats(&answer, "compute_saved"), [Some(-0.1), Some(0.75)], "500 of 2,000 operations");
    assert_eq!(floats(&answer, "of_exact"), [Some(1.25), Some(0.25)]);

    let metrics = named(&session, "figures", &[("run", &run), ("name", "%saved")]);
    assert_eq!(
        (texts(&metrics, "variant"), floats(&metrics, "value")),
        (vec![Some("threshold".into())], vec![Some(-0.1)])
    );
    assert_eq!(named(&session, "figures", &[]).rows(), 6);
    assert_eq!(named(&session, "figures", &[("name", "no such")]).rows(), 0);
}

#[test]
fn metrics_are_counted_over_replicates() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for (number, value) in [(0, 10.0), (1, 30.0), (2, 11.0)] {
            write(writer, number, |row| row.replicate = number, 100);
            writer.measure(&metric(number, "worker_bytes", value)).unwrap();
        }
    });
    let answer = named(&fixture.session(), "figures", &[]);
    assert_eq!(ints(&answer, "n"), [Some(3)]);
    for (column, wanted) in [("value", 11.0), ("lowest", 10.0), ("highest", 30.0)] {
        assert_eq!(floats(&answer, column), [Some(wanted)], "{column}");
    }
}

fn metric(trial: i64, name: &str, value: f64) -> MeasureRow {
    MeasureRow {
        trial,
        sample: None,
        device: None,
        name: name.into(),
        value,
        unit: "share".into(),
        provenance: Provenance::Measured,
    }
}
