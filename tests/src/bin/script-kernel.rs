//! The kernel of `serve_script` as a program: `script-kernel CONNECTION_FILE`.

use std::path::Path;

fn main() -> benchbook_front::Result<()> {
    let file = std::env::args_os().nth(1).unwrap_or_default();
    benchbook_tests::serve_script(Path::new(&file))
}
