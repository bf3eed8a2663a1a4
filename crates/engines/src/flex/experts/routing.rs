//! Routers by hand.

use benchbook_core::{Array, DType, Row};
use benchbook_simd::{Result, auxiliary_loss, route};
use benchbook_workloads::experts::{ExpertRouting, Router};

use super::Logits;
use crate::flex::calls::{Calls, room};
use crate::flex::row::fused_row;

/// Implementations of `expert-routing`.
pub const ROWS: [Row<ExpertRouting>; 1] = [INSERTION];

/// No expert is compared with more than the best of its token.
pub const INSERTION: Row<ExpertRouting> = fused_row::<ExpertRouting>(
    "insertion",
    "hand-written: each expert is put in its place among the best of its token, then weights, load and auxiliary loss",
    &[DType::F32],
    |name, setting, params, inputs| {
        let router = params.router();
        let chosen = vec![router.tokens, router.chosen];
        let load = room::<i32>(vec![router.experts]);
        let outputs = [room::<i32>(chosen.clone()), room::<f32>(chosen), load, room::<f32>(vec![1])];
        let of = router.clone();
        let kernel = move |held: &mut Logits, outputs: &mut [Array; 4]| call(&of, held, outputs);
        Ok(Box::new(Calls::new(name, setting, || Ok(Logits::of(inputs, &router)), &outputs, kernel)?))
    },
)
.catalogue(&["SM4"]);

fn call(router: &Router, held: &Logits, [experts, weights, load, loss]: &mut [Array; 4]) -> Result<()> {
    let (router, logits) = (held.router(router), held.logits.of::<f32>());
    route(&router, logits, experts.of_mut(), weights.of_mut())?;
    loss.of_mut::<f32>()[0] = auxiliary_loss(&router, logits, experts.of(), load.of_mut())?;
    Ok(())
}
