//! The largest singular values of a matrix, with their vectors.

use benchbook_core::{DType, Row};
use benchbook_models::compress::randomised_svd;
use benchbook_workloads::singular::{PROBES, RandomisedSvd, RandomisedSvdParams};

use crate::flex::calls::{Calls, Named, named, numbers};
use crate::flex::row::fused_row;

/// Vectors are made orthonormal by products and a small factor, so that nearly all of the time is in products.
pub const RANDOMISED: Row<RandomisedSvd> = fused_row::<RandomisedSvd>(
    "cholesky-qr",
    "products as `tiled` does, vectors made orthonormal by the Cholesky factor of their products (CholeskyQR2), what is within the \
     range decomposed by Jacobi's rotations (arXiv 0909.4061, algorithm 5.1)",
    &[DType::F32],
    |name, setting, params, inputs| {
        let RandomisedSvdParams { rows, width, rank, passes } = *params;
        let call = move |inputs: &[Named; 3], [values, applied]: [&mut [f32]; 2]| {
            let [matrix, start, probe] = numbers(inputs);
            let found = randomised_svd(matrix, [rows, width], start, passes);
            values.copy_from_slice(&found.values);
            applied.copy_from_slice(&found.times(probe, PROBES));
            Ok(())
        };
        let shapes = [vec![1, rank], vec![rows, PROBES]];
        Ok(Box::new(Calls::of_slices(name, setting, named(inputs, ["matrix", "start", "probe"]), shapes, call)))
    },
)
.catalogue(&["SP4"]);
