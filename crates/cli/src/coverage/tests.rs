//! The catalogue is whole, and its rows follow what the program holds.

use std::collections::{BTreeMap, BTreeSet};

use benchbook_core::message::{DeviceInfo, ImplementationInfo, InputsFrom};

use super::catalogue::Catalogue;
use super::evidence::{Evidence, Kind};
use super::{Available, Carried, Claim, CoverageRow, Error, Model, Status, coverage, coverage_of};

const FUNCTIONS: &str = "ci_low ci_high replicate_low replicate_high mad geomean outliers welch_p cohens_d hedges_g \
    mann_whitney_p speedup speedup_low speedup_high paired_speedup paired_speedup_low paired_speedup_high \
    paired_verdict paired_reason paired_mde q_value false_coverage_level change_point speedup_category binomial_low";
const QUERIES: &str = "speedup summary checks memory scaling left_out runs evidence history rules roofline \
    approximations steps claims matrix before_after tails overhead health cost papers sequential capacity datasheet";
const COLUMNS: &str = "runs.cpu_model runs.cpu_features runs.devices runs.seed runs.threads runs.environment_id \
    runs.environment_variables runs.libraries samples.invalid_reason trials.flops trials.bytes trials.dtype trials.input_seed \
    trials.threads samples.elapsed_ns samples.iterations samples.cpu_user_ns samples.cpu_system_ns \
    outcomes.stop_reason measures.provenance checks.max_abs_error checks.max_scaled_error checks.tolerance \
    checks.passed";
const COMMANDS: &str = "run validate list sql compare matrix gate tune feedback report doctor store worker schema";
const OPTIONS: &str = "compare --baseline, compare --summary, feedback --model, gate --cache, list --newer, matrix --again, \
    matrix --layers, matrix --memory, matrix --models, matrix --tiers, notebook run --jobs, report --output, run --all, \
    run --category, run --device, run --half-width, run --preset, run --quick, run --worker, sql --format, tune --model, tune --under";
const MEASURES: &str = "peak_added_bytes mean_error inputs_change warmup_iterations warmup_settled input_copies \
    allocations allocated_bytes cpu_energy_joules";
const CATEGORIES: &str =
    "accuracy cpu gpu memory performance scalability system training comparative hardware comprehensive";
const METRICS: &str = "bleu rouge_1 rouge_2 rouge_l tokens_per_second inter_token_spread step_time step_time_p99 \
    relative_error precision_macro recall_macro perplexity accuracy f1_macro steps_to requests_per_second";
const CHARTS: &str = "distribution speedup scaling history heat_map roofline";
const PARAMETERS: [(&str, &str); 11] = [
    ("batched-decoding", "requests"),
    ("embedding-quality", "model=minilm-l6 texts=lee"),
    ("forced-decoding", "of_layers weights=seeded"),
    ("greedy-decoding", "twins"),
    ("mixture-of-experts", "balance=crowded"),
    ("read-pattern", "stride=0 stride=1 stride=64"),
    ("selective-scan", "extreme seq=1048576 seq=128 seq=2048 seq=2097152 seq=32768"),
    ("speech-quality", "model=whisper-base"),
    ("text-encoder", "batch=1 batch=1024 batch=32 weights=minilm-l6"),
    ("text-quality", "model=smollm2-135m texts=human-eval"),
    ("text-training", "text=brown"),
];
const PRESETS: [&str; 3] = ["batched-decoding batch", "generate chat", "prefill document"];
const CALLS: &str = "time_of memory_of compare";
const TOLD: &str = "sm_clock_hz clock_kept_low_by gpu_power_watts gpu_energy_joules gpu_temperature_celsius \
    gpu_peak_bytes gpu_multiplies_fp8";
const PACKAGES: &str = "torch transformers accelerate onnxruntime openvino torchao";

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn implementation(workload: &str, name: &str, devices: &str, catalogue: &str) -> ImplementationInfo {
    ImplementationInfo {
        name: name.into(),
        workload: workload.into(),
        about: String::new(),
        devices: words(devices),
        engines: Vec::new(),
        catalogue: words(catalogue),
        inputs: InputsFrom::Made,
        approximates: false,
        on_request: false,
        knobs: Vec::new(),
    }
}

