//! What a comparison says of runs that lack a part of their plan.

use arrow::array::{Array, AsArray};
use benchbook_query::Session;
use benchbook_record::{
    CheckRow, EventRow, Level, LocalStore, OutcomeRow, Phase, Readable, RunRow, RunWriter, SampleRow, Status, TrialRow,
    to_parquet,
};
use benchbook_report::{By, default_baseline, figures, gated, undecided, warnings, weak, within, within_by};
use serde_json::json;
use tempfile::TempDir;

const REPLICATES: i64 = 5;
const PLAN: &str = "[[cases]]\nworkload = \"attention\"\nparams = { size = [1, 2] }\n";

struct Fixture {
    _folder: TempDir,
    store: LocalStore,
}

impl Fixture {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = LocalStore::create_or_open(folder.path().join("results")).unwrap();
        Self { _folder: folder, store }
    }

    fn writer(&self, plan: &str) -> RunWriter {
        RunWriter::create(&self.store, &RunRow { plan: Some(plan.into()), ..RunRow::new("test") }).unwrap()
    }

    fn session(&self) -> Session {
        Session::open(&self.store.reader().unwrap()).unwrap()
    }

    fn warnings(&self, run_id: &str) -> Vec<String> {
        warnings(&self.session(), run_id).unwrap()
    }
}

/// Writes a trial with five samples and its checks in these phases; without a check it has no sample.
fn add(writer: &mut RunWriter, number: i64, name: &str, size: i64, replicate: i64, phases: &[Phase]) {
    let row: TrialRow = serde_json::from_value(json!({
        "trial": number, "workload": "attention", "case_name": format!("s{size}"), "params": {"size": {"int": size}},
        "variant": format!("{name}/flex/f32/2t"), "implementation": name, "device": "flex", "dtype": "f32",
        "threads": 2, "replicate": replicate, "isolation": "process", "input_seed": 7, "cache": "hot",
    }))
    .unwrap();
    writer.trial(&row).unwrap();
    for phase in phases {
        let check = CheckRow {
            trial: number,
            phase: *phase,
            output: None,
            max_abs_error: 0.0,
            max_scaled_error: 0.0,
            tolerance: 1.0,
            passed: true,
            rows_checked: 1,
        };
        writer.check(&check).unwrap();
    }
    for index in (0..5).filter(|_| !phases.is_empty()) {
        let elapsed_ns = if name == "naive" { 2_000 } else { 1_000 } + 10 * index + replicate;
        let row = SampleRow {
            trial: number,
            sample: index,
            block: 100 * replicate + 10 * size + index,
            position: 0,
            iterations: 1,
            elapsed_ns,
            started_ns: index,
            cpu_user_ns: None,
            cpu_system_ns: None,
            valid: true,
            invalid_reason: None,
        };
        writer.sample(&row).unwrap();
    }
}

const BOTH: [Phase; 2] = [Phase::Before, Phase::After];

/// A replicate of both variants on these sizes.
fn replicate(writer: &mut RunWriter, replicate: i64, sizes: &[i64]) {
    for size in sizes {
        for (side, name) in [(0, "naive"), (1, "flash")] {
            add(writer, 10 * replicate + 2 * size + side, name, *size, replicate, &BOTH);
        }
    }
}

fn end(writer: &mut RunWriter, status: Status) {
    writer.outcome(&OutcomeRow { trial: None, at_ns: 9, status, stop_reason: None, prepare_ns: None }).unwrap();
}

/// A run that ended as planned, with these sizes in every replicate.
fn whole(fixture: &Fixture, plan: &str, sizes: &[i64]) -> String {
    let mut writer = fixture.writer(plan);
    for number in 0..REPLICATES {
        replicate(&mut writer, number, sizes);
    }
    end(&mut writer, Status::Ok);
    let run_id = writer.run_id().to_owned();
    writer.finish(to_parquet).unwrap();
    run_id
}

#[test]
fn a_run_with_all_of_its_plan_has_no_warning() {
    let fixture = Fixture::new();
    let run_id = whole(&fixture, PLAN, &[1, 2]);
    let comparison = within(&fixture.session(), &run_id, None).unwrap();
    assert!(comparison.warnings.is_empty(), "{:?}", comparison.warnings);
    let column = comparison.answer.batches[0].column_by_name("warnings").unwrap().clone();
    assert_eq!((column.null_count(), column.len()), (2, 2));
}

