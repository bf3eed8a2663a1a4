//! Other people's engines: every row of the Python worker is right on the ugly cases of its workload.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use benchbook_core::message::{Ask, DeviceInfo, ImplementationInfo, Prepare, Say};
use benchbook_core::{
    Array, Case, Comparison, DType, Inputs, Params, Posed, Reference, Registry, Rough, Rounding, Setting,
};
use benchbook_measure::link::Link;
use benchbook_measure::{Foreign, Offers, Pipe};
use benchbook_tests::{python_with, python_worker};
use benchbook_workloads::decoding::SMOLLM2;

const SEED: u64 = 5;
const TIMEOUT: Duration = Duration::from_secs(300);

/// Rows that a compiler makes for each case, which takes it seconds: a few of them are tried, each on one case.
fn is_compiled(name: &str) -> bool {
    name.starts_with("compile") || name == "flex" || name == "zentorch"
}

/// Those of convolutions, of latent attention and of whole blocks that are tried: with weights packed before, in a form of its
/// own, and by what PyTorch has for its parts.
const COMPILED: [(&str, &str); 3] =
    [("compile-frozen", "conv2d"), ("compile-absorbed", "latent-attention"), ("compile-sdpa", "transformer-block")];

/// Of how many ugly cases one is enough where few are tried.
const FEW: usize = 3;

/// Whether a few cases say what is to be known of a row: a graph is exported from each, which takes a second, and a device of
/// MKL's other code has the rows of the device beside it.
fn is_few(name: &str, device: &str) -> bool {
    name.starts_with("graph") || device.ends_with("-mkl")
}

/// What is wrong with outputs; nothing where nothing is.
fn near(posed: &dyn Posed, right: Rough, outputs: &[Array], dtype: DType) -> Result<(), String> {
    // How other engines round between operations in bf16 depends on the processor.
    let times = if dtype == DType::Bf16 { 2.0 } else { 1.0 };
    let Rough { reference, allowed } = right;
    let compared = reference.compare_within(outputs, &posed.tolerances(dtype));
    let near = |one: &Comparison| one.max_scaled_error <= (times * one.allowed(posed.tolerance(dtype))).max(allowed);
    if outputs.len() == reference.answers.len() && compared.iter().all(near) {
        return Ok(());
    }
    let off = compared.iter().map(|one| one.max_scaled_error).fold(0.0, f64::max);
    Err(format!("{} outputs, off by {off:e}", outputs.len()))
}

/// Whether a row has taken a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Took {
    Yes,
    No,
    /// A package that it needs is not here.
    Lacks,
}

/// Right answers that are known already, by the workload, the case, and which inputs others have taken the place of.
type Known = BTreeMap<(String, String, Vec<String>), Reference>;

/// Prepares a row on a case and finishes it with other inputs; whether it takes the case. Where it does not take two copies of
/// the inputs, as a graph whose weights are constants does not, it is given one.
fn tried(
    pipe: &mut Pipe,
    row: &ImplementationInfo,
    device: &str,
    case: &Case,
    dtype: DType,
    known: &mut Known,
) -> Result<Took, String> {
    match tried_on(pipe, row, device, case, (dtype, 2), known)? {
        Took::No => tried_on(pipe, row, device, case, (dtype, 1), known),
        took => Ok(took),
    }
}

/// What is right beside outputs of a row that computes with these inputs, and may round on the way; `reference` is right for
/// these inputs, whatever the outputs.
fn right(
    posed: &dyn Posed,
    (inputs, rounding): &(Inputs, Option<Rounding>),
    outputs: &[Array],
    reference: impl FnOnce() -> Reference,
) -> Rough {
    let exact = || posed.follow(inputs, outputs).unwrap_or_else(reference);
    let rough = rounding.and_then(|rounding| posed.rounded(inputs, outputs, SEED, rounding));
    assert!(rounding.is_none() || rough.is_some(), "its problem says what {rounding:?} explains");
    rough.unwrap_or_else(|| Rough::exact(exact()))
}

