//! What memory gives where it is not read one line after another.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Work};

use crate::decoding::Uniform;

/// Sums of a buffer that is read by lines of the caches, each once, in an order that a list gives (Drepper, *What Every Programmer
/// Should Know About Memory*, 2007, section 3.3.2): one after another, `stride` lines apart, or at random. The work is the same for
/// every order, and so its time says what the order costs.
///
/// Inputs: `from` `[lines, 16]`, `order` `[lines]` of `i32`. Result: `[lines / 1024]`, each the sum of the 1,024 lines that come next in
/// the order.
pub struct ReadPattern;

/// Numbers of a line of 64 bytes.
pub const LINE: usize = 16;

/// Lines of a sum.
pub const VISITED: usize = 1024;

/// Lines of a KiB of `f32`, and KiB of a sum.
const LINES: usize = 256 / LINE;
const BLOCK: usize = VISITED / LINES;

benchbook_core::parameters! {
    /// Parameters of [`ReadPattern`].
    pub struct ReadPatternParams {
        /// size of the buffer in KiB of f32, a multiple of 64
        kib: usize = 65_536, BLOCK as i64..=1 << 20;
        /// lines of 64 bytes from one that is read to the next: 1 one after another, 0 at random
        stride: usize = 1, 0..=1 << 20;
    }
}

impl ReadPatternParams {
    /// Lines of the buffer.
    pub fn lines(&self) -> usize {
        self.kib * LINES
    }

    /// Every line once: from the beginning to the end by steps of the stride, and again from the next line; at random, shuffled
    /// (Fisher and Yates, as Durstenfeld has it, 1964).
    pub fn order(&self, seed: u64) -> Vec<i32> {
        let lines = self.lines();
        if self.stride > 0 {
            let from = |start: usize| (start..lines).step_by(self.stride).map(|line| line as i32);
            return (0..self.stride).flat_map(from).collect();
        }
        let (mut order, mut uniform): (Vec<i32>, _) = ((0..lines as i32).collect(), Uniform::new(seed));
        for end in (1..lines).rev() {
            order.swap(end, uniform.up_to(end + 1) - 1);
        }
        order
    }
}

impl Problem for ReadPattern {
    const NAME: &'static str = "read-pattern";
    const ABOUT: &'static str =
        "sums of a buffer that is read in turn, by strides, or at random: what a pattern of access costs";
    type Params = ReadPatternParams;

    fn presets() -> Vec<Preset> {
        let of = |mib: i64| {
            move |stride: i64| Params::default().with("kib", (1024 * mib).into()).with("stride", stride.into())
        };
        vec![
            Preset { name: "quick", cases: [1, 64, 0].map(of(16)).into() },
            Preset { name: "default", cases: [1, 2, 4, 64, 1024, 0].map(of(64)).into() },
        ]
    }

    fn ugly() -> Vec<ReadPatternParams> {
        // One sum; strides that divide nothing; nearly all lines; at random.
        let cases = [(1, 1), (3, 7), (1, 1023), (2, 1000), (17, 0)];
        cases.map(|(blocks, stride)| ReadPatternParams { kib: blocks * BLOCK, stride }).into()
    }

    fn check(params: &ReadPatternParams) -> Result<(), (&'static str, String)> {
        let ReadPatternParams { kib, stride } = *params;
        if !kib.is_multiple_of(BLOCK) {
            return Err(("kib", format!("{kib} is no multiple of {BLOCK}")));
        }
        if stride >= params.lines() {
            return Err(("stride", format!("{stride} is not below the {} lines of the buffer", params.lines())));
        }
        Ok(())
    }

    fn label(params: &ReadPatternParams) -> String {
        let ReadPatternParams { kib, stride } = *params;
        let size = if kib.is_multiple_of(1024) { format!("{} MiB", kib / 1024) } else { format!("{kib} KiB") };
        match stride {
            0 => format!("{size} at random"),
            1 => format!("{size} in turn"),
            stride => format!("{size} stride {stride}"),
        }
    }

    fn inputs(params: &ReadPatternParams, seed: u64) -> Inputs {
        let lines = params.lines();
        Inputs::from([
            ("from", Array::normal(vec![lines, LINE], seed, 1)),
            ("order", Array::new(vec![lines], &params.order(seed))),
        ])
    }

    fn reference(_params: &ReadPatternParams, inputs: &Inputs, _seed: u64) -> Reference {
        let (from, order) = (inputs.numbers("from"), inputs.get("order").of::<i32>());
        let line = |line: &i32| from[*line as usize * LINE..][..LINE].iter().map(|number| f64::from(*number));
        let values: Vec<f64> = order.chunks_exact(VISITED).map(|lines| lines.iter().flat_map(line).sum()).collect();
        Reference::of(vec![values.len()], vec![0], values)
    }

    /// Every number and the order are read once.
    fn work(params: &ReadPatternParams, dtype: DType) -> Work {
        let lines = params.lines() as f64;
        let numbers = lines * LINE as f64;
        Work { flops: numbers, bytes: numbers * dtype.bytes() as f64 + 4.0 * lines }
    }

    /// As of [`Read`](super::Read): a line that is left out is some 4.
    fn tolerance(_params: &ReadPatternParams, _dtype: DType) -> f64 {
        1e-4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_has_every_line_once() {
        for stride in [0, 1, 7, 64, 1023] {
            let order = ReadPatternParams { kib: BLOCK, stride }.order(5);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..VISITED as i32), "{stride}");
            if stride > 0 {
                assert_eq!(order[..2], [0, stride as i32]);
            }
        }
        let random = ReadPatternParams { kib: BLOCK, stride: 0 };
        let order = random.order(5);
        assert!(order == random.order(5) && order != random.order(6));
        // Of a thousand lines about one follows the one before it.
        let in_turn = order.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
        assert!(in_turn < 12, "{in_turn}");
    }

    #[test]
    fn what_is_read_is_counted_by_hand() {
        let params = ReadPatternParams { kib: 3 * BLOCK, stride: 0 };
        let work = ReadPattern::work(&params, DType::F32);
        assert_eq!((work.flops, work.bytes), (49_152.0, 3.0 * (65_536.0 + 4096.0)));
    }
}
