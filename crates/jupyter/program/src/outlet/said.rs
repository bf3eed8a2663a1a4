//! What the process around the cells tells the kernel: a line of JSON each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One thing in several forms, by MIME type; JSON stands as text.
pub(crate) type Forms = BTreeMap<String, String>;

/// Something that happens in the process of the cells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The code has ended; it waits for a byte, so that everything before this is on the page by then.
    Done,
}
