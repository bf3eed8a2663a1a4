//! The right factor of a product in formats of few bits: codes, scales, and the numbers that both stand for.

use benchbook_core::Inputs;
use benchbook_models::compress::Scheme;
pub use benchbook_models::compress::{Coded, Held};
use benchbook_workloads::matmul::MatmulParams;

use crate::flex::weight_only::right;

/// What puts the right factor into a format.
pub trait Format {
    /// Which.
    const SCHEME: Scheme;

    /// The right factor `[k, n]` of these inputs.
    fn coded(params: &MatmulParams, inputs: &Inputs) -> Coded {
        right(Self::SCHEME.coded(inputs.numbers("b"), [params.k, params.n]))
    }
}

/// A type for each format.
macro_rules! formats {
    ($($name:ident)*) => { $(
        #[doc = concat!("See [`Scheme::", stringify!($name), "`].")]
        pub struct $name;

        impl Format for $name {
            const SCHEME: Scheme = Scheme::$name;
        }
    )* };
}

formats! {
    Int8 Int8G32 Int4G32 E4m3 Mxfp8 Mxfp8Floor Mxfp8Ceil Mxfp8Even Mxfp6E2m3Floor Mxfp6E3m2Floor
    Mxfp4 Mxfp4Floor Mxfp4Ceil Mxfp4Even Nf4
}