#[test]
fn a_killed_run_is_named_with_all_that_it_lacks() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer(PLAN);
    for number in 0..4 {
        replicate(&mut writer, number, &[1]);
    }
    // The last replicate was cut off before its second check, and before the other case.
    add(&mut writer, 90, "naive", 1, 4, &BOTH);
    add(&mut writer, 91, "flash", 1, 4, &BOTH[..1]);
    writer.flush().unwrap();
    let run_id = writer.run_id().to_owned();
    drop(writer);
    let wanted = [
        "the run was interrupted before it was complete",
        "attention has no trial of size=2",
        "flash/flex/f32/2t has 4 of 5 replicates in attention s1 (1 unchecked)",
    ];
    assert_eq!(fixture.warnings(&run_id), wanted);
    let comparison = within(&fixture.session(), &run_id, None).unwrap();
    assert_eq!(comparison.warnings, wanted);
    let column = comparison.answer.batches[0].column_by_name("warnings").unwrap().clone();
    assert_eq!(column.as_string::<i32>().value(0), wanted.join("\n"));
    let replicates = comparison.answer.batches[0].column_by_name("replicates").unwrap().clone();
    assert_eq!(replicates.as_primitive::<arrow::datatypes::Int64Type>().value(0), 4);
}

#[test]
fn a_run_of_unchecked_trials_is_undecided_and_says_why() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer(PLAN);
    for (number, name) in [(0, "naive"), (1, "flash")] {
        add(&mut writer, number, name, 1, 0, &BOTH[..1]);
    }
    writer.flush().unwrap();
    let run_id = writer.run_id().to_owned();
    drop(writer);
    let comparison = within(&fixture.session(), &run_id, None).unwrap();
    let row = comparison.cells.rows[0].join(" | ");
    assert!(comparison.cells.rows.len() == 1 && row.contains("undecided"), "{row}");
    assert!(row.contains("baseline unchecked, candidate unchecked") && undecided(&comparison.answer), "{row}");
    let told = comparison.warnings.join("\n");
    for part in ["interrupted", "flash/flex/f32/2t is missing in attention s1 (1 unchecked"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn what_has_nothing_beside_it_says_what_there_is() {
    let fixture = Fixture::new();
    let run_id = whole(&fixture, PLAN, &[1, 2]);
    let session = fixture.session();
    let error = |by, baseline| within_by(&session, &run_id, by, baseline).unwrap_err().to_string();
    let asked = error(By::Device, Some("naive"));
    assert!(asked.contains("no device `naive`") && asked.contains("there are flex"), "{asked}");
    let device = error(By::Device, None);
    assert!(device.contains("nothing to compare with `flex`; its devices are flex"), "{device}");
    let dtype = error(By::Dtype, None);
    assert!(dtype.contains("nothing to compare with `f32`; its dtypes are f32"), "{dtype}");
}

#[test]
fn a_case_that_is_lost_is_a_row_of_every_table_and_chart() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer(PLAN);
    for number in 0..REPLICATES {
        replicate(&mut writer, number, &[1]);
        add(&mut writer, 10 * number + 4, "naive", 2, number, &BOTH[..1]);
        add(&mut writer, 10 * number + 5, "flash", 2, number, &BOTH);
    }
    end(&mut writer, Status::Ok);
    let run_id = writer.run_id().to_owned();
    writer.finish(to_parquet).unwrap();
    let session = fixture.session();
    let comparison = within(&session, &run_id, None).unwrap();
    let shown: Vec<String> = comparison.cells.rows.iter().map(|row| row.join(" | ")).collect();
    assert!(shown.len() == 2 && shown[0].contains("s1") && shown[0].contains("faster"), "{shown:?}");
    assert!(["s2", "undecided", "baseline unchecked"].iter().all(|part| shown[1].contains(part)), "{shown:?}");
    assert!(!shown[1].contains("not measured"), "flash was measured, in blocks that have no pair: {shown:?}");
    let answer = &comparison.answer;
    assert!(undecided(answer), "a gate for what is undecided does not pass");
    assert!(!gated(answer, "slower") && !weak(answer), "what was compared rests on five replicates");
    let drawn: Vec<String> = figures(&session, &run_id, answer).unwrap().iter().map(|figure| figure.json()).collect();
    assert!(drawn[0].contains("no ratio: baseline unchecked"), "{}", drawn[0]);
    assert!(drawn[1].contains("5 unchecked"), "{}", drawn[1]);
}

