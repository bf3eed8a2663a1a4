//! Rows of a table, by token ids.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Work, sample_rows};

use crate::decoding::ids;

/// An embedding: for each token its row of the table.
///
/// Inputs: `ids` `[tokens]` of `i32`, which change as numbers do; `table` `[vocabulary, width]`.
pub struct Embedding;

/// Rows that are looked at: NaN is looked for in all.
const CHECKED: usize = 4096;

benchbook_core::parameters! {
    /// Parameters of [`Embedding`].
    pub struct EmbeddingParams {
        /// tokens that are looked up
        tokens: usize = 512, 1..=1 << 20;
        /// rows of the table
        vocabulary: usize = 50_257, 2..=1 << 18;
        /// numbers of a row
        width: usize = 768, 1..=1 << 14;
    }
}

impl Problem for Embedding {
    const NAME: &'static str = "embedding";
    const ABOUT: &'static str = "rows of a table, by token ids";
    type Params = EmbeddingParams;

    fn presets() -> Vec<Preset> {
        let of = |[tokens, vocabulary, width]: [i64; 3]| {
            let params = Params::default().with("tokens", tokens.into()).with("vocabulary", vocabulary.into());
            params.with("width", width.into())
        };
        vec![
            Preset { name: "quick", cases: vec![of([512, 8192, 256])] },
            Preset { name: "default", cases: vec![of([512, 50_257, 768]), of([4096, 32_000, 2048])] },
        ]
    }

    fn ugly() -> Vec<EmbeddingParams> {
        let sizes = [[1, 2, 1], [17, 3, 5], [67, 1031, 33]];
        sizes.map(|[tokens, vocabulary, width]| EmbeddingParams { tokens, vocabulary, width }).into()
    }

    fn label(params: &EmbeddingParams) -> String {
        format!("{} of {}×{}", params.tokens, params.vocabulary, params.width)
    }

    fn inputs(params: &EmbeddingParams, seed: u64) -> Inputs {
        let EmbeddingParams { tokens, vocabulary, width } = *params;
        Inputs::from([
            ("ids", Array::new(vec![tokens], &ids(tokens, vocabulary, seed))),
            ("table", Array::normal(vec![vocabulary, width], seed, 2)),
        ])
    }

    fn tokens(params: &EmbeddingParams) -> Vec<(&'static str, usize)> {
        vec![("ids", params.vocabulary)]
    }

    fn reference(params: &EmbeddingParams, inputs: &Inputs, seed: u64) -> Reference {
        let EmbeddingParams { tokens, width, .. } = *params;
        let (ids, table) = (inputs.get("ids").of::<i32>(), inputs.numbers("table"));
        let rows = sample_rows(tokens, CHECKED, seed);
        let row = |token: &usize| table[ids[*token] as usize * width..][..width].iter().map(|x| f64::from(*x));
        let values = rows.iter().flat_map(row).collect();
        Reference::of(vec![tokens, width], rows, values)
    }

    /// The rows that are looked up, each once, the result, and the ids. As many rows as are expected of ids that are all as likely.
    fn work(params: &EmbeddingParams, dtype: DType) -> Work {
        let [tokens, vocabulary, width] = [params.tokens, params.vocabulary, params.width].map(|size| size as f64);
        let rows = vocabulary * (1.0 - (1.0 - 1.0 / vocabulary).powf(tokens));
        Work { flops: 0.0, bytes: (rows + tokens) * width * dtype.bytes() as f64 + 4.0 * tokens }
    }

    fn tolerance(_params: &EmbeddingParams, dtype: DType) -> f64 {
        match dtype {
            DType::F64 | DType::F32 => 0.0,
            // The table is rounded before: half a unit of 10 or 7 bits of the largest number.
            _ => 1e-2,
        }
    }
}