/// The same inputs, with the numbers in their place that an approximation says it computes with, and how it rounds on the way.
fn standing_for(
    pipe: &mut Pipe,
    row: &ImplementationInfo,
    seed: u64,
    inputs: &Inputs,
    sent: &[(&str, &Array)],
) -> (Inputs, Option<Rounding>) {
    let (mut inputs, mut rounds) = (inputs.clone(), None);
    if row.approximates {
        pipe.expect(1 << 30);
        let (said, numbers) = pipe.ask(&Ask::Approximation { trial: 1, seed }, sent, TIMEOUT).unwrap();
        let Say::StandsFor { rounding } = said else { panic!("{}: {said:?}", row.name) };
        assert!(!numbers.is_empty(), "{}: it tells no numbers", row.name);
        rounds = rounding;
        for (name, array) in numbers {
            assert_eq!(array.shape(), inputs.get(&name).shape(), "{} {name}", row.name);
            inputs.insert(&name, array);
        }
    }
    (inputs, rounds)
}

fn tried_on(
    pipe: &mut Pipe,
    row: &ImplementationInfo,
    device: &str,
    case: &Case,
    (dtype, copies): (DType, usize),
    known: &mut Known,
) -> Result<Took, String> {
    let mut problems = Registry::default();
    benchbook_workloads::register(&mut problems);
    let posed = problems.find_workload(&case.workload).unwrap().pose(&case.params).unwrap();
    let (inputs, others) = (posed.inputs(SEED), posed.inputs(!SEED));
    let prepare = Prepare {
        trial: 1,
        workload: case.workload.clone(),
        case: case.name.clone(),
        params: case.params.clone(),
        implementation: row.name.clone(),
        device: device.to_owned(),
        dtype,
        threads: 1,
        copies,
        seed: SEED,
    };
    let ask = |pipe: &mut Pipe, ask: &Ask, arrays: &[(&str, &Array)]| {
        pipe.expect(1 << 30);
        let (said, outputs) = pipe.ask(ask, arrays, TIMEOUT).map_err(|error| error.to_string())?;
        Ok::<_, String>((said, outputs.into_iter().map(|(_, output)| output).collect::<Vec<Array>>()))
    };
    // An approximation computes with numbers of its own.
    let mut reference = |overwritten: Vec<String>, inputs: &Inputs| {
        let anew = || posed.reference(inputs, SEED);
        if row.approximates {
            return anew();
        }
        known.entry((case.workload.clone(), case.name.clone(), overwritten)).or_insert_with(anew).clone()
    };
    let sent: Vec<(&str, &Array)> = inputs.iter().collect();
    let (said, outputs) = ask(pipe, &Ask::Prepare(Box::new(prepare)), &sent)?;
    let (writable, ran) = match said {
        Say::Unsupported { reason } if LACKING.iter().any(|start| reason.starts_with(start)) => return Ok(Took::Lacks),
        Say::Unsupported { .. } => return Ok(Took::No),
        Say::Prepared { writable, engine_version, .. } => (writable, engine_version.unwrap_or_default()),
        other => return Err(format!("{other:?}")),
    };
    if !ran.contains(' ') {
        return Err(format!("its version is `{ran}`, without what has run"));
    }
    let taken = standing_for(pipe, row, SEED, &inputs, &[]);
    let answer = right(posed.as_ref(), &taken, &outputs, || reference(Vec::new(), &taken.0));
    near(posed.as_ref(), answer, &outputs, dtype)?;

    let mut changed = inputs.clone();
    writable.iter().for_each(|one| changed.insert(&one.input, others.get(&one.input).clone()));
    let sent: Vec<(&str, &Array)> =
        changed.iter().filter(|(name, _)| writable.iter().any(|one| one.input == *name)).collect();
    let taken = standing_for(pipe, row, !SEED, &changed, &sent);
    let (said, outputs) = ask(pipe, &Ask::Finish { trial: 1, seed: !SEED }, &sent)?;
    if !matches!(said, Say::Finished { .. }) || writable.is_empty() {
        return Err(format!("{said:?}, with {} inputs that can be overwritten", writable.len()));
    }
    let overwritten = writable.iter().map(|one| one.input.clone()).collect();
    let answer = right(posed.as_ref(), &taken, &outputs, || reference(overwritten, &taken.0));
    near(posed.as_ref(), answer, &outputs, dtype)
        .map_err(|error| format!("after its inputs were replaced: {error}"))?;
    Ok(Took::Yes)
}

