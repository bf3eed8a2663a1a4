//! What the kernel says and does, one event after the other.

use std::sync::mpsc::channel;

use super::*;

/// A kernel, and what it has said and done since it was looked at last.
struct Desk {
    kernel: Kernel,
    actions: Vec<Action>,
    requests: u32,
}

impl Desk {
    fn new() -> Self {
        let about = About { version: "0.1.0".into(), rust: "1.95.0".into(), banner: "hello".into() };
        Self { kernel: Kernel::new(about), actions: Vec::new(), requests: 0 }
    }

    /// Asks something; requests are named by their order, from 1 on.
    fn ask(&mut self, kind: &str, content: Value) {
        self.requests += 1;
        let header = json!({ "msg_id": self.requests.to_string(), "msg_type": kind });
        let (channel, route) = (Channel::Shell, vec![b"client".to_vec()]);
        let actions = self.kernel.request(Request { channel, route, kind: kind.to_owned(), header, content });
        self.actions.extend(actions);
    }

    fn run(&mut self, code: &str) {
        self.ask("execute_request", json!({ "code": code }));
    }

    fn news(&mut self, cell: u64, news: News) {
        let actions = self.kernel.news(cell, news);
        self.actions.extend(actions);
    }

    fn end(&mut self, cell: u64, outcome: Outcome) {
        let actions = self.kernel.ended(cell, outcome, Vec::new());
        self.actions.extend(actions);
    }

    /// Everything that has come so far is handed over.
    fn settle(&mut self) {
        let actions = self.kernel.settled();
        self.actions.extend(actions);
    }

    fn messages(&mut self) -> Vec<Message> {
        let message = |action| match action {
            Action::Say(message) => Some(message),
            _ => None,
        };
        std::mem::take(&mut self.actions).into_iter().filter_map(message).collect()
    }

    /// What was said and done, a word each: `1 busy`, `1 execute_reply ok`, `run 1`.
    fn log(&mut self) -> Vec<String> {
        let word = |action| match action {
            Action::Say(Message { kind, parent, content, .. }) => {
                let of = parent["msg_id"].as_str().unwrap_or("-");
                match (kind, content["execution_state"].as_str(), content["status"].as_str()) {
                    (_, Some(state), _) => format!("{of} {state}"),
                    (_, _, Some(status)) => format!("{of} {kind} {status}"),
                    _ => format!("{of} {kind}"),
                }
            }
            Action::Run(job) => format!("run {}", job.cell),
            Action::Ask(question) => format!("ask {}", question.number),
            Action::Watch(cell) => format!("watch {cell}"),
            Action::Interrupt(cell) => format!("interrupt {cell}"),
            other => format!("{other:?}").to_lowercase(),
        };
        std::mem::take(&mut self.actions).into_iter().map(word).collect()
    }

    /// The first message of a kind, and nothing else that was said.
    fn content(&mut self, kind: &str) -> Value {
        let messages = self.messages();
        messages.iter().find(|message| message.kind == kind).map(|message| message.content.clone()).expect(kind)
    }
}

fn failed() -> Outcome {
    Err(Failure { name: "panic".into(), message: "at the disco".into(), trace: vec!["line".into()] })
}

