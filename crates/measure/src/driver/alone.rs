//! The process in which memory is measured: one for each metric, which keeps nothing of what it frees.

use crate::Result;
use crate::link::{Link, Starting};

/// The processes of an executor, of which one starts and one ends beside those of others.
#[derive(Default)]
pub struct Alone {
    /// That of the next trial.
    next: Option<Starting>,
    /// That of the last one, which ends.
    last: Option<Box<dyn Link>>,
}

impl Alone {
    /// Starts the process of the next trial.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn begin(&mut self, link: &dyn Link) -> Result<()> {
        self.next = link.keeping_nothing()?;
        Ok(())
    }

    /// The way to the process that was begun, which was asked nothing yet; nothing where there can be none.
    ///
    /// # Errors
    /// It does not greet.
    pub fn started(&mut self) -> Result<Option<Box<dyn Link>>> {
        self.next.take().map(|starting| starting()).transpose()
    }

    /// Ends a process while others are asked.
    pub fn let_go(&mut self, mut link: Box<dyn Link>) {
        link.let_go();
        self.last = Some(link);
    }

    /// Waits for the end of the last one.
    pub fn wait(&mut self) {
        self.last = None;
    }
}
