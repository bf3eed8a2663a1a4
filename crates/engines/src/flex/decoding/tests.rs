//! What is promised to the bit, and what is refused.

use std::sync::Arc;

use benchbook_core::{DType, Implementation, Inputs, Loop, Params, Problem, Setting};
use benchbook_workloads::decoding::{GreedyDecoding, GreedyDecodingParams, SpeculativeDecodingParams};

use super::distilled::{Learned, distilled};
use super::greedy::ids_of;
use super::*;

/// A model, and a text of as many tokens as fit into its context.
fn given() -> (GreedyDecodingParams, Inputs, Arc<Weights>, Vec<usize>) {
    let params = GreedyDecodingParams { layers: 3, prompt: 40, tokens: 3, ..GreedyDecodingParams::default() };
    let inputs = GreedyDecoding::inputs(&params, 1);
    let weights = Weights::of(&params, &inputs);
    let mut text = ids_of(inputs.get("prompt"));
    text.extend([7, 500, 7]);
    (params, inputs, weights, text)
}

fn reader<C: Cache>(weights: &Arc<Weights>, text: impl Fn() -> C + 'static, chunk: usize) -> Reader<Gpt2<C>> {
    Reader::new(Gpt2::new(weights, 3, text), chunk)
}

/// The bits of the logits after each of the last `wanted` tokens.
fn bits<M: Model>(reader: &mut Reader<M>, text: &[usize], wanted: usize) -> Vec<u32> {
    reader.logits(text, wanted).unwrap().iter().map(|logit| logit.to_bits()).collect()
}

fn who() -> Who {
    Who::new("test", &Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 })
}

#[test]
fn how_many_positions_a_pass_has_changes_no_bit() {
    let (params, _, weights, text) = given();
    let whole = bits(&mut reader(&weights, contiguous(&params, &weights), usize::MAX), &text, 9);
    let vocabulary = params.vocabulary;
    // A token at a time, as in decoding; and guesses of γ tokens that are checked together.
    for wanted in [1, 2, 5] {
        let mut reader = reader(&weights, contiguous(&params, &weights), usize::MAX);
        bits(&mut reader, &text[..text.len() - 9], 1);
        let mut after = Vec::new();
        for end in (text.len() - 9 + wanted..=text.len()).step_by(wanted) {
            after.extend(bits(&mut reader, &text[..end], wanted));
        }
        assert!(!after.is_empty() && after[..] == whole[..after.len()], "γ + 1 = {wanted}");
    }
    for chunk in [1, 7, 32] {
        let mut chunked = reader(&weights, contiguous(&params, &weights), chunk);
        assert_eq!(bits(&mut chunked, &text, 9), whole, "chunks of {chunk}");
    }
    for page in [1, 16, 64] {
        let pages = numbers(&params, &weights, 3, move |room| Places::pages(page, room));
        assert_eq!(bits(&mut reader(&weights, pages, usize::MAX), &text, 9), whole, "pages of {page}");
    }
    let wide = numbers(&params, &weights, 3, |_| Places::Ring { sinks: 4, window: 39 });
    assert_eq!(bits(&mut reader(&weights, wide, usize::MAX), &text, 9), whole, "nothing is evicted");
    let narrow = numbers(&params, &weights, 3, |_| Places::Ring { sinks: 4, window: 9 });
    assert_ne!(bits(&mut reader(&weights, narrow, usize::MAX), &text, 9), whole);
    assert_eq!(whole.len(), 9 * vocabulary);
}

