//! Calls of a prepared trial, or its loops, as a worker is asked for them.

use std::time::Duration;

use benchbook_core::message::{Ask, Place, Ran, Say};
use benchbook_core::{Array, Metric, StepsOf};

use super::believed::{believed, believed_processor_time};
use super::changing::Changing;
use super::machine::processors;
use super::sampler::{Work, Write};
use crate::link::{Link, unexpected};
use crate::steps::Steps;
use crate::waiting::Deadline;
use crate::{Error, Result, clock};

/// Calls of a prepared trial.
pub struct Calls<'a> {
    pub link: &'a mut dyn Link,
    pub changing: &'a mut Changing,
    pub trial: i64,
    pub deadline: Deadline,
    /// What the case says of its loop, where a call is one.
    pub of: Option<&'a StepsOf>,
    /// The steps of the last loop.
    pub steps: Option<Steps>,
}

impl Calls<'_> {
    /// What one call allocates, where it is counted.
    pub fn allocations(&mut self) -> Result<Vec<Metric>> {
        match self.link.ask(&Ask::Allocations { trial: self.trial }, &[], self.deadline.left())? {
            (Say::Allocations { count, bytes }, _) => {
                let metrics = [("allocations", count, "count"), ("allocated_bytes", bytes, "bytes")];
                Ok(metrics.map(|(name, value, unit)| Metric::measured(name, value as f64, unit)).into())
            }
            (Say::None, _) => Ok(Vec::new()),
            (other, _) => Err(unexpected(other)),
        }
    }
}

impl Work for Calls<'_> {
    fn draw(&mut self) {
        self.changing.draw();
    }

    fn run(&mut self, iterations: u64, before: u64, write: Write) -> Result<Ran> {
        let row = match write {
            Write::Nothing => None,
            Write::New => self.changing.change(),
            Write::Again => self.changing.again(),
        };
        let (ran, steps) = run(self.link, self.trial, [iterations, before], row, self.of, self.deadline.left())?;
        self.steps = steps;
        Ok(ran)
    }
}

/// What an answer means that is not the one to a call: that of a loop which has failed brings its steps until then.
pub(crate) fn broken(say: Say, arrays: &[(String, Array)], of: Option<&StepsOf>, asked_ns: i64) -> Error {
    let message = match say {
        Say::Failed { message } => message,
        other => return unexpected(other),
    };
    let steps = of.and_then(|of| Steps::heard(of, arrays).ok()).filter(|steps| {
        let span = steps.span();
        span.is_some_and(|(started_ns, elapsed_ns)| {
            believed(1, started_ns, elapsed_ns, &(asked_ns..=clock::now_ns())).is_ok()
        })
    });
    match steps {
        Some(steps) => Error::Broken { message, steps: Box::new(steps) },
        None => Error::Failed(message),
    }
}

/// Asks for so many calls of a prepared trial, and so many before them, after which a row is written to its inputs; or for a
/// loop, where the case says what that is. Believes what can be true.
pub(crate) fn run(
    link: &mut dyn Link,
    trial: i64,
    [iterations, before]: [u64; 2],
    row: Option<(&Place, &Array)>,
    of: Option<&StepsOf>,
    timeout: Duration,
) -> Result<(Ran, Option<Steps>)> {
    let values: Vec<(&str, &Array)> = row.map(|(_, values)| ("values", values)).into_iter().collect();
    let (write, steps) = (row.map(|(place, _)| place.clone()), of.map(|of| of.most));
    let asked_ns = clock::now_ns();
    let (said, arrays) = link.ask(&Ask::Run { trial, iterations, before, write, steps }, &values, timeout)?;
    let between = asked_ns..=clock::now_ns();
    let Say::Ran(ran) = said else { return Err(broken(said, &arrays, of, *between.start())) };
    if ran.iterations != iterations {
        let words = format!("its worker was asked for {iterations} calls and told of {}", ran.iterations);
        return Err(Error::Failed(words));
    }
    believed(ran.iterations.cast_signed(), ran.started_ns, ran.elapsed_ns, &between)?;
    believed_processor_time(&ran, processors())?;
    let Some(of) = of else { return Ok((ran, None)) };
    let steps = Steps::heard(of, &arrays)?;
    steps.believed(of, &ran)?;
    Ok((ran, Some(steps)))
}
