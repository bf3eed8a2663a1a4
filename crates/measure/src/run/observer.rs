//! How a run tells of its progress, always outside the timed region.

/// Something worth telling a person who waits.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress<'a> {
    /// The run exists in the store.
    Started {
        /// Id of the run.
        run_id: &'a str,
        /// Cases times replicates.
        groups: usize,
        /// Trials of the whole run.
        trials: usize,
    },
    /// A variant is being set up, checked and warmed up.
    Preparing {
        /// Which group, from 0.
        group: usize,
        /// Label of the case.
        case: &'a str,
        /// Label of the variant.
        variant: &'a str,
    },
    /// A block is complete.
    Block {
        /// Which group, from 0.
        group: usize,
        /// Label of the case.
        case: &'a str,
        /// Replicate, from 0.
        replicate: u32,
        /// Blocks so far in this group.
        block: u64,
        /// Blocks wanted.
        blocks: u64,
    },
    /// The pilot is over and the rest is planned.
    Planned {
        /// Cases times replicates, those already done included.
        groups: usize,
    },
    /// A group is complete.
    GroupDone {
        /// Groups done so far.
        done: usize,
    },
    /// Something a person should know: a trial failed, a worker was lost, the budget is used up.
    Note(&'a str),
}

/// Whoever shows progress.
pub trait Observer {
    /// Called between measurements, never during one.
    fn progress(&mut self, progress: Progress<'_>);
}

/// Shows nothing.
pub struct Silent;

impl Observer for Silent {
    fn progress(&mut self, _progress: Progress<'_>) {}
}
