//! Techniques of whole decoders: each is an implementation of `forced-decoding`, beside the decoder as it is.
//!
//! What a technique computes is checked against the decoder with the weights that it stands for, or with the positions that it sees, or
//! with what its own cache and depth are believed to be ([`Otherwise`]); how far it is from the decoder as it is stands in metrics.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _};

use benchbook_core::{Array, DType, Inputs, Loop, Metric, Reference, Result, Row, Setting, Step, Subject, Support};
use benchbook_models::technique::{self, Applied, Change, Technique};
use benchbook_models::{Decoder, Description, Form, Keeps, Names, Session, Text};
use benchbook_quality::logits as quality;
use benchbook_workloads::decoding::{Depths, ForcedDecoding, ForcedDecodingParams, Otherwise, Rounded, Sizes};

use super::models::{Given, MOST_CHUNK, Running, described, failed, looping};
use super::row::fused_row;
use super::searched;
use super::technical::{Changed, Technical};
use super::told::told;
use super::weight_only::{own_bytes, own_flops};

/// The decoder as it is: what techniques stand beside.
pub const PLAIN: Row<ForcedDecoding> = fused_row::<ForcedDecoding>(
    "plain",
    "the decoder as it is, in f32: keys and values of earlier positions are kept; everything hand-written: AVX-512, AVX2 or portable",
    &[DType::F32],
    |name, setting, params, inputs| {
        let (sizes, room) = (params.sizes(), room(params));
        let running = Running::new(name, setting, Form::Plain, &sizes, inputs, room)?;
        let told = told(running.decoder().0, None);
        Ok(looping(name, setting, &ForcedDecoding::steps(params), Forced::new(running, params, told, None)))
    },
)
.catalogue(&["DE5"])
.only(|_, _, params| supported(params, None));

/// Every technique of decoders, as an implementation of `forced-decoding`.
pub fn all() -> impl Iterator<Item = Changed<ForcedDecoding>> {
    technique::ALL.iter().filter(|technique| technique.is_of_decoders()).map(Changed::by)
}

/// Whether a case can be decoded, and takes a technique: `not here` is said of what no code of ours decodes, `not applicable` of what a
/// technique does not suit.
fn supported(params: &ForcedDecodingParams, technique: Option<&Technique>) -> Support {
    if !params.is_known() {
        return Support::No(unknown(params));
    }
    match technique.and_then(|technique| technique.refuses(&described(&params.sizes(), params.text()))) {
        Some(why) => Support::No(format!("not applicable: {why}")),
        None => Support::Yes,
    }
}

/// Why nobody decodes a case: of the model its text part alone is asked for.
fn unknown(params: &ForcedDecodingParams) -> String {
    let model = match benchbook_models::named(&params.model) {
        Ok(model) => Description { vision: None, ..model },
        Err(error) => return format!("not here: {error}"),
    };
    if let Some(why) = technique::not_here(&model) {
        return format!("not here: {why}");
    }
    if model.text.architecture.biased() {
        return "not here: right answers are known of LLaMA, Qwen3 and GLM alone here".to_owned();
    }
    let all = params.of_layers;
    match params.fits {
        0 => format!("does not fit: there is no room for one of its {all} layers"),
        most => format!("does not fit: {most} of {all} layers are the most that there is room for"),
    }
}

/// The same with a technique, which may have fewer of them computed at a time.
fn room_with(technique: &Technique, params: &ForcedDecodingParams) -> [usize; 2] {
    let [positions, chunk] = room(params);
    match technique.change {
        Change::Chunks(tokens) => [positions, chunk.min(tokens)],
        _ => [positions, chunk],
    }
}

/// Positions that there is room for, and those that are computed at a time.
fn room(params: &ForcedDecodingParams) -> [usize; 2] {
    [params.text(), params.prompt.min(MOST_CHUNK)]
}

