//! What techniques of decoders compute and tell.

use benchbook_core::{Implementation as _, Parameters as _, Problem as _};

use super::*;

fn params() -> ForcedDecodingParams {
    ForcedDecodingParams {
        layers: 4,
        of_layers: 4,
        kv_heads: 4,
        prompt: 9,
        tokens: 8,
        ..ForcedDecodingParams::default()
    }
}

fn metrics_of(name: &str) -> BTreeMap<String, f64> {
    let inputs = ForcedDecoding::inputs(&params(), 4);
    let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
    let mut subject = match all().find(|one| one.name() == name) {
        Some(technical) => technical.prepare(&setting, &params().params(), &inputs).unwrap(),
        None => PLAIN.prepare(&setting, &params().params(), &inputs).unwrap(),
    };
    subject.run(2);
    subject.sync().unwrap();
    subject.metrics().into_iter().map(|metric| (metric.name, metric.value)).collect()
}

#[test]
fn what_is_saved_and_lost_is_told() {
    let plain = metrics_of("plain");
    let work = ForcedDecoding::work(&params(), DType::F32).flops;
    assert!((plain["own_flops"] / work - 1.0).abs() < 1e-9, "{} {work}", plain["own_flops"]);
    let (int8, int4) = (metrics_of("int8"), metrics_of("int4-g32"));
    assert!(int4["weight_bytes"] < int8["weight_bytes"] && int8["weight_bytes"] < plain["weight_bytes"]);
    assert!(int8["kl_divergence"] > 0.0 && int4["kl_divergence"] > int8["kl_divergence"]);
    assert_eq!((int8["kl_divergence_items"], int8["sparsity"], int8["capacity_kept"]), (8.0, 0.0, 1.0));
    let sparse = metrics_of("sparse-90");
    assert!((0.89..0.91).contains(&sparse["sparsity"]) && sparse["own_flops"] < plain["own_flops"]);
    assert!(metrics_of("cache-int8")["cache_bytes"] < plain["cache_bytes"]);
    let early = metrics_of("early-exit");
    assert!((2.0..=4.0).contains(&early["token_depth"]) && (plain["token_depth"] - 4.0).abs() < 1e-12);
    let seen = metrics_of("sparse-attention");
    assert!((0.1..=1.0).contains(&seen["values_read"]) && seen["own_flops"] <= plain["own_flops"]);
    assert!(seen["kl_divergence"] > 0.0 && !plain.contains_key("values_read"));
    let out = metrics_of("block-out");
    assert!((out["sparsity"] - 0.25).abs() < 1e-12 && (out["token_depth"] - 3.0).abs() < 1e-12, "{out:?}");
    let chunks = metrics_of("chunks-16");
    assert_eq!((chunks["kl_divergence"], chunks["own_flops"]), (0.0, plain["own_flops"]), "it computes the same");
    let scan = metrics_of("linear-attention");
    assert!(scan["kl_divergence"] > 0.0 && scan["sparsity"].abs() < 1e-12, "{scan:?}");
    // A state of 16 by 17 numbers for each of four key heads, in the place of 2 · 16 for each of 16 positions.
    let (state, kept) = (4.0 * 16.0 * 17.0 * 4.0, 4.0 * 16.0 * 2.0 * 16.0 * 4.0);
    assert!((plain["cache_bytes"] - scan["cache_bytes"] - (kept - state)).abs() < 1e-9, "{scan:?}");
    let parted = metrics_of("experts-2of8");
    // Of two of three matrices of a network in four, six of eight parts are passed by.
    assert!(parted["kl_divergence"] > 0.0 && parted["own_flops"] < plain["own_flops"], "{parted:?}");
    assert_eq!(parted["weight_bytes"], plain["weight_bytes"]);
    let adaptive = metrics_of("adaptive-precision");
    assert!((4.0..=8.0).contains(&adaptive["formats_tried"]) && adaptive["layer_error"] <= 0.05);
}

#[test]
fn a_search_is_told_of_once() {
    // Weights of their own: what another test has searched is known to this process.
    let (given, inputs) = (params().params(), ForcedDecoding::inputs(&params(), 91));
    let searches = |name: &str| all().find(|one| one.name() == name).unwrap().search(&given, &inputs).unwrap();
    let asked = ["int8", "adaptive-precision", "adaptive-precision"];
    assert_eq!(asked.map(searches), [false, true, false]);
}

#[test]
fn a_token_computes_by_the_experts_that_it_goes_through() {
    let routed = ForcedDecodingParams {
        architecture: "qwen3".to_owned(),
        hidden: 40,
        experts: 6,
        of_experts: 6,
        chosen: 2,
        ..params()
    };
    is_right(&routed, &["int8", "low-rank-4th", "2of4", "heads-25", "block-out", "linear-attention"]);
}

#[test]
fn queries_keys_and_values_come_out_of_latents() {
    let architecture = "glm-4".to_owned();
    let latent = ForcedDecodingParams { architecture, query_rank: 24, kv_rank: 20, rotated: 4, ..params() };
    is_right(
        &latent,
        &[
            "int8",
            "2of4",
            "channels-25",
            "cache-int8",
            "sparse-attention",
            "block-out",
            "linear-attention",
            "experts-2of8",
        ],
    );
    let heads = all().find(|one| one.name() == "heads-25").unwrap();
    let Support::No(why) = heads.supports("flex", DType::F32, &latent.params()) else { panic!("it is applied") };
    assert!(why.contains("share a latent"), "{why}");
}

