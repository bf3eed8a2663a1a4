//! Estimates of quality: what seeded models may say, and what real ones were measured at by others; the latter are skipped where
//! neither weights nor text were brought.

use std::path::PathBuf;

use benchbook_core::{DType, Implementation, Metric, Params, Support, Workload};
use benchbook_engines::flex::quality::embedding::{self, EmbeddingQuality};
use benchbook_engines::flex::quality::speech::{self, SpeechQuality};
use benchbook_engines::flex::quality::{ROWS, TextQuality, of_embeddings, of_sounds, of_text};
use benchbook_models::weights::{Safetensors, Seeded};
use benchbook_models::{Description, Encoder, Speech, named, real as weights};
use benchbook_quality::similarity::{correlations, retrieval};
use benchbook_quality::wer::{Errors, Normalization, word_error_rate};
use benchbook_quality::{Estimate, Of, data};

use crate::common::{SEED, setting};

/// What a row tells of a model, once it has run.
fn of(workload: &dyn Workload, row: &dyn Implementation, params: &Params) -> Vec<Metric> {
    let params = workload.case(params.clone()).unwrap().params;
    let inputs = workload.pose(&params).unwrap().inputs(SEED);
    let mut subject = row.prepare(&setting("flex", DType::F32), &params, &inputs).unwrap();
    subject.run(1);
    subject.sync().unwrap();
    subject.metrics()
}

fn told(row: usize, params: &Params) -> Vec<Metric> {
    of(&TextQuality, &ROWS[row], params)
}

fn value(metrics: &[Metric], name: &str) -> Option<f64> {
    metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
}

#[test]
fn a_seeded_model_has_no_estimate_that_a_verdict_knows() {
    let params = Params::default().with("tokens", 33.into());
    let names = |metrics: &[Metric]| metrics.iter().map(|metric| metric.name.clone()).collect::<Vec<String>>();
    assert_eq!(names(&told(0, &params)), ["weight_bytes", "cache_bytes"]);
    let [half, eight, four] = [1, 2, 3].map(|row| told(row, &params));
    for metrics in [&half, &eight, &four] {
        let wanted = ["weight_bytes", "seeded_kl_divergence", "seeded_top1_agreement", "cache_bytes"];
        assert_eq!(names(metrics), wanted);
    }
    // Fewer bits are farther off.
    let [nearest, near, far] = [&half, &eight, &four].map(|metrics| value(metrics, "seeded_kl_divergence").unwrap());
    assert!(0.0 < nearest && nearest < far && 0.0 < near && near < far, "{nearest} {near} {far}");
    let [near, far] = [&eight, &four].map(|metrics| value(metrics, "seeded_top1_agreement").unwrap());
    assert!(0.0 < far && far <= near && near <= 1.0, "{near} {far}");
}

/// What is told of how far directions of several items turn away.
const OF_ITEMS: [&str; 4] = ["cosine_to_f32", "cosine_to_f32_items", "cosine_to_f32_low", "cosine_to_f32_high"];

#[test]
fn directions_by_rounded_matrices_turn_away_and_a_seeded_model_has_no_other_estimate() {
    let of_row = |row: usize| of(&EmbeddingQuality, &embedding::ROWS[row], &Params::default());
    let names = |metrics: &[Metric]| metrics.iter().map(|metric| metric.name.clone()).collect::<Vec<String>>();
    assert_eq!(names(&of_row(0)), ["weight_bytes"]);
    let [eight, four] = [1, 2].map(|row| {
        let metrics = of_row(row);
        let (own, of_items) = (["weight_bytes", "sparsity", "capacity_kept"], OF_ITEMS);
        assert_eq!(names(&metrics), [&own[..], &of_items].concat());
        assert_eq!(value(&metrics, "cosine_to_f32_items"), Some(26.0), "texts");
        value(&metrics, "cosine_to_f32").unwrap()
    });
    assert!(0.5 < four && four < eight && eight < 1.0, "{four} {eight}");
}

/// Why a row does not take a case; nothing where it does.
fn refused(row: &dyn Implementation, params: &Params) -> Option<String> {
    match row.supports("flex", DType::F32, params) {
        Support::Yes => None,
        Support::No(reason) => Some(reason),
    }
}

/// The case of a real model, or nothing with the reason.
fn real(row: &dyn Implementation, params: Params) -> Option<Params> {
    let Some(reason) = refused(row, &params) else { return Some(params) };
    assert!(reason.starts_with("not here: ") && reason.contains("cargo xtask data"), "{reason}");
    eprintln!("skipped: {reason}");
    None
}

