//! Messages as they lie on the wire: routing, a delimiter, a signature, and four parts in JSON.

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use crate::connection::Channel;

/// The version of Jupyter's messaging protocol that this crate speaks.
pub const PROTOCOL: &str = "5.4";

/// Stands between the routing and the message.
const DELIMITER: &[u8] = b"<IDS|MSG>";

/// The parts of a message that are signed: header, parent's header, metadata, content.
const PARTS: usize = 4;

/// The key by which messages of a kernel are signed.
#[derive(Clone)]
pub struct Key(Option<Hmac<Sha256>>);

impl Key {
    /// A key of these bytes; an empty one signs nothing, and takes everything.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        // HMAC takes keys of every length, so there is nothing to fail.
        Self(Some(bytes).filter(|bytes| !bytes.is_empty()).and_then(|bytes| Hmac::new_from_slice(bytes).ok()))
    }

    /// The signature of some parts, in hexadecimal digits.
    fn sign(&self, parts: &[Vec<u8>]) -> Vec<u8> {
        let Some(mac) = &self.0 else { return Vec::new() };
        let mut mac = mac.clone();
        parts.iter().for_each(|part| mac.update(part));
        let digits = |byte: u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
        mac.finalize().into_bytes().into_iter().flat_map(digits).collect()
    }

    /// Whether a signature belongs to these parts; the time that this takes tells nothing of the right one.
    fn fits(&self, signature: &[u8], parts: &[Vec<u8>]) -> bool {
        let Some(mac) = &self.0 else { return true };
        let Some(bytes) = from_digits(signature) else { return false };
        let mut mac = mac.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.verify_slice(&bytes).is_ok()
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn from_digits(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
        _ => None,
    };
    text.chunks(2).map(pair).collect()
}

/// What somebody asks of the kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The socket by which it came.
    pub channel: Channel,
    /// The way back to who asks.
    pub route: Vec<Vec<u8>>,
    /// Its type, such as `execute_request`.
    pub kind: String,
    /// Its header, which every answer repeats.
    pub header: Value,
    /// What it asks.
    pub content: Value,
}

/// Why what came is no request.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The delimiter is missing.
    #[error("it has no delimiter")]
    NoDelimiter,
    /// There are too few parts.
    #[error("it has {0} parts after the delimiter, and needs 5")]
    TooShort(usize),
    /// It is signed by another key, or has been changed.
    #[error("its signature does not fit")]
    Signature,
    /// A part is no JSON.
    #[error("its {part} is no JSON: {source}")]
    Json {
        /// Which one.
        part: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The header does not say what it is.
    #[error("its header names no `msg_type`")]
    NoType,
}

impl Request {
    /// Reads what came by a socket.
    ///
    /// # Errors
    /// It is no message, or one that was signed by another key.
    pub fn read(channel: Channel, mut frames: Vec<Vec<u8>>, key: &Key) -> Result<Self, Refused> {
        let delimiter = frames.iter().position(|frame| frame == DELIMITER).ok_or(Refused::NoDelimiter)?;
        let rest = frames.split_off(delimiter);
        let (Some(signature), Some(parts)) = (rest.get(1), rest.get(2..2 + PARTS)) else {
            return Err(Refused::TooShort(rest.len() - 1));
        };
        if !key.fits(signature, parts) {
            return Err(Refused::Signature);
        }
        let json = |at: usize, part| {
            serde_json::from_slice::<Value>(&parts[at]).map_err(|source| Refused::Json { part, source })
        };
        let (header, content) = (json(0, "header")?, json(3, "content")?);
        let kind = header["msg_type"].as_str().ok_or(Refused::NoType)?.to_owned();
        Ok(Self { channel, route: frames, kind, header, content })
    }
}

/// What the kernel says.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The socket by which it goes.
    pub channel: Channel,
    /// The way to who gets it; on [`Channel::Iopub`] the topic.
    pub route: Vec<Vec<u8>>,
    /// Its type, such as `execute_reply`.
    pub kind: &'static str,
    /// The header of the request that it belongs to; empty where there is none.
    pub parent: Value,
    /// What it says.
    pub content: Value,
}

impl Message {
    /// The answer to a request, to the one who asked.
    #[must_use]
    pub fn answer(request: &Request, kind: &'static str, content: Value) -> Self {
        let (channel, route) = (request.channel, request.route.clone());
        Self { channel, route, kind, parent: request.header.clone(), content }
    }

    /// Something for everybody, in the course of the request with this header.
    #[must_use]
    pub fn publish(parent: &Value, kind: &'static str, content: Value) -> Self {
        let route = vec![kind.as_bytes().to_vec()];
        Self { channel: Channel::Iopub, route, kind, parent: parent.clone(), content }
    }

