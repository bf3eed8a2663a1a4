//! Sound as Whisper hears it: the logarithms of its energies in bins of the mel scale.

use std::f64::consts::TAU;

use benchbook_simd::{Activation, Isa, LinearWeights, linear};

use crate::error::{Error, Result};

/// Samples of a second.
pub const RATE: usize = 16_000;

/// Samples from one frame to the next: 10 ms.
pub const HOP: usize = 160;

/// Samples of a window: 25 ms.
const WINDOW: usize = 400;

/// Frequencies of a window, from 0 to half of [`RATE`].
const FREQUENCIES: usize = WINDOW / 2 + 1;

/// Energies below are taken for this one.
const LEAST: f32 = 1e-10;

/// Powers of ten below the largest energy of all that are told apart.
const DEEPEST: f32 = 8.0;

/// What makes spectrograms (Radford et al., arXiv 2212.04356, section 2.2): windows of 25 ms, by that of Hann, every 10 ms; their
/// energies in triangles that are as wide as the mel scale of Slaney is coarse (*Auditory Toolbox*, Interval Research technical report
/// 1998-010), and of equal areas; and of these the logarithm x to the base 10, at most 8 below the largest, as (x + 4) / 4.
#[derive(Debug)]
pub struct Mel {
    bins: usize,
    /// From a window to its cosines, and sines behind them.
    waves: LinearWeights,
    /// From energies to bins.
    triangles: LinearWeights,
}

impl Mel {
    /// Spectrograms of so many bins from 0 to 8 kHz.
    ///
    /// # Errors
    /// No bins.
    pub fn new(bins: usize) -> Result<Self> {
        let isa = Isa::detect();
        let hann = |sample: usize| 0.5 - 0.5 * (TAU * sample as f64 / WINDOW as f64).cos();
        let wave = |sample: usize, column: usize| {
            // Whole turns are left out before anything is rounded.
            let angle = TAU * (column % FREQUENCIES * sample % WINDOW) as f64 / WINDOW as f64;
            hann(sample) * if column < FREQUENCIES { angle.cos() } else { angle.sin() }
        };
        let waves = matrix([WINDOW, 2 * FREQUENCIES], wave);
        let edges: Vec<f64> = (0..bins + 2).map(|edge| edge_of(edge, bins)).collect();
        let triangle = |frequency: usize, bin: usize| {
            let hertz = frequency as f64 * RATE as f64 / WINDOW as f64;
            let [low, middle, high] = [edges[bin], edges[bin + 1], edges[bin + 2]];
            let height = ((hertz - low) / (middle - low)).min((high - hertz) / (high - middle));
            height.max(0.0) * 2.0 / (high - low)
        };
        Ok(Self {
            bins,
            waves: LinearWeights::new([WINDOW, 2 * FREQUENCIES], &waves, None, isa)?,
            triangles: LinearWeights::new([FREQUENCIES, bins], &matrix([FREQUENCIES, bins], triangle), None, isa)?,
        })
    }

