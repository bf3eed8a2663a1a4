//! Moments of an optimizer in a file: memory that is slower than memory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use benchbook_simd::{self as simd, AdamWStep};

use super::adamw::{Moments, Wide};

/// Parameters whose moments are in memory at a time.
pub(super) const STRETCH: usize = 1 << 16;

/// Names that are tried: those that exist were left behind by a process that was killed.
const TRIES: usize = 1000;

/// Where stretches of so many parameters begin, and how many parameters each has.
pub(super) fn stretches(parameters: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..parameters).step_by(STRETCH).map(move |first| (first, STRETCH.min(parameters - first)))
}

/// Puts both moments of a stretch side by side.
pub(super) fn beside<'a>(room: &'a mut [f32], of: &Wide, first: usize, count: usize) -> &'a [f32] {
    let both = &mut room[..2 * count];
    let (one, other) = both.split_at_mut(count);
    one.copy_from_slice(&of.first[first..][..count]);
    other.copy_from_slice(&of.second[first..][..count]);
    both
}

/// Takes a step of a stretch whose moments lie side by side.
pub(super) fn stepped(
    step: &AdamWStep,
    both: &mut [f32],
    parameter: &mut [f32],
    gradient: &[f32],
) -> Result<(), String> {
    let (one, other) = both.split_at_mut(parameter.len());
    simd::adamw(step, [parameter, one, other], gradient).map_err(|error| error.to_string())
}

/// First and second moments of a stretch lie side by side, one stretch after another.
pub(super) struct Filed {
    file: File,
    parameters: usize,
    room: Vec<f32>,
    /// Why going back to the beginning has failed.
    broken: Option<String>,
}

impl Filed {
    /// A file in this folder that holds these; it has no name and goes with this value.
    ///
    /// # Errors
    /// It cannot be made or written, in words that say where and what to do.
    pub(super) fn new(folder: &Path, start: &Wide) -> Result<Self, String> {
        let parameters = start.first.len();
        let told = |error: io::Error| {
            let megabytes = (8 * parameters) as f64 / 1e6;
            let what = if error.kind() == ErrorKind::StorageFull { "free it, or name" } else { "name" };
            let place = folder.display();
            format!(
                "states of {megabytes:.1} MB cannot be written in {place}: {error}; {what} another folder in TMPDIR"
            )
        };
        let file = nameless(folder).map_err(told)?;
        let mut filed = Self { file, parameters, room: vec![0.0; 2 * STRETCH.min(parameters)], broken: None };
        filed.write(start).map_err(told)?;
        Ok(filed)
    }

    /// Bytes of the file.
    pub(super) fn file_bytes(&self) -> usize {
        2 * self.parameters * size_of::<f32>()
    }

    fn write(&mut self, start: &Wide) -> io::Result<()> {
        for (first, count) in stretches(self.parameters) {
            put(&self.file, first, beside(&mut self.room, start, first, count))?;
        }
        Ok(())
    }
}

/// A file without a name.
fn nameless(folder: &Path) -> io::Result<File> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let mut last = io::Error::from(ErrorKind::AlreadyExists);
    for _ in 0..TRIES {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("benchbook-states-{}-{number}", std::process::id()));
        match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => return fs::remove_file(&path).map(|()| file),
            Err(error) => last = error,
        }
        if last.kind() != ErrorKind::AlreadyExists {
            break;
        }
    }
    Err(last)
}

/// Writes both moments of a stretch that begins with this parameter.
fn put(file: &File, first: usize, both: &[f32]) -> io::Result<()> {
    file.write_all_at(bytemuck::cast_slice(both), (2 * first * size_of::<f32>()) as u64)
}

fn take(file: &File, first: usize, both: &mut [f32]) -> io::Result<()> {
    file.read_exact_at(bytemuck::cast_slice_mut(both), (2 * first * size_of::<f32>()) as u64)
}

impl Moments for Filed {
    type Start = Wide;

    fn step(&mut self, step: &AdamWStep, parameter: &mut [f32], gradient: &[f32]) -> Result<(), String> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        for (first, count) in stretches(self.parameters) {
            let both = &mut self.room[..2 * count];
            take(&self.file, first, both).map_err(|error| format!("states cannot be read: {error}"))?;
            stepped(step, both, &mut parameter[first..][..count], &gradient[first..][..count])?;
            put(&self.file, first, both).map_err(|error| format!("states cannot be written: {error}"))?;
        }
        Ok(())
    }

    fn set(&mut self, start: &Wide) {
        self.broken = self.write(start).err().map(|error| format!("states cannot be written: {error}"));
    }

    fn numbers(&mut self) -> Result<[Vec<f32>; 2], String> {
        let mut moments = [Vec::new(), Vec::new()];
        for (first, count) in stretches(self.parameters) {
            let both = &mut self.room[..2 * count];
            take(&self.file, first, both).map_err(|error| format!("states cannot be read: {error}"))?;
            moments.iter_mut().zip(both.chunks_exact(count)).for_each(|(to, part)| to.extend_from_slice(part));
        }
        Ok(moments)
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.room[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_comes_back_and_nothing_is_left_behind() {
        let count = STRETCH + 7;
        let numbers = |by: f32| -> Vec<f32> { (0..count).map(|place| place as f32 * by).collect() };
        let start = Wide { first: numbers(0.5), second: numbers(0.25) };
        let mut filed = Filed::new(&std::env::temp_dir(), &start).unwrap();
        assert_eq!(filed.numbers().unwrap(), [start.first.clone(), start.second.clone()]);
        assert_eq!((filed.file_bytes(), filed.bytes()), (8 * count, 8 * STRETCH));
        let prefix = format!("benchbook-states-{}-", std::process::id());
        let left = fs::read_dir(std::env::temp_dir()).unwrap().flatten();
        assert_eq!(left.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)).count(), 0);
        let refused = Filed::new(Path::new("/no/such/folder"), &start).err().unwrap();
        assert!(refused.contains("/no/such/folder") && refused.contains("TMPDIR"), "{refused}");
    }
}
