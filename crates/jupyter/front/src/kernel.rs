//! The kernel's side of the protocol, as a machine without sockets, threads or clocks: what happens goes in, what is to
//! be done comes out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::Sender;

use serde_json::{Map, Value, json};

use crate::assistant::{Answer, Completions, Question};
use crate::connection::Channel;
use crate::evaluator::{Failure, Outcome};
use crate::executor::Job;
use crate::history::History;
use crate::message::{Message, PROTOCOL, Request};
use crate::page::{Bundle, News, Stream};
use crate::source::{self, Completeness};

/// What the kernel says of itself.
#[derive(Debug, Clone)]
pub struct About {
    /// The version of the program.
    pub version: String,
    /// The version of Rust that cells are compiled by.
    pub rust: String,
    /// The greeting of a console.
    pub banner: String,
}

/// Something that the front end is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Sends a message.
    Say(Message),
    /// Runs a cell.
    Run(Job),
    /// Asks about code.
    Ask(Question),
    /// Asks the cell with this number to stop.
    Interrupt(u64),
    /// Ends the process of the cells.
    End,
    /// Tells, by [`Kernel::overdue`], when this cell has not stopped for a while.
    Watch(u64),
    /// Tells, by [`Kernel::settled`], when everything that has come so far is handed over.
    Settle,
    /// Ends the front end.
    Stop,
}

/// What a client asks for when it runs a cell.
#[derive(Debug, Clone)]
struct Execute {
    code: String,
    silent: bool,
    recorded: bool,
    may_ask: bool,
    stops: bool,
    expressions: Vec<(String, String)>,
}

impl Execute {
    fn read(content: &Value) -> Option<Self> {
        let flag = |name: &str, usual: bool| content[name].as_bool().unwrap_or(usual);
        let silent = flag("silent", false);
        let expressions = content["user_expressions"].as_object().cloned().unwrap_or_default();
        let text = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
        Some(Self {
            code: content["code"].as_str()?.to_owned(),
            silent,
            recorded: flag("store_history", true) && !silent,
            may_ask: flag("allow_stdin", true),
            stops: flag("stop_on_error", true),
            expressions: expressions.into_iter().filter_map(text).collect(),
        })
    }
}

/// The cell that runs.
#[derive(Debug)]
struct Running {
    cell: u64,
    number: u32,
    request: Request,
    asked: Execute,
    /// Where the answer to its question goes.
    question: Option<Sender<String>>,
    interrupted: bool,
    /// Whether the page says that it does not look at the interrupt.
    warned: bool,
}

/// A cell that has ended, of which something may still be told: a thread that it has started goes on.
#[derive(Debug)]
struct Past {
    cell: u64,
    number: u32,
    header: Value,
}

/// How many of these are kept.
const PAST: usize = 64;

/// The state of the kernel.
#[derive(Debug)]
pub struct Kernel {
    about: About,
    history: History,
    /// The number that the next cell gets.
    number: u32,
    cells: u64,
    waiting: VecDeque<(Request, Execute)>,
    running: Option<Running>,
    past: VecDeque<Past>,
    /// What is to be said of a cell that has failed, once everything that had come by then is turned away. A client that
    /// goes on after a failure must find nothing of this left.
    settling: Option<Vec<Action>>,
    questions: BTreeMap<u64, Request>,
    asked: u64,
}

/// What is said where code does not look at an interrupt.
const DEAF: &str = "\nThis cell does not look at the interrupt, and goes on. \
    Interrupt once more to end its process: the variables of this notebook are lost then.\n";

impl Kernel {
    /// A kernel to which nothing has happened.
    #[must_use]
    pub fn new(about: About) -> Self {
        Self {
            about,
            history: History::default(),
            number: 1,
            cells: 0,
            waiting: VecDeque::new(),
            running: None,
            past: VecDeque::new(),
            settling: None,
            questions: BTreeMap::new(),
            asked: 0,
        }
    }

    /// Somebody has begun to listen under a topic.
    #[must_use]
    pub fn subscribed(&self, topic: Vec<u8>) -> Vec<Action> {
        let content = json!({ "subscription": String::from_utf8_lossy(&topic) });
        let welcome = Message::publish(&json!({}), "iopub_welcome", content);
        vec![Action::Say(Message { route: vec![topic], ..welcome })]
    }

