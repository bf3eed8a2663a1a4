//! What a processor does at best: multiply-adds and exponentials in registers alone, and numbers that are only read, on all
//! threads.
#![expect(unsafe_code, reason = "the tools of an instruction set are made where it was detected")]

mod bytes;
mod isa;
mod tiles;

use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::team::{each, parallel_for};
pub use bytes::{PRODUCTS as BYTE_PRODUCTS, SUMS as BYTE_SUMS, byte_dots};
use isa::Roof;
pub use tiles::{PRODUCTS as TILE_PRODUCTS, SUMS as TILE_SUMS, TileDot, TileFormat, tile_dots};

/// Numbers of a task: a whole number of what any instruction set works on at once.
pub const CHAINS: usize = 384;

/// `steps` times `x = x · factor + term` into `out`, for all of `from` `[tasks, 384]`, each in a register from the first step to
/// the last: two operations a step and number.
///
/// # Errors
/// Numbers that are no whole tasks or not as many as results, an instruction set that is absent.
pub fn multiply_add(isa: Isa, steps: usize, [factor, term]: [f32; 2], from: &[f32], out: &mut [f32]) -> Result<()> {
    check_tasks(from, out)?;
    with_isa!(isa, |roof| run_chains(&roof, steps, [factor, term], from, out));
    Ok(())
}

fn check_tasks(from: &[f32], out: &[f32]) -> Result<()> {
    if !from.len().is_multiple_of(CHAINS) {
        return Err(Error::Shape(format!("{} numbers are no whole number of tasks of {CHAINS}", from.len())));
    }
    expect_len("the results", &[from.len()], out.len())
}

/// Each task in the place of its numbers, on all threads.
fn run_tasks(from: &[f32], out: &mut [f32], work: impl Fn(&mut [f32]) + Sync) {
    parallel_for(out.chunks_exact_mut(CHAINS).zip(from.chunks_exact(CHAINS)), |(task, from)| {
        task.copy_from_slice(from);
        work(task);
    });
}

fn run_chains<R: Roof + Sync>(roof: &R, steps: usize, [factor, term]: [f32; 2], from: &[f32], out: &mut [f32]) {
    run_tasks(from, out, |task| {
        task.chunks_exact_mut(R::WIDTH).for_each(|part| roof.chains(steps, factor, term, part));
    });
}

/// Sums of `2^number` over `steps` steps, after each of which a number is multiplied by `factor`, into `out`, for all of `from`
/// `[tasks, 384]`: an exponential, a product and a sum for each step and number, all of them in registers.
///
/// # Errors
/// As of [`multiply_add`].
pub fn powers(isa: Isa, steps: usize, factor: f32, from: &[f32], out: &mut [f32]) -> Result<()> {
    check_tasks(from, out)?;
    with_isa!(isa, |roof| run_tasks(from, out, |task| roof.powers(steps, factor, task)));
    Ok(())
}

/// Numbers of a sum: 64 KiB, so that adding up registers at its end is nothing beside reading.
pub const SUMMED: usize = 16_384;

/// The sum of every 16,384 of `from` `[blocks, 16384]` into `out` `[blocks]`: each number is read once, and nothing else is
/// as slow.
///
/// # Errors
/// Numbers that are no whole blocks or not as many as there are sums, an instruction set that is absent.
pub fn sums(isa: Isa, from: &[f32], out: &mut [f32]) -> Result<()> {
    if !from.len().is_multiple_of(SUMMED) {
        return Err(Error::Shape(format!("{} numbers are no whole number of blocks of {SUMMED}", from.len())));
    }
    expect_len("the sums", &[from.len() / SUMMED], out.len())?;
    with_isa!(isa, |roof| run_sums(&roof, from, out));
    Ok(())
}

fn run_sums<R: Roof + Sync>(roof: &R, from: &[f32], out: &mut [f32]) {
    let blocks = each(out.len(), SUMMED);
    parallel_for(out.chunks_mut(blocks).zip(from.chunks(blocks * SUMMED)), |(out, from)| {
        out.iter_mut().zip(from.chunks_exact(SUMMED)).for_each(|(sum, block)| *sum = roof.sum(block));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_takes_every_step() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.present()) {
            let from: Vec<f32> = (0..2 * CHAINS).map(|index| index as f32).collect();
            let mut out = vec![f32::NAN; from.len()];
            // Exact in f32: halves of whole numbers.
            multiply_add(isa, 3, [0.5, 1.0], &from, &mut out).unwrap();
            for (index, number) in out.iter().enumerate() {
                assert_eq!(*number, index as f32 / 8.0 + 1.75, "{}", isa.name());
            }
        }
        let said = multiply_add(Isa::Portable, 1, [1.0, 0.0], &[0.0; 5], &mut [0.0; 5]).unwrap_err().to_string();
        assert!(said.contains("384"), "{said}");
        assert!(multiply_add(Isa::Portable, 1, [1.0, 0.0], &[0.0; CHAINS], &mut []).is_err());
    }

    #[test]
    fn every_exponential_is_added() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.present()) {
            let from: Vec<f32> = (0..2 * CHAINS).map(|index| index as f32 / 64.0 - 6.0).collect();
            let mut out = vec![f32::NAN; from.len()];
            // Exact factors: each of three exponentials is off by 2 units of its last place at most.
            powers(isa, 3, 0.5, &from, &mut out).unwrap();
            for (number, sum) in from.iter().map(|number| f64::from(*number)).zip(&out) {
                let right = number.exp2() + (number / 2.0).exp2() + (number / 4.0).exp2();
                assert!(
                    (f64::from(*sum) - right).abs() < 4e-7 * right,
                    "{} of {number}: {sum}, not {right}",
                    isa.name()
                );
            }
        }
        assert!(powers(Isa::Portable, 1, 1.0, &[0.0; 5], &mut [0.0; 5]).is_err());
    }

    #[test]
    fn every_number_is_read_once() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.present()) {
            // Exact in f32: whole numbers below 2^24.
            let from: Vec<f32> = (0..37 * SUMMED).map(|index| (index % 1021) as f32).collect();
            let mut out = vec![f32::NAN; 37];
            sums(isa, &from, &mut out).unwrap();
            for (block, sum) in out.iter().enumerate() {
                assert_eq!(*sum, from[block * SUMMED..][..SUMMED].iter().sum::<f32>(), "{} {block}", isa.name());
            }
            assert!(sums(isa, &[], &mut []).is_ok());
        }
        assert!(sums(Isa::Portable, &[1.0; 5], &mut [0.0]).unwrap_err().to_string().contains("16384"));
        assert!(sums(Isa::Portable, &[1.0; SUMMED], &mut []).is_err());
    }
}
