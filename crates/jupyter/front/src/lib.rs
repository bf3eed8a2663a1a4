//! The front end of the Jupyter kernel: Jupyter's messaging protocol, the queue of cells, and what a cell may hold beside
//! Rust. Who compiles and runs Rust is behind [`Evaluator`], and so no part of this crate.
//!
//! One thread serves the sockets, one runs cells, one answers questions about code, and one, which never waits for any
//! of them, decides what is said: [`kernel::Kernel`].

pub mod assistant;
pub mod connection;
pub mod error;
pub mod evaluator;
pub mod event;
pub mod executor;
pub mod history;
pub mod kernel;
pub mod magics;
pub mod message;
pub mod names;
pub mod page;
pub mod parts;
mod serve;
mod shell;
mod sockets;
pub mod source;
pub mod text;
pub mod tries;

pub use assistant::{Assistant, Completions};
pub use connection::Connection;
pub use error::{Error, Result};
pub use evaluator::{Evaluator, Failure, Interrupter, Outcome, Refusal, Variable};
pub use kernel::About;
pub use names::Names;
pub use page::{Bundle, Page, Stream};
pub use serve::{Parts, serve};