#[test]
fn what_was_not_brought_is_a_reason_and_no_case_that_cannot_be() {
    assert!(TextQuality.case(Params::default().with("model", "gpt-5".into())).is_err());
    let params = Params::default().with("model", "smollm2-135m".into()).with("tokens", 4.into());
    let posed = TextQuality.pose(&TextQuality.case(params.clone()).unwrap().params).unwrap();
    let inputs = posed.inputs(SEED);
    assert_eq!(inputs.get("ids").shape(), [24, 5]);
    let absent = |why: Option<String>| why.is_some_and(|why| why.starts_with("not here"));
    if real(&ROWS[0], params.clone()).is_none() {
        assert!(ROWS.into_iter().map(|row| refused(&row, &params)).all(absent));
        assert!(of_text().map(|one| refused(&one, &params)).all(absent));
        let right = posed.reference(&inputs, SEED);
        assert!(right.answers[0].values.iter().all(|loss| loss.is_nan()), "nobody is right");
    }
    let params = Params::default().with("model", "minilm-l6".into());
    if real(&embedding::ROWS[0], params.clone()).is_none() {
        assert!(embedding::ROWS.into_iter().map(|row| refused(&row, &params)).all(absent));
        assert!(of_embeddings().map(|one| refused(&one, &params)).all(absent));
        let posed = EmbeddingQuality.pose(&EmbeddingQuality.case(params).unwrap().params).unwrap();
        let right = posed.reference(&posed.inputs(SEED), SEED);
        assert!(right.answers[0].values.iter().all(|number| number.is_nan()), "nobody is right");
    }
}