#[test]
fn a_prefix_that_is_hit_is_a_miss_to_the_bit() {
    let (params, _, weights, text) = given();
    let mut hit = reader(&weights, contiguous(&params, &weights), usize::MAX);
    let mut other = text.clone();
    other[30..].iter_mut().for_each(|id| *id = (*id + 1) % params.vocabulary);
    bits(&mut hit, &other, 1);
    hit.keep(30).unwrap();
    let mut miss = reader(&weights, contiguous(&params, &weights), usize::MAX);
    assert_eq!(bits(&mut hit, &text, 13), bits(&mut miss, &text, 13));
    // What was kept of another beginning is not believed.
    let mut wrong = reader(&weights, contiguous(&params, &weights), usize::MAX);
    other[0] = (other[0] + 1) % params.vocabulary;
    bits(&mut wrong, &other, 1);
    wrong.keep(30).unwrap();
    assert_eq!(bits(&mut wrong, &text, 13), bits(&mut miss, &text, 13));
}

/// Guesses what its model finds least likely.
struct Contrary<M: Model>(Reader<M>);

impl<M: Model> Draft for Contrary<M> {
    fn begin(&mut self) -> benchbook_simd::Result<()> {
        self.0.keep(0)
    }

    fn guess(&mut self, text: &mut Vec<usize>, most: usize) -> benchbook_simd::Result<()> {
        for _ in 0..most {
            let negated: Vec<f32> = self.0.logits(text, 1)?.iter().map(|logit| -logit).collect();
            text.push(best(&negated));
        }
        Ok(())
    }
}

/// Tokens after a prompt of nine, and how many were accepted and drafted.
fn spoken<D: Draft>(draft: D) -> (Vec<usize>, [f64; 2]) {
    let (params, _, weights, text) = given();
    let reader = reader(&weights, contiguous(&params, &weights), usize::MAX);
    let (prompt, tokens) = (text[..9].to_vec(), 30);
    let mut looped = Speculative { who: who(), reader, draft, guesses: 4, prompt, tokens, ids: Vec::new() };
    let (mut counts, mut values) = ([0.0, 0.0], [0.0, 0.0]);
    looped.begin();
    while looped.step(&mut values).unwrap().more {
        counts = [counts[0] + values[0], counts[1] + values[1]];
    }
    (looped.ids.split_off(9), [counts[0] + values[0], counts[1] + values[1]])
}

#[test]
fn guesses_change_no_token_whether_they_are_never_right_or_always() {
    let (params, _, weights, _) = given();
    let whole = |depth: usize| Reader::new(Gpt2::new(&weights, depth, contiguous(&params, &weights)), usize::MAX);
    let (alone, none) = spoken(Alone);
    assert_eq!((alone.len(), none), (30, [0.0, 0.0]));
    let (tokens, [accepted, drafted]) = spoken(Contrary(whole(3)));
    assert!(tokens == alone && accepted == 0.0 && drafted > 100.0, "{accepted} of {drafted}");
    let (tokens, [accepted, drafted]) = spoken(Smaller(whole(3)));
    // A first token, five steps of five, and one of four.
    assert_eq!((tokens, accepted, drafted), (alone.clone(), 23.0, 23.0));
    assert_eq!(spoken(Smaller(whole(1))).0, alone);
    assert_eq!(spoken(Lookup { longest: 3 }).0, alone);
}

#[test]
fn a_distilled_draft_changes_no_token_and_is_nearer_to_its_model() {
    let (params, _, weights, _) = given();
    let GreedyDecodingParams { layers, heads, width, vocabulary, twins, .. } = params;
    let (prompt, tokens, draft_layers, guesses) = (9, 30, 1, 4);
    let case =
        SpeculativeDecodingParams { layers, heads, width, vocabulary, prompt, tokens, draft_layers, guesses, twins };
    let own = distilled(&weights, &case).unwrap();
    let draft = Reader::new(Gpt2::new(&own, draft_layers, contiguous(&params, &own)), usize::MAX);
    assert_eq!(spoken(Smaller(draft)).0, spoken(Alone).0);
    // On texts that it has not learned from.
    let [learned, others] =
        [(48, 1), (12, 2)].map(|(texts, seed)| Learned::of(&weights, &case, [texts, seed]).unwrap());
    let plain: Vec<f32> = (0..width * width).map(|at| if at % (width + 1) == 0 { 1.0 } else { 0.0 }).collect();
    let [before, after] = [plain, learned.fitted(width)].map(|between| others.left(&between, width));
    assert!(after < before, "{after} {before}");
}

