//! The connection file, by which Jupyter tells a kernel where to listen and how to sign.

use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};

/// The one scheme of signatures that Jupyter uses.
const SCHEME: &str = "hmac-sha256";

/// Where a kernel listens, and the key of its messages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Connection {
    transport: Transport,
    ip: String,
    shell_port: u16,
    iopub_port: u16,
    stdin_port: u16,
    control_port: u16,
    hb_port: u16,
    #[serde(default)]
    signature_scheme: String,
    #[serde(default)]
    key: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Transport {
    Tcp,
    Ipc,
}

/// The five sockets of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Requests that wait their turn.
    Shell,
    /// Requests that must not wait: interrupts and the end.
    Control,
    /// Questions to the person, and their answers.
    Stdin,
    /// What everybody sees.
    Iopub,
    /// What comes here goes back as it is.
    Heartbeat,
}

impl Connection {
    /// Reads a connection file.
    ///
    /// # Errors
    /// The file cannot be read, is no connection file, or asks for signatures of another kind than HMAC with SHA-256.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|source| Error::Read { file: file.to_owned(), source })?;
        Self::parse(&text).map_err(|problem| Error::Connection { file: file.to_owned(), problem })
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let found: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if !found.key.is_empty() && found.signature_scheme != SCHEME {
            return Err(format!(
                "it asks for signatures by `{}`, and only `{SCHEME}` is known",
                found.signature_scheme
            ));
        }
        if found.ip.chars().any(char::is_control) {
            return Err("its address has a control character".into());
        }
        Ok(found)
    }

    /// The key by which messages are signed; nothing is signed where it is empty.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.key.as_bytes()
    }

    /// The address of a socket, as ZeroMQ writes it.
    #[must_use]
    pub fn endpoint(&self, channel: Channel) -> String {
        let port = match channel {
            Channel::Shell => self.shell_port,
            Channel::Control => self.control_port,
            Channel::Stdin => self.stdin_port,
            Channel::Iopub => self.iopub_port,
            Channel::Heartbeat => self.hb_port,
        };
        match self.transport {
            Transport::Tcp => format!("tcp://{}:{port}", self.ip),
            Transport::Ipc => format!("ipc://{}-{port}", self.ip),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"shell_port": 5001, "iopub_port": 5002, "stdin_port": 5003, "control_port": 5004,
        "hb_port": 5005, "ip": "127.0.0.1", "key": "a0436f6c-1916", "transport": "tcp",
        "signature_scheme": "hmac-sha256", "kernel_name": "benchbook", "jupyter_session": "/a/b.ipynb"}"#;

    #[test]
    fn each_socket_has_its_address() {
        let tcp = Connection::parse(FILE).expect("a connection file");
        assert_eq!(tcp.endpoint(Channel::Shell), "tcp://127.0.0.1:5001");
        assert_eq!(tcp.endpoint(Channel::Heartbeat), "tcp://127.0.0.1:5005");
        assert_eq!(tcp.key(), b"a0436f6c-1916");
        let ipc = FILE.replace("\"tcp\"", "\"ipc\"").replace("127.0.0.1", "/run/user/kernel");
        let ipc = Connection::parse(&ipc).expect("a connection file");
        assert_eq!(ipc.endpoint(Channel::Iopub), "ipc:///run/user/kernel-5002");
    }

    #[test]
    fn what_cannot_be_followed_is_said() {
        for (text, part) in [
            (FILE.replace("sha256", "md5"), "`hmac-md5`"),
            (FILE.replace("127.0.0.1", "a\\u0000b"), "control character"),
            (FILE.replace("5001", "70000"), "70000"),
            (FILE.replace("hb_port", "other"), "hb_port"),
            (FILE.replace("\"tcp\"", "\"udp\""), "udp"),
            (String::new(), "EOF"),
        ] {
            let error = Connection::parse(&text).expect_err(part);
            assert!(error.contains(part), "{error}");
        }
        let error = Connection::read(Path::new("/no/such/file")).expect_err("absent").to_string();
        assert!(error.contains("/no/such/file"), "{error}");
    }

    #[test]
    fn without_a_key_nothing_is_signed() {
        let open = FILE.replace("a0436f6c-1916", "").replace("hmac-sha256", "");
        assert!(Connection::parse(&open).expect("a connection file").key().is_empty());
    }
}
