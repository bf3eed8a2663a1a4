//! A model that looks as a case: the first layers of its text and of its vision tower, as many as there is room for.

use std::collections::BTreeMap;

use benchbook_core::{Params, Problem as _, Value, Workload as _};
use benchbook_models::{Architecture, Description, Text, Tower, Vision};
use benchbook_workloads::decoding::ForcedImage;

use crate::cases::{BYTES, ModelCase, QUICK_BYTES, QUICK_LAYERS, QUICK_TEXT, TEXT, VOCABULARY, axes};
use crate::error::Result;
use crate::parts::together;

/// The side of an image in patches, where it may have any.
pub const SIDE: usize = 16;
const QUICK_SIDE: usize = 8;

/// Parameters by which workloads that look have the sizes of a model, and an image of `rows` rows of patches, where it may have any.
pub fn sizes(text: &Text, vision: &Vision, rows: usize) -> BTreeMap<String, Value> {
    // A LLaVA takes the features before the last block, of an image that is as large as all places but that of the class token.
    let (layers, [side, rows]) = match vision.tower {
        Tower::Qwen3Vl => (vision.layers, [vision.positions.isqrt(), rows]),
        Tower::Clip => (vision.layers - 1, [(vision.positions - 1).isqrt(); 2]),
    };
    let sizes = [
        ("layers", text.layers),
        ("heads", text.heads),
        ("kv_heads", text.kv_heads),
        ("head_dim", text.head_dim),
        ("width", text.width),
        ("hidden", text.hidden),
        ("vocabulary", text.vocabulary),
        ("rotary_base", text.rotary_base.unwrap_or_default() as usize),
        ("image_layers", layers),
        ("image_heads", vision.heads),
        ("image_width", vision.width),
        ("image_hidden", vision.hidden),
        ("patch", vision.patch),
        ("side", side),
        ("deep", vision.deep.len()),
        ("rows", rows),
        ("columns", rows),
    ];
    sizes.map(|(name, size)| (name.to_owned(), Value::Int(size as i64))).into()
}

/// What a part is of, as [`ForcedImage`] has it: the name of the model, and the layers of its text and of its tower.
pub fn of_whole(name: &str, model: &Description) -> [(String, Value); 3] {
    let layers = |layers: usize| Value::Int(layers as i64);
    let of_tower = model.vision.as_ref().map_or(0, |vision| vision.layers);
    [
        ("model".to_owned(), Value::Text(name.to_owned())),
        ("of_layers".to_owned(), layers(model.text.layers)),
        ("of_image_layers".to_owned(), layers(of_tower)),
    ]
}

/// Whether a model has a vision tower that techniques reach, before a text that is read here.
pub fn looks(model: &Description) -> bool {
    let text = &model.text;
    let is_dense = text.architecture == Architecture::Qwen3 && text.experts.is_none() && text.latent.is_none();
    is_dense && model.vision.as_ref().is_some_and(|vision| vision.tower == Tower::Qwen3Vl)
}