fn device(name: &str, unavailable: Option<&str>) -> DeviceInfo {
    DeviceInfo {
        name: name.into(),
        engine: "burn".into(),
        engine_version: "0.22.1".into(),
        unavailable: unavailable.map(str::to_owned),
        libraries: None,
    }
}

fn with_workload(name: &str, parameters: &str) -> Vec<String> {
    words(parameters).iter().map(|parameter| format!("{name} {parameter}")).collect()
}

/// What a build with everything of the first release holds.
fn available() -> Available {
    let mut commands = words(COMMANDS);
    commands.extend(OPTIONS.split(", ").map(str::to_owned));
    commands.extend(words(CATEGORIES).iter().map(|category| format!("run --category {category}")));
    Available {
        implementations: vec![
            implementation("attention", "naive", "flex libtorch", "AT1"),
            implementation("attention", "burn-attention", "flex", ""),
            implementation("attention", "torch-sdpa", "libtorch", "EN1"),
        ],
        devices: vec![device("flex", None), device("libtorch", None)],
        functions: words(FUNCTIONS),
        queries: words(QUERIES),
        columns: words(COLUMNS),
        commands,
        measures: words(MEASURES),
        metrics: words(METRICS),
        charts: words(CHARTS),
        calls: words(CALLS),
        claims: Vec::new(),
        models: vec![Model { id: "MO1".into(), not_here: None, techniques: words("AT6 PR2") }],
        posed: benchbook_matrix::posed().unwrap().iter().map(ToString::to_string).collect(),
        parameters: PARAMETERS.into_iter().flat_map(|(name, all)| with_workload(name, all)).collect(),
        presets: PRESETS.map(str::to_owned).into(),
        python: Carried {
            claims: words("EN2 EN3 EN4 EN5"),
            told: words(TOLD),
            packages: words(PACKAGES),
            absent: None,
        },
        chips: vec!["Intel(R) Xeon(R) Processor".into(), "none of graphics is known (no driver)".into()],
    }
}

fn statuses(available: &Available) -> BTreeMap<String, Status> {
    coverage(available).unwrap().into_iter().map(|row| (row.id, row.status)).collect()
}

fn row(available: &Available, id: &str) -> CoverageRow {
    coverage(available).unwrap().into_iter().find(|row| row.id == id).unwrap()
}

/// A catalogue of one section, `AT`, with these rows.
fn small(rows: &str) -> Result<Catalogue, Error> {
    Catalogue::parse(&format!(
        "[[section]]\nid = \"AT\"\ntitle = \"attention\"\ntechnique = true\nrows = [\n{rows}\n]\n"
    ))
}

fn refusal(rows: &str) -> String {
    small(rows).unwrap_err().to_string()
}

#[test]
fn every_section_is_there_and_every_id_follows_the_one_before() {
    let catalogue = Catalogue::embedded().unwrap();
    let counts: Vec<(&str, usize)> =
        catalogue.section.iter().map(|section| (section.id.as_str(), section.rows.len())).collect();
    for expected in [("AT", 12), ("SM", 6), ("DE", 5), ("PR", 7), ("SP", 5), ("TR", 5), ("AD", 6), ("EN", 10)] {
        assert!(counts.contains(&expected), "{expected:?} is not in {counts:?}");
    }
    // The sections without ids in the catalogue: ids given here are kept, so rows are only ever added.
    for (section, least) in
        [("MO", 49), ("HW", 34), ("WL", 19), ("ME", 48), ("ST", 10), ("VA", 14), ("RE", 41), ("CL", 54)]
    {
        let rows = counts.iter().find(|(id, _)| *id == section).map_or(0, |(_, rows)| *rows);
        assert!(rows >= least, "{section} has {rows} rows, {least} were there before");
    }
    for section in &catalogue.section {
        for (number, entry) in section.rows.iter().enumerate() {
            assert_eq!(entry.id, format!("{}{}", section.id, number + 1));
            assert!(!entry.title.is_empty(), "{} has no title", entry.id);
        }
    }
}

