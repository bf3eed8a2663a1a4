//! Host arrays to burn tensors and back.

use benchbook_core::{DType, HostArray, Result};
use burn::tensor::{Bool, DType as BurnDType, Device, Tensor, TensorData};

/// burn's name of a dtype.
pub fn burn_dtype(dtype: DType) -> BurnDType {
    match dtype {
        DType::F64 => BurnDType::F64,
        DType::F32 => BurnDType::F32,
        DType::F16 => BurnDType::F16,
        DType::Bf16 => BurnDType::BF16,
    }
}

/// Copies an array to a device as `dtype`.
pub fn upload<const D: usize>(array: &HostArray, device: &Device, dtype: DType) -> Tensor<D> {
    let data = TensorData::new(array.data.clone(), array.shape.clone());
    Tensor::from_data(data, (device, burn_dtype(dtype)))
}

/// Numbers made before timing (angles, penalties), on a device as `dtype`: rounded to `f32` only where that is no wider.
pub fn upload_numbers<const D: usize>(
    numbers: impl Iterator<Item = f64>,
    shape: [usize; D],
    device: &Device,
    dtype: DType,
) -> Tensor<D> {
    let data = match dtype {
        DType::F64 => TensorData::new(numbers.collect::<Vec<f64>>(), shape),
        _ => TensorData::new(numbers.map(|number| number as f32).collect::<Vec<f32>>(), shape),
    };
    Tensor::from_data(data, (device, burn_dtype(dtype)))
}

/// Copies an array of zeros and ones to a device: true where the element is not zero.
pub fn upload_mask<const D: usize>(array: &HostArray, device: &Device) -> Tensor<D, Bool> {
    let values: Vec<bool> = array.data.iter().map(|value| *value != 0.0).collect();
    Tensor::from_data(TensorData::new(values, array.shape.clone()), device)
}

/// Reads a tensor back to the host as `f32`.
///
/// # Errors
/// A message when the device fails to deliver: a kernel that never ran shows here.
pub fn download<const D: usize>(tensor: Tensor<D>) -> Result<HostArray, String> {
    let shape = tensor.dims().to_vec();
    let data =
        tensor.try_into_data_dtype(BurnDType::F32).map_err(|error| format!("the result cannot be read: {error}"))?;
    let values = data.as_slice::<f32>().map_err(|error| format!("the result cannot be read: {error}"))?.to_vec();
    Ok(HostArray::new(shape, values))
}
