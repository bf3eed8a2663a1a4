//! Whole decoders on plain slices: `prefill` and `generate`.

use benchbook_core::{
    Array, DType, Error, Inputs, Loop, Looping, Metric, Problem, Result, Row, Setting, Step, StepsOf, Subject,
};
use benchbook_models::compress::Scheme;
use benchbook_models::weights::Source;
use benchbook_models::{
    Architecture as Family, Decoder, Description, Experts, Form, Latent, Names, Plan, Session, Tensor, Text,
};
use benchbook_workloads::blocks::{Architecture, EPSILON};
use benchbook_workloads::decoding::{Generate, GenerateParams, Prefill, PrefillParams, Sizes};

use crate::flex::decoding::best;
use crate::flex::row::fused_row;
use crate::flex::weight_only::{own_bytes, weight_bytes};

/// Implementations of `prefill`.
pub const PREFILL: [Row<Prefill>; 4] = [CHUNKED, CHUNKED_BF16, CHUNKED_INT8, CHUNKED_INT4];

/// Implementations of `generate`.
pub const GENERATE: [Row<Generate>; 4] = [CACHED, CACHED_BF16, CACHED_INT8, CACHED_INT4];

const CHUNKED: Row<Prefill> = fused_row::<Prefill>(
    "chunked",
    "chunks of the prompt, one after another, whose keys and values are kept (Agrawal et al., arXiv 2308.16369, section 4.2); \
     everything hand-written: AVX-512, AVX2 or portable",
    &[DType::F32],
    taking::<32>,
)
.catalogue(&["DE4"]);

const CHUNKED_BF16: Row<Prefill> = chunked_in::<16>(
    "chunked-bf16",
    "as chunked, by weights of bf16 (rounded to nearest), which registers widen to f32",
);

const CHUNKED_INT8: Row<Prefill> = chunked_in::<8>(
    "chunked-int8",
    "as chunked, by weights of 8 bits (integers from -127 to 127, groups of 32 along the sum, f32 scales, rounded to nearest)",
);

const CHUNKED_INT4: Row<Prefill> = chunked_in::<4>(
    "chunked-int4",
    "as chunked, by weights of 4 bits (symmetric, groups of 32 along the sum, f32 scales, rounded to nearest: arXiv 2210.17323)",
);

const CACHED: Row<Generate> = fused_row::<Generate>(
    "kv-cache",
    "keys and values of earlier positions are kept (Pope et al., arXiv 2211.05102, section 2); everything hand-written: AVX-512, \
     AVX2 or portable",
    &[DType::F32],
    making::<32>,
)
.catalogue(&["DE5"]);

const CACHED_BF16: Row<Generate> = cached_in::<16>(
    "kv-cache-bf16",
    "as kv-cache, by weights of bf16 (rounded to nearest), which registers widen to f32",
);

const CACHED_INT8: Row<Generate> = cached_in::<8>(
    "kv-cache-int8",
    "as kv-cache, by weights of 8 bits (integers from -127 to 127, groups of 32 along the sum, f32 scales, rounded to nearest)",
);

const CACHED_INT4: Row<Generate> = cached_in::<4>(
    "kv-cache-int4",
    "as kv-cache, by weights of 4 bits (symmetric, groups of 32 along the sum, f32 scales, rounded to nearest: arXiv 2210.17323)",
);

const fn chunked_in<const BITS: usize>(name: &'static str, about: &'static str) -> Row<Prefill> {
    let row = fused_row::<Prefill>(name, about, &[DType::F32], taking::<BITS>);
    let right = |params: &PrefillParams, inputs: &Inputs, seed: u64| {
        Some(Prefill::reference(params, &rounded(form(BITS), inputs), seed))
    };
    row.approximating(right).on_request()
}

const fn cached_in<const BITS: usize>(name: &'static str, about: &'static str) -> Row<Generate> {
    let row = fused_row::<Generate>(name, about, &[DType::F32], making::<BITS>);
    let right = |params: &GenerateParams, inputs: &Inputs, seed: u64| {
        Some(Generate::reference(params, &rounded(form(BITS), inputs), seed))
    };
    row.approximating(right).on_request()
}

