//! Moments of an optimizer in another process: memory that is only reached by asking for it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use benchbook_process::Supervised;
use benchbook_simd::AdamWStep;

use super::adamw::{Moments, Wide};
use super::filed::{STRETCH, beside, stepped, stretches};
use crate::ring::wire::{read_number, read_size, write_numbers};

/// The first argument of a process that keeps states.
const WORD: &str = "states";

/// The first word of such a process; a program that does not begin with it is none, or of another version.
const READY: u64 = 0x0001_7374_6174_6573;

const SET: u64 = 1;
const STEP: u64 = 2;
const GIVE: u64 = 3;

/// How long the end of a process may come after its pipe is closed.
const PATIENCE: Duration = Duration::from_millis(500);

/// Numbers of both moments of a stretch.
const BOTH: usize = 2 * STRETCH;

/// The `main` of such a process, if this program was started as one: its exit code. Nothing otherwise.
pub fn keeper_main() -> Option<ExitCode> {
    if std::env::args_os().nth(1).as_deref() != Some(OsStr::new(WORD)) {
        return None;
    }
    // Whoever has started it sees how it ends, and nobody else may be there.
    Some(if keeper().is_ok() { ExitCode::SUCCESS } else { ExitCode::from(4) })
}

fn keeper() -> io::Result<()> {
    // Without the buffers of standard input and output, which would copy everything once more.
    let mut from = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut to = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    keep(&mut from, &mut to)
}

/// Keeps first and second moments, those of a stretch side by side, until nobody asks any more.
fn keep(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    write_numbers(to, &[READY])?;
    let mut states = vec![0.0_f32; 2 * read_size(from)?];
    loop {
        let order = match read_number(from) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            order => order?,
        };
        match order {
            SET => from.read_exact(bytemuck::cast_slice_mut(&mut states))?,
            STEP => {
                for both in states.chunks_mut(BOTH) {
                    to.write_all(bytemuck::cast_slice(both))?;
                    from.read_exact(bytemuck::cast_slice_mut(both))?;
                }
            }
            GIVE => to.write_all(bytemuck::cast_slice(&states))?,
            other => return Err(io::Error::new(ErrorKind::InvalidData, format!("{other} is no order"))),
        }
    }
}

/// How a child has ended whose pipe is closed, or that it has not.
pub(super) fn ending(child: &mut Supervised) -> String {
    let ended = child.ends_within(PATIENCE).then(|| child.end().status).flatten();
    ended.map_or_else(|| "it is still there".to_owned(), |status| format!("it ended with {status}"))
}

/// Moments that another process keeps; it ends with this value.
pub(super) struct Elsewhere {
    child: Supervised,
    orders: ChildStdin,
    states: ChildStdout,
    parameters: usize,
    room: Vec<f32>,
    /// Why they cannot be had any more.
    broken: Option<String>,
}

impl Elsewhere {
    /// A process of this program that keeps as many moments as there are parameters.
    ///
    /// # Errors
    /// It cannot be started, or is another program, in words.
    pub(super) fn new(program: &Path, parameters: usize) -> Result<Self, String> {
        let told = |error: io::Error| format!("{} cannot be started to keep states: {error}", program.display());
        let mut command = Command::new(program);
        command.arg(WORD).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Supervised::start_in_our_group(&mut command).map_err(told)?;
        let pipes = child.take_stdin().zip(child.take_stdout());
        let (orders, states) = pipes.ok_or_else(|| told(io::Error::other("its pipes are missing")))?;
        let room = vec![0.0; BOTH.min(2 * parameters)];
        let mut elsewhere = Self { child, orders, states, parameters, room, broken: None };
        let greeted = read_number(&mut elsewhere.states).and_then(|word| match word {
            READY => write_numbers(&mut elsewhere.orders, &[parameters as u64]),
            _ => Err(io::Error::new(ErrorKind::InvalidData, "it is another program, or of another version")),
        });
        greeted.map_err(|error| elsewhere.lost(&error))?;
        Ok(elsewhere)
    }

    /// What went wrong with the process, which is not asked again.
    fn lost(&mut self, error: &io::Error) -> String {
        let why =
            format!("the process {} that keeps the states: {error}; {}", self.child.id(), ending(&mut self.child));
        self.broken = Some(why.clone());
        why
    }

