//! Techniques of vision towers: each is an implementation of `forced-decoding-image`, beside the model as it is.

use benchbook_core::{DType, Inputs, Reference, Result, Row, Setting, Subject, Support};
use benchbook_models::technique::{self, Change, Technique};
use benchbook_models::{Decoder, Session, most_varied};
use benchbook_workloads::decoding::{ForcedImage, ForcedImageParams};

use super::models::{MOST_CHUNK, Running, failed, looping};
use super::multimodal::Sense as _;
use super::multimodal_image::{Looking, PATCHES, seeing};
use super::row::fused_row;
use super::technical::{Changed, Technical};
use super::techniques::Forced;
use super::told::kept;
use super::weight_only::weight_bytes;

/// The model as it is: what techniques stand beside.
pub const PLAIN: Row<ForcedImage> = fused_row::<ForcedImage>(
    "plain",
    "the model as it is, in f32: the image is looked at once, and keys and values of its tokens and of all earlier positions are kept; \
     everything hand-written: AVX-512, AVX2 or portable",
    &[DType::F32],
    |name, setting, params, inputs| {
        let seen = seeing(&params.looks(), inputs).map_err(|error| failed(name, &setting.device, &error))?;
        let forced = forced(name, setting, params, inputs, seen, None);
        Ok(looping(name, setting, &ForcedImage::steps(params), forced))
    },
)
.catalogue(&["MO17"]);

/// Every technique of towers, as an implementation of `forced-decoding-image`.
pub fn all() -> impl Iterator<Item = Changed<ForcedImage>> {
    technique::ALL.iter().filter(|technique| technique.is_of_towers()).map(Changed::by)
}

/// Percent of the patches that a technique leaves out; nothing where it is none of towers.
fn left_out(technique: &Technique) -> Option<usize> {
    match technique.change {
        Change::Patches(percent) => Some(percent),
        _ => None,
    }
}

/// Positions that there is room for, beside so many tokens of an image, and those that are computed at a time.
fn room(params: &ForcedImageParams, tokens: usize) -> [usize; 2] {
    [params.text() + tokens, params.prompt.max(tokens).min(MOST_CHUNK)]
}

/// The loop of a case, beside the logits of the model as it is where it is another.
fn forced(
    name: &'static str,
    setting: &Setting,
    params: &ForcedImageParams,
    inputs: &Inputs,
    (looking, decoder): (Looking, Decoder),
    exact: Option<Vec<f32>>,
) -> Forced {
    let [rows, columns] = params.looks().grid();
    let tokens = looking.left().map_or(rows * columns, |left| left.len());
    let mut told = vec![weight_bytes(decoder.matrix_bytes() + looking.bytes())];
    if exact.is_some() {
        // All weights stay.
        told.extend(kept([1, 1], 0));
    }
    let running = Running::of(name, setting, decoder, inputs, room(params, tokens));
    let sizes = [params.prompt, params.tokens, params.vocabulary];
    Forced::new(running, sizes, told, exact).about(looking)
}

/// Logits `[tokens, vocabulary]` of a text about the whole image.
fn read(
    looking: &mut Looking,
    decoder: &Decoder,
    params: &ForcedImageParams,
    text: &[i32],
) -> benchbook_models::Result<Vec<f32>> {
    let [rows, columns] = params.looks().grid();
    let [positions, chunk] = room(params, rows * columns);
    let mut session = Session::new(decoder, positions, chunk)?;
    let mut logits = looking.begin(decoder, &mut session, &text[..params.prompt])?.to_vec();
    for id in &text[params.prompt..] {
        logits.extend_from_slice(session.step(decoder, &[*id])?);
    }
    Ok(logits)
}

impl Technical for ForcedImage {
    const ON_REQUEST: bool = false;

    fn takes(_params: &ForcedImageParams, technique: &Technique) -> Support {
        match left_out(technique) {
            Some(_) => Support::Yes,
            None => Support::No("not applicable: it is none of vision towers".to_owned()),
        }
    }

