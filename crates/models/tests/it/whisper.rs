//! The half of Whisper that writes, beside plain loops and Transformers (`fixtures/make_hearing.py`) in `f64`, and what is promised of it.

use benchbook_models::weights::{Seeded, Source};
use benchbook_models::{AudioEncoder, AudioRoom, Decoder, Description, Error, Form, MOST_STEP, Plan, Session, named};
use serde_json::Value;

use super::numbers;

const MODEL: &str = r#"
name = "tiny whisper"
source = "made up"
parameters = 1

[text]
architecture = "whisper"
layers = 2
heads = 2
kv_heads = 2
head_dim = 9
width = 18
hidden = 35
vocabulary = 53
context = 24
tied = true
epsilon = 1e-5

[audio]
layers = 1
heads = 2
width = 18
hidden = 35
bins = 5
positions = 9
"#;

const SEEDED: Seeded = Seeded { seed: 23 };

type Rows = Vec<Vec<f64>>;

fn model() -> Description {
    Description::parse(MODEL).unwrap()
}

/// What was heard: seven positions.
fn heard() -> Vec<f32> {
    (0..7 * 18).map(|at| ((at * at * 5 + at * 3) % 19) as f32 / 9.0 - 1.0).collect()
}

fn ids() -> Vec<i32> {
    (0..19).map(|place| (5 * place * place + 11 * place + 2) % 53).collect()
}

/// The model by plain loops.
struct Plain(Description);

impl Plain {
    /// The numbers of a tensor, none where there is no such one.
    fn numbers(&self, name: &str) -> Vec<f64> {
        let tensor = self.0.tensors().into_iter().find(|tensor| tensor.name == name);
        let numbers = tensor.map(|tensor| SEEDED.numbers(&tensor).unwrap()).unwrap_or_default();
        numbers.into_iter().map(f64::from).collect()
    }

    fn table(&self, name: &str, row: usize) -> Vec<f64> {
        self.numbers(name)[row * 18..][..18].to_vec()
    }

    fn linear(&self, name: &str, rows: &[Vec<f64>]) -> Rows {
        let [weight, bias] = ["weight", "bias"].map(|part| self.numbers(&format!("{name}.{part}")));
        let inner = rows[0].len();
        let one = |x: &Vec<f64>| -> Vec<f64> {
            let sum = |(outer, row): (usize, &[f64])| dot(x, row) + bias.get(outer).copied().unwrap_or(0.0);
            weight.chunks_exact(inner).enumerate().map(sum).collect()
        };
        rows.iter().map(one).collect()
    }

    fn norm(&self, name: &str, rows: &[Vec<f64>]) -> Rows {
        let [gain, bias] = ["weight", "bias"].map(|part| self.numbers(&format!("{name}.{part}")));
        let one = |x: &Vec<f64>| -> Vec<f64> {
            let mean = x.iter().sum::<f64>() / 18.0;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 18.0;
            let scale = 1.0 / (variance + 1e-5).sqrt();
            x.iter().zip(gain.iter().zip(&bias)).map(|(x, (gain, bias))| (x - mean) * scale * gain + bias).collect()
        };
        rows.iter().map(one).collect()
    }

    /// What attention adds: each position of the text sees itself and those before, or all that was heard.
    fn attention(&self, at: &str, seen: &[Vec<f64>], about: Option<&[Vec<f64>]>) -> Rows {
        let from = about.unwrap_or(seen);
        let query = self.linear(&format!("{at}.q_proj"), seen);
        let [key, value] = ["k_proj", "v_proj"].map(|name| self.linear(&format!("{at}.{name}"), from));
        let one = |(place, query): (usize, &Vec<f64>)| -> Vec<f64> {
            let sees = if about.is_some() { from.len() } else { place + 1 };
            let of_head = |head: usize| -> Vec<f64> {
                let part = head * 9..head * 9 + 9;
                let scores: Vec<f64> =
                    (0..sees).map(|j| (dot(&query[part.clone()], &key[j][part.clone()]) / 3.0).exp()).collect();
                let total: f64 = scores.iter().sum();
                part.map(|at| (0..sees).map(|j| scores[j] / total * value[j][at]).sum()).collect()
            };
            (0..2).flat_map(of_head).collect()
        };
        let mixed: Rows = query.iter().enumerate().map(one).collect();
        self.linear(&format!("{at}.out_proj"), &mixed)
    }