#[test]
fn a_cell_is_told_from_busy_to_idle() {
    let mut desk = Desk::new();
    desk.run("1 + 1");
    assert_eq!(desk.log(), ["1 busy", "1 execute_input", "run 1"]);
    desk.news(1, News::Printed(Stream::Stdout, "a".into()));
    desk.news(1, News::Shown(Bundle::text("b"), Some("bar".into())));
    desk.news(1, News::Changed(Bundle::text("c"), "bar".into()));
    desk.news(1, News::Cleared { wait: true });
    desk.news(1, News::Value(Bundle::text("2")));
    let messages = desk.messages();
    let said: Vec<(&str, Value)> = messages.iter().map(|one| (one.kind, one.content.clone())).collect();
    let text = |text: &str| json!({ "text/plain": text });
    let bar = json!({ "display_id": "bar" });
    let expected = [
        ("stream", json!({ "name": "stdout", "text": "a" })),
        ("display_data", json!({ "data": text("b"), "metadata": {}, "transient": bar })),
        ("update_display_data", json!({ "data": text("c"), "metadata": {}, "transient": bar })),
        ("clear_output", json!({ "wait": true })),
        ("execute_result", json!({ "execution_count": 1, "data": text("2"), "metadata": {} })),
    ];
    assert_eq!(said, expected);
    assert!(messages.iter().all(|message| message.channel == Channel::Iopub && message.parent["msg_id"] == "1"));
    desk.end(1, Ok(()));
    assert_eq!(desk.log(), ["1 execute_reply ok", "1 idle"]);
    // It ends once; a thread that it has started may print later, but ask nobody.
    desk.end(1, Ok(()));
    desk.run("2");
    desk.news(1, News::Printed(Stream::Stdout, "late".into()));
    assert_eq!(desk.log(), ["2 busy", "2 execute_input", "run 2", "1 stream"]);
    let (answer, answers) = channel();
    desk.news(1, News::Asked { prompt: String::new(), secret: false, answer });
    assert!(answers.recv().is_err() && desk.log().is_empty());
    desk.news(3, News::Printed(Stream::Stdout, "of no cell".into()));
    assert!(desk.log().is_empty());
}

#[test]
fn what_a_silent_cell_prints_late_is_not_told() {
    let mut desk = Desk::new();
    desk.ask("execute_request", json!({ "code": "a", "silent": true }));
    desk.end(1, Ok(()));
    desk.log();
    desk.news(1, News::Printed(Stream::Stdout, "late".into()));
    assert!(desk.log().is_empty());
}

#[test]
fn cells_wait_their_turn_and_are_counted_from_1() {
    let mut desk = Desk::new();
    for code in ["a", "b", ""] {
        desk.run(code);
    }
    assert_eq!(desk.log(), ["1 busy", "1 execute_input", "run 1"]);
    desk.end(1, Ok(()));
    let numbers: Vec<Value> = desk.messages().iter().map(|one| one.content["execution_count"].clone()).collect();
    assert_eq!(numbers, [json!(1), Value::Null, Value::Null, json!(2)]);
    desk.end(2, Ok(()));
    desk.end(3, Ok(()));
    desk.run("d");
    let numbers: Vec<Value> =
        desk.messages().iter().filter_map(|one| one.content.get("execution_count").cloned()).collect();
    // The empty cell takes no number.
    assert_eq!(numbers, [2, 3, 3, 3].map(|number| json!(number)));
    desk.ask("history_request", json!({ "hist_access_type": "tail", "n": 9 }));
    let history = desk.content("history_reply")["history"].clone();
    assert_eq!(history, json!([[0, 1, "a"], [0, 2, "b"], [0, 3, "d"]]));
}

#[test]
fn a_failure_turns_away_what_waits() {
    let mut desk = Desk::new();
    for code in ["a", "b"] {
        desk.run(code);
    }
    desk.log();
    desk.end(1, failed());
    // What had been sent by then, and comes only now, is turned away too; nobody hears of the failure before.
    desk.run("c");
    assert_eq!(desk.log(), ["settle"]);
    desk.settle();
    let expected = [
        "1 error",
        "1 execute_reply error",
        "1 idle",
        "2 busy",
        "2 execute_reply aborted",
        "2 idle",
        "3 busy",
        "3 execute_reply aborted",
        "3 idle",
    ];
    assert_eq!(desk.log(), expected);
    desk.run("d");
    assert_eq!(desk.log(), ["4 busy", "4 execute_input", "run 2"]);
}

#[test]
fn a_failure_is_told_as_it_is() {
    let mut desk = Desk::new();
    desk.run("a");
    desk.end(1, failed());
    desk.settle();
    let messages = desk.messages();
    for kind in ["error", "execute_reply"] {
        let content = &messages.iter().find(|message| message.kind == kind).expect(kind).content;
        assert_eq!((&content["ename"], &content["evalue"]), (&json!("panic"), &json!("at the disco")), "{kind}");
        assert_eq!(content["traceback"], json!(["line"]));
    }
}

#[test]
fn those_who_ask_for_it_go_on_after_a_failure() {
    let mut desk = Desk::new();
    desk.ask("execute_request", json!({ "code": "a", "stop_on_error": false }));
    desk.run("b");
    desk.log();
    desk.end(1, failed());
    let expected = ["1 error", "1 execute_reply error", "1 idle", "2 busy", "2 execute_input", "run 2"];
    assert_eq!(desk.log(), expected);
}

