//! What controller and worker say to each other in protocol 2, as JSON but for the numbers of a sample.

use benchbook_core::message::Description;
use benchbook_core::{Case, Comparison, Params};
use serde::{Deserialize, Serialize};

use crate::executor::{Prepared, Sampled, Trial};

/// From the controller to a worker.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// What exists and what runs here?
    Describe,
    /// Turn these parameters into cases.
    Resolve {
        /// Name of the workload.
        workload: String,
        /// Name of a preset whose cases the parameters override.
        preset: Option<String>,
        /// Parameters of each case.
        combinations: Vec<Params>,
    },
    /// Set up a trial, check it, warm it up, choose its iterations.
    Prepare(Box<Trial>),
    /// Say what a call of a trial adds to the memory of a process that keeps nothing of what it frees.
    Memory(Box<Trial>),
    /// Take one sample of a prepared trial.
    Sample {
        /// The trial.
        trial: i64,
    },
    /// Check a trial once more and drop it.
    Finish {
        /// The trial.
        trial: i64,
    },
}

/// From a worker to its controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// First words of a worker.
    Hello {
        /// Version of the protocol.
        protocol: u32,
        /// Version of the worker's crate.
        version: String,
        /// Process id.
        pid: u32,
        /// Build profile of the kernels (`release`).
        profile: String,
        /// Whether the kernels were compiled with debug assertions: their times are then worthless.
        debug_assertions: bool,
    },
    /// Answer to [`Request::Describe`].
    Description(Box<Description>),
    /// Answer to [`Request::Resolve`] where every combination is a case.
    Cases(Vec<Case>),
    /// Answer to [`Request::Resolve`] where some combinations make no sense, apart from [`Reply::Cases`] because older
    /// workers, which a gate measures too, know that one alone.
    PossibleCases {
        /// The others.
        cases: Vec<Case>,
        /// What makes no sense, and why.
        impossible: Vec<(Params, String)>,
    },
    /// Answer to [`Request::Prepare`]: the trial can be sampled.
    Prepared(Prepared),
    /// Answer to [`Request::Sample`].
    Sampled(Sampled),
    /// Answer to [`Request::Finish`].
    Finished {
        /// The check after timing, see [`Prepared::check`].
        #[serde(with = "one_or_many")]
        check: Vec<Comparison>,
    },
    /// Answer to [`Request::Memory`].
    Memory {
        /// What a call adds to resident memory at its highest, in bytes, where it can be read.
        peak_added_bytes: Option<u64>,
    },
    /// The implementation cannot take this case here, and says why.
    Unsupported {
        /// Why.
        reason: String,
    },
    /// The request could not be carried out; the worker goes on.
    Failed {
        /// Why.
        message: String,
    },
}

/// A list that travels as its element where it has only one, as programs read and say it that know no list there.
pub(crate) mod one_or_many {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said<T> {
        One(T),
        Many(Vec<T>),
    }

    pub fn serialize<T: Serialize, S: Serializer>(list: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        match list {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }

    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        Ok(match Said::deserialize(deserializer)? {
            Said::One(one) => vec![one],
            Said::Many(many) => many,
        })
    }
}