#[track_caller]
fn refused(answer: benchbook_simd::Result<&[f32]>, said: &str) {
    let error = answer.unwrap_err().to_string();
    assert!(error.contains(said), "{error}");
}

#[test]
fn what_cannot_be_read_is_refused_and_changes_nothing() {
    let (params, _, weights, text) = given();
    let mut reader = reader(&weights, contiguous(&params, &weights), 8);
    refused(reader.logits(&[], 1), "give a longer prompt");
    refused(reader.logits(&[], 0), "give a longer prompt");
    refused(reader.logits(&[1, 512], 1), "token 512 is none of 512");
    let before = bits(&mut reader, &text, 1);
    let long = [&text[..], &[1]].concat();
    refused(reader.logits(&long, 1), "after 43 positions: the context has room for 43");
    assert_eq!(bits(&mut reader, &text, 1), before);
    let mut model = Gpt2::new(&weights, 3, contiguous(&params, &weights));
    let mut texts = [model.text()];
    let part = Part { text: 0, tokens: &[], wanted: 0 };
    refused(model.pass(&mut texts, &[part]), "give a prompt of one at least");
    refused(model.pass(&mut texts, &[Part { tokens: &[1], wanted: 2, ..part }]), "logits after 2 of 1");
    let mut ring = numbers(&params, &weights, 3, |_| Places::Ring { sinks: 1, window: 4 })();
    ring.advance(6);
    assert!(ring.truncate(3).unwrap_err().to_string().contains("evicted"));
    assert!(ring.truncate(6).is_ok() && ring.truncate(0).is_ok());
}

#[test]
fn room_is_taken_by_the_first_loop_and_for_one_layer_where_nothing_is_kept() {
    let (params, inputs, weights, _) = given();
    let mut made = Vec::new();
    for (text, layers) in [(true, 3), (false, 1)] {
        let reader = reader(&weights, numbers(&params, &weights, layers, |_| Places::Contiguous), usize::MAX);
        let (keeps, prompt, tokens) = (Keeps { text, prefix: 0 }, ids_of(inputs.get("prompt")), params.tokens);
        let (prefix, ids, told) = (Vec::new(), Vec::new(), Vec::new());
        let mut greedy = Greedy { who: who(), reader, keeps, prefix, prompt, tokens, ids, told };
        assert_eq!(greedy.reader.bytes(), 0);
        for _ in 0..2 {
            greedy.begin();
            while greedy.step(&mut []).unwrap().more {}
        }
        assert_eq!(greedy.reader.bytes(), layers * 2 * 43 * params.width * 4);
        made.push(greedy.outputs().unwrap());
    }
    assert_eq!(made[0], made[1]);
}

#[test]
fn a_loop_tells_what_its_tokens_read_of_the_matrices() {
    let (params, inputs, weights, _) = given();
    let GreedyDecodingParams { layers, width, vocabulary, tokens, .. } = params;
    // Queries, keys and values, what brings them together, and four times as wide to and fro; and logits.
    let bytes = 4 * width * (12 * layers * width + vocabulary);
    assert_eq!(weights.matrix_bytes(layers), bytes);
    assert_eq!(weights.matrix_bytes(1), bytes - 4 * 12 * (layers - 1) * width * width);
    let case = [("layers", 3_i64), ("prompt", 40), ("tokens", 3)];
    let case = case.into_iter().fold(Params::default(), |case, (name, size)| case.with(name, size.into()));
    let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
    let told = GREEDY[0].prepare(&setting, &case, &inputs).unwrap().metrics();
    let value = |name: &str| told.iter().find(|metric| metric.name == name).map(|metric| metric.value);
    assert_eq!(value("weight_bytes"), Some(bytes as f64));
    assert_eq!(value("own_bytes"), Some((tokens * bytes) as f64));
    assert_eq!(value("cache_bytes"), Some(0.0), "nothing was read yet");
}