/// How reasons begin that are of this machine, whatever the case.
const LACKING: [&str; 2] = ["the package ", "without VNNI "];

/// The cases on which rows of a device are wrong, and the rows that take no case. As in a run, a process has one device.
fn ugly(foreign: &Foreign, device: &str, rows: &[ImplementationInfo]) -> [Vec<String>; 2] {
    let mut problems = Registry::default();
    benchbook_workloads::register(&mut problems);
    let (mut wrong, mut never, mut known) = (Vec::new(), Vec::new(), Known::new());
    let mut pipe = foreign.start(1, None, &Arc::default()).unwrap();
    let here = |row: &&ImplementationInfo| row.devices.iter().any(|one| one == device) && !is_compiled(&row.name);
    for row in rows.iter().filter(here) {
        let workload = problems.find_workload(&row.workload).unwrap();
        let few = is_few(&row.name, device);
        // Blocks of weights that share scales are never filled by the ugly ones.
        let whole = [("m", 5_i64), ("n", 64), ("k", 256)].into_iter();
        let whole = whole.fold(Params::default(), |params, (name, size)| params.with(name, size.into()));
        let more = row.approximates.then_some(whole).filter(|whole| workload.case(whole.clone()).is_ok());
        let usual = match row.workload.as_str() {
            "text-encoder" | "audio-encoder" => Some(Params::default()),
            "generate" | "prefill" => Some(Params::default().with("hidden", 192_i64.into())),
            _ => None,
        };
        let usual = usual.filter(|_| row.approximates);
        // The first has one number of everything, which is right in any order.
        let is_wanted = |place: usize| !few || (place > 0 && place.is_multiple_of(FEW));
        let (wanted, spare): (Vec<_>, Vec<_>) =
            workload.ugly().into_iter().enumerate().partition(|(place, _)| is_wanted(*place));
        let params = |cases: Vec<(usize, Params)>| cases.into_iter().map(|(_, params)| params);
        let mut takes = |params: Params| {
            let case = workload.case(params).unwrap();
            let mut taken = false;
            for dtype in [DType::F32, DType::F64, DType::Bf16] {
                match tried(&mut pipe, row, device, &case, dtype, &mut known) {
                    Ok(took) => taken |= took != Took::No,
                    Err(error) => wrong.push(format!("{}/{device} {} {dtype}: {error}", row.name, case.name)),
                }
            }
            taken
        };
        let taken = params(wanted).chain(more).chain(usual).fold(false, |taken, params| takes(params) | taken);
        // What takes none of these has to take another.
        let taken = taken || params(spare).any(takes);
        never.extend((!taken).then(|| format!("{}/{device} of {}", row.name, row.workload)));
    }
    [wrong, never]
}

#[test]
fn every_row_is_right_on_the_ugly_cases() {
    let Some(python) = python_with("numpy") else { return };
    let foreign = Foreign { name: "python".into(), command: python_worker(&python) };
    let known = foreign.start(1, None, &Arc::default()).unwrap().describe().unwrap();
    let here = || known.devices.iter().filter(|device| device.unavailable.is_none());
    // Side by side: who asks mostly waits.
    let [wrong, never] = thread::scope(|scope| {
        let on = |device: &DeviceInfo| ugly(&foreign, &device.name, &known.implementations);
        let asked: Vec<_> = here().map(|device| scope.spawn(move || on(device))).collect();
        let found: Vec<_> = asked.into_iter().map(|one| one.join().unwrap()).collect();
        [0, 1].map(|which| found.iter().flat_map(|found| found[which].clone()).collect::<Vec<String>>())
    });
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(never.is_empty(), "these take no case: {never:?}");
    assert!(here().any(|device| device.name == "numpy"));
}