/// What `with` makes of a case's model with a technique, of its description and the inputs as weights.
fn applied<T>(
    technique: &Technique,
    params: &ForcedDecodingParams,
    inputs: &Inputs,
    with: impl FnOnce(&Description, &Applied) -> benchbook_models::Result<T>,
) -> benchbook_models::Result<T> {
    let sizes = params.sizes();
    let (model, given) = (described(&sizes, params.text()).checked()?, Given { sizes: &sizes, inputs });
    let weights = |hasher: &mut DefaultHasher| {
        inputs.iter().filter(|(name, _)| *name != "prompt").for_each(|(name, array)| (name, array.bytes()).hash(hasher));
    };
    with(&model, &searched::applied(technique, &model, &given, params.text(), weights)?)
}

/// The largest of whole numbers of so many bits, 8 or 4, that a cache holds.
pub(super) fn levels(bits: u32) -> f64 {
    if bits == 8 { 127.0 } else { 7.0 }
}

impl Technical for ForcedDecoding {
    const ON_REQUEST: bool = false;

    fn takes(params: &ForcedDecodingParams, technique: &Technique) -> Support {
        supported(params, Some(technique))
    }

    fn prepared(
        technique: &'static Technique,
        setting: &Setting,
        params: &ForcedDecodingParams,
        inputs: &Inputs,
    ) -> Result<Box<dyn Subject>> {
        let name = technique.name;
        let made = applied(technique, params, inputs, |model, applied| {
            let sizes = params.sizes();
            let plain = Decoder::load(model, &Given { sizes: &sizes, inputs }, params.text())?;
            let exact = read(&plain, params, inputs.get("prompt").of())?.0;
            let decoder = applied.decoder()?;
            let told = told(&decoder, Some((&plain, applied.tried.as_slice())));
            Ok((decoder, told, exact))
        });
        let (decoder, told, exact) = made.map_err(|error| failed(name, &setting.device, &error))?;
        let running = Running::of(name, setting, decoder, inputs, room_with(technique, params));
        let steps = Self::steps(params);
        Ok(looping(name, setting, &steps, Forced::new(running, params, told, Some(exact))))
    }

    fn right(
        technique: &'static Technique,
        params: &ForcedDecodingParams,
        inputs: &Inputs,
        seed: u64,
    ) -> Option<Reference> {
        let answer = applied(technique, params, inputs, |_, applied| {
            let sizes = params.sizes();
            let of = |inputs: &Inputs, sizes: Sizes, otherwise: Otherwise<'_>| {
                Ok(Self::of(params, (sizes, inputs), otherwise, seed))
            };
            match technique.change {
                Change::Keeps(Keeps { window, bits: None }) => {
                    of(inputs, sizes, Otherwise { window, ..Otherwise::default() })
                }
                Change::Keeps(Keeps { window, bits: Some(bits) }) => {
                    let decoder = applied.decoder()?;
                    let (_, session) = read(&decoder, params, inputs.get("prompt").of())?;
                    let layers: Vec<[Vec<f32>; 2]> =
                        (0..sizes.layers).filter_map(|layer| session.rounded(&decoder, layer)).collect();
                    let cache = Some(Rounded { layers: &layers, levels: levels(bits) });
                    of(inputs, sizes, Otherwise { window, cache, ..Otherwise::default() })
                }
                Change::Exit(exit) => {
                    let (_, session) = read(&applied.decoder()?, params, inputs.get("prompt").of())?;
                    let least = exit.least_of(sizes.layers);
                    let depths = Depths { of: session.depths(), first: params.prompt, least, alike: exit.alike };
                    of(inputs, sizes, Otherwise { depths: Some(depths), ..Otherwise::default() })
                }
                Change::Attention(least) => {
                    of(inputs, sizes, Otherwise { least: Some(least), ..Otherwise::default() })
                }
                Change::Chunks(_) => of(inputs, sizes, Otherwise::default()),
                _ => of(&stands_for(applied, inputs)?, narrow(sizes, &applied.description), Otherwise::default()),
            }
        });
        answer.ok()
    }
}

