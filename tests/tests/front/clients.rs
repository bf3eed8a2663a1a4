//! The front end of the Jupyter kernel, as its clients meet it.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::JoinHandle;

use benchbook_front::connection::{Channel, Connection};
use benchbook_front::message::{Key, Message, Request};
use benchbook_tests::{program, python_with, script, serve_script};
use serde_json::{Value, json};
use tempfile::TempDir;
use zmq::{Context, Socket, SocketType};

/// How long a client waits for anything, in milliseconds.
const WAIT_MS: i32 = 60_000;

/// The client that never reads.
const SLEEPS: &str = "sleeps";

/// A kernel in this process.
struct Served {
    folder: TempDir,
    connection: Connection,
    thread: JoinHandle<benchbook_front::Result<()>>,
}

impl Served {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("connection.json");
        let content = json!({
            "transport": "ipc", "ip": folder.path().join("k"), "key": "secret", "signature_scheme": "hmac-sha256",
            "shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 4, "hb_port": 5,
        });
        std::fs::write(&file, content.to_string()).expect("a temporary folder can be written");
        let connection = Connection::read(&file).expect("a connection file");
        let thread = std::thread::spawn(move || serve_script(&file));
        Self { folder, connection, thread }
    }

    fn client(&self, name: &str) -> Client {
        Client::new(&self.connection, name)
    }

    /// Asks for the end, and waits for it.
    fn end(self) {
        let client = self.client("last");
        client.ask(Channel::Control, "shutdown_request", json!({ "restart": false }));
        assert_eq!(client.reply(Channel::Control).content["status"], "ok");
        self.thread.join().expect("no panic").expect("no error");
    }
}

struct Client {
    shell: Socket,
    control: Socket,
    stdin: Socket,
    iopub: Socket,
    key: Key,
    name: String,
}

impl Client {
    /// A client that hears everything that is published from now on.
    fn new(connection: &Connection, name: &str) -> Self {
        let client = Self::without_questions(connection, name);
        client.hear_questions(connection);
        client
    }

    /// The same, which does not hear questions yet.
    fn without_questions(connection: &Connection, name: &str) -> Self {
        let context = Context::new();
        let socket = |channel, kind| {
            let socket = context.socket(kind).expect("a socket");
            socket.set_rcvtimeo(WAIT_MS).expect("an option");
            socket.set_linger(0).expect("an option");
            // Nothing is lost, but by the one that never reads.
            socket.set_rcvhwm(i32::from(name == SLEEPS)).expect("an option");
            if kind == SocketType::DEALER {
                socket.set_identity(name.as_bytes()).expect("an option");
            }
            if channel != Channel::Stdin {
                socket.connect(&connection.endpoint(channel)).expect("an address");
            }
            socket
        };
        let iopub = socket(Channel::Iopub, SocketType::SUB);
        iopub.set_subscribe(b"").expect("an option");
        let client = Self {
            shell: socket(Channel::Shell, SocketType::DEALER),
            control: socket(Channel::Control, SocketType::DEALER),
            stdin: socket(Channel::Stdin, SocketType::DEALER),
            iopub,
            key: Key::new(connection.key()),
            name: name.to_owned(),
        };
        client.published_until(|message| message.kind == "iopub_welcome");
        client
    }

    fn hear_questions(&self, connection: &Connection) {
        self.stdin.connect(&connection.endpoint(Channel::Stdin)).expect("an address");
    }

    fn socket(&self, channel: Channel) -> &Socket {
        match channel {
            Channel::Control => &self.control,
            Channel::Stdin => &self.stdin,
            Channel::Iopub => &self.iopub,
            Channel::Shell | Channel::Heartbeat => &self.shell,
        }
    }

    fn ask(&self, channel: Channel, kind: &'static str, content: Value) {
        let message = Message { channel, route: Vec::new(), kind, parent: json!({}), content };
        self.socket(channel).send_multipart(message.frames(&self.key, &self.name), 0).expect("sent");
    }

    fn run(&self, code: &str) {
        self.ask(Channel::Shell, "execute_request", json!({ "code": code }));
    }

    /// Runs a cell, and waits until it has begun: interrupts come by another way, and could come first.
    fn begin(&self, code: &str) {
        self.run(code);
        self.published_until(|message| message.kind == "execute_input");
    }

    /// The next answer by a channel.
    fn reply(&self, channel: Channel) -> Request {
        let frames = self.socket(channel).recv_multipart(0).expect("an answer in time");
        Request::read(channel, frames, &self.key).expect("signed by the same key")
    }

