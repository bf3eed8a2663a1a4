//! The shared libraries that a worker's process finds: those that its device asks for before all others.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use benchbook_core::message::DeviceInfo;

/// Where the loader of programs looks for libraries first.
const VARIABLE: &str = "LD_LIBRARY_PATH";

/// The folder that a worker names for a device; nothing where it names none, or one that the variable cannot hold.
pub fn of<'a>(devices: &'a [DeviceInfo], device: &str) -> Option<&'a Path> {
    let known = devices.iter().find(|known| known.name == device)?;
    let folder = known.libraries.as_deref().filter(|folder| !folder.contains([':', ';', '$', '\0']))?;
    Some(Path::new(folder)).filter(|folder| folder.is_absolute())
}

/// Has a process look in this folder before those in which it would look otherwise.
pub fn give(command: &mut Command, folder: &Path) {
    command.env(VARIABLE, before(folder, std::env::var_os(VARIABLE)));
}

fn before(folder: &Path, others: Option<OsString>) -> OsString {
    let mut all = PathBuf::from(folder).into_os_string();
    // An empty name would be the current folder.
    if let Some(others) = others.filter(|others| !others.is_empty()) {
        all.push(":");
        all.push(others);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_its_own_folder_where_the_variable_can_hold_it() {
        let device = |name: &str, libraries: Option<&str>| DeviceInfo {
            name: name.into(),
            engine: String::new(),
            engine_version: String::new(),
            unavailable: None,
            libraries: libraries.map(str::to_owned),
        };
        let devices = [device("a", None), device("b", Some("/spared/b"))];
        let of_each = ["a", "b", "c"].map(|name| of(&devices, name));
        assert_eq!(of_each, [None, Some(Path::new("/spared/b")), None]);
        for wrong in ["", "spared", "/a:/b", "/a;/b", "/$LIB", "/a\0b"] {
            assert_eq!(of(&[device("a", Some(wrong))], "a"), None, "{wrong:?}");
        }
    }

    #[test]
    fn what_the_user_has_set_follows() {
        for (others, all) in [(None, "/a"), (Some(""), "/a"), (Some("/b:/c"), "/a:/b:/c")] {
            assert_eq!(before(Path::new("/a"), others.map(OsString::from)), all);
        }
    }
}
