//! Decoders beside Transformers in `f64` (`fixtures/make_decoders.py`), and what is promised of a session.

use benchbook_models::compress::Scheme;
use benchbook_models::weights::{Safetensors, Seeded, Source};
use benchbook_models::{
    Decoder, Description, Error, Form, Forms, Keeps, MOST_STEP, Plan, Result, Session, Tensor, Text, named,
};
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::Value;

/// A tiny model, tokens, and logits behind some of them.
struct Case {
    model: Description,
    seeded: Seeded,
    decoder: Decoder,
    ids: Vec<i32>,
    /// A row, and its logits `[vocabulary]`.
    rows: Vec<(usize, Vec<f64>)>,
}

fn cases() -> Vec<Case> {
    let all: Value = serde_json::from_str(include_str!("../../fixtures/decoders.json")).unwrap();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let of = |case: &Value| {
        let model = Description::parse(case["model"].as_str().unwrap()).unwrap();
        let seeded = Seeded { seed: case["seed"].as_u64().unwrap() };
        let numbers = |row: &Value| list(row).iter().map(|number| number.as_f64().unwrap()).collect();
        let rows = list(&case["rows"]).iter().map(|row| row.as_u64().unwrap() as usize).collect::<Vec<usize>>();
        Case {
            decoder: Decoder::load(&model, &seeded, usize::MAX).unwrap(),
            model,
            seeded,
            ids: list(&case["ids"]).iter().map(|id| id.as_i64().unwrap() as i32).collect(),
            rows: rows.into_iter().zip(list(&case["logits"]).iter().map(numbers)).collect(),
        }
    };
    list(&all).iter().map(of).collect()
}

/// The largest difference, as a share of the largest logit.
fn off(found: &[f32], wanted: &[f64]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    let largest = wanted.iter().fold(0.0_f64, |most, logit| most.max(logit.abs()));
    let differences = found.iter().zip(wanted).map(|(found, wanted)| (f64::from(*found) - wanted).abs());
    differences.fold(0.0, f64::max) / largest
}

#[test]
fn logits_are_those_of_transformers_however_a_prompt_is_taken() {
    let cases = cases();
    assert_eq!(cases.len(), 5);
    for Case { model, decoder, ids, rows, .. } in &cases {
        for (row, wanted) in rows {
            for chunk in [1, 5, 23, 64] {
                let mut session = Session::new(decoder, 31, chunk).unwrap();
                let found = off(session.prefill(decoder, &ids[..=*row]).unwrap(), wanted);
                assert!(found < 1e-5, "{} row {row} chunk {chunk}: {found}", model.name);
            }
        }
        let mut session = Session::new(decoder, ids.len(), 8).unwrap();
        let mut known = rows.iter();
        let mut next = known.next();
        for (place, id) in ids.iter().enumerate() {
            let logits = session.step(decoder, &[*id]).unwrap();
            if let Some((_, wanted)) = next.filter(|(row, _)| *row == place) {
                assert!(off(logits, wanted) < 1e-5, "{} step {place}", model.name);
                next = known.next();
            }
        }
        assert!(next.is_none());
    }
}

#[test]
fn a_token_has_the_same_bits_alone_and_with_others() {
    for Case { decoder, ids, .. } in cases() {
        let vocabulary = decoder.text().vocabulary;
        let mut alone = Session::new(&decoder, 30, 4).unwrap();
        let mut together = Session::new(&decoder, 30, 4).unwrap();
        alone.prefill(&decoder, &ids[..7]).unwrap();
        together.prefill(&decoder, &ids[..7]).unwrap();
        let joint = together.step(&decoder, &ids[7..12]).unwrap().to_vec();
        for (id, wanted) in ids[7..12].iter().zip(joint.chunks_exact(vocabulary)) {
            assert_eq!(alone.step(&decoder, &[*id]).unwrap(), wanted);
        }
        // A draft of which two tokens are refused leaves nothing behind.
        together.keep(10);
        assert_eq!(together.held(), 10);
        let again = together.step(&decoder, &ids[10..12]).unwrap();
        assert_eq!(again, &joint[3 * vocabulary..]);
    }
}