    /// What is published until something that is looked for, and that.
    fn published_until(&self, found: impl Fn(&Request) -> bool) -> Vec<Request> {
        let mut all = Vec::new();
        loop {
            all.push(self.reply(Channel::Iopub));
            if all.last().is_some_and(&found) {
                return all;
            }
        }
    }

    /// What is published until the kernel is idle again.
    fn published(&self) -> Vec<Request> {
        self.published_until(|message| message.content["execution_state"] == "idle")
    }
}

fn text(messages: &[Request], stream: &str) -> String {
    let of = |message: &&Request| message.kind == "stream" && message.content["name"] == stream;
    messages.iter().filter(of).filter_map(|message| message.content["text"].as_str()).collect()
}

#[test]
fn a_cell_is_run_and_told() {
    let served = Served::new();
    let client = served.client("a");
    client.run("print a\nshow b\nchange c\ncomplain d\nvalue e");
    let published = client.published();
    let kinds: Vec<&str> = published.iter().map(|message| message.kind.as_str()).collect();
    let expected = [
        "status",
        "execute_input",
        "stream",
        "display_data",
        "update_display_data",
        "stream",
        "execute_result",
        "status",
    ];
    assert_eq!(kinds, expected);
    let reply = client.reply(Channel::Shell);
    assert_eq!((reply.kind.as_str(), &reply.content["execution_count"]), ("execute_reply", &json!(1)));
    client.run("print a");
    client.run("value never\npanic at the end");
    client.run("%%sql\nselect 1");
    let numbers: Vec<Value> = (0..3).map(|_| client.reply(Channel::Shell).content["execution_count"].clone()).collect();
    assert_eq!(numbers[0], 2);
    served.end();
}

#[test]
fn a_stranger_is_not_heard() {
    let served = Served::new();
    let mut client = served.client("a");
    let known = std::mem::replace(&mut client.key, Key::new(b"guessed"));
    client.run("print a");
    client.ask(Channel::Control, "shutdown_request", json!({}));
    client.socket(Channel::Shell).send_multipart(["", "<IDS|MSG>", "\u{0}"], 0).expect("sent");
    client.key = known;
    client.ask(Channel::Shell, "kernel_info_request", json!({}));
    assert_eq!(client.reply(Channel::Shell).kind, "kernel_info_reply");
    // Bytes that are no ZeroMQ at all.
    for port in 1..=5 {
        let at = served.folder.path().join(format!("k-{port}"));
        let mut stream = UnixStream::connect(at).expect("it listens");
        // The other side may hang up before everything is written.
        let _ = stream.write_all(&[0xff; 4096]);
        let _ = stream.write_all(&(0..=255).cycle().take(70_000).collect::<Vec<u8>>());
    }
    client.run("print a");
    assert_eq!(client.reply(Channel::Shell).content["status"], "ok");
    served.end();
}

#[test]
fn the_heart_beats() {
    let served = Served::new();
    let socket = Context::new().socket(SocketType::REQ).expect("a socket");
    socket.set_rcvtimeo(WAIT_MS).expect("an option");
    socket.connect(&served.connection.endpoint(Channel::Heartbeat)).expect("an address");
    let client = served.client("a");
    client.run("wait");
    for _ in 0..3 {
        socket.send("ping", 0).expect("sent");
        assert_eq!(socket.recv_bytes(0).expect("an answer in time"), b"ping");
    }
    served.end();
}

#[test]
fn clients_come_and_go() {
    let served = Served::new();
    let stays = served.client("stays");
    stays.begin("wait");
    for turn in 0..40 {
        // As the server of Jupyter does: the same name again, and some go before they have heard.
        let client = served.client(if turn % 2 == 0 { "again" } else { "other" });
        client.ask(Channel::Shell, "kernel_info_request", json!({}));
        if turn % 4 != 0 {
            assert_eq!(client.reply(Channel::Shell).kind, "kernel_info_reply", "{turn}");
        }
    }
    stays.ask(Channel::Control, "interrupt_request", json!({}));
    assert_eq!(stays.reply(Channel::Shell).content["ename"], "interrupted");
    served.end();
}

#[test]
fn an_interrupt_ends_what_looks_and_turns_away_what_waits() {
    let served = Served::new();
    let client = served.client("a");
    client.run("wait");
    for _ in 0..20 {
        client.run("print never");
    }
    // Its answer says that everything before it has come.
    client.ask(Channel::Shell, "kernel_info_request", json!({}));
    assert_eq!(client.reply(Channel::Shell).kind, "kernel_info_reply");
    client.ask(Channel::Control, "interrupt_request", json!({}));
    assert_eq!(client.reply(Channel::Control).content["status"], "ok");
    assert_eq!(client.reply(Channel::Shell).content["ename"], "interrupted");
    for _ in 0..20 {
        assert_eq!(client.reply(Channel::Shell).content["status"], "aborted");
    }
    served.end();
}

