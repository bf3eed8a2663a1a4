//! Files that are there whole or not at all.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::error::{Named, Result};

/// Puts `content` at `path`; says whether the file had to be written. Readers never see half of it.
pub(crate) fn write_if_changed(path: &Path, content: &[u8]) -> Result<bool> {
    if std::fs::read(path).is_ok_and(|present| present == content) {
        return Ok(false);
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).named("make the folder", folder)?;
    // A temporary file is private; what is installed may be read by whom the umask lets.
    let mode = Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().permissions(mode).tempfile_in(folder).named("write to", folder)?;
    file.write_all(content).named("write", path)?;
    file.persist(path).map_err(|error| error.error).named("write", path)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("new/file");
        assert!(write_if_changed(&path, b"one").expect("writable"));
        assert!(!write_if_changed(&path, b"one").expect("writable"));
        assert!(write_if_changed(&path, b"two").expect("writable"));
        assert_eq!(std::fs::read(&path).expect("readable"), b"two");
        assert_eq!(std::fs::read_dir(folder.path().join("new")).expect("a folder").count(), 1);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("writable");
        let error = write_if_changed(&file.join("below"), b"x").expect_err("a file is no folder");
        assert!(error.to_string().contains("file"), "{error}");
    }
}
