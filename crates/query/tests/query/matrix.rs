//! The matrix of models and techniques: the newest cell of each, and why there is none.

use std::collections::BTreeMap;

use crate::common::{Fixture, Numbers, add, assert_near, floats, ints, sample, texts, trial};
use crate::metrics::measure;
use benchbook_query::{Answer, Session};
use benchbook_record::{EventRow, Level, OutcomeRow, RunWriter, Status};
use serde_json::json;

const TINY: &str = "tiny seeded 4+4 of l2 llama";
const LARGE: &str = "large other seeded 4+4 of l40 llama";

/// A trial that ends like this before anything is measured.
fn ends(writer: &mut RunWriter, number: i64, [name, case]: [&str; 2], (status, why): (Status, &str)) {
    writer.trial(&trial(number, name, case, 0, json!({}))).unwrap();
    let stop_reason = Some(why.to_owned());
    writer.outcome(&OutcomeRow { trial: Some(number), at_ns: 1, status, stop_reason, prepare_ns: None }).unwrap();
}

/// The plain model and a technique with a quarter of its weights, in six replicates of so many nanoseconds.
fn measured(writer: &mut RunWriter, technique: &str, times: [i64; 2]) {
    let mut numbers = Numbers::new(7);
    for replicate in 0..6 {
        for (side, (name, weights)) in [("plain", 100.0), (technique, 25.0)].into_iter().enumerate() {
            let number = 100 + 2 * replicate + side as i64;
            add(writer, &trial(number, name, TINY, replicate, json!({})));
            for (metric, value, unit) in
                [("weight_bytes", weights, "bytes"), ("cache_bytes", 10.0, "bytes"), ("own_flops", 1_500.0, "count")]
            {
                measure(writer, number, metric, value, unit);
            }
            if name != "plain" {
                measure(writer, number, "kl_divergence", 0.25, "nats");
            }
            for block in 0..5 {
                let time = times[side] + numbers.next(0, 500);
                writer.sample(&sample(number, block, 5 * replicate + block, time)).unwrap();
            }
        }
    }
}

fn asked(session: &Session, query: &str, more: &[(&str, &str)]) -> Answer {
    let given: BTreeMap<String, String> =
        [("suite", "test")].iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    session.named(query, &given).unwrap()
}

/// A column of texts, what is absent as a dash.
fn words(answer: &Answer, column: &str) -> Vec<String> {
    texts(answer, column).into_iter().map(|text| text.unwrap_or_else(|| "-".to_owned())).collect()
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        ends(writer, 1, ["heads-25", TINY], (Status::Unsupported, "not applicable: one key head"));
        ends(writer, 2, ["int8", LARGE], (Status::Unsupported, "not here: large has experts"));
        ends(writer, 3, ["2of4", TINY], (Status::Failed, "no memory: ask for less"));
        measured(writer, "int8", [200_000, 100_000]);
    });
    fixture
}

#[test]
fn a_cell_is_measured_or_says_why_not() {
    let fixture = fixture();
    let answer = asked(&fixture.session(), "matrix", &[]);
    let cells: Vec<String> = words(&answer, "model")
        .into_iter()
        .zip(words(&answer, "technique"))
        .zip(words(&answer, "cell").into_iter().zip(words(&answer, "why")))
        .map(|((model, technique), (cell, why))| format!("{model} {technique}: {cell} {why}"))
        .collect();
    let wanted = [
        "large int8: not here large has experts",
        "tiny heads-25: not applicable one key head",
        "tiny 2of4: failed no memory: ask for less",
        "tiny int8: measured -",
    ];
    assert_eq!(cells, wanted);
    assert_eq!(words(&answer, "helps"), ["-", "-", "-", "faster and smaller"]);
    assert_eq!((words(&answer, "weights")[3].as_str(), words(&answer, "quality")[3].as_str()), ("seeded", "-"));
    assert_eq!(words(&answer, "optimization"), ["-", "structured pruning", "sparse networks", "-"]);
    let of = |column: &str| floats(&answer, column)[3].unwrap();
    assert!((1.9..2.1).contains(&of("speedup")) && of("low") > 1.9 && of("high") < 2.1);
    assert_near(of("memory_ratio"), 35.0 / 110.0, "memory");
    assert_near(of("flops_saved"), 0.25, "operations");
    assert_near(of("kl_divergence"), 0.25, "divergence");
    assert!((99_000.0..102_000.0).contains(&of("time_ns")) && (199_000.0..202_000.0).contains(&of("baseline_ns")));
    // It is the only comparison of the matrix.
    assert!(of("matrix_q") < 1e-6);
    // Four times as fast is asked for.
    let strict = asked(&fixture.session(), "matrix", &[("least_speedup", "4")]);
    assert_eq!(words(&strict, "helps")[3], "smaller");
}

