//! Estimates against the packages that define them, and data that is absent, damaged or real.

mod data;
mod help;
mod numbers;
mod texts;
