//! The `main` of a worker program.

use std::process::ExitCode;

use benchbook_core::for_people;

use crate::host::Host;
use crate::serve::serve;

/// What a controller asks of a worker at its start.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    threads: usize,
    parent: Option<u32>,
}

const USAGE: &str = "benchbook starts this program itself; by hand: benchbook-worker serve --threads N";

/// Sizes the thread pools, then serves `host` until the controller is gone.
///
/// `set_threads` runs before anything else, since a pool that has started keeps its size.
pub fn worker_main(set_threads: impl FnOnce(usize) -> Result<(), String>, host: impl FnOnce() -> Host) -> ExitCode {
    // Text that is not UTF-8 is no word of the controller's either.
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let served = parse(words).and_then(|arguments| {
        set_threads(arguments.threads)?;
        serve(host(), arguments.parent).map_err(|error| error.to_string())
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        #[expect(clippy::print_stderr, reason = "the last words of a program; its controller reads them")]
        Err(message) => {
            eprintln!("benchbook-worker: {}", for_people(&message));
            ExitCode::from(4)
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    if words.next().as_deref() != Some("serve") {
        return Err(USAGE.into());
    }
    let mut arguments = Arguments { threads: 1, parent: None };
    while let Some(word) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        let number = |_| format!("{word} `{value}` is not a number");
        match word.as_str() {
            "--threads" => arguments.threads = value.parse().map_err(number)?,
            "--parent" => arguments.parent = Some(value.parse().map_err(number)?),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_controllers_words_are_understood() {
        let parse = |text: &str| parse(text.split_whitespace().map(str::to_owned));
        assert_eq!(parse("serve --threads 2 --parent 7"), Ok(Arguments { threads: 2, parent: Some(7) }));
        for wrong in ["", "--help", "serve --threads", "serve --threads two", "serve --speed 9"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
