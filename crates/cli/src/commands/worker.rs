//! `benchbook worker`.

use benchbook_measure::conformance::{Examined, Found, examine};
use benchbook_measure::{Foreign, References, all_threads};

use crate::args::{WorkerAction, WorkerArgs, WorkerCheckArgs};
use crate::error::{EXIT_WRONG_WORKER, Failure};
use crate::output::{Row, show};
use crate::progress::interrupt_flag;

/// Looks at a worker of another program.
pub fn worker(arguments: WorkerArgs) -> Result<u8, Failure> {
    match arguments.action {
        WorkerAction::Check(arguments) => check(&arguments),
    }
}

fn check(arguments: &WorkerCheckArgs) -> Result<u8, Failure> {
    let WorkerCheckArgs { command, workload, threads, timeout, format } = arguments;
    let interrupted = interrupt_flag("ending the worker")?;
    let worker = Foreign { name: "checked".into(), command: command.clone() };
    let references = References::new(benchbook_workloads::problems(), benchbook_workloads::CODE_DIGEST, &interrupted);
    let threads = threads.unwrap_or_else(all_threads);
    let examined = examine(&worker, workload.as_deref(), references, threads, *timeout, &interrupted)?;
    show(&examined.iter().map(row).collect::<Vec<_>>(), format.format)?;
    let is_right = examined.iter().all(|one| one.found == Found::Right);
    Ok(if is_right { 0 } else { EXIT_WRONG_WORKER })
}

fn row(Examined { about, promise, found }: &Examined) -> Row<'_> {
    let (level, text, remedy) = match found {
        Found::Right => ("passed", *promise, None),
        Found::Wrong(text) => ("failed", text.as_str(), Some(*promise)),
        Found::NotReached => ("skipped", "what goes before it has failed", None),
    };
    Row { level, area: about, text, remedy }
}