    /// Logits behind each token.
    fn logits(&self, ids: &[i32], heard: &[f32]) -> Rows {
        let about: Rows = heard.chunks_exact(18).map(|row| row.iter().map(|x| f64::from(*x)).collect()).collect();
        let below = "model.decoder";
        let mut stream: Rows = ids
            .iter()
            .enumerate()
            .map(|(place, id)| {
                let mut row = self.table(&format!("{below}.embed_tokens.weight"), *id as usize);
                add(&mut row, &self.table(&format!("{below}.embed_positions.weight"), place));
                row
            })
            .collect();
        for layer in 0..2 {
            let at = |name: &str| format!("{below}.layers.{layer}.{name}");
            let seen = self.norm(&at("self_attn_layer_norm"), &stream);
            let own = self.attention(&at("self_attn"), &seen, None);
            stream.iter_mut().zip(&own).for_each(|(row, own)| add(row, own));
            let seen = self.norm(&at("encoder_attn_layer_norm"), &stream);
            let others = self.attention(&at("encoder_attn"), &seen, Some(&about));
            stream.iter_mut().zip(&others).for_each(|(row, others)| add(row, others));
            let mut wide = self.linear(&at("fc1"), &self.norm(&at("final_layer_norm"), &stream));
            wide.iter_mut().flatten().for_each(|x| *x *= 0.5 * (1.0 + erf(*x / 2.0_f64.sqrt())));
            let fed = self.linear(&at("fc2"), &wide);
            stream.iter_mut().zip(&fed).for_each(|(row, fed)| add(row, fed));
        }
        let last = self.norm(&format!("{below}.layer_norm"), &stream);
        self.linear(&format!("{below}.embed_tokens"), &last)
    }
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

fn add(to: &mut [f64], other: &[f64]) {
    to.iter_mut().zip(other).for_each(|(to, other)| *to += other);
}

/// The error function by its series (Abramowitz & Stegun, *Handbook of Mathematical Functions*, 7.1.6).
fn erf(x: f64) -> f64 {
    let (mut sum, mut term) = (0.0, x);
    for n in 0..200 {
        sum += term;
        term *= 2.0 * x * x / (2.0 * f64::from(n) + 3.0);
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// The largest difference, as a share of the largest number.
fn off(found: &[f32], wanted: &[f64]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    let largest = wanted.iter().fold(0.0_f64, |most, number| most.max(number.abs()));
    let differences = found.iter().zip(wanted).map(|(found, wanted)| (f64::from(*found) - wanted).abs());
    differences.fold(0.0, f64::max) / largest
}

#[test]
fn logits_are_those_of_plain_loops_however_a_text_is_taken() {
    let (decoder, ids) = (Decoder::load(&model(), &SEEDED, 24).unwrap(), ids());
    let right = Plain(model()).logits(&ids, &heard());
    let mut session = Session::new(&decoder, 24, 5).unwrap();
    for given in [3, 7, 13] {
        session.hear(&decoder, &heard()).unwrap();
        let found = off(session.prefill(&decoder, &ids[..given]).unwrap(), &right[given - 1]);
        assert!(found < 1e-5, "behind {given}: {found}");
        let rest = ids.len().min(given + MOST_STEP);
        let found = off(session.step(&decoder, &ids[given..rest]).unwrap(), &right[given..rest].concat());
        assert!(found < 1e-5, "after {given}: {found}");
    }
}

#[test]
fn logits_about_a_sound_are_those_of_transformers() {
    let all: Value = serde_json::from_str(include_str!("../../fixtures/hearing.json")).unwrap();
    let model = Description::parse(all["model"].as_str().unwrap()).unwrap();
    let seeded = Seeded { seed: all["seed"].as_u64().unwrap() };
    let encoder = AudioEncoder::load(&model, &seeded).unwrap();
    let decoder = Decoder::load(&model, &seeded, usize::MAX).unwrap();
    let mel: Vec<f32> = numbers(&all["mel"]).into_iter().map(|number| number as f32).collect();
    let ids: Vec<i32> = numbers(&all["ids"]).into_iter().map(|id| id as i32).collect();
    let mut room = AudioRoom::default();
    let heard = encoder.hidden(&mut room, &mel, 1).unwrap();
    let found = off(heard, &numbers(&all["heard"]));
    assert!(found < 1e-5, "what was heard: {found}");
    // Behind each of the last tokens.
    let wanted = numbers(&all["logits"]);
    let first = ids.len() + 1 - wanted.len() / model.text.vocabulary;
    for chunk in [4, 24] {
        let mut session = Session::new(&decoder, 24, chunk).unwrap();
        session.hear(&decoder, heard).unwrap();
        let before = session.prefill(&decoder, &ids[..first]).unwrap().to_vec();
        let behind = session.step(&decoder, &ids[first..]).unwrap();
        let found = off(&[&before[..], behind].concat(), &wanted);
        assert!(found < 1e-5, "chunk {chunk}: {found}");
    }
}

#[test]
fn a_token_has_the_same_bits_in_any_company() {
    for plan in [Plan::default(), Plan::of(Form::Bf16)] {
        let (decoder, ids) = (Decoder::planned(&model(), &SEEDED, 24, &plan).unwrap(), ids());
        let [mut alone, mut together] = [(); 2].map(|()| Session::new(&decoder, 24, 5).unwrap());
        alone.hear(&decoder, &heard()).unwrap();
        together.hear(&decoder, &heard()).unwrap();
        let joint = together.step(&decoder, &ids[..11]).unwrap().to_vec();
        for (id, wanted) in ids[..11].iter().zip(joint.chunks_exact(53)) {
            assert_eq!(alone.step(&decoder, &[*id]).unwrap(), wanted);
        }
    }
}

#[test]
fn matrices_of_bf16_are_near_and_fewer_bytes() {
    let plain = Decoder::load(&model(), &SEEDED, 24).unwrap();
    let half = Decoder::planned(&model(), &SEEDED, 24, &Plan::of(Form::Bf16)).unwrap();
    assert!(half.matrix_bytes() < plain.matrix_bytes());
    let logits = |decoder: &Decoder| {
        let mut session = Session::new(decoder, 24, 24).unwrap();
        session.hear(decoder, &heard()).unwrap();
        session.prefill(decoder, &ids()).unwrap().to_vec()
    };
    let wanted: Vec<f64> = logits(&plain).into_iter().map(f64::from).collect();
    // Each weight is off by 2⁻⁹ of itself at most.
    let found = off(&logits(&half), &wanted);
    assert!(found > 1e-5 && found < 0.05, "{found}");
}

#[test]
fn what_is_heard_begins_a_text_and_changes_it() {
    let decoder = Decoder::load(&model(), &SEEDED, 24).unwrap();
    let mut session = Session::new(&decoder, 24, 24).unwrap();
    let told = |session: &mut Session, ids: &[i32]| session.step(&decoder, ids).unwrap_err().to_string();
    assert!(told(&mut session, &[1]).contains("nothing was heard yet"));
    session.hear(&decoder, &heard()).unwrap();
    let first = session.step(&decoder, &[1, 2]).unwrap().to_vec();
    // Fewer positions, of something else: nothing is left of what was heard before.
    let other: Vec<f32> = heard()[..3 * 18].iter().map(|x| -x).collect();
    session.hear(&decoder, &other).unwrap();
    assert_eq!(session.held(), 0);
    let second = session.step(&decoder, &[1, 2]).unwrap().to_vec();
    assert!(first.iter().zip(&second).any(|(one, other)| (one - other).abs() > 1e-3));
    let right = Plain(model()).logits(&[1, 2], &other);
    assert!(off(&second, &right.concat()) < 1e-5);
}

#[test]
fn what_cannot_be_heard_is_refused() {
    let decoder = Decoder::load(&model(), &SEEDED, 24).unwrap();
    let mut session = Session::new(&decoder, 24, 24).unwrap();
    assert!(matches!(session.hear(&decoder, &[]), Err(Error::EmptyPrompt)));
    let said = session.hear(&decoder, &heard()[1..]).unwrap_err().to_string();
    assert!(said.contains("no positions of 18"), "{said}");
    assert!(Session::new(&decoder, 25, 24).is_err(), "more positions than it has learned");
    let mut short = named("gpt2-124m").unwrap();
    (short.text.layers, short.text.vocabulary, short.text.context) = (1, 7, 4);
    let deaf = Decoder::load(&short, &SEEDED, 4).unwrap();
    let said = Session::new(&deaf, 4, 4).unwrap().hear(&deaf, &heard()).unwrap_err().to_string();
    assert!(said.contains("does not listen"), "{said}");
}