    /// The spectrogram `[bins, frames]` of sound at [`RATE`], of which what is missing is silence, and what is too much is left out.
    ///
    /// # Errors
    /// Fewer frames than two, or a sample that is no finite number.
    pub fn of(&self, samples: &[f32], frames: usize) -> Result<Vec<f32>> {
        if frames < 2 {
            return Err(Error::Session(format!(
                "a spectrogram of {frames} frames: a window is longer, give 2 at least"
            )));
        }
        if let Some(at) = samples.iter().position(|sample| !sample.is_finite()) {
            return Err(Error::Session(format!("sample {at} is {}, no finite number", samples[at])));
        }
        let length = frames * HOP;
        // Mirrored at both ends.
        let sample = |at: usize| {
            let place = at.abs_diff(WINDOW / 2);
            let place = if place < length { place } else { 2 * (length - 1) - place };
            samples.get(place).copied().unwrap_or(0.0)
        };
        let windows: Vec<f32> = (0..frames).flat_map(|frame| (frame * HOP..frame * HOP + WINDOW).map(sample)).collect();
        let mut waves = vec![0.0; frames * 2 * FREQUENCIES];
        linear(&self.waves, Activation::None, &windows, &mut waves)?;
        let energy = |wave: &[f32]| -> Vec<f32> {
            let (cosines, sines) = wave.split_at(FREQUENCIES);
            cosines.iter().zip(sines).map(|(cosine, sine)| cosine * cosine + sine * sine).collect()
        };
        let energies: Vec<f32> = waves.chunks_exact(2 * FREQUENCIES).flat_map(energy).collect();
        let mut by_frame = vec![0.0; frames * self.bins];
        linear(&self.triangles, Activation::None, &energies, &mut by_frame)?;
        by_frame.iter_mut().for_each(|energy| *energy = energy.max(LEAST).log10());
        let most = by_frame.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let seen = |energy: f32| (energy.max(most - DEEPEST) + 4.0) / 4.0;
        let of_bin = |bin: usize| by_frame.iter().skip(bin).step_by(self.bins).map(move |energy| seen(*energy));
        Ok((0..self.bins).flat_map(of_bin).collect())
    }
}

/// A matrix by its numbers.
fn matrix([rows, columns]: [usize; 2], number: impl Fn(usize, usize) -> f64) -> Vec<f32> {
    let number = &number;
    (0..rows).flat_map(|row| (0..columns).map(move |column| number(row, column) as f32)).collect()
}

/// Where an edge of triangles lies, in Hz, of which there are two more than bins.
fn edge_of(edge: usize, bins: usize) -> f64 {
    hertz(edge as f64 * mels(RATE as f64 / 2.0) / (bins + 1) as f64)
}

/// From here on the scale is logarithmic: 1000 Hz, and 27 steps to 6400 Hz.
const BENT: f64 = 15.0;

/// A frequency on the mel scale of Slaney.
fn mels(hertz: f64) -> f64 {
    if hertz < 1000.0 { hertz * 3.0 / 200.0 } else { BENT + 27.0 * (hertz / 1000.0).ln() / 6.4_f64.ln() }
}