#[test]
fn a_variant_that_one_case_lacks_is_missing_unless_the_plan_asks_so() {
    let fixture = Fixture::new();
    let lacking = |plan: &str| {
        let mut writer = fixture.writer(plan);
        for number in 0..REPLICATES {
            replicate(&mut writer, number, &[1]);
            add(&mut writer, 10 * number + 4, "naive", 2, number, &BOTH);
        }
        end(&mut writer, Status::Interrupted);
        let run_id = writer.run_id().to_owned();
        writer.finish(to_parquet).unwrap();
        fixture.warnings(&run_id)[1..].to_vec()
    };
    let missing = "flash/flex/f32/2t is missing in attention s2 (5 not begun)";
    assert_eq!(lacking(PLAN), [missing]);
    let apart = "[[cases]]\nworkload = \"attention\"\nparams = { size = 1 }\n[[cases]]\nworkload = \"attention\"\n\
                 params = { size = 2 }\nimplementations = [\"naive\"]\n";
    assert_eq!(lacking(apart), [""; 0]);
}

#[test]
fn a_trial_that_was_cut_off_before_its_first_check_is_not_begun() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer(&format!("replicates = 7\n{PLAN}"));
    for number in 0..4 {
        replicate(&mut writer, number, &[1]);
    }
    add(&mut writer, 90, "naive", 1, 4, &BOTH);
    add(&mut writer, 91, "flash", 1, 4, &[]);
    let (at_ns, status) = (9, Status::Interrupted);
    writer.outcome(&OutcomeRow { trial: Some(91), at_ns, status, stop_reason: None, prepare_ns: None }).unwrap();
    end(&mut writer, Status::Interrupted);
    let run_id = writer.run_id().to_owned();
    writer.finish(to_parquet).unwrap();
    let told = fixture.warnings(&run_id);
    let wanted = "flash/flex/f32/2t has 4 of 7 replicates in attention s1 (3 not begun)";
    assert!(told.iter().any(|line| line == wanted), "{told:?}");
}

#[test]
fn what_the_plan_names_and_no_trial_has_is_named() {
    let fixture = Fixture::new();
    let plan = "replicates = 7\n[[cases]]\nworkload = \"attention\"\nparams = { size = [1, 2, 3] }\n\
                implementations = [\"naive\", \"flash\", \"lost\"]\n";
    let run_id = whole(&fixture, plan, &[1, 2]);
    assert_eq!(
        fixture.warnings(&run_id),
        [
            "attention has no trial of size=3",
            "attention has no trial of the implementation lost",
            "naive/flex/f32/2t has 5 of 7 replicates in attention s1, s2 (2 not begun)",
            "flash/flex/f32/2t has 5 of 7 replicates in attention s1, s2 (2 not begun)",
        ]
    );
}

#[test]
fn what_a_run_says_of_itself_at_its_end_is_told_once() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer(PLAN);
    for number in 0..REPLICATES {
        replicate(&mut writer, number, &[1, 2]);
    }
    for (trial, kind, message) in [
        (Some(12), "more_threads", "flash has 3 threads at work"),
        (None, "more_threads", "flash has more threads"),
        (None, "not_at_rest", "flash works on"),
    ] {
        let (at_ns, level) = (9, Level::Warning);
        writer.event(&EventRow { at_ns, trial, level, kind: kind.into(), message: message.into() }).unwrap();
    }
    end(&mut writer, Status::Ok);
    let run_id = writer.run_id().to_owned();
    writer.finish(to_parquet).unwrap();
    assert_eq!(fixture.warnings(&run_id), ["flash has more threads"]);
}

#[test]
fn a_plan_that_cannot_be_read_is_named() {
    let fixture = Fixture::new();
    let run_id = whole(&fixture, "torn", &[1]);
    let told = fixture.warnings(&run_id);
    assert!(told.len() == 1 && told[0].starts_with("the plan of the run cannot be read"), "{told:?}");
}

#[test]
fn a_live_run_says_that_nothing_is_final() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer(PLAN);
    for (number, name) in [(0, "naive"), (1, "flash")] {
        add(&mut writer, number, name, 1, 0, &BOTH[..1]);
    }
    writer.flush().unwrap();
    let session = fixture.session();
    assert_eq!(default_baseline(&session, writer.run_id()).unwrap(), "naive");
    let comparison = within(&session, writer.run_id(), None).unwrap();
    assert!(comparison.warnings[0].starts_with("the run is still being measured"), "{:?}", comparison.warnings);
}
