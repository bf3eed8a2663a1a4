//! Figures of measurements, drawn by plotly from Arrow record batches.
//!
//! Six figures: [`distribution`] (every sample), [`speedup`] (ratios with their intervals), [`scaling`] (time against
//! size on log–log axes), [`history`] (time over the runs of a store), [`heat_map`] (ratios of pairs of names) and [`roofline`]
//! (speed over operations for each byte, below the roofs); [`chart`] draws two columns of any answer, and the page of a matrix has
//! quality against speed besides. A [`Figure`] gives plotly JSON, a piece of HTML for a page of the caller's own, and, where a
//! browser is present, PNG and SVG. [`document`] makes a whole page that works offline.
//! Statistics come in as columns: nothing here does more than lay out what it is given.

mod browser;
mod columns;
mod distribution;
mod error;
mod figure;
mod frame;
mod heat_map;
mod history;
mod marks;
mod order;
mod page;
mod palette;
mod plain;
mod ratio;
mod roofline;
mod scaling;
mod speedup;
mod strip;
mod text;
mod trade;

pub use browser::Browser;
pub use distribution::{MAX_POINTS_PER_FIGURE, MAX_POINTS_PER_STRIP, MAX_STRIPS, distribution};
pub use error::{Error, Result};
pub use figure::Figure;
pub use heat_map::heat_map;
pub use history::history;
pub(crate) use page::document_after;
pub use page::{document, plotly_js, script_once};
pub use plain::{Mark, chart};
pub use roofline::roofline;
pub use scaling::scaling;
pub use speedup::speedup;
pub use text::{html as escape_html, in_lines};
pub(crate) use trade::{Around, Trade, trade};
