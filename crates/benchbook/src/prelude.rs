//! What a notebook's first cell imports.

pub use benchbook_core::{
    Array, CacheRegime, CaseSpec, DType, Params, Plan, Problem, Registry, Row, Value, parameters,
};
pub use benchbook_engines::flex::attention::AttentionInputs;
pub use benchbook_engines::flex::{attention, matmul};
pub use benchbook_matrix::MatrixPlan;
pub use benchbook_measure::own::{Compared, compare, memory_of, time_of};
pub use benchbook_query::Answer;
pub use benchbook_report::charts::Figure;
pub use benchbook_report::{By, Comparison};
pub use burn::tensor::{Bool, Tensor};

pub use crate::notebook::{clear_output, display, display_as, update};
pub use crate::{Error, Lab, Result, Run, Show, Stack, arrow, burn, charts, datafusion, plotly, search, stack, stats};