#[test]
fn every_name_that_serves_as_evidence_is_one_the_program_has() {
    let have = available();
    let catalogue = Catalogue::embedded().unwrap();
    for (_, entry) in catalogue.entries() {
        for evidence in &entry.evidence {
            let Evidence::Named(kind, name) = evidence else { continue };
            let known = match kind {
                Kind::Function => have.functions.contains(name),
                Kind::Query => have.queries.contains(name),
                Kind::Column => have.columns.contains(name),
                Kind::Command => have.commands.contains(name),
                Kind::Measure => have.measures.contains(name),
                Kind::Metric => have.metrics.contains(name),
                Kind::Chart => have.charts.contains(name),
                Kind::Call => have.calls.contains(name),
                Kind::Model => have.posed.contains(name),
                Kind::Parameter => have.parameters.contains(name),
                Kind::Preset => have.presets.contains(name),
                Kind::Told => have.python.told.contains(name),
                Kind::Python => words(PACKAGES).contains(name),
                Kind::Device | Kind::Matrix | Kind::Chip | Kind::Roof => true,
            };
            assert!(known, "{} asks for {evidence}, which nothing provides", entry.id);
        }
    }
}

#[test]
fn rows_say_what_was_found_or_what_is_missing() {
    let have = available();
    let told = |id: &str| {
        let row = row(&have, id);
        (row.status, row.because)
    };
    assert_eq!(told("AT1"), (Status::Works, "implementation attention/naive on flex and libtorch".into()));
    assert_eq!(told("AT2"), (Status::NotYet, "no implementation claims AT2".into()));
    assert_eq!(told("ST5"), (Status::Works, "function welch_p".into()));
    assert_eq!(told("EN1").0, Status::NotYet, "libtorch on CUDA belongs to the row");
    assert_eq!(told("RE31"), (Status::Works, "call time_of".into()));
    assert_eq!(told("ME17"), (Status::NotYet, "nothing in the program does this".into()));
    assert_eq!(told("ME20").0, Status::Works);
    assert_eq!(told("ME6"), (Status::Works, "query tails".into()));
    assert_eq!(["ME8", "ME41", "ME42"].map(|id| told(id).0), [Status::Works; 3]);
    assert_eq!(told("VA10"), (Status::NotYet, "no implementation claims VA10".into()));
    assert_eq!(told("EN2"), (Status::Works, "rows of the Python worker by torch".into()));
    assert_eq!(told("EN7").0, Status::Unavailable);
    let no_core = "no Core(TM) in this machine: Intel(R) Xeon(R) Processor, none of graphics is known (no driver)";
    assert_eq!(told("HW1"), (Status::Unavailable, no_core.into()));
    assert_eq!(told("HW2").0, Status::Works);
    assert_eq!(told("HW4"), (Status::NotYet, "no roof by AVX2".into()));
    assert_eq!(told("HW7").0, Status::Unavailable);
    assert_eq!(
        told("HW32"),
        (Status::Unavailable, "not testable here: no neuromorphic chip among the project's machines".into())
    );
    assert_eq!(told("MO25"), (Status::NotYet, "2 of 35 techniques in MO1, none in the matrix is AT1".into()));
    assert_eq!(told("MO26"), (Status::NotYet, "no model is MO2".into()));
    assert_eq!(told("MO1"), (Status::Works, "model gpt2-124m by greedy-decoding".into()));
    assert_eq!(told("MO24"), (Status::Works, "command matrix --tiers".into()));
    assert_eq!(told("WL8"), (Status::Works, "parameter selective-scan seq=2097152".into()));
    assert_eq!(told("WL11"), (Status::Works, "preset generate chat, query steps".into()));
    assert_eq!(told("WL15").0, Status::NotYet);
    assert_eq!((told("RE21").0, told("RE40").0), (Status::Works, Status::Works));
    assert_eq!(told("MO45"), (Status::Works, "command matrix, query matrix".into()));
}

#[test]
fn rows_of_models_name_their_own_models_which_workloads_take_whole() {
    let posed = benchbook_matrix::posed().unwrap();
    let catalogue = Catalogue::embedded().unwrap();
    let models = catalogue.entries().flat_map(|(section, entry)| {
        let names = entry.evidence.iter().filter_map(|evidence| evidence.name_of(Kind::Model));
        names.filter(move |_| section.id == "MO").map(move |name| (entry.id.as_str(), name.to_owned()))
    });
    let models: Vec<(&str, String)> = models.collect();
    assert_eq!(models.len(), 16, "those of BERT, Qwen3-VL and Whisper have implementations that name them");
    for (id, name) in models {
        let model = posed.iter().find(|one| one.to_string() == name);
        assert_eq!(model.and_then(|one| one.catalogue.as_deref()), Some(id), "{name}");
    }
}

