//! The matrix from the command line: cells that are measured, cells that say why not, and a matrix that goes on.

use benchbook_tests::Bench;
use serde_json::Value;

const ASKED: [&str; 10] = [
    "matrix",
    "--quick",
    "--models",
    "smollm2-135m,bert-base",
    "--layers",
    "1",
    "--threads",
    "1",
    "--techniques",
    "int8,window-sinks,early-exit",
];

fn asked(bench: &Bench) -> Vec<Value> {
    serde_json::from_str(&bench.ok(&[&ASKED[..], &["--format", "json"]].concat())).unwrap()
}

fn runs(bench: &Bench) -> usize {
    bench.sql("select run_id from runs").len()
}

#[test]
fn every_cell_is_measured_once_or_says_why_not() {
    let bench = Bench::new();
    let dry = bench.run(&[&ASKED[..], &["--dry-run"]].concat());
    assert_eq!((dry.code, bench.store().exists()), (Some(0), false), "{}", dry.stderr);
    assert!(dry.stdout.contains("smollm2-135m: int8, window-sinks, early-exit"), "{}", dry.stdout);
    let cells = asked(&bench);
    let told = |cell: &Value| {
        let word = |name: &str| cell[name].as_str().unwrap_or("-").to_owned();
        format!("{} {}: {}", word("model"), word("technique"), word("cell"))
    };
    let mut found: Vec<String> = cells.iter().map(told).collect();
    found.sort();
    let wanted = [
        "bert-base early-exit: not here",
        "bert-base int8: not here",
        "bert-base window-sinks: not here",
        "smollm2-135m early-exit: not applicable",
        "smollm2-135m int8: measured",
        "smollm2-135m window-sinks: measured",
    ];
    assert_eq!(found, wanted);
    for cell in &cells {
        if cell["cell"] == "measured" {
            let of = |name: &str| cell[name].as_f64().unwrap_or_else(|| panic!("{name} of {cell}"));
            assert!(of("speedup") > 0.0 && of("low") < of("high") && of("replicates") >= 5.0);
            assert!(of("tokens_per_second") > 0.0 && (0.0..=1.0).contains(&of("agreement")));
            assert!(of("kl_divergence") >= 0.0 && of("memory_ratio") < 1.0, "{cell}");
            assert!(of("time_ns") > 0.0 && of("baseline_ns") > 0.0, "{cell}");
            assert_eq!(cell["part"], "1 of 30 layers, seeded weights");
        } else {
            assert!(cell["speedup"].is_null() && !cell["why"].as_str().unwrap().is_empty(), "{cell}");
        }
    }
    let why = |model: &str| {
        cells.iter().find(|cell| cell["model"] == model && cell["cell"] != "measured").unwrap()["why"].clone()
    };
    assert!(why("bert-base").as_str().unwrap().contains("both directions"));
    assert!(why("smollm2-135m").as_str().unwrap().contains("every token goes through all"));

    // What the store holds is not measured again; a technique more is one run more.
    let before = runs(&bench);
    assert_eq!((asked(&bench).len(), runs(&bench)), (6, before));
    let one = ["matrix", "--quick", "--models", "bert-base", "--layers", "1", "--threads", "1", "--techniques", "2of4"];
    bench.ok(&one);
    assert_eq!(runs(&bench), before + 1);

    let page = bench.folder().join("matrix.html");
    bench.ok(&[&ASKED[..], &["--dry-run", "--output", "matrix.html"]].concat());
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("Optimizations by name") && page.contains("benchbook tune\nno run yet"));
    assert!(page.contains("<pre>benchbook tune --model smollm2-135m") && page.contains("<p>Measured on "));
    assert!(page.contains("What each technique does: 4 techniques") && page.contains("<dt>window-sinks</dt>"));
    assert!(page.contains("before_after --param suite=matrix-quick"), "a command is of the matrix that is shown");
    assert!(page.contains("Every cell") && page.contains("both directions") && page.contains("default-src 'none'"));

    let sides = bench.ok(&["sql", "--query", "before_after", "--param", "suite=matrix-quick", "--format", "json"]);
    let sides: Vec<Value> = serde_json::from_str(&sides).unwrap();
    let weights = sides.iter().find(|row| row["technique"] == "int8" && row["metric"] == "weight_bytes").unwrap();
    assert!(weights["ratio"].as_f64().unwrap() > 3.5, "eight bits of thirty-two: {weights}");
}

