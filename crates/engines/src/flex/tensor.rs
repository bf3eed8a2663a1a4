//! Host arrays to burn tensors and back.

use benchbook_core::{Array, DType, Error, Result, Setting};
use burn::tensor::{Bool, DType as BurnDType, Device, Tensor, TensorData};

use crate::flex::open;

/// burn's name of a dtype.
///
/// # Errors
/// A dtype that is none of the four floats of 64 to 16 bits: nothing here computes in it.
pub fn burn_dtype(dtype: DType) -> Result<BurnDType, String> {
    match dtype {
        DType::F64 => Ok(BurnDType::F64),
        DType::F32 => Ok(BurnDType::F32),
        DType::F16 => Ok(BurnDType::F16),
        DType::Bf16 => Ok(BurnDType::BF16),
        other => Err(format!("tensors of burn are {} here, not {other}", DType::FLOATS.map(DType::name).join(", "))),
    }
}

/// Where inputs go: a device, and the dtype that real numbers have there.
pub struct Target {
    /// The device.
    pub device: Device,
    /// burn's name of the dtype.
    pub dtype: BurnDType,
}

impl Target {
    /// What a setting asks for.
    ///
    /// # Errors
    /// A device that is absent, or a dtype that [`burn_dtype`] refuses.
    pub fn of(setting: &Setting) -> Result<Self> {
        let dtype = burn_dtype(setting.dtype).map_err(|reason| Error::Implementation {
            implementation: "burn".into(),
            device: setting.device.clone(),
            reason,
        })?;
        Ok(Self { device: open(&setting.device)?, dtype })
    }

    /// Copies an array of real numbers to the device.
    ///
    /// # Panics
    /// If the numbers are not `f32`, as those of every workload are.
    pub fn upload<const D: usize>(&self, array: &Array) -> Tensor<D> {
        self.upload_as(array, std::array::from_fn(|axis| array.shape()[axis]))
    }

    /// The same in a shape of as many numbers.
    ///
    /// # Panics
    /// As [`Target::upload`].
    pub fn upload_as<const D: usize>(&self, array: &Array, shape: [usize; D]) -> Tensor<D> {
        let data = TensorData::new(array.of::<f32>().to_vec(), shape);
        Tensor::from_data(data, (&self.device, self.dtype))
    }

    /// Copies numbers made before timing (angles, penalties): rounded to `f32` only where the dtype is no wider.
    pub fn upload_numbers<const D: usize>(&self, numbers: impl Iterator<Item = f64>, shape: [usize; D]) -> Tensor<D> {
        let data = match self.dtype {
            BurnDType::F64 => TensorData::new(numbers.collect::<Vec<f64>>(), shape),
            _ => TensorData::new(numbers.map(|number| number as f32).collect::<Vec<f32>>(), shape),
        };
        Tensor::from_data(data, (&self.device, self.dtype))
    }

    /// Copies flags to the device.
    ///
    /// # Panics
    /// If the array holds something else.
    pub fn upload_mask<const D: usize>(&self, array: &Array) -> Tensor<D, Bool> {
        let flags: Vec<bool> = array.as_flags().collect();
        Tensor::from_data(TensorData::new(flags, array.shape().to_vec()), &self.device)
    }
}

/// Reads a tensor back to the host, in its own dtype.
///
/// # Errors
/// A message when the device fails to deliver: a kernel that never ran shows here.
pub fn download<const D: usize>(tensor: Tensor<D>) -> Result<Array, String> {
    let shape = tensor.dims().to_vec();
    let data = tensor.try_into_data().map_err(|error| format!("the result cannot be read: {error}"))?;
    let dtype = DType::FLOATS.into_iter().find(|dtype| burn_dtype(*dtype) == Ok(data.dtype()));
    let dtype = dtype.ok_or_else(|| format!("the result is {:?}, which is no float of 64 to 16 bits", data.dtype()))?;
    Array::from_bytes(dtype, shape, data.as_bytes()).map_err(|error| format!("the result cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_float_comes_back_in_its_own_dtype_and_nothing_else_goes() {
        // Exact in eight bits of mantissa.
        let numbers = Array::new(vec![2, 3], &[1.0_f32, -2.5, 0.0, 0.75, 96.0, -1.0]);
        for dtype in DType::ALL {
            let setting = Setting { device: "flex".into(), dtype, threads: 1, copies: 1 };
            match Target::of(&setting) {
                Ok(target) => {
                    let back = download(target.upload::<2>(&numbers)).unwrap();
                    assert_eq!((back.dtype(), back.shape()), (dtype, numbers.shape()));
                    assert_eq!(back.to_f64(), numbers.to_f64());
                }
                Err(error) => {
                    let said = error.to_string();
                    assert!(!DType::FLOATS.contains(&dtype) && said.contains(&format!("not {dtype}")), "{said}");
                }
            }
        }
    }
}
