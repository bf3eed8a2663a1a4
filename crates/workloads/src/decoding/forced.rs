//! A text that a decoder takes a token at a time, whatever it would have made itself: logits behind each of them.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, StepsOf, Task, Value, Work};

use super::exact::Model;
use super::given::{check_name, given};
use super::otherwise::Otherwise;
use super::stack::{Beside, Experts, Latent, ROTARY_BASE, Sizes};
use crate::blocks::Architecture;

/// Teacher forcing: the first step takes `prompt` tokens of a text, each further one the next token, so that all that read it are before
/// the same question, whatever they answer: models before and after a change can be compared token by token.
///
/// Inputs are those of [`Sizes::inputs`], where `prompt` `[prompt + tokens − 1]` is the whole text; the output `[tokens, vocabulary]` holds
/// the logits behind the prompt and behind each token after it. Weights are seeded: they say nothing of quality.
pub struct ForcedDecoding;

/// An architecture that the reference does not compute: whoever is asked for it says why.
pub const OTHER: &str = "other";

/// The architecture of latent attention.
const LATENT: &str = "glm-4";

/// Architectures of a case.
const NAMES: [&str; 4] = ["llama", "qwen3", LATENT, OTHER];

benchbook_core::parameters! {
    /// Parameters of [`ForcedDecoding`].
    pub struct ForcedDecodingParams {
        /// what people call the model
        model: String = "tiny".to_owned();
        /// where its numbers come from
        weights: String = "seeded".to_owned(), ["seeded"];
        /// its blocks: llama, qwen3, glm-4, or other, which nobody can decode here
        architecture: String = "llama".to_owned(), NAMES;
        /// blocks that it has here
        layers: usize = 2, 1..=128;
        /// blocks of the whole model, of which these are the first
        of_layers: usize = 2, 1..=1 << 10;
        /// of an architecture that is other because there is no room for so many blocks, those that have room
        fits: usize = 0, 0..=128;
        /// query heads
        heads: usize = 4, 1..=1 << 12;
        /// key and value heads
        kv_heads: usize = 2, 1..=1 << 12;
        /// width of a head
        head_dim: usize = 16, 1..=1 << 12;
        /// numbers of a position
        width: usize = 64, 1..=1 << 15;
        /// numbers between the products of the feed-forward network, or of each expert
        hidden: usize = 176, 1..=1 << 17;
        /// experts of a block that it has here, in the place of a feed-forward network; 0 where it has none
        experts: usize = 0, 0..=1 << 10;
        /// experts of a block of the whole model
        of_experts: usize = 0, 0..=1 << 10;
        /// experts that a position goes through
        chosen: usize = 0, 0..=1 << 10;
        /// first blocks without experts, in glm-4 with experts
        dense_layers: usize = 0, 0..=128;
        /// numbers between the products of these
        dense_hidden: usize = 0, 0..=1 << 17;
        /// as how many experts the one is large that every position goes through, in glm-4
        shared: usize = 0, 0..=1 << 6;
        /// what the weights of chosen experts are multiplied by, in percent, in glm-4
        expert_scale: usize = 100, 1..=10_000;
        /// numbers of the latent of queries, in glm-4
        query_rank: usize = 0, 0..=1 << 12;
        /// numbers of the latent of keys and values, in glm-4
        kv_rank: usize = 0, 0..=1 << 12;
        /// numbers of a query and of a key that are turned, in glm-4
        rotated: usize = 0, 0..=1 << 12;
        /// tokens that there are here
        vocabulary: usize = 512, 2..=1 << 18;
        /// tokens of the text that come together
        prompt: usize = 16, 1..=1 << 17;
        /// tokens that are followed by logits
        tokens: usize = 16, 1..=1 << 14;
    }
}