#[test]
fn energy_stands_beside_that_of_the_model_or_says_why_it_is_not_here() {
    let fixture = fixture();
    let last = |fixture: &Fixture| {
        let answer = asked(&fixture.session(), "matrix", &[]);
        let at = words(&answer, "technique").iter().rposition(|name| name == "int8").unwrap();
        (words(&answer, "energy").swap_remove(at), floats(&answer, "energy_ratio")[at])
    };
    assert_eq!(last(&fixture), ("not here: it was measured before energy was read".to_owned(), None));
    let silent = |writer: &mut RunWriter| {
        let (kind, message) = ("energy".to_owned(), "no counter is shown".to_owned());
        writer.event(&EventRow { at_ns: 1, trial: None, level: Level::Info, kind, message }).unwrap();
        measured(writer, "int8", [200_000, 100_000]);
    };
    fixture.run(silent);
    assert_eq!(last(&fixture), ("not here: no counter is shown".to_owned(), None));
    fixture.run(|writer| {
        silent(writer);
        for replicate in 0..6 {
            measure(writer, 100 + 2 * replicate, "cpu_energy_joules", 4.0, "joules");
            measure(writer, 101 + 2 * replicate, "cpu_energy_joules", 1.0, "joules");
        }
    });
    let (said, ratio) = last(&fixture);
    assert_eq!(said, "read");
    assert_near(ratio.unwrap(), 0.25, "energy");
    let sides = asked(&fixture.session(), "before_after", &[("model", "tiny"), ("technique", "int8")]);
    assert!(words(&sides, "metric").iter().any(|metric| metric == "cpu_energy_joules"));
}

#[test]
fn quality_is_judged_by_the_interval_of_real_text_or_labels() {
    let fixture = Fixture::new();
    let real = "tiny 24×16";
    fixture.run(|writer| {
        let figures = [
            ("int8", [("perplexity_ratio", 1.004), ("perplexity_ratio_low", 1.001), ("perplexity_ratio_high", 1.008)]),
            ("nf4", [("perplexity_ratio", 1.05), ("perplexity_ratio_low", 1.02), ("perplexity_ratio_high", 1.08)]),
            (
                "2of4",
                [
                    ("accuracy_difference", -0.02),
                    ("accuracy_difference_low", -0.05),
                    ("accuracy_difference_high", 0.01),
                ],
            ),
            (
                "mxfp4",
                [("accuracy_difference", 0.0), ("accuracy_difference_low", -0.005), ("accuracy_difference_high", 0.02)],
            ),
            (
                "quiet-out",
                [
                    ("word_error_difference", 0.05),
                    ("word_error_difference_low", 0.01),
                    ("word_error_difference_high", 0.09),
                ],
            ),
            (
                "merge-10",
                [
                    ("word_error_difference", 0.0),
                    ("word_error_difference_low", -0.02),
                    ("word_error_difference_high", 0.008),
                ],
            ),
        ];
        add(writer, &trial(1, "decoder", real, 0, json!({})));
        writer.sample(&sample(1, 0, 0, 1_000)).unwrap();
        for (number, (name, figures)) in (2..).zip(figures) {
            add(writer, &trial(number, name, real, 0, json!({})));
            writer.sample(&sample(number, 0, number, 1_000)).unwrap();
            figures.iter().for_each(|(metric, value)| measure(writer, number, metric, *value, "ratio"));
        }
    });
    let session = fixture.session();
    let answer = asked(&session, "matrix", &[]);
    assert_eq!(
        words(&answer, "technique"),
        ["int8", "nf4", "2of4", "mxfp4", "quiet-out", "merge-10"],
        "the decoder as it is is none"
    );
    assert_eq!(words(&answer, "quality"), ["kept", "lost", "undecided", "kept", "lost", "kept"]);
    assert_eq!(words(&answer, "weights"), ["real"; 6]);
    assert_eq!(words(&answer, "part"), ["all of it, real weights"; 6]);
    assert_eq!(words(&answer, "heading"), [real; 6]);
    let strict = asked(&session, "matrix", &[("less_quality", "0.001")]);
    assert_eq!(words(&strict, "quality"), ["lost", "lost", "undecided", "undecided", "lost", "undecided"]);
    assert_eq!(asked(&session, "cross_model", &[]).rows(), 0, "over models, seeded weights alone are compared");
}

