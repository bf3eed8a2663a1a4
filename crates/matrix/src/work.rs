//! What is missing of a matrix, run by run: some techniques of a model beside the model as it is.

use std::collections::{BTreeMap, BTreeSet};

use benchbook_core::{Axis, Plan, SamplingSpec, counted, unknown};
use benchbook_measure::clock;
use benchbook_measure::run::{Cell, Ready, RunSummary};
use benchbook_models::technique::{self, Technique};
use benchbook_query::{Answer, Session, parse_memory, quoted};
use benchbook_record::{LocalStore, Readable as _, RunRow, Store};
use benchbook_report::{matrix_page, rows};

use crate::cases::{GENERATED, ModelCase};
use crate::error::{Error, Result};
use crate::parts::{HOLDERS, Known, Missing, Pace, Part};
use crate::plan::{MEMORY, MatrixPlan};
use crate::posed::of_tier;

/// Models where none are named: three whose real weights can be brought, and the four that the matrix is for.
const MODELS: [&str; 7] =
    ["smollm2-135m", "minilm-l6", "whisper-base", "qwen3-4b", "qwen3-vl-2b", "qwen3-coder-30b", "glm-4.7-flash"];

/// Blocks of a replicate: a sample is a whole text.
const BLOCKS: u64 = 20;
const QUICK_BLOCKS: u64 = 3;

/// The same of real text, of which each sample is all pieces.
const REAL_BLOCKS: u64 = 2;

/// Replicates of a quick look at real weights, whose figures are the same in every process.
const QUICK_REAL_REPLICATES: u32 = 1;

/// How long a right answer is waited for at most, in nanoseconds: that of a large model takes long.
const TIMEOUT_NS: u64 = 1_200_000_000_000;

/// Replicates of a cell of seeded weights without which nothing is judged: what was cut short is measured again.
const JUDGED: f64 = 5.0;

/// Cells that need no other measurement.
const DONE: [&str; 4] = ["measured", "not applicable", "not here", "does not fit"];

/// The kind of the event by which a run tells its real weights.
const WEIGHTS: &str = "weights";

/// Who starts the runs of a matrix, and tells how they go.
pub trait Runner {
    /// A run of this plan, as whoever waits for it starts any other.
    ///
    /// # Errors
    /// A plan that cannot be run here.
    fn start(&mut self, plan: Plan) -> benchbook_measure::Result<Ready>;

    /// Measures a run.
    ///
    /// # Errors
    /// The record cannot be written, or no worker can be started.
    fn run(&mut self, ready: &mut Ready, store: &LocalStore) -> benchbook_measure::Result<RunSummary>;

    /// Says a line to a person.
    fn say(&mut self, line: &str);

    /// Whether a person has ended it.
    fn is_ended(&self) -> bool;
}

/// Models and techniques whose cells are wanted.
pub struct Matrix {
    plan: MatrixPlan,
    techniques: Vec<&'static Technique>,
    cases: Vec<ModelCase>,
}

impl Matrix {
    /// The matrix that is asked for.
    ///
    /// # Errors
    /// A name that no model or technique has, with the nearest.
    pub fn of(plan: &MatrixPlan) -> Result<Self> {
        crate::read_real_weights();
        let techniques = techniques(&plan.techniques)?;
        let usual = || MODELS.map(str::to_owned).to_vec();
        let mut names = if plan.models.is_empty() && plan.tiers.is_empty() { usual() } else { plan.models.clone() };
        for tier in &plan.tiers {
            names.extend(of_tier(tier)?.into_iter().map(str::to_owned));
        }
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let memory_bytes = match plan.memory_bytes {
            Some(bytes) => bytes,
            None => parse_memory(MEMORY).map_err(Error::Memory)?,
        };
        let room_bytes = memory_bytes / HOLDERS;
        let mut cases = Vec::new();
        for name in &names {
            cases.extend(ModelCase::all_of(name, room_bytes, plan.quick, plan.layers)?);
        }
        Ok(Self { plan: plan.clone(), techniques, cases })
    }

    /// Its models, and what of each is measured.
    pub fn cases(&self) -> &[ModelCase] {
        &self.cases
    }

