//! Where what is built without libtorch lies.
//!
//! Compiled into `xtask` too, which builds there and uses no crate of this workspace.

use std::path::{Path, PathBuf};

/// The target folder of a build without libtorch: everything has other features, so it is built beside, not over, the rest.
pub fn minimal_target(usual: &Path) -> Option<PathBuf> {
    let mut name = usual.file_name()?.to_owned();
    name.push("-minimal");
    Some(usual.with_file_name(name))
}
