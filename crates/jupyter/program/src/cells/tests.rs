//! The process of the cells, played by a script.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use benchbook_front::event::Event;
use benchbook_front::page::News;

use super::*;

/// Says what it is asked, and ends when it is asked to.
const SCRIPT: &str = "#!/bin/sh\n\
    while read -r word rest; do\n\
    [ $word = BEGIN ] && continue\n\
    [ $word = NAMES ] && echo 'EVCXR_NAMES {}'\n\
    case \"$rest\" in die*) kill -9 $$ ;; esac\n\
    echo \"$word $rest\"\n\
    echo EVCXR_EXECUTION_COMPLETE\n\
    done\n";

struct Desk {
    folder: tempfile::TempDir,
    cells: Cells,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cells = Cells::new(&folder.path().join("s")).unwrap();
        let (script, program) = (folder.path().join("script"), folder.path().join("program"));
        std::fs::write(&script, SCRIPT).unwrap();
        // Another process writes it: what a child of another test may hold open for writing cannot be run.
        let copied = Command::new("install").args(["-m", "755"]).arg(&script).arg(&program).status();
        assert!(copied.unwrap().success());
        cells.check(Ok(program));
        Self { folder, cells }
    }

    fn evcxr(&self) -> (UnixStream, BufReader<UnixStream>) {
        let mut stream = UnixStream::connect(self.folder.path().join("s")).unwrap();
        writeln!(stream, "{}", bridge::HELLO).unwrap();
        (stream.try_clone().unwrap(), BufReader::new(stream))
    }
}

fn page() -> (Page, Receiver<Event>) {
    let (events, received) = sync_channel(100);
    (Page::new(1, events), received)
}

fn printed(received: &Receiver<Event>) -> String {
    let text = |event| match event {
        Event::News { news: News::Printed(_, text), .. } => text,
        other => panic!("{other:?}"),
    };
    received.try_iter().map(text).collect()
}

#[test]
fn the_kernel_and_evcxr_are_answered_each_at_its_place() {
    let desk = Desk::new();
    let (kernel, of_kernel) = page();
    assert_eq!(desk.cells.ask("one", &kernel), Ok(None));
    assert_eq!(printed(&of_kernel), "ASK one\n");
    let (page, of_evcxr) = page();
    desk.cells.inlet().turn_to(Some(&page));
    let (mut asks, mut hears) = desk.evcxr();
    writeln!(asks, "{RUN}a b").unwrap();
    let mut line = String::new();
    hears.read_line(&mut line).unwrap();
    assert_eq!((line.trim_end(), printed(&of_evcxr).as_str()), (COMPLETE, "LOAD_AND_RUN a b\n"));
    assert_eq!(desk.cells.ask("two", &kernel), Ok(None));
    assert_eq!((printed(&of_kernel).as_str(), printed(&of_evcxr).as_str()), ("ASK two\n", ""));
}

#[test]
fn a_process_that_ends_is_told_of_and_another_one_answers() {
    let desk = Desk::new();
    let (kernel, _of_kernel) = page();
    let (mut asks, mut hears) = desk.evcxr();
    writeln!(asks, "{RUN}a b").unwrap();
    let mut line = String::new();
    hears.read_line(&mut line).unwrap();
    let failure = desk.cells.ask("die", &kernel).expect_err("it has ended");
    assert!(failure.message.contains("signal: 9"), "{}", failure.message);
    assert_eq!(hears.read_line(&mut line).unwrap(), 0, "evcxr learns of it");
    assert_eq!(desk.cells.ask("one", &kernel), Ok(None));
}

#[test]
fn an_interrupt_that_comes_before_the_process_has_connected_reaches_it() {
    let desk = Desk::new();
    desk.cells.interrupt(3);
    let mut stream = UnixStream::connect(desk.folder.path().join("s")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    writeln!(stream, "cells").unwrap();
    let mut hears = BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        hears.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(next(), "3\n");
    desk.cells.interrupt(4);
    assert_eq!(next(), "4\n");
}

#[test]
fn names_are_asked_for_while_nothing_runs() {
    let desk = Desk::new();
    assert_eq!(desk.cells.names(), "", "there is no process");
    let (kernel, of_kernel) = page();
    assert_eq!(desk.cells.ask("one", &kernel), Ok(None));
    assert_eq!((desk.cells.names().as_str(), printed(&of_kernel).as_str()), ("{}", "ASK one\n"));
}

#[test]
fn a_library_that_may_not_be_used_is_not() {
    let desk = Desk::new();
    desk.cells.check(Err(Failure::new("benchbook", "another compiler")));
    let (kernel, _of_kernel) = page();
    assert_eq!(desk.cells.ask("one", &kernel).expect_err("refused").message, "another compiler");
}
