//! The five sockets of a kernel, on a thread of their own, which never waits for anything but them.
//!
//! Sockets of ZeroMQ belong to one thread, so what is to be sent comes to it by a sixth one inside of this process.

use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use zmq::{Context, DONTWAIT, POLLIN, Socket, SocketType};

use crate::connection::{Channel, Connection};
use crate::error::{Error, Result};
use crate::event::Event;

/// The largest part of a message that is taken, in bytes; who sends more is disconnected.
const PART_BYTES: i64 = 256 << 20;

/// How long the last messages may take to leave when the kernel ends, in milliseconds.
const LAST_MS: i32 = 1000;

/// How many messages are sent before requests are looked for again: a cell that shows things without end must not keep an
/// interrupt from being heard.
const BURST: usize = 256;

/// After how long a question is tried again, and how many times, where its client still connects its sockets.
const AGAIN_MS: i64 = 20;
const TRIES: u32 = 500;

/// Where the thread of the sockets hears from the rest of the process.
const INSIDE: &str = "inproc://outbox";

/// The tags of what is told to the thread of the sockets, besides those of [`tag`].
const SETTLE: &[u8] = b"settle";
const STOP: &[u8] = b"stop";

/// The channels on which messages go out.
fn tag(channel: Channel) -> &'static [u8] {
    match channel {
        Channel::Shell => b"shell",
        Channel::Control => b"control",
        Channel::Stdin => b"stdin",
        Channel::Iopub => b"iopub",
        Channel::Heartbeat => b"heartbeat",
    }
}

/// Takes what is to be sent.
pub(crate) struct Outbox(Socket);

impl Outbox {
    /// Sends a message.
    ///
    /// # Errors
    /// The thread of the sockets has ended.
    pub(crate) fn send(&self, channel: Channel, frames: Vec<Vec<u8>>) -> Result<()> {
        self.tell([tag(channel).to_vec()].into_iter().chain(frames))
    }

    /// Asks for [`Event::Settled`] when everything that has come is handed over.
    ///
    /// # Errors
    /// As of [`Outbox::send`].
    pub(crate) fn settle(&self) -> Result<()> {
        self.tell([SETTLE.to_vec()])
    }

    /// Ends the thread, once everything has been sent.
    ///
    /// # Errors
    /// As of [`Outbox::send`].
    pub(crate) fn stop(&self) -> Result<()> {
        self.tell([STOP.to_vec()])
    }

    fn tell(&self, frames: impl IntoIterator<Item = Vec<u8>>) -> Result<()> {
        self.0.send_multipart(frames, DONTWAIT).map_err(|error| Error::Lost(error.to_string()))
    }
}

/// Opens the sockets of a kernel, and begins to serve them.
///
/// # Errors
/// An address is taken, or the system gives no socket or thread.
pub(crate) fn open(connection: &Connection, events: SyncSender<Event>) -> Result<(Outbox, JoinHandle<()>)> {
    let context = Context::new();
    let named = |what: &str| {
        let what = what.to_owned();
        move |source| Error::Socket { what, source }
    };
    let bound = |channel, kind| -> Result<Socket> {
        let at = connection.endpoint(channel);
        let socket = context.socket(kind).map_err(named(&at))?;
        let set_up = || {
            // A cell may write faster than a page reads, and nothing of it may be lost.
            socket.set_sndhwm(0)?;
            socket.set_linger(LAST_MS)?;
            socket.set_maxmsgsize(PART_BYTES)?;
            match kind {
                // A client that comes back under its name takes the place of what it left.
                SocketType::ROUTER => socket.set_router_handover(true)?,
                SocketType::XPUB => socket.set_xpub_verbose(true)?,
                _ => {}
            }
            if channel == Channel::Stdin {
                // Otherwise what is for a client that has not connected yet vanishes without a word.
                socket.set_router_mandatory(true)?;
            }
            socket.bind(&at)
        };
        set_up().map_err(named(&at))?;
        Ok(socket)
    };
    let inside = |kind| -> Result<Socket> {
        let socket = context.socket(kind).map_err(named(INSIDE))?;
        let unbounded = socket.set_sndhwm(0).and_then(|()| socket.set_rcvhwm(0)).and_then(|()| socket.set_linger(0));
        unbounded.map_err(named(INSIDE))?;
        Ok(socket)
    };
    let (inbox, outbox) = (inside(SocketType::PULL)?, inside(SocketType::PUSH)?);
    inbox.bind(INSIDE).and_then(|()| outbox.connect(INSIDE)).map_err(named(INSIDE))?;
    let sockets = Sockets {
        asked: [Channel::Control, Channel::Shell, Channel::Stdin]
            .map(|channel| bound(channel, SocketType::ROUTER).map(|socket| (channel, socket)))
            .into_iter()
            .collect::<Result<_>>()?,
        iopub: bound(Channel::Iopub, SocketType::XPUB)?,
        heartbeat: bound(Channel::Heartbeat, SocketType::ROUTER)?,
        inbox,
        events,
        early: Vec::new(),
    };
    let thread = std::thread::Builder::new().name("sockets".into()).spawn(move || sockets.serve());
    Ok((Outbox(outbox), thread.map_err(|source| Error::Thread { what: "sockets", source })?))
}

