//! A call of candle as a row of a table.

use std::hint::black_box;

use benchbook_core::{Array, DType, Inputs, Problem, Result, Row, Setting, Subject};
use benchbook_simd::Isa;
use candle_core::{Device, Tensor};

use crate::flex::failed;
use crate::turns::{Turn, Turns};

/// candle's own code for a problem: what a call needs, made before timing, and the call.
pub trait Call: Sized + 'static {
    /// What it solves.
    type Problem: Problem;

    /// What a call needs.
    ///
    /// # Errors
    /// candle refuses.
    fn prepared(params: &<Self::Problem as Problem>::Params, inputs: &Inputs) -> candle_core::Result<Self>;

    /// The call.
    ///
    /// # Errors
    /// candle refuses.
    fn call(&self) -> candle_core::Result<Tensor>;

    /// The input called `name`, where the call takes it as it is.
    fn input(&self, name: &str) -> Option<&Tensor>;
}

/// The row of a call: what is called, in a line. One of many that few runs want side by side, and so on request.
pub const fn row<C: Call>(name: &'static str, about: &'static str) -> Row<C::Problem> {
    Row::<C::Problem>::new(name, about, &["flex"], &[DType::F32], engine, subject::<C>).catalogue(&["EN6"]).on_request()
}

/// Its products choose their instructions as our own kernels do (gemm-common 0.19, `init_gemm_fn`).
fn engine(_device: &str) -> (String, String) {
    ("candle".to_owned(), format!("{} gemm {}", env!("CANDLE_VERSION"), Isa::detect().name()))
}

fn subject<C: Call>(
    name: &'static str,
    setting: &Setting,
    params: &<C::Problem as Problem>::Params,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    enough(candle_core::utils::get_num_threads(), setting.threads)
        .map_err(|reason| failed(name, &setting.device, &reason))?;
    let copy = |_| C::prepared(params, inputs).map(|call| Kept { call, output: None }).map_err(text);
    Ok(Box::new(Turns::new(name, &setting.device, (0..setting.copies).map(copy))?))
}

/// candle asks the environment how many threads it takes, and never the pool that it runs on.
fn enough(takes: usize, asked: usize) -> std::result::Result<(), String> {
    if takes >= asked {
        return Ok(());
    }
    Err(format!(
        "candle takes {takes} threads in this process, not {asked}: set RAYON_NUM_THREADS={asked} before it starts, as \
         `benchbook run` does for its workers"
    ))
}

fn text(error: candle_core::Error) -> String {
    error.to_string()
}

/// An array on the CPU: real numbers, or token ids, which candle wants without a sign.
///
/// # Errors
/// candle has no memory.
pub fn upload(array: &Array) -> candle_core::Result<Tensor> {
    match array.dtype() {
        DType::I32 => {
            let ids: Vec<u32> = array.of::<i32>().iter().map(|id| id.cast_unsigned()).collect();
            Tensor::from_vec(ids, array.shape(), &Device::Cpu)
        }
        _ => Tensor::from_slice(array.of::<f32>(), array.shape(), &Device::Cpu),
    }
}

/// The tensor of that name.
pub fn find<'a>(names: &[&str], tensors: &[&'a Tensor], name: &str) -> Option<&'a Tensor> {
    names.iter().zip(tensors).find(|(known, _)| **known == name).map(|(_, tensor)| *tensor)
}

/// A call and what it has given last.
struct Kept<C> {
    call: C,
    output: Option<Tensor>,
}

impl<C: Call> Turn for Kept<C> {
    const IN_RUST: bool = true;

    fn call(&mut self) -> std::result::Result<(), String> {
        // A call may write where the last one did, as our kernels do.
        self.output = None;
        self.output = Some(black_box(black_box(&self.call).call()).map_err(text)?);
        Ok(())
    }

    fn overwrite(&mut self, input: &str, first: usize, values: &[f32]) -> std::result::Result<bool, String> {
        self.call.input(input).map_or(Ok(false), |tensor| overwrite(tensor, first, values).map(|()| true).map_err(text))
    }

    fn outputs(&self) -> std::result::Result<Vec<Array>, String> {
        let output = self.output.as_ref().ok_or("the last call has given nothing")?;
        let numbers = output.flatten_all().and_then(|flat| flat.to_vec1::<f32>()).map_err(text)?;
        Ok(vec![Array::new(output.dims().to_vec(), &numbers)])
    }
}

/// Overwrites whole rows of the last axis, `first` and what follows, in place.
fn overwrite(tensor: &Tensor, first: usize, values: &[f32]) -> candle_core::Result<()> {
    // Of one axis, each row is all of it.
    let width = tensor.dims().last().copied().unwrap_or(1).max(1);
    let rows = tensor.reshape((tensor.elem_count() / width, width))?;
    let values = Tensor::from_slice(values, (values.len() / width, width), &Device::Cpu)?;
    rows.slice_set(&values.to_dtype(tensor.dtype())?, 0, first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_overwritten_where_they_lie() {
        let numbers = upload(&Array::new(vec![2, 2, 2], &[0.0_f32, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])).unwrap();
        overwrite(&numbers, 1, &[-2.0, -3.0, -4.0, -5.0]).unwrap();
        let found = numbers.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(found, [0.0, 1.0, -2.0, -3.0, -4.0, -5.0, 6.0, 7.0]);
        let ids = upload(&Array::new(vec![3], &[4_i32, 5, 6])).unwrap();
        overwrite(&ids, 0, &[6.0, 5.0, 4.0]).unwrap();
        assert_eq!(ids.to_vec1::<u32>().unwrap(), [6, 5, 4]);
    }

    #[test]
    fn fewer_threads_than_asked_for_are_refused_with_what_to_do() {
        assert_eq!(enough(2, 2), Ok(()));
        assert!(enough(1, 4).is_err_and(|reason| reason.contains("RAYON_NUM_THREADS=4")));
    }
}