impl ForcedDecodingParams {
    /// The sizes of the model.
    pub fn sizes(&self) -> Sizes {
        let Self { layers, heads, kv_heads, head_dim, width, hidden, vocabulary, chosen, .. } = *self;
        let Self { query_rank, kv_rank, rotated, .. } = *self;
        let latent = (self.architecture == LATENT).then_some(Latent { query_rank, kv_rank, rotated });
        let Self { dense_layers: dense, dense_hidden, shared, expert_scale: percent, .. } = *self;
        let beside = latent.map(|_| Beside { dense, dense_hidden, shared, percent });
        let experts = (self.experts > 0).then_some(Experts { count: self.experts, chosen, beside });
        Sizes {
            architecture: Architecture::of(&self.architecture),
            layers,
            heads,
            kv_heads,
            head_dim,
            width,
            hidden,
            vocabulary,
            rotary_base: ROTARY_BASE,
            experts,
            latent,
        }
    }

    /// Tokens of the text.
    pub fn text(&self) -> usize {
        self.prompt + self.tokens - 1
    }

    /// Whether the reference computes it.
    pub fn is_known(&self) -> bool {
        self.architecture != OTHER
    }
}

impl ForcedDecoding {
    /// The loop of a case, a step for each row of logits.
    pub fn steps(params: &ForcedDecodingParams) -> StepsOf {
        StepsOf { most: params.tokens, tokens: Some(params.tokens as i64), values: Vec::new() }
    }

    /// The logits of a decoder of these sizes with these inputs, which may go another way than the exact one.
    pub fn of(
        params: &ForcedDecodingParams,
        (sizes, inputs): (Sizes, &Inputs),
        otherwise: Otherwise<'_>,
        seed: u64,
    ) -> Reference {
        let model = Model::new(sizes, inputs).going(otherwise);
        given(model, (inputs.get("prompt").of(), params.prompt), [params.tokens, params.vocabulary], seed)
    }
}

impl Problem for ForcedDecoding {
    const NAME: &'static str = "forced-decoding";
    const ABOUT: &'static str =
        "a given text, token by token, by a seeded LLaMA, Qwen3 or GLM: models before and after a technique";
    type Params = ForcedDecodingParams;

    fn presets() -> Vec<Preset> {
        let of = |model: &str, architecture: &str, sizes: [i64; 9]| {
            let names =
                ["layers", "of_layers", "heads", "head_dim", "width", "hidden", "vocabulary", "prompt", "tokens"];
            let named = Params::default().with("model", model.into()).with("architecture", architecture.into());
            names.into_iter().zip(sizes).fold(named, |params, (name, size)| params.with(name, Value::Int(size)))
        };
        vec![
            Preset { name: "quick", cases: vec![of("tiny", "llama", [2, 2, 4, 16, 64, 176, 512, 16, 16])] },
            Preset { name: "default", cases: vec![of("small", "qwen3", [4, 4, 8, 32, 256, 704, 1024, 64, 32])] },
        ]
    }

