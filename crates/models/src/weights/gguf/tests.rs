//! Files of a few bytes, by hand.

use super::*;
use crate::weights::tests::tensor;

/// Bytes of a file.
struct File(Vec<u8>);

impl File {
    /// A header of so many tensors, and an architecture of two heads.
    fn new(tensors: u64) -> Self {
        let mut file = Self(b"GGUF".to_vec());
        file.u32(3).u64(tensors).u64(4);
        file.text("general.architecture").u32(8).text("llama");
        file.text("llama.attention.head_count").u32(4).u32(2);
        file.text("llama.attention.head_count_kv").u32(4).u32(1);
        file.text("tokenizer.ggml.tokens").u32(9).u32(8).u64(2).text("a").text("b");
        file
    }

    fn u32(&mut self, number: u32) -> &mut Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn u64(&mut self, number: u64) -> &mut Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.u64(text.len() as u64);
        self.0.extend(text.as_bytes());
        self
    }

    /// A tensor of this shape, which is given row-major.
    fn tensor(&mut self, name: &str, shape: &[u64], kind: u32, begin: u64) -> &mut Self {
        self.text(name).u32(shape.len() as u32);
        for size in shape.iter().rev() {
            self.u64(*size);
        }
        self.u32(kind).u64(begin)
    }

    fn with(&mut self, numbers: &[u8]) -> Vec<u8> {
        self.0.resize(self.0.len().next_multiple_of(32), 0);
        [&self.0[..], numbers].concat()
    }
}

/// Four rows of a query of two heads, whose numbers are those of their rows, and a row of blocks of each kind.
fn whole() -> Vec<u8> {
    let rows: Vec<u8> = [0.0_f32, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let halves = [0.5_f32, -1.0].map(f16::from_f32);
    let nibbles: Vec<u8> = (0..16_u8).map(|code| code | ((15 - code) << 4)).collect();
    let q4_1 = [&halves[0].to_le_bytes()[..], &halves[1].to_le_bytes()[..], &nibbles].concat();
    let q4_0 = [&halves[0].to_le_bytes()[..], &nibbles].concat();
    let bytes: Vec<u8> = (0..32_i8).map(|code| (code - 16).cast_unsigned()).collect();
    let q8_0 = [&halves[0].to_le_bytes()[..], &bytes].concat();
    let mut file = File::new(5);
    file.tensor("blk.0.attn_q.weight", &[8, 1], 0, 0);
    file.tensor("blk.0.attn_v.weight", &[1, 32], 3, 32);
    file.tensor("blk.0.attn_output.weight", &[1, 32], 2, 64);
    file.tensor("token_embd.weight", &[1, 32], 8, 96);
    file.tensor("output.weight", &[1, 256], 12, 0);
    let padded = |mut bytes: Vec<u8>| {
        bytes.resize(32, 0);
        bytes
    };
    file.with(&[rows, padded(q4_1), padded(q4_0), q8_0].concat())
}

#[track_caller]
fn damaged(bytes: Vec<u8>, why: &str) {
    let message = Gguf::of(bytes).unwrap_err().to_string();
    assert!(message.contains("no whole GGUF file") && message.contains(why), "{message}");
}

#[test]
fn rows_that_are_turned_together_come_half_a_head_apart() {
    let read = Gguf::of(whole()).unwrap();
    let query = read.numbers(&tensor("model.layers.0.self_attn.q_proj.weight", &[8, 1])).unwrap();
    assert_eq!(query, [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
}

#[test]
fn blocks_are_dequantised_as_their_kinds_say() {
    let read = Gguf::of(whole()).unwrap();
    let of = |name: &str| read.numbers(&tensor(name, &[1, 32])).unwrap();
    let steps = |code: usize| if code < 16 { code as f32 } else { 31.0 - code as f32 };
    let [value, out] = ["v_proj", "o_proj"].map(|name| of(&format!("model.layers.0.self_attn.{name}.weight")));
    assert_eq!(value, (0..32).map(|code| 0.5 * steps(code) - 1.0).collect::<Vec<f32>>());
    assert_eq!(out, (0..32).map(|code| 0.5 * (steps(code) - 8.0)).collect::<Vec<f32>>());
    assert_eq!(of("model.embed_tokens.weight"), (0..32).map(|code| 0.5 * (code as f32 - 16.0)).collect::<Vec<f32>>());
}

#[test]
fn what_does_not_fit_the_model_is_refused() {
    let read = Gguf::of(whole()).unwrap();
    let refused = |name: &str, shape: &[usize]| read.numbers(&tensor(name, shape)).unwrap_err().to_string();
    assert!(refused("model.embed_tokens.weight", &[32, 1]).contains("has the shape [1, 32]"));
    assert!(refused("lm_head.weight", &[1, 256]).contains("of the kind 12"));
    assert!(refused("h.0.ln_1.weight", &[1]).contains("no tensor h.0.ln_1.weight"));
    assert!(refused("model.layers.1.input_layernorm.weight", &[1]).contains("blk.0.attn_q.weight"));
    assert!(read.has("lm_head.weight") && !read.has("model.norm.weight"));
    assert_eq!((read.architecture(), read.heads()), ("llama", [2, 1]));
    let parts = ["self_attn.q_proj", "self_attn.v_proj", "self_attn.o_proj"];
    let mut known = parts.map(|part| tensor(&format!("model.layers.0.{part}.weight"), &[1])).to_vec();
    known.push(tensor("model.embed_tokens.weight", &[1]));
    assert_eq!(read.foreign(&known).as_deref(), Some("output.weight"));
    known.push(tensor("lm_head.weight", &[1]));
    assert_eq!(read.foreign(&known), None);
}

#[test]
fn every_truncated_file_is_refused() {
    let whole = whole();
    (0..whole.len()).for_each(|length| damaged(whole[..length].to_vec(), ""));
}

#[test]
fn headers_that_cannot_be_right_are_refused() {
    damaged(b"GGML\x03\0\0\0".to_vec(), "does not begin with GGUF");
    let mut file = File(b"GGUF".to_vec());
    damaged(file.u32(1).0.clone(), "version 1");
    damaged(File(b"GGUF".to_vec()).u32(3).u64(u64::MAX).u64(0).0.clone(), "the name of a tensor");
    damaged(File(b"GGUF".to_vec()).u32(3).u64(0).u64(u64::MAX).0.clone(), "the name of a value");
    damaged(File(b"GGUF".to_vec()).u32(3).u64(0).u64(1).u64(u64::MAX).0.clone(), "the name of a value");
    let list = |kind: u32, count: u64| {
        File(b"GGUF".to_vec()).u32(3).u64(0).u64(1).text("a").u32(9).u32(kind).u64(count).0.clone()
    };
    damaged(list(10, u64::MAX), "a list of");
    damaged(list(8, u64::MAX), "a text of a list");
    damaged(list(9, 1), "no list of values of the kind 9");
    damaged(File(b"GGUF".to_vec()).u32(3).u64(0).u64(0).with(&[]), "general.architecture");
    damaged(File::new(1).tensor("a", &[1, 1, 1, 1, 1], 0, 0).with(&[0; 32]), "5 axes");
    damaged(File::new(1).tensor("a", &[1 << 40, 1 << 40], 0, 0).with(&[0; 32]), "beyond the end");
    damaged(File::new(1).tensor("a", &[8], 0, u64::MAX).with(&[0; 32]), "beyond the end");
    damaged(File::new(1).tensor("a", &[33], 3, 0).with(&[0; 64]), "beyond the end");
}
