//! Positions that become one with others (token merging: Bolya et al., arXiv 2210.09461, section 3).

use rayon::prelude::*;

use crate::store::dot;

/// The directions of positions, by the sums of their keys over heads `[batch, heads, seq, head_dim]`, each of length 1:
/// `[batch, seq, head_dim]`.
pub fn directions(keys: &[f32], [seq, heads, d]: [usize; 3]) -> Vec<f32> {
    let mut all = vec![0.0; keys.len() / heads];
    for (keys, to) in keys.chunks_exact(heads * seq * d).zip(all.chunks_exact_mut(seq * d)) {
        for keys in keys.chunks_exact(seq * d) {
            super::add(to, keys);
        }
        for direction in to.chunks_exact_mut(d) {
            let size = dot(direction, direction).sqrt();
            // A sum of nothing but zeros has no direction.
            if size > 0.0 {
                direction.iter_mut().for_each(|number| *number /= size);
            }
        }
    }
    all
}

/// So many of the even places, of a sequence with these directions `[seq, head_dim]`, that are most alike the odd place that is most
/// alike them, each with that place; ascending.
pub fn chosen(directions: &[f32], d: usize, count: usize) -> Vec<[usize; 2]> {
    let seq = directions.len() / d;
    let direction = |place: usize| &directions[place * d..][..d];
    let nearest = |half: usize| {
        let (from, mut best) = (2 * half, (f32::NEG_INFINITY, 1));
        for into in (1..seq).step_by(2) {
            let alike = dot(direction(from), direction(into));
            if alike > best.0 {
                best = (alike, into);
            }
        }
        (best.0, [from, best.1])
    };
    let mut edges: Vec<(f32, [usize; 2])> = (0..seq.div_ceil(2)).into_par_iter().map(nearest).collect();
    edges.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    let mut edges: Vec<[usize; 2]> = edges.into_iter().take(count).map(|(_, edge)| edge).collect();
    edges.sort_unstable();
    edges
}

/// Makes positions one with others, in each sequence of `rows` `[batch, seq, width]` as many: their means, by how many positions each
/// stands for, which `sizes` `[batch, seq]` has.
pub fn merged(rows: &mut Vec<f32>, width: usize, sizes: &mut Vec<f32>, edges: &[Vec<[usize; 2]>]) {
    let seq = sizes.len() / edges.len().max(1);
    let mut kept = 0;
    for (sequence, edges) in edges.iter().enumerate() {
        let first = sequence * seq;
        for [from, into] in edges.iter().map(|edge| edge.map(|place| first + place)) {
            let (share, all) = (sizes[from], sizes[from] + sizes[into]);
            for number in 0..width {
                let (one, other) = (rows[into * width + number], rows[from * width + number]);
                rows[into * width + number] = one + (other - one) * (share / all);
            }
            sizes[into] = all;
        }
        let mut gone = edges.iter().map(|[from, _]| first + from).peekable();
        for place in first..first + seq {
            if gone.next_if_eq(&place).is_some() {
                continue;
            }
            rows.copy_within(place * width..(place + 1) * width, kept * width);
            sizes[kept] = sizes[place];
            kept += 1;
        }
    }
    rows.truncate(kept * width);
    sizes.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike_become_their_mean_by_what_they_stand_for() {
        // Two sequences of five positions with two heads of two numbers, whose directions are angles of a hundredth of a turn.
        let angles = [[0.0, 10.0, 11.0, 3.0, 40.0], [7.0, 9.0, 0.0, 1.0, 1.5]];
        let on_circle = |angle: &f64| {
            let (sin, cos) = (angle * std::f64::consts::TAU / 100.0).sin_cos();
            [cos as f32, sin as f32]
        };
        let head = |angles: &[f64; 5]| angles.iter().flat_map(on_circle).collect::<Vec<f32>>();
        let keys: Vec<f32> = angles.iter().flat_map(|angles| [head(angles), head(angles)].concat()).collect();
        let found = directions(&keys, [5, 2, 2]);
        assert!(found.iter().zip(angles.iter().flat_map(head)).all(|(one, other)| (one - other).abs() < 1e-6));
        let edges: Vec<Vec<[usize; 2]>> = found.chunks_exact(10).map(|one| chosen(one, 2, 2)).collect();
        assert_eq!(edges, [[[0, 3], [2, 1]], [[2, 3], [4, 3]]]);
        let mut rows: Vec<f32> = (0..10).map(|place| place as f32).collect();
        let mut sizes = vec![1.0, 3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 1.0, 1.0];
        merged(&mut rows, 1, &mut sizes, &edges);
        assert_eq!(sizes, [4.0, 2.0, 1.0, 1.0, 1.0, 4.0]);
        // (3 · 1 + 2) / 4, (3 + 0) / 2, 4; 5, 6, and (8 + 2 · 7 + 9) / 4 = 7.75.
        let wanted = [1.25, 1.5, 4.0, 5.0, 6.0, 7.75];
        assert!(rows.iter().zip(wanted).all(|(one, other)| (one - other).abs() < 1e-6), "{rows:?}");
        assert!(chosen(&[1.0, 0.0], 2, 0).is_empty() && chosen(&found[..10], 2, 9).len() == 3);
    }
}
