//! A gate's report for a pull request.

use std::fmt::Write as _;

use benchbook_core::is_order;

use super::flagged::{Comparison, Estimate, Label, Second};
use super::summary::{Missing, Outcome, Report, change};

/// The report as Markdown: what changed first, everything else folded.
pub fn markdown(report: &Report) -> String {
    let mut text = format!("## benchbook gate: {}\n\n", headline(report));
    // Writing to a String cannot fail.
    let how = match (report.comparisons.is_empty(), report.sequential) {
        (true, _) => "",
        (false, true) => ", measured at different times (sequential)",
        (false, false) => ", measured interleaved in fresh processes",
    };
    let (baseline, candidate) = (plain(&report.baseline), plain(&report.candidate));
    let _ = writeln!(text, "Baseline {baseline}, candidate {candidate}{how}.\n");
    text += &format!("{}\n", advice(report));
    for warning in &report.warnings {
        let _ = writeln!(text, "\n**Note:** {}", plain(warning));
    }
    let of = |wanted: &[Label]| {
        let mut chosen: Vec<&Comparison> = Vec::new();
        for label in wanted {
            chosen.extend(report.comparisons.iter().filter(|one| !one.is_open() && one.answer().label == *label));
        }
        chosen
    };
    let mut shown = of(&[Label::Slower]);
    shown.extend(report.comparisons.iter().filter(|one| one.is_open()));
    shown.extend(of(&[Label::Faster]));
    if !shown.is_empty() {
        let _ = write!(text, "\n{}", table(&shown));
    }
    for label in [Label::Undecided, Label::Equivalent] {
        let rows = of(&[label]);
        if !rows.is_empty() {
            text += &folded(&format!("{} {}", rows.len(), said(&rows, label)), &table(&rows));
        }
    }
    if !report.left_out.is_empty() {
        text += &folded(&format!("{} left out", report.left_out.len()), &left_out(report));
    }
    if !report.machine.is_empty() {
        let facts: String = report.machine.iter().map(|fact| format!("- {}\n", plain(fact))).collect();
        text += &folded("machine", &facts);
    }
    let commands: String = report.reproduce.lines().map(|line| format!("    {line}\n")).collect();
    text += &format!("\nHow to reproduce:\n\n{commands}");
    text
}

fn headline(report: &Report) -> &'static str {
    match report.outcome() {
        Outcome::Regression => "▼ regression",
        Outcome::Incomplete => "! no answer for some cases",
        Outcome::NotComparable => "! not comparable",
        Outcome::Undecided => "? undecided",
        Outcome::Pass => "✓ pass",
    }
}

/// The words for all that ended so; where some were seen in fewer processes than others, the longer ones.
fn said<'a>(rows: &[&'a Comparison], label: Label) -> &'a str {
    let words = rows.iter().map(|one| one.answer()).filter(|answer| answer.label == label).map(|answer| answer.said);
    words.max_by_key(|words| words.len()).unwrap_or(label.text())
}

/// One or two sentences: what it means, and what to do.
fn advice(report: &Report) -> String {
    let all = report.comparisons.len();
    let count = |label| report.comparisons.iter().filter(|one| one.answer().label == label).count();
    let open = report.comparisons.iter().filter(|one| one.is_open()).count();
    let fails = report.left_out.iter().filter(|one| one.missing == Missing::CandidateFails).count();
    match report.outcome() {
        Outcome::Regression => format!(
            "The candidate is slower in {} of {all}. What looked slower was measured a second time in fresh processes; \
             only that estimate counts.",
            count(Label::Slower)
        ),
        Outcome::Incomplete => {
            let fails = (fails > 0).then(|| format!("The candidate fails in {fails} where the baseline does not. "));
            let open = (open > 0).then(|| format!("{open} of {all} looked slower and could not be measured again. "));
            format!("{}{}Nothing else is known to be slower.", fails.unwrap_or_default(), open.unwrap_or_default())
        }
        Outcome::NotComparable => {
            let why = report.not_comparable.as_deref().unwrap_or("the two sides share no case and variant");
            format!("Nothing was compared: {}.", plain(why))
        }
        Outcome::Undecided if report.sequential => {
            let of = |label| report.comparisons.iter().filter(|one| one.first.label == label).count();
            format!(
                "The two sides were measured at different times, so this describes and judges nothing: {} of {all} look slower, \
                 {} faster. Name a revision as the baseline to measure both in the same blocks.",
                of(Label::Slower),
                of(Label::Faster)
            )
        }
        Outcome::Undecided => format!(
            "Nothing is known to be slower, but {} of {all} are undecided: the column *MDE*, the minimum detectable \
             effect, says how small a change would have been found. More time or a quieter machine sees more.",
            count(Label::Undecided)
        ),
        Outcome::Pass => format!(
            "Nothing is slower in {all}: {} faster, {} {} (within the margin).",
            count(Label::Faster),
            count(Label::Equivalent),
            said(&report.comparisons.iter().collect::<Vec<_>>(), Label::Equivalent)
        ),
    }
}