/// Sizes of the model that a technique has made.
fn narrow(sizes: Sizes, model: &Description) -> Sizes {
    let Text { layers, heads, kv_heads, hidden, .. } = model.text;
    // No technique changes the channels of experts.
    let hidden = if sizes.experts.is_some() { sizes.hidden } else { hidden };
    Sizes { layers, heads, kv_heads, hidden, ..sizes }
}

/// The inputs of a case with the weights that a technique stands for.
fn stands_for(applied: &Applied, inputs: &Inputs) -> benchbook_models::Result<Inputs> {
    let mut found: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    let text = &applied.description.text;
    let experts = text.experts.as_ref().map_or(1, |experts| experts.count);
    let dense = text.experts.as_ref().filter(|_| text.latent.is_some()).map(|experts| experts.dense_layers);
    for tensor in applied.description.tensors() {
        // Tensors of layers come in the order of these.
        if let Some((input, _)) = Names::LLAMA.place_of(&tensor.name, experts, dense) {
            found.entry(input).or_default().extend(applied.numbers(&tensor)?);
        }
    }
    let mut made = Inputs::from([("prompt", inputs.get("prompt").clone())]);
    found.into_iter().for_each(|(name, numbers)| made.insert(name, Array::new(vec![numbers.len()], &numbers)));
    Ok(made)
}

/// Logits `[tokens, vocabulary]` of a text, and what is kept of it then.
fn read(
    decoder: &Decoder,
    params: &ForcedDecodingParams,
    text: &[i32],
) -> benchbook_models::Result<(Vec<f32>, Session)> {
    let [positions, chunk] = room(params);
    let mut session = Session::new(decoder, positions, chunk)?;
    let mut logits = session.prefill(decoder, &text[..params.prompt])?.to_vec();
    for id in &text[params.prompt..] {
        logits.extend_from_slice(session.step(decoder, &[*id])?);
    }
    Ok((logits, session))
}

/// A text that is given, a token a step.
struct Forced {
    running: Running,
    prompt: usize,
    tokens: usize,
    /// Rows so far, `[tokens, vocabulary]`.
    logits: Vec<f32>,
    made: usize,
    /// What is known before it runs.
    told: Vec<Metric>,
    /// Logits of the decoder as it is, until they have been held against those of the first loop.
    exact: RefCell<Option<Vec<f32>>>,
    /// What came of that.
    figures: RefCell<Vec<Metric>>,
}

impl Forced {
    fn new(running: Running, params: &ForcedDecodingParams, told: Vec<Metric>, exact: Option<Vec<f32>>) -> Self {
        let ForcedDecodingParams { prompt, tokens, vocabulary, .. } = *params;
        let logits = Vec::with_capacity(tokens * vocabulary);
        let (exact, figures) = (RefCell::new(exact), RefCell::default());
        Self { running, prompt, tokens, logits, made: 0, told, exact, figures }
    }

    /// Operations of a loop, by the matrices that are kept and the layers that positions went through.
    fn flops(decoder: &Decoder, session: &Session, tokens: usize) -> f64 {
        let (text, depths) = (decoder.text(), session.depths());
        let layers = text.layers as f64;
        let passes: usize = depths.iter().sum();
        let skipped = (depths.len() * text.layers - passes) as f64;
        let rows = session.rows();
        let seen = depths.iter().enumerate().map(|(position, depth)| (depth * (position + 1).min(rows)) as f64);
        let products = decoder.read_by_token().numbers as f64 / layers * passes as f64
            + decoder.held_by_keys().numbers as f64 / layers * skipped
            + (decoder.held_by_head().numbers * tokens) as f64;
        // Scores are of all positions that are seen, and values of those that are read.
        let read = session.share_read().unwrap_or(1.0);
        2.0 * products + (2.0 + 2.0 * read) * text.projected()[0] as f64 * seen.sum::<f64>()
    }

