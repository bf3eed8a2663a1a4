//! A call of PyTorch as a row of the engine's table.

use benchbook_core::{DType, Inputs, Problem, Result, Row, Setting, Subject};
use tch::{TchError, Tensor};

use super::engine;
use super::mkl::DEVICES;
use super::subject::{TorchSubject, torch_error};

/// PyTorch's own code for a problem, without burn in between (EN1): what a call needs, made before timing, and the call, which
/// gives `N` results.
pub trait Call<const N: usize>: Sized + 'static {
    /// What it solves.
    type Problem: Problem;

    /// What a call needs, on the device.
    ///
    /// # Errors
    /// Torch refuses.
    fn prepared(
        setting: &Setting,
        params: &<Self::Problem as Problem>::Params,
        inputs: &Inputs,
    ) -> Result<Self, TchError>;

    /// The call: a result for each answer of the reference, in its order.
    ///
    /// # Errors
    /// Torch refuses.
    fn call(&self) -> Result<[Tensor; N], TchError>;

    /// The input called `name`, or a view of it, where the call takes it as it is.
    fn input(&self, name: &str) -> Option<Tensor>;
}

/// The row of a call: what is called, in a line.
pub const fn row<C: Call<N>, const N: usize>(name: &'static str, about: &'static str) -> Row<C::Problem> {
    Row::<C::Problem>::new(name, about, &DEVICES, &DType::FLOATS, engine, subject::<C, N>).catalogue(&["EN1"])
}

fn subject<C: Call<N>, const N: usize>(
    name: &'static str,
    setting: &Setting,
    params: &<C::Problem as Problem>::Params,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let copies: Result<Vec<C>, _> = (0..setting.copies).map(|_| C::prepared(setting, params, inputs)).collect();
    let copies = copies.map_err(|error| torch_error(name, &setting.device, error))?;
    Ok(Box::new(TorchSubject::new(name, &setting.device, copies)))
}