#[test]
fn a_cell_says_how_much_of_a_model_it_is_and_two_sizes_of_one_are_told_apart() {
    let fixture = Fixture::new();
    let [small, large] = ["tiny seeded 4+4 of l30 llama l2", "tiny seeded 4+4 of l30 llama l4"];
    fixture.run(|writer| {
        for (number, (case, layers)) in (1..).zip([(small, 2), (large, 4)]) {
            let params = json!({
                "layers": {"int": layers}, "of_layers": {"int": 30}, "experts": {"int": 16}, "of_experts": {"int": 64}
            });
            add(writer, &trial(number, "int8", case, 0, params));
            for (metric, value) in [("formats_tried", 6.0), ("values_read", 0.3), ("guesses_kept", 0.7)] {
                measure(writer, number, metric, value, "count");
            }
            measure(writer, number, "search_ns", 2e6, "ns");
            writer.sample(&sample(number, 0, number, 1_000)).unwrap();
        }
        ends(writer, 9, ["int8", LARGE], (Status::Unsupported, "not here: large has experts"));
    });
    let answer = asked(&fixture.session(), "matrix", &[]);
    assert_eq!(words(&answer, "heading"), ["large", small, large]);
    let part = |layers: i64| format!("{layers} of 30 layers, 16 of 64 experts, seeded weights");
    assert_eq!(words(&answer, "part"), ["-".to_owned(), part(2), part(4)]);
    for (metric, value) in [("formats_tried", 6.0), ("values_read", 0.3), ("guesses_kept", 0.7)] {
        assert_eq!(floats(&answer, metric), [None, Some(value), Some(value)], "{metric}");
    }
    let sides = asked(&fixture.session(), "before_after", &[("model", "tiny")]);
    let told = ["formats_tried", "guesses_kept", "search_ns", "values_read"];
    assert_eq!(words(&sides, "metric"), told.repeat(2), "of each size");
}

#[test]
fn what_has_no_numbers_is_wrong_and_what_has_no_room_does_not_fit() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        let broken = "e4m3 on flex: its numbers are none from layer 2 of 4 on";
        ends(writer, 1, ["e4m3", TINY], (Status::Failed, broken));
        let room = "does not fit: 3 of 40 layers are the most that there is room for";
        ends(writer, 2, ["int8", LARGE], (Status::Unsupported, room));
    });
    let answer = asked(&fixture.session(), "matrix", &[]);
    assert_eq!(words(&answer, "cell"), ["does not fit", "wrong"]);
    let why = words(&answer, "why");
    assert_eq!(why[0], "3 of 40 layers are the most that there is room for");
    assert!(why[1].contains("layer 2 of 4"), "{why:?}");
}

#[test]
fn the_newest_measurement_counts_and_a_failure_hides_none() {
    let fixture = fixture();
    fixture.run(|writer| measured(writer, "int8", [200_000, 400_000]));
    fixture.run(|writer| ends(writer, 1, ["int8", TINY], (Status::Failed, "it was ended")));
    let answer = asked(&fixture.session(), "matrix", &[]);
    assert_eq!(answer.rows(), 4);
    let at = words(&answer, "technique").iter().rposition(|name| name == "int8").unwrap();
    assert_eq!(words(&answer, "helps")[at], "smaller, but slower");
    assert!(floats(&answer, "speedup")[at].unwrap() < 0.6);
}

