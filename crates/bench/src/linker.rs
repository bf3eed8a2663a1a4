//! The kernel with cells that are linked by rust-lld itself, to be measured beside its own linker.

use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use xtask::error::{Named, Result};
use xtask::process;
use xtask::workspace::Ready;

/// The name of the script: by it the compiler knows how to call a linker.
const NAME: &str = "cc";
/// The start-up files of evcxr; the first says what cells are linked by.
const FILES: [&str; 2] = ["init.evcxr", "prelude.rs"];
/// Between two flags in the first of them.
const BETWEEN: char = '\u{1f}';
const FLAG: &str = "-Clinker=";
/// Libraries whose functions have versions: a cell that did not name these would get the oldest.
const VERSIONED: [&str; 2] = ["libc.so.6", "libm.so.6"];

/// Turns what a C compiler is told into what a linker is told. A cell finds in its process whatever it lacks.
const SCRIPT: &str = r#"#!/bin/sh
before=
for word do
    shift
    case "$before $word" in
        '-o '*) set -- "$@" -o "$word" ;;
        '-Xlinker '*) set -- "$@" "$word" ;;
        '-L '* | *' -o' | *' -L'* | *' -Xlinker') ;;
        *' -Wl,'*) set -f; IFS=,; set -- "$@" ${word#-Wl,}; unset IFS; set +f ;;
        *' -l'* | *' -B'* | *' -f'* | *' -m'* | *' -no'* | *' -p'* | *.so) ;;
        *) set -- "$@" "$word" ;;
    esac
    before=$word
done
exec "LLD" -flavor gnu "$@" -Bdynamic LIBRARIES
"#;

/// The kernel with another linker.
///
/// # Errors
/// The toolchain has no rust-lld, or the kernel's start-up files are not there.
pub fn by_lld(ready: &Ready, kernel: &Value) -> Result<Value> {
    // Jupyter replaces `$NAME` in the values of `env`.
    let usual = kernel["spec"]["env"]["EVCXR_CONFIG_DIR"].as_str().unwrap_or_default().replace("$$", "$");
    let own = ready.workspace.target.join("bench/lld");
    fs::create_dir_all(&own).named("create", &own)?;
    let linker = own.join(NAME);
    fs::write(&linker, script(&lld()?, &versioned()?)).named("write", &linker)?;
    fs::set_permissions(&linker, Permissions::from_mode(0o755)).named("write", &linker)?;
    for name in FILES {
        let from = Path::new(&usual).join(name);
        let text = fs::read_to_string(&from).named("read", &from)?;
        let text = if name == FILES[0] { with_linker(&text, &linker) } else { text };
        fs::write(own.join(name), text).named("write", own.join(name))?;
    }
    let mut kernel = kernel.clone();
    kernel["spec"]["env"]["EVCXR_CONFIG_DIR"] = own.display().to_string().replace('$', "$$").into();
    Ok(kernel)
}

/// The linker that comes with the compiler.
fn lld() -> Result<PathBuf> {
    let libraries = process::output(process::command("rustc").args(["--print", "target-libdir"]), "install Rust")?;
    let program = Path::new(&libraries).join("../bin/rust-lld");
    program.canonicalize().named("find", program)
}

fn versioned() -> Result<Vec<String>> {
    let path = |name: &str| {
        let mut ask = process::command("cc");
        process::output(ask.arg(format!("-print-file-name={name}")), "install a C compiler")
    };
    VERSIONED.into_iter().map(path).collect()
}

fn script(lld: &Path, libraries: &[String]) -> String {
    let libraries: Vec<String> = libraries.iter().map(|path| format!("\"{path}\"")).collect();
    SCRIPT.replace("LLD", &lld.display().to_string()).replace("LIBRARIES", &libraries.join(" "))
}

/// The start-up file, with another linker in the place of the kernel's own.
fn with_linker(init: &str, linker: &Path) -> String {
    let flags: Vec<&str> = init.trim_end().split(BETWEEN).filter(|flag| !flag.starts_with(FLAG)).collect();
    format!("{}{BETWEEN}{FLAG}{}\n", flags.join(&BETWEEN.to_string()), linker.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linker_is_told_of_no_library_but_of_those_with_versions() {
        // What would link says what it is told.
        let script = script(Path::new("echo"), &["/lib/libc.so.6".to_owned()]);
        let words = "-m64 -Wl,--version-script=/t/list /t/a.o -L /t -L/u -Wl,-Bstatic /t/core.rlib -ltorch /t/libb.so \
            -Xlinker a,b -fuse-ld=lld -B/gcc-ld -Wl,-z,relro,-z,now -o /t/cell.so -shared -nodefaultlibs";
        let mut link = process::command("sh");
        let told = process::output(link.args(["-c", &script, "sh"]).args(words.split_whitespace()), "a shell");
        let expected = "-flavor gnu --version-script=/t/list /t/a.o -Bstatic /t/core.rlib a,b -z relro -z now -o /t/cell.so \
            -shared -Bdynamic /lib/libc.so.6";
        assert_eq!(told.expect("a shell"), expected);
    }

    #[test]
    fn one_linker_takes_the_place_of_another() {
        let init = |linker: &str| format!(":build_env CARGO_ENCODED_RUSTFLAGS=-Ca\u{1f}-Lb{linker}\n");
        let own = init("\u{1f}-Clinker=/own/cc");
        for before in [init(""), init("\u{1f}-Clinker=/a b/cc")] {
            assert_eq!(with_linker(&before, Path::new("/own/cc")), own);
        }
    }
}
