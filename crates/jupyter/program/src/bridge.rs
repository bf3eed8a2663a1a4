//! What evcxr takes for the process of the cells: it hands lines on between evcxr and the kernel, which has started that
//! process long before evcxr was there.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread::Builder;

/// Names the socket of the kernel.
pub(crate) const SOCKET: &str = "BENCHBOOK_CELLS_SOCKET";
/// Set by evcxr in the process that it takes for that of the cells.
pub(crate) const RUNTIME: &str = "EVCXR_IS_RUNTIME";
/// By which the kernel tells this process from that of the cells.
pub(crate) const HELLO: &str = "evcxr";

/// Serves, where evcxr has started this process; nothing where a person or Jupyter has.
pub(crate) fn serve() -> Option<ExitCode> {
    std::env::var_os(RUNTIME)?;
    Some(match hand_on() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the process between evcxr and the cells has failed: {error}");
            ExitCode::FAILURE
        }
    })
}

/// Hands lines on until the process of the cells has ended, or evcxr has.
fn hand_on() -> io::Result<()> {
    let socket = std::env::var_os(SOCKET).ok_or_else(|| io::Error::other(format!("{SOCKET} is not set")))?;
    let mut kernel = UnixStream::connect(socket)?;
    writeln!(kernel, "{HELLO}")?;
    let mut to_kernel = kernel.try_clone()?;
    let asks = move || {
        // Either end may have gone; then there is nothing more to hand on.
        let _ = io::copy(&mut io::stdin(), &mut to_kernel);
        let _ = to_kernel.shutdown(Shutdown::Both);
    };
    Builder::new().name("asks".into()).spawn(asks)?;
    io::copy(&mut kernel, &mut io::stdout()).map(drop)
}