    fn prepared(
        technique: &'static Technique,
        setting: &Setting,
        params: &ForcedImageParams,
        inputs: &Inputs,
    ) -> Result<Box<dyn Subject>> {
        let name = technique.name;
        let made = seeing(&params.looks(), inputs).and_then(|(mut looking, decoder)| {
            let exact = read(&mut looking, &decoder, params, inputs.get("prompt").of())?;
            Ok((looking, decoder, exact))
        });
        let (looking, decoder, exact) = made.map_err(|error| failed(name, &setting.device, &error))?;
        let looking = looking.without(left_out(technique).unwrap_or_default());
        let forced = forced(name, setting, params, inputs, (looking, decoder), Some(exact));
        Ok(looping(name, setting, &Self::steps(params), forced))
    }

    /// Which patches are left is seen from the input alone: all that have it have the same.
    fn right(
        technique: &'static Technique,
        params: &ForcedImageParams,
        inputs: &Inputs,
        seed: u64,
    ) -> Option<Reference> {
        let patches = inputs.get(PATCHES).of::<f32>();
        let [rows, columns] = params.looks().grid();
        let groups = most_varied(patches, patches.len() / (rows * columns), left_out(technique)?);
        Some(Self::of(params, inputs, Some(&groups), seed))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use benchbook_core::{Array, Implementation as _, Parameters as _, Problem as _};

    use super::*;

    /// Metrics and logits of a case whose image has 16 tokens.
    fn of(name: &str) -> (BTreeMap<String, f64>, Vec<Array>) {
        let params = ForcedImageParams::default();
        let inputs = ForcedImage::inputs(&params, 4);
        let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
        let mut subject = match all().find(|one| one.name() == name) {
            Some(technical) => technical.prepare(&setting, &params.params(), &inputs).unwrap(),
            None => PLAIN.prepare(&setting, &params.params(), &inputs).unwrap(),
        };
        subject.run(2);
        subject.sync().unwrap();
        let metrics = subject.metrics().into_iter().map(|metric| (metric.name, metric.value)).collect();
        (metrics, subject.outputs().unwrap())
    }

    #[test]
    fn half_of_the_patches_are_saved_and_what_that_moves_is_told() {
        let params = ForcedImageParams::default();
        let work = ForcedImage::work(&params, DType::F32).flops;
        let ((plain, exact), (half, logits)) = (of("plain"), of("patches-half"));
        assert!((plain["own_flops"] / work - 1.0).abs() < 1e-9, "{} {work}", plain["own_flops"]);
        assert_eq!((plain["positions_kept"], half["positions_kept"]), (1.0, 0.5));
        // Half of the tower's patches with a quarter of what they see, and eight positions of the text fewer.
        assert!(half["own_flops"] < 0.8 * plain["own_flops"], "{half:?}");
        assert!(half["cache_bytes"] < plain["cache_bytes"] && half["weight_bytes"] == plain["weight_bytes"]);
        assert!(half["kl_divergence"] > 0.0 && (0.0..=1.0).contains(&half["top1_agreement"]), "{half:?}");
        assert_eq!((half["kl_divergence_items"], half["sparsity"], half["capacity_kept"]), (16.0, 0.0, 1.0));
        assert!(!plain.contains_key("kl_divergence"));
        let inputs = ForcedImage::inputs(&params, 4);
        let right = ForcedImage::right(technique::named("patches-half").unwrap(), &params, &inputs, 4).unwrap();
        assert!(right.distance(&logits) < 1e-4 && right.distance(&exact) > 1e-2, "{}", right.distance(&exact));
        assert!(ForcedImage::reference(&params, &inputs, 4).distance(&exact) < 1e-4);
    }

    #[test]
    fn a_technique_of_decoders_is_none_of_towers() {
        let names: Vec<&str> = all().map(|one| one.name()).collect();
        assert_eq!(names, ["patches-half"]);
        let takes = |name: &str| ForcedImage::takes(&ForcedImageParams::default(), technique::named(name).unwrap());
        assert!(takes("patches-half") == Support::Yes && takes("int8") != Support::Yes);
    }
}
