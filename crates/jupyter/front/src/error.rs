//! What keeps the front end from starting, or from going on.

use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the front end cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file that names the ports cannot be read.
    #[error("the connection file {file} cannot be read: {source}; start this kernel by Jupyter, which writes one")]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file that names the ports says something that cannot be followed.
    #[error("the connection file {file} cannot be followed: {problem}")]
    Connection {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A socket cannot be made, set up, or listened on.
    #[error("the socket {what} cannot be used: {source}; another process may have taken it, so restart the kernel")]
    Socket {
        /// The socket, by its address where it has one.
        what: String,
        /// What ZeroMQ said.
        source: zmq::Error,
    },
    /// The system gives no thread.
    #[error("the system gives no thread for {what}: {source}")]
    Thread {
        /// What it was to do.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The thread of the sockets has ended before it was asked to.
    #[error("the sockets of this kernel have failed: {0}; restart the kernel")]
    Lost(String),
}
