//! Work and metrics of cases, counted by hand.

use benchbook_core::{DType, Inputs, Metric, Parameters, Params, Problem, Workload};
use benchbook_workloads::attention::{
    ContextualAttention, ContextualAttentionParams, LatentAttention, LatentAttentionParams, PagedAttention,
    PagedAttentionParams, ProgrammableAttention, ProgrammableAttentionParams, ProjectedAttention,
    ProjectedAttentionParams, RingAttention, RingAttentionParams, WindowAttention, WindowAttentionParams,
};
use benchbook_workloads::blocks::{TransformerBlock, TransformerBlockParams};
use benchbook_workloads::roofs::{
    Copy, CopyParams, Fma, FmaParams, Int8Dot, Int8DotParams, Read, ReadParams, TileDot, TileDotParams,
};

#[test]
fn contextual_work_grows_with_the_positions_that_can_be_reached() {
    let work = |positions: usize| {
        let params = ContextualAttentionParams { batch: 1, heads: 1, kv_heads: 1, seq: 8, head_dim: 4, positions };
        ContextualAttention::work(&params, DType::F32).flops
    };
    // 36 scores of 4 · 4 + 10 operations; 8 queries, 2 · 4 operations a row of the embedding.
    assert_eq!((work(1), work(9)), (36.0 * 26.0 + 64.0, 36.0 * 26.0 + 9.0 * 64.0));
    assert_eq!(work(9), work(1000));
}

#[test]
fn what_pages_lose_follows_from_lengths_and_blocks() {
    let params = PagedAttentionParams { batch: 1, heads: 1, kv_heads: 1, context: 100, head_dim: 2, block_size: 16 };
    let metrics = PagedAttention::metrics(&params, &Inputs::default());
    // A hundred keys in seven blocks of sixteen.
    assert!((metrics[0].value - (1.0 - 100.0 / 112.0)).abs() < 1e-12 && metrics[0].unit == "share");
    assert!(metrics[1].value.abs() < 1e-12, "the one sequence has the whole context");
    let work = PagedAttention::work(&params, DType::F32);
    assert_eq!((work.flops, work.bytes), (800.0, 4.0 * (400.0 + 4.0)));
}

#[test]
fn the_share_that_is_seen_follows_from_the_program() {
    let share = |program: &str| {
        let program = program.to_owned();
        let params = ProgrammableAttentionParams { batch: 1, heads: 2, seq: 8, head_dim: 4, program };
        64.0 * ProgrammableAttention::metrics(&params, &Inputs::default())[0].value
    };
    // Eight queries; four documents of two, which see one and two keys.
    assert_eq!((share("softcap"), share("alibi"), share("document")), (64.0, 36.0, 12.0));
}

#[test]
fn the_share_that_is_seen_follows_from_the_window() {
    let share = |window_size: usize| {
        let params = WindowAttentionParams { batch: 1, heads: 1, kv_heads: 1, seq: 8, head_dim: 4, window_size };
        64.0 * WindowAttention::metrics(&params, &Inputs::default())[0].value
    };
    // One key each; one, then two; all that causality leaves.
    assert_eq!((share(1), share(2), share(8), share(100)), (8.0, 15.0, 36.0, 36.0));
}

#[test]
fn projected_work_is_four_products_and_attention() {
    let params =
        |causal: bool| ProjectedAttentionParams { batch: 2, heads: 4, kv_heads: 2, seq: 3, head_dim: 5, causal };
    let work = |causal: bool| ProjectedAttention::work(&params(causal), DType::F32);
    // Six rows of 20 numbers by 20 + 10 + 10 + 20 columns; 9 pairs, or 6, in each of 2 × 4 heads of 5.
    let products = 2.0 * 6.0 * 20.0 * 60.0;
    assert_eq!(work(false).flops, products + 4.0 * 8.0 * 9.0 * 5.0);
    assert_eq!(work(true).flops, products + 4.0 * 8.0 * 6.0 * 5.0);
    assert_eq!(work(true).bytes, 4.0 * (2.0 * 6.0 * 20.0 + 20.0 * 60.0));
    let metric = &ProjectedAttention::metrics(&params(false), &Inputs::default())[0];
    assert_eq!((metric.name.as_str(), metric.value), ("projection_share", products / (products + 1440.0)));
}