#[test]
fn a_silent_cell_leaves_no_trace() {
    let mut desk = Desk::new();
    desk.ask("execute_request", json!({ "code": "a", "silent": true, "store_history": true }));
    desk.news(1, News::Printed(Stream::Stdout, "a".into()));
    desk.end(1, failed());
    desk.settle();
    assert_eq!(desk.log(), ["1 busy", "run 1", "settle", "1 execute_reply error", "1 idle"]);
    desk.ask("execute_request", json!({ "code": "b", "store_history": false }));
    assert_eq!(desk.content("execute_input")["execution_count"], 1);
    desk.end(2, Ok(()));
    desk.ask("history_request", json!({}));
    assert_eq!(desk.content("history_reply")["history"], json!([]));
}

#[test]
fn values_beside_a_cell_come_with_its_answer() {
    let mut desk = Desk::new();
    let content = json!({ "code": "", "user_expressions": { "x": "a + 1", "y": "b", "z": 3 } });
    desk.ask("execute_request", content);
    let run = desk.actions.iter().find_map(|action| match action {
        Action::Run(job) => Some(job.expressions.clone()),
        _ => None,
    });
    let pair = |key: &str, text: &str| (key.to_owned(), text.to_owned());
    assert_eq!(run, Some(vec![pair("x", "a + 1"), pair("y", "b")]));
    let values = vec![("x".to_owned(), Ok(Bundle::text("2"))), ("y".to_owned(), Err(Failure::new("error", "no b")))];
    let actions = desk.kernel.ended(1, Ok(()), values);
    desk.actions = actions;
    let said = desk.content("execute_reply")["user_expressions"].clone();
    assert_eq!(said["x"], json!({ "status": "ok", "data": { "text/plain": "2" }, "metadata": {} }));
    assert_eq!((&said["y"]["status"], &said["y"]["evalue"]), (&json!("error"), &json!("no b")));
}

#[test]
fn questions_of_others_never_wait_for_a_cell() {
    let mut desk = Desk::new();
    desk.run("loop {}");
    desk.log();
    for (kind, reply) in [
        ("kernel_info_request", "kernel_info_reply"),
        ("is_complete_request", "is_complete_reply"),
        ("history_request", "history_reply"),
        ("comm_info_request", "comm_info_reply"),
    ] {
        desk.ask(kind, json!({ "code": "{" }));
        let number = desk.requests;
        let log = desk.log();
        assert_eq!(log.first(), Some(&format!("{number} busy")));
        assert!(log[1].starts_with(&format!("{number} {reply}")), "{log:?}");
        // A page that shows the last state goes on to show that the cell runs.
        assert_eq!(log[2..], [format!("{number} idle"), "1 busy".to_owned()]);
    }
    desk.ask("complete_request", json!({ "code": "größe.le", "cursor_pos": 8 }));
    assert_eq!(desk.log(), ["6 busy", "ask 1"]);
    let matches = vec!["größe.len".to_owned()];
    let answer = Answer::Completions(Completions { matches, start: 0, end: 10 });
    desk.actions = desk.kernel.answered(1, answer);
    let content = desk.content("complete_reply");
    assert_eq!((&content["cursor_start"], &content["cursor_end"]), (&json!(0), &json!(8)));
    desk.ask("inspect_request", json!({ "code": "x", "cursor_pos": 1 }));
    desk.actions = desk.kernel.answered(2, Answer::Meaning(None));
    assert_eq!(desk.content("inspect_reply")["found"], false);
    assert!(desk.kernel.answered(2, Answer::Meaning(None)).is_empty());
}

#[test]
fn the_cursor_is_counted_in_code_points() {
    let mut desk = Desk::new();
    for (place, byte) in [(json!(3), 4), (json!(99), 6), (Value::Null, 6), (json!(-1), 6)] {
        desk.ask("complete_request", json!({ "code": "grö\u{df}", "cursor_pos": place }));
        let asked = desk.actions.pop();
        assert!(matches!(asked, Some(Action::Ask(Question { byte: found, .. })) if found == byte), "{asked:?}");
    }
}

