//! The vision tower beside that of Transformers (`fixtures/make_images.py`), and what is promised of it.

use benchbook_models::weights::Seeded;
use benchbook_models::{Description, Error, ImageEncoder, ImageRoom, named};
use serde_json::Value;

use super::numbers;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../../fixtures/images.json")).unwrap()
}

#[test]
fn tokens_of_images_are_those_of_transformers() {
    let all = fixture();
    let model = Description::parse(all["model"].as_str().unwrap()).unwrap();
    let encoder = ImageEncoder::load(&model, &Seeded { seed: all["seed"].as_u64().unwrap() }).unwrap();
    let patches: Vec<f32> = numbers(&all["patches"]).into_iter().map(|number| number as f32).collect();
    let grid = [0, 1].map(|side| all["grid"][side].as_u64().unwrap() as usize);
    let mut room = ImageRoom::default();
    let (found, wanted) = (encoder.tokens(&mut room, &patches, grid).unwrap(), numbers(&all["tokens"]));
    assert_eq!(found.len(), wanted.len());
    let largest = wanted.iter().fold(0.0_f64, |most, number| most.max(number.abs()));
    for (at, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
        // Its angles and places are f32.
        assert!((f64::from(*found) - wanted).abs() < 2e-5 * largest, "{at}: {found} for {wanted}");
    }
}

/// The tower of the fixture, with smaller patches.
fn small_tower() -> String {
    fixture()["model"].as_str().unwrap().replace("patch = 3", "patch = 2")
}

#[test]
fn images_together_are_what_each_is_alone() {
    let encoder = ImageEncoder::load(&Description::parse(&small_tower()).unwrap(), &Seeded { seed: 3 }).unwrap();
    let patches: Vec<f32> = (0..2 * 24 * 24).map(|at| ((at * at * 31 + at * 7) % 101) as f32 / 50.0 - 1.0).collect();
    let (mut room, grid) = (ImageRoom::default(), [4, 6]);
    let both = encoder.tokens(&mut room, &patches, grid).unwrap().to_vec();
    // Three lists of tokens, each of two images with six tokens of eleven numbers.
    assert_eq!(both.len(), 3 * 2 * 6 * 11);
    for (image, patches) in patches.chunks_exact(24 * 24).enumerate() {
        let alone = encoder.tokens(&mut room, patches, grid).unwrap();
        for (part, alone) in alone.chunks_exact(6 * 11).enumerate() {
            let together = &both[(part * 2 + image) * 66..][..66];
            assert!(alone.iter().zip(together).all(|(one, other)| (one - other).abs() < 1e-4), "{image} {part}");
        }
    }
    // Patches are not the same elsewhere in the grid.
    let turned: Vec<f32> = patches[..24 * 24].chunks_exact(4 * 24).rev().flatten().copied().collect();
    let other = encoder.tokens(&mut room, &turned, grid).unwrap();
    let reversed: Vec<f32> = other[..66].chunks_exact(11).rev().flatten().copied().collect();
    assert!(reversed.iter().zip(&both).any(|(one, other)| (one - other).abs() > 1e-3));
}

#[test]
fn some_patches_are_seen_as_if_no_others_were_there() {
    let encoder = ImageEncoder::load(&Description::parse(&small_tower()).unwrap(), &Seeded { seed: 3 }).unwrap();
    let patches: Vec<f32> = (0..24 * 24).map(|at| ((at * at * 31 + at * 7) % 101) as f32 / 50.0 - 1.0).collect();
    let (mut room, grid) = (ImageRoom::default(), [4, 6]);
    let whole = encoder.tokens(&mut room, &patches, grid).unwrap().to_vec();
    let mut of = |patches: &[f32], groups: &[usize]| {
        encoder.tokens_of(&mut room, patches, grid, Some(groups)).map(<[f32]>::to_vec)
    };
    assert_eq!(of(&patches, &[0, 1, 2, 3, 4, 5]).unwrap(), whole, "all of them are the image, to the bit");
    let some = of(&patches, &[1, 5]).unwrap();
    // Three lists of two tokens.
    assert_eq!(some.len(), 3 * 2 * 11);
    let mut other = patches.clone();
    other[..4 * 24].fill(9.0);
    assert_eq!(of(&other, &[1, 5]).unwrap(), some, "what is left out is not seen");
    let elsewhere = of(&[&patches[4 * 24..8 * 24], &patches[..4 * 24], &patches[8 * 24..]].concat(), &[0, 5]).unwrap();
    assert!(elsewhere.iter().zip(&some).any(|(one, other)| (one - other).abs() > 1e-3), "a patch has its place");
    for groups in [&[5, 1][..], &[1, 1][..], &[6][..]] {
        let said = of(&patches, groups).unwrap_err().to_string();
        assert!(said.contains("no places of 6"), "{said}");
    }
    assert!(matches!(of(&patches, &[]), Err(Error::EmptyPrompt)));
}

#[test]
fn what_is_no_image_or_no_tower_is_refused() {
    let tower = Description::parse(&small_tower()).unwrap();
    let encoder = ImageEncoder::load(&tower, &Seeded { seed: 3 }).unwrap();
    let mut room = ImageRoom::default();
    assert!(matches!(encoder.tokens(&mut room, &[], [4, 6]), Err(Error::EmptyPrompt)));
    for (numbers, grid) in [(24 * 24 - 1, [4, 6]), (15 * 24, [3, 5])] {
        let said = encoder.tokens(&mut room, &vec![0.0; numbers], grid).unwrap_err().to_string();
        assert!(said.contains("2 × 2 become a token"), "{said}");
    }
    for name in ["llava-7b", "qwen3-4b"] {
        let refused = ImageEncoder::load(&named(name).unwrap(), &Seeded { seed: 1 }).unwrap_err();
        assert!(matches!(refused, Error::NotBuilt(_)), "{name}: {refused}");
    }
    for (from, to, why) in [
        ("heads = 3\nwidth = 24", "heads = 4\nwidth = 24", "multiple of four"),
        ("positions = 25", "positions = 26", "no square"),
        ("positions = 25", "positions = 0", "no square"),
    ] {
        let other = Description::parse(&small_tower().replace(from, to)).unwrap();
        let said = ImageEncoder::load(&other, &Seeded { seed: 1 }).unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    }
}
