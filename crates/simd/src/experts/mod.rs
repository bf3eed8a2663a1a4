//! Mixtures of experts: a router, who computes what, and the experts themselves.

mod dispatch;
mod gate;
mod mixture;
mod product;
mod route;
mod weights;

pub use dispatch::{Capacity, Dispatch, Priority, Routed};
pub use mixture::mixture;
pub use route::{Router, Scoring, auxiliary_loss, route};
pub use weights::{ExpertWeights, Experts};