#[test]
fn a_row_falls_with_the_parameter_the_preset_or_the_model_that_it_needs() {
    let lost = |taken: &dyn Fn(&mut Available)| -> Vec<String> {
        let (before, mut have) = (statuses(&available()), available());
        taken(&mut have);
        let after = statuses(&have);
        let gone = before.iter().filter(|(id, status)| **status == Status::Works && after[*id] == Status::NotYet);
        gone.map(|(id, _)| id.clone()).collect()
    };
    assert_eq!(
        lost(&|have: &mut Available| have.posed.retain(|name| !name.starts_with("llama-70b "))),
        ["MO10", "WL10"]
    );
    assert_eq!(
        lost(&|have: &mut Available| have.parameters.retain(|name| !name.ends_with(" seq=2097152"))),
        ["WL4", "WL8"]
    );
    assert_eq!(lost(&|have: &mut Available| have.presets.retain(|name| name != "generate chat")), ["WL1", "WL11"]);
    assert_eq!(lost(&|have: &mut Available| have.presets.retain(|name| name != "prefill document")), ["WL14"]);
}

#[test]
fn an_empty_program_makes_no_row_work() {
    assert!(statuses(&Available::default()).values().all(|status| *status != Status::Works));
}

#[test]
fn taking_a_function_away_takes_exactly_its_rows() {
    let before = statuses(&available());
    let lost = |function: &str| -> BTreeSet<String> {
        let mut have = available();
        have.functions.retain(|name| name != function);
        let after = statuses(&have);
        before
            .iter()
            .filter(|(id, status)| after[*id] != **status)
            .map(|(id, _)| {
                assert_eq!(after[id], Status::NotYet);
                id.clone()
            })
            .collect()
    };
    let set = |ids: &str| words(ids).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(lost("welch_p"), set("ST5"));
    assert_eq!(lost("outliers"), set("ST4"));
    assert_eq!(lost("paired_mde"), set("ST9"));
    assert_eq!(lost("replicate_low"), set("ME3 ST2 ST3"));
    assert_eq!(lost("geomean"), set(""));
    let catalogue = Catalogue::embedded().unwrap();
    for function in words(FUNCTIONS) {
        let needing = catalogue.entries().filter(|(_, entry)| {
            let asks = |evidence: &Evidence| evidence.name_of(Kind::Function) == Some(&function);
            entry.lacks.is_none() && entry.evidence.iter().any(asks)
        });
        assert_eq!(lost(&function), needing.map(|(_, entry)| entry.id.clone()).collect(), "{function}");
    }
}

#[test]
fn a_metric_a_query_or_a_category_that_goes_away_takes_its_rows() {
    let all = available();
    let mut have = all.clone();
    have.metrics.retain(|name| name != "inter_token_spread");
    have.queries.retain(|name| name != "cost");
    have.commands.retain(|name| name != "run --category cpu");
    for (id, missing) in
        [("ME13", "no metric inter_token_spread"), ("ME33", "no query cost"), ("RE4", "no command run --category cpu")]
    {
        assert_eq!(row(&all, id).status, Status::Works, "{id}");
        let told = row(&have, id);
        assert_eq!((told.status, told.because.as_str()), (Status::NotYet, missing));
    }
}

#[test]
fn an_implementation_counts_only_on_a_device_that_is_here() {
    let mut have = available();
    have.devices = vec![device("flex", None), device("libtorch", Some("no libtorch in this build"))];
    assert_eq!(row(&have, "AT1").because, "implementation attention/naive on flex");
    have.devices[0].unavailable = Some("no processor".into());
    let told = row(&have, "AT1");
    assert_eq!(told.status, Status::Unavailable);
    assert_eq!(told.because, "implementation attention/naive, device flex: no processor");
    have.devices.clear();
    let told = row(&have, "AT1");
    assert_eq!(told.status, Status::NotYet);
    assert_eq!(told.because, "no known device for implementation attention/naive");
}

