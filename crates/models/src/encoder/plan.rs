//! What of an encoder is not as its model has it.

use crate::decoder::Forms;

/// What of an encoder is not as its model has it; by itself, all is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EncoderPlan {
    /// Of matrices; an encoder has no head.
    pub forms: Forms,
    /// What blocks keep of their heads, or of their channels.
    pub kept: Option<Parts>,
    /// Percent of its positions that each block makes one with another of them, behind attention: those of every other place whose keys
    /// are most alike one of the places between (token merging: Bolya et al., arXiv 2210.09461, section 3). Who stands for several
    /// positions is their mean, and is seen as often.
    pub merged: usize,
    /// Where some frames of a spectrogram are not worth it: positions whose loudest bin is not above so many percent of the way from
    /// the least number of the spectrogram to its largest are left out behind the convolutions, and keep their place in time.
    pub quiet: Option<usize>,
}

/// Parts of blocks that are kept, by block, each ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parts {
    /// Heads.
    Heads(Vec<Vec<usize>>),
    /// Channels between the products of feed-forward networks.
    Channels(Vec<Vec<usize>>),
}

impl Parts {
    /// Those of a block; nothing where it keeps all.
    pub fn of(&self, layer: usize) -> Option<&[usize]> {
        let (Self::Heads(all) | Self::Channels(all)) = self;
        all.get(layer).map(Vec::as_slice)
    }
}

/// Which positions of a spectrogram `[bins, frames]`, two frames each, are worth it, ascending; all, where none is louder than another.
pub fn worth_it(mel: &[f32], frames: usize, percent: usize) -> Vec<usize> {
    let least = mel.iter().copied().fold(f32::INFINITY, f32::min);
    let most = mel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let bound = least + (most - least) * percent as f32 / 100.0;
    let loudest = |position: usize| {
        let of_bin = |bin: &[f32]| bin[2 * position].max(bin[2 * position + 1]);
        mel.chunks_exact(frames).map(of_bin).fold(f32::NEG_INFINITY, f32::max)
    };
    let kept: Vec<usize> = (0..frames / 2).filter(|position| loudest(*position) > bound).collect();
    // What is no number has no bound either.
    if kept.is_empty() { (0..frames / 2).collect() } else { kept }
}

/// Which groups of patches `[groups, each]` of an image are left where so many percent of them go: those whose numbers vary most, of such
/// that vary alike the first ones; ascending. Sums are of `f64`, so that whoever has the same patches has the same groups.
pub fn most_varied(patches: &[f32], each: usize, percent: usize) -> Vec<usize> {
    let varies = |group: &[f32]| -> f64 {
        let mean = group.iter().map(|number| f64::from(*number)).sum::<f64>() / each as f64;
        group.iter().map(|number| (f64::from(*number) - mean).powi(2)).sum()
    };
    let varying: Vec<f64> = patches.chunks_exact(each).map(varies).collect();
    let mut groups: Vec<usize> = (0..varying.len()).collect();
    // Those that vary alike stay in their order.
    groups.sort_by(|one, other| varying[*other].total_cmp(&varying[*one]));
    groups.truncate(groups.len() - groups.len() * percent / 100);
    groups.sort_unstable();
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_vary_most_are_left_and_of_equal_ones_the_first() {
        // Variances 0, 1, 4, 1 and 0.25, whatever the means.
        let patches = [7.0, 7.0, 1.0, -1.0, 9.0, 13.0, 5.0, 3.0, 0.0, 1.0];
        let of = |percent: usize| most_varied(&patches, 2, percent);
        assert_eq!((of(0), of(50), of(60)), (vec![0, 1, 2, 3, 4], vec![1, 2, 3], vec![1, 2]));
        assert_eq!(of(99), [2], "one stays");
        assert_eq!(most_varied(&[1.5; 12], 3, 50), [0, 1]);
    }

    #[test]
    fn quiet_frames_are_not_worth_it() {
        // Two bins of eight frames: loud in the second position, half as loud in one frame of the last.
        let mel = [[0.0, 0.1, 0.2, 1.0, 0.0, 0.0, 0.1, 0.0], [0.0, 0.0, 0.0, 0.0, 0.2, 0.1, 0.0, 0.5]];
        let of = |percent: usize| worth_it(mel.as_flattened(), 8, percent);
        assert_eq!((of(0), of(25), of(60)), (vec![0, 1, 2, 3], vec![1, 3], vec![1]));
        assert_eq!(of(100), [0, 1, 2, 3], "where none is above, all stay");
        assert_eq!(worth_it(&[-1.5; 12], 6, 25), [0, 1, 2]);
        assert_eq!(worth_it(&[f32::NAN; 8], 4, 25), [0, 1]);
    }
}
