//! What happens to the front end, from whatever thread.

use crate::assistant::Answer;
use crate::connection::Channel;
use crate::evaluator::{Failure, Outcome};
use crate::page::{Bundle, News};

/// Something that has happened.
#[derive(Debug)]
pub enum Event {
    /// Something has come by a socket.
    Received {
        /// Which one.
        channel: Channel,
        /// As it lay on the wire.
        frames: Vec<Vec<u8>>,
    },
    /// Somebody has begun to listen to what is published under this topic.
    Subscribed(Vec<u8>),
    /// Everything that had come by the sockets when it was asked for has been handed over.
    Settled,
    /// The sockets have failed.
    Lost(String),
    /// A cell shows or asks something.
    News {
        /// Its number.
        cell: u64,
        /// What.
        news: News,
    },
    /// A cell has ended.
    Ended {
        /// Its number.
        cell: u64,
        /// How.
        outcome: Outcome,
        /// What has become of the expressions that were asked for beside it.
        expressions: Vec<(String, Result<Bundle, Failure>)>,
    },
    /// A cell was interrupted a while ago.
    Overdue {
        /// Its number.
        cell: u64,
    },
    /// A question about code has an answer.
    Answered {
        /// The number of the question.
        question: u64,
        /// The answer.
        answer: Answer,
    },
}
