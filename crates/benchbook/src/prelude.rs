//! What a notebook's first cell imports.

pub use benchbook_core::{CacheRegime, CaseSpec, DType, Params, Plan, Registry, Value};
pub use benchbook_query::Answer;

pub use crate::{Error, Lab, Result, arrow, burn, charts, datafusion, plotly, stats};