#[test]
fn what_first_layers_have_drafted_the_others_verify_to_the_same_bits() {
    for Case { decoder, ids, .. } in cases() {
        let (vocabulary, layers) = (decoder.text().vocabulary, decoder.text().layers);
        for shallow in 1..=layers {
            let mut alone = Session::new(&decoder, 30, 4).unwrap();
            let mut drafting = Session::new(&decoder, 30, 4).unwrap();
            alone.prefill(&decoder, &ids[..7]).unwrap();
            drafting.prefill(&decoder, &ids[..7]).unwrap();
            for id in &ids[7..11] {
                drafting.draft(&decoder, *id, shallow).unwrap();
            }
            let guess = drafting.guessed(&decoder).unwrap().to_vec();
            assert_eq!(drafting.held(), 7, "what was drafted is not held yet");
            let verified = drafting.verify(&decoder).unwrap().to_vec();
            assert_eq!((drafting.held(), drafting.depths()), (11, &[layers; 11][..]));
            for (id, verified) in ids[7..11].iter().zip(verified.chunks_exact(vocabulary)) {
                assert_eq!(alone.step(&decoder, &[*id]).unwrap(), verified);
            }
            assert_eq!(guess == verified[3 * vocabulary..], shallow == layers, "of all layers it is no guess");
            // Refused ones leave nothing behind, whether they were verified or not.
            drafting.keep(9);
            drafting.draft(&decoder, ids[3], shallow).unwrap();
            drafting.keep(9);
            drafting.draft(&decoder, ids[9], shallow).unwrap();
            assert_eq!(drafting.verify(&decoder).unwrap(), &verified[2 * vocabulary..3 * vocabulary]);
        }
    }
}

#[test]
fn a_draft_that_cannot_be_says_what_to_do() {
    let Case { decoder, ids, .. } = cases().swap_remove(0);
    let mut session = Session::new(&decoder, 30, 4).unwrap();
    let layers = decoder.text().layers;
    for strange in [0, layers + 1] {
        assert!(session.draft(&decoder, 1, strange).unwrap_err().to_string().contains("as many each time"));
    }
    assert!(session.guessed(&decoder).unwrap_err().to_string().contains("draft first"));
    assert!(session.verify(&decoder).unwrap_err().to_string().contains("draft first"));
    for id in &ids[..MOST_STEP] {
        session.draft(&decoder, *id, 1).unwrap();
    }
    assert!(session.draft(&decoder, 1, 1).unwrap_err().to_string().contains("verify these first"));
    for refused in
        [session.step(&decoder, &[1]).map(<[f32]>::to_vec), session.prefill(&decoder, &[1]).map(<[f32]>::to_vec)]
    {
        assert!(refused.unwrap_err().to_string().contains("16 tokens were drafted"));
    }
    session.keep(0);
    assert!(session.step(&decoder, &[1]).is_ok());
    let mut short = Session::new(&decoder, 2, 2).unwrap();
    short.draft(&decoder, 1, 1).unwrap();
    short.draft(&decoder, 1, 1).unwrap();
    assert!(matches!(short.draft(&decoder, 1, 1), Err(Error::Full { asked: 1, held: 2, room: 2 })));
}

#[test]
fn what_cannot_be_taken_is_refused_and_nothing_is_lost() {
    for Case { decoder, ids, .. } in cases() {
        let mut session = Session::new(&decoder, 9, 4).unwrap();
        let before = session.prefill(&decoder, &ids[..8]).unwrap().to_vec();
        assert!(matches!(session.prefill(&decoder, &[]), Err(Error::EmptyPrompt)));
        assert!(matches!(session.step(&decoder, &[]), Err(Error::EmptyPrompt)));
        let full = session.prefill(&decoder, &ids[8..10]).unwrap_err();
        assert!(matches!(full, Error::Full { asked: 2, held: 8, room: 9 }), "{full}");
        let vocabulary = decoder.text().vocabulary;
        for id in [-1, vocabulary as i32] {
            let strange = session.step(&decoder, &[id]).unwrap_err();
            assert!(matches!(strange, Error::Token { .. }) && strange.to_string().contains("tokenizer"), "{strange}");
        }
        assert_eq!(session.held(), 8);
        session.keep(7);
        assert!(
            off(
                session.step(&decoder, &ids[7..8]).unwrap(),
                &before.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>()
            ) < 1e-5
        );
        session.keep(0);
        assert_eq!(session.prefill(&decoder, &ids[..8]).unwrap(), before);
        let context = decoder.text().context;
        for (room, chunk) in [(0, 1), (1, 0), (context + 1, 1)] {
            assert!(Session::new(&decoder, room, chunk).unwrap_err().to_string().contains("cannot be"));
        }
        let mut wide = Session::new(&decoder, 20, 4).unwrap();
        let message = wide.step(&decoder, &[1; MOST_STEP + 1]).unwrap_err().to_string();
        assert!(message.contains("a step of 17 tokens"), "{message}");
    }
}

