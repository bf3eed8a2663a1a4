//! Real weights and tokenizers as `cargo xtask data` brings them; skipped where they were not brought.

use std::path::Path;

use benchbook_models::weights::Source;
use benchbook_models::{Decoder, Error, Result, Session, named, real};

/// What a reader says, or nothing where its model is not there.
fn brought<T>(read: fn(&Path) -> Result<T>) -> Option<T> {
    match read(&real::folder()?) {
        Ok(read) => Some(read),
        Err(Error::Absent { name, .. }) => {
            eprintln!("skipped: `cargo xtask data {name}` was not run");
            None
        }
        Err(other) => panic!("{other}"),
    }
}

/// Every tensor of the model is in the file, with finite numbers.
fn whole(name: &str, source: &dyn Source) {
    for tensor in named(name).unwrap().tensors() {
        let numbers = source.numbers(&tensor).unwrap();
        assert!(numbers.len() == tensor.count() && numbers.iter().all(|number| number.is_finite()), "{}", tensor.name);
    }
}

#[test]
fn minilm_takes_words_apart_as_bert_does() {
    let Some((file, tokenizer)) = brought(real::minilm) else { return };
    // As the documentation of Hugging Face Transformers has it for bert-base-uncased.
    let known = [
        ("Hello, my dog is cute", &[101, 7592, 1010, 2026, 3899, 2003, 10140, 102][..]),
        ("hello world", &[101, 7592, 2088, 102]),
    ];
    for (text, ids) in known {
        assert_eq!(tokenizer.encode(text, 64).unwrap(), ids);
    }
    whole("minilm-l6", &file);
}

#[test]
fn whisper_writes_as_its_paper_does() {
    let Some((file, tokenizer)) = brought(real::whisper) else { return };
    // As a test of Hugging Face Transformers has it, after the tokens that steer.
    let text = " Mr. Quilter is the apostle of the middle classes and we are glad to";
    let ids = [2221, 13, 2326, 388, 391, 307, 264, 50244, 295, 264, 2808, 5359, 293, 321, 366, 5404, 281];
    assert_eq!(tokenizer.encode(text).unwrap(), ids);
    assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    assert_eq!(tokenizer.special("<|startoftranscript|>"), Some(50258));
    whole("whisper-base", &file);
}

#[test]
fn smollm2_knows_the_capital_of_france() {
    let Some((file, tokenizer)) = brought(real::smollm2) else { return };
    let text = "Prices rose by 12.5 % in 2024 — naïvely, they're “stable”.\n\n  def f(x):\n";
    let ids = tokenizer.encode(text).unwrap();
    assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    for digits in ["12", "2024"] {
        assert_eq!(tokenizer.encode(digits).unwrap().len(), digits.len());
    }
    let model = named("smollm2-135m").unwrap();
    let decoder = Decoder::load(&model, &file, 64).unwrap();
    let mut session = Session::new(&decoder, 64, 64).unwrap();
    let prompt =
        "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\nThe capital of France is";
    let mut ids = Vec::new();
    for (place, part) in prompt.split("<|im_").enumerate() {
        let (name, rest) = part.split_once("|>").unwrap_or(("", part));
        if place > 0 {
            ids.push(tokenizer.special(&format!("<|im_{name}|>")).unwrap());
        }
        ids.extend(tokenizer.encode(rest).unwrap());
    }
    let logits = session.prefill(&decoder, &ids).unwrap();
    let best = (1..logits.len()).fold(0, |best, token| if logits[token] > logits[best] { token } else { best });
    assert_eq!(tokenizer.decode(&[best as i32]).unwrap(), " Paris");
}