    fn ugly() -> Vec<ForcedDecodingParams> {
        let of = |(architecture, sizes): (&str, [usize; 9])| {
            let [layers, heads, kv_heads, head_dim, width, hidden, vocabulary, prompt, tokens] = sizes;
            ForcedDecodingParams {
                model: "ugly".to_owned(),
                weights: "seeded".to_owned(),
                architecture: architecture.to_owned(),
                layers,
                of_layers: layers,
                fits: 0,
                heads,
                kv_heads,
                head_dim,
                width,
                hidden,
                experts: 0,
                of_experts: 0,
                chosen: 0,
                dense_layers: 0,
                dense_hidden: 0,
                shared: 0,
                expert_scale: 100,
                query_rank: 0,
                kv_rank: 0,
                rotated: 0,
                vocabulary,
                prompt,
                tokens,
            }
        };
        let cases = [
            ("llama", [1, 1, 1, 2, 1, 1, 2, 1, 1]),
            ("qwen3", [2, 3, 1, 34, 33, 5, 65, 1, 9]),
            // Longer than a window, and heads and channels of which a quarter is no whole number.
            ("llama", [1, 10, 5, 6, 37, 33, 129, 66, 7]),
            ("qwen3", [4, 4, 4, 8, 34, 67, 100, 5, 12]),
        ];
        let mut cases: Vec<ForcedDecodingParams> = cases.into_iter().map(of).collect();
        // As many experts as a position goes through, and more of them.
        let routed = |experts: usize, chosen: usize| ForcedDecodingParams {
            experts,
            of_experts: experts,
            chosen,
            ..of(("qwen3", [2, 4, 4, 8, 34, 21, 100, 7, 5]))
        };
        cases.extend([routed(1, 1), routed(6, 2)]);
        // All numbers of a key are turned, and some of them.
        let latent = |query_rank: usize, kv_rank: usize, rotated: usize| ForcedDecodingParams {
            query_rank,
            kv_rank,
            rotated,
            ..of((LATENT, [2, 3, 3, 8, 34, 21, 100, 7, 5]))
        };
        cases.extend([latent(4, 3, 8), latent(9, 5, 2)]);
        // Experts beside one that all go through, behind a dense block, and without either.
        let beside = |dense_layers: usize, shared: usize| ForcedDecodingParams {
            layers: 3,
            of_layers: 3,
            experts: 6,
            of_experts: 6,
            chosen: 2,
            dense_layers,
            dense_hidden: 29,
            shared,
            expert_scale: 180,
            ..latent(4, 3, 8)
        };
        cases.extend([beside(1, 1), beside(0, 0)]);
        cases
    }

    fn check(params: &ForcedDecodingParams) -> Result<(), (&'static str, String)> {
        check_name(&params.model)?;
        if params.experts > 0 && params.architecture != "qwen3" && params.architecture != LATENT {
            return Err((
                "experts",
                format!("experts are those of qwen3 and of glm-4 here, not of {}", params.architecture),
            ));
        }
        if params.experts > params.of_experts {
            let reason = format!("{} experts are no part of {}", params.experts, params.of_experts);
            return Err(("experts", reason));
        }
        if params.layers > params.of_layers {
            return Err(("layers", format!("{} layers are no part of {}", params.layers, params.of_layers)));
        }
        if params.is_known() { params.sizes().check(params.text()) } else { Ok(()) }
    }

    fn label(params: &ForcedDecodingParams) -> String {
        let ForcedDecodingParams { model, weights, of_layers, fits, prompt, tokens, .. } = params;
        let other = match (params.is_known(), fits) {
            (true, _) => String::new(),
            (false, 0) => " other".to_owned(),
            (false, fits) => format!(" other fits{fits}"),
        };
        let of_experts = if params.experts > 0 { format!(" of e{}", params.of_experts) } else { String::new() };
        format!("{model}{other} {weights} {prompt}+{tokens} of l{of_layers} {}{of_experts}", params.sizes().label())
    }

    fn task(params: &ForcedDecodingParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &ForcedDecodingParams, seed: u64) -> Inputs {
        if params.is_known() {
            return params.sizes().inputs(params.text(), seed);
        }
        Inputs::from([("prompt", Array::new(vec![1], &[0_i32]))])
    }

    fn some_inputs(params: &ForcedDecodingParams, seed: u64, names: &[String]) -> Inputs {
        if params.is_known() && names.iter().all(|name| name == "prompt") {
            return Inputs::from([("prompt", params.sizes().prompt(params.text(), seed))]);
        }
        Self::inputs(params, seed)
    }

    fn tokens(params: &ForcedDecodingParams) -> Vec<(&'static str, usize)> {
        vec![("prompt", params.vocabulary)]
    }

    fn reference(params: &ForcedDecodingParams, inputs: &Inputs, seed: u64) -> Reference {
        if params.is_known() {
            return Self::of(params, (params.sizes(), inputs), Otherwise::default(), seed);
        }
        // What nobody computes is never right.
        Reference::of(vec![params.tokens, params.vocabulary], vec![0], vec![f64::NAN; params.vocabulary])
    }

