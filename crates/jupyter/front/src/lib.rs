//! The front end of the Jupyter kernel: Jupyter's messaging protocol, and what a cell may hold beside Rust.

pub mod connection;
pub mod error;
pub mod history;
pub mod magics;
pub mod message;
pub mod source;

pub use connection::Connection;
pub use error::{Error, Result};
