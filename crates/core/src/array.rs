//! Arrays in host memory, the neutral ground between problems and engines.

use benchbook_formats::{E4M3FN, E5M2, Minifloat, Order, unpacked};
use bytemuck::{AnyBitPattern, NoUninit};
use half::{bf16, f16};
use rand_distr::Distribution;

use crate::DType;
use crate::normal::{self, generator};

/// A dense row-major array of one dtype in host memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    dtype: DType,
    shape: Vec<usize>,
    /// The bytes, in words so that any element can be read where it lies; what the last word has too much is zero.
    words: Vec<u64>,
}

/// A Rust type that is a dtype as it lies in memory.
pub trait Element: NoUninit + AnyBitPattern {
    /// Its dtype.
    const DTYPE: DType;
}

macro_rules! elements {
    ($($element:ty => $dtype:ident,)*) => { $(impl Element for $element { const DTYPE: DType = DType::$dtype; })* };
}

elements! { f64 => F64, f32 => F32, f16 => F16, bf16 => Bf16, i64 => I64, i32 => I32, i8 => I8, u8 => U8, }

/// What makes bytes no array.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes are no {dtype} array of shape {shape:?}{}", .wanted.map(|wanted| format!(", which has {wanted}")).unwrap_or_default())]
pub struct NoArray {
    bytes: usize,
    dtype: DType,
    shape: Vec<usize>,
    wanted: Option<usize>,
}

impl Array {
    /// An array of the given shape.
    ///
    /// # Panics
    /// If `elements` are not exactly as many as `shape` asks for: an error of the code that made them.
    pub fn new<T: Element>(shape: Vec<usize>, elements: &[T]) -> Self {
        assert_eq!(shape.iter().product::<usize>(), elements.len(), "shape {shape:?} does not fit the elements");
        Self { dtype: T::DTYPE, shape, words: words_of(bytemuck::cast_slice(elements)) }
    }

    /// Flags, true or false.
    ///
    /// # Panics
    /// As [`Array::new`].
    pub fn flags(shape: Vec<usize>, flags: impl IntoIterator<Item = bool>) -> Self {
        let bytes: Vec<u8> = flags.into_iter().map(u8::from).collect();
        Self { dtype: DType::Bool, ..Self::new(shape, &bytes) }
    }

    /// Bytes of an array of this dtype and shape; nothing where the shape does not multiply out.
    pub fn bytes_of(dtype: DType, shape: &[usize]) -> Option<usize> {
        let (outer, width) = shape.split_last().map_or((&[][..], 1), |(width, outer)| (outer, *width));
        let rows = outer.iter().try_fold(1_usize, |rows, length| rows.checked_mul(*length))?;
        dtype.bytes_of(rows, width)
    }

    /// An array from bytes that come from elsewhere.
    ///
    /// # Errors
    /// A shape that does not multiply out, or another number of bytes than it takes; flags that are neither 0 nor 1.
    pub fn from_bytes(dtype: DType, shape: Vec<usize>, bytes: &[u8]) -> Result<Self, NoArray> {
        let wanted = Self::bytes_of(dtype, &shape);
        let flags = dtype != DType::Bool || bytes.iter().all(|byte| *byte < 2);
        if wanted != Some(bytes.len()) || !flags {
            return Err(NoArray { bytes: bytes.len(), dtype, shape, wanted });
        }
        Ok(Self { dtype, shape, words: words_of(bytes) })
    }

    /// Standard normal values in `f32`, the same on every machine for one `(seed, stream)`.
    ///
    /// `stream` keeps the inputs of one case independent of each other.
    pub fn normal(shape: Vec<usize>, seed: u64, stream: u64) -> Self {
        let bytes = shape.iter().product::<usize>() * size_of::<f32>();
        let mut array = Self { dtype: DType::F32, shape, words: vec![0; bytes.div_ceil(8)] };
        normal::draw(array.of_mut(), seed, stream);
        array
    }

    /// Flags, true with probability `share`, the same on every machine for one `(seed, stream)`.
    pub fn bernoulli(shape: Vec<usize>, share: f32, seed: u64, stream: u64) -> Self {
        let count = shape.iter().product();
        let mut rng = generator(seed, stream);
        let uniform = rand::distr::StandardUniform.sample_iter(&mut rng);
        Self::flags(shape, uniform.take(count).map(|draw: f32| draw < share))
    }

