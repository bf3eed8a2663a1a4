//! Routers by hand.

use benchbook_core::{Array, DType, Row};
use benchbook_simd::{Error, Result, auxiliary_loss, route};
use benchbook_workloads::experts::{ExpertRouting, Router};

use super::{Logits, room};
use crate::flex::calls::Calls;
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
        let load = Array::new(vec![router.experts], &vec![0_i32; router.experts]);
        let outputs = [room::<i32>(&router), room::<f32>(&router), load, Array::new(vec![1], &[0.0_f32])];
        let held = router.clone();
        let call = move |held: &mut Logits, outputs: &mut [Array]| call(&router, held, outputs);
        Ok(Box::new(Calls::new(name, setting, || Ok(Logits::of(inputs, &held)), &outputs, call)?))
    },
)
.catalogue(&["SM4"]);

fn call(router: &Router, held: &Logits, outputs: &mut [Array]) -> Result<()> {
    let [experts, weights, load, loss] = outputs else {
        return Err(Error::Shape(format!("a router has four results, there is room for {}", outputs.len())));
    };
    let (router, logits) = (held.router(router), held.logits.of::<f32>());
    route(&router, logits, experts.of_mut(), weights.of_mut())?;
    loss.of_mut::<f32>()[0] = auxiliary_loss(&router, logits, experts.of(), load.of_mut())?;
    Ok(())
}