    /// Somebody asks something.
    #[must_use]
    pub fn request(&mut self, request: Request) -> Vec<Action> {
        let content = &request.content;
        match request.kind.as_str() {
            "execute_request" => self.execute(request),
            "input_reply" => {
                self.answered_by_person(content);
                Vec::new()
            }
            "complete_request" | "inspect_request" => self.ask(request),
            "interrupt_request" => {
                let mut actions = self.around(&request, "interrupt_reply", json!({ "status": "ok" }));
                actions.extend(self.interrupt());
                actions
            }
            "shutdown_request" => {
                let content = json!({ "status": "ok", "restart": content["restart"].as_bool().unwrap_or(false) });
                let public = Message::publish(&request.header, "shutdown_reply", content.clone());
                // Nobody is to wait for an answer that never comes.
                self.running = None;
                let mut actions = self.around(&request, "shutdown_reply", content);
                actions.extend([Action::Say(public), Action::Stop]);
                actions
            }
            "kernel_info_request" => self.around(&request, "kernel_info_reply", self.information()),
            "is_complete_request" => self.around(&request, "is_complete_reply", is_complete(content)),
            "history_request" => self.around(&request, "history_reply", self.history.answer(content)),
            "comm_info_request" => self.around(&request, "comm_info_reply", json!({ "status": "ok", "comms": {} })),
            "comm_open" => {
                // There is no target here, and the other side must know.
                let content = json!({ "comm_id": content["comm_id"], "data": {} });
                let closed = Message::publish(&request.header, "comm_close", content);
                self.between(&request.header, vec![Action::Say(closed)])
            }
            // What is unknown has no answer that anybody could read.
            _ => Vec::new(),
        }
    }

    /// A cell shows or asks something.
    #[must_use]
    pub fn news(&mut self, cell: u64, news: News) -> Vec<Action> {
        let Some(running) = self.running.as_mut().filter(|running| running.cell == cell) else {
            let past = self.past.iter().find(|past| past.cell == cell);
            let told = past.and_then(|past| Some((&past.header, content(news, past.number)?)));
            let say = |(header, (kind, content))| Action::Say(Message::publish(header, kind, content));
            return told.map(say).into_iter().collect();
        };
        let Running { request, asked, number, .. } = running;
        if let News::Asked { prompt, secret, answer } = news {
            // Without a person the answer's way is dropped here, by which the cell learns of it.
            if !asked.may_ask {
                return Vec::new();
            }
            let content = json!({ "prompt": prompt, "password": secret });
            let question = Message::answer(request, "input_request", content);
            running.question = Some(answer);
            return vec![Action::Say(Message { channel: Channel::Stdin, ..question })];
        }
        let told = content(news, *number).filter(|_| !asked.silent);
        let say = |(kind, content)| Action::Say(Message::publish(&request.header, kind, content));
        told.map(say).into_iter().collect()
    }

    /// A cell has ended.
    #[must_use]
    pub fn ended(
        &mut self,
        cell: u64,
        outcome: Outcome,
        expressions: Vec<(String, Result<Bundle, Failure>)>,
    ) -> Vec<Action> {
        let Some(Running { request, asked, number, .. }) = self.running.take_if(|running| running.cell == cell) else {
            return Vec::new();
        };
        let mut actions = Vec::new();
        let settles = outcome.is_err() && asked.stops;
        if !asked.silent {
            self.past.push_back(Past { cell, number, header: request.header.clone() });
            self.past.drain(..self.past.len().saturating_sub(PAST));
        }
        let reply = match outcome {
            Ok(()) => {
                let values: Map<String, Value> = expressions.into_iter().map(expression).collect();
                json!({ "status": "ok", "execution_count": number, "payload": [], "user_expressions": values })
            }
            Err(failure) => {
                let content = error(&failure);
                if !asked.silent {
                    actions.push(Action::Say(Message::publish(&request.header, "error", content.clone())));
                }
                with(with(content, "status", json!("error")), "execution_count", json!(number))
            }
        };
        actions.push(Action::Say(Message::answer(&request, "execute_reply", reply)));
        actions.push(status(&request.header, "idle"));
        if settles {
            self.settling = Some(actions);
            return vec![Action::Settle];
        }
        actions.extend(self.next());
        actions
    }

