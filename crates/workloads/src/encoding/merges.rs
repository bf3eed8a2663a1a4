//! Positions that become one with others, as an encoder says which.

/// By how much a cosine is not told from another.
const NEAR: f64 = 1e-4;

/// Which positions an encoder has made one with others (token merging: Bolya et al., arXiv 2210.09461, section 3): those of even
/// places whose keys are most alike one of an odd place. It is believed where nothing but rounding speaks against it.
#[derive(Debug, Clone, Copy)]
pub struct Merges<'a> {
    /// By block, places that became one with others, ascending, and these.
    pub of: &'a [Vec<[usize; 2]>],
    /// Percent of the positions of a block that do.
    pub percent: usize,
}

impl Merges<'_> {
    /// Makes positions of a block one with others, whose keys `[seq, heads · head_dim]` are known: their means, by how many positions
    /// each stands for (`sizes`). Nothing of `rows` `[seq, width]` is a number any more where what was said is not believed.
    pub fn make(&self, layer: usize, (keys, head_dim): (&[&[f64]], usize), rows: &mut Vec<f64>, sizes: &mut Vec<f64>) {
        let (seq, width) = (keys.len(), rows.len() / keys.len().max(1));
        let count = (seq * self.percent / 100).min(seq / 2);
        if count == 0 {
            return;
        }
        let directions: Vec<Vec<f64>> = keys.iter().map(|key| direction(key, head_dim)).collect();
        let edges = self.of.get(layer).filter(|edges| edges.len() == count && believed(&directions, edges));
        let Some(edges) = edges else {
            rows.truncate((seq - count) * width);
            sizes.truncate(seq - count);
            rows.fill(f64::NAN);
            return;
        };
        for &[from, into] in edges {
            let all = sizes[from] + sizes[into];
            for number in 0..width {
                let sum = sizes[from] * rows[from * width + number] + sizes[into] * rows[into * width + number];
                rows[into * width + number] = sum / all;
            }
            sizes[into] = all;
        }
        let stays = |place: &usize| edges.iter().all(|[from, _]| from != place);
        let left: Vec<usize> = (0..seq).filter(stays).collect();
        *rows = left.iter().flat_map(|place| rows[place * width..][..width].to_vec()).collect();
        *sizes = left.iter().map(|place| sizes[*place]).collect();
    }
}

/// The sum of the heads of a key, of length 1.
fn direction(key: &[f64], head_dim: usize) -> Vec<f64> {
    let mut sum = vec![0.0; head_dim];
    for head in key.chunks_exact(head_dim) {
        sum.iter_mut().zip(head).for_each(|(sum, number)| *sum += number);
    }
    let size = sum.iter().map(|number| number * number).sum::<f64>().sqrt();
    sum.into_iter().map(|number| number / size).collect()
}

/// Whether each even place goes to an odd one that is as alike as any, and none that stays is more alike one.
fn believed(directions: &[Vec<f64>], edges: &[[usize; 2]]) -> bool {
    let seq = directions.len();
    let alike = |one: usize, other: usize| -> f64 {
        directions[one].iter().zip(&directions[other]).map(|(one, other)| one * other).sum()
    };
    let best = |from: usize| (1..seq).step_by(2).map(|into| alike(from, into)).fold(f64::NEG_INFINITY, f64::max);
    let fits = |&[from, into]: &[usize; 2]| {
        from.is_multiple_of(2) && into % 2 == 1 && from.max(into) < seq && alike(from, into) >= best(from) - NEAR
    };
    if !edges.is_sorted_by(|one, other| one[0] < other[0]) || !edges.iter().all(fits) {
        return false;
    }
    let least = edges.iter().map(|[from, into]| alike(*from, *into)).fold(f64::INFINITY, f64::min);
    let mut stays = (0..seq).step_by(2).filter(|place| edges.iter().all(|[from, _]| from != place));
    stays.all(|place| best(place) <= least + NEAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_made_where_it_is_believed() {
        // Angles of five positions, a head of two numbers each.
        let keys: Vec<[f64; 2]> = [0.0_f64, 1.0, 1.1, 0.3, 2.5].map(|angle| [angle.cos(), angle.sin()]).into();
        let keys: Vec<&[f64]> = keys.iter().map(<[f64; 2]>::as_slice).collect();
        let made = |edges: &[[usize; 2]]| {
            let (mut rows, mut sizes) = (vec![0.0, 1.0, 2.0, 3.0, 4.0], vec![1.0, 3.0, 1.0, 1.0, 1.0]);
            Merges { of: &[edges.to_vec()], percent: 40 }.make(0, (&keys, 2), &mut rows, &mut sizes);
            (rows, sizes)
        };
        assert_eq!(made(&[[0, 3], [2, 1]]), (vec![1.25, 1.5, 4.0], vec![4.0, 2.0, 1.0]));
        // Too few, not the nearest, not the ones that are most alike, not an even place, and one twice.
        for wrong in [&[[2, 1]][..], &[[0, 1], [2, 1]], &[[0, 3], [4, 1]], &[[1, 3], [2, 1]], &[[2, 1], [2, 1]]] {
            let (rows, _) = made(wrong);
            assert!(rows.len() == 3 && rows.iter().all(|number| number.is_nan()), "{wrong:?}: {rows:?}");
        }
    }
}
