//! Matrices as panels of two registers' columns, in which tiles find a row side by side, and back.

/// Rows `[rows, width]` as panels `[panels, rows, columns]`, with zeros behind the end of a row.
pub fn from_rows(from: &[f32], width: usize, columns: usize, to: &mut [f32]) {
    let rows = from.len() / width;
    for (panel, to) in to.chunks_exact_mut(rows * columns).enumerate() {
        let (first, last) = (panel * columns, width.min((panel + 1) * columns));
        for (to, from) in to.chunks_exact_mut(columns).zip(from.chunks_exact(width)) {
            to.fill(0.0);
            to[..last - first].copy_from_slice(&from[first..last]);
        }
    }
}

/// Panels as rows `[rows, width]` again.
pub fn to_rows(from: &[f32], width: usize, columns: usize, to: &mut [f32]) {
    let rows = to.len() / width;
    for (panel, from) in from.chunks_exact(rows * columns).enumerate() {
        let (first, last) = (panel * columns, width.min((panel + 1) * columns));
        for (to, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(columns)) {
            to[first..last].copy_from_slice(&from[..last - first]);
        }
    }
}

/// Where the first number of a column of panels lies.
fn first(column: usize, rows: usize, columns: usize) -> usize {
    column / columns * rows * columns + column % columns
}

/// Columns `[width, rows]` as panels `[panels, rows, columns]`, with zeros where there are no more of them.
pub fn from_columns(from: &[f32], rows: usize, columns: usize, to: &mut [f32]) {
    to.fill(0.0);
    for (column, from) in from.chunks_exact(rows).enumerate() {
        let to = to[first(column, rows, columns)..].iter_mut().step_by(columns);
        from.iter().zip(to).for_each(|(from, to)| *to = *from);
    }
}

/// Panels as columns `[width, rows]` again.
pub fn to_columns(from: &[f32], rows: usize, columns: usize, to: &mut [f32]) {
    for (column, to) in to.chunks_exact_mut(rows).enumerate() {
        let from = from[first(column, rows, columns)..].iter().step_by(columns);
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_come_back_from_their_panels() {
        for (rows, width, columns) in [(1, 1, 8), (3, 8, 8), (5, 19, 8), (7, 33, 16)] {
            let matrix: Vec<f32> = (0..rows * width).map(|index| index as f32 + 1.0).collect();
            let turned: Vec<f32> = (0..rows * width).map(|index| matrix[index % rows * width + index / rows]).collect();
            let [mut of_rows, mut of_columns] =
                [(); 2].map(|()| vec![f32::NAN; width.div_ceil(columns) * rows * columns]);
            from_rows(&matrix, width, columns, &mut of_rows);
            from_columns(&turned, rows, columns, &mut of_columns);
            assert_eq!(of_rows, of_columns);
            assert_eq!(of_rows.iter().sum::<f32>(), matrix.iter().sum::<f32>(), "zeros behind the ends");
            let [mut rows_again, mut columns_again] = [(); 2].map(|()| vec![f32::NAN; rows * width]);
            to_rows(&of_rows, width, columns, &mut rows_again);
            to_columns(&of_rows, rows, columns, &mut columns_again);
            assert_eq!((rows_again, columns_again), (matrix, turned));
        }
    }
}