    /// Everything that had come when a cell failed is here, and can be turned away.
    #[must_use]
    pub fn settled(&mut self) -> Vec<Action> {
        let mut actions = self.settling.take().unwrap_or_default();
        for (request, _) in std::mem::take(&mut self.waiting) {
            let aborted = self.around(&request, "execute_reply", json!({ "status": "aborted" }));
            actions.extend(aborted);
        }
        actions
    }

    /// A cell was interrupted a while ago.
    #[must_use]
    pub fn overdue(&mut self, cell: u64) -> Vec<Action> {
        let Some(running) = self.running.as_mut().filter(|running| running.cell == cell) else { return Vec::new() };
        running.warned = true;
        let content = json!({ "name": Stream::Stderr.name(), "text": DEAF });
        vec![Action::Say(Message::publish(&running.request.header, "stream", content))]
    }

    /// A question about code has an answer.
    #[must_use]
    pub fn answered(&mut self, question: u64, answer: Answer) -> Vec<Action> {
        let Some(request) = self.questions.remove(&question) else { return Vec::new() };
        let (kind, content) = match answer {
            Answer::Completions(Completions { matches, start, end }) => {
                let code = request.content["code"].as_str().unwrap_or_default();
                let place = |byte| source::code_points(code, byte);
                let (start, end) = (place(start), place(end));
                let content = json!({
                    "status": "ok", "matches": matches, "cursor_start": start, "cursor_end": end, "metadata": {},
                });
                ("complete_reply", content)
            }
            Answer::Meaning(found) => {
                let known = found.is_some();
                let Bundle { data, metadata } = found.unwrap_or_default();
                ("inspect_reply", json!({ "status": "ok", "found": known, "data": data, "metadata": metadata }))
            }
        };
        let mut actions = vec![Action::Say(Message::answer(&request, kind, content)), status(&request.header, "idle")];
        actions.extend(self.still_busy());
        actions
    }

    fn execute(&mut self, request: Request) -> Vec<Action> {
        match Execute::read(&request.content) {
            None => {
                let failure = Failure::new("request", "an `execute_request` without `code` cannot be run");
                let content = with(error(&failure), "status", json!("error"));
                self.around(&request, "execute_reply", content)
            }
            Some(asked) => {
                self.waiting.push_back((request, asked));
                self.next()
            }
        }
    }

    /// Begins the next cell, if none runs and one waits.
    fn next(&mut self) -> Vec<Action> {
        if self.running.is_some() || self.settling.is_some() {
            return Vec::new();
        }
        let Some((request, asked)) = self.waiting.pop_front() else { return Vec::new() };
        let number = self.number;
        if asked.recorded && !asked.code.trim().is_empty() {
            self.number += 1;
            self.history.add(number, &asked.code);
        }
        self.cells += 1;
        let mut actions = vec![status(&request.header, "busy")];
        if !asked.silent {
            let content = json!({ "code": asked.code, "execution_count": number });
            actions.push(Action::Say(Message::publish(&request.header, "execute_input", content)));
        }
        let (code, expressions) = (asked.code.clone(), asked.expressions.clone());
        actions.push(Action::Run(Job { cell: self.cells, number, code, expressions }));
        let (cell, question, interrupted, warned) = (self.cells, None, false, false);
        self.running = Some(Running { cell, number, request, asked, question, interrupted, warned });
        actions
    }

    /// The first interrupt asks; once the page has said that the cell does not look, the next one ends its process.
    fn interrupt(&mut self) -> Vec<Action> {
        let Some(running) = &mut self.running else { return Vec::new() };
        // A cell that waits for a person learns by this that nobody will answer.
        running.question = None;
        if running.warned {
            return vec![Action::End];
        }
        let again = std::mem::replace(&mut running.interrupted, true);
        let watch = (!again).then_some(Action::Watch(running.cell));
        [Action::Interrupt(running.cell)].into_iter().chain(watch).collect()
    }

