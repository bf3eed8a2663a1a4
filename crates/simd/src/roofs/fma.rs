//! Many chains, on all threads.
#![expect(unsafe_code, reason = "the tools of an instruction set are made where it was detected")]

use super::isa::{self, Roof};
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::team::share;

/// Numbers of a task: a whole number of what any instruction set works on at once.
pub const CHAINS: usize = 384;

/// `steps` times `x = x · factor + term` into `out`, for all of `from` `[tasks, 384]`, each in a register from the first step to
/// the last: two operations a step and number.
///
/// # Errors
/// Numbers that are no whole tasks or not as many as results, an instruction set that is absent.
pub fn multiply_add(isa: Isa, steps: usize, [factor, term]: [f32; 2], from: &[f32], out: &mut [f32]) -> Result<()> {
    if !from.len().is_multiple_of(CHAINS) {
        return Err(Error::Shape(format!("{} numbers are no whole number of tasks of {CHAINS}", from.len())));
    }
    expect_len("the results", &[from.len()], out.len())?;
    with_isa!(isa, |roof| run(&roof, steps, [factor, term], from, out));
    Ok(())
}

fn run<R: Roof + Sync>(roof: &R, steps: usize, [factor, term]: [f32; 2], from: &[f32], out: &mut [f32]) {
    share(out.chunks_exact_mut(CHAINS).zip(from.chunks_exact(CHAINS)), |(task, from)| {
        task.copy_from_slice(from);
        task.chunks_exact_mut(R::WIDTH).for_each(|part| roof.chains(steps, factor, term, part));
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
}