#[test]
fn what_a_window_has_overwritten_is_not_gone_back_to() {
    let Case { model, seeded, ids, .. } = cases().swap_remove(0);
    let plan = Plan { keeps: Keeps { window: Some([1, 3]), bits: None }, ..Plan::default() };
    let decoder = Decoder::planned(&model, &seeded, usize::MAX, &plan).unwrap();
    let mut session = Session::new(&decoder, 12, 4).unwrap();
    let before = session.prefill(&decoder, &ids[..6]).unwrap().to_vec();
    assert_eq!((session.held(), session.rows()), (6, 4));
    // The query of position 4 would see position 2, whose row position 5 has.
    session.keep(4);
    let said = session.step(&decoder, &ids[4..5]).unwrap_err().to_string();
    assert!(said.contains("overwritten by its window"), "{said}");
    assert!(session.prefill(&decoder, &ids[4..6]).is_err(), "and it stays so");
    session.keep(0);
    assert_eq!(session.prefill(&decoder, &ids[..6]).unwrap(), before);
    // Where nothing was overwritten yet, it can be gone back.
    session.keep(0);
    session.take(&decoder, &ids[..4]).unwrap();
    session.keep(3);
    assert!(session.step(&decoder, &ids[3..4]).is_ok());
}

#[test]
fn weights_of_a_file_give_the_same_bits() {
    for Case { model, seeded, decoder, ids, .. } in cases() {
        let tensors = model.tensors();
        let bytes = |tensor: &Tensor| -> Vec<u8> {
            seeded.numbers(tensor).unwrap().iter().flat_map(|number| number.to_le_bytes()).collect()
        };
        let numbers: Vec<Vec<u8>> = tensors.iter().map(bytes).collect();
        let views = tensors.iter().zip(&numbers).map(|(tensor, numbers)| {
            (tensor.name.as_str(), TensorView::new(Dtype::F32, tensor.shape.clone(), numbers).unwrap())
        });
        let file = Safetensors::of(serialize(views, None).unwrap()).unwrap();
        let read = Decoder::load(&model, &file, usize::MAX).unwrap();
        let mut sessions = [&decoder, &read].map(|decoder| Session::new(decoder, 31, 8).unwrap());
        let [drawn, from_file] = &mut sessions;
        assert_eq!(drawn.prefill(&decoder, &ids).unwrap(), from_file.prefill(&read, &ids).unwrap());
        // A GLM has one block more than its layers.
        let other = model.with_layers(model.text.layers + 2);
        let refused = Decoder::load(&other, &file, usize::MAX).unwrap_err();
        assert!(matches!(refused, Error::Missing { .. }), "{refused}");
    }
}

/// Weights of which one has a number too few.
struct Short;

impl Source for Short {
    fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        let mut numbers = Seeded { seed: 1 }.numbers(tensor)?;
        if tensor.name.ends_with("down_proj.weight") || tensor.name.ends_with("c_proj.bias") {
            numbers.pop();
        }
        Ok(numbers)
    }
}

#[test]
fn models_that_are_no_dense_decoders_and_short_weights_are_refused() {
    let refused = Decoder::load(&named("bert-base").unwrap(), &Seeded { seed: 1 }, 8).unwrap_err();
    assert!(matches!(refused, Error::NotBuilt(_)), "{refused}");
    for Case { decoder, .. } in cases() {
        let text = decoder.text().clone();
        let model = Description { text, ..named("gpt2-124m").unwrap() };
        let refused = Decoder::load(&model, &Short, 8).unwrap_err();
        assert!(matches!(refused, Error::Shape { .. }), "{refused}");
    }
}