    fn work(params: &ForcedDecodingParams, dtype: DType) -> Work {
        params.sizes().work(params.text(), params.tokens, dtype)
    }

    fn tolerance(_params: &ForcedDecodingParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::super::otherwise::{Depths, Parted, Rounded};
    use super::*;

    fn params() -> ForcedDecodingParams {
        ForcedDecodingParams { layers: 3, of_layers: 3, prompt: 6, tokens: 5, ..ForcedDecodingParams::default() }
    }

    fn of(otherwise: Otherwise<'_>) -> Vec<f64> {
        let inputs = ForcedDecoding::inputs(&params(), 3);
        ForcedDecoding::of(&params(), (params().sizes(), &inputs), otherwise, 3).answers.remove(0).values
    }

    #[test]
    fn a_wide_window_and_all_layers_change_nothing() {
        let exact = of(Otherwise::default());
        assert_eq!(exact.len(), 5 * 512);
        assert_eq!(of(Otherwise { window: Some([2, 8]), ..Otherwise::default() }), exact);
        assert_ne!(of(Otherwise { window: Some([2, 7]), ..Otherwise::default() }), exact, "the last query misses one");
        let near = |least: f64| -> f64 {
            let found = of(Otherwise { least: Some(least), ..Otherwise::default() });
            found.iter().zip(&exact).map(|(found, exact)| (found - exact).abs()).fold(0.0, f64::max)
        };
        assert!(near(0.0) < 1e-9 && near(0.5) > 1e-3, "weights that nothing is taken from are those of before");
        let all = Depths { of: &[3; 10], first: 6, least: 2, alike: 2.0 };
        assert_eq!(of(Otherwise { depths: Some(all), ..Otherwise::default() }), exact);
        let through = Parted { layer: 1, experts: 3, chosen: 3, went: &[0b111; 10] };
        assert_eq!(of(Otherwise { parted: Some(through), ..Otherwise::default() }), exact);
        let scanned = of(Otherwise { scan: Some(1), ..Otherwise::default() });
        assert!(scanned != exact && scanned.iter().all(|logit| logit.is_finite()));
    }

    #[test]
    fn a_position_goes_through_the_experts_with_the_largest_scores() {
        let routed =
            |experts: usize, chosen: usize| ForcedDecodingParams { experts, of_experts: 8, chosen, ..params() };
        let logits = |params: &ForcedDecodingParams, inputs: &Inputs| {
            let made = ForcedDecoding::of(params, (params.sizes(), inputs), Otherwise::default(), 3);
            made.answers.into_iter().next().unwrap().values
        };
        // Of one expert, the score does not matter: it is a feed-forward network.
        let one = ForcedDecoding::inputs(&routed(1, 1), 3);
        assert_eq!(logits(&routed(1, 1), &one), logits(&params(), &one));
        // An expert that is never chosen may be anything; through all of them, it may not.
        let mut inputs = ForcedDecoding::inputs(&routed(4, 2), 3);
        let some = logits(&routed(4, 2), &inputs);
        let all = logits(&routed(4, 4), &inputs);
        assert_ne!(some, all);
        let (width, rows) = (params().width, inputs.get("w_router").rows());
        let mut router = inputs.get("w_router").clone();
        (0..rows).for_each(|row| router.write(row, &vec![0.0; width]));
        inputs.insert("w_router", router);
        // Where all scores are equal, the first ones are taken.
        let (equal, hidden) = (logits(&routed(4, 2), &inputs), params().hidden);
        let mut up = inputs.get("w_up").clone();
        for expert in [2, 3, 6, 7, 10, 11] {
            (expert * hidden..(expert + 1) * hidden).for_each(|row| up.write(row, &vec![9.0; width]));
        }
        inputs.insert("w_up", up);
        assert_eq!(logits(&routed(4, 2), &inputs), equal);
        assert_ne!(logits(&routed(4, 3), &inputs), equal);
        let label = ForcedDecoding::label(&routed(4, 2));
        assert!(label.ends_with(" v512 e2/4 of e8"), "{label}");
        let refused = |experts: usize, chosen: usize, architecture: &str| {
            let params = ForcedDecodingParams { architecture: architecture.to_owned(), ..routed(experts, chosen) };
            ForcedDecoding::check(&params).err().map(|(name, _)| name)
        };
        assert_eq!(
            [refused(4, 5, "qwen3"), refused(4, 0, "qwen3"), refused(4, 2, "qwen3")],
            [Some("chosen"), Some("chosen"), None]
        );
        assert_eq!([refused(9, 2, "qwen3"), refused(4, 2, "llama")], [Some("experts"); 2]);
        assert_eq!(refused(0, 0, "glm-4"), Some("rotated"), "no latents");
        let work = |params: &ForcedDecodingParams| ForcedDecoding::work(params, DType::F32);
        let (few, more) = (work(&routed(4, 2)), work(&routed(8, 2)));
        let router = 2.0 * 3.0 * 4.0 * 64.0 * params().text() as f64;
        assert!((more.flops - few.flops - router).abs() < 1.0 && more.bytes > 1.5 * few.bytes, "only the router grows");
    }

    #[test]
    fn experts_of_a_glm_are_chosen_by_a_bias_and_stand_behind_a_dense_block_beside_a_shared_one() {
        let params = |chosen: usize| ForcedDecodingParams {
            architecture: LATENT.to_owned(),
            kv_heads: 4,
            query_rank: 8,
            kv_rank: 6,
            rotated: 4,
            hidden: 20,
            experts: 4,
            of_experts: 64,
            chosen,
            dense_layers: 1,
            dense_hidden: 48,
            shared: 1,
            expert_scale: 180,
            ..params()
        };
        let logits = |params: &ForcedDecodingParams, inputs: &Inputs| {
            let made = ForcedDecoding::of(params, (params.sizes(), inputs), Otherwise::default(), 3);
            made.answers.into_iter().next().unwrap().values
        };
        let shape = |inputs: &Inputs, name: &str| inputs.get(name).shape().to_vec();
        let inputs = ForcedDecoding::inputs(&params(2), 3);
        // The first of three blocks is dense, the other two have four experts each, and one for all.
        assert_eq!([shape(&inputs, "w_gate"), shape(&inputs, "expert_down")], [vec![1, 48, 64], vec![2, 4 * 64, 20]]);
        assert_eq!([shape(&inputs, "shared_up"), shape(&inputs, "router_bias")], [vec![2, 20, 64], vec![2, 4]]);
        let plain = logits(&params(2), &inputs);
        let with = |name: &str, row: usize, number: f32| {
            let mut changed = inputs.clone();
            let mut array = changed.get(name).clone();
            let width = array.width();
            array.write(row, &vec![number; width]);
            changed.insert(name, array);
            changed
        };
        // The same bias for all changes no choice and no weight; of one expert a large one does.
        let mut even = inputs.clone();
        let moved: Vec<f32> = inputs.numbers("router_bias").iter().map(|bias| bias + 1.0).collect();
        even.insert("router_bias", Array::new(vec![2, 4], &moved));
        assert_eq!(logits(&params(2), &even), plain);
        let mut forced = inputs.clone();
        forced.insert("router_bias", Array::new(vec![2, 4], &[9.0_f32, 8.0, 0.0, 0.0, 9.0, 8.0, 0.0, 0.0]));
        let first = logits(&params(2), &forced);
        let mut unused = forced.clone();
        let mut up = unused.get("expert_up").clone();
        (2 * 20..4 * 20).for_each(|row| up.write(row, &[9.0; 64]));
        unused.insert("expert_up", up);
        assert_eq!(logits(&params(2), &unused), first, "the others are never read");
        for (name, row) in [("shared_up", 3), ("w_gate", 3), ("expert_up", 3)] {
            let changed = with(name, row, 9.0);
            let same = logits(&params(4), &changed) == logits(&params(4), &inputs);
            assert!(!same, "{name}");
        }
        let scaled = ForcedDecodingParams { expert_scale: 100, ..params(2) };
        assert_ne!(logits(&scaled, &inputs), plain);
        let label = ForcedDecoding::label(&params(2));
        assert!(label.ends_with(" e2/4+1 ×180% dense1→48 of e64"), "{label}");
        let refused = ForcedDecodingParams { dense_layers: 4, ..params(2) };
        assert_eq!(ForcedDecoding::check(&refused).unwrap_err().0, "dense_layers");
        let refused = ForcedDecodingParams { shared: 64, hidden: 1 << 17, width: 1 << 15, ..params(2) };
        assert_eq!(ForcedDecoding::check(&refused).unwrap_err().0, "shared");
    }

    #[test]
    fn a_prompt_alone_is_that_of_all_inputs() {
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            ForcedDecoding::some_inputs(&params(), 3, &names)
        };
        let all = ForcedDecoding::inputs(&params(), 3);
        assert_eq!(of(&["prompt"]).get("prompt"), all.get("prompt"));
        assert_eq!((of(&["prompt"]).iter().count(), of(&["prompt", "head"]).iter().count()), (1, all.iter().count()));
    }

