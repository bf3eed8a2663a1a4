//! Techniques of whole decoders: each is an implementation of `forced-decoding`, beside the decoder as it is.
//!
//! What a technique computes is checked against the decoder with the weights that it stands for, or with the positions that it sees, or
//! with what its own cache and depth are believed to be ([`Otherwise`]); how far it is from the decoder as it is stands in metrics.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _};
use std::sync::{Mutex, PoisonError};

use benchbook_core::{Array, DType, Inputs, Loop, Metric, Reference, Result, Row, Setting, Step, Subject, Support};
use benchbook_models::technique::{self, Applied, Change, Technique};
use benchbook_models::{Decoder, Description, Form, Keeps, Names, Session, Split, Text};
use benchbook_quality::logits as quality;
use benchbook_workloads::decoding::{Depths, ForcedDecoding, ForcedDecodingParams, Otherwise, Parted, Rounded, Sizes};

use super::models::{Given, MOST_CHUNK, Running, described, failed, looping};
use super::multimodal::Sense as _;
use super::multimodal_image::Looking;
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
        Ok(looping(name, setting, &ForcedDecoding::steps(params), Forced::new(running, sizes_of(params), told, None)))
    },
)
.catalogue(&["DE5"])
.only(|_, _, params| supported(params, None));

/// Every technique of decoders, as an implementation of `forced-decoding`: but for guesses, which are of a text that a model makes
/// itself (`generate`).
pub fn all() -> impl Iterator<Item = Changed<ForcedDecoding>> {
    let is_forced =
        |technique: &&Technique| technique.is_of_decoders() && !matches!(technique.change, Change::Guesses(_));
    technique::ALL.iter().filter(is_forced).map(Changed::by)
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
    // A description of one's own is asked for only where it is decoded.
    if let Ok(model) = benchbook_models::named(&params.model) {
        let model = Description { vision: None, ..model };
        if let Some(why) = technique::not_here(&model) {
            return format!("not here: {why}");
        }
        if model.text.architecture.biased() {
            return "not here: right answers are known of LLaMA, Qwen3 and GLM alone here".to_owned();
        }
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

/// Tokens that come together, those that are followed by logits, and all that there are.
fn sizes_of(params: &ForcedDecodingParams) -> [usize; 3] {
    [params.prompt, params.tokens, params.vocabulary]
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
    with(&model, &searched::applied(technique, &model, &given, params.text(), |hasher| hash_weights(inputs, hasher))?)
}

/// Tells the weights of a case apart from all others.
fn hash_weights(inputs: &Inputs, hasher: &mut DefaultHasher) {
    inputs.iter().filter(|(name, _)| *name != "prompt").for_each(|(name, array)| (name, array.bytes()).hash(hasher));
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
        Ok(looping(name, setting, &steps, Forced::new(running, sizes_of(params), told, Some(exact))))
    }

    fn searched(technique: &'static Technique, params: &ForcedDecodingParams, inputs: &Inputs) -> Result<bool> {
        let made = applied(technique, params, inputs, |_, applied| Ok(applied.has_searched));
        made.map_err(|error| failed(technique.name, "flex", &error))
    }

    fn right(
        technique: &'static Technique,
        params: &ForcedDecodingParams,
        inputs: &Inputs,
        seed: u64,
    ) -> Option<Reference> {
        let answer = applied(technique, params, inputs, |model, applied| {
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
                Change::Attention(least) => of(inputs, sizes, Otherwise { least: Some(least), ..Otherwise::default() }),
                Change::Scan => of(inputs, sizes, Otherwise { scan: applied.plan.scan, ..Otherwise::default() }),
                Change::Experts(_) => {
                    let (_, session) = read(&applied.decoder()?, params, inputs.get("prompt").of())?;
                    of(inputs, sizes, Otherwise { parted: parted(applied, &session), ..Otherwise::default() })
                }
                Change::Chunks(_) => of(inputs, sizes, Otherwise::default()),
                _ => {
                    let key = searched::key(technique, model, |hasher| hash_weights(inputs, hasher));
                    let held = STOOD.lock().unwrap_or_else(PoisonError::into_inner).take();
                    let held = held.filter(|(of, _)| *of == key).map(|(_, stood)| stood);
                    let is_again = held.is_some();
                    let mut stood = held.map_or_else(|| stands_for(applied, inputs), Ok)?;
                    stood.insert("prompt", inputs.get("prompt").clone());
                    let answer = of(&stood, narrow(sizes, &applied.description), Otherwise::default());
                    if !is_again {
                        *STOOD.lock().unwrap_or_else(PoisonError::into_inner) = Some((key, stood));
                    }
                    answer
                }
            }
        });
        answer.ok()
    }
}

/// The experts that the positions of a session went through, where a network is parted into some.
pub(super) fn parted<'a>(applied: &Applied, session: &'a Session) -> Option<Parted<'a>> {
    let Split { layer, experts, chosen } = applied.plan.split?;
    Some(Parted { layer, experts, chosen, went: session.went() })
}

