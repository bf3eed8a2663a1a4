//! What figures hold, what pages hold, and what a real browser draws of them.

mod common;
mod drawn;
mod figures;
mod heat_map;
mod history;
mod matrix;
mod pages;
mod roofline;