/// The frequency in Hz of a place on that scale.
fn hertz(mels: f64) -> f64 {
    if mels < BENT { mels * 200.0 / 3.0 } else { 1000.0 * 6.4_f64.powf((mels - BENT) / 27.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_as_it_was_published() {
        for (frequency, place) in [(0.0, 0.0), (200.0, 3.0), (1000.0, 15.0), (6400.0, 42.0)] {
            assert!((mels(frequency) - place).abs() < 1e-12, "{frequency}");
            assert!((hertz(place) - frequency).abs() < 1e-9, "{place}");
        }
    }

    /// A tone, and noise that is weaker.
    fn sound(samples: usize, hertz: f64, loud: f64) -> Vec<f32> {
        let one = |at: usize| {
            let noise = ((at * 7919 + at * at * 31) % 1009) as f64 / 504.0 - 1.0;
            loud * ((TAU * hertz * at as f64 / RATE as f64).sin() + 0.1 * noise)
        };
        (0..samples).map(|at| one(at) as f32).collect()
    }

    /// The formula in `f64`, sum by sum.
    fn by_formula(samples: &[f32], frames: usize, bins: usize) -> Vec<f64> {
        let length = (frames * 160) as i64;
        let sample = |at: i64| {
            let at = if at < 0 {
                -at
            } else if at >= length {
                2 * length - 2 - at
            } else {
                at
            };
            samples.get(at as usize).map_or(0.0, |sample| f64::from(*sample))
        };
        let mut all = vec![0.0; bins * frames];
        for frame in 0..frames {
            let window: Vec<f64> = (0..400)
                .map(|at| {
                    let sine = (std::f64::consts::PI * at as f64 / 400.0).sin();
                    sine * sine * sample((frame * 160 + at) as i64 - 200)
                })
                .collect();
            let energies: Vec<f64> = (0..=200)
                .map(|frequency| {
                    let turn = |at: usize| TAU * frequency as f64 * at as f64 / 400.0;
                    let cosine: f64 = window.iter().enumerate().map(|(at, x)| x * turn(at).cos()).sum();
                    let sine: f64 = window.iter().enumerate().map(|(at, x)| x * turn(at).sin()).sum();
                    cosine.powi(2) + sine.powi(2)
                })
                .collect();
            for bin in 0..bins {
                // 8 kHz is at 15 + 27 log 8 / log 6.4.
                let edge = |edge: usize| {
                    let mels = edge as f64 / (bins as f64 + 1.0) * (15.0 + 27.0 * 8.0_f64.log(6.4));
                    if mels <= 15.0 { mels / 0.015 } else { 1000.0 * ((mels - 15.0) / 27.0 * 6.4_f64.ln()).exp() }
                };
                let (low, middle, high) = (edge(bin), edge(bin + 1), edge(bin + 2));
                let share = |hertz: f64| {
                    let rises =
                        if hertz <= middle { (hertz - low) / (middle - low) } else { (high - hertz) / (high - middle) };
                    if hertz > low && hertz < high { rises / ((high - low) / 2.0) } else { 0.0 }
                };
                let energy: f64 = energies.iter().enumerate().map(|(at, x)| x * share(40.0 * at as f64)).sum();
                all[bin * frames + frame] = energy.max(1e-10).log10();
            }
        }
        let most = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        all.iter().map(|energy| (energy.max(most - 8.0) + 4.0) / 4.0).collect()
    }

    #[test]
    fn a_spectrogram_is_its_formula() {
        for (bins, frames, samples) in [(80, 7, 1200), (5, 2, 320), (128, 3, 5)] {
            let sound = sound(samples, 1234.5, 0.3);
            let (found, right) =
                (Mel::new(bins).unwrap().of(&sound, frames).unwrap(), by_formula(&sound, frames, bins));
            assert_eq!(found.len(), bins * frames);
            for (at, (found, right)) in found.iter().zip(&right).enumerate() {
                // A sum of 400 products, whose logarithm is told to 10⁻³ where it is nearly nothing beside what is loud.
                assert!((f64::from(*found) - right).abs() < 1e-3, "{bins} bins at {at}: {found} for {right}");
            }
        }
    }

    #[test]
    fn a_tone_is_where_it_should_be_and_silence_everywhere_the_same() {
        let mel = Mel::new(80).unwrap();
        let loud = mel.of(&sound(1600, 1000.0, 0.1), 10).unwrap();
        let best = |frame: usize| (0..80).max_by(|a, b| loud[a * 10 + frame].total_cmp(&loud[b * 10 + frame])).unwrap();
        // Of the 80 middles of triangles, that of this one is nearest to 1000 Hz.
        let nearest = (0..80).min_by(|a, b| {
            let off = |bin: usize| (edge_of(bin + 1, 80) - 1000.0).abs();
            off(*a).total_cmp(&off(*b))
        });
        assert!((2..8).all(|frame| Some(best(frame)) == nearest), "{nearest:?}");
        // Ten times as loud is two powers of ten of energy.
        let louder = mel.of(&sound(1600, 1000.0, 1.0), 10).unwrap();
        assert!(loud.iter().zip(&louder).all(|(one, other)| (other - one - 0.5).abs() < 1e-3));
        let silence = mel.of(&[], 4).unwrap();
        assert!(silence.len() == 320 && silence.iter().all(|energy| (energy + 1.5).abs() < 1e-6));
    }

    #[test]
    fn sound_that_is_none_is_refused() {
        let mel = Mel::new(8).unwrap();
        assert!(mel.of(&[0.0; 400], 1).unwrap_err().to_string().contains("2 at least"));
        for strange in [f32::NAN, f32::INFINITY] {
            let said = mel.of(&[0.0, strange], 3).unwrap_err().to_string();
            assert!(said.contains("sample 1 is"), "{said}");
        }
        assert!(Mel::new(0).is_err());
    }
}
