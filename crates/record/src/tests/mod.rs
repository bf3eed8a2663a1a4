//! Tests of the record from the row to the store.

mod create;
mod damage;
mod facts;
mod full_disk;
mod fuzz;
mod hostile;
mod merge;
mod remote;
mod repair;
mod round_trip;
mod selectors;
mod states;
mod strangers;
mod support;
mod versions;

use support::*;
