//! What one sample of a case is: calls of a kernel, or a loop with state.

use serde::{Deserialize, Serialize};

use crate::{Array, Error, Metric, Result, Setting, Subject};

/// What one sample of a case is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// As many calls of a kernel as fill it.
    #[default]
    Call,
    /// One loop with state, timed a step at a time: a decoded token, a training step.
    Steps(StepsOf),
}

/// What a case says of its loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepsOf {
    /// Steps at most: more of them fail a trial.
    pub most: usize,
    /// Tokens of all steps together, where the case fixes them: others are another amount of work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<i64>,
    /// Name and unit of each number that a step tells of itself (`loss`, `accepted`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<(String, String)>,
}

impl Task {
    /// The loop, where a sample is one.
    pub fn steps(&self) -> Option<&StepsOf> {
        match self {
            Self::Call => None,
            Self::Steps(of) => Some(of),
        }
    }
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Tokens that it made; 0 where a step makes none.
    pub tokens: i64,
    /// Whether another step follows.
    pub more: bool,
}

/// A loop with state. [`Looping`] makes it a [`Subject`], of which a call is one loop from its begin to its last step.
pub trait Loop {
    /// Goes back to before the first step. Inputs that are written after it count.
    fn begin(&mut self);

    /// Makes the next step, and waits until its device has finished it. `values` has a place for each number that the case
    /// names, in that order.
    ///
    /// # Errors
    /// The device reports a failure.
    fn step(&mut self, values: &mut [f64]) -> Result<Step>;

    /// See [`Subject::outputs`]: those of the last loop that came to its end.
    ///
    /// # Errors
    /// As there.
    fn outputs(&mut self) -> Result<Vec<Array>>;

    /// See [`Subject::write`].
    ///
    /// # Errors
    /// As there.
    fn write(&mut self, _input: &str, _first: usize, _values: &[f32]) -> Result<bool> {
        Ok(false)
    }

    /// See [`Subject::processes`].
    fn processes(&self) -> Vec<u32> {
        Vec::new()
    }

    /// See [`Subject::allocates_in_rust`].
    fn allocates_in_rust(&self) -> bool {
        false
    }

    /// See [`Subject::metrics`].
    fn metrics(&self) -> Vec<Metric> {
        Vec::new()
    }
}

/// A loop as a thing to time.
pub struct Looping<L> {
    looped: L,
    implementation: &'static str,
    device: String,
    most: usize,
    /// Room for the numbers of a step.
    values: Vec<f64>,
    ran: bool,
    failure: Option<Error>,
}

impl<L: Loop> Looping<L> {
    /// The loop of an implementation on the device of `setting`, of a case that says this of it.
    pub fn new(implementation: &'static str, setting: &Setting, of: &StepsOf, looped: L) -> Self {
        let (device, values) = (setting.device.clone(), vec![0.0; of.values.len()]);
        Self { looped, implementation, device, most: of.most, values, ran: false, failure: None }
    }

    fn error(&self, reason: String) -> Error {
        Error::Implementation { implementation: self.implementation.into(), device: self.device.clone(), reason }
    }

    /// One loop to its end.
    fn whole(&mut self) -> Result<()> {
        self.looped.begin();
        for _ in 0..self.most {
            if !self.looped.step(&mut self.values)?.more {
                self.ran = true;
                return Ok(());
            }
        }
        Err(self.error(endless(self.most)))
    }
}

/// What is wrong with a loop that goes on after `most` steps.
pub fn endless(most: usize) -> String {
    format!("its loop makes more than {most} steps, the most that the case allows")
}

impl<L: Loop> Subject for Looping<L> {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            if let Err(error) = self.whole() {
                self.failure = Some(error);
                return;
            }
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        if self.ran { self.looped.outputs() } else { Err(self.error("no loop has come to its end yet".into())) }
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        self.looped.write(input, first, values)
    }

    fn processes(&self) -> Vec<u32> {
        self.looped.processes()
    }

    fn allocates_in_rust(&self) -> bool {
        self.looped.allocates_in_rust()
    }

    fn metrics(&self) -> Vec<Metric> {
        self.looped.metrics()
    }

    fn looped(&mut self) -> Option<&mut dyn Loop> {
        Some(&mut self.looped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    /// Counts to a number, or on and on.
    struct Count(i64, Option<i64>);

    impl Loop for Count {
        fn begin(&mut self) {
            self.0 = 0;
        }

        fn step(&mut self, values: &mut [f64]) -> Result<Step> {
            self.0 += 1;
            values[0] = self.0 as f64;
            Ok(Step { tokens: 1, more: self.1 != Some(self.0) })
        }

        fn outputs(&mut self) -> Result<Vec<Array>> {
            Ok(vec![Array::new(vec![1], &[self.0])])
        }
    }

    fn looping(end: Option<i64>) -> Looping<Count> {
        let setting = Setting { device: "d".into(), dtype: DType::F32, threads: 1, copies: 1 };
        let of = StepsOf { most: 3, tokens: Some(3), values: vec![("count".into(), "count".into())] };
        Looping::new("counts", &setting, &of, Count(0, end))
    }

    #[test]
    fn a_call_is_one_loop_and_one_that_does_not_end_fails() {
        let mut right = looping(Some(3));
        assert!(right.outputs().is_err(), "nothing has run yet");
        assert!(!right.allocates_in_rust(), "what a library allocates would go uncounted");
        right.run(2);
        right.sync().unwrap();
        assert_eq!(right.outputs().unwrap(), [Array::new(vec![1], &[3_i64])]);
        let mut endless = looping(None);
        endless.run(1);
        assert!(endless.sync().unwrap_err().to_string().contains("more than 3 steps"));
        assert!(endless.outputs().is_err());
    }
}