struct Sockets {
    asked: Vec<(Channel, Socket)>,
    iopub: Socket,
    heartbeat: Socket,
    inbox: Socket,
    events: SyncSender<Event>,
    /// Questions for clients that have not connected yet, and how many times they are tried again.
    early: Vec<(u32, Vec<Vec<u8>>)>,
}

impl Sockets {
    /// Serves until it is told to stop. A message that cannot be sent belongs to somebody who has gone.
    fn serve(mut self) {
        loop {
            match self.turn() {
                Ok(true) => {}
                Ok(false) => return,
                // A signal has come, which says nothing of the sockets.
                Err(zmq::Error::EINTR) => {}
                Err(error) => {
                    self.happened(Event::Lost(error.to_string()));
                    return;
                }
            }
        }
    }

    /// Waits until something has come by any socket, and takes it; says whether to go on.
    fn turn(&mut self) -> zmq::Result<bool> {
        let all = self.asked.iter().map(|(_, socket)| socket).chain([&self.iopub, &self.heartbeat, &self.inbox]);
        let mut waiting: Vec<_> = all.map(|socket| socket.as_poll_item(POLLIN)).collect();
        let came = zmq::poll(&mut waiting, if self.early.is_empty() { -1 } else { AGAIN_MS })? > 0;
        for (tries, question) in std::mem::take(&mut self.early) {
            // Whatever comes meanwhile says nothing of time.
            self.ask(if came { tries } else { tries.saturating_sub(1) }, question);
        }
        while let Some(beat) = received(&self.heartbeat)? {
            let _ = self.heartbeat.send_multipart(beat, DONTWAIT);
        }
        self.take()?;
        for _ in 0..BURST {
            let Some(mut frames) = received(&self.inbox)? else { break };
            let rest = frames.split_off(1);
            match frames.concat().as_slice() {
                STOP => return Ok(false),
                SETTLE => {
                    self.take()?;
                    self.happened(Event::Settled);
                }
                tagged => self.send(tagged, rest),
            }
        }
        Ok(true)
    }

    /// Hands over everything that has come.
    fn take(&self) -> zmq::Result<()> {
        for (channel, socket) in &self.asked {
            while let Some(frames) = received(socket)? {
                self.happened(Event::Received { channel: *channel, frames });
            }
        }
        while let Some(frames) = received(&self.iopub)? {
            // A subscriber says 1 and its topic; 0 says that it does not listen any more.
            if let Some((1, topic)) = frames.concat().split_first() {
                self.happened(Event::Subscribed(topic.to_vec()));
            }
        }
        Ok(())
    }

    fn send(&mut self, tagged: &[u8], frames: Vec<Vec<u8>>) {
        if tagged == tag(Channel::Stdin) {
            return self.ask(TRIES, frames);
        }
        let asked = self.asked.iter().find(|(channel, _)| tag(*channel) == tagged).map(|(_, socket)| socket);
        let _ = asked.unwrap_or(&self.iopub).send_multipart(frames, DONTWAIT);
    }

    /// Sends a question, or keeps it for a client that is not there yet.
    fn ask(&mut self, tries: u32, question: Vec<Vec<u8>>) {
        let Some((_, stdin)) = self.asked.iter().find(|(channel, _)| *channel == Channel::Stdin) else { return };
        let sent = stdin.send_multipart(question.iter().map(Vec::as_slice), DONTWAIT);
        if sent == Err(zmq::Error::EHOSTUNREACH) && tries > 0 {
            self.early.push((tries, question));
        }
    }

    /// Nobody is left to be told if this fails: the front end has ended.
    fn happened(&self, event: Event) {
        let _ = self.events.send(event);
    }
}

/// The next message that has come by a socket, if there is one.
fn received(socket: &Socket) -> zmq::Result<Option<Vec<Vec<u8>>>> {
    match socket.recv_multipart(DONTWAIT) {
        Ok(frames) => Ok(Some(frames)),
        Err(zmq::Error::EAGAIN) => Ok(None),
        Err(error) => Err(error),
    }
}