#[test]
fn latent_work_is_that_of_the_form_that_takes_less() {
    let params = |seq_q: usize, kv_rank: usize| LatentAttentionParams {
        batch: 1,
        heads: 2,
        seq_q,
        seq_kv: 3,
        width: 5,
        query_rank: 3,
        kv_rank,
        head_dim: 6,
        rotary_dim: 2,
        value_dim: 7,
    };
    // A new position: matrices of 15, 36, 12, 20, 10 and 70 weights; two heads see three entries of 4 + 2 numbers, and use 4 of
    // them again; what makes keys and values, 2 · 13 columns, is applied to query and result once.
    let (step, projections) = (LatentAttention::work(&params(1, 4), DType::F32), 2.0 * 163.0);
    assert_eq!(step.flops, projections + 2.0 * 4.0 * 26.0 + 2.0 * 3.0 * 2.0 * 10.0);
    // The position before and after, three entries, all weights with the 48 and 56 of keys and values, and two gains.
    assert_eq!(step.bytes, 4.0 * (10.0 + 18.0 + 163.0 + 104.0 + 7.0));
    // Three new positions, and latents that are longer than a head: six scores of 8 + 7 numbers, keys and values made once.
    let prompt = LatentAttention::work(&params(3, 20), DType::F32).flops;
    assert_eq!(prompt, 3.0 * 2.0 * 243.0 + 3.0 * 2.0 * 20.0 * 26.0 + 2.0 * 6.0 * 2.0 * 15.0);
    let metrics = LatentAttention::metrics(&params(1, 4), &Inputs::default());
    assert_eq!((metrics[0].name.as_str(), metrics[0].value), ("cache_share", 6.0 / 30.0));
    assert_eq!(metrics[1].value, step.flops / (projections + 3.0 * 208.0 + 180.0));
}

#[test]
fn the_work_of_a_block_is_its_products_and_attention_to_what_is_seen() {
    let work = |architecture: &str, kv_heads: usize| {
        let (architecture, batch, seq, heads, head_dim, width, hidden) = (architecture.to_owned(), 2, 3, 4, 2, 8, 5);
        let params = TransformerBlockParams { architecture, batch, seq, heads, kv_heads, head_dim, width, hidden };
        TransformerBlock::work(&params, DType::F32)
    };
    // Six positions; four matrices of 8 × 8 and two of 8 × 5, their biases and those of two layer norms; two sequences of 6
    // pairs, or 9, in heads of 8 numbers together.
    let matrices = 4.0 * 64.0 + 2.0 * 40.0;
    assert_eq!(work("gpt-2", 4).flops, 12.0 * matrices + 4.0 * 8.0 * 12.0);
    assert_eq!(work("bert", 4).flops, 12.0 * matrices + 4.0 * 8.0 * 18.0);
    assert_eq!(work("bert", 4).bytes, 4.0 * (96.0 + matrices + (32.0 + 5.0 + 8.0) + 32.0));
    // Keys and values of four numbers, a third matrix of 8 × 5, and gains of the norms, of heads too.
    let matrices = 2.0 * 64.0 + 2.0 * 32.0 + 3.0 * 40.0;
    assert_eq!(work("llama", 2).flops, 12.0 * matrices + 4.0 * 8.0 * 12.0);
    assert_eq!(work("llama", 2).bytes, 4.0 * (96.0 + matrices + 16.0));
    assert_eq!(work("qwen3", 2).bytes, 4.0 * (96.0 + matrices + 20.0));
}

#[test]
fn what_a_block_is_not_told_follows() {
    let label = |given: Params| TransformerBlock.case(given).unwrap().name;
    assert_eq!(label(Params::default()), "gpt-2 b1 h12 s512 d64 w768→3072");
    assert_eq!(label(Params::default().with("heads", 2.into())), "gpt-2 b1 h2 s512 d64 w128→512");
    let llama = Params::default().with("architecture", "llama".into()).with("width", 100.into());
    assert_eq!(label(llama.with("kv_heads", 3.into())), "llama b1 h12 kv3 s512 d64 w100→400");
}

