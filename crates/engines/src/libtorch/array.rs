//! Host arrays to torch tensors and back.

use benchbook_core::{DType, HostArray, Inputs, Setting};
use tch::{Kind, TchError, Tensor};

/// Copies an array into a tensor of `dtype` on the CPU.
pub fn upload(array: &HostArray, dtype: DType) -> Result<Tensor, TchError> {
    let shape: Vec<i64> = array.shape.iter().map(|length| *length as i64).collect();
    // `copy = true`: a tensor of its own, also where the dtype stays.
    Tensor::f_from_slice(&array.data)?.f_reshape(&shape)?.f_to_dtype(kind(dtype), false, true)
}

/// Numbers made before timing (angles, penalties) as a tensor of `dtype`: rounded to `f32` only where that is no wider.
pub fn upload_numbers(numbers: impl Iterator<Item = f64>, shape: &[i64], dtype: DType) -> Result<Tensor, TchError> {
    let flat = match dtype {
        DType::F64 => Tensor::f_from_slice(&numbers.collect::<Vec<f64>>())?,
        _ => Tensor::f_from_slice(&numbers.map(|number| number as f32).collect::<Vec<f32>>())?,
    };
    flat.f_reshape(shape)?.f_to_dtype(kind(dtype), false, false)
}

fn kind(dtype: DType) -> Kind {
    match dtype {
        DType::F64 => Kind::Double,
        DType::F32 => Kind::Float,
        DType::F16 => Kind::Half,
        DType::Bf16 => Kind::BFloat16,
    }
}

/// Queries, keys and values of a case.
pub fn upload_attended(setting: &Setting, inputs: &Inputs) -> Result<[Tensor; 3], TchError> {
    let [query, key, value] = ["query", "key", "value"].map(|name| upload(inputs.get(name), setting.dtype));
    Ok([query?, key?, value?])
}

/// Reads a tensor back as `f32`.
pub fn download(tensor: &Tensor) -> Result<HostArray, TchError> {
    let shape: Vec<usize> = tensor.size().into_iter().map(|length| length as usize).collect();
    let tensor = tensor.f_to_dtype(Kind::Float, false, false)?.f_contiguous()?;
    let mut data = vec![0.0_f32; tensor.numel()];
    let count = data.len();
    tensor.f_copy_data(&mut data, count)?;
    Ok(HostArray::new(shape, data))
}
