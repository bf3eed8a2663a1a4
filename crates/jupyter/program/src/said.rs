//! What the process of the cells tells the kernel.

use std::collections::BTreeMap;

/// One thing in several forms, by MIME type; JSON stands as text.
pub(crate) type Forms = BTreeMap<String, String>;

/// Something that happens in the process of the cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Text of standard output, a part of a line too.
    Printed(String),
    /// Text of standard error.
    Complained(String),
    /// Something that the cell shows before it has ended.
    Shown(Forms),
    /// The last thing that it shows.
    Value(Forms),
    /// What a question that follows asks.
    Asks(String),
    /// The code has failed in this way: `panic`, or `error` for a `?`. The library says more of it, if it is there.
    Failed(String),
    /// Why it has failed, as the library says.
    Explained {
        /// In which way, in a word.
        kind: String,
        /// What happened.
        message: String,
    },
}
