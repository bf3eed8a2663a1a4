//! What a cell shows: one bundle of HTML, plotly's JSON and plain text; and the progress of a run, now and then: as lines,
//! or as a bar where the kernel can change one.

use std::io::Write;

use benchbook_core::{Opaque, counted, for_people, on_one_line};
use benchbook_measure::clock;
use benchbook_measure::run::{Observer, Pace, Progress};
use benchbook_query::Answer;
use benchbook_report::charts::Figure;
use benchbook_report::{
    Cells, Comparison, SCRIPT, STYLE, comparison_html, comparison_table, counts, escaped, fitted, html_table,
};
use uuid::Uuid;

use crate::notebook;

/// The MIME type by which the kernel knows the name of what is shown.
const NAMED: &str = "application/vnd.benchbook.display+json";

/// The MIME type by which the kernel knows that what was shown goes.
const CLEARED: &str = "application/vnd.benchbook.clear+json";

/// Least time between two states of a bar, in nanoseconds: kernel, server and page wake up for each.
const QUIET_NS: i64 = 2_000_000_000;

/// A result as HTML and as plain text, and as plotly's JSON where it is one figure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bundle {
    /// A piece of HTML without the style that all pieces share; empty where there is no such form.
    pub html: String,
    /// The same as plain text.
    pub text: String,
    /// `{data, layout, config}` of a lone figure.
    pub plotly: Option<String>,
    /// What a runner must know: the MIME type and its JSON.
    pub note: Option<(&'static str, String)>,
}

impl Bundle {
    /// Text alone.
    pub fn of_text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { html: format!("<pre>{}</pre>\n", escaped(&text)), text, ..Self::default() }
    }

    /// Text alone, in the form of text alone.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Sends the bundle to a Jupyter kernel of ours under a name, or in the place of what has this name.
    pub(crate) fn emit_as(self, name: &str, again: bool) {
        let note = serde_json::json!({ "id": name, "update": again }).to_string();
        Self { note: Some((NAMED, note)), ..self }.emit();
    }

    /// Has a Jupyter kernel of ours take away what the cell has shown, at once or when the next thing is shown.
    pub(crate) fn clear(wait: bool) {
        let note = serde_json::json!({ "wait": wait }).to_string();
        Self { note: Some((CLEARED, note)), ..Self::default() }.emit();
    }

    /// Sends the bundle to the notebook, and lets it go here, where that is compiled already.
    #[inline(never)]
    pub(crate) fn send(self) {
        self.emit();
    }

    /// Sends the bundle to the notebook.
    pub fn emit(&self) {
        let mut out = std::io::stdout().lock();
        let has_table = self.html.contains("benchbook-table");
        let script = if has_table { format!("<script>{SCRIPT}</script>\n") } else { String::new() };
        let styled = format!("<style>{STYLE}</style>\n{}{script}", self.html);
        // Jupyter's console is a terminal.
        let text = for_people(&self.text);
        let mut parts = vec![("text/plain", text.as_str())];
        parts.extend((!self.html.is_empty()).then_some(("text/html", styled.as_str())));
        parts.extend(self.plotly.as_deref().map(|json| ("application/vnd.plotly.v1+json", json)));
        parts.extend(self.note.as_ref().map(|(mime, json)| (*mime, json.as_str())));
        if notebook::is_ours() {
            // The code may have printed a line without its end.
            let _ = out.write_all(notebook::MARGIN);
        }
        for (mime, content) in parts {
            // A notebook that is gone cannot be told that it is gone.
            let _ = writeln!(out, "EVCXR_BEGIN_CONTENT {mime}\n{}\nEVCXR_END_CONTENT", harmless(content));
        }
        let _ = out.flush();
    }
}

