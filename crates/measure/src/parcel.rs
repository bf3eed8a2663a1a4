//! Inputs on their way to a worker that cannot make them: in a file, in memory where there is room, as long as it needs them.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use benchbook_core::Array;
use uuid::Uuid;

use crate::frame::places;

/// Where files lie in memory.
const MEMORY: &str = "/dev/shm";

/// A file with arrays in it, which goes with this.
#[derive(Debug)]
pub(crate) struct Parcel(PathBuf);

impl Parcel {
    /// A file that holds these arrays, where a frame says that they lie.
    pub fn pack(arrays: &[(&str, &Array)]) -> io::Result<Self> {
        Self::pack_in(Path::new(MEMORY), arrays).or_else(|_| Self::pack_in(&std::env::temp_dir(), arrays))
    }

    fn pack_in(folder: &Path, arrays: &[(&str, &Array)]) -> io::Result<Self> {
        let path = folder.join(format!("benchbook-{}", Uuid::now_v7()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let parcel = Self(path);
        arrays.iter().zip(places(arrays)).try_for_each(|((_, array), at)| file.write_all_at(array.bytes(), at))?;
        Ok(parcel)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        // Nobody is left who could be told.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_parcel_holds_its_arrays_for_its_owner_and_goes_with_it() {
        let (a, b) = (Array::new(vec![3], &[1_u8, 2, 3]), Array::new(vec![1], &[2.5_f32]));
        let parcel = Parcel::pack(&[("a", &a), ("b", &b)]).unwrap();
        let (path, held) = (parcel.path().to_owned(), fs::read(parcel.path()).unwrap());
        assert_eq!((&held[..3], &held[64..]), (&[1, 2, 3][..], &2.5_f32.to_le_bytes()[..]));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(parcel);
        assert!(!path.exists());
    }

    #[test]
    fn what_does_not_fit_into_memory_lies_elsewhere() {
        let array = Array::new(vec![1], &[1_u8]);
        let absent = Parcel::pack_in(Path::new("/no/such/folder"), &[("a", &array)]);
        assert_eq!(absent.unwrap_err().kind(), io::ErrorKind::NotFound);
        let folder = tempfile::tempdir().unwrap();
        let parcel = Parcel::pack_in(folder.path(), &[("a", &array)]).unwrap();
        assert!(parcel.path().starts_with(folder.path()));
    }
}