fn taking<const BITS: usize>(
    name: &'static str,
    setting: &Setting,
    params: &PrefillParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let (of, room) = (Prefill::steps(params), [params.prompt, params.chunk]);
    let running = Running::new(name, setting, form(BITS), &params.sizes(), inputs, room)?;
    Ok(looping(name, setting, &of, Taking { running, chunk: params.chunk, logits: Vec::new() }))
}

fn making<const BITS: usize>(
    name: &'static str,
    setting: &Setting,
    params: &GenerateParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let making = Making::of(name, setting, form(BITS), params, inputs)?;
    Ok(looping(name, setting, &Generate::steps(params), making))
}

/// The form of matrices of so many bits.
fn form(bits: usize) -> Form {
    match bits {
        4 => Form::Coded(Scheme::Int4G32),
        8 => Form::Coded(Scheme::Int8G32),
        16 => Form::Bf16,
        _ => Form::Plain,
    }
}

/// Inputs whose matrices are what their codes stand for.
fn rounded(form: Form, inputs: &Inputs) -> Inputs {
    let mut others = inputs.clone();
    for (name, array) in inputs.iter().filter(|(name, _)| name.starts_with("w_") || *name == "head") {
        let inner = array.width();
        let numbers = form.stands_for_rows(array.of::<f32>(), [array.rows(), inner]);
        // Inputs that are drawn are finite, and as many as their shape says.
        let numbers = numbers.unwrap_or_else(|error| panic!("the matrix {name} of a case: {error}"));
        others.insert(name, Array::new(array.shape().to_vec(), &numbers));
    }
    others
}

/// Tokens of a prompt that are taken at a time.
pub(super) const MOST_CHUNK: usize = 512;

pub(super) fn looping<L: Loop + 'static>(
    name: &'static str,
    setting: &Setting,
    of: &StepsOf,
    looped: L,
) -> Box<dyn Subject> {
    Box::new(Looping::new(name, setting, of, looped))
}

/// A decoder and its prompt.
pub(super) struct Running {
    implementation: &'static str,
    device: String,
    decoder: Decoder,
    /// Positions that there is room for, and those that are computed at a time.
    room: [usize; 2],
    /// None before the first loop, so that what a call takes is seen in it.
    session: Option<benchbook_models::Result<Session>>,
    prompt: Vec<i32>,
}

impl Running {
    pub(super) fn new(
        implementation: &'static str,
        setting: &Setting,
        form: Form,
        sizes: &Sizes,
        inputs: &Inputs,
        room: [usize; 2],
    ) -> Result<Self> {
        let decoder = described(sizes, room[0]).checked();
        let decoder =
            decoder.and_then(|model| Decoder::planned(&model, &Given { sizes, inputs }, room[0], &Plan::of(form)));
        let decoder = decoder.map_err(|error| failed(implementation, &setting.device, &error))?;
        Ok(Self::of(implementation, setting, decoder, inputs, room))
    }

    /// The same of a decoder that is there.
    pub(super) fn of(
        implementation: &'static str,
        setting: &Setting,
        decoder: Decoder,
        inputs: &Inputs,
        room: [usize; 2],
    ) -> Self {
        let (device, prompt) = (setting.device.clone(), inputs.get("prompt").of::<i32>().to_vec());
        Self { implementation, device, decoder, room, session: None, prompt }
    }

    /// The decoder, and the text that it is in the middle of, where one has begun.
    pub(super) fn decoder(&self) -> (&Decoder, Option<&Session>) {
        (&self.decoder, self.session.as_ref().and_then(|session| session.as_ref().ok()))
    }

    /// Goes back to before the first position; why that cannot be is what the next step says.
    pub(super) fn begin(&mut self) {
        if let Some(Ok(session)) = &mut self.session {
            session.keep(0);
        } else {
            self.session = Some(Session::new(&self.decoder, self.room[0], self.room[1]));
        }
    }

