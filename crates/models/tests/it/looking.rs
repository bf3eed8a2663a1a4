//! Images among the tokens of a text beside Transformers (`fixtures/make_seeing.py`), and what is promised of them.

use benchbook_models::weights::{Seeded, Source};
use benchbook_models::{Decoder, Description, Error, ImageEncoder, ImageRoom, Session, named};
use serde_json::Value;

use super::numbers;

const SEEDED: Seeded = Seeded { seed: 7 };

/// Numbers of the tiny model's text, and lists of tokens that an image comes as.
const WIDTH: usize = 20;
const LISTS: usize = 3;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../../fixtures/seeing.json")).unwrap()
}

fn tiny() -> Description {
    Description::parse(fixture()["model"].as_str().unwrap()).unwrap()
}

fn decoder() -> Decoder {
    Decoder::load(&tiny(), &SEEDED, 40).unwrap()
}

/// Tokens of an image of 4 × 6 patches, which are 2 × 3.
fn image() -> Vec<f32> {
    let encoder = ImageEncoder::load(&tiny(), &SEEDED).unwrap();
    let patches: Vec<f32> = (0..24 * 24).map(|at| ((at * at * 31 + at * 7) % 101) as f32 / 50.0 - 1.0).collect();
    encoder.tokens(&mut ImageRoom::default(), &patches, [4, 6]).unwrap().to_vec()
}

#[track_caller]
fn same(one: &[f32], other: &[f32]) {
    let largest = other.iter().fold(0.0_f32, |most, logit| most.max(logit.abs()));
    assert!(one.iter().zip(other).all(|(one, other)| (one - other).abs() < 1e-5 * largest), "{one:?} {other:?}");
}

/// The logits behind a text with an image after its third token, taken so many positions at a time.
fn seen(decoder: &Decoder, image: &[f32], grid: [usize; 2], chunk: usize) -> Vec<f32> {
    let mut session = Session::new(decoder, 30, chunk).unwrap();
    session.take(decoder, &[5, 17, 50]).unwrap();
    session.look(decoder, image, grid).unwrap();
    assert_eq!(session.held(), 3 + grid[0] * grid[1]);
    session.prefill(decoder, &[31, 2, 9, 9]).unwrap().to_vec()
}

#[test]
fn logits_behind_images_are_those_of_transformers() {
    let all = fixture();
    let (model, seeded) = (tiny(), Seeded { seed: all["seed"].as_u64().unwrap() });
    let decoder = Decoder::load(&model, &seeded, 40).unwrap();
    let encoder = ImageEncoder::load(&model, &seeded).unwrap();
    let text = |at: usize| -> Vec<i32> { numbers(&all["texts"][at]).into_iter().map(|id| id as i32).collect() };
    let wanted = numbers(&all["logits"]);
    let largest = wanted.iter().fold(0.0_f64, |most, logit| most.max(logit.abs()));
    for chunk in [4, 30] {
        let (mut session, mut room) = (Session::new(&decoder, 30, chunk).unwrap(), ImageRoom::default());
        for image in 0..2 {
            session.take(&decoder, &text(image)).unwrap();
            let patches: Vec<f32> = numbers(&all["patches"][image]).into_iter().map(|number| number as f32).collect();
            let grid = [0, 1].map(|side| all["grids"][image][side].as_u64().unwrap() as usize);
            let tokens = encoder.tokens(&mut room, &patches, grid).unwrap();
            session.look(&decoder, tokens, grid.map(|side| side / 2)).unwrap();
        }
        let found = session.step(&decoder, &text(2)).unwrap();
        assert_eq!(found.len(), wanted.len());
        for (at, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
            // Its angles and places are f32.
            assert!((f64::from(*found) - wanted).abs() < 2e-5 * largest, "{at}: {found} for {wanted}");
        }
    }
}

#[test]
fn logits_are_the_same_however_an_image_is_taken_and_depend_on_all_of_it() {
    let (decoder, image) = (decoder(), image());
    let whole = seen(&decoder, &image, [2, 3], 30);
    for chunk in [1, 4, 5] {
        same(&seen(&decoder, &image, [2, 3], chunk), &whole);
    }
    let differs = |other: &[f32], grid: [usize; 2]| {
        let other = seen(&decoder, other, grid, 30);
        assert!(other.iter().zip(&whole).any(|(one, other)| (one - other).abs() > 1e-3), "{grid:?}");
    };
    // The same tokens in another grid, and another image in the last block and in each deep one.
    differs(&image, [3, 2]);
    differs(&image, [6, 1]);
    for list in 0..LISTS {
        let mut other = image.clone();
        other[list * 6 * WIDTH] += 1.0;
        differs(&other, [2, 3]);
    }
}

#[test]
fn a_token_of_text_is_an_image_of_one_token() {
    let (decoder, model) = (decoder(), tiny());
    let tensors = model.tensors();
    let embedding = tensors.iter().find(|tensor| tensor.name == "model.language_model.embed_tokens.weight").unwrap();
    let words = SEEDED.numbers(embedding).unwrap();
    let mut one = vec![0.0; LISTS * WIDTH];
    one[..WIDTH].copy_from_slice(&words[21 * WIDTH..][..WIDTH]);
    let mut text = Session::new(&decoder, 30, 8).unwrap();
    let right = text.prefill(&decoder, &[5, 17, 50, 21, 31, 2, 9, 9]).unwrap();
    same(&seen(&decoder, &one, [1, 1], 8), right);
    // A column of them stands at other rows, and at one time.
    let column: Vec<f32> = one.chunks_exact(WIDTH).flat_map(|token| [token, token].concat()).collect();
    let mut text = Session::new(&decoder, 30, 8).unwrap();
    let other = text.prefill(&decoder, &[5, 17, 50, 21, 21, 31, 2, 9, 9]).unwrap();
    assert!(seen(&decoder, &column, [2, 1], 8).iter().zip(other).any(|(one, other)| (one - other).abs() > 1e-3));
}

