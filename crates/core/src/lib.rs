//! The words of benchbook as types and traits.
//!
//! A [`Workload`] is a problem with parameters, an [`Implementation`] one way to solve it, a
//! [`Variant`] what a comparison compares, a [`Plan`] which trials to measure. Nothing here knows
//! burn, a clock, or a file.

mod error;
mod host;
mod implementation;
pub mod message;
mod names;
mod params;
mod people;
mod plan;
mod plan_of;
mod planned;
mod reference;
mod registry;
mod variant;
mod workload;

pub use error::{Error, Result};
pub use host::{HostArray, Inputs};
pub use implementation::{Implementation, Setting, Subject, Support};
pub use names::{nearest, unknown};
pub use params::{Kind, ParamSpec, Params, Value};
pub use people::{counted, for_people, is_order, on_one_line, without_passwords};
pub use plan::{Axis, CacheRegime, CaseSpec, Plan, SMALLEST_PILOT, SamplingSpec};
pub use planned::Planned;
pub use reference::{Comparison, Reference, sample_rows};
pub use registry::Registry;
pub use variant::{DType, Variant, baseline_of};
pub use workload::{Case, Figure, Preset, Work, Workload};
