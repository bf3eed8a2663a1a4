//! Bytes that are read in their order, within their bounds.

use crate::error::{Error, Result};

/// A place in a file: whatever it is asked for it gives, or says that the file ends before.
#[derive(Debug)]
pub struct Bytes<'a> {
    format: &'static str,
    all: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    /// The beginning of a file of this format.
    pub fn new(format: &'static str, all: &'a [u8]) -> Self {
        Self { format, all, at: 0 }
    }

    /// Bytes before this place.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Bytes from here on.
    pub fn left(&self) -> usize {
        self.all.len() - self.at
    }

    /// The error that something is wrong here.
    pub fn damaged(&self, reason: impl Into<String>) -> Error {
        Error::Damaged { format: self.format, at: self.at, reason: reason.into() }
    }

    /// The next `count` bytes, for `what`.
    pub fn take(&mut self, count: u64, what: &str) -> Result<&'a [u8]> {
        let left = self.left();
        let Some(count) = usize::try_from(count).ok().filter(|count| *count <= left) else {
            return Err(self.damaged(format!("{what} of {count} bytes is announced, {left} bytes are left")));
        };
        let taken = &self.all[self.at..][..count];
        self.at += count;
        Ok(taken)
    }

    /// The next `N` bytes, for `what`.
    fn some<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut some = [0; N];
        some.copy_from_slice(self.take(N as u64, what)?);
        Ok(some)
    }

    /// The next number of 8 bits.
    pub fn u8(&mut self, what: &str) -> Result<u8> {
        Ok(self.some::<1>(what)?[0])
    }

    /// The next number of 16 bits.
    pub fn u16(&mut self, what: &str) -> Result<u16> {
        Ok(u16::from_le_bytes(self.some(what)?))
    }

    /// The next number of 32 bits.
    pub fn u32(&mut self, what: &str) -> Result<u32> {
        Ok(u32::from_le_bytes(self.some(what)?))
    }

    /// The next number of 64 bits.
    pub fn u64(&mut self, what: &str) -> Result<u64> {
        Ok(u64::from_le_bytes(self.some(what)?))
    }

    /// The next `count` bytes as text.
    pub fn text(&mut self, count: u64, what: &str) -> Result<&'a str> {
        let at = self.at;
        let text = self.take(count, what)?;
        let reason = || format!("{what} is not UTF-8");
        str::from_utf8(text).map_err(|_| Error::Damaged { format: self.format, at, reason: reason() })
    }
}
