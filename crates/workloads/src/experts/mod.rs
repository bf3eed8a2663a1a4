//! Mixtures of experts: who is chosen for a token, and what those who are chosen make of it.

mod capacity;
mod dropless;
mod gradients;
mod layer;
mod router;
mod routing;

pub use capacity::{CapacityExperts, CapacityExpertsParams};
pub use dropless::{MixtureOfExperts, MixtureOfExpertsParams};
pub use gradients::MixtureOfExpertsGradients;
pub use layer::{Capacity, Layer, Priority};
pub(crate) use layer::{FIXED, of_expert};
pub use router::{Router, Scoring};
pub(crate) use router::{best, check_chosen, logistic, share, softmax};
pub use routing::{ExpertRouting, ExpertRoutingParams};