#[test]
fn what_a_search_has_cost_is_told_in_rows() {
    let bench = Bench::new();
    let measured = ["--replicates", "1", "--blocks", "2", "--threads", "1"];
    let techniques = ["run", "forced-decoding", "--quick", "--implementation", "int8,adaptive-precision"];
    bench.ok(&[&techniques[..], &measured].concat());
    let told = bench.sql(
        "select t.implementation, m.name, m.unit, m.value, o.prepare_ns from measures m \
         join trials t on t.run_id = m.run_id and t.trial = m.trial \
         join outcomes o on o.run_id = m.run_id and o.trial = m.trial \
         where m.name in ('formats_tried', 'search_ns') order by m.name",
    );
    let of =
        |row: &Value| [&row["implementation"], &row["name"], &row["unit"]].map(|one| one.as_str().unwrap().to_owned());
    let wanted = [["adaptive-precision", "formats_tried", "count"], ["adaptive-precision", "search_ns", "ns"]];
    assert_eq!(told.iter().map(of).collect::<Vec<_>>(), wanted);
    let number = |row: &Value, name: &str| row[name].as_f64().unwrap();
    // Two layers, in one or two formats each.
    assert!((2.0..=4.0).contains(&number(&told[0], "value")), "{told:?}");
    let took_ns = number(&told[1], "value");
    assert!(took_ns > 0.0 && took_ns < number(&told[1], "prepare_ns"), "a part of the preparation: {told:?}");
}

#[test]
fn a_matrix_whose_time_is_over_goes_on_with_the_next() {
    let bench = Bench::new();
    let asked = ["matrix", "--quick", "--models", "smollm2-135m", "--layers", "1", "--threads", "1"];
    let asked = [&asked[..], &["--techniques", "int8,nf4", "--format", "json"]].concat();
    let ended = bench.run(&[&asked[..], &["--time", "1s"]].concat());
    assert_eq!((ended.code, runs(&bench)), (Some(0), 0), "{}", ended.stderr);
    assert!(ended.stderr.contains("the time is over") && ended.stderr.contains("1 run to go"), "{}", ended.stderr);
    // The store is there and empty by now: its page says what to do.
    bench.ok(&[&asked[..], &["--dry-run", "--output", "empty.html"]].concat());
    let page = std::fs::read_to_string(bench.folder().join("empty.html")).unwrap();
    assert!(page.contains("There are no cells yet") && page.contains("structured pruning"), "{} bytes", page.len());
    let cells: Vec<Value> = serde_json::from_str(&bench.ok(&asked)).unwrap();
    assert_eq!((cells.len(), runs(&bench)), (2, 1));
}

#[test]
fn two_matrices_on_one_store_lose_nothing() {
    let bench = Bench::new();
    let asked = |techniques: &'static str| {
        ["matrix", "--quick", "--models", "smollm2-135m", "--layers", "1", "--threads", "1", "--techniques", techniques]
    };
    let mut other = bench.command(&asked("int8")).spawn().unwrap();
    bench.ok(&asked("nf4"));
    assert!(other.wait().unwrap().success());
    let cells: Vec<Value> =
        serde_json::from_str(&bench.ok(&[&asked("int8,nf4")[..], &["--format", "json"]].concat())).unwrap();
    let mut told: Vec<&str> = cells.iter().map(|cell| cell["technique"].as_str().unwrap()).collect();
    told.sort_unstable();
    assert_eq!((told, runs(&bench)), (vec!["int8", "nf4"], 2), "what one has measured, the next one knows");
    assert!(cells.iter().all(|cell| cell["cell"] == "measured"), "{cells:?}");
    bench.ok(&["store", "verify"]);
}