    fn send(&mut self, start: &Wide) -> io::Result<()> {
        write_numbers(&mut self.orders, &[SET])?;
        for (first, count) in stretches(self.parameters) {
            self.orders.write_all(bytemuck::cast_slice(beside(&mut self.room, start, first, count)))?;
        }
        Ok(())
    }

    /// Takes a step, a stretch after another; what the arithmetic says, or else what the pipes say.
    fn made(&mut self, step: &AdamWStep, parameter: &mut [f32], gradient: &[f32]) -> io::Result<Result<(), String>> {
        write_numbers(&mut self.orders, &[STEP])?;
        let mut done = Ok(());
        for (first, count) in stretches(self.parameters) {
            let both = &mut self.room[..2 * count];
            self.states.read_exact(bytemuck::cast_slice_mut(both))?;
            done = done.and(stepped(step, both, &mut parameter[first..][..count], &gradient[first..][..count]));
            // It waits for them, whatever became of the step.
            self.orders.write_all(bytemuck::cast_slice(both))?;
        }
        Ok(done)
    }

    fn asked(&mut self) -> io::Result<[Vec<f32>; 2]> {
        write_numbers(&mut self.orders, &[GIVE])?;
        let mut moments = [Vec::new(), Vec::new()];
        for (_, count) in stretches(self.parameters) {
            let both = &mut self.room[..2 * count];
            self.states.read_exact(bytemuck::cast_slice_mut(both))?;
            moments.iter_mut().zip(both.chunks_exact(count)).for_each(|(to, part)| to.extend_from_slice(part));
        }
        Ok(moments)
    }

    /// Nothing, or why they cannot be had any more.
    fn there(&self) -> Result<(), String> {
        self.broken.clone().map_or(Ok(()), Err)
    }
}

impl Moments for Elsewhere {
    type Start = Wide;

    fn step(&mut self, step: &AdamWStep, parameter: &mut [f32], gradient: &[f32]) -> Result<(), String> {
        self.there()?;
        self.made(step, parameter, gradient).unwrap_or_else(|error| Err(self.lost(&error)))
    }

    fn set(&mut self, start: &Wide) {
        if self.broken.is_none()
            && let Err(error) = self.send(start)
        {
            self.lost(&error);
        }
    }

    fn numbers(&mut self) -> Result<[Vec<f32>; 2], String> {
        self.there()?;
        self.asked().map_err(|error| self.lost(&error))
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.room[..])
    }

    fn processes(&self) -> Vec<u32> {
        vec![self.child.id()]
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;

    #[test]
    fn what_is_kept_comes_stretch_by_stretch_and_stays_as_it_goes_back() {
        let parameters = STRETCH + 3;
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let keeper = thread::spawn(move || keep(&mut &theirs, &mut &theirs));
        assert_eq!(read_number(&mut ours).unwrap(), READY);
        write_numbers(&mut ours, &[parameters as u64, SET]).unwrap();
        let states: Vec<f32> = (0..2 * parameters).map(|place| place as f32).collect();
        ours.write_all(bytemuck::cast_slice(&states)).unwrap();
        write_numbers(&mut ours, &[STEP]).unwrap();
        for (first, count) in stretches(parameters) {
            let mut both = vec![0.0_f32; 2 * count];
            ours.read_exact(bytemuck::cast_slice_mut(&mut both)).unwrap();
            assert_eq!(both, states[2 * first..][..2 * count]);
            both.iter_mut().for_each(|state| *state += 1.0);
            ours.write_all(bytemuck::cast_slice(&both)).unwrap();
        }
        write_numbers(&mut ours, &[GIVE]).unwrap();
        let mut kept = vec![0.0_f32; 2 * parameters];
        ours.read_exact(bytemuck::cast_slice_mut(&mut kept)).unwrap();
        assert!(kept.iter().zip(&states).all(|(kept, state)| *kept == state + 1.0));
        drop(ours);
        assert!(keeper.join().unwrap().is_ok(), "it ends with its pipe");
    }

    #[test]
    fn another_program_is_no_keeper() {
        let told = |program: &str| Elsewhere::new(Path::new(program), 5).err().unwrap();
        let absent = told("/no/such/program");
        assert!(absent.contains("/no/such/program cannot be started to keep states"), "{absent}");
        let other = told("/bin/false");
        assert!(other.contains("that keeps the states") && other.contains("exit status: 1"), "{other}");
    }
}
