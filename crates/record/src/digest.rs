//! BLAKE3 checksums of files.

use std::io::{self, Write};

/// Passes bytes on and computes their checksum and length on the way.
pub(crate) struct Hashing<W> {
    inner: W,
    hasher: blake3::Hasher,
    len: u64,
}

impl<W: Write> Hashing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, hasher: blake3::Hasher::new(), len: 0 }
    }

    /// What the bytes were passed on to.
    pub(crate) fn inner(&self) -> &W {
        &self.inner
    }

    /// Length in bytes and checksum in lower-case hexadecimal of what was written.
    pub(crate) fn result(&self) -> (u64, String) {
        (self.len, self.hasher.finalize().to_hex().to_string())
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
