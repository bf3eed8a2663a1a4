//! Encoders beside Transformers and NumPy in `f64` (`fixtures/make_encoders.py`), and what is promised of them.

use benchbook_models::compress::Scheme;
use benchbook_models::technique::{ALL, Change};
use benchbook_models::weights::{Seeded, Source};
use benchbook_models::{
    AudioEncoder, AudioRoom, Description, Encoder, EncoderPlan, EncoderRoom, Error, Form, Forms, Parts, Result, Tensor,
    named, worth_it,
};
use serde_json::Value;

use super::numbers;

fn fixture() -> (Value, Seeded) {
    let all: Value = serde_json::from_str(include_str!("../../fixtures/encoders.json")).unwrap();
    let seeded = Seeded { seed: all["seed"].as_u64().unwrap() };
    (all, seeded)
}

fn described(value: &Value) -> Description {
    Description::parse(value["model"].as_str().unwrap()).unwrap()
}

/// The largest difference, as a share of the largest number.
fn off(found: &[f32], wanted: &[f64]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    let largest = wanted.iter().fold(0.0_f64, |most, number| most.max(number.abs()));
    let differences = found.iter().zip(wanted).map(|(found, wanted)| (f64::from(*found) - wanted).abs());
    differences.fold(0.0, f64::max) / largest
}

fn bert() -> (Encoder, Vec<i32>, Value) {
    let (mut all, seeded) = fixture();
    let case = all["bert"].take();
    let ids = numbers(&case["ids"]).into_iter().map(|id| id as i32).collect();
    (Encoder::load(&described(&case), &seeded).unwrap(), ids, case)
}

#[test]
fn positions_and_directions_of_a_text_are_those_of_transformers() {
    let (encoder, ids, case) = bert();
    let mut room = EncoderRoom::default();
    let hidden = encoder.hidden(&mut room, &ids, 1).unwrap();
    let found = off(hidden, &numbers(&case["hidden"]));
    assert!(found < 1e-5, "{found}");
    let directions = encoder.embed(std::slice::from_ref(&ids)).unwrap();
    let found = off(&directions[0], &numbers(&case["direction"]));
    assert!(found < 1e-5, "{found}");
}

#[test]
fn a_text_has_the_same_bits_in_any_company() {
    let (encoder, ids, _) = bert();
    let texts = [0..23, 3..9, 1..23, 0..6, 7..8].map(|part| ids[part].to_vec());
    let together = encoder.embed(&texts).unwrap();
    for (text, wanted) in texts.iter().zip(&together) {
        assert_eq!(&encoder.embed(std::slice::from_ref(text)).unwrap()[0], wanted);
        let size: f64 = wanted.iter().map(|number| f64::from(*number).powi(2)).sum();
        assert!((size - 1.0).abs() < 1e-6, "{size}");
    }
    // Positions see what comes after them.
    let (mut room, mut other) = (EncoderRoom::default(), EncoderRoom::default());
    let changed: Vec<i32> = ids[..22].iter().copied().chain([2]).collect();
    let first = encoder.hidden(&mut room, &ids, 1).unwrap()[0];
    assert_ne!(first, encoder.hidden(&mut other, &changed, 1).unwrap()[0]);
}

#[test]
fn texts_that_cannot_be_taken_are_refused() {
    let (encoder, ids, _) = bert();
    let mut room = EncoderRoom::default();
    assert!(matches!(encoder.hidden(&mut room, &[], 1), Err(Error::EmptyPrompt)));
    assert!(matches!(encoder.hidden(&mut room, &ids, 0), Err(Error::EmptyPrompt)));
    assert!(matches!(encoder.embed(&[ids.clone(), Vec::new()]), Err(Error::EmptyPrompt)));
    assert!(encoder.hidden(&mut room, &ids, 2).unwrap_err().to_string().contains("not 2 texts of one length"));
    let long = vec![1; 41];
    assert!(matches!(encoder.hidden(&mut room, &long, 1), Err(Error::Full { asked: 41, room: 40, .. })));
    for id in [-1, 61] {
        assert!(matches!(encoder.hidden(&mut room, &[1, id], 1), Err(Error::Token { .. })));
    }
    assert!(encoder.embed(&[]).unwrap().is_empty());
    for name in ["gpt2-124m", "whisper-base"] {
        let refused = Encoder::load(&named(name).unwrap(), &Seeded { seed: 1 }).unwrap_err();
        assert!(matches!(refused, Error::NotBuilt(_)), "{name}: {refused}");
    }
}

