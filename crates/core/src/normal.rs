//! Standard normal numbers that threads draw together, the very ones that one thread draws one after another.

use std::mem::take;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Words of the generator that a thread draws from at a time.
const PART: u128 = 1 << 17;

/// Words that a number takes at least: one in eighty takes more.
const LEAST: u128 = 2;

/// The generator of a stream, at its beginning.
pub fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Draws as many numbers as there are places, the same on every machine for one `(seed, stream)`.
///
/// Any word of the generator can be had at once, and only where a number begins is known from the one before alone. So each thread begins
/// at the first word of a part, which is right for nearly all parts; the others are drawn again from where the last number has ended.
pub fn draw(to: &mut [f32], seed: u64, stream: u64) {
    let generator = generator(seed, stream);
    let words = LEAST * to.len() as u128;
    let (mut rest, mut next) = (to, 0);
    if words > PART {
        let ends = |part: usize| [part as u128 * PART, words.min((part as u128 + 1) * PART)];
        let parts = 0..words.div_ceil(PART) as usize;
        let drawn: Vec<Drawn> = parts.into_par_iter().map(|part| Drawn::between(&generator, ends(part))).collect();
        let mut placed = Vec::with_capacity(drawn.len());
        for (part, drawn) in drawn.into_iter().enumerate() {
            let [first, end] = ends(part);
            let drawn = if first == next { drawn } else { Drawn::between(&generator, [next, end]) };
            next = drawn.next;
            let (mine, others) = take(&mut rest).split_at_mut(drawn.numbers.len());
            placed.push((mine, drawn.numbers));
            rest = others;
        }
        placed.into_par_iter().for_each(|(to, numbers)| to.copy_from_slice(&numbers));
    }
    let mut rng = generator;
    rng.set_word_pos(next);
    rest.iter_mut().for_each(|number| *number = StandardNormal.sample(&mut rng));
}

/// Numbers that follow each other.
struct Drawn {
    numbers: Vec<f32>,
    /// The word behind those of the last one.
    next: u128,
}

impl Drawn {
    /// The numbers from this word on, until the last one ends at `end` or behind it: no more than there are pairs of words before.
    fn between(generator: &ChaCha8Rng, [first, end]: [u128; 2]) -> Self {
        let (mut rng, mut next) = (generator.clone(), first);
        rng.set_word_pos(first);
        let mut numbers: Vec<f32> = Vec::with_capacity((end.saturating_sub(first) / LEAST) as usize);
        while next < end {
            // Where the generator stands is not asked for after each number.
            let some = ((end - next) / (2 * LEAST)).max(1) as usize;
            numbers.extend(Distribution::<f32>::sample_iter(StandardNormal, &mut rng).take(some));
            next = rng.get_word_pos();
        }
        Self { numbers, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_draw_what_one_draws_alone() {
        let part = (PART / LEAST) as usize;
        for count in [0, 1, 1000, part - 1, part, part + 1, 2 * part + 7, 100 * part + 3] {
            let mut together = vec![0.0; count];
            draw(&mut together, 7, count as u64);
            let alone: Vec<f32> = StandardNormal.sample_iter(&mut generator(7, count as u64)).take(count).collect();
            // Not told: they may be millions.
            assert!(together == alone, "{count}");
        }
    }

    #[test]
    fn a_number_may_end_in_the_next_part() {
        let generator = generator(7, 1);
        let alone = Drawn::between(&generator, [0, 4 * PART]);
        let behind = |end| Drawn::between(&generator, [0, end]).next > end;
        assert!((1..1000).any(|pair| behind(LEAST * pair)));
        let some = Drawn::between(&generator, [0, PART]);
        let others = Drawn::between(&generator, [some.next, 4 * PART]);
        assert!([some.numbers, others.numbers].concat() == alone.numbers && others.next == alone.next);
    }
}
