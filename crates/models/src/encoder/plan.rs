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

#[cfg(test)]
mod tests {
    use super::*;

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
