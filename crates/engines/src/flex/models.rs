//! Whole decoders on plain slices: `prefill` and `generate`.

use benchbook_core::{Array, DType, Error, Inputs, Loop, Looping, Result, Row, Setting, Step, StepsOf};
use benchbook_models::weights::Source;
use benchbook_models::{Architecture as Family, Decoder, Description, Session, Tensor, Text};
use benchbook_workloads::attention::window::BASE;
use benchbook_workloads::blocks::{Architecture, EPSILON};
use benchbook_workloads::decoding::{Generate, Prefill, Sizes};

use crate::flex::row::fused_row;

/// The implementation of `prefill`.
pub const CHUNKED: Row<Prefill> = fused_row::<Prefill>(
    "chunked",
    "chunks of the prompt, one after another, whose keys and values are kept (Agrawal et al., arXiv 2308.16369, section 4.2); \
     everything hand-written: AVX-512, AVX2 or portable",
    &[DType::F32],
    |name, setting, params, inputs| {
        let of = Prefill::steps(params);
        let running = Running::new(name, setting, &params.sizes(), inputs, [params.prompt, params.chunk])?;
        Ok(looping(name, setting, &of, Taking { running, chunk: params.chunk, logits: Vec::new() }))
    },
)
.catalogue(&["DE4"]);

/// The implementation of `generate`.
pub const CACHED: Row<Generate> = fused_row::<Generate>(
    "kv-cache",
    "keys and values of earlier positions are kept (Pope et al., arXiv 2211.05102, section 2); everything hand-written: AVX-512, \
     AVX2 or portable",
    &[DType::F32],
    |name, setting, params, inputs| {
        let of = Generate::steps(params);
        let room = [params.prompt + params.tokens, params.prompt.min(MOST_CHUNK)];
        let running = Running::new(name, setting, &params.sizes(), inputs, room)?;
        Ok(looping(name, setting, &of, Making { running, made: Vec::with_capacity(params.tokens), wanted: params.tokens }))
    },
)
.catalogue(&["DE5"]);

/// Tokens of a prompt that are taken at a time.
pub(super) const MOST_CHUNK: usize = 512;

pub(super) fn looping<L: Loop + 'static>(
    name: &'static str,
    setting: &Setting,
    of: &StepsOf,
    looped: L,
) -> Box<dyn benchbook_core::Subject> {
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
        sizes: &Sizes,
        inputs: &Inputs,
        room: [usize; 2],
    ) -> Result<Self> {
        let decoder = described(sizes, room[0]).checked();
        let decoder = decoder.and_then(|model| Decoder::load(&model, &Given { sizes, inputs }, room[0]));
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

    pub(super) fn write(&mut self, input: &str, values: &[f32]) -> bool {
        if input != "prompt" {
            return false;
        }
        // Of one row, so that this is all of it.
        self.prompt.iter_mut().zip(values).for_each(|(id, value)| *id = *value as i32);
        true
    }
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
    let Sizes { architecture, layers, heads, kv_heads, head_dim, width, hidden, vocabulary } = *sizes;
    let text = Text {
        architecture: if architecture == Architecture::Qwen3 { Family::Qwen3 } else { Family::Llama },
        layers,
        heads,
        kv_heads,
        head_dim,
        width,
        hidden,
        vocabulary,
        context,
        tied: false,
        epsilon: EPSILON,
        rotary_base: Some(BASE),
        experts: None,
        latent: None,
    };
    let (name, source) = ("the model of a case".to_owned(), "its parameters".to_owned());
    Description {
        name,
        source,
        catalogue: None,
        parameters: 0,
        counted: None,
        weights: None,
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

/// Names of a block's tensors in checkpoints, and of inputs.
const NAMES: [(&str, &str); 11] = [
    ("input_layernorm", "norm_1"),
    ("self_attn.q_proj", "w_query"),
    ("self_attn.k_proj", "w_key"),
    ("self_attn.v_proj", "w_value"),
    ("self_attn.q_norm", "query_gain"),
    ("self_attn.k_norm", "key_gain"),
    ("self_attn.o_proj", "w_out"),
    ("post_attention_layernorm", "norm_2"),
    ("mlp.gate_proj", "w_gate"),
    ("mlp.up_proj", "w_up"),
    ("mlp.down_proj", "w_down"),
];

/// The input that holds a tensor, and the layer that it is of.
pub(super) fn input_of(name: &str) -> Option<(&'static str, usize)> {
    match name {
        "model.embed_tokens.weight" => Some(("embedding", 0)),
        "model.norm.weight" => Some(("last_norm", 0)),
        "lm_head.weight" => Some(("head", 0)),
        _ => {
            let (layer, part) = name.strip_prefix("model.layers.")?.split_once('.')?;
            let part = part.strip_suffix(".weight")?;
            let (_, input) = NAMES.into_iter().find(|(known, _)| *known == part)?;
            Some((input, layer.parse().ok()?))
        }
    }
}

impl Source for Given<'_> {
    fn numbers(&self, tensor: &Tensor) -> benchbook_models::Result<Vec<f32>> {
        let known = input_of(&tensor.name).filter(|(_, layer)| *layer < self.sizes.layers);
        let Some((input, layer)) = known else {
            let found = "the inputs of the case".to_owned();
            return Err(benchbook_models::Error::Missing { name: tensor.name.clone(), found });
        };
        let count = tensor.count();
        Ok(self.inputs.numbers(input)[layer * count..][..count].to_vec())
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

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn write(&mut self, input: &str, _first: usize, values: &[f32]) -> Result<bool> {
        Ok(self.running.write(input, values))
    }
}

/// Tokens that are made behind a prompt.
struct Making {
    running: Running,
    made: Vec<i32>,
    wanted: usize,
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
            Ok((1..logits.len()).fold(0, |best, token| if logits[token] > logits[best] { token } else { best }))
        })?;
        self.made.push(token as i32);
        Ok(Step { tokens: 1, more: self.made.len() < self.wanted })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let tokens: Vec<i64> = self.made.iter().map(|id| i64::from(*id)).collect();
        Ok(vec![Array::new(vec![tokens.len(), 1], &tokens)])
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
    use benchbook_core::Problem;
    use benchbook_workloads::decoding::PrefillParams;

    use super::*;

    #[test]
    fn why_there_is_no_session_is_what_a_step_says() {
        let params = PrefillParams { prompt: 3, ..PrefillParams::default() };
        let inputs = Prefill::inputs(&params, 1);
        let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
        let mut running = Running::new("test", &setting, &params.sizes(), &inputs, [3, 0]).unwrap();
        running.begin();
        let told = running.with(|_, _, _| Ok(())).unwrap_err().to_string();
        assert!(told.contains("a session of 3 positions, 0 at a time, cannot be"), "{told}");
    }
}