    /// The type of its elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Length of each axis, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of its elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The length of the last axis (1 for a scalar).
    pub fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// The number of rows: elements over the length of the last axis.
    pub fn rows(&self) -> usize {
        self.len().checked_div(self.width()).unwrap_or(0)
    }

    /// The elements as they are stored, in row-major order, little-endian.
    pub fn bytes(&self) -> &[u8] {
        let length = self.dtype.bytes_of(self.rows(), self.width()).unwrap_or(0);
        &bytemuck::cast_slice(&self.words)[..length]
    }

    /// The elements in row-major order.
    ///
    /// # Panics
    /// If they are of another type: an error of the code that asks.
    pub fn of<T: Element>(&self) -> &[T] {
        assert_eq!(self.dtype, T::DTYPE, "these are elements of another type");
        bytemuck::cast_slice(self.bytes())
    }

    /// As [`Array::of`], to write.
    ///
    /// # Panics
    /// As [`Array::of`].
    pub fn of_mut<T: Element>(&mut self) -> &mut [T] {
        assert_eq!(self.dtype, T::DTYPE, "these are elements of another type");
        let length = self.bytes().len();
        bytemuck::cast_slice_mut(&mut bytemuck::cast_slice_mut::<u64, u8>(&mut self.words)[..length])
    }

    /// The flags.
    ///
    /// # Panics
    /// If it holds something else.
    pub fn as_flags(&self) -> impl ExactSizeIterator<Item = bool> + '_ {
        assert_eq!(self.dtype, DType::Bool, "these are no flags");
        self.bytes().iter().map(|byte| *byte != 0)
    }

    /// Every element as `f64`, which loses nothing but of integers beyond 2⁵³.
    pub fn to_f64(&self) -> Vec<f64> {
        match self.dtype {
            DType::F64 => self.of::<f64>().to_vec(),
            DType::F32 => self.of::<f32>().iter().map(|value| f64::from(*value)).collect(),
            DType::F16 => self.of::<f16>().iter().map(|value| value.to_f64()).collect(),
            DType::Bf16 => self.of::<bf16>().iter().map(|value| value.to_f64()).collect(),
            DType::F8e4m3 => self.floats(&E4M3FN),
            DType::F8e5m2 => self.floats(&E5M2),
            DType::I64 => self.of::<i64>().iter().map(|value| *value as f64).collect(),
            DType::I32 => self.of::<i32>().iter().map(|value| f64::from(*value)).collect(),
            DType::I8 => self.of::<i8>().iter().map(|value| f64::from(*value)).collect(),
            DType::U8 | DType::Bool => self.bytes().iter().map(|value| f64::from(*value)).collect(),
            DType::I4lo | DType::I4hi | DType::U4lo | DType::U4hi => self.nibbles(),
        }
    }

    /// The elements of an array of floats of eight bits.
    fn floats(&self, format: &Minifloat) -> Vec<f64> {
        self.bytes().iter().map(|code| f64::from(format.decode(u16::from(*code)))).collect()
    }

    /// The elements of a packed array.
    fn nibbles(&self) -> Vec<f64> {
        let first_is_low = matches!(self.dtype, DType::I4lo | DType::U4lo);
        let signed = matches!(self.dtype, DType::I4lo | DType::I4hi);
        let order = if first_is_low { Order::LowFirst } else { Order::HighFirst };
        let one = |code: u8| f64::from(code) - if signed && code > 7 { 16.0 } else { 0.0 };
        unpacked(self.bytes(), self.width(), 4, order).into_iter().map(one).collect()
    }

    /// Overwrites whole rows of an `f32` array, `first` and what follows.
    ///
    /// # Panics
    /// If the array has no such rows, or is of another dtype.
    pub fn write(&mut self, first: usize, values: &[f32]) {
        let start = first * self.width();
        self.of_mut::<f32>()[start..start + values.len()].copy_from_slice(values);
    }
}

