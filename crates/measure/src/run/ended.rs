//! How the trials of a run ended, each counted once.

use std::fmt;

use benchbook_journal::Status;

/// Trials by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// With samples that may be used.
    pub ok: u64,
    /// With an error, a panic or a timeout.
    pub failed: u64,
    /// With a wrong output.
    pub wrong: u64,
    /// With more disturbed samples than others, which says nothing of the kernel.
    pub invalid: u64,
    /// Never begun, since the implementation does not do the case.
    pub unsupported: u64,
    /// Cut short, or not begun for lack of time.
    pub interrupted: u64,
}

impl Ended {
    /// Counts a trial that ended so.
    pub(super) fn count(&mut self, status: Status) {
        let count = match status {
            Status::Ok => &mut self.ok,
            Status::Failed => &mut self.failed,
            Status::Wrong => &mut self.wrong,
            Status::Invalid => &mut self.invalid,
            Status::Unsupported => &mut self.unsupported,
            Status::Interrupted => &mut self.interrupted,
        };
        *count += 1;
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ok, failed, wrong, invalid, unsupported, interrupted } = self;
        write!(f, "{ok} ok")?;
        let others = [
            (failed, "failed"),
            (wrong, "wrong"),
            (invalid, "invalid"),
            (unsupported, "unsupported"),
            (interrupted, "interrupted"),
        ];
        others.iter().filter(|(count, _)| **count > 0).try_for_each(|(count, how)| write!(f, ", {count} {how}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trial_is_counted_once_and_by_its_name() {
        let mut ended = Ended::default();
        assert_eq!(ended.to_string(), "0 ok");
        let all =
            [Status::Ok, Status::Invalid, Status::Wrong, Status::Failed, Status::Unsupported, Status::Interrupted];
        all.into_iter().chain([Status::Invalid]).for_each(|status| ended.count(status));
        assert_eq!(ended.to_string(), "1 ok, 1 failed, 1 wrong, 2 invalid, 1 unsupported, 1 interrupted");
    }
}
