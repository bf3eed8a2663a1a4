//! Colours that colour-blind readers can tell apart, each with a symbol and a dash so that nothing hangs on colour.

use plotly::common::{DashType, MarkerSymbol};

/// Grid lines and helpers: visible on light and on dark.
pub(crate) const GRID: &str = "rgba(128,128,128,0.28)";
/// Axis lines and the line at ratio 1.
pub(crate) const RULE: &str = "rgba(128,128,128,0.9)";
/// Text before a page sets its own colour: 4.5 to 1 on white and on black.
pub(crate) const INK: &str = "#757575";

pub(crate) const BLUE: &str = "#0072B2";
pub(crate) const GREEN: &str = "#009E73";
pub(crate) const VERMILLION: &str = "#D55E00";
pub(crate) const GREY: &str = "#808080";

/// From less to more with nothing between, for areas that hold text: blue and orange are two to everybody, and both are light.
pub(crate) const ORANGE: &str = "#E69F00";
pub(crate) const PALE: &str = "#F7F7F7";
pub(crate) const SKY: &str = "#56B4E9";
/// Text on them: 6.8 to 1 and more.
pub(crate) const ON_AREA: &str = "#1f2328";

/// Okabe and Ito, "Color Universal Design" (2008), without yellow (lost on white); grey stands for black (lost on dark).
const COLORS: [&str; 7] = [BLUE, ORANGE, GREEN, "#CC79A7", SKY, VERMILLION, GREY];

const SYMBOLS: [MarkerSymbol; 8] = [
    MarkerSymbol::Circle,
    MarkerSymbol::Square,
    MarkerSymbol::Diamond,
    MarkerSymbol::TriangleUp,
    MarkerSymbol::X,
    MarkerSymbol::TriangleDown,
    MarkerSymbol::Cross,
    MarkerSymbol::Star,
];

const DASHES: [DashType; 6] =
    [DashType::Solid, DashType::Dash, DashType::Dot, DashType::DashDot, DashType::LongDash, DashType::LongDashDot];

/// How one variant looks in every panel of a figure.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    pub color: &'static str,
    pub symbol: MarkerSymbol,
    pub dash: DashType,
}

/// The look of the `index`th variant; colour and symbol repeat together only after 56.
pub(crate) fn style(index: usize) -> Style {
    Style {
        color: COLORS[index % COLORS.len()],
        symbol: SYMBOLS[index % SYMBOLS.len()].clone(),
        dash: DASHES[index % DASHES.len()].clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn colour_and_symbol_together_are_unique_for_56() {
        let looks: BTreeSet<String> = (0..56).map(style).map(|s| format!("{}{:?}", s.color, s.symbol)).collect();
        assert_eq!(looks.len(), 56);
    }

    /// Red, green and blue in proportion to light (IEC 61966-2-1).
    fn light(color: &str) -> [f64; 3] {
        [1, 3, 5].map(|at| {
            let share = f64::from(u8::from_str_radix(&color[at..at + 2], 16).expect("two digits")) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        })
    }

    #[test]
    fn text_on_an_area_can_be_read() {
        // Contrast as WCAG 2.1 has it.
        let bright = |color| {
            let [red, green, blue] = light(color);
            0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05
        };
        for area in [ORANGE, PALE, SKY] {
            let contrast = bright(area) / bright(ON_AREA);
            assert!(contrast > 6.8, "{area}: {contrast}");
        }
    }

    #[test]
    fn areas_are_three_colours_to_everybody() {
        // What is seen without one of the three kinds of cones: Machado, Oliveira and Fernandes, IEEE TVCG 15(6), 2009, table 1.
        let seen = [
            [
                [0.152_286, 1.052_583, -0.204_868],
                [0.114_503, 0.786_281, 0.099_216],
                [-0.003_882, -0.048_116, 1.051_998],
            ],
            [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_82, 0.042_94, 0.968_881]],
            [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_9]],
        ];
        for cones in seen {
            let [less, none, more] = [ORANGE, PALE, SKY].map(|color| {
                let light = light(color);
                cones.map(|row| row.iter().zip(light).map(|(weight, light)| weight * light).sum::<f64>())
            });
            for [a, b] in [[less, more], [less, none], [more, none]] {
                let apart = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                assert!(apart > 0.7, "{a:?} and {b:?}");
            }
        }
    }
}
