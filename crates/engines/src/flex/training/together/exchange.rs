//! One gradient of two: what each worker sends of its own, and what both make of them.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;

use benchbook_core::Array;
use benchbook_simd::{self as simd, Feedback, Isa, PowerSgd, TopKRoom};

/// Of a thousand numbers those that travel, one at least.
const PER_MILLE: usize = 10;

/// Columns of a factor at most.
const RANK: usize = 4;

/// What a worker sends of its gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// All of it, in `f32`.
    Whole,
    /// Integers of eight bits with a scale for each row; what rounding takes is added to the next gradient (Karimireddy et al., arXiv
    /// 1901.09847).
    Int8,
    /// The same, and what rounding takes is lost.
    Int8Plain,
    /// The largest hundredth of the numbers; what is left is added to the next gradient (Lin et al., arXiv 1712.01887, section 3).
    TopK,
    /// The same, and what is left is lost.
    TopKPlain,
    /// Two factors of low rank, from where the last ones ended; what they lack is added to the next gradient (Vogels et al., arXiv
    /// 1905.13727, algorithm 1). Each worker sends its own, so that the mean has twice the rank.
    Power,
    /// The same, and what they lack is lost.
    PowerPlain,
}

impl Scheme {
    /// All of them, by their numbers on the wire.
    pub const ALL: [Self; 7] =
        [Self::Whole, Self::Int8, Self::Int8Plain, Self::TopK, Self::TopKPlain, Self::Power, Self::PowerPlain];

    /// Numbers of a gradient of so many that travel, where not all do.
    pub fn taken(numbers: usize) -> usize {
        (numbers * PER_MILLE).div_ceil(1000)
    }

    /// Bytes that travel of so many numbers, in rows of `width`.
    pub fn bytes(self, numbers: usize, width: usize) -> usize {
        match self {
            Self::Whole => numbers * size_of::<f32>(),
            Self::Int8 | Self::Int8Plain => numbers + numbers / width * size_of::<f32>(),
            Self::TopK | Self::TopKPlain => Self::taken(numbers) * (size_of::<f32>() + size_of::<u32>()),
            Self::Power | Self::PowerPlain => factors(numbers, width).iter().sum::<usize>() * size_of::<f32>(),
        }
    }
}

/// The size of a gradient as a matrix, and the rank of its factors.
pub fn matrix(numbers: usize, width: usize) -> [usize; 3] {
    let rows = numbers / width;
    [rows, width, RANK.min(rows).min(width)]
}

/// Numbers of the first and of the second factor.
fn factors(numbers: usize, width: usize) -> [usize; 2] {
    let [rows, columns, rank] = matrix(numbers, width);
    [rows * rank, columns * rank]
}

/// Where factors begin, `[columns, rank]`: normal numbers (Vogels et al., algorithm 1), the same for everybody. A formula may give columns
/// that others make up but for rounding, as any four sines of one frequency are sums of two.
pub fn begin_with([_, columns, rank]: [usize; 3]) -> Vec<f32> {
    Array::normal(vec![columns, rank], 0, 0).of::<f32>().to_vec()
}

/// What travels; of each scheme some of it.
#[derive(Debug, Clone, Default)]
struct Parts {
    /// The gradient, scales of its rows, those that were taken, or both factors.
    numbers: Vec<f32>,
    codes: Vec<i8>,
    places: Vec<u32>,
}

impl Parts {
    /// Room for what a scheme sends of so many numbers in rows of `width`.
    fn new(scheme: Scheme, numbers: usize, width: usize) -> Self {
        let [count, codes, places] = match scheme {
            Scheme::Whole => [numbers, 0, 0],
            Scheme::Int8 | Scheme::Int8Plain => [numbers / width, numbers, 0],
            Scheme::TopK | Scheme::TopKPlain => [Scheme::taken(numbers), 0, Scheme::taken(numbers)],
            Scheme::Power | Scheme::PowerPlain => [factors(numbers, width).iter().sum(), 0, 0],
        };
        Self { numbers: vec![0.0; count], codes: vec![0; codes], places: vec![0; places] }
    }

    fn send(&self, mut to: &TcpStream) -> io::Result<()> {
        to.write_all(bytemuck::cast_slice(&self.numbers))?;
        to.write_all(bytemuck::cast_slice(&self.codes))?;
        to.write_all(bytemuck::cast_slice(&self.places))
    }

