//! The words of benchbook as types and traits.
//!
//! A [`Workload`] is a problem with parameters, an [`Implementation`] one way to solve it, a
//! [`Variant`] what a comparison compares, a [`Plan`] which trials to measure. Nothing here knows
//! burn, a clock, or a file.

mod counted;
mod error;
mod figure;
mod host;
mod implementation;
pub mod message;
mod params;
mod people;
mod plan;
mod plan_of;
mod planned;
mod reference;
mod registry;
mod suggest;
mod tag;
mod variant;
mod workload;

pub use counted::counted;
pub use error::{Error, Result};
pub use figure::Figure;
pub use host::{HostArray, Inputs};
pub use implementation::{Implementation, Setting, Subject, Support};
pub use params::{Kind, ParamSpec, Params, Value};
pub use people::{for_people, is_order, on_one_line, without_passwords};
pub use plan::{Axis, CacheRegime, CaseSpec, Plan, SMALLEST_PILOT, SamplingSpec};
pub use planned::Planned;
pub use reference::{Comparison, Reference, sample_rows};
pub use registry::Registry;
pub use suggest::{nearest, unknown};
pub use variant::{DType, Variant, baseline_of};
pub use workload::{Case, Preset, Work, Workload};