#[test]
fn a_model_is_described_in_a_file_of_ones_own() {
    let bench = Bench::new();
    let described = |parameters: usize| {
        format!(
            "name = \"Mine\"\nsource = \"my own\"\nparameters = {parameters}\n\n[text]\narchitecture = \"llama\"\nlayers = 2\n\
             heads = 4\nkv_heads = 2\nhead_dim = 8\nwidth = 32\nhidden = 64\nvocabulary = 128\ncontext = 256\ntied = true\n\
             epsilon = 1e-5\nrotary_base = 1e4\n"
        )
    };
    let asked = ["matrix", "--quick", "--models", "mine.toml", "--threads", "1", "--techniques", "int8", "--dry-run"];
    std::fs::write(bench.folder().join("mine.toml"), described(22_687)).unwrap();
    bench.fails(&asked, 4, &["mine.toml", "have 22688 parameters, not 22687"]);
    std::fs::write(bench.folder().join("mine.toml"), described(22_688)).unwrap();
    let planned = bench.run(&asked);
    assert!(planned.code == Some(0) && planned.stdout.contains("mine: int8"), "{}{}", planned.stdout, planned.stderr);
}

#[test]
fn weights_of_ones_own_are_named_by_their_digest_and_refused_where_they_do_not_fit() {
    let bench = Bench::new();
    let put = |name: &str, bytes: &[u8]| std::fs::write(bench.folder().join(name), bytes).unwrap();
    put("mine.toml", include_bytes!("../../../crates/models/fixtures/own/mine.toml"));
    put("tokenizer.json", include_bytes!("../../../crates/models/fixtures/own/tokenizer.json"));
    let of_layers = [
        ("input_layernorm", "8"),
        ("self_attn.q_proj", "8,8"),
        ("self_attn.k_proj", "4,8"),
        ("self_attn.v_proj", "4,8"),
        ("self_attn.o_proj", "8,8"),
        ("self_attn.q_norm", "4"),
        ("self_attn.k_norm", "4"),
        ("post_attention_layernorm", "8"),
        ("mlp.gate_proj", "16,8"),
        ("mlp.up_proj", "16,8"),
        ("mlp.down_proj", "8,16"),
    ];
    let layer = |layer: usize| of_layers.map(|(name, shape)| (format!("layers.{layer}.{name}"), shape));
    let mut tensors = [layer(0), layer(1)].concat();
    tensors.extend([("embed_tokens".to_owned(), "257,8"), ("norm".to_owned(), "8")]);
    let (mut header, mut end) = (Vec::new(), 0);
    for (name, shape) in &tensors {
        let (begin, count) = (end, shape.split(',').map(|size| size.parse::<usize>().unwrap()).product::<usize>());
        end += 4 * count;
        let offsets = format!("\"shape\":[{shape}],\"data_offsets\":[{begin},{end}]");
        header.push(format!("\"model.{name}.weight\":{{\"dtype\":\"F32\",{offsets}}}"));
    }
    let header = format!("{{{}}}", header.join(","));
    let whole = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0_u8; end]].concat();
    let asked = ["matrix", "--quick", "--models", "mine.toml", "--threads", "1", "--techniques", "int8"];
    put("model.safetensors", &whole[..whole.len() - 1]);
    bench.fails(&asked, 4, &["model.safetensors", "no whole safetensors file"]);
    let wrong = header.replacen("[257,8]", "[8,257]", 1);
    put("model.safetensors", &[&whole[..8], wrong.as_bytes(), &whole[8 + header.len()..]].concat());
    bench.fails(&asked, 4, &["model.embed_tokens.weight has the shape [8, 257], the model needs [257, 8]"]);
    assert!(!bench.store().exists());
    put("model.safetensors", &whole);
    let cells = bench.ok(&[&asked[..], &["--format", "json"]].concat());
    let cells: Vec<Value> = serde_json::from_str(&cells).unwrap();
    let real = cells.iter().find(|cell| cell["weights"] == "real").unwrap();
    assert_eq!((cells.len(), real["model"].as_str(), real["cell"].as_str()), (2, Some("mine"), Some("not here")));
    assert!(real["why"].as_str().unwrap().contains("cargo xtask data brown"), "{real}");
    let trials = bench.sql("select other_params(params, 'model') as told from trials where workload = 'text-quality'");
    let told = trials[0]["told"].as_str().unwrap();
    let beginning = real["case_name"].as_str().unwrap().split(' ').nth(1).unwrap();
    assert!(beginning.len() == 12 && told.contains(&format!("digest={beginning}")), "{beginning} in {told}");
}

