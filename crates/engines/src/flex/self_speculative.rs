//! Generation in which the first layers of a model guess, and all of them say which guesses are kept (`generate`).

use benchbook_core::{Array, DType, Inputs, Loop, Metric, Result, Row, Setting, Step, Subject};
use benchbook_models::Form;
use benchbook_models::technique::GUESSES;
use benchbook_workloads::decoding::{Generate, GenerateParams};

use super::models::{Making, looping};
use super::row::fused_row;
use super::weight_only::weight_bytes;

/// The technique that it is: the first layers guess for as long as they are sure.
pub const SELF_SPECULATIVE: Row<Generate> = fused_row::<Generate>(
    "self-speculative",
    "as kv-cache, where the first half of the layers guesses up to four tokens by the norm and the head of the model, for as long as the \
     share of a guess is a half; the layers that are left take all of them together, and the first that is not theirs is refused (early exit \
     with self-speculation: LayerSkip, Elhoushi et al., arXiv 2404.16710, of a model that was not trained for it)",
    &[DType::F32],
    prepare,
)
.catalogue(&["AD1", "DE2"])
.on_request();

fn prepare(
    name: &'static str,
    setting: &Setting,
    params: &GenerateParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    Ok(looping(name, setting, &Generate::steps(params), Guessing::of(name, setting, params, inputs)?))
}

/// Tokens behind a prompt, some of which are guessed.
struct Guessing {
    making: Making,
    /// Layers that guess.
    layers: usize,
    /// The last token, and the guesses behind it.
    ids: Vec<i32>,
    /// Guesses so far, and those that were kept.
    guesses: [usize; 2],
}

impl Guessing {
    fn of(name: &'static str, setting: &Setting, params: &GenerateParams, inputs: &Inputs) -> Result<Self> {
        let making = Making::of(name, setting, Form::Plain, params, inputs)?;
        let layers = GUESSES.layers_of(params.layers);
        Ok(Self { making, layers, ids: Vec::with_capacity(1 + GUESSES.most), guesses: [0; 2] })
    }
}

/// The most likely token, the first where several are, and its share.
fn surest(logits: &[f32]) -> (i32, f32) {
    let best = super::decoding::best(logits);
    let sum: f32 = logits.iter().map(|logit| (logit - logits[best]).exp()).sum();
    (best as i32, 1.0 / sum)
}

impl Loop for Guessing {
    fn begin(&mut self) {
        self.making.begin();
        self.guesses = [0; 2];
    }

    fn step(&mut self, values: &mut [f64]) -> Result<Step> {
        let Self { making, layers, ids, guesses } = self;
        let Some(last) = making.made.last().copied() else { return making.step(values) };
        let Making { running, made, wanted } = making;
        // One token is that of all layers.
        let most = GUESSES.most.min(*wanted - made.len() - 1);
        let before = made.len();
        running.with(|decoder, session, _| {
            ids.clear();
            ids.push(last);
            loop {
                session.draft(decoder, ids[ids.len() - 1], *layers)?;
                if ids.len() > most {
                    break;
                }
                let (guess, share) = surest(session.guessed(decoder)?);
                if share < GUESSES.sure {
                    break;
                }
                ids.push(guess);
            }
            let held = session.held();
            let logits = session.verify(decoder)?.chunks_exact(decoder.text().vocabulary);
            for (place, logits) in logits.enumerate() {
                let (own, _) = surest(logits);
                made.push(own);
                if ids.get(place + 1) != Some(&own) {
                    break;
                }
            }
            // The last token that was made is not taken yet.
            session.keep(held + made.len() - before);
            Ok(())
        })?;
        let tokens = made.len() - before;
        guesses[0] += ids.len() - 1;
        guesses[1] += tokens - 1;
        Ok(Step { tokens: tokens as i64, more: made.len() < *wanted })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        self.making.outputs()
    }

    fn metrics(&self) -> Vec<Metric> {
        let ([guessed, kept], (decoder, _)) = (self.guesses, self.making.running.decoder());
        let share = (guessed > 0).then(|| Metric::measured("guesses_kept", kept as f64 / guessed as f64, "share"));
        let known = [weight_bytes(decoder.matrix_bytes()), Metric::measured("guesses", guessed as f64, "count")];
        known.into_iter().chain(share).collect()
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        self.making.write(input, first, values)
    }
}

#[cfg(test)]
mod tests {
    use benchbook_core::Problem as _;

    use super::*;

    #[test]
    fn tokens_are_those_of_all_layers_and_come_several_at_a_time() {
        // Of two tokens the more likely one has a share of a half at least, so that each is guessed, and some of them are wrong.
        let params = GenerateParams { layers: 4, vocabulary: 2, tokens: 24, ..GenerateParams::default() };
        let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
        let mut of_all = [0; 2];
        for seed in 1..=6 {
            let inputs = Generate::inputs(&params, seed);
            let mut plain = Making::of("kv-cache", &setting, Form::Plain, &params, &inputs).unwrap();
            plain.begin();
            while plain.step(&mut []).unwrap().more {}
            let mut guessing = Guessing::of("self-speculative", &setting, &params, &inputs).unwrap();
            // A loop goes back to its beginning.
            for _ in 0..2 {
                guessing.begin();
                let (mut steps, mut tokens) = (0, 0);
                loop {
                    let step = guessing.step(&mut []).unwrap();
                    (steps, tokens) = (steps + 1, tokens + step.tokens);
                    if !step.more {
                        break;
                    }
                }
                assert_eq!(guessing.making.made, plain.made);
                assert_eq!((tokens, steps), (24, 24 - guessing.guesses[1]), "each guess that is kept spares a step");
            }
            let told: Vec<String> = guessing.metrics().into_iter().map(|metric| metric.name).collect();
            assert_eq!(told, ["weight_bytes", "guesses", "guesses_kept"]);
            of_all = [of_all[0] + guessing.guesses[0], of_all[1] + guessing.guesses[1]];
        }
        let [guessed, kept] = of_all;
        assert!(0 < kept && kept < guessed, "{kept} of {guessed}");
    }

    #[test]
    fn the_surest_token_has_its_share() {
        let (token, share) = surest(&[0.0, 2.0_f32.ln(), 0.0]);
        assert!(token == 1 && (share - 0.5).abs() < 1e-6, "{token} {share}");
    }
}
