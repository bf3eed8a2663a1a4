//! Verdicts: what a comparison may say, and why.
//!
//! Inference is on log ratios of paired blocks, averaged within a replicate. *Direction* holds where
//! the interval of the ratio excludes 1; *size* holds where a narrower interval lies inside the
//! practical margin (two one-sided tests, Schuirmann 1987). `equivalent` if size holds, else `faster`
//! or `slower` if direction holds, else `undecided`. A comparison is one of a family, and [`judge`] has the last
//! word on all of it.

mod answer;
mod decide;
mod label;
mod paired;
mod reason;
mod rules;
mod scope;
mod seen;
mod sequential;
mod suite;

pub use answer::Verdict;
pub use label::Label;
pub use paired::paired_verdict;
pub use reason::Reason;
pub use rules::Rules;
pub use scope::Scope;
pub use seen::{SEEN_REPLICATES, unseen_share};
pub use sequential::{sequential_verdict, sequential_verdict_from};
pub use suite::{Judgement, Member, judge};
