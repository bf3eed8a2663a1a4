//! Mixtures of experts: a router, who computes what, and the experts themselves.

mod backward;
mod dispatch;
mod mixture;
pub(crate) mod product;
mod route;
mod weights;

pub use backward::{MixtureBackward, MixtureGradients, mixture_backward};
pub use dispatch::{Capacity, Dispatch, Priority, Routed};
pub use mixture::mixture;
pub use route::{Router, Scoring, auxiliary_loss, route, route_backward};
pub use weights::{ExpertWeights, Experts};