#[test]
fn what_a_compiler_makes_of_layers_is_right() {
    let Some(python) = python_with("torch") else { return };
    let foreign = Foreign { name: "python".into(), command: python_worker(&python) };
    let mut pipe = foreign.start(1, None, &Arc::default()).unwrap();
    let known = pipe.describe().unwrap();
    let mut problems = Registry::default();
    benchbook_workloads::register(&mut problems);
    for (name, workload) in COMPILED {
        let is_row = |row: &&ImplementationInfo| row.name == name && row.workload == workload;
        let row = known.implementations.iter().find(is_row).expect(name);
        let workload = problems.find_workload(workload).unwrap();
        // The first has one number of everything, which is right in any order.
        let case = workload.case(workload.ugly().swap_remove(1)).unwrap();
        assert_eq!(
            tried(&mut pipe, row, "torch", &case, DType::F32, &mut Known::new()),
            Ok(Took::Yes),
            "{name} {}",
            case.name
        );
    }
}

#[test]
fn a_real_model_makes_64_tokens_as_transformers_does() {
    let mut problems = Registry::default();
    benchbook_workloads::register(&mut problems);
    // Who reads real weights comes with the engines.
    benchbook_engines::register(&mut problems);
    let sizes = [
        ("layers", SMOLLM2.layers),
        ("heads", SMOLLM2.heads),
        ("kv_heads", SMOLLM2.kv_heads),
        ("head_dim", SMOLLM2.head_dim),
        ("width", SMOLLM2.width),
        ("hidden", SMOLLM2.hidden),
        ("vocabulary", SMOLLM2.vocabulary),
        ("rotary_base", SMOLLM2.rotary_base),
        ("prompt", 8),
        ("tokens", 64),
    ];
    let named = Params::default().with("weights", "smollm2-135m".into());
    let params = sizes.into_iter().fold(named, |params, (name, size)| params.with(name, (size as i64).into()));
    let case = match problems.case("generate", params) {
        Ok(case) => case,
        Err(error) => {
            let reason = error.to_string();
            assert!(reason.contains("cargo xtask data smollm2-135m"), "{reason}");
            eprintln!("skipped: {reason}");
            return;
        }
    };
    let posed = problems.find_workload("generate").unwrap().pose(&case.params).unwrap();
    let inputs = posed.inputs(SEED);
    let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
    let ours = problems.find_implementation("generate", "kv-cache").unwrap();
    let mut subject = ours.prepare(&setting, &case.params, &inputs).unwrap();
    subject.run(1);
    subject.sync().unwrap();
    let outputs = subject.outputs().unwrap();
    let right = posed.follow(&inputs, &outputs).unwrap_or_else(|| posed.reference(&inputs, SEED));
    near(posed.as_ref(), Rough::exact(right), &outputs, DType::F32).unwrap();
    drop((subject, inputs));

    let Some(python) = python_with("transformers") else { return };
    let foreign = Foreign { name: "python".into(), command: python_worker(&python) };
    let mut pipe = foreign.start(1, None, &Arc::default()).unwrap();
    let known = pipe.describe().unwrap();
    let is_row = |row: &&ImplementationInfo| row.workload == "generate" && row.name == "model";
    let row = known.implementations.iter().find(is_row).unwrap();
    assert_eq!(tried_on(&mut pipe, row, "transformers", &case, (DType::F32, 1), &mut Known::new()), Ok(Took::Yes));
}
