//! Steps of AdamW in operations of burn's tensors.

use benchbook_core::{Array, DType, Inputs, Loop, Looping, Result, Row, Setting, Step, Subject};
use benchbook_workloads::training::{AdamW, AdamWParams, BETAS, DECAY, EPSILON, RATE};
use burn::tensor::{Device, Tensor};

use crate::flex::calls::failed;
use crate::flex::row::burn_row;
use crate::flex::subject::Rows;
use crate::flex::tensor::{Target, download};

pub(super) const BURN: Row<AdamW> = burn_row::<AdamW>(
    "burn",
    "an operation of burn's tensors after another, in the order in which AdamW of burn-optim has them",
    &[DType::F32],
    prepare,
)
.on_request();

/// A loop of steps, each of which finds the same gradient.
struct Steps {
    name: &'static str,
    device_name: String,
    device: Device,
    params: AdamWParams,
    gradient: Tensor<2>,
    /// Parameters and both moments before the first step.
    start: [Tensor<2>; 3],
    now: [Tensor<2>; 3],
    done: usize,
}

fn prepare(name: &'static str, setting: &Setting, params: &AdamWParams, inputs: &Inputs) -> Result<Box<dyn Subject>> {
    let target = Target::of(setting)?;
    let of = |name: &str| target.upload::<2>(inputs.get(name));
    let (gradient, start) = (of("gradient"), [of("parameter"), of("first"), of("root").square()]);
    let steps = Steps {
        name,
        device_name: setting.device.clone(),
        device: target.device,
        params: params.clone(),
        gradient,
        now: start.clone(),
        start,
        done: 0,
    };
    Ok(Box::new(Looping::new(name, setting, &AdamW::steps(params), steps)))
}

impl Loop for Steps {
    fn begin(&mut self) {
        self.now = self.start.clone();
        self.done = 0;
    }

    fn step(&mut self, _values: &mut [f64]) -> Result<Step> {
        self.done += 1;
        let number = (self.params.before + self.done) as f64;
        let [by_first, by_second] = BETAS.map(|beta| 1.0 - beta.powf(number));
        // Nobody else holds what is taken, so that burn may write into it.
        let [parameter, first, second] = std::mem::replace(&mut self.now, self.start.clone());
        let gradient = || self.gradient.clone();
        let first = first.mul_scalar(BETAS[0]).add(gradient().mul_scalar(1.0 - BETAS[0]));
        let second = second.mul_scalar(BETAS[1]).add(gradient().square().mul_scalar(1.0 - BETAS[1]));
        let below = second.clone().div_scalar(by_second).sqrt().add_scalar(EPSILON);
        let delta = first.clone().div_scalar(by_first).div(below);
        let parameter = parameter.mul_scalar(1.0 - RATE * DECAY).sub(delta.mul_scalar(RATE));
        self.now = [parameter, first, second];
        if let Err(error) = self.device.sync() {
            return Err(failed(self.name, &self.device_name, &format!("the device reports a failure: {error:?}")));
        }
        Ok(Step { tokens: 0, more: self.done < self.params.steps })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let read: Result<Vec<Array>, String> = self.now.clone().into_iter().map(download).collect();
        read.map_err(|why| failed(self.name, &self.device_name, &why))
    }

    fn allocates_in_rust(&self) -> bool {
        self.device == Device::flex()
    }

    /// The gradient alone: what else there is begins anew with each loop.
    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        if input != "gradient" {
            return Ok(false);
        }
        Rows::write(&mut self.gradient, first, values);
        Ok(true)
    }
}