    fn answered_by_person(&mut self, content: &Value) {
        let question = self.running.as_mut().and_then(|running| running.question.take());
        if let (Some(question), Some(text)) = (question, content["value"].as_str()) {
            // The cell may have ended in the meantime.
            let _ = question.send(text.to_owned());
        }
    }

    fn ask(&mut self, request: Request) -> Vec<Action> {
        let code = request.content["code"].as_str().unwrap_or_default().to_owned();
        let place = request.content["cursor_pos"].as_u64().and_then(|place| usize::try_from(place).ok());
        let byte = source::byte_at(&code, place.unwrap_or(usize::MAX));
        self.asked += 1;
        let completes = request.kind == "complete_request";
        let question = Question { number: self.asked, completes, code, byte };
        let busy = status(&request.header, "busy");
        self.questions.insert(self.asked, request);
        vec![busy, Action::Ask(question)]
    }

    /// An answer, between the signs that the kernel works on it.
    fn around(&self, request: &Request, kind: &'static str, content: Value) -> Vec<Action> {
        self.between(&request.header, vec![Action::Say(Message::answer(request, kind, content))])
    }

    fn between(&self, header: &Value, actions: Vec<Action>) -> Vec<Action> {
        let (busy, idle) = (status(header, "busy"), status(header, "idle"));
        [busy].into_iter().chain(actions).chain([idle]).chain(self.still_busy()).collect()
    }

    /// Clients show the last state that they heard of, and a cell may be running all the while.
    fn still_busy(&self) -> Option<Action> {
        self.running.as_ref().map(|running| status(&running.request.header, "busy"))
    }

    fn information(&self) -> Value {
        json!({
            "status": "ok",
            "protocol_version": PROTOCOL,
            "implementation": "benchbook",
            "implementation_version": self.about.version,
            "language_info": {
                "name": "rust",
                "version": self.about.rust,
                "mimetype": "text/rust",
                "file_extension": ".rs",
                "pygments_lexer": "rust",
                "codemirror_mode": "rust",
            },
            "banner": self.about.banner,
            "debugger": false,
            "supported_features": [],
            "help_links": [],
        })
    }
}

fn status(parent: &Value, state: &str) -> Action {
    Action::Say(Message::publish(parent, "status", json!({ "execution_state": state })))
}

fn is_complete(asked: &Value) -> Value {
    match source::completeness(asked["code"].as_str().unwrap_or_default()) {
        Completeness::Complete => json!({ "status": "complete" }),
        Completeness::Incomplete(indent) => json!({ "status": "incomplete", "indent": indent }),
        Completeness::Invalid => json!({ "status": "invalid" }),
    }
}

/// What everybody is told of something that a cell shows, by the type of the message.
fn content(news: News, number: u32) -> Option<(&'static str, Value)> {
    Some(match news {
        News::Printed(stream, text) => ("stream", json!({ "name": stream.name(), "text": text })),
        News::Shown(bundle, name) => ("display_data", shown(bundle, name)),
        News::Changed(bundle, name) => ("update_display_data", shown(bundle, Some(name))),
        News::Cleared { wait } => ("clear_output", json!({ "wait": wait })),
        News::Value(Bundle { data, metadata }) => {
            ("execute_result", json!({ "execution_count": number, "data": data, "metadata": metadata }))
        }
        // That is between the cell and whoever runs it.
        News::Asked { .. } => return None,
    })
}

fn shown(Bundle { data, metadata }: Bundle, name: Option<String>) -> Value {
    let transient = name.map_or_else(|| json!({}), |name| json!({ "display_id": name }));
    json!({ "data": data, "metadata": metadata, "transient": transient })
}

fn error(Failure { name, message, trace }: &Failure) -> Value {
    json!({ "ename": name, "evalue": message, "traceback": trace })
}

fn expression((key, value): (String, Result<Bundle, Failure>)) -> (String, Value) {
    let value = match value {
        Ok(Bundle { data, metadata }) => json!({ "status": "ok", "data": data, "metadata": metadata }),
        Err(failure) => with(error(&failure), "status", json!("error")),
    };
    (key, value)
}

fn with(mut object: Value, key: &str, value: Value) -> Value {
    object[key] = value;
    object
}

#[cfg(test)]
mod tests;
