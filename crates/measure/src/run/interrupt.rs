//! How a run learns that it is to end.

use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that is set from outside, and whether anything was left out for it.
#[derive(Debug)]
pub struct Interrupt<'a> {
    asked: &'a AtomicBool,
    has_cut: bool,
}

impl<'a> Interrupt<'a> {
    /// Follows this flag.
    pub fn new(asked: &'a AtomicBool) -> Self {
        Self { asked, has_cut: false }
    }

    /// Whether the flag is set.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// The same where something would come next, which is then left out.
    pub fn cuts(&mut self) -> bool {
        let asked = self.is_asked();
        self.has_cut |= asked;
        asked
    }

    /// Whether anything was left out: an interrupt that came after all was done has ended nothing.
    pub fn has_cut(&self) -> bool {
        self.has_cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_cuts_where_something_would_have_come_next() {
        let asked = AtomicBool::new(false);
        let mut interrupt = Interrupt::new(&asked);
        assert!(!interrupt.cuts() && !interrupt.has_cut());
        asked.store(true, Ordering::Relaxed);
        assert!(interrupt.is_asked() && !interrupt.has_cut(), "nothing was to come");
        assert!(interrupt.cuts() && interrupt.has_cut());
    }
}