#[test]
fn positions_of_what_was_heard_are_numpys() {
    let (all, seeded) = fixture();
    let case = &all["whisper"];
    let encoder = AudioEncoder::load(&described(case), &seeded).unwrap();
    let mel: Vec<f32> = numbers(&case["mel"]).into_iter().map(|number| number as f32).collect();
    let mut room = AudioRoom::default();
    let wanted = numbers(&case["hidden"]);
    let found = off(encoder.hidden(&mut room, &mel, 1).unwrap(), &wanted);
    assert!(found < 1e-5, "{found}");
    // Twice, in a room that has held something else.
    let twice = [&mel[..], &mel[..]].concat();
    let both = encoder.hidden(&mut room, &twice, 2).unwrap().to_vec();
    let alone = encoder.hidden(&mut room, &mel, 1).unwrap();
    assert!(both.chunks_exact(alone.len()).all(|half| half == alone));
}

#[test]
fn spectrograms_that_cannot_be_taken_are_refused() {
    let (all, seeded) = fixture();
    let encoder = AudioEncoder::load(&described(&all["whisper"]), &seeded).unwrap();
    let mut room = AudioRoom::default();
    assert!(matches!(encoder.hidden(&mut room, &[], 1), Err(Error::EmptyPrompt)));
    assert!(matches!(encoder.hidden(&mut room, &[0.0; 10], 0), Err(Error::EmptyPrompt)));
    for strange in [11, 15] {
        let message = encoder.hidden(&mut room, &vec![0.0; strange], 1).unwrap_err().to_string();
        assert!(message.contains("an even number of frames"), "{message}");
    }
    let long = vec![0.0; 5 * 20];
    assert!(matches!(encoder.hidden(&mut room, &long, 1), Err(Error::Full { asked: 10, room: 9, .. })));
    let refused = AudioEncoder::load(&named("bert-base").unwrap(), &seeded).unwrap_err();
    assert!(matches!(refused, Error::NotBuilt(_)), "{refused}");
}

/// Seeded weights after something was done to some of their tensors.
struct Changed<'a>(Seeded, &'a dyn Fn(&Tensor, Vec<f32>) -> Vec<f32>);

impl Source for Changed<'_> {
    fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        Ok(self.1(tensor, self.0.numbers(tensor)?))
    }
}

/// What both encoders make of the texts and sounds of the fixture by a plan, and by weights that were changed without one.
fn both_ways(plan: &EncoderPlan, change: &dyn Fn(&Tensor, Vec<f32>) -> Vec<f32>) -> [[Vec<f32>; 2]; 2] {
    let (all, seeded) = fixture();
    let source = Changed(Seeded { seed: seeded.seed }, change);
    let (bert, whisper) = (described(&all["bert"]), described(&all["whisper"]));
    let ids: Vec<i32> = numbers(&all["bert"]["ids"]).into_iter().map(|id| id as i32).collect();
    let mel: Vec<f32> = numbers(&all["whisper"]["mel"]).into_iter().map(|number| number as f32).collect();
    let read = |encoder: Encoder| encoder.hidden(&mut EncoderRoom::default(), &ids, 1).unwrap().to_vec();
    let heard = |encoder: AudioEncoder| encoder.hidden(&mut AudioRoom::default(), &mel, 1).unwrap().to_vec();
    let texts = [read(Encoder::planned(&bert, &seeded, plan).unwrap()), read(Encoder::load(&bert, &source).unwrap())];
    let sounds = [
        heard(AudioEncoder::planned(&whisper, &seeded, plan).unwrap()),
        heard(AudioEncoder::load(&whisper, &source).unwrap()),
    ];
    [texts, sounds]
}

fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|number| f64::from(*number)).collect()
}

/// Whether a tensor is a matrix of a block.
fn is_of_block(tensor: &Tensor) -> bool {
    tensor.shape.len() == 2 && ["encoder.layer.", "model.encoder.layers."].iter().any(|at| tensor.name.starts_with(at))
}

#[test]
fn forms_of_matrices_compute_by_the_numbers_that_they_stand_for() {
    let exact = both_ways(&EncoderPlan::default(), &|_, numbers| numbers).map(|[_, exact]| exact);
    let forms = [
        Form::Bf16,
        Form::Coded(Scheme::Int8),
        Form::Coded(Scheme::Int4G32),
        Form::TwoOfFour,
        Form::Singles(50),
        Form::LowRank(2),
    ];
    for form in forms {
        let plan =
            EncoderPlan { forms: Forms { attention: form, feed: form, ..Forms::default() }, ..EncoderPlan::default() };
        let stands_for = |tensor: &Tensor, numbers: Vec<f32>| match *tensor.shape {
            [outer, inner] if is_of_block(tensor) => form.stands_for_rows(&numbers, [outer, inner]).unwrap(),
            _ => numbers,
        };
        for ([found, wanted], exact) in both_ways(&plan, &stands_for).into_iter().zip(&exact) {
            let rounding = off(&found, &wide(&wanted));
            assert!(rounding < 1e-4, "{form:?}: {rounding}");
            assert!(off(&wanted, &wide(exact)) > 1e-4, "{form:?} changes something");
        }
    }
}

#[test]
fn heads_and_channels_that_are_left_out_add_nothing() {
    // The second head stays in the first layer, the first one in all others; every other channel stays.
    let heads = Parts::Heads([vec![vec![1]], vec![vec![0]; 7]].concat());
    let channels = Parts::Channels(vec![(0..9).step_by(2).collect(); 8]);
    for (kept, names, is_heads) in [
        (heads, ["attention.output.dense.weight", "self_attn.out_proj.weight"], true),
        (channels, [".output.dense.weight", "fc2.weight"], false),
    ] {
        let (all, _) = fixture();
        let sizes = ["bert", "whisper"].map(|model| {
            let model = described(&all[model]);
            let (width, heads) =
                model.audio.as_ref().map_or((model.text.width, model.text.heads), |a| (a.width, a.heads));
            width / heads
        });
        let zeros = |tensor: &Tensor, mut numbers: Vec<f32>| {
            let is_text = tensor.name.starts_with("encoder.layer.");
            let own = names[usize::from(!is_text)];
            let is_own = tensor.name.ends_with(own) && (is_heads || !tensor.name.contains("attention.output"));
            if !is_of_block(tensor) || !is_own {
                return numbers;
            }
            let rest =
                tensor.name.trim_start_matches("model.").trim_start_matches("encoder.").trim_start_matches("layers.");
            let layer: usize = rest.trim_start_matches("layer.").split('.').next().unwrap().parse().unwrap();
            let (inner, each) = (tensor.shape[1], if is_heads { sizes[usize::from(!is_text)] } else { 1 });
            let parts = kept.of(layer).unwrap();
            for row in numbers.chunks_exact_mut(inner) {
                for (part, numbers) in row.chunks_exact_mut(each).enumerate() {
                    if !parts.contains(&part) {
                        numbers.fill(0.0);
                    }
                }
            }
            numbers
        };
        let plan = EncoderPlan { kept: Some(kept.clone()), ..EncoderPlan::default() };
        let exact = both_ways(&EncoderPlan::default(), &|_, numbers| numbers).map(|[_, exact]| exact);
        for ([found, wanted], exact) in both_ways(&plan, &zeros).into_iter().zip(&exact) {
            let rounding = off(&found, &wide(&wanted));
            assert!(rounding < 2e-5, "{names:?}: {rounding}");
            assert!(off(&wanted, &wide(exact)) > 1e-3, "{names:?}");
        }
    }
}