    /// How far the logits of the first loop are from those of the decoder as it is, token by token.
    fn hold(&self) {
        let Some(exact) = self.exact.borrow_mut().take() else { return };
        let vocabulary = exact.len() / self.tokens.max(1);
        let data = "seeded text";
        let divergence = quality::divergences(&exact, &self.logits, vocabulary);
        let agreement = quality::agreements(&exact, &self.logits, vocabulary);
        let figures = [
            divergence.and_then(|all| quality::divergence(&all, data)),
            agreement.and_then(|all| quality::agreement(&all, data)),
        ];
        // Logits that are no numbers have no figure, and are wrong besides.
        self.figures.borrow_mut().extend(figures.into_iter().flatten().flat_map(|figure| figure.metrics()));
    }
}

impl Loop for Forced {
    fn begin(&mut self) {
        self.running.begin();
        self.logits.clear();
        self.made = 0;
    }

    fn step(&mut self, _values: &mut [f64]) -> Result<Step> {
        let Self { running, prompt, logits, .. } = self;
        running.with(|decoder, session, text| {
            let held = session.held();
            let row = if held < *prompt {
                session.prefill(decoder, &text[..*prompt])?
            } else {
                session.step(decoder, &text[held..=held])?
            };
            logits.extend_from_slice(row);
            Ok(())
        })?;
        self.made += 1;
        Ok(Step { tokens: 1, more: self.made < self.tokens })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        if !self.logits.iter().all(|logit| logit.is_finite()) {
            return Err(self.running.broken());
        }
        Ok(vec![Array::new(vec![self.tokens, self.logits.len() / self.tokens.max(1)], &self.logits)])
    }

    fn write(&mut self, input: &str, _first: usize, values: &[f32]) -> Result<bool> {
        Ok(self.running.write(input, values))
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn metrics(&self) -> Vec<Metric> {
        let mut metrics = self.told.clone();
        let (decoder, Some(session)) = self.running.decoder() else { return metrics };
        metrics.push(own_bytes((decoder.read_by_token() + decoder.held_by_head()).bytes));
        metrics.push(Metric::modelled("cache_bytes", session.cache_bytes() as f64, "bytes"));
        metrics.push(own_flops(Self::flops(decoder, session, self.tokens)));
        let (depths, new) = (session.depths(), session.depths().len().saturating_sub(self.prompt));
        if new > 0 {
            let mean = depths[self.prompt..].iter().sum::<usize>() as f64 / new as f64;
            metrics.push(Metric::measured("token_depth", mean, "count"));
        }
        metrics.extend(session.share_read().map(|share| Metric::measured("values_read", share, "share")));
        self.hold();
        metrics.extend(self.figures.borrow().iter().cloned());
        metrics
    }
}

#[cfg(test)]
mod tests {
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
        let adaptive = metrics_of("adaptive-precision");
        assert!((4.0..=8.0).contains(&adaptive["formats_tried"]) && adaptive["layer_error"] <= 0.05);
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
        is_right(&routed, &["int8", "low-rank-4th", "2of4", "heads-25", "block-out"]);
    }

    #[test]
    fn queries_keys_and_values_come_out_of_latents() {
        let architecture = "glm-4".to_owned();
        let latent = ForcedDecodingParams { architecture, query_rank: 24, kv_rank: 20, rotated: 4, ..params() };
        is_right(&latent, &["int8", "2of4", "channels-25", "cache-int8", "sparse-attention", "block-out"]);
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
        is_right(&routed, &["int8", "low-rank-4th", "2of4", "cache-int8", "block-out"]);
        let channels = all().find(|one| one.name() == "channels-25").unwrap();
        let Support::No(why) = channels.supports("flex", DType::F32, &routed.params()) else { panic!("it is applied") };
        assert!(why.contains("not for experts"), "{why}");
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
}