/// Weights whose matrices of products were rounded before.
struct Rounded(Seeded, Form);

impl Source for Rounded {
    fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        let numbers = self.0.numbers(tensor)?;
        match *tensor.shape {
            [outer, inner] if !tensor.name.contains("embed") => self.1.stands_for_rows(&numbers, [outer, inner]),
            _ => Ok(numbers),
        }
    }
}

#[test]
fn matrices_of_few_bits_are_what_their_codes_stand_for() {
    // The one whose head is no embedding.
    let Case { model, seeded, decoder, ids, .. } = cases().swap_remove(1);
    let logits = |decoder: &Decoder| {
        let mut session = Session::new(decoder, 31, 31).unwrap();
        let first = session.prefill(decoder, &ids[..18]).unwrap().to_vec();
        [first, session.step(decoder, &ids[18..]).unwrap().to_vec()].concat()
    };
    let plain: Vec<f64> = logits(&decoder).into_iter().map(f64::from).collect();
    let mut last = decoder.matrix_bytes();
    for form in [Form::Bf16, Form::Coded(Scheme::Int8G32), Form::Coded(Scheme::Int4G32)] {
        let coded = Decoder::planned(&model, &seeded, usize::MAX, &Plan::of(form)).unwrap();
        let rounded = Decoder::load(&model, &Rounded(seeded, form), usize::MAX).unwrap();
        let right: Vec<f64> = logits(&rounded).into_iter().map(f64::from).collect();
        let found = logits(&coded);
        assert!(off(&found, &right) < 1e-5 && off(&found, &plain) > 1e-4, "{form:?}");
        assert!(coded.matrix_bytes() < last, "{form:?}");
        last = coded.matrix_bytes();
        // A step of several tokens is as several steps.
        let mut sessions = [(); 2].map(|()| Session::new(&coded, 31, 8).unwrap());
        let [alone, together] = &mut sessions;
        let joint = together.step(&coded, &ids[..11]).unwrap().to_vec();
        for (id, wanted) in ids[..11].iter().zip(joint.chunks_exact(model.text.vocabulary)) {
            assert_eq!(alone.step(&coded, &[*id]).unwrap(), wanted);
        }
    }
}

/// Weights of a model whose head is the embedding, as of one that has it apart, in a form.
struct Apart<'a>(&'a Description, Seeded, Form);

impl Source for Apart<'_> {
    fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        let Self(model, seeded, form) = self;
        if tensor.name != "lm_head.weight" {
            return seeded.numbers(tensor);
        }
        let size = [model.text.vocabulary, model.text.width];
        let embedding = model.tensors().into_iter().find(|tensor| tensor.shape == size).unwrap();
        form.stands_for_rows(&seeded.numbers(&embedding)?, size)
    }
}

#[test]
fn a_head_that_is_the_embedding_has_few_bits_and_tokens_come_in_by_all() {
    let form = Form::Coded(Scheme::Int4G32);
    let tied: Vec<Case> = cases().into_iter().filter(|case| case.model.text.tied).collect();
    assert_eq!(tied.len(), 2);
    for Case { model, seeded, decoder, ids, .. } in tied {
        let coded = Decoder::planned(&model, &seeded, usize::MAX, &Plan::of(form)).unwrap();
        assert!(coded.held_by_head().bytes < decoder.held_by_head().bytes);
        let apart = Description { text: Text { tied: false, ..model.text.clone() }, ..model.clone() };
        let plan = Plan { forms: Forms { head: Form::Plain, ..Plan::of(form).forms }, ..Plan::default() };
        let right = Decoder::planned(&apart, &Apart(&model, seeded, form), usize::MAX, &plan).unwrap();
        let [found, right] = [&coded, &right].map(|decoder| {
            let mut session = Session::new(decoder, 31, 31).unwrap();
            session.prefill(decoder, &ids).unwrap().to_vec()
        });
        let right: Vec<f64> = right.into_iter().map(f64::from).collect();
        assert!(off(&found, &right) < 1e-5, "{:?}", model.text.architecture);
    }
}