#[test]
fn a_sample_of_sequences_and_rows_is_the_whole_answer_in_part() {
    // Keys and values of a sequence cost as much as the budget: one is drawn, with the first and the last.
    let params = ProjectedAttentionParams { batch: 5, heads: 8, kv_heads: 4, seq: 512, head_dim: 64, causal: true };
    let inputs = ProjectedAttention::inputs(&params, 9);
    let answer = ProjectedAttention::reference(&params, &inputs, 9).answers.remove(0);
    assert_eq!(answer.shape, [5, 512, 512]);
    assert_eq!((answer.rows[0], answer.rows[answer.rows.len() - 1]), (0, 5 * 512 - 1));
    assert!(answer.rows.len() < 5 * 512 && answer.values.len() == answer.rows.len() * 512);
    assert!(answer.rows.is_sorted());
}

#[test]
fn two_million_positions_fit_into_a_ring() {
    let params = RingAttentionParams { heads: 1, kv_heads: 1, seq: 1 << 21, head_dim: 16, causal: true, workers: 32 };
    let metrics = RingAttention::metrics(&params, &Inputs::default());
    let value = |name: &str| {
        let found: Vec<&Metric> = metrics.iter().filter(|metric| metric.name == name).collect();
        assert!(found.len() == 1 && !found[0].measured && found[0].unit == "bytes", "{name}: {found:?}");
        found[0].value
    };
    let (one, whole) = (value("worker_bytes_model"), value("whole_bytes_model"));
    // Six blocks of 65536 positions and 16 numbers, the logarithms of sums, and a run of 1024 queries.
    assert_eq!(one, 4.0 * (6.0 * 65_536.0 * 16.0 + 65_536.0 + 1024.0 * 17.0));
    assert_eq!(whole, 4.0 * 4.0 * 16.0 * f64::from(1 << 21));
    assert!(32.0 * one < 24.0 * f64::from(1 << 30), "{one} each");
    assert!(RingAttention::work(&params, DType::F32).flops > 1e14);
}

#[test]
fn the_defaults_of_a_ring_keep_a_workers_part() {
    let preset = RingAttention.presets().pop().unwrap();
    let parts = preset.cases.into_iter().map(|given| {
        let params = RingAttention.case(given).unwrap().params;
        let RingAttentionParams { seq, workers, .. } = RingAttentionParams::read(RingAttention::NAME, &params).unwrap();
        seq / workers
    });
    assert!(preset.name == "default" && parts.eq([4096; 4]));
}

#[test]
fn roofs_count_what_moves() {
    assert_eq!(Copy::work(&CopyParams { mib: 3 }, DType::F32).bytes, 2.0 * 3.0 * 1_048_576.0);
    assert_eq!(Read::work(&ReadParams { kib: 5 * 64 }, DType::F32).bytes, 5.0 * 65_536.0);
    let params = FmaParams { tasks: 3 };
    assert_eq!(Fma::work(&params, DType::F32).flops, 2.0 * 4096.0 * 3.0 * 384.0);
    let one_step = f64::exp(-1.0) / 4096.0;
    assert!(Fma::tolerance(&params, DType::F32) < 4.0 * one_step, "a few missing steps must show");
    let params = Int8DotParams { tasks: 3 };
    assert_eq!(Int8Dot::work(&params, DType::F32).flops, 2.0 * 4096.0 * 3.0 * 1920.0);
    // By hand: forty steps add up to 140, and the last sixteen of 256 to 48.
    let right = Int8Dot::reference(&params, &Int8Dot::inputs(&params, 1), 1).answers.remove(0).values;
    let from = Int8Dot::inputs(&params, 1);
    let mut off = right.iter().zip(from.numbers("from")).map(|(sum, number)| sum - f64::from(*number));
    assert!(off.all(|sum| (sum - 16.0 * (6.0 * 140.0 + 48.0)).abs() < 1e-9));
    let params = TileDotParams { format: "bf16".into(), tasks: 2 };
    assert_eq!(TileDot::work(&params, DType::F32).flops, 2.0 * 16_384.0 * 2.0 * 1024.0);
    // By hand: 97 of row 0 and column 0, 110 of the row below and 114 of the column beside, 512 times each.
    let right = TileDot::reference(&params, &TileDot::inputs(&params, 1), 1).answers.remove(0).values;
    let from = TileDot::inputs(&params, 1);
    for (place, sum) in [(0, 97.0), (32, 110.0), (1, 114.0), (1024, 97.0)] {
        let off = right[place] - f64::from(from.numbers("from")[place]);
        assert!((off - 512.0 * sum).abs() < 1e-9, "{place}: {off}");
    }
}