/// Sizes of the model that a technique has made.
fn narrow(sizes: Sizes, model: &Description) -> Sizes {
    let Text { layers, heads, kv_heads, hidden, .. } = model.text;
    // No technique changes the channels of experts.
    let hidden = if sizes.experts.is_some() { sizes.hidden } else { hidden };
    Sizes { layers, heads, kv_heads, hidden, ..sizes }
}

/// What the weights of the last case stand for, by technique, case and weights, until it is asked for again: a trial asks twice in
/// turn, of the same weights before another text, and making them may take longer than the answers do.
static STOOD: Mutex<Option<(u64, Inputs)>> = Mutex::new(None);

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
pub(super) struct Forced {
    running: Running,
    /// Who looks, where the text is about an image.
    looking: Option<Looking>,
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
    /// One of `prompt` tokens that come together and of `tokens` rows of logits, with what is known before it runs and the logits of the
    /// model as it is, beside which it stands.
    pub(super) fn new(
        running: Running,
        [prompt, tokens, vocabulary]: [usize; 3],
        told: Vec<Metric>,
        exact: Option<Vec<f32>>,
    ) -> Self {
        let logits = Vec::with_capacity(tokens * vocabulary);
        let (exact, figures) = (RefCell::new(exact), RefCell::default());
        Self { running, looking: None, prompt, tokens, logits, made: 0, told, exact, figures }
    }

    /// The same about an image.
    pub(super) fn about(self, looking: Looking) -> Self {
        Self { looking: Some(looking), ..self }
    }

    /// Operations of a loop, by the matrices that are kept and the layers that positions went through.
    fn flops(decoder: &Decoder, session: &Session, tokens: usize) -> f64 {
        let (text, depths) = (decoder.text(), session.depths());
        let layers = text.layers as f64;
        let passes: usize = depths.iter().sum();
        let skipped = (depths.len() * text.layers - passes) as f64;
        let rows = session.rows();
        let scans = decoder.scans();
        let seen =
            depths.iter().enumerate().map(|(position, depth)| ((depth - scans) * (position + 1).min(rows)) as f64);
        let products = decoder.read_by_token().numbers as f64 / layers * passes as f64
            + decoder.held_by_keys().numbers as f64 / layers * skipped
            + (decoder.held_by_head().numbers * tokens) as f64;
        // Scores are of all positions that are seen, and values of those that are read.
        let (read, [query, kv]) = (session.share_read().unwrap_or(1.0), text.projected());
        // A scan adds to the state of each key head, and multiplies that of each query's.
        let scanned = (scans * depths.len() * text.head_dim * (query + kv)) as f64;
        2.0 * (products + scanned) + (2.0 + 2.0 * read) * query as f64 * seen.sum::<f64>()
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
        let Self { running, looking, prompt, made, logits, .. } = self;
        running.with(|decoder, session, text| {
            let row = match (*made, looking) {
                (0, Some(looking)) => looking.begin(decoder, session, &text[..*prompt])?,
                (0, None) => session.prefill(decoder, &text[..*prompt])?,
                (made, _) => session.step(decoder, &text[*prompt + made - 1..][..1])?,
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

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        if let Some(looking) = self.looking.as_mut().filter(|_| input == Looking::INPUT) {
            looking.given().write(first, values);
            return Ok(true);
        }
        Ok(self.running.write(input, values))
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn metrics(&self) -> Vec<Metric> {
        let mut metrics = self.told.clone();
        let (decoder, Some(session)) = self.running.decoder() else { return metrics };
        let (depths, new) = (session.depths(), self.made.saturating_sub(1));
        let of_image = depths.len().saturating_sub(self.prompt + new);
        let tower = self.looking.as_ref();
        let read = (decoder.read_by_token() + decoder.held_by_head()).bytes;
        metrics.push(own_bytes(read + tower.map_or(0, Looking::bytes)));
        metrics.push(Metric::modelled("cache_bytes", session.cache_bytes() as f64, "bytes"));
        let looked = tower.and_then(|tower| tower.flops(of_image)).unwrap_or_default();
        metrics.push(own_flops(Self::flops(decoder, session, self.tokens) + looked));
        metrics.extend(tower.map(|tower| Metric::measured("positions_kept", tower.share(of_image), "share")));
        if new > 0 {
            let mean = depths[depths.len().saturating_sub(new)..].iter().sum::<usize>() as f64 / new as f64;
            metrics.push(Metric::measured("token_depth", mean, "count"));
        }
        metrics.extend(session.share_read().map(|share| Metric::measured("values_read", share, "share")));
        self.hold();
        metrics.extend(self.figures.borrow().iter().cloned());
        metrics
    }
}

#[cfg(test)]
mod tests;
