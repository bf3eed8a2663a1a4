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

/// Okabe and Ito, "Color Universal Design" (2008), without yellow (lost on white); grey stands for black (lost on dark).
const COLORS: [&str; 7] = [BLUE, "#E69F00", GREEN, "#CC79A7", "#56B4E9", VERMILLION, GREY];

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
}