/// The case of a model that looks, with as many layers of its text and of its tower as have `room_bytes` in each of several processes;
/// nothing where not one of each has, or not as many as are asked for.
///
/// # Errors
/// Sizes that no case has.
pub fn case(
    name: &str,
    model: &Description,
    room_bytes: u64,
    quick: bool,
    most_layers: Option<u32>,
) -> Result<Option<ModelCase>> {
    let usual = if quick { QUICK_LAYERS } else { usize::MAX };
    let whole = model.vision.as_ref().map_or(0, |vision| vision.layers).max(model.text.layers);
    let most = most_layers.map_or(usual, |layers| layers as usize).min(whole);
    // Who asks for so many layers gets no fewer.
    let room = if quick && most_layers.is_none() { room_bytes.min(QUICK_BYTES) } else { room_bytes };
    let least = most_layers.map_or(1, |_| most.max(1));
    let fits = |part: &Description| part.parameters.saturating_mul(BYTES) <= room;
    let part = (least..=most).rev().map(|most| first(model, most)).find(fits);
    let Some((part, vision)) = part.and_then(|part| part.vision.clone().map(|vision| (part, vision))) else {
        return Ok(None);
    };
    let (side, [prompt, tokens]) = if quick { (QUICK_SIDE, QUICK_TEXT) } else { (SIDE, TEXT) };
    let mut params = sizes(&part.text, &vision, side);
    params.extend(of_whole(name, model));
    let given = [("prompt", prompt), ("tokens", tokens)];
    params.extend(given.map(|(name, tokens)| (name.to_owned(), Value::Int(tokens as i64))));
    let label = ForcedImage.case(Params(params.clone()))?.name;
    let deep = model.vision.as_ref().map_or([0; 2], |whole| [whole.layers, whole.deep.len()]);
    let note = format!(
        "{} of {} layers of its text, {} of {} and {} of {} deep ones of its vision tower, with {} tokens and an image of {side} × {side} \
         patches, seeded",
        part.text.layers,
        model.text.layers,
        vision.layers,
        deep[0],
        vision.deep.len(),
        deep[1],
        part.text.vocabulary
    );
    Ok(Some(ModelCase {
        model: name.to_owned(),
        workload: ForcedImage::NAME,
        plain: "plain",
        name: Some(label),
        params: axes(params),
        is_here: true,
        is_real: false,
        together: together(part.parameters.saturating_mul(BYTES), room_bytes),
        digest: None,
        note,
    }))
}

/// The first `most` layers of the text and of the tower of a model, with as many deep ones as these have.
fn first(model: &Description, most: usize) -> Description {
    let mut part = model.clone();
    part.text.vocabulary = part.text.vocabulary.min(VOCABULARY);
    let layers = most.min(part.text.layers);
    if let Some(vision) = &mut part.vision {
        vision.layers = vision.layers.min(most);
        // The last layer of the tower is no deep one, and each reaches a layer of the text.
        vision.deep.truncate(layers.min(vision.layers.saturating_sub(1)));
    }
    part.with_layers(layers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(room_bytes: u64, quick: bool, layers: Option<u32>) -> Option<ModelCase> {
        case("qwen3-vl-2b", &benchbook_models::named("qwen3-vl-2b").unwrap(), room_bytes, quick, layers).unwrap()
    }

    #[test]
    fn as_many_layers_of_text_and_tower_as_there_is_room_for() {
        let whole = of(1 << 40, false, None).unwrap();
        assert!(whole.note.starts_with("28 of 28 layers of its text, 24 of 24 and 3 of 3 deep ones"), "{}", whole.note);
        let label = whole.name.unwrap();
        assert!(label.starts_with("qwen3-vl-2b seeded 4+124+32 of l28+l24 image l24 h16 "), "{label}");
        assert_eq!(whole.params["rows"].0, [Value::Int(16)]);
        let two = of(1 << 40, false, Some(2)).unwrap();
        assert!(two.note.starts_with("2 of 28 layers of its text, 2 of 24 and 1 of 3 deep ones"), "{}", two.note);
        let quick = of(1 << 40, true, None).unwrap();
        assert!(quick.note.starts_with("1 of 28 layers of its text, 1 of 24 and 0 of 3"), "{}", quick.note);
        assert!(quick.is_here && quick.workload == "forced-decoding-image" && quick.plain == "plain");
        // A layer less than fits has room, and one more has none.
        let model = benchbook_models::named("qwen3-vl-2b").unwrap();
        let bytes = |layers: usize| first(&model, layers).parameters * BYTES;
        let fits = |room: u64| of(room, false, None).map(|case| case.params["layers"].0[0].clone());
        assert_eq!([bytes(3), bytes(3) - 1].map(fits), [Some(Value::Int(3)), Some(Value::Int(2))]);
        assert!(of(bytes(1) - 1, false, None).is_none());
        // Who asks for two is not given one.
        let asked = |room: u64| of(room, false, Some(2)).map(|case| case.params["layers"].0[0].clone());
        assert_eq!([bytes(2), bytes(2) - 1].map(asked), [Some(Value::Int(2)), None]);
    }

    #[test]
    fn towers_that_techniques_reach_are_those_of_qwen3_vl() {
        let names = ["qwen3-vl-2b", "llava-7b", "qwen3-4b"];
        assert_eq!(names.map(|name| looks(&benchbook_models::named(name).unwrap())), [true, false, false]);
    }
}
