//! The program, its commands, and its words, SQL that begins with a comment among them.

use std::ffi::{OsStr, OsString};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::{
    CalibrateArgs, CompareArgs, DoctorArgs, FeedbackArgs, GateArgs, KernelArgs, ListArgs, MatrixArgs, NotebookArgs,
    ReportArgs, RunArgs, SqlArgs, StoreArgs, TuneArgs, ValidateArgs, WorkerArgs,
};

/// Honest measurement of deep-learning optimizations: paired, interleaved, judged, or undecided.
#[derive(Debug, Parser)]
#[command(
    name = "benchbook",
    version,
    after_help = "\
Examples:
  benchbook run attention --quick
  benchbook compare latest --baseline naive
  benchbook sql \"select variant, replicate_median(time_ns, replicate) from results group by variant\"
  benchbook report --output report.html

Exit codes: 0 fine, 1 regression, a wrong kernel or a worker that fails its check, 2 undecided (only if asked), 3 not comparable,
4 everything else"
)]
pub struct Cli {
    /// Folder or URL of the store
    #[arg(long, global = true, env = "BENCHBOOK_STORE", default_value = "results", value_name = "DIR|URL")]
    pub store: String,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What this program was called with; a variable that is set to nothing counts as unset.
    ///
    /// # Errors
    /// Words that are none of its own, or a call for help.
    pub fn read() -> Result<Self, clap::Error> {
        let matches = without_empty_variables(Self::command()).try_get_matches_from(words(std::env::args_os()))?;
        Self::from_arg_matches(&matches)
    }
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let unset = |arg: clap::Arg| match arg.get_env().is_some_and(is_empty) {
        true => arg.env(None::<&'static str>),
        false => arg,
    };
    command.mut_args(unset).mut_subcommands(without_empty_variables)
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure workloads, or what a plan says, and record every sample
    #[command(after_help = "\
Examples:
  benchbook run attention --quick
  benchbook run matmul --set m=256,512 --device flex,libtorch --time 30s
  benchbook run attention transformer-block --preset b2-s128-d256-h8
  benchbook run --category memory --quick
  benchbook run --category gpu --quick --python
  benchbook run --all --quick --time 2h
  benchbook run plan.toml
  benchbook run matmul --quick --worker \"numpy=python3 tests/python/worker.py\"")]
    Run(RunArgs),
    /// Say within seconds whether kernels are right on this machine
    #[command(after_help = "\
Examples:
  benchbook validate
  benchbook validate --category performance

Every kernel is checked before and after a moment of timing, which says nothing of its speed.
Exit codes: 0 all are right, 1 an output is wrong or a kernel has failed, 4 everything else")]
    Validate(ValidateArgs),
    /// Show what can be measured, asked, what of the catalogue works, and what became of published claims
    #[command(
        after_help = "Examples:\n  benchbook list\n  benchbook list claims\n  benchbook list coverage --format csv\n  benchbook list mamba\n  \
                      benchbook list --newer"
    )]
    List(ListArgs),
    /// Ask the store in SQL, or by a named query
    #[command(after_help = "\
Examples:
  benchbook sql \"select case_name, variant, replicate_median(time_ns, replicate) from results group by all\"
  benchbook sql --query speedup --param baseline=naive
  benchbook sql --file my.sql
  benchbook sql --format parquet \"select * from samples\" > samples.parquet")]
    Sql(SqlArgs),
    /// Compare variants within a run (paired), or two runs (unpaired, sequential)
    #[command(after_help = "\
Examples:
  benchbook compare latest --baseline naive
  benchbook compare latest --by dtype
  benchbook compare latest --metric peak_added_bytes --baseline naive
  benchbook compare latest~1 latest
  benchbook compare \"2 days ago\" latest

Runs are named by id, a unique start of it, a tag, `latest`, `latest~1` for the one before, or \"2 days ago\" for
the newest that had begun by then.")]
    Compare(CompareArgs),
    /// Measure every technique on every model, one change at a time, and show what helps which
    #[command(after_help = "\
Examples:
  benchbook matrix --quick --time 25m
  benchbook matrix --models smollm2-135m,qwen3-4b --techniques int8,2of4,early-exit --output matrix.html
  benchbook matrix --tiers large,xl --layers 1 --techniques int8 --dry-run
  benchbook sql --query before_after --param model=qwen3-4b --param technique=int8

What the store holds is not measured again, so that a matrix that was ended goes on where it was. Weights are seeded:
time, memory and operations are judged; of quality, only how near answers stay to the model's own. The real weights of
SmolLM2-135M and all-MiniLM-L6-v2 say what becomes of quality, once `cargo xtask data smollm2-135m minilm-l6 brown lee
sentiment` has brought them; so do your own, which the table [files] of mine.toml names.")]
    Matrix(MatrixArgs),
    /// Build two revisions, measure them side by side, and fail where something became slower
    #[command(after_help = "\
Examples:
  benchbook gate --baseline origin/main --quick
  benchbook gate --baseline v1.2 --candidate HEAD --suite attention --output gate.md --output gate.json

What looks slower is measured again in fresh processes, and only that second estimate counts. A recorded run as
the baseline is described and judges nothing: never 1.
To build a revision is to run what it says, such as its build scripts (build.rs), and to measure it runs its kernels,
all with your rights: gate only revisions whose authors you trust.
Exit codes: 0 nothing is slower, 1 regression, 2 undecided (only with --fail-on undecided), 3 not comparable,
4 a case that had to be answered has no answer, and everything else")]
    Gate(GateArgs),
    /// Measure equal programs against each other: what this machine can see, and how often it errs
    #[command(after_help = "\
Examples:
  benchbook calibrate
  benchbook calibrate --time 10m