    /// What `make` makes of the decoder, its text and the prompt.
    pub(super) fn with<T>(
        &mut self,
        make: impl FnOnce(&Decoder, &mut Session, &[i32]) -> benchbook_models::Result<T>,
    ) -> Result<T> {
        let made = match &mut self.session {
            Some(Ok(session)) => make(&self.decoder, session, &self.prompt),
            Some(Err(error)) => return Err(failed(self.implementation, &self.device, error)),
            None => Err(benchbook_models::Error::Session("no loop has begun".into())),
        };
        made.map_err(|error| failed(self.implementation, &self.device, &error))
    }

    /// That its answers are no numbers, and from where on.
    pub(super) fn broken(&mut self) -> Error {
        let Self { implementation, device, decoder, prompt, .. } = self;
        let reason = broken(decoder, prompt).unwrap_or_else(|| format!("{BROKEN} behind its last layer"));
        Error::Implementation { implementation: (*implementation).into(), device: device.clone(), reason }
    }

    pub(super) fn write(&mut self, input: &str, values: &[f32]) -> bool {
        if input != "prompt" {
            return false;
        }
        // Of one row, so that this is all of it.
        self.prompt.iter_mut().zip(values).for_each(|(id, value)| *id = *value as i32);
        true
    }
}

/// How it is told that answers are no numbers: the query `matrix` knows such cells by it.
const BROKEN: &str = "its numbers are none";

/// From which layer on a text has no numbers, in words; nothing where no layer is to blame.
pub(super) fn broken(decoder: &mut Decoder, ids: &[i32]) -> Option<String> {
    let layer = decoder.breaks_at(ids).ok()??;
    Some(format!("{BROKEN} from layer {} of {} on", layer + 1, decoder.text().layers))
}

pub(super) fn failed(implementation: &'static str, device: &str, error: &benchbook_models::Error) -> Error {
    Error::Implementation {
        implementation: implementation.into(),
        device: device.to_owned(),
        reason: error.to_string(),
    }
}

/// The description of a model of these sizes.
pub(super) fn described(sizes: &Sizes, context: usize) -> Description {
    let Sizes { architecture, layers, heads, kv_heads, head_dim, width, hidden, vocabulary, .. } = *sizes;
    let Sizes { rotary_base, experts, latent, .. } = *sizes;
    let routed = |of: benchbook_workloads::decoding::Experts| {
        let beside = of.beside.map(|beside| (beside.shared, beside.dense, beside.percent as f64 / 100.0));
        let (shared, dense_layers, scale) = beside.unwrap_or((0, 0, 1.0));
        Experts { count: of.count, chosen: of.chosen, hidden, shared, dense_layers, scale }
    };
    // Where the first layers have none, that is how wide these are.
    let dense = experts.and_then(|experts| experts.beside).filter(|beside| beside.dense > 0);
    let out_of = |latent: benchbook_workloads::decoding::Latent| Latent {
        query_rank: latent.query_rank,
        kv_rank: latent.kv_rank,
        plain: head_dim - latent.rotated,
        rotated: latent.rotated,
        value: head_dim,
    };
    let text = Text {
        architecture: match latent {
            Some(_) => Family::Glm4,
            None if architecture == Architecture::Qwen3 => Family::Qwen3,
            None => Family::Llama,
        },
        layers,
        heads,
        kv_heads,
        head_dim,
        width,
        hidden: dense.map_or(hidden, |beside| beside.dense_hidden),
        vocabulary,
        context,
        tied: false,
        epsilon: EPSILON,
        rotary_base: Some(rotary_base as f64),
        sections: None,
        experts: experts.map(routed),
        latent: latent.map(out_of),
        is_part: true,
    };
    let (name, source) = ("the model of a case".to_owned(), "its parameters".to_owned());
    Description {
        name,
        source,
        catalogue: None,
        parameters: 0,
        counted: None,
        weights: None,
        files: None,
        text,
        vision: None,
        audio: None,
    }
}

/// Weights of a case, by their names in checkpoints.
pub(super) struct Given<'a> {
    pub sizes: &'a Sizes,
    pub inputs: &'a Inputs,
}