#[test]
fn steps_go_on_behind_an_image_and_come_back_before_it() {
    let (decoder, image) = (decoder(), image());
    let mut session = Session::new(&decoder, 30, 8).unwrap();
    session.take(&decoder, &[5, 17, 50]).unwrap();
    session.look(&decoder, &image, [2, 3]).unwrap();
    session.take(&decoder, &[31, 2, 9]).unwrap();
    same(session.step(&decoder, &[9]).unwrap(), &seen(&decoder, &image, [2, 3], 30));
    // Within the image: it goes as a whole.
    session.keep(7);
    assert_eq!(session.held(), 3);
    session.look(&decoder, &image, [2, 3]).unwrap();
    same(session.prefill(&decoder, &[31, 2, 9, 9]).unwrap(), &seen(&decoder, &image, [2, 3], 30));
    session.keep(0);
    let mut fresh = Session::new(&decoder, 30, 8).unwrap();
    let text = [5, 17, 50, 31];
    assert_eq!(session.prefill(&decoder, &text).unwrap(), fresh.prefill(&decoder, &text).unwrap());
}

#[test]
fn tokens_that_are_left_of_an_image_stand_where_they_stood() {
    let (decoder, image) = (decoder(), image());
    let at = |cells: Option<&[usize]>, tokens: &[f32]| {
        let mut session = Session::new(&decoder, 30, 4).unwrap();
        session.take(&decoder, &[5, 17, 50]).unwrap();
        session.look_at(&decoder, tokens, [2, 3], cells).unwrap();
        assert_eq!(session.held(), 3 + cells.map_or(6, <[usize]>::len));
        session.prefill(&decoder, &[31, 2, 9, 9]).unwrap().to_vec()
    };
    assert_eq!(at(Some(&[0, 1, 2, 3, 4, 5]), &image), at(None, &image));
    let row = |first: usize| -> Vec<f32> {
        image.chunks_exact(6 * WIDTH).flat_map(|list| list[first * WIDTH..][..3 * WIDTH].to_vec()).collect()
    };
    // The upper row alone is an image of one row, whose larger side is as long.
    let (upper, lower) = (row(0), row(3));
    same(&at(Some(&[0, 1, 2]), &upper), &seen(&decoder, &upper, [1, 3], 4));
    let [down, up] = [&[3, 4, 5][..], &[0, 1, 2][..]].map(|cells| at(Some(cells), &lower));
    assert!(down.iter().zip(&up).any(|(one, other)| (one - other).abs() > 1e-4), "each has its row");
    let mut session = Session::new(&decoder, 30, 4).unwrap();
    for (cells, why) in
        [(&[0, 2][..], "2 of 2 × 3 tokens"), (&[2, 1, 0][..], "no places of 6"), (&[0, 1, 6][..], "no places of 6")]
    {
        let said = session.look_at(&decoder, &upper, [2, 3], Some(cells)).unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn two_images_stand_one_behind_the_other() {
    let (decoder, image) = (decoder(), image());
    let both = |grids: [[usize; 2]; 2], chunk: usize| {
        let mut session = Session::new(&decoder, 30, chunk).unwrap();
        for grid in grids {
            session.look(&decoder, &image, grid).unwrap();
            session.take(&decoder, &[3]).unwrap();
        }
        session.step(&decoder, &[4]).unwrap().to_vec()
    };
    let one = both([[2, 3], [2, 3]], 30);
    same(&both([[2, 3], [2, 3]], 4), &one);
    assert!(both([[6, 1], [2, 3]], 30).iter().zip(&one).any(|(one, other)| (one - other).abs() > 1e-3));
}

#[test]
fn what_is_no_image_of_this_model_is_refused() {
    let (decoder, image) = (decoder(), image());
    let mut session = Session::new(&decoder, 8, 8).unwrap();
    session.take(&decoder, &[1, 2]).unwrap();
    assert!(matches!(session.look(&decoder, &[], [2, 3]), Err(Error::EmptyPrompt)));
    for (tokens, grid) in [(&image[..], [2, 2]), (&image[1..], [2, 3]), (&image[..2 * 6 * WIDTH], [2, 3])] {
        let said = session.look(&decoder, tokens, grid).unwrap_err().to_string();
        assert!(said.contains("no 3 lists of") && said.contains("another tower"), "{said}");
    }
    session.take(&decoder, &[3]).unwrap();
    let full = session.look(&decoder, &image, [2, 3]).unwrap_err();
    assert!(matches!(full, Error::Full { asked: 6, held: 3, room: 8 }), "{full}");
    assert_eq!(session.held(), 3);
    session.draft(&decoder, 5, 1).unwrap();
    assert!(session.look(&decoder, &image, [2, 3]).unwrap_err().to_string().contains("verify"));
    // A decoder of nothing but text, and a Qwen3-VL of fewer layers than images reach.
    let text = Description { vision: None, ..tiny() };
    let reads = Decoder::load(&text, &SEEDED, 40).unwrap();
    let said = Session::new(&reads, 8, 8).unwrap().look(&reads, &image, [2, 3]).unwrap_err().to_string();
    assert!(said.contains("looks at no images"), "{said}");
    let other = named("qwen3-vl-2b").unwrap().with_layers(2);
    assert!(matches!(Decoder::load(&other, &SEEDED, 8), Err(Error::NotBuilt(_))), "{}", other.name);
}
