//! Host arrays to torch tensors and back.

use benchbook_core::{Array, DType, Element, Inputs, Setting};
use tch::{Kind, TchError, Tensor, kind};

/// Copies an array into a tensor on the CPU: real numbers as `dtype`, anything else as it is.
///
/// # Errors
/// Torch has no such elements, or no memory.
pub fn upload(array: &Array, dtype: DType) -> Result<Tensor, TchError> {
    let shape: Vec<i64> = array.shape().iter().map(|length| *length as i64).collect();
    let (flat, kind) = match array.dtype() {
        DType::F32 => (Tensor::f_from_slice(array.of::<f32>())?, kind_of(dtype)?),
        DType::I64 => (Tensor::f_from_slice(array.of::<i64>())?, Kind::Int64),
        DType::I32 => (Tensor::f_from_slice(array.of::<i32>())?, Kind::Int),
        DType::Bool => (Tensor::f_from_slice(&array.as_flags().collect::<Vec<bool>>())?, Kind::Bool),
        other => return Err(TchError::Kind(format!("an input of {other} is not given to libtorch"))),
    };
    // `copy = true`: a tensor of its own, also where the dtype stays.
    flat.f_reshape(&shape)?.f_to_dtype(kind, false, true)
}

/// Numbers made before timing (angles, penalties) as a tensor of `dtype`: rounded to `f32` only where that is no wider.
///
/// # Errors
/// As of [`upload`].
pub fn upload_numbers(numbers: impl Iterator<Item = f64>, shape: &[i64], dtype: DType) -> Result<Tensor, TchError> {
    let flat = match dtype {
        DType::F64 => Tensor::f_from_slice(&numbers.collect::<Vec<f64>>())?,
        _ => Tensor::f_from_slice(&numbers.map(|number| number as f32).collect::<Vec<f32>>())?,
    };
    flat.f_reshape(shape)?.f_to_dtype(kind_of(dtype)?, false, false)
}

fn kind_of(dtype: DType) -> Result<Kind, TchError> {
    match dtype {
        DType::F64 => Ok(Kind::Double),
        DType::F32 => Ok(Kind::Float),
        DType::F16 => Ok(Kind::Half),
        DType::Bf16 => Ok(Kind::BFloat16),
        other => Err(TchError::Kind(format!("libtorch is not asked to compute in {other}"))),
    }
}

/// Queries, keys and values of a case.
///
/// # Errors
/// As of [`upload`].
pub fn upload_attended(setting: &Setting, inputs: &Inputs) -> Result<[Tensor; 3], TchError> {
    let [query, key, value] = ["query", "key", "value"].map(|name| upload(inputs.get(name), setting.dtype));
    Ok([query?, key?, value?])
}

/// Reads a tensor back: `f64` as it is, what is no wider than `f32` as that.
///
/// # Errors
/// Torch cannot deliver it.
pub fn download(tensor: &Tensor) -> Result<Array, TchError> {
    match tensor.f_kind()? {
        Kind::Double => numbers::<f64>(tensor),
        _ => numbers::<f32>(&tensor.f_to_dtype(Kind::Float, false, false)?),
    }
}

fn numbers<T: kind::Element + Element>(tensor: &Tensor) -> Result<Array, TchError> {
    let shape = tensor.size().into_iter().map(|length| length as usize).collect();
    let mut elements = vec![T::ZERO; tensor.numel()];
    let count = elements.len();
    tensor.f_contiguous()?.f_copy_data(&mut elements, count)?;
    Ok(Array::new(shape, &elements))
}
