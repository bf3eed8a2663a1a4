//! What figures hold, what pages hold, and what a real browser draws of them.

mod common;
mod drawn;
mod figures;
mod history;
mod pages;
