//! The front end of the Jupyter kernel: Jupyter's messaging protocol.

pub mod connection;
pub mod error;
pub mod message;

pub use connection::Connection;
pub use error::{Error, Result};