#[test]
fn every_run_of_a_cell_is_a_row_of_the_view_that_the_queries_share() {
    let fixture = fixture();
    fixture.run(|writer| ends(writer, 1, ["int8", TINY], (Status::Failed, "it was ended")));
    let asked = "SELECT age, well, told FROM matrix_cells WHERE implementation = 'int8' AND starts_with(case_name, 'tiny') \
                 ORDER BY age";
    let answer = fixture.session().sql(asked).unwrap();
    assert_eq!(ints(&answer, "age"), [Some(1), Some(2)], "the failure is newer, and tells less");
    assert_eq!(ints(&answer, "well"), [Some(6), Some(0)]);
    assert_eq!(texts(&answer, "told"), [None, Some("it was ended".to_owned())]);
}

#[test]
fn before_and_after_stand_side_by_side() {
    let fixture = fixture();
    let session = fixture.session();
    let answer = asked(&session, "before_after", &[("model", "tiny"), ("technique", "int8")]);
    assert_eq!(words(&answer, "metric"), ["time", "cache_bytes", "own_flops", "weight_bytes", "kl_divergence"]);
    let row = |place: usize| ["before", "after", "ratio"].map(|column| floats(&answer, column)[place]);
    let near = |place: usize, wanted: [Option<f64>; 3]| {
        for (found, wanted) in row(place).into_iter().zip(wanted) {
            assert_eq!(found.is_some(), wanted.is_some(), "{place}");
            assert_near(found.unwrap_or(1.0), wanted.unwrap_or(1.0), "side by side");
        }
    };
    near(3, [Some(100.0), Some(25.0), Some(4.0)]);
    near(1, [Some(10.0), Some(10.0), Some(1.0)]);
    // Nothing stands before a divergence.
    near(4, [None, Some(0.25), None]);
    assert!((1.9..2.1).contains(&row(0)[2].unwrap()));
    assert_eq!(asked(&session, "before_after", &[("model", "larg%")]).rows(), 0);
}

#[test]
fn a_technique_is_seen_over_all_models() {
    let fixture = fixture();
    let answer = asked(&fixture.session(), "cross_model", &[]);
    assert_eq!(words(&answer, "technique"), ["int8", "2of4", "heads-25"]);
    let of = |column: &str| ints(&answer, column).into_iter().map(Option::unwrap).collect::<Vec<i64>>();
    assert_eq!([of("models"), of("measured"), of("faster"), of("slower")], [[2, 1, 1], [1, 0, 0], [1, 0, 0], [0; 3]]);
    assert_eq!([of("not_applicable"), of("not_measured")], [[0, 0, 1], [1, 1, 0]]);
    assert_near(floats(&answer, "memory_ratio")[0].unwrap(), 35.0 / 110.0, "memory");
}

#[test]
fn every_named_optimization_says_what_stands_for_it_and_what_came_of_it() {
    let fixture = fixture();
    let answer = asked(&fixture.session(), "optimizations", &[]);
    let mut names = words(&answer, "optimization");
    names.dedup();
    assert_eq!((names.len(), names[0].as_str()), (11, "structured pruning"), "{names:?}");
    let of = |column: &str, place: usize| ints(&answer, column)[place];
    let place = |technique: &str| words(&answer, "technique").iter().position(|one| one == technique).unwrap();
    let (heads, sparse) = (place("heads-25"), place("2of4"));
    assert_eq!([of("cells", heads), of("measured", heads), of("runs", heads)], [Some(1), Some(0), None]);
    assert_eq!([of("cells", sparse), of("measured", sparse)], [Some(1), Some(0)], "it has failed");
    // What is no technique of a model says what measures it; of the comparison, the runs of the matrix count.
    for (place, technique) in words(&answer, "technique").iter().enumerate() {
        assert_eq!(technique == "-", words(&answer, "command")[place].starts_with("benchbook "), "{place}");
    }
    let asks = |answer: &Answer| words(answer, "command").pop().unwrap();
    assert_eq!(asks(&answer), "benchbook sql --query before_after --param suite=test", "the matrix that is shown");
    let usual = fixture.session().named("optimizations", &BTreeMap::new()).unwrap();
    assert_eq!(asks(&usual), "benchbook sql --query before_after");
    let runs = |name: &str| {
        let all = words(&answer, "optimization").into_iter().zip(ints(&answer, "runs"));
        all.filter(|(one, _)| one == name).filter_map(|(_, runs)| runs).sum::<i64>()
    };
    assert_eq!((runs("comparison before and after"), runs("adaptive batch sizes")), (1, 0));
    fixture.run(|writer| {
        let mut batched = trial(1, "adaptive", "r4", 0, json!({}));
        batched.workload = "batched-decoding".to_owned();
        add(writer, &batched);
    });
    let answer = asked(&fixture.session(), "optimizations", &[]);
    let at = words(&answer, "optimization").iter().position(|name| name == "adaptive batch sizes").unwrap();
    assert_eq!(ints(&answer, "runs")[at], Some(1), "whatever its suite");
}

