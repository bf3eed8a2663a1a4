//! A ratio with its interval as text, and the words that a comparison ends with.

use plotly::common::MarkerSymbol;

use super::error::{Error, Result};
use super::palette::{BLUE, GREEN, GREY, VERMILLION};
use super::text::{because, fixed, significant};

/// The words a comparison ends with, and how each looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    Faster,
    Slower,
    Equivalent,
    EquivalentSeen,
    Undecided,
    None,
}

impl Verdict {
    pub const ALL: [Self; 6] =
        [Self::Faster, Self::Slower, Self::Equivalent, Self::EquivalentSeen, Self::Undecided, Self::None];

    /// # Errors
    /// The word is none of a verdict.
    pub fn parse(word: Option<&str>) -> Result<Self> {
        let word = word.unwrap_or_default().trim().to_ascii_lowercase();
        match word.as_str() {
            "faster" => Ok(Self::Faster),
            "slower" => Ok(Self::Slower),
            "equivalent" => Ok(Self::Equivalent),
            "equivalent in the processes seen" => Ok(Self::EquivalentSeen),
            "undecided" => Ok(Self::Undecided),
            "" | "(no name)" => Ok(Self::None),
            _ => Err(Error::UnknownVerdict { found: word }),
        }
    }

    /// Its word, and the colour and the symbol of its points.
    pub fn look(self) -> (&'static str, &'static str, MarkerSymbol) {
        match self {
            Self::Faster => ("faster", GREEN, MarkerSymbol::TriangleRight),
            Self::Slower => ("slower", VERMILLION, MarkerSymbol::TriangleLeft),
            Self::Equivalent => ("equivalent", BLUE, MarkerSymbol::Square),
            Self::EquivalentSeen => ("equivalent in the processes seen", BLUE, MarkerSymbol::SquareOpen),
            Self::Undecided => ("undecided", GREY, MarkerSymbol::CircleOpen),
            Self::None => ("no verdict", GREY, MarkerSymbol::DiamondOpen),
        }
    }

    /// A letter for it, where there is room for text alone.
    pub fn glyph(self) -> &'static str {
        match self {
            Self::Faster => "▲",
            Self::Slower => "▼",
            Self::Equivalent => "=",
            Self::EquivalentSeen => "≈",
            Self::Undecided => "?",
            Self::None => "◇",
        }
    }
}

/// `1.52× [1.40, 1.65]`, with as many decimals as the interval's width makes meaningful; why there is none, in lines of at
/// most `most` characters.
pub(crate) fn told(ratio: Option<f64>, interval: Option<(f64, f64)>, reason: Option<&str>, most: usize) -> String {
    let Some(ratio) = ratio else {
        return reason.map_or_else(|| "no ratio".to_owned(), |reason| because("no ratio", reason, most));
    };
    match interval {
        Some((low, high)) if high > low => {
            let decimals = (1.0 - (high - low).log10().floor()).clamp(0.0, 6.0);
            format!("{}× [{}, {}]", fixed(ratio, decimals), fixed(low, decimals), fixed(high, decimals))
        }
        Some((low, _)) => format!("{}× [{1}, {1}]", significant(ratio, 4), significant(low, 4)),
        None => format!("{}×, no interval", significant(ratio, 4)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_follow_the_interval() {
        let told = |ratio, low: f64, high: f64| {
            told(Some(ratio), Some((low, high)).filter(|(low, high)| low.is_finite() && high.is_finite()), None, 34)
        };
        assert_eq!(told(1.523, 1.401, 1.652), "1.52× [1.40, 1.65]");
        assert_eq!(told(1.0032, 0.9981, 1.0084), "1.003× [0.998, 1.008]");
        assert_eq!(told(152.4, 140.1, 170.2), "152× [140, 170]");
        assert_eq!(told(2.0, 2.0, 2.0), "2× [2, 2]");
        assert_eq!(told(2.0, f64::NAN, 2.0), "2×, no interval");
    }

    #[test]
    fn a_long_reason_has_lines() {
        let told = told(None, None, Some("the candidate was ended after 300 s without a word"), 34);
        assert!(told.starts_with("no ratio: the candidate was ended<br>"), "{told}");
        assert!(told.split("<br>").all(|line| line.chars().count() <= 34), "{told}");
    }

    #[test]
    fn every_verdict_has_its_own_symbol_and_letter() {
        for (i, a) in Verdict::ALL.iter().enumerate() {
            for b in &Verdict::ALL[i + 1..] {
                assert_ne!(format!("{:?}", a.look().2), format!("{:?}", b.look().2));
                assert_ne!(a.glyph(), b.glyph());
            }
        }
    }
}