    #[test]
    fn who_decides_or_rounds_where_it_may_not_is_not_believed() {
        let depths = |of: &[usize], alike: f64| Depths { of, first: 6, least: 2, alike }.believed();
        // A bound that every layer keeps, and one that none does.
        assert!(depths(&[3, 3, 3, 3, 3, 3, 2, 2, 2, 2], -1.0) && !depths(&[3; 10], -1.0));
        assert!(depths(&[3; 10], 2.0) && !depths(&[3, 3, 3, 3, 3, 3, 3, 2, 3, 3], 2.0));
        // A position goes through the one expert of two that has the larger gates, and not through both or none.
        let logits = |went: &[u64]| {
            let parted = Some(Parted { layer: 1, experts: 2, chosen: 1, went });
            of(Otherwise { parted, ..Otherwise::default() })
        };
        let mut right = vec![Vec::new()];
        assert!(logits(&[0b11; 10])[0].is_nan() && logits(&[0; 10])[0].is_nan());
        for position in 0..10_usize {
            let longer = right.iter().flat_map(|went: &Vec<u64>| [1, 2].map(|one| [&went[..], &[one]].concat()));
            // The sixth position is the first whose logits are told; later ones change none before.
            let is_right =
                |went: &[u64], row: usize| logits(&[went, &[0; 10][went.len()..]].concat())[row * 512].is_finite();
            right = longer.filter(|went| position.checked_sub(5).is_none_or(|row| is_right(went, row))).collect();
        }
        assert_eq!(right.len(), 1, "one way through is right: {right:?}");
        // Zeros are half a step from what is less than half a step, and no other number is.
        let zeros: Vec<[Vec<f32>; 2]> = (0..3).map(|_| [vec![0.0; 10 * 32], vec![0.0; 10 * 32]]).collect();
        let found = of(Otherwise { cache: Some(Rounded { layers: &zeros, levels: 127.0 }), ..Otherwise::default() });
        assert!(found.iter().all(|logit| logit.is_nan()));
        let short = of(Otherwise { cache: Some(Rounded { layers: &zeros[..2], levels: 0.1 }), ..Otherwise::default() });
        assert!(short.iter().all(|logit| logit.is_nan()), "a layer without a cache");
        let coarse = of(Otherwise { cache: Some(Rounded { layers: &zeros, levels: 0.1 }), ..Otherwise::default() });
        assert!(coarse.iter().all(|logit| logit.is_finite()), "all of them are within half a step of ten");
    }

    impl Depths<'_> {
        fn believed(self) -> bool {
            of(Otherwise { depths: Some(self), ..Otherwise::default() }).iter().all(|logit| logit.is_finite())
        }
    }
}
