//! Bytes of a stream as text, piece by piece.

use std::io::Read;

/// How much is read at once, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// Turns pieces of a stream into text; a letter may be split between two of them.
#[derive(Debug, Default)]
pub struct Decoder(Vec<u8>);

impl Decoder {
    /// The text of a piece. What is no UTF-8 becomes the replacement character; the beginning of a letter is kept.
    pub fn push(&mut self, piece: &[u8]) -> String {
        self.0.extend_from_slice(piece);
        let kept = self.0.utf8_chunks().last().map_or(0, |chunk| begun(chunk.invalid()));
        let rest = self.0.split_off(self.0.len() - kept);
        let text = String::from_utf8_lossy(&self.0).into_owned();
        self.0 = rest;
        text
    }

    /// What is left when the stream has ended.
    pub fn end(self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

/// How many bytes at the end of a stream so far may be the beginning of a letter.
fn begun(invalid: &[u8]) -> usize {
    match std::str::from_utf8(invalid) {
        Err(error) if error.error_len().is_none() => invalid.len(),
        _ => 0,
    }
}

/// Reads a stream to its end, and hands its text on as it comes.
pub fn pump(mut stream: impl Read, mut take: impl FnMut(&str)) {
    let mut decoder = Decoder::default();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match stream.read(&mut piece) {
            // A stream that cannot be read has ended, as far as anybody can tell.
            Ok(0) => break,
            Ok(length) => take(&decoder.push(&piece[..length])),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    take(&decoder.end());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_letter_waits_for_its_end() {
        let mut decoder = Decoder::default();
        let pieces =
            ["gr\u{f6}".as_bytes(), &"\u{df}\u{1f600}".as_bytes()[..4], &"\u{1f600}".as_bytes()[2..], b"\xff!"];
        let texts = pieces.map(|piece| decoder.push(piece));
        assert_eq!(texts, ["gr\u{f6}", "\u{df}", "\u{1f600}", "\u{fffd}!"]);
        assert_eq!(decoder.push(b"\xe2\x82"), "");
        assert_eq!(decoder.end(), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn pieces_make_the_same_text(bytes in prop::collection::vec(any::<u8>(), 0..64), size in 1..9_usize) {
            let mut decoder = Decoder::default();
            let mut text: String = bytes.chunks(size).map(|piece| decoder.push(piece)).collect();
            text.push_str(&decoder.end());
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }
    }
}
