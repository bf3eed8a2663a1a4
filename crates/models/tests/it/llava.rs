//! An image among the tokens of a LLaVA beside Transformers (`fixtures/make_llava.py`), and what is promised of it.

use benchbook_models::weights::{Seeded, Source};
use benchbook_models::{ClipEncoder, ClipRoom, Decoder, Description, Error, Session, Tensor, named};
use serde_json::Value;

use super::numbers;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../../fixtures/llava.json")).unwrap()
}

fn tiny() -> Description {
    Description::parse(fixture()["model"].as_str().unwrap()).unwrap()
}

fn seeded() -> Seeded {
    Seeded { seed: fixture()["seed"].as_u64().unwrap() }
}

fn decoder() -> Decoder {
    Decoder::load(&tiny(), &seeded(), 40).unwrap()
}

fn patches() -> Vec<f32> {
    numbers(&fixture()["patches"]).into_iter().map(|number| number as f32).collect()
}

fn text(at: usize) -> Vec<i32> {
    numbers(&fixture()["texts"][at]).into_iter().map(|id| id as i32).collect()
}

/// Tokens of the image, 4 × 4 of 20 numbers.
fn image() -> Vec<f32> {
    let encoder = ClipEncoder::load(&tiny(), &seeded()).unwrap();
    encoder.tokens(&mut ClipRoom::default(), &patches()).unwrap().to_vec()
}

#[track_caller]
fn near(found: &[f32], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len());
    let largest = wanted.iter().fold(0.0_f64, |most, number| most.max(number.abs()));
    for (at, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        // Its angles are f32.
        assert!((f64::from(*found) - wanted).abs() < 2e-5 * largest, "{at}: {found} for {wanted}");
    }
}

#[test]
fn tokens_of_an_image_are_those_of_transformers() {
    near(&image(), &numbers(&fixture()["tokens"]));
}

#[test]
fn logits_behind_an_image_are_those_of_transformers() {
    let (decoder, image) = (decoder(), image());
    for chunk in [4, 30] {
        let mut session = Session::new(&decoder, 30, chunk).unwrap();
        session.take(&decoder, &text(0)).unwrap();
        session.look(&decoder, &image, [4, 4]).unwrap();
        assert_eq!(session.held(), text(0).len() + 16);
        near(session.step(&decoder, &text(1)).unwrap(), &numbers(&fixture()["logits"]));
    }
}

#[test]
fn tokens_of_an_image_stand_as_those_of_a_text_do_and_are_forgotten_one_by_one() {
    let (decoder, model) = (decoder(), tiny());
    let tensors = model.tensors();
    let embedding = tensors.iter().find(|tensor| tensor.name == "language_model.model.embed_tokens.weight").unwrap();
    let words = seeded().numbers(embedding).unwrap();
    let ids = [21, 7, 40, 3];
    let image: Vec<f32> = ids.iter().flat_map(|id| words[id * 20..][..20].to_vec()).collect();
    let mut whole = Session::new(&decoder, 30, 8).unwrap();
    let right = whole.prefill(&decoder, &[5, 21, 7, 40, 3, 9]).unwrap().iter().map(|x| f64::from(*x));
    let right: Vec<f64> = right.collect();
    let mut session = Session::new(&decoder, 30, 8).unwrap();
    session.take(&decoder, &[5]).unwrap();
    session.look(&decoder, &image, [2, 2]).unwrap();
    near(session.step(&decoder, &[9]).unwrap(), &right);
    session.keep(3);
    assert_eq!(session.held(), 3);
    near(session.prefill(&decoder, &[40, 3, 9]).unwrap(), &right);
}

/// The seeded weights, but those tensors whose names hold such a part.
struct Without(&'static str);

impl Source for Without {
    fn numbers(&self, tensor: &Tensor) -> benchbook_models::Result<Vec<f32>> {
        if tensor.name.contains(self.0) {
            return Err(Error::Missing { name: tensor.name.clone(), found: "nothing".to_owned() });
        }
        seeded().numbers(tensor)
    }
}

#[test]
fn the_last_block_of_the_tower_is_not_read_and_all_else_is() {
    for part in ["layers.2.", "post_layernorm", "language_model"] {
        assert!(ClipEncoder::load(&tiny(), &Without(part)).is_ok(), "{part}");
    }
    for part in ["layers.1.", "class_embedding", "pre_layrnorm", "linear_2.bias"] {
        assert!(matches!(ClipEncoder::load(&tiny(), &Without(part)), Err(Error::Missing { .. })), "{part}");
    }
}

#[test]
fn what_is_no_image_or_no_tower_is_refused() {
    let encoder = ClipEncoder::load(&tiny(), &seeded()).unwrap();
    let mut room = ClipRoom::default();
    assert!(matches!(encoder.tokens(&mut room, &[]), Err(Error::EmptyPrompt)));
    let said = encoder.tokens(&mut room, &patches()[1..]).unwrap_err().to_string();
    assert!(said.contains("no image of 4 × 4 patches of 12"), "{said}");
    let qwen = named("qwen3-vl-2b").unwrap();
    assert!(matches!(ClipEncoder::load(&qwen, &seeded()), Err(Error::NotBuilt(_))));
    for positions in ["0", "1", "16"] {
        let model = fixture()["model"].as_str().unwrap().replace("positions = 17", &format!("positions = {positions}"));
        let said = ClipEncoder::load(&Description::parse(&model).unwrap(), &seeded()).unwrap_err().to_string();
        assert!(said.contains("class token and a square"), "{said}");
    }
}