#[test]
fn the_carried_python_worker_counts_where_its_table_claims_and_its_python_has_the_package() {
    let told = |change: &dyn Fn(&mut Available)| {
        let mut have = available();
        change(&mut have);
        let row = row(&have, "EN2");
        (row.status, row.because)
    };
    let none = told(&|have| have.python.claims.clear());
    assert_eq!(none, (Status::NotYet, "no row of the Python worker claims EN2".into()));
    let unpacked = told(&|have| have.python.packages.clear());
    assert_eq!(unpacked, (Status::Unavailable, "the Python worker: its Python has no torch".into()));
    let absent = told(&|have| have.python.absent = Some("no .venv".into()));
    assert_eq!(absent, (Status::Unavailable, "the Python worker: no .venv".into()));
    // Once it has been started, it says itself what is here.
    let started = told(&|have| {
        have.python.claims.clear();
        have.implementations.push(implementation("matmul", "eager", "torch", "EN2"));
        have.devices.push(device("torch", Some("torch is 1.0")));
    });
    assert_eq!(started, (Status::Unavailable, "implementation matmul/eager, device torch: torch is 1.0".into()));
}

#[test]
fn a_roof_counts_by_the_instructions_of_its_engine_and_a_chip_by_its_name() {
    let with = |version: &str, workload: &str| {
        let mut have = available();
        let engines = vec![("benchbook-simd".to_owned(), version.to_owned())];
        have.implementations.push(ImplementationInfo { engines, ..implementation(workload, "chains", "flex", "") });
        have.chips.push("GPU NVIDIA H200".into());
        have
    };
    let told = |version: &str, workload: &str| {
        let row = row(&with(version, workload), "HW5");
        (row.status, row.because)
    };
    assert_eq!(told("0.1.0 AVX-512", "fma").0, Status::Works);
    assert_eq!(told("0.1.0 AVX-512", "matmul"), (Status::NotYet, "no roof by AVX-512".into()), "that is no roof");
    assert_eq!(told("0.1.0 AVX-512 VNNI", "int8-dot").0, Status::NotYet);
    let absent = told("0.1.0 AVX-512 absent", "fma");
    assert_eq!(absent, (Status::Unavailable, "this processor has no AVX-512".into()));
    let have = with("0.1.0 AVX2", "fma");
    assert_eq!(row(&have, "HW4").because, "column runs.cpu_features, by AVX2 fma/chains");
    assert_eq!(["HW12", "HW13", "RE5"].map(|id| row(&have, id).status), [Status::Works; 3]);
    assert_eq!(row(&have, "HW11").status, Status::Unavailable);
}

#[test]
fn what_works_within_limits_says_so() {
    let row = "{ id = \"AT1\", title = \"a\", evidence = [\"function:mad\"], limits = \"of one process\" }";
    let catalogue = small(row).unwrap();
    let have = Available { functions: words("mad"), ..Available::default() };
    let told = coverage_of(&catalogue, &have).unwrap().remove(0);
    assert_eq!(told.because, "function mad, within limits: of one process");
    let told = coverage_of(&catalogue, &Available::default()).unwrap().remove(0);
    assert_eq!((told.status, told.because.as_str()), (Status::NotYet, "no function mad"));
}

#[test]
fn a_model_is_crossed_with_every_technique_or_says_why_none_of_its_cells_is_measured() {
    let rows = "{ id = \"AT1\", title = \"a\", evidence = [] },\n\
        { id = \"AT2\", title = \"b\", evidence = [\"matrix:AT1\"] }";
    let catalogue = small(rows).unwrap();
    let told = |not_here: Option<&str>, techniques: &str| {
        let not_here = not_here.map(str::to_owned);
        let models = vec![Model { id: "AT1".into(), not_here, techniques: words(techniques) }];
        coverage_of(&catalogue, &Available { models, ..Available::default() }).unwrap().remove(1)
    };
    assert_eq!(told(None, "AT1").because, "1 of 2 techniques in AT1, none in the matrix is AT2");
    let whole = told(None, "AT2 AT1");
    assert_eq!((whole.status, whole.because.as_str()), (Status::Works, "all 2 techniques in AT1"));
    assert_eq!(whole.section, "attention");
    let none = told(Some("it has experts"), "AT1 AT2");
    assert_eq!((none.status, none.because.as_str()), (Status::NotYet, "no cell of AT1 is measured: it has experts"));
}