#[test]
fn adaptive_batches_stand_beside_those_that_nobody_joins() {
    let fixture = Fixture::new();
    let run = |times: [i64; 2]| {
        fixture.run(|writer| {
            let mut numbers = Numbers::new(3);
            for replicate in 0..6 {
                for (number, (name, time)) in (2 * replicate..).zip(["static", "adaptive"].into_iter().zip(times)) {
                    let mut one = trial(number, name, "r16", replicate, json!({}));
                    one.workload = "batched-decoding".to_owned();
                    add(writer, &one);
                    for block in 0..5 {
                        let time = time + numbers.next(0, 500);
                        writer.sample(&sample(number, block, 5 * replicate + block, time)).unwrap();
                    }
                }
            }
        });
        let answer = asked(&fixture.session(), "optimizations", &[]);
        let at = words(&answer, "optimization").iter().position(|name| name == "adaptive batch sizes").unwrap();
        let [beside, said] = ["beside", "said"].map(|column| words(&answer, column).swap_remove(at));
        assert_eq!(beside, "static");
        (said, ["low", "speedup", "high"].map(|column| floats(&answer, column)[at].unwrap()), ints(&answer, "runs")[at])
    };
    let (said, [low, speedup, high], runs) = run([200_000, 100_000]);
    assert_eq!((said.as_str(), runs), ("faster", Some(1)));
    assert!(1.9 < low && low <= speedup && speedup <= high && high < 2.1, "{low} {speedup} {high}");
    let (said, [_, speedup, _], runs) = run([100_000, 200_000]);
    assert_eq!((said.as_str(), runs), ("slower", Some(2)), "the newest run counts");
    assert!((0.45..0.55).contains(&speedup), "{speedup}");
}

/// A run of `forced-decoding` with this tag, whose variants take so many nanoseconds on their cases, in five replicates.
fn tagged(fixture: &Fixture, tag: &str, variants: &[(&str, &str, i64)]) {
    let mut numbers = Numbers::new(11);
    fixture.tagged(tag, |writer| {
        for replicate in 0..5 {
            for (place, (name, case, time)) in (0..).zip(variants) {
                let number = 1 + place + 100 * replicate;
                let mut one = trial(number, name, case, replicate, json!({}));
                one.workload = "forced-decoding".to_owned();
                add(writer, &one);
                for block in 0..5 {
                    writer.sample(&sample(number, block, 5 * replicate + block, time + numbers.next(0, 500))).unwrap();
                }
            }
        }
    });
}

