//! The schema as described, and what makes two runs unlike.

use super::*;

#[test]
fn the_schema_names_every_column_with_its_meaning() {
    let text = describe_schema();
    for table in Table::ALL {
        let schema = table.schema();
        assert_eq!(schema.metadata()[VERSION_KEY], SCHEMA_VERSION.to_string());
        assert_eq!(schema.field(0).name(), "run_id");
        assert_eq!(Table::from_name(table.name()).unwrap(), table);
        for field in schema.fields() {
            assert!(!field.metadata()[DOC_KEY].is_empty());
            assert!(text.contains(&field.metadata()[DOC_KEY]), "{table}.{}", field.name());
            if field.name().ends_with("_ns") {
                assert_eq!(field.metadata()[UNIT_KEY], "ns");
            }
            if field.name().ends_with("_bytes") {
                assert_eq!(field.metadata()[UNIT_KEY], "bytes");
            }
        }
    }
    assert!(text.contains("Map<Utf8, Struct{int: Int64, float: Float64, text: Utf8, bool: Boolean}>"));
    assert!(Table::from_name("sample").unwrap_err().to_string().contains("did you mean `samples`"));
}

#[test]
fn a_row_with_a_foreign_field_is_refused() {
    let error = batch_of(Table::Events, "x", &[outcome_row(None, Status::Ok)]).unwrap_err();
    assert!(matches!(error, Error::Rows { table: Table::Events, .. }), "{error}");
}

#[test]
fn of_long_lists_a_difference_tells_what_only_one_has() {
    let flags = |more: &[&str]| {
        let shared = (0..24).map(|number| format!("flag{number}"));
        shared.chain(more.iter().map(|word| (*word).to_owned())).collect::<Vec<_>>()
    };
    let run = |more: &[&str]| RunRow { cpu_features: flags(more), ..run_row() };
    let told = |a: &[&str], b: &[&str]| environment_difference(&run(a), &run(b))[0].to_string();
    assert_eq!(told(&["avx512f", "amx"], &[]), "cpu features: amx avx512f / none, beside 24 that both have");
    assert_eq!(told(&["avx2"], &["neon"]), "cpu features: avx2 / neon, beside 24 that both have");
    let few = RunRow { cpu_model: Some("A B".into()), ..run_row() };
    let other = RunRow { cpu_model: Some("A C".into()), ..run_row() };
    assert_eq!(environment_difference(&few, &other)[0].to_string(), "cpu model: A B / A C");
}

#[test]
fn runs_of_one_environment_compare_and_others_say_why_not() {
    let run = RunRow { kernel: Some("6.8.0-45".into()), ..run_row() };
    let same = RunRow {
        tags: vec!["another".into()],
        seed: None,
        git_commit: Some("abc".into()),
        kernel: Some("6.12.1".into()),
        memory_bytes: Some((8 << 30) + 5_000_000),
        cpu_features: vec!["fma".into(), "avx2".into()],
        ..RunRow { run_id: RunRow::new("x").run_id, ..run.clone() }
    };
    assert_eq!(environment_difference(&run, &same), []);
    assert_eq!(run.environment_id(), same.environment_id());

    let changes: [(&str, fn(&mut RunRow)); 15] = [
        ("cpu model", |run| run.cpu_model = None),
        ("cpu features", |run| run.cpu_features.push("avx512f".into())),
        ("cpu cores", |run| run.cpu_cores = Some(64)),
        ("cpu governor", |run| run.cpu_governor = Some("powersave".into())),
        ("cpu turbo", |run| run.cpu_turbo = Some(false)),
        ("cpu smt", |run| run.cpu_smt = Some(true)),
        ("memory", |run| run.memory_bytes = Some(16 << 30)),
        ("devices", |run| run.devices[0].driver = Some("570.1".into())),
        ("operating system", |run| run.os = Some("linux".into())),
        ("kernel major version", |run| run.kernel = Some("7.0".into())),
        ("build profile", |run| run.build_profile = Some("dev".into())),
        ("debug assertions", |run| run.debug_assertions = Some(true)),
        ("threads", |run| run.threads = Some(1)),
        ("library burn", |run| run.libraries.clear()),
        ("variable OMP_NUM_THREADS", |run| {
            run.environment_variables.insert("OMP_NUM_THREADS".into(), "1".into());
        }),
    ];
    for (what, change) in changes {
        let mut other = run.clone();
        change(&mut other);
        let differences = environment_difference(&run, &other);
        assert_eq!(differences.len(), 1, "{what}");
        assert_eq!(differences[0].what, what);
        assert_ne!(differences[0].a, differences[0].b);
        assert_ne!(run.environment_id(), other.environment_id(), "{what}");
        let back = environment_difference(&other, &run);
        assert_eq!((&back[0].a, &back[0].b), (&differences[0].b, &differences[0].a));
    }
}