#[test]
fn a_row_of_claims_follows_what_became_of_them() {
    let claim = |name: &str, verdict: &str, catalogue: &str| Claim {
        name: name.into(),
        catalogue: words(catalogue),
        verdict: verdict.into(),
        reason: "needs a chip".into(),
    };
    let catalogue = small("{ id = \"AT1\", title = \"a\", evidence = [\"claim\"] }").unwrap();
    let told = |claims: Vec<Claim>| {
        let have = Available { claims, ..Available::default() };
        let row = coverage_of(&catalogue, &have).unwrap().remove(0);
        (row.status, row.because)
    };
    let (good, bad) = (claim("good", "confirmed", "CL1 AT1"), claim("bad", "refuted", "AT1"));
    let (away, open) = (claim("away", "not testable here", "AT1"), claim("open", "not measured yet", "AT1"));
    assert_eq!(told(Vec::new()), (Status::NotYet, "no claim of AT1 in the table of claims".into()));
    assert_eq!(told(vec![claim("other", "confirmed", "AT11")]).0, Status::NotYet);
    assert_eq!(told(vec![good.clone(), bad]), (Status::Works, "claim good is confirmed, claim bad is refuted".into()));
    assert_eq!(told(vec![away.clone(), good.clone()]), (Status::Works, "claim good is confirmed".into()));
    assert_eq!(told(vec![away]), (Status::Unavailable, "not testable here: needs a chip".into()));
    assert_eq!(told(vec![good.clone(), open]), (Status::NotYet, "claim open is not measured yet".into()));
    let vague = claim("vague", "not judged", "AT1");
    assert_eq!(told(vec![good, vague]), (Status::NotYet, "claim vague is not judged: needs a chip".into()));
}

#[test]
fn unavailable_gives_way_to_evidence_and_devices_answer_by_name() {
    let rows =
        "{ id = \"AT1\", title = \"a\", evidence = [\"device:gpu\"], unavailable = \"not testable here: no gpu\" }";
    let catalogue = small(rows).unwrap();
    let told = |devices: Vec<DeviceInfo>| {
        let have = Available { devices, ..Available::default() };
        let row = coverage_of(&catalogue, &have).unwrap().remove(0);
        (row.status, row.because)
    };
    assert_eq!(told(Vec::new()), (Status::Unavailable, "not testable here: no gpu".into()));
    assert_eq!(told(vec![device("gpu", Some("no driver"))]), (Status::Unavailable, "device gpu: no driver".into()));
    assert_eq!(told(vec![device("gpu", None)]), (Status::Works, "device gpu".into()));
}

#[test]
fn mistakes_in_the_table_are_named_with_their_place() {
    let with = |evidence: &str| refusal(&format!("{{ id = \"AT1\", title = \"a\", evidence = [\"{evidence}\"] }}"));
    for (evidence, part) in [
        ("functoin:mad", "unknown kind of evidence `functoin`, did you mean `function`?"),
        ("implementations", "`implementation` or a kind and a name"),
        ("function:", "must name a function right after the colon"),
        ("function: mad", "must name a function right after the colon"),
        ("column:flops", "must name table and column"),
        ("column:.flops", "must name table and column"),
        ("matrix:AT9", "unknown catalogue row `AT9`"),
    ] {
        let text = with(evidence);
        assert!(text.contains(part), "{evidence}: {text}");
        assert!(text.contains("line 6") || evidence.starts_with("matrix"), "{evidence}: {text}");
    }
    let one = "{ id = \"AT1\", title = \"a\", evidence = [] }";
    assert!(refusal(&format!("{one},\n{one}")).contains("`AT1` stands twice"));
    assert!(refusal(&one.replace("AT1", "SM1")).contains("must be AT and a number"));
    assert!(refusal(&one.replace("AT1", "AT01")).contains("must be AT and a number"));
    assert!(refusal(&one.replace("[]", "[], unavailable = \"later\"")).contains("not testable here: "));
    assert!(refusal(&one.replace("[]", "[], works = true")).contains("unknown field `works`"));
}

#[test]
fn claims_of_rows_that_are_not_there_are_refused() {
    let claim = |id: &str| {
        let have = Available { implementations: vec![implementation("w", "mine", "flex", id)], ..Available::default() };
        coverage(&have).unwrap_err().to_string()
    };
    let text = claim("AT13");
    assert!(
        text.starts_with("implementation mine of w claims") && text.contains("unknown catalogue row `AT13`"),
        "{text}"
    );
    let text = claim("ST5");
    assert!(text.contains("claims ST5 without effect"), "{text}");
}