fn table(comparisons: &[&Comparison]) -> String {
    let twice = comparisons.iter().any(|one| one.is_flagged());
    let mut header = vec!["case", "variant", "verdict", "time", "95 % interval", "ratio", "MDE", "replicates", "why"];
    if twice {
        header.push("first look, does not count");
    }
    let numeric = ["time", "95 % interval", "ratio", "MDE", "replicates"];
    let mut rows: Vec<Vec<String>> = comparisons.iter().map(|one| row(one)).collect();
    rows.iter_mut().for_each(|row| row.truncate(header.len()));
    let numeric: Vec<bool> = header.iter().map(|name| numeric.contains(name)).collect();
    aligned(&header, &numeric, &rows)
}

fn row(one: &Comparison) -> Vec<String> {
    let answer = one.answer();
    let symbol = match answer.label {
        Label::Slower => "▼",
        Label::Faster => "▲",
        Label::Equivalent => "=",
        Label::Undecided => "?",
    };
    let estimate = |show: fn(&Estimate) -> String| answer.estimate.map_or_else(|| "none".into(), show);
    let why = match &one.second {
        Second::Failed(why) => format!("{}: {}", answer.reason.replace('-', " "), plain(why)),
        _ => plain(&answer.reason.replace('-', " ")),
    };
    let first = if one.is_flagged() { time(&one.first) } else { String::new() };
    vec![
        plain(&one.case),
        plain(&one.variant),
        format!("{symbol} {}", plain(answer.said)),
        estimate(time),
        estimate(interval),
        estimate(ratio),
        estimate(minimum_detectable_effect),
        estimate(|estimate| estimate.replicates.to_string()),
        why,
        first,
    ]
}

/// The change of time in words.
fn time(estimate: &Estimate) -> String {
    match change(estimate.ratio) {
        Some(percent) if percent >= 0.05 => format!("{percent:.1} % slower"),
        Some(percent) if percent <= -0.05 => format!("{:.1} % faster", -percent),
        Some(_) => "the same".into(),
        None => "unknown".into(),
    }
}

fn ratio(estimate: &Estimate) -> String {
    // A ratio that gives no change is none.
    change(estimate.ratio).map_or_else(|| "unknown".into(), |_| format!("{:.3}×", estimate.ratio))
}

/// The interval of the change of time: the higher ratio is the lower time.
fn interval(estimate: &Estimate) -> String {
    match (estimate.high.and_then(change), estimate.low.and_then(change)) {
        (Some(least), Some(most)) => format!("{least:+.1} to {most:+.1} %"),
        _ => "none".into(),
    }
}

/// The minimum detectable effect; the effect is on the logarithm.
fn minimum_detectable_effect(estimate: &Estimate) -> String {
    let percent = estimate.minimum_detectable_effect.map(|effect| 100.0 * effect.exp_m1());
    percent.filter(|percent| percent.is_finite()).map_or_else(|| "unknown".into(), |percent| format!("{percent:.1} %"))
}

fn left_out(report: &Report) -> String {
    let row = |one: &super::summary::LeftOut| {
        let missing = match one.missing {
            Missing::New => "new in the candidate",
            Missing::Gone => "gone from the candidate",
            Missing::CandidateFails => "**the candidate fails**",
            Missing::BaselineFails => "the baseline fails",
            Missing::Both => "neither side",
        };
        vec![plain(&one.case), plain(&one.variant), missing.to_owned(), plain(&one.why)]
    };
    let mut sorted: Vec<_> = report.left_out.iter().collect();
    sorted.sort_by_key(|one| one.missing != Missing::CandidateFails);
    let rows: Vec<Vec<String>> = sorted.into_iter().map(row).collect();
    aligned(&["case", "variant", "what is missing", "why"], &[false; 4], &rows)
}

/// A table whose columns also stand under each other in plain text.
fn aligned(header: &[&str], numeric: &[bool], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    let mut widths: Vec<usize> = header.iter().map(|name| name.chars().count().max(3)).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).zip(numeric).map(|((cell, &width), &right)| {
            if right { format!(" {cell:>width$} |") } else { format!(" {cell:<width$} |") }
        });
        format!("|{}\n", cells.collect::<String>())
    };
    let rule = widths
        .iter()
        .zip(numeric)
        .map(|(width, &right)| format!(" {}{} |", "-".repeat(width - 1), if right { ':' } else { '-' }));
    let rule = format!("|{}\n", rule.collect::<String>());
    line(&header) + &rule + &rows.iter().map(|row| line(row)).collect::<String>()
}

/// Markdown inside HTML needs empty lines around it.
fn folded(title: &str, inside: &str) -> String {
    format!("\n<details><summary>{}</summary>\n\n{inside}\n</details>\n", plain(title))
}

/// Text that stays text in Markdown, in a cell and in HTML: no markup, no mention of a person, no new line, no other
/// direction of reading.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '<' | '>' | '"' | '|' | '`' | '*' | '[' | ']' | '\\' | '~' | '#' | '@' => {
                let _ = write!(plain, "&#{};", c as u32);
            }
            c if is_order(c) => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}