#[test]
fn experts_of_a_glm_stand_behind_a_dense_layer_beside_one_for_all() {
    let routed = ForcedDecodingParams {
        architecture: "glm-4".to_owned(),
        query_rank: 24,
        kv_rank: 20,
        rotated: 4,
        hidden: 40,
        experts: 6,
        of_experts: 64,
        chosen: 2,
        dense_layers: 1,
        dense_hidden: 72,
        shared: 1,
        expert_scale: 180,
        ..params()
    };
    is_right(&routed, &["int8", "low-rank-4th", "2of4", "cache-int8", "block-out", "linear-attention"]);
    let channels = all().find(|one| one.name() == "channels-25").unwrap();
    let Support::No(why) = channels.supports("flex", DType::F32, &routed.params()) else { panic!("it is applied") };
    assert!(why.contains("not for experts"), "{why}");
    // A dense network in the middle is parted, and those behind it have experts of their own.
    is_right(&ForcedDecodingParams { dense_layers: 3, ..routed }, &["experts-2of8", "linear-attention"]);
}

/// Plain and with each of these techniques, beside what is right.
fn is_right(params: &ForcedDecodingParams, techniques: &[&str]) {
    let inputs = ForcedDecoding::inputs(params, 4);
    let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
    let right = ForcedDecoding::reference(params, &inputs, 4);
    let mut plain = PLAIN.prepare(&setting, &params.params(), &inputs).unwrap();
    plain.run(1);
    plain.sync().unwrap();
    assert!(right.distance(&plain.outputs().unwrap()) < 1e-4);
    let told = |subject: &dyn Subject, name: &str| {
        subject.metrics().into_iter().find(|metric| metric.name == name).unwrap().value
    };
    let work = ForcedDecoding::work(params, DType::F32).flops;
    assert!((told(plain.as_ref(), "own_flops") / work - 1.0).abs() < 1e-9);
    for name in techniques {
        let technical = all().find(|one| one.name() == *name).unwrap();
        let mut subject = technical.prepare(&setting, &params.params(), &inputs).unwrap();
        subject.run(1);
        subject.sync().unwrap();
        let right = technical.approximation(&params.params(), &inputs, 4).unwrap();
        assert!(right.distance(&subject.outputs().unwrap()) < 1e-3, "{name}");
        assert!(told(subject.as_ref(), "kl_divergence") > 0.0, "{name}");
    }
}

#[test]
fn a_model_without_numbers_says_from_which_layer_on() {
    let mut inputs = ForcedDecoding::inputs(&params(), 4);
    let mut down = inputs.get("w_down").clone();
    // A row of the third layer.
    let [row, width] = [2 * params().width, down.width()];
    down.write(row, &vec![f32::INFINITY; width]);
    inputs.insert("w_down", down);
    let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
    let mut subject = PLAIN.prepare(&setting, &params().params(), &inputs).unwrap();
    subject.run(1);
    subject.sync().unwrap();
    let told = subject.outputs().unwrap_err().to_string();
    assert!(told.contains("its numbers are none from layer 3 of 4 on"), "{told}");
}

#[test]
fn what_cannot_be_says_whether_it_is_the_technique_or_the_model() {
    let refused = |params: &ForcedDecodingParams, name: &str| {
        let technical = all().find(|one| one.name() == name).unwrap();
        match technical.supports("flex", DType::F32, &params.params()) {
            Support::Yes => String::new(),
            Support::No(reason) => reason,
        }
    };
    let shared = ForcedDecodingParams { kv_heads: 1, ..params() };
    assert!(refused(&shared, "heads-25").starts_with("not applicable: all of its queries"));
    assert_eq!(refused(&shared, "int8"), "");
    let other = "other".to_owned();
    let reads = ForcedDecodingParams { model: "bert-base".into(), architecture: other.clone(), ..params() };
    assert!(refused(&reads, "int8").starts_with("not here: BERT"), "{}", refused(&reads, "int8"));
    let architecture = "qwen3".to_owned();
    let experts = ForcedDecodingParams { architecture, experts: 4, of_experts: 4, chosen: 2, ..params() };
    assert!(refused(&experts, "channels-25").contains("not for experts") && refused(&experts, "int8").is_empty());
    let large = ForcedDecodingParams { model: "llama-70b".into(), architecture: other.clone(), ..params() };
    assert_eq!(refused(&large, "int8"), "does not fit: there is no room for one of its 4 layers");
    let some = ForcedDecodingParams { of_layers: 80, fits: 3, ..large };
    assert_eq!(refused(&some, "int8"), "does not fit: 3 of 80 layers are the most that there is room for");
    let looks = ForcedDecodingParams { model: "qwen3-vl-2b".into(), architecture: other, ..params() };
    assert!(refused(&looks, "int8").starts_with("does not fit"), "its text part is asked for");
}

#[test]
fn two_texts_in_turn_have_the_answers_that_each_has_alone() {
    let params = params();
    let inputs = ForcedDecoding::inputs(&params, 3);
    let mut other = inputs.clone();
    other.insert("prompt", params.sizes().prompt(params.text(), 4));
    for name in ["int8", "channels-25"] {
        let right = |inputs: &Inputs| {
            let answer = ForcedDecoding::right(technique::named(name).unwrap(), &params, inputs, 3).unwrap();
            answer.answers.into_iter().next().unwrap().values
        };
        let (first, second) = (right(&inputs), right(&other));
        assert_ne!(first, second, "{name}");
        assert_eq!([right(&other), right(&inputs)], [second, first.clone()], "{name}");
        assert_ne!(right(&ForcedDecoding::inputs(&params, 5)), first, "other weights");
    }
}
