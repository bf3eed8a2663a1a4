//! Whether a sample can have been what its worker says.

use benchbook_core::message::Reply;

/// A reply; in place of a sample that cannot have been taken between these readings of the clock, that it failed.
pub fn believed(reply: Reply, asked_ns: i64, answered_ns: i64) -> Reply {
    let Reply::Sampled(sample) = reply else { return reply };
    let began = (asked_ns..=answered_ns).contains(&sample.started_ns);
    if began && sample.elapsed_ns <= answered_ns - sample.started_ns && sample.iterations >= 1 {
        return reply;
    }
    let message = format!(
        "its worker told of a sample of {} ns in {} calls, begun {:.3} ms after it was asked for; the answer came after {:.3} ms",
        sample.elapsed_ns,
        sample.iterations,
        (sample.started_ns as f64 - asked_ns as f64) / 1e6,
        (answered_ns - asked_ns) as f64 / 1e6
    );
    Reply::Failed { message }
}

#[cfg(test)]
mod tests {
    use benchbook_core::message::Sampled;

    use super::*;

    #[test]
    fn a_sample_lies_between_the_question_and_the_answer() {
        let sampled = |started_ns, elapsed_ns, iterations| {
            Reply::Sampled(Sampled {
                iterations,
                elapsed_ns,
                started_ns,
                cpu_user_ns: 0,
                cpu_system_ns: 0,
                disturbed: None,
                rested: true,
            })
        };
        for right in
            [sampled(100, 100, 1), sampled(150, 50, 3), sampled(200, 0, 1), Reply::Memory { peak_added_bytes: None }]
        {
            assert_eq!(believed(right.clone(), 100, 200), right);
        }
        for wrong in
            [sampled(99, 1, 1), sampled(201, 0, 1), sampled(150, 51, 1), sampled(150, i64::MAX, 1), sampled(150, 1, 0)]
        {
            let told = believed(wrong.clone(), 100, 200);
            assert!(
                matches!(&told, Reply::Failed { message } if message.contains("told of a sample")),
                "{wrong:?}: {told:?}"
            );
        }
    }
}
