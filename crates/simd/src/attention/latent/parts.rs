//! What both forms do head by head: queries, products by the weights of a head, and numbers that are put behind others.
#![expect(unsafe_code, reason = "tasks write rows of heads, which do not lie together")]

use super::{LatentAttention, LatentSizes};
use crate::blocks::{Finish, Place, Spread, products, rows_of};
use crate::error::Result;
use crate::experts::product::{MOST_ROWS, Part, WIDE};
use crate::matmul::isa::Tile;
use crate::matmul::pack::LEFT_ROW;
use crate::matmul::packed::Packed;
use crate::memory::{Pieces, scratch};
use crate::team::parallel_for;
use crate::tools::Tools;

/// Queries of the new positions. Those for keys go to `to`, `apart` numbers from one sequence to the next, from one head to the next
/// and from one position to the next; those that carry their place are turned, `[batch, heads, seq_q, rotary_dim]`.
pub fn queries<T: Tile + Tools + Sync>(
    tile: &T,
    call: &LatentAttention,
    latents: &[f32],
    to: &mut [f32],
    apart: [usize; 3],
    turned: &mut [f32],
) -> Result<()> {
    let (weights, seq, rows) = (call.weights, call.seq_q, call.batch * call.seq_q);
    let LatentSizes { heads, query_rank, head_dim, rotary_dim, .. } = weights.sizes;
    scratch([rows * heads * rotary_dim], |[placed]| {
        let (to, aside) = (Pieces::new(to), Pieces::new(&mut *placed));
        let place = |to, apart, width, packed: &Packed<1>| {
            Place::Spread(Spread { to, first: 0, seq, apart, width, padded: packed.across() / heads })
        };
        let plain = place(&to, apart, head_dim, &weights.query_up);
        let of_heads = [heads * seq * rotary_dim, seq * rotary_dim, rotary_dim];
        let placed_at = place(&aside, of_heads, rotary_dim, &weights.query_rotary);
        let both = [(&weights.query_up, Finish::to(plain)), (&weights.query_rotary, Finish::to(placed_at))];
        products(tile, [rows, query_rank], rows_of(latents, query_rank), &both);
        weights.rotary.rotate(weights.isa, seq, call.cached(), placed, turned)
    })
}

/// Rows of each head, `row(row, head)`, by the weights of that head, to its place.
pub fn by_heads<'r, 'p, T: Tile + Tools + Sync>(
    tile: &T,
    [rows, heads]: [usize; 2],
    packed: &Packed<1>,
    row: impl Fn(usize, usize) -> &'r [f32] + Sync,
    place: impl Fn(usize) -> Place<'p> + Sync,
) {
    let (across, down) = (packed.panels.div_ceil(WIDE), rows.div_ceil(MOST_ROWS));
    let most = MOST_ROWS.min(rows);
    let room = most * packed.panels.min(WIDE) * T::COLUMNS;
    // Tasks with the same weights follow each other.
    parallel_for(0..heads * across * down, |task| {
        let (head, panel) = (task / (across * down), task / down % across * WIDE);
        let first = task % down * MOST_ROWS;
        let count = MOST_ROWS.min(rows - first);
        let part = Part { packed, expert: head, panels: panel..packed.panels.min(panel + WIDE) };
        scratch([most * LEFT_ROW, room], |[left, sums]| {
            let sums = &mut sums[..count * part.wide::<T>()];
            part.multiply(tile, count, |index| row(first + index, head), left, [&mut *sums]);
            part.finish(tile, count, [&*sums], first, &Finish::to(place(head)));
        });
    });
}

/// Puts what `from` gives of a sequence, a head and a position to its place in `to`, which is `first` and as many numbers behind it as
/// `apart` says for each of the three.
pub fn put<'r>(
    [batch, heads, seq]: [usize; 3],
    from: impl Fn([usize; 3]) -> &'r [f32] + Sync,
    to: &mut [f32],
    first: usize,
    apart: [usize; 3],
) {
    let to = Pieces::new(to);
    parallel_for(0..batch * heads, |index| {
        let (sequence, head) = (index / heads, index % heads);
        let first = first + sequence * apart[0] + head * apart[1];
        for position in 0..seq {
            let (from, at) = (from([sequence, head, position]), first + position * apart[2]);
            // SAFETY: these numbers are this task's alone, which takes one piece at a time.
            let to = unsafe { to.piece(at..at + from.len()) };
            to.copy_from_slice(from);
        }
    });
}