#[test]
fn a_model_of_ones_own_is_named_by_its_file_and_the_digest_of_its_weights() {
    let folder = std::env::temp_dir().join(format!("benchbook-own-quality-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    let text = include_str!("../../../models/fixtures/own/mine.toml");
    put("mine.toml", text.as_bytes());
    put("tokenizer.json", include_bytes!("../../../models/fixtures/own/tokenizer.json"));
    let tensors = Description::parse(text).unwrap().tensors();
    let draw = |seed: u64| put("model.safetensors", &Safetensors::written(&tensors, &Seeded { seed }).unwrap());
    draw(7);
    let path = folder.join("mine.toml").to_str().unwrap().to_owned();
    let own = || Params::default().with("model", "own".into()).with("tokens", 8.into());
    let params = own().with("description", path.as_str().into());
    let case = TextQuality.case(params.clone()).unwrap();
    let digest = case.params.0["digest"].to_string();
    assert_eq!(case.name, format!("mine {} 24×8", &digest[..12]));
    assert_eq!(TextQuality.case(case.params.clone()).unwrap(), case, "a digest that is given stays");
    let spelt = format!("{}/./mine.toml", folder.display());
    for given in [&params, &case.params] {
        let otherwise = given.clone().with("description", spelt.as_str().into());
        assert_eq!(TextQuality.case(otherwise).unwrap(), case, "a file is known by where it lies");
    }
    // The text may not be here; where it is, these weights foretell it about as well as chance.
    if let Some(params) = real(&ROWS[0], case.params.clone()) {
        let perplexity = value(&told(2, &params), "perplexity").unwrap();
        assert!((64.0..4_096.0).contains(&perplexity), "{perplexity} of 257 tokens");
        assert!(value(&told(2, &params), "perplexity_ratio").is_some());
    }
    // Other weights are another case, and those of this one are not here any more.
    draw(8);
    let other = TextQuality.case(params).unwrap();
    assert_ne!(other.name, case.name);
    let refused = |params: Params| TextQuality.case(params).unwrap_err().to_string();
    let odd = case.params.clone().with("digest", "f00".into());
    for (params, part) in [
        (own(), "give the file that describes the model"),
        (own().with("description", "gone.toml".into()), "gone.toml cannot be read"),
        (odd, "64 hexadecimal digits"),
        (Params::default().with("description", path.as_str().into()), "only model=own has one"),
    ] {
        assert!(refused(params.clone()).contains(part), "{}", refused(params));
    }
    let stale = case.params.with("digest", "0".repeat(64).as_str().into());
    let why = self::refused(&ROWS[0], &stale).unwrap();
    assert!(why.starts_with("not here: the digest of") && why.contains("this case is of 000"), "{why}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn techniques_say_what_they_take_and_how_far_they_lead_away() {
    let params = Params::default().with("tokens", 33.into());
    let plain = value(&told(0, &params), "weight_bytes").unwrap();
    let of_technique = |name: &str| -> Vec<Metric> {
        let technique = of_text().find(|one| one.name() == name).expect(name);
        of(&TextQuality, &technique, &params)
    };
    let [eight, four, sparse, heads] =
        ["int8", "int4-g32", "sparse-90", "heads-25"].map(|name| (name, of_technique(name)));
    for (name, metrics) in [&eight, &four, &sparse, &heads] {
        assert!(value(metrics, "weight_bytes").unwrap() < plain, "{name}");
        assert!(value(metrics, "seeded_kl_divergence").unwrap() > 0.0, "{name}");
    }
    let moved = |(_, metrics): &(&str, Vec<Metric>)| value(metrics, "seeded_kl_divergence").unwrap();
    assert!(moved(&eight) < moved(&four), "fewer bits are farther off");
    assert!((0.89..0.91).contains(&value(&sparse.1, "sparsity").unwrap()));
    let cache = |name: &str| value(&of_technique(name), "cache_bytes").unwrap();
    assert!(cache("cache-int4") < cache("cache-int8") && cache("cache-int8") < cache("int8"));
    assert!(of_text().all(|one| one.name() != "early-exit"), "tokens of a known text come together");
}

#[test]
fn an_encoder_turns_away_by_what_its_matrices_lose() {
    let turned = |name: &str| {
        let technique = of_embeddings().find(|one| one.name() == name).expect(name);
        value(&of(&EmbeddingQuality, &technique, &Params::default()), "cosine_to_f32").unwrap()
    };
    let [eight, four, sparse] = ["int8", "nf4", "sparse-90"].map(turned);
    assert!(sparse < four && four < eight && eight < 1.0, "{sparse} {four} {eight}");
    assert!(turned("low-rank-4th") < 1.0);
    assert!(of_embeddings().all(|one| one.name() != "cache-int8"), "it keeps nothing");
    // What is in codes takes less, what is left out is gone, and positions that become one leave all weights as they are.
    let told = |name: &str, metric: &str| {
        let technique = of_embeddings().find(|one| one.name() == name).expect(name);
        value(&of(&EmbeddingQuality, &technique, &Params::default()), metric).unwrap()
    };
    let plain = value(&of(&EmbeddingQuality, &embedding::ROWS[0], &Params::default()), "weight_bytes").unwrap();
    assert!(told("int4-g32", "weight_bytes") < told("int8", "weight_bytes") && told("int8", "weight_bytes") < plain);
    for name in ["heads-25", "channels-25"] {
        assert!((0.05..0.25).contains(&told(name, "sparsity")) && turned(name) < 1.0, "{name}");
    }
    assert_eq!(told("block-out", "sparsity"), 0.5);
    assert_eq!((told("merge-10", "sparsity"), told("merge-10", "weight_bytes")), (0.0, plain));
    assert!(turned("merge-10") < 0.999_999);
}

/// What a technique tells of a Whisper that hears some sounds.
fn of_sound(name: &str, params: &Params) -> Vec<Metric> {
    let technique = of_sounds().find(|one| one.name() == name).expect(name);
    of(&SpeechQuality, &technique, params)
}

#[test]
fn a_seeded_whisper_tells_how_far_its_encoder_is_from_itself_alone() {
    let params = Params::default().with("sounds", 2.into());
    let names = |metrics: &[Metric]| metrics.iter().map(|metric| metric.name.clone()).collect::<Vec<String>>();
    let plain = of(&SpeechQuality, &speech::ENCODER, &params);
    assert_eq!(names(&plain), ["weight_bytes"]);
    let eight = of_sound("int8", &params);
    let own = ["weight_bytes", "sparsity", "capacity_kept", "positions_kept"];
    assert_eq!(names(&eight), [&own[..], &OF_ITEMS].concat());
    assert_eq!(value(&eight, "cosine_to_f32_items"), Some(2.0), "sounds");
    assert!(value(&eight, "weight_bytes") < value(&plain, "weight_bytes"));
    let told = |name: &str, metric: &str| value(&of_sound(name, &params), metric).unwrap();
    // The last third of each drawn sound is silence; a tenth of 24 positions and of 22 become one with others.
    assert_eq!(told("quiet-out", "positions_kept"), 16.0 / 24.0);
    assert_eq!(told("merge-10", "positions_kept"), 20.0 / 24.0);
    for name in ["quiet-out", "merge-10", "int4-g32", "heads-25"] {
        assert!((0.1..0.999_999).contains(&told(name, "cosine_to_f32")), "{name}: {}", told(name, "cosine_to_f32"));
    }
    assert_eq!((told("block-out", "sparsity"), told("quiet-out", "sparsity")), (0.5, 0.0));
    assert!(of_sounds().all(|one| !["cache-int8", "early-exit", "chunks-16"].contains(&one.name())));
}

#[test]
fn a_sound_of_which_an_encoder_leaves_something_out_has_an_answer_of_the_exact_form() {
    let params = SpeechQuality.case(Params::default().with("sounds", 1.into())).unwrap().params;
    let posed = SpeechQuality.pose(&params).unwrap();
    let inputs = posed.inputs(SEED);
    let exact = posed.reference(&inputs, SEED);
    for technique in of_sounds() {
        let mut subject = technique.prepare(&setting("flex", DType::F32), &params, &inputs).unwrap();
        subject.run(1);
        subject.sync().unwrap();
        // Who is infinitely far is no approximation: no driver takes it.
        let lost = exact.distance(&subject.outputs().unwrap());
        assert!((1e-6..2.0).contains(&lost), "{}: {lost}", technique.name());
    }
}

#[test]
fn whisper_writes_about_as_well_by_eight_bits_and_tells_what_silence_left_out_costs() {
    let params = Params::default().with("model", "whisper-base".into()).with("sounds", 2.into());
    let Some(params) = real(&speech::ENCODER, params) else {
        let params = SpeechQuality.case(Params::default().with("model", "whisper-base".into())).unwrap().params;
        let absent = |why: Option<String>| why.is_some_and(|why| why.starts_with("not here"));
        assert!(of_sounds().map(|one| refused(&one, &params)).all(absent));
        return;
    };
    // Of a few short sounds; the whole set has a test of its own. Without silence it may go on to write at random.
    let told = of(&SpeechQuality, &speech::ENCODER, &params);
    let [plain, bleu] = ["word_error_rate", "bleu"].map(|name| value(&told, name).unwrap());
    for (name, highest) in [("bleu", 100.0), ("rouge_1", 1.0), ("rouge_2", 1.0), ("rouge_l", 1.0)] {
        let items = value(&told, &format!("{name}_items"));
        assert!(value(&told, name).is_some_and(|value| (0.0..=highest).contains(&value)), "{name}");
        assert_eq!(items, Some(2.0), "{name}");
    }
    for (name, most) in [("int8", 0.3), ("quiet-out", f64::INFINITY)] {
        let metrics = of_sound(name, &params);
        let [rate, more, cosine] =
            ["word_error_rate", "word_error_difference", "cosine_to_f32"].map(|name| value(&metrics, name).unwrap());
        assert!((rate - plain - more).abs() < 1e-9 && more < most && cosine > 0.3, "{name}: {rate} {more} {cosine}");
        let [own, points] = ["bleu", "bleu_difference"].map(|name| value(&metrics, name).unwrap());
        assert!((own - bleu - points).abs() < 1e-9, "{name}: {own} {bleu} {points}");
        if name == "quiet-out" {
            let kept = value(&metrics, "positions_kept").unwrap();
            assert!(kept < 0.5, "most of 30 seconds is silence: {kept}");
        }
    }
}

#[test]
fn smollm2_foretells_real_text_and_loses_a_little_by_four_bits() {
    let params = Params::default().with("model", "smollm2-135m".into()).with("tokens", 12.into());
    let Some(params) = real(&ROWS[0], params) else { return };
    let metrics = told(3, &params);
    let [perplexity, ratio, divergence, items] =
        ["perplexity", "perplexity_ratio", "kl_divergence", "perplexity_items"]
            .map(|name| value(&metrics, name).unwrap());
    assert_eq!(items, 24.0 * 12.0);
    // Chance is one of 49,152 tokens; a model of the web has found 60 on whole windows of this corpus.
    assert!((10.0..1_000.0).contains(&perplexity), "{perplexity}");
    assert!((0.9..2.0).contains(&ratio) && (0.001..1.0).contains(&divergence), "{ratio} {divergence}");
    assert!(value(&metrics, "greedy_parts_at").is_some());
    assert_eq!(value(&metrics, "greedy_parts_at_items"), Some(6.0), "beginnings");
}

#[test]
fn code_is_a_text_of_its_own_and_the_label_says_so() {
    let named = |params: &Params| TextQuality.case(params.clone()).unwrap().name;
    let brown = Params::default().with("model", "smollm2-135m".into()).with("tokens", 12.into());
    assert_eq!(named(&brown), "smollm2-135m 24×12", "as before there was another text");
    let code = brown.with("texts", "human-eval".into());
    assert_eq!(named(&code), "smollm2-135m human-eval 24×12");
    assert!(TextQuality.case(Params::default().with("texts", "tweets".into())).is_err());
    let Some(params) = real(&ROWS[0], code) else { return };
    let metrics = told(3, &params);
    let [perplexity, ratio, items] =
        ["perplexity", "perplexity_ratio", "perplexity_items"].map(|name| value(&metrics, name).unwrap());
    assert_eq!(items, 24.0 * 12.0);
    assert!((1.0..1_000.0).contains(&perplexity) && (0.9..2.0).contains(&ratio), "{perplexity} {ratio}");
}

#[test]
fn minilm_tells_films_that_were_liked_from_others() {
    let params = Params::default().with("model", "minilm-l6".into()).with("texts", "sentiment".into());
    let Some(params) = real(&embedding::ROWS[0], params) else { return };
    let metrics = of(&EmbeddingQuality, &embedding::ROWS[0], &params);
    let [accuracy, low, items] =
        ["accuracy", "accuracy_low", "accuracy_items"].map(|name| value(&metrics, name).unwrap());
    // Half of the snippets are for; a classifier with a thousand examples was right in 74 of 100.
    assert!(items == 240.0 && low > 0.5 && (0.6..0.9).contains(&accuracy), "{accuracy} {low} {items}");
}

#[test]
fn minilm_sees_the_similarities_that_others_have_measured() {
    let folders: Option<(PathBuf, PathBuf)> = weights::folder().zip(data::folder());
    let Some((folder, texts)) = folders else { return };
    let (brought, people) = (weights::minilm(&folder), data::similarities(&texts));
    if let (Err(benchbook_models::Error::Absent { .. }), _) | (_, Err(benchbook_quality::Error::Absent { .. })) =
        (&brought, &people)
    {
        eprintln!("skipped: `cargo xtask data minilm-l6 lee` was not run");
        return;
    }
    let ((file, tokenizer), people) = (brought.unwrap(), people.unwrap());
    let encoder = Encoder::load(&named("minilm-l6").unwrap(), &file).unwrap();
    let ids: Vec<Vec<i32>> = people.documents.iter().map(|text| tokenizer.encode(text, 256).unwrap()).collect();
    let directions = encoder.embed(&ids).unwrap();
    let [pearson, spearman]: [Estimate; 2] = correlations(&directions, &people, "lee").unwrap();
    // Of sentence-transformers on PyTorch, to three digits.
    assert!((pearson.value - 0.656).abs() < 0.0015, "{pearson}");
    assert!((spearman.value - 0.508).abs() < 0.0015, "{spearman}");
    // People see 48 of the 50 documents as similar to another one, and to six of them on average: by chance the first is the fifth or so.
    let [recall, rank, gain] = retrieval(&directions, &people, "lee").unwrap();
    assert!(recall.items == 48 && rank.value > 0.5 && gain.value > 0.4, "{recall} {rank} {gain}");
}

#[test]
fn whisper_writes_down_what_is_said() {
    let folders: Option<(PathBuf, PathBuf)> = weights::folder().zip(data::folder());
    let Some((folder, texts)) = folders else { return };
    let (brought, spoken) = (weights::whisper(&folder), data::speech(&texts));
    if let (Err(benchbook_models::Error::Absent { .. }), _) | (_, Err(benchbook_quality::Error::Absent { .. })) =
        (&brought, &spoken)
    {
        eprintln!("skipped: `cargo xtask data whisper-base speech` was not run");
        return;
    }
    let ((file, tokenizer), spoken) = (brought.unwrap(), spoken.unwrap());
    let speech = Speech::load(&named("whisper-base").unwrap(), &file, tokenizer).unwrap();
    let normalization = Normalization::LowerWithoutPunctuation;
    let one =
        |sound: &data::Utterance| Errors::of(&sound.said, &speech.written(&sound.samples).unwrap(), normalization);
    let errors: Vec<Errors> = spoken.iter().map(one).collect();
    assert_eq!(errors.iter().map(|one| one.words).sum::<usize>(), 92);
    let rate = word_error_rate(&errors, Of { data: "speech", item: "utterance" }).unwrap();
    // CTranslate2 has 12 of 92 wrong, numbers in digits among them, by a search among five texts at once.
    assert!(rate.value < 0.25, "{rate}");
}