#[test]
fn a_page_of_no_store_says_so_and_makes_none() {
    let bench = Bench::new();
    bench.fails(&["matrix", "--quick", "--dry-run", "--output", "none.html"], 4, &["is not a benchbook store"]);
    assert!(!bench.store().exists() && !bench.folder().join("none.html").exists());
}

#[test]
fn what_is_no_model_or_technique_is_refused_before_anything_starts() {
    let bench = Bench::new();
    bench.fails(&["matrix", "--models", "gpt-9"], 4, &["no model gpt-9", "smollm2-135m"]);
    bench.fails(&["matrix", "--tiers", "huge"], 4, &["unknown tier `huge`", "small, medium, large, XL"]);
    bench.fails(&["matrix", "--techniques", "int9"], 4, &["did you mean `int8`"]);
    bench.fails(&["matrix", "--layers", "0"], 4, &["--layers"]);
    bench.fails(&["matrix", "--time", "0s"], 4, &["--time", "longer than nothing"]);
    bench.fails(&["matrix", "--output", "matrix.pdf"], 4, &["matrix.pdf: the page of a matrix is .html"]);
    assert!(!bench.store().exists());
}

#[test]
fn real_weights_that_were_not_brought_are_cells_that_say_what_brings_them() {
    let bench = Bench::new();
    let asked = ["matrix", "--quick", "--models", "minilm-l6", "--threads", "1", "--techniques", "int8,early-exit"];
    let cells = bench.ok(&[&asked[..], &["--format", "json"]].concat());
    let cells: Vec<Value> = serde_json::from_str(&cells).unwrap();
    let told: Vec<String> = cells.iter().map(|cell| format!("{} {}", cell["case_name"], cell["technique"])).collect();
    let wanted = [r#""minilm-l6 lee" "int8""#, r#""minilm-l6 sentiment" "int8""#];
    assert_eq!(told, wanted, "an encoder has no tokens that leave early");
    for cell in &cells {
        assert_eq!((cell["cell"].as_str(), cell["weights"].as_str()), (Some("not here"), Some("real")), "{cell}");
        assert!(cell["why"].as_str().unwrap().contains("cargo xtask data minilm-l6"), "{cell}");
    }
    let before = runs(&bench);
    bench.ok(&asked);
    assert_eq!(runs(&bench), before, "nothing was brought meanwhile");
}

#[test]
fn what_has_no_room_says_how_many_layers_have() {
    let bench = Bench::new();
    let asked = ["matrix", "--quick", "--models", "qwen3-4b", "--layers", "2", "--memory", "9GiB", "--threads", "1"];
    let cells = bench.ok(&[&asked[..], &["--techniques", "int8", "--format", "json"]].concat());
    let cells: Vec<Value> = serde_json::from_str(&cells).unwrap();
    assert_eq!((cells.len(), cells[0]["cell"].as_str()), (1, Some("does not fit")), "{cells:?}");
    assert_eq!(cells[0]["why"], "1 of 36 layers are the most that there is room for");
}
