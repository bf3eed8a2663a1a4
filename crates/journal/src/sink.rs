//! Where bytes go: a file, or in tests a disk that is full after so many of them.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

/// A file behind whatever stands for the disk.
pub type Sink = Box<dyn Write + Send>;

/// Turns an opened file into the sink that is written to.
pub type Disk = Arc<dyn Fn(File) -> Sink + Send + Sync>;

/// The real disk.
pub fn disk() -> Disk {
    Arc::new(|file: File| -> Sink { Box::new(file) })
}