/// No line of a content may look like the end of it.
fn harmless(content: &str) -> String {
    let line = |line: &str| if line.starts_with("EVCXR_") { format!(" {line}") } else { line.to_owned() };
    content.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Rows of an answer that a cell shows.
const MOST_ROWS: usize = 100;

/// Characters in a line of a comparison's plain text, which a notebook shows where it cannot show HTML.
const MOST_COLUMNS: usize = 120;

/// Where a notebook has the columns that had no room there.
const ALL_COLUMNS: &str = "`.cells` has all";

/// Something that a cell can show as its last expression.
pub trait Show {
    /// The result in every form.
    fn bundle(&self) -> Bundle;

    /// The result in one line, as a list of variables has it.
    fn in_a_line(&self) -> String {
        first_line(self.bundle())
    }

    /// What evcxr calls on the last expression of a cell.
    fn evcxr_display(&self) {
        self.bundle().send();
    }
}

#[inline(never)]
fn first_line(bundle: Bundle) -> String {
    bundle.text.lines().next().unwrap_or_default().to_owned()
}

impl<T: Show + ?Sized> Show for &T {
    fn bundle(&self) -> Bundle {
        (**self).bundle()
    }

    fn in_a_line(&self) -> String {
        (**self).in_a_line()
    }
}

impl<T: Show + ?Sized> Show for Box<T> {
    fn bundle(&self) -> Bundle {
        (**self).bundle()
    }

    fn in_a_line(&self) -> String {
        (**self).in_a_line()
    }
}

/// A chart of plotly's own, for pages that draw it.
impl Show for plotly::Plot {
    fn bundle(&self) -> Bundle {
        Bundle { plotly: Some(self.to_json()), ..Bundle::plain("a chart by plotly") }
    }
}

impl<T: Show> Show for Vec<T> {
    fn bundle(&self) -> Bundle {
        all(&mut self.iter().map(Show::bundle))
    }

    fn in_a_line(&self) -> String {
        counted(self.len(), "result")
    }
}

/// The bundles of a list as one.
#[inline(never)]
fn all(bundles: &mut dyn Iterator<Item = Bundle>) -> Bundle {
    let bundles: Vec<Bundle> = bundles.collect();
    if bundles.is_empty() { Bundle::of_text("nothing to show") } else { Stack::of(bundles).joined() }
}

impl Show for Answer {
    fn bundle(&self) -> Bundle {
        let cells = match Cells::of(&self.schema, &self.batches, MOST_ROWS) {
            Ok(cells) => cells,
            Err(error) => return Bundle::of_text(format!("this answer cannot be shown: {error}")),
        };
        let (shown, all) = (cells.rows.len(), self.rows());
        let mut under = vec![if shown == all {
            counted(all, "row")
        } else {
            format!("{shown} of {all} rows; narrow the question, or take `.batches` for all")
        }];
        under.extend(self.left_out.lines().iter().map(|line| on_one_line(line)));
        Bundle {
            html: html_table(&cells, "", &under),
            text: format!("{}\n{}", fitted(&cells), under.join("\n")),
            ..Bundle::default()
        }
    }

    fn in_a_line(&self) -> String {
        format!("{}, {}", counted(self.rows(), "row"), counted(self.schema.fields().len(), "column"))
    }
}

impl Show for Comparison {
    fn bundle(&self) -> Bundle {
        let mut under = vec![counts(&self.answer), self.note.clone()];
        under.extend(self.warnings.iter().map(|warning| format!("Warning: {warning}.")));
        under.extend(self.answer.left_out.lines().iter().map(|line| on_one_line(line)));
        Bundle {
            html: comparison_html(&self.cells, &self.answer, &under),
            text: format!("{}\n{}", comparison_table(self, Some((MOST_COLUMNS, ALL_COLUMNS))), under.join("\n")),
            ..Bundle::default()
        }
    }

    fn in_a_line(&self) -> String {
        counts(&self.answer)
    }
}

impl Show for Figure {
    fn bundle(&self) -> Bundle {
        // Unique in a page that may hold the cells of several sessions.
        let id = format!("figure-{}", Uuid::now_v7().simple());
        Bundle {
            html: self.html_cell(&id),
            text: self.text(),
            plotly: Some(self.json_of_fixed_size()),
            ..Bundle::default()
        }
    }

    fn in_a_line(&self) -> String {
        self.title().to_owned()
    }
}

impl Show for Stack {
    fn bundle(&self) -> Bundle {
        self.joined()
    }
}

/// Results one under the other; [`stack!`](crate::stack) makes it.
#[derive(Debug, Clone)]
pub struct Stack(Opaque<Vec<Bundle>>);

impl Stack {
    /// These bundles, from top to bottom.
    pub fn of(bundles: Vec<Bundle>) -> Self {
        Self(bundles.into())
    }

    /// These results, from top to bottom.
    #[inline(never)]
    pub fn showing(results: &[&dyn Show]) -> Self {
        Self::of(results.iter().map(Show::bundle).collect())
    }

    /// All of them as one bundle.
    fn joined(&self) -> Bundle {
        if let [only] = self.0.as_slice() {
            return only.clone();
        }
        // Plotly's JSON holds one figure and would hide the rest.
        let join = |part: fn(&Bundle) -> &str, between: &str| self.0.iter().map(part).collect::<Vec<_>>().join(between);
        Bundle { html: join(|one| &one.html, ""), text: join(|one| &one.text, "\n"), ..Bundle::default() }
    }
}

/// Shows several results in one cell: `stack![lab.compare("latest", "naive")?, lab.speedup("latest", "naive")?]`.
#[macro_export]
macro_rules! stack {
    ($($one:expr),+ $(,)?) => {
        $crate::Stack::showing(&[$(&$one as &dyn $crate::Show),+])
    };
}

/// Tells of a run on standard output.
#[derive(Debug, Default)]
pub(crate) struct Lines(Pace);

impl Observer for Lines {
    fn progress(&mut self, progress: Progress<'_>) {
        let now_ns = clock::now_ns();
        let line = self.0.take(&progress, now_ns);
        match progress {
            Progress::Started { run_id, trials, .. } => say(&format!("run {run_id}: {}", counted(trials, "trial"))),
            Progress::Note(text) => say(&format!("note: {text}")),
            _ => {}
        }
        if let Some(line) = line.filter(|_| self.0.is_due(now_ns)) {
            say(&format!("  {line}"));
        }
    }
}

/// Tells of a run by a bar that changes in its place.
pub(crate) struct Bar {
    pace: Pace,
    /// Known to the page by it.
    name: String,
    groups: usize,
    told_ns: i64,
}

impl Bar {
    pub(crate) fn new() -> Self {
        Self { pace: Pace::default(), name: Uuid::now_v7().to_string(), groups: 0, told_ns: 0 }
    }

    /// What to show of this, and whether in the place of what was shown; nothing where somebody was woken a moment ago.
    fn told(&mut self, progress: &Progress<'_>, now_ns: i64) -> Option<(String, bool)> {
        let line = self.pace.take(progress, now_ns);
        let mut is_last = false;
        match progress {
            Progress::Started { run_id, groups, trials } => {
                (self.groups, self.told_ns) = (*groups, now_ns);
                return Some((format!("run {run_id}: {}", counted(*trials, "trial")), false));
            }
            Progress::Planned { groups } => self.groups = *groups,
            Progress::GroupDone { done } => is_last = *done == self.groups,
            Progress::Note(_) | Progress::Preparing { .. } | Progress::Block { .. } => {}
        }
        let line = line.filter(|_| is_last || now_ns - self.told_ns >= QUIET_NS)?;
        self.told_ns = now_ns;
        Some((line, true))
    }

    fn show(&self, line: &str, again: bool) {
        let (share, line) = (self.pace.share().clamp(0.0, 1.0), for_people(line));
        let bar = format!("<progress max=\"1\" value=\"{share:.3}\"></progress>");
        let html = format!("<div class=\"benchbook-progress\">{bar} {}</div>\n", escaped(&line));
        Bundle { html, text: line, ..Bundle::default() }.emit_as(&self.name, again);
    }
}

impl Observer for Bar {
    fn progress(&mut self, progress: Progress<'_>) {
        if let Progress::Note(text) = progress {
            say(&format!("note: {text}"));
        }
        if let Some((line, again)) = self.told(&progress, clock::now_ns()) {
            self.show(&line, again);
        }
    }
}

/// Says a line on standard output.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Whether anyone reads must not matter to a measurement.
    let _ = writeln!(out, "{}", for_people(line)).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use benchbook_report::paired;

    use super::*;

    #[test]
    fn a_content_cannot_end_itself() {
        assert_eq!(harmless("a\nEVCXR_END_CONTENT\nb"), "a\n EVCXR_END_CONTENT\nb");
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(Bundle::of_text("<script>").html, "<pre>&lt;script&gt;</pre>\n");
    }

    #[test]
    fn a_comparison_as_text_names_no_option_of_the_program() {
        let columns = [
            ("workload", "attention"),
            ("case_name", "b1 h8 s2048 d64 causal"),
            ("baseline", "naive/libtorch/f32/2t"),
            ("candidate", "burn-attention/libtorch/f32/2t"),
            ("reason", "direction-excludes-one"),
        ];
        let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let batch = RecordBatch::try_from_iter(columns.map(|(name, value)| (name, text(value)))).unwrap();
        let answer = Answer::from(batch);
        let (note, warnings, cells) = (String::new(), Vec::new(), paired(&answer).into());
        let text = Comparison { note, warnings, answer, cells }.bundle().text;
        assert!(text.contains("left out, `.cells` has all: ") && !text.contains("--wide"), "{text}");
    }

    #[test]
    fn an_answer_is_told_in_a_line_by_its_size() {
        let column = Arc::new(StringArray::from(vec!["x", "y"])) as ArrayRef;
        let answer = Answer::from(RecordBatch::try_from_iter([("a", column)]).unwrap());
        assert_eq!(answer.in_a_line(), "2 rows, 1 column");
        assert_eq!(Vec::from([answer]).in_a_line(), "1 result");
    }

    #[test]
    fn a_stack_holds_all_and_one_alone_is_itself() {
        let [a, b] = ["a", "b"].map(Bundle::of_text);
        let both = Stack::of(vec![a.clone(), b]).joined();
        assert_eq!((both.text.as_str(), both.html.as_str()), ("a\nb", "<pre>a</pre>\n<pre>b</pre>\n"));
        let figure = Bundle { plotly: Some("{}".into()), ..a };
        assert_eq!(Stack::of(vec![figure.clone()]).joined(), figure);
    }

    #[test]
    fn a_bar_wakes_nobody_more_than_once_in_two_seconds() {
        const MS: i64 = 1_000_000;
        let mut bar = Bar::new();
        let mut told = Vec::new();
        let mut tell = |progress: Progress<'_>, at_ms: i64| {
            told.extend(bar.told(&progress, at_ms * MS).map(|(_, again)| (at_ms, again)));
        };
        tell(Progress::Started { run_id: "r", groups: 1, trials: 2 }, 0);
        tell(Progress::Preparing { group: 0, case: "s64", variant: "naive/flex/f32/2t" }, 100);
        for block in 1..=450 {
            // Every 10 ms, as a quick run has them.
            let at_ms = 500 + 10 * block;
            let block = u64::try_from(block).expect("positive");
            tell(Progress::Block { group: 0, case: "s64", replicate: 0, block, blocks: 450 }, at_ms);
        }
        tell(Progress::GroupDone { done: 1 }, 5_001);
        // The end is told at once: nothing is measured any more.
        assert_eq!(told, [(0, false), (2_000, true), (4_000, true), (5_001, true)]);
    }
}