    fn receive(&mut self, mut from: &TcpStream) -> io::Result<()> {
        from.read_exact(bytemuck::cast_slice_mut(&mut self.numbers))?;
        from.read_exact(bytemuck::cast_slice_mut(&mut self.codes))?;
        from.read_exact(bytemuck::cast_slice_mut(&mut self.places))
    }
}

/// A worker's side of an all-reduce of two.
pub struct Exchange {
    scheme: Scheme,
    width: usize,
    isa: Isa,
    /// What was left of the gradients before, and room for what is left of this one.
    before: Vec<f32>,
    left: Vec<f32>,
    own: Parts,
    other: Parts,
    places: Vec<i64>,
    room: TopKRoom,
    /// The second factor of the last gradient.
    start: Vec<f32>,
    size: [usize; 3],
}

impl Exchange {
    /// One for gradients of so many numbers, in rows of `width`.
    pub fn new(scheme: Scheme, numbers: usize, width: usize) -> Self {
        let keeps = matches!(scheme, Scheme::Int8 | Scheme::TopK | Scheme::Power);
        let size = matrix(numbers, width);
        let parts = Parts::new(scheme, numbers, width);
        let left = vec![0.0; if keeps { numbers } else { 0 }];
        Self {
            scheme,
            width,
            isa: Isa::detect(),
            before: left.clone(),
            left,
            places: vec![0; parts.places.len()],
            other: parts.clone(),
            own: parts,
            room: TopKRoom::default(),
            start: begin_with(size),
            size,
        }
    }

    /// Forgets what was left.
    pub fn begin(&mut self) {
        self.before.fill(0.0);
        self.start = begin_with(self.size);
    }

    /// Makes of a gradient what is sent.
    ///
    /// # Errors
    /// A gradient of another length, an instruction set that is absent.
    pub fn compress(&mut self, gradient: &[f32]) -> simd::Result<()> {
        let Self { isa, before, left, own, places, room, start, size, .. } = self;
        match self.scheme {
            Scheme::Whole => {
                own.numbers.copy_from_slice(gradient);
                return Ok(());
            }
            Scheme::Int8 | Scheme::Int8Plain => {
                let feedback = (self.scheme == Scheme::Int8).then_some(Feedback { before, left });
                simd::compress_int8(*isa, gradient, feedback, &mut own.codes, &mut own.numbers)?;
            }
            Scheme::TopK | Scheme::TopKPlain => {
                let feedback = (self.scheme == Scheme::TopK).then_some(Feedback { before, left });
                simd::top_k(*isa, gradient, feedback, room, places, &mut own.numbers)?;
                own.places.iter_mut().zip(places).for_each(|(to, place)| *to = *place as u32);
            }
            Scheme::Power | Scheme::PowerPlain => {
                let feedback = (self.scheme == Scheme::Power).then_some(Feedback { before, left });
                let (first, second) = own.numbers.split_at_mut(size[0] * size[2]);
                let call = PowerSgd { size: *size, gradient, start: &start[..], isa: *isa };
                simd::power_sgd(&call, feedback, [first, &mut *second])?;
                start.copy_from_slice(second);
            }
        }
        std::mem::swap(&mut self.before, &mut self.left);
        Ok(())
    }

    /// Sends what was made, and receives what the other has made.
    ///
    /// # Errors
    /// The other is gone, or does not answer.
    pub fn swap(&mut self, partner: &TcpStream) -> io::Result<()> {
        let (own, other) = (&self.own, &mut self.other);
        // Both at once, so that buffers that are full stop nobody for good.
        thread::scope(|scope| {
            let sent = scope.spawn(|| own.send(partner));
            let received = other.receive(partner);
            let sent = sent.join().unwrap_or_else(|_| Err(io::Error::other("the thread that sends has ended")));
            received.and(sent)
        })
    }

