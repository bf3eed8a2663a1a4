//! After which steps a worker is waited for until it rests.

use super::*;

#[test]
fn whoever_has_started_or_worked_is_waited_for_however_that_went() {
    let (mut driver, _) = tapped(&References::none().shared(), unchanged);
    assert!(driver.stirred.is_some(), "it has started");
    // Whether it is at rest is a matter of the other tests of this process.
    driver.rest();
    assert!(driver.stirred.is_none(), "it has done nothing since");
    for implementation in ["absent", "remembers"] {
        let slow = Trial { min_sample_ns: 2_000_000, ..trial(0, implementation) };
        assert!(driver.prepare(&slow, LONG).is_err(), "{implementation}");
        assert!(driver.stirred.is_some(), "{implementation}");
        driver.rest();
    }
    driver.prepare(&trial(1, "right"), LONG).unwrap();
    driver.rest();
    driver.finish(1, LONG).unwrap();
    assert!(driver.stirred.is_some(), "the last check makes a call");
}

#[test]
fn whoever_fails_in_a_sample_is_waited_for() {
    let (mut driver, _) = tapped(&References::none().shared(), unchanged);
    driver.prepare(&trial(0, "right"), LONG).unwrap();
    driver.rest();
    driver.link = Box::new(Lost);
    assert!(driver.sample(0, LONG).is_err() && driver.stirred.is_some());
}

#[test]
fn after_a_failure_this_process_is_waited_for_once() {
    let this = std::process::id();
    assert_eq!([vec![0], vec![this, 0], vec![this]].map(with_this_one), [vec![0, this], vec![0, this], vec![this]]);
}

/// A worker that is lost.
struct Lost;

impl Link for Lost {
    fn ask(&mut self, _ask: &Ask, _arrays: &[(&str, &Array)], _timeout: Duration) -> Result<(Say, Arrays)> {
        Err(Error::WorkerLost { worker: "pid 1".into(), reason: "it ended".into(), hung: false })
    }

    fn caller(&self) -> Caller {
        Caller::this_thread()
    }

    fn isolation(&self) -> Isolation {
        Isolation::Process
    }
}