Runs add up: each one of the same machine in the store narrows the intervals. `benchbook doctor` shows them.")]
    Calibrate(CalibrateArgs),
    /// Search good settings of implementations, or shapes of models within a budget, by measuring them
    #[command(after_help = "\
Examples:
  benchbook tune matmul --set m=512 --implementation tiled --budget 60
  benchbook tune matmul --set m=512 --implementation tiled --knob depth=128,256,512 --threads 1,2
  benchbook tune hybrid-stack --set pattern=AAAA,MAMA,MMMM --set heads=2,4 --implementation fused \\
    --under peak_added_bytes=64MiB --budget 12
  benchbook tune --model smollm2-135m --under kl_divergence=0.1
  benchbook tune --model smollm2-135m --set layers=2,4,8 --implementation plain,int8 --under time=2s

The best settings are measured once more by fresh processes, since the best of many looks better than it is.
What was measured are runs of the store with the tag tune:NAME; the same command goes on where they end. Of models,
`benchbook sql --query adaptive` shows what all searches and loops have found.")]
    Tune(TuneArgs),
    /// Close a loop: measure, then change batch size, precision or depth by what was measured, and keep to a bound
    #[command(after_help = "\
Examples:
  benchbook feedback attention --set batch=1,2,4,8 --implementation fused --hold time=5ms
  benchbook feedback matmul --set m=512 --implementation csr-90,csr-50,tiled --hold time=2ms --turns 30
  benchbook feedback hybrid-stack --set pattern=MA,MAMA,MAMAMAMA --implementation fused --hold peak_added_bytes=64MiB
  benchbook feedback --model smollm2-135m --set layers=2,4,8 --implementation int8 --hold time=2s

A setting that has failed is banned for ever longer, so that the loop does not swing. Each turn is a run of the store with
the tag feedback:NAME that says why it was measured (`benchbook sql --query feedback`); the same command goes on.")]
    Feedback(FeedbackArgs),
    /// Write a report: what was run, on what, tables, charts, checks, what was left out
    #[command(
        after_help = "Examples:\n  benchbook report --output report.html\n  benchbook report latest~1 --output report.md"
    )]
    Report(ReportArgs),
    /// Look at this machine: what disturbs measurements here, what is missing, and the remedy
    #[command(after_help = "Example:\n  benchbook doctor")]
    Doctor(DoctorArgs),
    /// Look after a store
    #[command(
        after_help = "Examples:\n  benchbook store ls\n  benchbook store verify\n  benchbook --store all store merge results"
    )]
    Store(StoreArgs),
    /// Look after the Jupyter kernel Rust (benchbook)
    #[command(after_help = "Examples:\n  benchbook kernel doctor\n  benchbook kernel install --user")]
    Kernel(KernelArgs),
    /// Run notebooks without a person before them
    #[command(after_help = "Example:\n  benchbook notebook run notebooks/*.ipynb --quick --html pages")]
    Notebook(NotebookArgs),
    /// Look at a worker of another program, in any language
    #[command(after_help = "Example:\n  benchbook worker check \"python3 tests/python/worker.py\"")]
    Worker(WorkerArgs),
    /// Print the tables of the record, their columns and units
    #[command(after_help = "Example:\n  benchbook schema")]
    Schema,
}

/// The words, with a space before each that begins with a comment of SQL: no option has white space in its name.
fn words(given: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    given.map(|word| if is_comment(&word) { [" ".into(), word].into_iter().collect() } else { word })
}

fn is_comment(word: &OsStr) -> bool {
    let option = word.to_str().and_then(|word| word.strip_prefix("--")).unwrap_or_default();
    option.split('=').next().is_some_and(|name| name.contains(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Format;

    #[test]
    fn a_statement_may_begin_with_a_comment() {
        let sql = "-- title: Every run = all\n-- more\nSELECT 1";
        for statement in [sql, "--\nSELECT 1", "--x\nSELECT 1", "/* x */ SELECT 1"] {
            let given = ["benchbook", "sql", statement, "--format=csv"].map(OsString::from);
            let Command::Sql(arguments) = Cli::try_parse_from(words(given.into_iter())).unwrap().command else {
                panic!("{statement} is no statement")
            };
            assert_eq!(arguments.statement.unwrap().trim_start(), statement);
            assert_eq!(arguments.format.format, Format::Csv);
        }
    }

    /// The commands that the view `optimizations` names are ones that this program takes.
    #[test]
    fn what_stands_for_an_optimization_elsewhere_can_be_asked_for() {
        use benchbook_record::Readable as _;

        let folder = tempfile::tempdir().unwrap();
        let store = benchbook_record::LocalStore::create_or_open(folder.path().join("store")).unwrap();
        let session = benchbook_query::Session::open(&store.reader().unwrap()).unwrap();
        let named = session.sql("select command from optimizations where command is not null").unwrap();
        let commands: Vec<String> = benchbook_report::rows(&named).filter_map(|row| row.text("command")).collect();
        assert!(commands.len() >= 4, "{commands:?}");
        for command in commands {
            assert!(Cli::try_parse_from(command.split(' ')).is_ok(), "{command}");
        }
    }

    #[test]
    fn options_stay_options() {
        for option in ["--format", "--tag=two words", "--param=x= y", "--", "-x", "-- "] {
            let kept: Vec<OsString> = words([OsString::from(option)].into_iter()).collect();
            assert_eq!(kept[0] == option, option != "-- ", "{option}");
        }
        let wrong = ["benchbook", "sql", "--formt", "csv", "select 1"].map(OsString::from);
        assert!(Cli::try_parse_from(words(wrong.into_iter())).unwrap_err().to_string().contains("--format"));
    }
}
