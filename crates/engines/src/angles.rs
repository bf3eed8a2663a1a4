//! The angles of rotary position embedding, which every engine is given before timing.

use benchbook_workloads::attention::window::BASE;

/// A function of position · base^(−2 i / head_dim) in `f64`, `[seq, head_dim / 2]` (Su et al., arXiv 2104.09864, section 3.2.2).
pub fn angles([seq, head_dim]: [usize; 2], of: fn(f64) -> f64) -> impl Iterator<Item = f64> {
    let half = head_dim / 2;
    let angle = move |index: usize| (index / half) as f64 * BASE.powf(-2.0 * (index % half) as f64 / head_dim as f64);
    (0..seq * half).map(move |index| of(angle(index)))
}