impl Source for Given<'_> {
    fn numbers(&self, tensor: &Tensor) -> benchbook_models::Result<Vec<f32>> {
        let experts = self.sizes.experts.map_or(1, |experts| experts.count);
        let dense = self.sizes.experts.and_then(|experts| experts.beside).map(|beside| beside.dense);
        let known = Names::LLAMA.place_of(&tensor.name, experts, dense);
        let Some((input, place)) = known.filter(|(_, place)| *place < self.sizes.layers * experts) else {
            let found = "the inputs of the case".to_owned();
            return Err(benchbook_models::Error::Missing { name: tensor.name.clone(), found });
        };
        let count = tensor.count();
        Ok(self.inputs.numbers(input)[place * count..][..count].to_vec())
    }
}

/// A prompt that is taken a chunk a step.
struct Taking {
    running: Running,
    chunk: usize,
    /// Logits behind the last token.
    logits: Vec<f32>,
}

impl Loop for Taking {
    fn begin(&mut self) {
        self.running.begin();
    }

    fn step(&mut self, _values: &mut [f64]) -> Result<Step> {
        let Self { running, chunk, logits } = self;
        let more = running.with(|decoder, session, prompt| {
            let rest = &prompt[session.held()..];
            if rest.len() > *chunk {
                session.take(decoder, &rest[..*chunk])?;
                return Ok(true);
            }
            logits.clear();
            logits.extend_from_slice(session.prefill(decoder, rest)?);
            Ok(false)
        })?;
        Ok(Step { tokens: 0, more })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        Ok(vec![Array::new(vec![1, self.logits.len()], &self.logits)])
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![weight_bytes(self.running.decoder.matrix_bytes())]
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn write(&mut self, input: &str, _first: usize, values: &[f32]) -> Result<bool> {
        Ok(self.running.write(input, values))
    }
}

/// Tokens that are made behind a prompt.
pub(super) struct Making {
    pub running: Running,
    pub made: Vec<i32>,
    pub wanted: usize,
}

impl Making {
    pub fn of(
        name: &'static str,
        setting: &Setting,
        form: Form,
        params: &GenerateParams,
        inputs: &Inputs,
    ) -> Result<Self> {
        let room = [params.prompt + params.tokens, params.prompt.min(MOST_CHUNK)];
        let running = Running::new(name, setting, form, &params.sizes(), inputs, room)?;
        Ok(Self { running, made: Vec::with_capacity(params.tokens), wanted: params.tokens })
    }
}

impl Loop for Making {
    fn begin(&mut self) {
        self.running.begin();
        self.made.clear();
    }

    fn step(&mut self, _values: &mut [f64]) -> Result<Step> {
        let last = self.made.last().copied();
        let token = self.running.with(|decoder, session, prompt| {
            let logits = match last {
                None => session.prefill(decoder, prompt)?,
                Some(id) => session.step(decoder, &[id])?,
            };
            Ok(best(logits))
        })?;
        self.made.push(token as i32);
        Ok(Step { tokens: 1, more: self.made.len() < self.wanted })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let tokens: Vec<i64> = self.made.iter().map(|id| i64::from(*id)).collect();
        Ok(vec![Array::new(vec![tokens.len(), 1], &tokens)])
    }

    /// Each token reads every matrix: the first one those of the prompt.
    fn metrics(&self) -> Vec<Metric> {
        let bytes = self.running.decoder.matrix_bytes();
        vec![weight_bytes(bytes), own_bytes(self.wanted * bytes)]
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn write(&mut self, input: &str, _first: usize, values: &[f32]) -> Result<bool> {
        Ok(self.running.write(input, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_there_is_no_session_is_what_a_step_says() {
        let params = PrefillParams { prompt: 3, ..PrefillParams::default() };
        let inputs = Prefill::inputs(&params, 1);
        let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
        let mut running = Running::new("test", &setting, Form::Plain, &params.sizes(), &inputs, [3, 0]).unwrap();
        running.begin();
        let told = running.with(|_, _, _| Ok(())).unwrap_err().to_string();
        assert!(told.contains("a session of 3 positions, 0 at a time, cannot be"), "{told}");
    }
}