#[test]
fn positions_that_become_one_are_fewer_and_stand_for_as_many() {
    let (all, seeded) = fixture();
    let (bert, ids, _) = bert();
    let merged = |percent: usize| EncoderPlan { merged: percent, ..EncoderPlan::default() };
    let encoder = Encoder::planned(&described(&all["bert"]), &seeded, &merged(20)).unwrap();
    let mut room = EncoderRoom::default();
    let (width, layers) = (encoder.text().width, encoder.text().layers);
    let left = encoder.hidden(&mut room, &ids, 1).unwrap().len() / width;
    // A fifth of 23 in the first block, and of what is left in each other one.
    let wanted = (0..layers).fold(ids.len(), |seq, _| seq - seq / 5);
    assert_eq!((left, room.merges().len()), (wanted, layers));
    assert_eq!(room.merges().iter().map(Vec::len).sum::<usize>(), ids.len() - left);
    let [one, other] = [&encoder, &bert].map(|encoder| encoder.embed(std::slice::from_ref(&ids)).unwrap().remove(0));
    let cosine: f64 = wide(&one).iter().zip(wide(&other)).map(|(one, other)| one * other).sum();
    assert!((0.5..0.999_999).contains(&cosine), "{cosine}");
    // Of a text of three, a fifth is none: part by part, it is the same as by one kernel.
    let short = ids[..3].to_vec();
    let [one, other] = [&encoder, &bert].map(|encoder| encoder.embed(std::slice::from_ref(&short)).unwrap().remove(0));
    assert!(off(&one, &wide(&other)) < 1e-5);
    // Two texts together are what each is alone.
    let mut turned = ids.clone();
    turned.reverse();
    let alone = [&ids, &turned].map(|text| encoder.embed(std::slice::from_ref(text)).unwrap().remove(0));
    let together = encoder.embed(&[ids, turned]).unwrap();
    assert!(together.iter().zip(&alone).all(|(one, other)| off(one, &wide(other)) < 1e-5));
}

#[test]
fn frames_that_are_not_worth_it_are_left_out_behind_the_convolutions() {
    let (all, seeded) = fixture();
    let model = described(&all["whisper"]);
    let bins = model.audio.as_ref().unwrap().bins;
    // Loud from the fifth frame to the eighth, and silence around it.
    let frame = |frame: usize, bin: usize| if (4..8).contains(&frame) { 1.0 + bin as f32 / 8.0 } else { -1.0 };
    let mel: Vec<f32> = (0..bins).flat_map(|bin| (0..14).map(move |at| frame(at, bin))).collect();
    assert_eq!(worth_it(&mel, 14, 25), [2, 3]);
    let plan = |quiet: usize| EncoderPlan { quiet: Some(quiet), ..EncoderPlan::default() };
    let of = |plan: &EncoderPlan| {
        let encoder = AudioEncoder::planned(&model, &seeded, plan).unwrap();
        encoder.hidden(&mut AudioRoom::default(), &mel, 1).unwrap().to_vec()
    };
    let (whole, some, none) = (of(&EncoderPlan::default()), of(&plan(25)), of(&plan(100)));
    assert_eq!((some.len() * 7, none.len()), (whole.len() * 2, whole.len()));
    assert_eq!(none, whole, "where no frame is above the bound, all stay");
    assert!(off(&some, &wide(&whole[some.len()..][..some.len()])) > 1e-3, "who is left sees fewer");
    let encoder = AudioEncoder::planned(&model, &seeded, &plan(25)).unwrap();
    let twice = [&mel[..], &mel[..]].concat();
    let refused = encoder.hidden(&mut AudioRoom::default(), &twice, 2).unwrap_err().to_string();
    assert!(refused.contains("give them one by one"), "{refused}");
    let reads = Encoder::planned(&described(&all["bert"]), &seeded, &plan(25)).unwrap_err();
    assert!(matches!(reads, Error::NotBuilt(_)));
}

