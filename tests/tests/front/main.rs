//! The front end of the Jupyter kernel without a compiler behind it: its clients, and those that speak nonsense.

mod clients;
mod fuzz;