    /// Runs whose cells `store` lacks, or of all cells where they are to be measured again; without a store nothing is known.
    ///
    /// # Errors
    /// The store cannot be read, or no worker says what it measures and what this machine is.
    pub fn missing(&self, store: Option<&Store>, runner: &mut dyn Runner) -> Result<Missing<'_>> {
        let ready = runner.start(self.plan_of_all())?;
        let known: Vec<Known> = self.cases.iter().map(|case| self.known(case, &ready)).collect();
        let held = match store {
            Some(store) if !self.plan.again => self.held(store, &ready.row()?)?,
            _ => BTreeSet::new(),
        };
        Ok(Missing::of(&self.cases, &known, &held))
    }

    /// Measures these runs one after another, as many as there is time for; false where a person has ended it.
    ///
    /// # Errors
    /// As of [`Runner::start`] and [`Runner::run`].
    pub fn measure(&self, missing: &Missing<'_>, store: &LocalStore, runner: &mut dyn Runner) -> Result<bool> {
        let (parts, mut pace) = (&missing.parts, Pace::new(clock::now_ns(), self.plan.time));
        for (done, part) in parts.iter().enumerate() {
            let (began_ns, model) = (clock::now_ns(), part.case.model.as_str());
            let left_s = match pace.left_s(began_ns, model) {
                Ok(left_s) => left_s,
                Err(why) => {
                    let left = counted(parts.len() - done, "run");
                    runner.say(&format!("the time is over ({why}): {left} to go, the same matrix goes on from here"));
                    break;
                }
            };
            runner.say(&format!("{}{}", part.described(), pace.told(began_ns, parts.len())));
            let mut ready = runner.start(Plan { time_s: left_s, ..self.plan_of(part) })?;
            ready.notes.extend(weights_of(part.case).map(|weights| (WEIGHTS.to_owned(), weights)));
            let summary = runner.run(&mut ready, store)?;
            runner.say(&summary.to_string());
            pace.ended(model, began_ns);
            if summary.interrupted || runner.is_ended() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Says what is going to be measured, and measures what is missing in a store; false where a person has ended it.
    ///
    /// # Errors
    /// As of [`Matrix::missing`] and [`Matrix::measure`].
    pub fn filled(&self, store: &LocalStore, runner: &mut dyn Runner) -> Result<bool> {
        let missing = self.missing(Some(&store.reader()?), runner)?;
        self.tell(&missing, runner);
        self.measure(&missing, store, runner)
    }

    /// Says what of each model is measured, and how many cells are missing.
    pub fn tell(&self, Missing { parts, cells }: &Missing<'_>, runner: &mut dyn Runner) {
        for case in &self.cases {
            runner.say(&format!("{}: {}", case.model, case.note));
        }
        if *cells == 0 {
            let who = "these techniques are of nothing that these models do here";
            let guesses = "guesses are of a text that smollm2-135m writes, once it was brought and without --quick";
            let others =
                "positions become one in minilm-l6 and whisper-base alone, patches are left out in qwen3-vl-2b";
            runner.say(&format!("{who}: {guesses}; {others}"));
        }
        let left: usize = parts.iter().map(|part| part.techniques.len()).sum();
        runner.say(&format!("{} of {cells}, the store holds {}", counted(left, "cell"), cells - left));
    }

    /// What a store holds of matrices of this kind, by a named query: `matrix`, `cross_model` or `optimizations`.
    ///
    /// # Errors
    /// The query cannot be answered.
    pub fn asked(&self, session: &Session, query: &str) -> Result<Answer> {
        Ok(session.named(query, &BTreeMap::from([("suite".to_owned(), self.plan.suite().to_owned())]))?)
    }

    /// The page of what a store holds, which works offline.
    ///
    /// # Errors
    /// The queries cannot be answered, or columns cannot be shown.
    pub fn page(&self, session: &Session) -> Result<String> {
        let [matrix, cross_model, optimizations] =
            ["matrix", "cross_model", "optimizations"].map(|query| self.asked(session, query));
        let adaptive = session.named("adaptive", &BTreeMap::new())?;
        let machines = session.sql(&format!(
            "select cpu_model, threads, count(*) as runs from runs where suite = {} \
             group by cpu_model, threads order by runs desc, cpu_model, threads",
            quoted(self.plan.suite())
        ))?;
        let techniques: Vec<(&str, &str)> = technique::ALL.iter().map(|one| (one.name, one.about)).collect();
        Ok(matrix_page(&matrix?, &cross_model?, &optimizations?, &adaptive, &machines, &techniques)?)
    }

    /// A plan of all cases, which nobody measures: whoever would says what they are called, and what this machine is.
    fn plan_of_all(&self) -> Plan {
        let case = |case: &ModelCase| case.spec(vec![case.plain.to_owned()]);
        self.with_threads(Plan::of(self.plan.suite(), self.cases.iter().map(case).collect()))
    }

    /// What those who measure know of a case; one that they do not take has no label, and a run of it says why.
    fn known(&self, case: &ModelCase, ready: &Ready) -> Known {
        let of_case = |cell: &&Cell| {
            let alike = |(name, axis): (&String, &Axis)| cell.case.params.0.get(name) == axis.0.first();
            cell.case.workload == case.workload && case.params.iter().all(alike)
        };
        let told = || ready.cells.iter().find(of_case).map(|cell| cell.case.name.clone());
        let solves = |technique: &&'static Technique| {
            let mut all = ready.known().implementations.iter();
            all.any(|one| one.workload == case.workload && one.name == technique.name)
        };
        let techniques = self.techniques.iter().copied().filter(solves).collect();
        Known { name: case.name.clone().or_else(told).unwrap_or_default(), techniques }
    }

    /// Refuses a cell that was measured by other weights than those that are here.
    fn expect_weights(&self, case_name: &str, run: &str, told: Option<&String>) -> Result<()> {
        let model = case_name.split(' ').next().unwrap_or_default();
        let here = self.cases.iter().filter(|case| case.model == model).find_map(weights_of);
        match (here, told) {
            (Some(here), Some(told)) if here != *told => {
                Err(Error::Weights { model: model.to_owned(), run: run.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Cases and techniques of which a store holds a cell that was measured on this machine, with as many threads.
    fn held(&self, store: &Store, here: &RunRow) -> Result<BTreeSet<(String, String)>> {
        // Of real weights that are here by now, what said that they were not is no cell that is done.
        let brought = |case: &str| {
            let model = case.split(' ').next().unwrap_or_default();
            self.cases.iter().any(|one| one.is_real && one.is_here && one.model == model)
        };
        let session = Session::open(store)?;
        let told = session.sql(&format!("select run_id, message from events where kind = {}", quoted(WEIGHTS)))?;
        let told: BTreeMap<String, String> =
            rows(&told).filter_map(|row| Some((row.text("run_id")?, row.text("message")?))).collect();
        let mut held = BTreeSet::new();
        for row in rows(&self.asked(&session, "matrix")?) {
            let (Some(run), Some(case), Some(technique), Some(cell)) =
                (row.text("run_id"), row.text("case_name"), row.text("technique"), row.text("cell"))
            else {
                continue;
            };
            if cell == "measured" {
                self.expect_weights(&case, &run, told.get(&run))?;
            }
            let again = cell == "not here" && row.text("weights").as_deref() == Some("real") && brought(&case);
            let is_cut = cell == "measured"
                && row.text("weights").as_deref() == Some("seeded")
                && row.float("replicates").is_none_or(|replicates| replicates < JUDGED);
            let done = DONE.contains(&cell.as_str()) && !again && !is_cut;
            if done && same_machine(&store.run_row(&run)?, here) {
                held.insert((case, technique));
            }
        }
        Ok(held)
    }

    /// The plan of a part.
    fn plan_of(&self, part: &Part<'_>) -> Plan {
        let names = part.techniques.iter().map(|technique| technique.name.to_owned());
        let case = part.case.spec(std::iter::once(part.case.plain.to_owned()).chain(names).collect());
        let mut plan = self.with_threads(Plan::of(self.plan.suite(), vec![case]));
        if self.plan.quick {
            plan.sampling = SamplingSpec { blocks: QUICK_BLOCKS, ..SamplingSpec::quick() };
        } else {
            plan.sampling.blocks = BLOCKS;
        }
        // Of figures, which are the same in every process; a text that is written is timed as all others are.
        if part.case.is_real && part.case.workload != GENERATED {
            plan.sampling.blocks = REAL_BLOCKS;
            plan.replicates = if self.plan.quick { QUICK_REAL_REPLICATES } else { plan.replicates };
        }
        if !part.case.is_here {
            plan.replicates = 1;
        }
        plan.sampling.timeout_ns = TIMEOUT_NS;
        plan.sampling.keep_disturbed |= self.plan.keep_disturbed;
        plan
    }

    fn with_threads(&self, plan: Plan) -> Plan {
        Plan { threads: self.plan.threads, ..plan }
    }
}

/// The techniques of these names, each once, or all.
fn techniques(names: &[String]) -> Result<Vec<&'static Technique>> {
    let of = |name: &String| -> Result<&'static Technique> {
        let names = technique::ALL.iter().map(|technique| technique.name);
        technique::named(name).ok_or_else(|| unknown("technique", name, names).into())
    };
    if names.is_empty() {
        return Ok(technique::ALL.iter().collect());
    }
    let mut seen = BTreeSet::new();
    names.iter().filter(|name| seen.insert(name.as_str())).map(of).collect()
}

/// The real weights of a case as a run tells them: the model and its digest.
fn weights_of(case: &ModelCase) -> Option<String> {
    Some(format!("{} {}", case.model, case.digest.as_ref()?))
}

fn same_machine(one: &RunRow, other: &RunRow) -> bool {
    one.hostname_hash == other.hostname_hash && one.cpu_model == other.cpu_model && one.threads == other.threads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::TOGETHER;

    /// What those who measure would know of cases whose labels are known.
    fn known(matrix: &Matrix) -> Vec<Known> {
        let of = |case: &ModelCase| Known { name: case.name.clone().unwrap(), techniques: matrix.techniques.clone() };
        matrix.cases.iter().map(of).collect()
    }

    #[test]
    fn what_is_held_is_left_out_and_the_rest_comes_a_few_at_a_time() {
        let plan = MatrixPlan::quick().models(["smollm2-135m", "bert-base", "smollm2-135m"]).memory(8 << 30);
        let matrix = Matrix::of(&plan.layers(2)).unwrap();
        let known = known(&matrix);
        let sizes = |held: &BTreeSet<(String, String)>| -> Vec<usize> {
            Missing::of(&matrix.cases, &known, held).parts.iter().map(|part| part.techniques.len()).collect()
        };
        let count = technique::ALL.len();
        assert_eq!((matrix.cases.len(), Missing::of(&matrix.cases, &known, &BTreeSet::new()).cells), (2, 2 * count));
        // What is not here comes first, all at once.
        let mut wanted = vec![count];
        let together = matrix.cases[0].together;
        wanted.extend(vec![together; count / together]);
        wanted.extend((!count.is_multiple_of(together)).then_some(count % together));
        assert_eq!(sizes(&BTreeSet::new()), wanted);
        let of = |place: usize| -> BTreeSet<(String, String)> {
            technique::ALL.iter().map(|one| (known[place].name.clone(), one.name.to_owned())).collect()
        };
        assert_eq!(sizes(&of(0)), [count], "only the model that is not here is left");
        let mut but_one = of(0);
        but_one.remove(&(known[0].name.clone(), "2of4".to_owned()));
        but_one.extend(of(1));
        let left = Missing::of(&matrix.cases, &known, &but_one).parts;
        assert_eq!(left.iter().map(Part::described).collect::<Vec<_>>(), ["smollm2-135m: 2of4"]);
    }

    #[test]
    fn a_run_has_the_model_as_it_is_and_what_is_asked_of_it() {
        let plan = MatrixPlan::quick().models(["smollm2-135m"]).techniques(["2of4", "int8"]).threads(1).layers(1);
        let matrix = Matrix::of(&MatrixPlan { keep_disturbed: true, ..plan }).unwrap();
        let known = known(&matrix);
        let parts = Missing::of(&matrix.cases, &known, &BTreeSet::new()).parts;
        let [part] = parts.as_slice() else { panic!("two techniques are one run") };
        let plan = matrix.plan_of(part);
        assert_eq!(plan.cases[0].implementations, ["plain", "2of4", "int8"]);
        assert_eq!((plan.suite.as_str(), plan.threads, plan.replicates), ("matrix-quick", Some(1), 5));
        assert!(plan.sampling.keep_disturbed && plan.check().is_ok());
    }

    #[test]
    fn weights_that_have_changed_between_two_halves_are_refused() {
        let mut matrix = Matrix::of(&MatrixPlan::quick().models(["smollm2-135m"]).layers(1)).unwrap();
        matrix.cases[0].digest = Some("aa".to_owned());
        let told =
            |digest: &str| matrix.expect_weights("smollm2-135m 24×16", "r7", Some(&format!("smollm2-135m {digest}")));
        assert!(told("aa").is_ok());
        let refused = told("bb").unwrap_err().to_string();
        assert!(refused.contains("weights of smollm2-135m") && refused.contains("run r7"), "{refused}");
        let other = matrix.expect_weights("minilm-l6 lee", "r7", Some(&"minilm-l6 bb".to_owned()));
        assert!(other.is_ok() && matrix.expect_weights("smollm2-135m 24×16", "r7", None).is_ok());
    }

    #[test]
    fn every_technique_of_an_optimization_is_one_and_the_first_run_has_the_first_of_them() {
        let folder = std::env::temp_dir().join(format!("benchbook-optimizations-{}", std::process::id()));
        let store = LocalStore::create_or_open(folder.clone()).unwrap();
        let session = Session::open(&store.reader().unwrap()).unwrap();
        let answer =
            session.sql("select technique from optimizations where technique is not null order by place").unwrap();
        let names: Vec<String> = rows(&answer).filter_map(|row| row.text("technique")).collect();
        let unknown: Vec<&String> = names.iter().filter(|name| technique::named(name).is_none()).collect();
        assert!(names.len() >= 11 && unknown.is_empty(), "{unknown:?} of {names:?}");
        let named = |count: usize| {
            let first = technique::ALL[..count].iter();
            first.filter(|technique| names.iter().any(|name| name == technique.name)).count()
        };
        assert!(named(7) == 7 && named(2 * TOGETHER) >= 7, "the first runs of a model show what people ask for");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_notebook_names_every_technique() {
        let notebook = concat!(env!("CARGO_MANIFEST_DIR"), "/../../notebooks/13_models_matrix.ipynb");
        let text = std::fs::read_to_string(notebook).unwrap();
        for technique in technique::ALL {
            assert!(text.contains(&format!("`{}`", technique.name)), "{}", technique.name);
        }
    }

    #[test]
    fn names_that_nothing_has_are_told_with_the_nearest() {
        let told = |plan: MatrixPlan| Matrix::of(&plan).map(|_| ()).unwrap_err().to_string();
        let wrong = told(MatrixPlan::quick().techniques(["int9"]));
        assert!(wrong.contains("did you mean `int8`"), "{wrong}");
        let wrong = told(MatrixPlan::quick().models(["qwen3-5b"]));
        assert!(wrong.contains("qwen3-4b"), "{wrong}");
        let wrong = told(MatrixPlan::quick().tiers(["larg"]));
        assert!(wrong.contains("did you mean `large`"), "{wrong}");
    }

    #[test]
    fn a_tier_stands_for_its_models_beside_those_that_are_named() {
        let plan = MatrixPlan::quick().tiers(["XL"]).models(["llama-70b", "smollm2-135m"]).memory(8 << 30).layers(1);
        let matrix = Matrix::of(&plan).unwrap();
        let models: Vec<&str> = matrix.cases.iter().map(|case| case.model.as_str()).collect();
        assert_eq!(models, ["llama-70b", "smollm2-135m", "llama-13b", "llama-30b", "qwen3-coder-30b", "glm-4.7-flash"]);
    }
}
