//! Connections that speak nonsense to the front end of the Jupyter kernel: it goes on answering those that do not.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use benchbook_front::connection::{Channel, Connection};
use benchbook_front::message::{Key, Message, Request};
use benchbook_tests::serve_script;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use zmq::{Context, Socket, SocketType};

/// How long an answer is waited for, in milliseconds.
const WAIT_MS: i32 = 60_000;
/// Connections to each socket.
const CONNECTIONS: u32 = 100;
/// A connection that the other side keeps open is left after this.
const PATIENCE: Duration = Duration::from_millis(20);

/// The names of the sockets in a connection file, and their ports.
const PORTS: [(&str, u32); 5] =
    [("shell_port", 1), ("iopub_port", 2), ("stdin_port", 3), ("control_port", 4), ("hb_port", 5)];

/// What ZMTP 3.0 says first: a signature, the version, and that nothing is encrypted.
fn greeting() -> Vec<u8> {
    let mut bytes = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0];
    bytes.extend(b"NULL");
    bytes.resize(64, 0);
    bytes
}

/// A frame of ZMTP with these flags, its length as it is or as it is claimed.
fn frame(flags: u8, claimed: Option<u64>, body: &[u8]) -> Vec<u8> {
    let length = claimed.unwrap_or(body.len() as u64);
    let mut bytes = match u8::try_from(length) {
        Ok(short) => vec![flags & !2, short],
        Err(_) => [&[flags | 2][..], &length.to_be_bytes()].concat(),
    };
    bytes.extend(body);
    bytes
}

/// The command by which a peer says what it is.
fn ready(kind: &str) -> Vec<u8> {
    let mut body = b"\x05READY\x0bSocket-Type".to_vec();
    body.extend((kind.len() as u32).to_be_bytes());
    body.extend(kind.as_bytes());
    frame(4, None, &body)
}

/// A request as a client sends it, frame by frame.
fn request(key: &Key) -> Vec<Vec<u8>> {
    let kind = "kernel_info_request";
    let message =
        Message { channel: Channel::Shell, route: vec![Vec::new()], kind, parent: json!({}), content: json!({}) };
    message.frames(key, "stranger")
}

fn noise(random: &mut ChaCha8Rng, most: usize) -> Vec<u8> {
    let mut bytes = vec![0; random.random_range(0..=most)];
    random.fill_bytes(&mut bytes);
    bytes
}

/// What one connection sends.
fn nonsense(random: &mut ChaCha8Rng, key: &Key) -> Vec<u8> {
    let kinds = ["DEALER", "SUB", "REQ", "PUB", "ROUTER", "", "\0"];
    let kind = kinds[random.random_range(0..kinds.len())];
    let mut bytes = [greeting(), ready(kind)].concat();
    match random.random_range(0..5) {
        0 => bytes = noise(random, 4096),
        1 => bytes = [greeting(), noise(random, 1024)].concat(),
        2 => {
            // Lengths that no memory has, and those that end too early.
            let claimed = [0, 1 << 20, 1 << 40, u64::MAX, u64::from(random.random::<u32>())][random.random_range(0..5)];
            bytes.extend(frame(random.random(), Some(claimed), &noise(random, 300)));
        }
        3 => {
            let guessed = Key::new(b"guessed");
            let frames = request(if random.random() { key } else { &guessed });
            let last = frames.len() - 1;
            bytes.extend(frames.iter().enumerate().flat_map(|(at, one)| frame(u8::from(at < last), None, one)));
            // A byte of it is another one, or it is cut.
            let place = random.random_range(0..bytes.len());
            if random.random() { bytes[place] ^= random.random_range(1..=255_u8) } else { bytes.truncate(place) }
        }
        _ => {
            for _ in 0..random.random_range(1..20) {
                bytes.extend(frame(random.random(), None, &noise(random, 400)));
            }
        }
    }
    bytes
}

/// Sends it, and hears what comes; the other side may hang up at any time.
fn say(place: &Path, bytes: &[u8]) {
    let mut stream = UnixStream::connect(place).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    stream.set_write_timeout(Some(PATIENCE)).expect("an option");
    let _ = stream.write_all(bytes);
    let _ = stream.read(&mut [0; 256]);
}

fn dealer(connection: &Connection) -> Socket {
    let socket = Context::new().socket(SocketType::DEALER).expect("a socket");
    socket.set_rcvtimeo(WAIT_MS).expect("an option");
    socket.set_linger(0).expect("an option");
    socket.connect(&connection.endpoint(Channel::Shell)).expect("an address");
    socket
}

/// The answer to a request.
fn answer(socket: &Socket, key: &Key, kind: &'static str, content: Value) -> Request {
    let message = Message { channel: Channel::Shell, route: Vec::new(), kind, parent: json!({}), content };
    socket.send_multipart(message.frames(key, "known"), 0).expect("sent");
    let frames = socket.recv_multipart(0).expect("an answer in time");
    Request::read(Channel::Shell, frames, key).expect("signed by the same key")
}

#[test]
fn nonsense_on_every_socket_disturbs_nobody() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("connection.json");
    let mut content = json!({
        "transport": "ipc", "ip": folder.path().join("k"), "key": "secret", "signature_scheme": "hmac-sha256",
    });
    for (name, port) in PORTS {
        content[name] = port.into();
    }
    std::fs::write(&file, content.to_string()).expect("a temporary folder can be written");
    let connection = Connection::read(&file).expect("a connection file");
    let key = Key::new(connection.key());
    let thread = std::thread::spawn(move || serve_script(&file));
    let known = dealer(&connection);
    assert_eq!(answer(&known, &key, "kernel_info_request", json!({})).kind, "kernel_info_reply");

    let mut random = ChaCha8Rng::seed_from_u64(15);
    for _ in 0..CONNECTIONS {
        for (_, port) in PORTS {
            say(&folder.path().join(format!("k-{port}")), &nonsense(&mut random, &key));
        }
    }

    // The one that was there, and one that comes now.
    for socket in [&known, &dealer(&connection)] {
        let reply = answer(socket, &key, "execute_request", json!({ "code": "print a" }));
        assert_eq!((reply.kind.as_str(), &reply.content["status"]), ("execute_reply", &json!("ok")));
    }
    let ended = answer(&known, &key, "shutdown_request", json!({ "restart": false }));
    assert_eq!(ended.kind, "shutdown_reply");
    thread.join().expect("no panic").expect("no error");
}