fn words_of(bytes: &[u8]) -> Vec<u64> {
    let mut words = vec![0_u64; bytes.len().div_ceil(8)];
    bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_inputs_repeat_and_have_the_right_moments() {
        let n = 100_000;
        let first = Array::normal(vec![n], 3, 1);
        assert_eq!(first, Array::normal(vec![n], 3, 1));
        assert_ne!(first, Array::normal(vec![n], 3, 2));
        let mean = first.to_f64().iter().sum::<f64>() / n as f64;
        let square = first.to_f64().iter().map(|x| x.powi(2)).sum::<f64>() / n as f64;
        // Standard errors 1/sqrt(n) and sqrt(2/n); five of them is a chance below 1e-6.
        assert!(mean.abs() < 5.0 / (n as f64).sqrt(), "mean {mean}");
        assert!((square - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt(), "mean square {square}");
    }

    #[test]
    fn bernoulli_inputs_hold_their_share() {
        let n = 100_000;
        let share = Array::bernoulli(vec![n], 0.25, 3, 1).as_flags().filter(|flag| *flag).count() as f64 / n as f64;
        assert!((share - 0.25).abs() < 5.0 * (0.1875 / n as f64).sqrt(), "share {share}");
    }

    #[test]
    fn elements_are_read_as_they_were_written_whatever_their_length() {
        let odd = Array::new(vec![3], &[1_u8, 2, 3]);
        assert_eq!((odd.bytes(), odd.of::<u8>(), odd.len()), (&[1, 2, 3][..], &[1, 2, 3][..], 3));
        assert_eq!(Array::new(vec![1, 3], &[-1_i32, 0, 7]).to_f64(), [-1.0, 0.0, 7.0]);
        assert_eq!(Array::new(vec![2], &[f16::from_f32(0.5), f16::MAX]).to_f64(), [0.5, 65504.0]);
        assert_eq!(Array::new(vec![1], &[bf16::from_f32(-3.0)]).to_f64(), [-3.0]);
        assert_eq!(Array::new::<f32>(vec![3, 0], &[]).rows(), 0);
        assert_eq!(Array::new(vec![], &[4.0_f64]).rows(), 1);
    }

    #[test]
    fn the_first_of_two_nibbles_lies_where_the_name_says() {
        let of = |dtype| Array::from_bytes(dtype, vec![2, 3], &[0x21, 0x0f, 0x43, 0x08]).unwrap().to_f64();
        assert_eq!(of(DType::U4lo), [1.0, 2.0, 15.0, 3.0, 4.0, 8.0]);
        assert_eq!(of(DType::U4hi), [2.0, 1.0, 0.0, 4.0, 3.0, 0.0]);
        assert_eq!(of(DType::I4lo), [1.0, 2.0, -1.0, 3.0, 4.0, -8.0]);
        assert_eq!(of(DType::I4hi), [2.0, 1.0, 0.0, 4.0, 3.0, 0.0]);
    }

    #[test]
    fn eight_bit_floats_have_the_values_of_their_standard() {
        // OCP OFP8, table 2.
        let of = |dtype, code| Array::from_bytes(dtype, vec![1], &[code]).unwrap().to_f64()[0];
        assert_eq!(of(DType::F8e4m3, 0b0111_1110), 448.0);
        assert_eq!(of(DType::F8e4m3, 0b0000_1000), 2.0_f64.powi(-6));
        assert_eq!(of(DType::F8e4m3, 0b1000_0001), -2.0_f64.powi(-9));
        assert!(of(DType::F8e4m3, 0b0111_1111).is_nan());
        assert_eq!(of(DType::F8e5m2, 0b0111_1011), 57344.0);
        assert_eq!(of(DType::F8e5m2, 0b0000_0001), 2.0_f64.powi(-16));
        assert_eq!(of(DType::F8e5m2, 0b1111_1100), f64::NEG_INFINITY);
        assert!(of(DType::F8e5m2, 0b0111_1101).is_nan());
    }

    #[test]
    fn bytes_that_are_no_array_are_refused() {
        let of = |dtype, shape: &[usize], bytes: &[u8]| Array::from_bytes(dtype, shape.to_vec(), bytes);
        assert!(of(DType::F32, &[2, 2], &[0; 16]).is_ok());
        assert_eq!(
            of(DType::F32, &[2, 2], &[0; 15]).unwrap_err().to_string(),
            "15 bytes are no f32 array of shape [2, 2], which has 16"
        );
        for shape in [&[1 << 63, 2][..], &[usize::MAX, usize::MAX, 0], &[2, 1 << 62]] {
            assert!(of(DType::F64, shape, &[]).is_err(), "{shape:?}");
        }
        assert!(of(DType::Bool, &[2], &[1, 2]).is_err());
    }

    #[test]
    fn rows_are_overwritten() {
        let mut array = Array::normal(vec![2, 2, 3], 1, 2);
        let before = array.clone();
        array.write(2, &[7.0, 8.0, 9.0]);
        let (now, before) = (array.of::<f32>(), before.of::<f32>());
        assert_eq!(now[6..9], [7.0, 8.0, 9.0]);
        assert_eq!((&now[..6], &now[9..]), (&before[..6], &before[9..]));
    }
}
