//! Files that others may have put there: opened without waiting, read no further than they go, created anew; and where
//! bytes go: a file, or in tests a disk that is full after so many of them.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read, Take, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// No file of a store that is read at once is larger, in bytes.
pub const SMALL_BYTES: u64 = 16 << 20;

/// Whether the numbers below are the system's; elsewhere the looks before and after opening must do.
const KNOWN: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

/// `O_NONBLOCK`: a pipe that has just taken the file's place is not waited for.
const NON_BLOCKING: i32 = if KNOWN { 0o4000 } else { 0 };

/// `O_NOFOLLOW`: a link that has just taken the file's place is not followed.
const NO_FOLLOW: i32 = if KNOWN { 0o400_000 } else { 0 };

/// Says what the entry is, unless it is a regular file.
///
/// # Errors
/// It is none.
pub fn regular(found: &Metadata) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    let reason = format!("it is {}, not a regular file", word(found.file_type()));
    Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
}

fn word(kind: FileType) -> &'static str {
    match kind {
        _ if kind.is_symlink() => "a symbolic link",
        _ if kind.is_dir() => "a folder",
        _ if kind.is_fifo() => "a named pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

/// Opens a file of a store for reading; nothing but a regular file, never through a link.
///
/// # Errors
/// It is something else, or the system refuses.
pub fn open(path: &Path) -> io::Result<File> {
    open_found(path, &fs::symlink_metadata(path)?, NO_FOLLOW)
}

fn open_found(path: &Path, found: &Metadata, flags: i32) -> io::Result<File> {
    // Some devices act when they are opened, so the look afterwards is not enough.
    regular(found)?;
    let file = OpenOptions::new().read(true).custom_flags(NON_BLOCKING | flags).open(path)?;
    regular(&file.metadata()?)?;
    Ok(file)
}

/// A file up to the size that it has now, which is the limit of what comes back.
///
/// # Errors
/// The system refuses.
pub fn bounded(file: File) -> io::Result<Take<File>> {
    let size_bytes = file.metadata()?.len();
    Ok(file.take(size_bytes))
}

/// As [`open`], [`bounded`].
///
/// # Errors
/// As [`open`].
pub fn open_bounded(path: &Path) -> io::Result<Take<File>> {
    bounded(open(path)?)
}

/// A whole file of a store, where it is small.
///
/// # Errors
/// As [`open`], or it is larger than [`SMALL_BYTES`].
pub fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open_bounded(path)?;
    if file.limit() > SMALL_BYTES {
        let reason = format!("it has {} bytes, more than {SMALL_BYTES}", file.limit());
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The bytes of a file that a person named, through links, up to the size that it has now.
///
/// # Errors
/// It is a pipe, a device or a folder, which might never end, or the system refuses.
pub fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bounded(open_found(path, &fs::metadata(path)?, 0)?)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As [`read_bytes`], as text.
///
/// # Errors
/// As [`read_bytes`], or the bytes are no UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read_bytes(path)?).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// Removes a file, or a link and not what it leads to; what is absent is removed already.
///
/// # Errors
/// The system refuses.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Creates a file under a name that nothing has; what had it is removed, never written through.
///
/// # Errors
/// The system refuses.
pub fn create(path: &Path) -> io::Result<File> {
    remove(path)?;
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// A file behind whatever stands for the disk.
pub type Sink = Box<dyn Write + Send>;

/// Turns an opened file into the sink that is written to.
pub type Disk = Arc<dyn Fn(File) -> Sink + Send + Sync>;

/// The real disk.
pub fn disk() -> Disk {
    Arc::new(|file: File| -> Sink { Box::new(file) })
}