#[test]
fn a_cell_that_does_not_look_is_ended_by_the_second_interrupt() {
    let served = Served::new();
    let client = served.client("a");
    client.begin("deaf");
    client.ask(Channel::Control, "interrupt_request", json!({}));
    let published = client.published_until(|message| message.kind == "stream");
    assert!(text(&published, "stderr").contains("Interrupt once more"));
    client.ask(Channel::Control, "interrupt_request", json!({}));
    assert_eq!(client.reply(Channel::Shell).content["ename"], "ended");
    served.end();
}

#[test]
fn a_person_is_asked() {
    let served = Served::new();
    let client = served.client("a");
    client.run("ask name: ");
    let question = client.reply(Channel::Stdin);
    assert_eq!((question.kind.as_str(), &question.content["prompt"]), ("input_request", &json!("name:")));
    client.ask(Channel::Stdin, "input_reply", json!({ "value": "Ada" }));
    let published = client.published();
    assert_eq!(text(&published, "stdout"), "Ada");
    served.end();
}

#[test]
fn a_question_waits_for_a_client_that_still_connects() {
    let served = Served::new();
    let client = Client::without_questions(&served.connection, "a");
    client.begin("ask name: ");
    client.hear_questions(&served.connection);
    assert_eq!(client.reply(Channel::Stdin).kind, "input_request");
    client.ask(Channel::Stdin, "input_reply", json!({ "value": "Ada" }));
    assert_eq!(text(&client.published(), "stdout"), "Ada");
    served.end();
}

#[test]
fn a_reader_that_never_reads_holds_nobody_up() {
    let served = Served::new();
    let _sleeps = served.client(SLEEPS);
    let client = served.client("a");
    client.run("flood");
    let published = client.published();
    assert_eq!(client.reply(Channel::Shell).content["status"], "ok");
    let printed = text(&published, "stdout");
    assert!(printed.len() > 30_000_000 && printed.len() <= 32 << 20, "{}", printed.len());
    assert!(text(&published, "stderr").contains("more than 32 MiB"));
    served.end();
}

#[test]
fn a_large_cell_and_a_strange_one_are_answered() {
    let served = Served::new();
    let client = served.client("a");
    for code in [&*"print x\n".repeat(1 << 17), "", "\u{0}", "fn f() {", "%%sql", "!echo \u{0}"] {
        client.run(code);
        let reply = client.reply(Channel::Shell);
        assert!(["ok", "error"].contains(&reply.content["status"].as_str().expect("a status")), "{reply:?}");
    }
    served.end();
}

/// What a scenario of `front.py` saw.
fn seen(scenario: &str) -> Option<Value> {
    let python = python_with("jupyter_client, nbclient, nbformat")?;
    let kernel: PathBuf = program("script-kernel");
    Some(script(&python, "front.py", &[scenario, kernel.to_str().expect("UTF-8")]))
}

#[test]
fn jupyters_own_client_gets_its_answers() {
    let Some(seen) = seen("client") else { return };
    assert_eq!(seen["info"], json!(["5.4", "rust"]));
    assert_eq!(seen["printed"], "ab");
    assert_eq!(seen["complete"], json!(["complete", "incomplete", "invalid"]));
    assert_eq!(seen["history"], json!(["print ab", "fail badly"]));
    assert_eq!(seen["failed"], json!(["error", "error", "badly"]));
    assert_eq!(seen["matches"], json!(["%%sql", "%%time"]));
    assert_eq!(seen["interrupted"], "interrupted");
    assert_eq!(seen["restarted"], 1);
    assert_eq!(seen["alive"], false);
}

#[test]
fn a_notebook_runs_to_its_first_failure() {
    let Some(seen) = seen("notebook") else { return };
    assert_eq!(seen["ok"], json!(["a", "<table></table>"]));
    assert_eq!(seen["failed"], json!(["error", "badly"]));
}

#[test]
fn jupyters_own_tests_of_kernels_pass() {
    let Some(python) = python_with("jupyter_kernel_test") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (folder, kernel) = (folder.path().to_str().expect("UTF-8"), program("script-kernel"));
    let seen = script(&python, "conformance.py", &[folder, kernel.to_str().expect("UTF-8")]);
    assert_eq!(seen["failed"], json!({}), "{seen}");
    // There is nobody who knows what a name means, and no pager.
    assert_eq!(seen["skipped"].as_object().expect("names").keys().collect::<Vec<_>>(), ["test_inspect", "test_pager"]);
}