#[test]
fn the_first_interrupt_asks_and_the_next_one_after_a_warning_ends() {
    let mut desk = Desk::new();
    desk.ask("interrupt_request", json!({}));
    assert_eq!(desk.log(), ["1 busy", "1 interrupt_reply ok", "1 idle"]);
    desk.run("loop {}");
    desk.log();
    let interrupt = |desk: &mut Desk| {
        desk.ask("interrupt_request", json!({}));
        desk.log().split_off(4)
    };
    assert_eq!(interrupt(&mut desk), ["interrupt 1", "watch 1"]);
    // Somebody who is impatient loses nothing by it.
    assert_eq!(interrupt(&mut desk), ["interrupt 1"]);
    let warning = desk.kernel.overdue(1);
    desk.actions = warning;
    assert!(desk.content("stream")["text"].as_str().expect("text").contains("Interrupt once more"));
    assert_eq!(interrupt(&mut desk), ["end"]);
    desk.end(1, failed());
    desk.log();
    assert!(desk.kernel.overdue(1).is_empty());
}

#[test]
fn a_question_reaches_the_person_and_its_answer_the_cell() {
    let mut desk = Desk::new();
    desk.run("input()");
    desk.log();
    let (answer, answers) = channel();
    desk.news(1, News::Asked { prompt: "name: ".into(), secret: true, answer });
    let question = desk.messages().remove(0);
    assert_eq!((question.channel, question.kind), (Channel::Stdin, "input_request"));
    assert_eq!(question.route, [b"client".to_vec()]);
    assert_eq!(question.content, json!({ "prompt": "name: ", "password": true }));
    desk.ask("input_reply", json!({ "value": "Ada" }));
    assert_eq!(answers.recv(), Ok("Ada".to_owned()));
    // An answer that nobody asked for does no harm.
    desk.ask("input_reply", json!({ "value": "again" }));
    assert!(desk.log().is_empty());
}

#[test]
fn a_question_ends_where_nobody_can_answer() {
    let mut desk = Desk::new();
    desk.ask("execute_request", json!({ "code": "a", "allow_stdin": false }));
    let (answer, answers) = channel();
    desk.news(1, News::Asked { prompt: String::new(), secret: false, answer });
    assert!(answers.recv().is_err());
    desk.end(1, Ok(()));
    desk.run("b");
    let (answer, answers) = channel();
    desk.news(2, News::Asked { prompt: String::new(), secret: false, answer });
    desk.ask("interrupt_request", json!({}));
    assert!(answers.recv().is_err());
}

#[test]
fn the_end_is_told_to_everybody() {
    let mut desk = Desk::new();
    desk.run("loop {}");
    desk.log();
    desk.ask("shutdown_request", json!({ "restart": true }));
    let expected = ["2 busy", "2 shutdown_reply ok", "2 idle", "2 shutdown_reply ok", "stop"];
    assert_eq!(desk.log(), expected);
}

#[test]
fn comms_are_refused_so_that_the_other_side_knows() {
    let mut desk = Desk::new();
    desk.ask("comm_open", json!({ "comm_id": "c", "target_name": "jupyter.widget" }));
    assert_eq!(desk.content("comm_close")["comm_id"], "c");
    desk.ask("comm_msg", json!({ "comm_id": "c" }));
    desk.ask("of_tomorrow_request", json!({}));
    assert!(desk.log().is_empty());
}

#[test]
fn a_request_without_code_is_answered() {
    let mut desk = Desk::new();
    desk.ask("execute_request", json!({ "code": 3 }));
    assert_eq!(desk.log(), ["1 busy", "1 execute_reply error", "1 idle"]);
    desk.ask("is_complete_request", json!([]));
    assert_eq!(desk.content("is_complete_reply")["status"], "complete");
}

#[test]
fn it_says_what_it_is() {
    let mut desk = Desk::new();
    desk.ask("kernel_info_request", json!({}));
    let said = desk.content("kernel_info_reply");
    assert_eq!((&said["protocol_version"], &said["language_info"]["name"]), (&json!("5.4"), &json!("rust")));
    let welcome = desk.kernel.subscribed(b"stream".to_vec());
    let [Action::Say(message)] = welcome.as_slice() else { panic!("{welcome:?}") };
    assert_eq!((message.kind, &message.route), ("iopub_welcome", &vec![b"stream".to_vec()]));
}