    /// The mean of both, the same bits on either side: a sum of two does not depend on their order.
    pub fn mean(&self, gradient: &mut [f32]) {
        let both = [&self.own, &self.other];
        match self.scheme {
            Scheme::Whole => {
                for (to, (a, b)) in gradient.iter_mut().zip(both[0].numbers.iter().zip(&both[1].numbers)) {
                    *to = 0.5 * (a + b);
                }
            }
            Scheme::Int8 | Scheme::Int8Plain => {
                let rows = gradient.chunks_exact_mut(self.width).enumerate();
                for (row, to) in rows {
                    let [a, b] = both.map(|parts| (&parts.codes[row * self.width..][..to.len()], parts.numbers[row]));
                    for (to, (code, other)) in to.iter_mut().zip(a.0.iter().zip(b.0)) {
                        *to = 0.5 * (f32::from(*code) * a.1 + f32::from(*other) * b.1);
                    }
                }
            }
            Scheme::TopK | Scheme::TopKPlain => {
                gradient.fill(0.0);
                for (place, number) in both.iter().flat_map(|parts| parts.places.iter().zip(&parts.numbers)) {
                    gradient[*place as usize] += 0.5 * number;
                }
            }
            Scheme::Power | Scheme::PowerPlain => {
                let [_, columns, rank] = self.size;
                let [a, b] = both.map(|parts| parts.numbers.split_at(self.size[0] * rank));
                let product = |row: usize, (first, second): (&[f32], &[f32]), column: usize| -> f32 {
                    let factors = first[row * rank..][..rank].iter().zip(&second[column * rank..][..rank]);
                    factors.map(|(first, second)| first * second).sum()
                };
                for (row, to) in gradient.chunks_exact_mut(columns).enumerate() {
                    for (column, to) in to.iter_mut().enumerate() {
                        *to = 0.5 * (product(row, a, column) + product(row, b, column));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use benchbook_workloads::singular::orthonormal;

    use super::super::right::sent;
    use super::*;

    /// Both ends of a connection over the loopback.
    fn connected() -> [TcpStream; 2] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        [one, listener.accept().unwrap().0]
    }

    /// Numbers that are as different as those of a gradient.
    fn numbers(count: usize, seed: f32) -> Vec<f32> {
        (0..count).map(|place| (place as f32 * seed).sin().powi(5)).collect()
    }

    /// What one gets of its gradient and that of the other, over some steps.
    fn means_of(scheme: Scheme, gradient: &[f32], width: usize, steps: usize, end: &TcpStream) -> Vec<Vec<f32>> {
        let mut exchange = Exchange::new(scheme, gradient.len(), width);
        let mut means = Vec::new();
        for _ in 0..steps {
            let mut mean = vec![0.0; gradient.len()];
            exchange.compress(gradient).unwrap();
            exchange.swap(end).unwrap();
            exchange.mean(&mut mean);
            means.push(mean);
        }
        means
    }

    /// What both get.
    fn means(scheme: Scheme, [a, b]: [&[f32]; 2], width: usize, steps: usize) -> [Vec<Vec<f32>>; 2] {
        let [first, second] = connected();
        thread::scope(|scope| {
            let other = scope.spawn(|| means_of(scheme, b, width, steps, &second));
            let one = means_of(scheme, a, width, steps, &first);
            [one, other.join().unwrap()]
        })
    }

    #[test]
    fn both_have_the_same_mean_bit_for_bit() {
        let (width, count) = (64, 64 * 40);
        let (a, b) = (numbers(count, 0.37), numbers(count, 0.61));
        let exact: Vec<f32> = a.iter().zip(&b).map(|(a, b)| 0.5 * (a + b)).collect();
        for scheme in Scheme::ALL {
            let [one, other] = means(scheme, [&a, &b], width, 3);
            assert!(one == other, "{scheme:?}");
            let off = one[0].iter().zip(&exact).map(|(found, exact)| (found - exact).abs()).fold(0.0, f32::max);
            // Rows reach up to 1, so that a step is at most a 127th, and rounding takes half of one from each.
            let most = match scheme {
                Scheme::Whole => 0.0,
                Scheme::Int8 | Scheme::Int8Plain => 0.5 / 127.0 + 1e-6,
                Scheme::TopK | Scheme::TopKPlain => 1.0,
                // No part of a matrix is longer than the matrix.
                Scheme::Power | Scheme::PowerPlain => {
                    a.iter().chain(&b).map(|number| number * number).sum::<f32>().sqrt()
                }
            };
            assert!(off <= most, "{scheme:?}: {off}");
        }
        let kept = means(Scheme::TopKPlain, [&a, &a], width, 1)[0][0].iter().filter(|number| **number != 0.0).count();
        assert_eq!(kept, Scheme::taken(count));
    }

    #[test]
    fn the_first_mean_is_what_plain_loops_make_of_both() {
        let width = 16;
        let [a, b] = [1, 2].map(|stream| Array::normal(vec![40, width], 5, stream).of::<f32>().to_vec());
        for scheme in Scheme::ALL {
            let [one, _] = means(scheme, [&a, &b], width, 1);
            let right = sent(scheme, width, &a).into_iter().zip(sent(scheme, width, &b)).map(|(a, b)| 0.5 * (a + b));
            let off = one[0].iter().zip(right).map(|(found, right)| (f64::from(*found) - right).abs());
            // Sums of 16 and of 40 numbers round by 56 · 2⁻²⁴ at most, and factors by as much times the conditions of a gradient and of
            // a start, about (√40 + √16) / (√40 - √16) and (√16 + √4) / (√16 - √4) of normal numbers, 13 together.
            let off = off.fold(0.0, f64::max);
            assert!(off < 5e-5, "{scheme:?}: {off}");
        }
    }

    #[test]
    fn no_column_of_a_start_is_made_of_the_others() {
        for columns in [16, 64, 768] {
            let start = begin_with([columns, columns, RANK]);
            let column = |place: usize| -> Vec<f64> {
                start.iter().skip(place).step_by(RANK).map(|number| f64::from(*number)).collect()
            };
            let all: Vec<Vec<f64>> = (0..RANK).map(column).collect();
            let dot = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(a, b)| a * b).sum::<f64>();
            for (own, column) in orthonormal(all.clone(), 2).iter().zip(&all) {
                // Three others leave less than a sixteenth of the square of 16 normal numbers in one of 10⁷ draws (a beta of 6.5
                // and 1.5).
                let share = dot(own, column).powi(2) / dot(column, column);
                assert!(share > 1.0 / 16.0, "{columns}: {share}");
            }
        }
    }

    #[test]
    fn what_is_left_comes_later_where_it_is_given_back_and_never_where_it_is_not() {
        let (width, count, steps) = (64, 64 * 4, 300);
        let a: Vec<f32> = (0..count).map(|place| 1.0 + place as f32 / count as f32).collect();
        let sums = |scheme: Scheme| -> Vec<f32> {
            let [one, _] = means(scheme, [&a, &a], width, steps);
            (0..count).map(|place| one.iter().map(|mean| mean[place]).sum::<f32>() / steps as f32).collect()
        };
        // Of 256 numbers three travel a step. They are sent when they have grown to about as much, a third of the sum of all, 128: of
        // what came in 300 steps, the smallest have 170 at least behind them.
        let given_back = sums(Scheme::TopK);
        assert!(
            given_back.iter().zip(&a).all(|(mean, number)| (0.4..1.01).contains(&(mean / number))),
            "{given_back:?}"
        );
        let lost = sums(Scheme::TopKPlain);
        assert_eq!(lost.iter().filter(|mean| **mean > 0.0).count(), Scheme::taken(count), "always the same ones");
    }

    #[test]
    fn factors_lack_less_from_step_to_step_only_where_that_is_given_back() {
        let (width, count) = (64, 64 * 40);
        let a = numbers(count, 0.37);
        let sums = |scheme: Scheme| -> f32 {
            let [one, _] = means(scheme, [&a, &a], width, 40);
            let mean = |place: usize| one.iter().map(|mean| mean[place]).sum::<f32>() / 40.0;
            (0..count).map(|place| (mean(place) - a[place]).powi(2)).sum::<f32>().sqrt()
        };
        // With error feedback, what forty steps sent lacks no more than what is left after the last of them (Vogels et al., section 3).
        let (given_back, lost) = (sums(Scheme::Power), sums(Scheme::PowerPlain));
        assert!(given_back < 0.3 * lost, "{given_back} and {lost}");
    }

    #[test]
    fn a_partner_that_is_gone_is_an_error_and_nobody_waits() {
        for scheme in Scheme::ALL {
            let [one, other] = connected();
            drop(other);
            let mut exchange = Exchange::new(scheme, 64, 64);
            exchange.compress(&numbers(64, 0.3)).unwrap();
            assert!(exchange.swap(&one).is_err(), "{scheme:?}");
        }
    }

    #[test]
    fn what_travels_is_counted() {
        let bytes = Scheme::ALL.map(|scheme| scheme.bytes(1000, 100));
        // Of 10 rows and 100 columns four numbers each.
        assert_eq!(bytes, [4000, 1040, 1040, 80, 80, 4 * 4 * 110, 4 * 4 * 110]);
    }
}