    /// The message as it goes over the wire.
    #[must_use]
    pub fn frames(&self, key: &Key, session: &str) -> Vec<Vec<u8>> {
        let header = json!({
            "msg_id": Uuid::now_v7().to_string(),
            "session": session,
            "username": "kernel",
            "date": chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            "msg_type": self.kind,
            "version": PROTOCOL,
        });
        let parts = [header.to_string(), self.parent.to_string(), "{}".to_owned(), self.content.to_string()];
        let parts = parts.map(String::into_bytes);
        let signature = key.sign(&parts);
        let mut frames = self.route.clone();
        frames.extend([DELIMITER.to_vec(), signature]);
        frames.extend(parts);
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A message as a client sends it.
    fn sent(route: &[&[u8]], parts: [&str; PARTS], key: &Key) -> Vec<Vec<u8>> {
        let parts = parts.map(|part| part.as_bytes().to_vec());
        let mut frames: Vec<Vec<u8>> = route.iter().map(|frame| frame.to_vec()).collect();
        frames.extend([DELIMITER.to_vec(), key.sign(&parts)]);
        frames.extend(parts);
        frames
    }

    const HEADER: &str = r#"{"msg_id":"1","msg_type":"execute_request","version":"5.3"}"#;

    #[test]
    fn the_signature_is_hmac_sha256() {
        // Test case 2 of RFC 4231.
        let key = Key::new(b"Jefe");
        let parts = ["what do ya ", "want", " for ", "nothing?"].map(|part| part.as_bytes().to_vec());
        let expected = b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(key.sign(&parts), expected);
        assert!(key.fits(expected, &parts));
        assert!(key.fits(&expected.to_ascii_uppercase(), &parts));
        assert!(!key.fits(&expected[..62], &parts) && !key.fits(b"", &parts) && !key.fits(b"zz", &parts));
        assert!(!Key::new(b"Jeff").fits(expected, &parts));
    }

    #[test]
    fn a_request_comes_with_its_way_back() {
        let key = Key::new(b"key");
        let frames = sent(&[b"client", b"\xff"], [HEADER, "{}", "{}", r#"{"code":"1"}"#], &key);
        let request = Request::read(Channel::Shell, frames, &key).expect("a request");
        assert_eq!(request.route, [b"client".to_vec(), b"\xff".to_vec()]);
        assert_eq!((request.kind.as_str(), request.content["code"].as_str()), ("execute_request", Some("1")));
        let answer = Message::answer(&request, "execute_reply", json!({ "status": "ok" }));
        let frames = answer.frames(&key, "session");
        assert_eq!(frames[..2], request.route);
        let back = Request::read(Channel::Shell, frames.clone(), &key).expect("signed by the same key");
        assert_eq!((back.kind.as_str(), &back.header["session"]), ("execute_reply", &json!("session")));
        let parent: Value = serde_json::from_slice(&frames[5]).expect("JSON");
        assert_eq!(parent, request.header);
        let date = back.header["date"].as_str().expect("a date");
        assert!(chrono::DateTime::parse_from_rfc3339(date).is_ok(), "{date}");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let key = Key::new(b"key");
        let good = sent(&[b"c"], [HEADER, "{}", "{}", "{}"], &key);
        let read =
            |frames: Vec<Vec<u8>>| Request::read(Channel::Shell, frames, &key).map_err(|error| error.to_string());
        let without = |at: usize| {
            let mut frames = good.clone();
            frames.remove(at);
            read(frames).expect_err("cut")
        };
        assert!(without(1).contains("no delimiter"));
        assert!(without(6).contains("4 parts"));
        let mut changed = good.clone();
        changed[6] = b"{ }".to_vec();
        assert!(read(changed).expect_err("changed").contains("signature"));
        let other = sent(&[], [HEADER, "{}", "{}", "{"], &key);
        assert!(read(other).expect_err("cut").contains("content is no JSON"));
        assert!(read(sent(&[], ["{}", "{}", "{}", "{}"], &key)).expect_err("empty").contains("msg_type"));
        assert!(read(Vec::new()).is_err());
        // Buffers after the four parts belong to no request of ours, and do no harm.
        let mut more = good.clone();
        more.push(vec![0; 9]);
        assert!(read(more).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_bring_the_reader_down(frames in prop::collection::vec(
            prop_oneof![Just(DELIMITER.to_vec()), prop::collection::vec(any::<u8>(), 0..64)], 0..9,
        )) {
            let open = Request::read(Channel::Shell, frames.clone(), &Key::new(b""));
            let signed = Request::read(Channel::Shell, frames, &Key::new(b"key"));
            // Nobody guesses a signature, and these are no JSON object with a type.
            prop_assert!(signed.is_err() && open.is_err());
        }
    }
}
