//! Encoders beside NumPy in `f64` (`fixtures/make_encoders.py`), and what is promised of them.

use benchbook_models::weights::Seeded;
use benchbook_models::{AudioEncoder, AudioRoom, Description, Encoder, EncoderRoom, Error, named};
use serde_json::Value;

fn fixture() -> (Value, Seeded) {
    let all: Value = serde_json::from_str(include_str!("../fixtures/encoders.json")).unwrap();
    let seeded = Seeded { seed: all["seed"].as_u64().unwrap() };
    (all, seeded)
}

fn numbers(value: &Value) -> Vec<f64> {
    match value.as_array() {
        Some(list) => list.iter().flat_map(numbers).collect(),
        None => vec![value.as_f64().unwrap()],
    }
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
fn positions_and_directions_of_a_text_are_numpys() {
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
