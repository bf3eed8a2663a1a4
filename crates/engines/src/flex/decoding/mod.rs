//! Decoding on plain slices: caches of keys and values, guesses that are checked, batches of requests.
//!
//! What a technique asks of a model is [`Model`]; [`Gpt2`] is one, whose caches are places ([`Places`]) in a store ([`Store`]).

mod batched;
mod cache;
mod distilled;
mod gpt2;
mod greedy;
mod rows;
mod sampling;
mod speculative;
#[cfg(test)]
mod tests;
mod text;

pub use batched::{Batched, Policy};
pub use cache::{Cache, Kept, Places};
pub use gpt2::{Gpt2, Weights};
pub use greedy::{Greedy, Keeps, Who};
pub use rows::{BATCHED, GREEDY, LOSSY, PREFIX, SAMPLING, SPECULATIVE};
pub use sampling::Sampling;
pub use speculative::{Alone, Draft, Lookup, Smaller, Speculative};
pub use text::{Model, Part, Reader, Text, best, rows_of};

pub use benchbook_models::store::{Coded, Numbers, Store};
use benchbook_workloads::decoding::GreedyDecodingParams;

/// What makes a cache of numbers as they are, each position after the one before, with room for the whole context.
fn contiguous(params: &GreedyDecodingParams, weights: &Weights) -> impl Fn() -> Kept<Numbers> + use<> {
    numbers(params, weights, params.layers, |_| Places::Contiguous)
}

/// The same for so many layers, in the places that `places` makes for a number of positions.
fn numbers<P: Fn(usize) -> Places>(
    params: &GreedyDecodingParams,
    weights: &Weights,
    layers: usize,
    places: P,
) -> impl Fn() -> Kept<Numbers> + use<P> {
    let (heads, width, room) = (params.heads, params.width, weights.context());
    move || Kept::new(places(room), layers, heads, room, |rows| Numbers::new(rows, width))
}

/// The same in whole numbers of `BITS` bits.
fn coded<const BITS: usize, P: Fn(usize) -> Places>(
    params: &GreedyDecodingParams,
    weights: &Weights,
    places: P,
) -> impl Fn() -> Kept<Coded<BITS>> + use<BITS, P> {
    let GreedyDecodingParams { layers, heads, width, .. } = *params;
    let room = weights.context();
    move || Kept::new(places(room), layers, heads, room, |rows| Coded::new(rows, width, heads))
}