#[test]
fn what_was_found_stands_beside_the_usual_setting_and_what_was_not_says_what_would() {
    let fixture = Fixture::new();
    // One case and two settings were tried, and the better one was confirmed beside the usual one.
    tagged(&fixture, "tune:t", &[("plain", TINY, 200_000), ("int8", TINY, 100_000), ("nf4", TINY, 300_000)]);
    tagged(&fixture, "tune:t:confirmed", &[("plain", TINY, 200_000), ("int8", TINY, 100_000)]);
    // Two depths of another model: each has a case of its own, and stands beside nothing.
    let deep = "other seeded 4+4 of l2 llama";
    tagged(&fixture, "tune:a", &[("int8", deep, 50_000), ("int8", "other seeded 4+4 of l1 llama", 20_000)]);
    tagged(&fixture, "tune:a:confirmed", &[("int8", deep, 50_000)]);
    let session = fixture.session();
    let answer = session.named("adaptive", &BTreeMap::new()).unwrap();
    assert_eq!(words(&answer, "found_by"), ["architecture search", "tuning", "tuning"]);
    assert_eq!(words(&answer, "model"), ["other", "tiny", "tiny"]);
    assert_eq!(ints(&answer, "place"), [Some(1), Some(0), Some(1)]);
    assert_eq!(ints(&answer, "tried"), [Some(2), Some(3), Some(3)]);
    let speedups = floats(&answer, "speedup");
    assert!(speedups[..2] == [None, None] && (1.9..2.1).contains(&speedups[2].unwrap()), "{speedups:?}");
    assert_eq!(words(&answer, "said")[2], "faster");
    let [low, high] = ["low_ns", "high_ns"].map(|column| floats(&answer, column)[0].unwrap());
    assert!(low <= high && (49_000.0..52_000.0).contains(&low), "an interval over five processes: {low} {high}");
    let named = asked(&session, "optimizations", &[]);
    let of = |column: &str| -> Vec<i64> {
        let all = words(&named, "command").into_iter().zip(ints(&named, column));
        all.filter(|(command, _)| command.contains(" --model ")).map(|(_, count)| count.unwrap_or_default()).collect()
    };
    // Architecture search, tuning and feedback, in their order.
    assert_eq!([of("cells"), of("faster"), of("runs")], [[1, 1, 0], [0, 1, 0], [1, 1, 0]]);
}

#[test]
fn what_was_found_on_a_noisy_machine_is_doubted_as_every_verdict_is() {
    let said = |noisy: bool| {
        let fixture = Fixture::new();
        for tag in ["tune:n", "tune:n:confirmed"] {
            tagged(&fixture, tag, &[("plain", TINY, 10_000_000), ("int8", TINY, 9_800_000)]);
        }
        let suite = if noisy { "calibration" } else { "other" };
        // Ten verdicts on equal programs, each of them wrong by 3 %.
        fixture.of_suite(suite, |writer| {
            let sign = |number: i64| if number % 2 == 0 { 1.0 } else { -1.0 };
            for replicate in 0..50 {
                let ratio: f64 = 0.03 * sign(replicate / 5) + 0.002 * sign(replicate);
                for (number, (name, time)) in (2 * replicate..).zip([("plain", 1e7), ("extra", 1e7 / ratio.exp())]) {
                    add(writer, &trial(number, name, "equal", replicate, json!({})));
                    for (block, jitter) in (0..).zip([0, 300, -200, 100, -200]) {
                        writer.sample(&sample(number, block, 5 * replicate + block, time as i64 + jitter)).unwrap();
                    }
                }
            }
        });
        words(&fixture.session().named("adaptive", &BTreeMap::new()).unwrap(), "said")
    };
    assert_eq!(said(false), ["-", "faster"]);
    assert_eq!(said(true), ["-", "undecided"]);
}

#[test]
fn a_model_that_nothing_has_searched_says_by_which_command() {
    let fixture = Fixture::new();
    fixture.of_suite("matrix-quick", |writer| measured(writer, "int8", [200_000, 100_000]));
    let found = || {
        let answer = fixture.session().named("adaptive", &BTreeMap::new()).unwrap();
        let all = words(&answer, "found_by").into_iter().zip(words(&answer, "cell")).zip(words(&answer, "command"));
        all.map(|((by, cell), command)| (by, cell, command)).collect::<Vec<_>>()
    };
    let by: Vec<String> = found().into_iter().map(|(by, ..)| by).collect();
    assert_eq!(by, ["architecture search", "feedback", "tuning"]);
    for (by, cell, command) in found() {
        let word = if by == "feedback" { "benchbook feedback --model tiny " } else { "benchbook tune --model tiny " };
        assert!(cell == "not measured" && command.starts_with(word), "{by}: {command}");
    }
    tagged(&fixture, "feedback:f", &[("int8", TINY, 100_000)]);
    let cells: Vec<String> = found().into_iter().map(|(_, cell, _)| cell).collect();
    assert_eq!(cells, ["not measured", "measured", "not measured"]);
}
