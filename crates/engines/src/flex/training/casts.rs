//! Factors of products as floats of eight or of sixteen bits have them.

use benchbook_simd::{Float8, Isa, Result, largest, round_float8};
use burn::tensor::bf16;

/// How a tensor is scaled before it is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaling {
    /// It is not rounded.
    None,
    /// To bf16, whose range is that of `f32`, so that nothing is scaled.
    Bf16,
    /// By its own largest number.
    Dynamic,
    /// By the largest number that tensors of its place have had in the steps before (Micikevicius et al., arXiv 2209.05433, section
    /// 3.1; *delayed scaling* of Transformer Engine): but for the first step, nothing is looked at before it is rounded.
    Delayed,
}

/// Steps that delayed scaling looks back.
const HISTORY: usize = 16;

/// What is rounded of a product: what comes in, weights, and the gradient of what goes out.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    Input,
    Weights,
    Gradient,
}

impl Part {
    /// Forward there are more bits behind the point, and back there is more range (the same, section 3.1).
    fn format(self) -> Float8 {
        match self {
            Self::Input | Self::Weights => Float8::E4M3,
            Self::Gradient => Float8::E5M2,
        }
    }
}

/// What is known of a part of a product.
#[derive(Debug, Clone, Default)]
struct Site {
    /// The scale that it was rounded by last.
    scale: f32,
    /// The largest numbers of the last steps, in a ring.
    largest: Vec<f32>,
    steps: usize,
}

/// Casts of all products of a model.
pub struct Casts {
    scaling: Scaling,
    isa: Isa,
    /// Of each product its three parts.
    sites: Vec<[Site; 3]>,
    /// Room for the parts of one product.
    room: [Vec<f32>; 3],
}

/// The scale by which the largest number becomes the largest of a format; 1 where there is none.
pub fn scale(format: Float8, largest: f32) -> f32 {
    let scale = format.largest() / largest;
    if scale.is_normal() && largest.is_normal() { scale } else { 1.0 }
}

impl Casts {
    /// Casts of so many products.
    pub fn new(scaling: Scaling, products: usize, isa: Isa) -> Self {
        let sites = if scaling == Scaling::None { Vec::new() } else { vec![Default::default(); products] };
        Self { scaling, isa, sites, room: Default::default() }
    }

    /// Forgets what was before.
    pub fn begin(&mut self) {
        self.sites.fill_with(Default::default);
    }

    /// Both factors of a product forward.
    ///
    /// # Errors
    /// An instruction set that is absent.
    pub fn forward<'a>(&'a mut self, product: usize, input: &'a [f32], weights: &'a [f32]) -> Result<[&'a [f32]; 2]> {
        if self.scaling == Scaling::None {
            return Ok([input, weights]);
        }
        self.scaled(product, Part::Input, input)?;
        self.scaled(product, Part::Weights, weights)?;
        Ok([&self.room[0][..], &self.room[1][..]])
    }

    /// All factors of a product back: what came in and the weights as they were forward, and the gradient.
    ///
    /// # Errors
    /// As of [`Self::forward`].
    pub fn backward<'a>(&'a mut self, product: usize, parts: [&'a [f32]; 3]) -> Result<[&'a [f32]; 3]> {
        if self.scaling == Scaling::None {
            return Ok(parts);
        }
        self.cast(product, Part::Input, parts[0])?;
        self.cast(product, Part::Weights, parts[1])?;
        self.scaled(product, Part::Gradient, parts[2])?;
        Ok(self.room.each_ref().map(|room| &room[..]))
    }

    /// Finds a scale, and rounds by it.
    fn scaled(&mut self, product: usize, part: Part, numbers: &[f32]) -> Result<()> {
        if self.scaling == Scaling::Bf16 {
            return self.cast(product, part, numbers);
        }
        let site = &mut self.sites[product][part as usize];
        let now = largest(numbers);
        site.scale = match self.scaling {
            Scaling::Delayed if site.steps > 0 => {
                scale(part.format(), site.largest.iter().copied().fold(0.0, f32::max))
            }
            // Where nothing was before, what is there has to do.
            _ => scale(part.format(), now),
        };
        site.largest.resize(HISTORY, 0.0);
        site.largest[site.steps % HISTORY] = now;
        site.steps += 1;
        self.cast(product, part, numbers)
    }

    /// Rounds by the scale that there is.
    fn cast(&mut self, product: usize, part: Part, numbers: &[f32]) -> Result<()> {
        let room = &mut self.room[part as usize];
        room.resize(numbers.len(), 0.0);
        if self.scaling == Scaling::Bf16 {
            room.iter_mut().zip(numbers).for_each(|(to, number)| *to = bf16::from_f32(*number).to_f32());
            return Ok(());
        }
        round_float8(self.isa, part.format(), self.sites[product][part as usize].scale, numbers, room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delayed_scaling_looks_at_what_was_and_dynamic_at_what_is() {
        let isa = Isa::Portable;
        let rounded = |casts: &mut Casts, numbers: &[f32]| casts.forward(0, numbers, &[1.0]).unwrap()[0].to_vec();
        let mut dynamic = Casts::new(Scaling::Dynamic, 1, isa);
        // The scale is 2, and 3.3 · 2 lies between 6.5 and 7.
        assert_eq!(rounded(&mut dynamic, &[224.0, 3.3]), [224.0, 3.25]);
        assert_eq!(rounded(&mut dynamic, &[448.0, 3.3]), [448.0, 3.25]);
        let mut delayed = Casts::new(Scaling::Delayed, 1, isa);
        assert_eq!(rounded(&mut delayed, &[896.0, 3.3]), [896.0, 3.25], "at first it looks at what is, too");
        // The largest was 896, and what is larger is too large.
        assert_eq!(rounded(&mut delayed, &[448.0, 4000.0]), [448.0, 896.0]);
        for _ in 0..HISTORY {
            rounded(&mut delayed, &[1.0]);
        }
        assert_eq!(rounded(&mut delayed, &[1.0, 3.0]), [1.0, 1.0], "nothing larger than 1 is remembered");
        delayed.begin();
        assert_eq!(rounded(&mut delayed, &[3.0, 448.0]), [3.0, 448.0]);
        let mut half = Casts::new(Scaling::Bf16, 1, isa);
        // Both lie in the middle between two numbers of seven bits behind the point, of which the even one is taken.
        assert_eq!(
            rounded(&mut half, &[513.0 / 512.0, 515.0 / 512.0, 1e30]),
            [1.0, 1.007_812_5, bf16::from_f32(1e30).to_f32()]
        );
        let mut none = Casts::new(Scaling::None, 1, isa);
        assert_eq!(rounded(&mut none, &[3.3]), [3.3]);
    }

    #[test]
    fn gradients_have_two_bits_behind_the_point_and_factors_stay_as_they_were() {
        let mut casts = Casts::new(Scaling::Dynamic, 2, Isa::Portable);
        casts.forward(1, &[448.0, 1.125], &[448.0]).unwrap();
        let [input, weights, gradient] = casts.backward(1, [&[448.0, 1.125], &[448.0], &[57_344.0, 1.125]]).unwrap();
        assert_eq!((input, weights, gradient), (&[448.0, 1.125][..], &[448.0][..], &[57_344.0, 1.0][..]));
    }
}