#[test]
fn a_technique_of_an_encoder_computes_by_the_numbers_that_it_stands_for() {
    let (all, seeded) = fixture();
    // Four heads, of which one is a quarter.
    let of = |case: &str, changed: &[[&str; 2]]| {
        let text = all[case]["model"].as_str().unwrap().to_owned();
        let text = changed.iter().fold(text, |text, [from, to]| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        Description::parse(&text).unwrap()
    };
    let heads = ["heads = 3\nkv_heads = 3", "heads = 4\nkv_heads = 4"];
    let reads = of("bert", &[heads, ["width = 15", "width = 20"]]);
    let sounds = ["[audio]\nlayers = 2\nheads = 2\nwidth = 18", "[audio]\nlayers = 2\nheads = 4\nwidth = 20"];
    let hears = of("whisper", &[sounds]);
    let ids: Vec<i32> = numbers(&all["bert"]["ids"]).into_iter().map(|id| id as i32).collect();
    let mel: Vec<f32> = numbers(&all["whisper"]["mel"]).into_iter().map(|number| number as f32).collect();
    let read = |encoder: Encoder| encoder.hidden(&mut EncoderRoom::default(), &ids, 1).unwrap().to_vec();
    let heard = |encoder: AudioEncoder| encoder.hidden(&mut AudioRoom::default(), &mel, 1).unwrap().to_vec();
    let exact = [read(Encoder::load(&reads, &seeded).unwrap()), heard(AudioEncoder::load(&hears, &seeded).unwrap())];
    let mut applied = [Vec::new(), Vec::new()];
    for technique in ALL {
        for (which, model) in [&reads, &hears].into_iter().enumerate() {
            let encoding = match technique.encoding(model, &seeded) {
                Ok(encoding) => encoding,
                Err(Error::Inapplicable { reason, .. }) => {
                    assert_eq!(technique.refuses_to_encode(model), Some(reason));
                    assert!(!technique.is_of_encoders(which == 1), "{}", technique.name);
                    continue;
                }
                Err(error) => panic!("{}: {error}", technique.name),
            };
            assert!(technique.is_of_encoders(which == 1), "{}", technique.name);
            applied[which].push(technique.name);
            let made = if which == 0 { read(encoding.text().unwrap()) } else { heard(encoding.audio().unwrap()) };
            if matches!(technique.change, Change::Merge(_) | Change::Quiet(_)) {
                assert!(made.len() <= exact[which].len());
                continue;
            }
            let wanted = if which == 0 {
                read(Encoder::load(&encoding.model, &encoding).unwrap())
            } else {
                heard(AudioEncoder::load(&encoding.model, &encoding).unwrap())
            };
            let rounding = off(&made, &wide(&wanted));
            assert!(rounding < 1e-4, "{} of {}: {rounding}", technique.name, model.name);
            assert!(off(&wanted, &wide(&exact[which])) > 1e-4, "{} of {}", technique.name, model.name);
        }
    }
    for (applied, of_sound) in applied.iter().zip([false, true]) {
        for name in ["channels-25", "heads-25", "block-out", "int8", "int4-g32", "2of4", "low-rank-4th", "merge-10"] {
            assert!(applied.contains(&name), "{name}: {applied:?}");
        }
        assert_eq!(applied.contains(&"quiet-out"), of_sound);
        assert!(!applied.contains(&"cache-int8") && !applied.contains(&"early-exit"));
    }
    let writes = named("gpt2-124m").unwrap();
    assert!(ALL[0].refuses_to_encode(&writes).unwrap().contains("no encoder"));
}
