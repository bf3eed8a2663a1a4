//! Processes that misbehave, are killed, or lose one of their own: who hears of it, and that nobody is left.

mod hostile_worker;
mod kill;
mod ring;
mod together;
