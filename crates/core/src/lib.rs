//! The words of benchbook as types and traits.
//!
//! A [`Workload`] is a problem with parameters, an [`Implementation`] one way to solve it, a
//! [`Variant`] what a comparison compares, a [`Plan`] which trials to measure. Nothing here knows
//! burn, a clock, or a file.

mod array;
mod dtype;
mod error;
mod implementation;
mod inputs;
mod knobs;
mod mean;
pub mod message;
mod names;
mod normal;
mod number;
mod opaque;
mod parameters;
mod params;
mod people;
mod plan;
mod plan_of;
mod planned;
mod reference;
mod registry;
mod rounding;
mod task;
mod tolerance;
mod variant;
mod workload;

pub use array::{Array, Element, NoArray};
pub use dtype::DType;
pub use error::{Error, Result};
pub use implementation::{Approximation, Implementation, PrepareWith, Row, Setting, Subject, Support};
pub use inputs::Inputs;
pub use knobs::{Knob, KnobInfo, Knobs};
pub use names::{nearest, unknown};
pub use opaque::Opaque;
pub use parameters::{Parameter, Parameters, RESERVED, Within, assert_not_reserved, read_one};
pub use params::{Kind, ParamSpec, Params, Value};
pub use people::{counted, for_people, is_order, on_one_line, without_passwords};
pub use plan::{Axis, CacheRegime, CaseSpec, Plan, SMALLEST_PILOT, SamplingSpec};
pub use planned::Planned;
pub use reference::{Answer, Check, Comparison, Reference, sample_rows};
pub use registry::Registry;
pub use rounding::{Rough, Rounding, TIMES};
pub use task::{Loop, Looping, Step, StepsOf, Task, endless};
pub use tolerance::Tolerance;
pub use variant::{Variant, baseline_of};
pub use workload::{Case, INPUT_SEEDS, Metric, Posed, Preset, Problem, Work, Workload};
