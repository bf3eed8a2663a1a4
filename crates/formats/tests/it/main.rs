//! Every format beside independent libraries: `fixtures/make_fixtures.py` says which, and makes the same numbers.

mod blocks;
mod codebooks;
mod floats;
mod help;
mod integers;
mod stochastic;
