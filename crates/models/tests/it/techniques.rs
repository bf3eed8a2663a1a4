//! Techniques applied to tiny models: beside the plain numbers that they stand for, and beside what they promise.

use benchbook_models::technique::{ALL, Applied, Change, Technique, composed, mean_bits, named, not_here};
use benchbook_models::weights::{Seeded, Source};
use benchbook_models::{Decoder, Description, Error, Exit, Experts, Form, Keeps, Plan, Result, Session, Tensor, Text};

const SEEDED: Seeded = Seeded { seed: 5 };

/// A model of so many layers, query heads, key heads, numbers of a head, of a position, and between products.
fn model(architecture: &str, [layers, heads, kv_heads, head_dim, width, hidden]: [usize; 6]) -> Description {
    let base = if architecture == "gpt-2" { "" } else { "rotary_base = 1e4\n" };
    let text = format!(
        "name = \"tiny\"\nsource = \"made up\"\nparameters = 1\n\n[text]\narchitecture = \"{architecture}\"\nlayers = {layers}\n\
         heads = {heads}\nkv_heads = {kv_heads}\nhead_dim = {head_dim}\nwidth = {width}\nhidden = {hidden}\nvocabulary = 97\n\
         context = 128\ntied = false\nepsilon = 1e-5\n{base}"
    );
    Description::parse(&text).unwrap()
}

/// A Qwen3 of so many experts, of which a token goes through some.
fn routed([experts, chosen]: [usize; 2]) -> Description {
    let dense = model("qwen3", [3, 8, 4, 6, 33, 64]);
    let experts = Experts { count: experts, chosen, hidden: 24, shared: 0, dense_layers: 0, scale: 1.0 };
    Description { text: Text { experts: Some(experts), ..dense.text.clone() }, ..dense }
}

fn ids(count: usize) -> Vec<i32> {
    (0..count).map(|place| (place * 31 + 7) as i32 % 97).collect()
}

/// Logits behind each token of a text whose first eight come together, `[tokens - 7, vocabulary]`.
fn logits(decoder: &Decoder, ids: &[i32]) -> Vec<f32> {
    let mut session = Session::new(decoder, ids.len(), 8).unwrap();
    let mut all = session.prefill(decoder, &ids[..8]).unwrap().to_vec();
    ids[8..].iter().for_each(|id| all.extend_from_slice(session.step(decoder, &[*id]).unwrap()));
    all
}

/// The largest difference, as a share of the largest logit.
fn off(found: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(found.len(), wanted.len());
    let largest = wanted.iter().fold(0.0_f32, |most, logit| most.max(logit.abs()));
    found.iter().zip(wanted).fold(0.0_f32, |most, (found, wanted)| most.max((found - wanted).abs())) / largest
}

/// The plain numbers that a model with a technique stands for.
struct StandsFor<'a>(&'a Applied<'a>);

impl Source for StandsFor<'_> {
    fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        self.0.numbers(tensor)
    }
}

fn by(change: Change) -> Technique {
    Technique { change, ..ALL[0] }
}

fn changes_no_weights(change: Change) -> bool {
    let elsewhere = matches!(change, Change::Scan | Change::Experts(_) | Change::Guesses(_));
    elsewhere || matches!(change, Change::Keeps(_) | Change::Exit(_) | Change::Attention(_) | Change::Chunks(_))
}

#[test]
fn a_technique_computes_by_the_numbers_that_it_stands_for() {
    let models = [
        model("llama", [2, 8, 4, 8, 40, 70]),
        model("qwen3", [3, 8, 4, 6, 33, 64]),
        model("gpt-2", [2, 5, 5, 8, 40, 70]),
        routed([5, 2]),
    ];
    for model in &models {
        let exact = logits(&Decoder::load(model, &SEEDED, 24).unwrap(), &ids(20));
        for technique in ALL {
            let applied = match technique.applied(model, &SEEDED, 24) {
                Ok(applied) => applied,
                Err(Error::Inapplicable { .. }) => continue,
                Err(error) => panic!("{}: {error}", technique.name),
            };
            if changes_no_weights(technique.change) {
                continue;
            }
            let found = logits(&applied.decoder().unwrap(), &ids(20));
            let plain = Decoder::load(&applied.description, &StandsFor(&applied), 24).unwrap();
            let (name, wanted) = (technique.name, logits(&plain, &ids(20)));
            let rounding = off(&found, &wanted);
            assert!(rounding < 1e-4, "{name} of {:?}: {rounding}", model.text.architecture);
            let lost = off(&wanted, &exact);
            // A search may leave all layers as they are.
            assert!(lost > 1e-4 || matches!(technique.change, Change::Precision(_)), "{name} changes nothing: {lost}");
        }
    }
}

#[test]
fn what_is_promised_is_kept() {
    let model = model("llama", [2, 8, 4, 16, 128, 352]);
    let plain = Decoder::load(&model, &SEEDED, 64).unwrap();
    let cache = |decoder: &Decoder| Session::new(decoder, 64, 8).unwrap().cache_bytes() as f64;
    // What positions of an encoder become is nothing to a decoder.
    for technique in ALL.iter().filter(|one| one.is_of_decoders()) {
        let decoder = technique.applied(&model, &SEEDED, 64).unwrap().decoder().unwrap();
        let (held, all, promise) = (decoder.held(), plain.held(), technique.promise);
        let [bytes, flops] =
            [[held.bytes, all.bytes], [held.numbers, all.numbers]].map(|[one, all]| one as f64 / all as f64);
        let cache = cache(&decoder) / cache(&plain);
        let name = technique.name;
        assert!(bytes <= promise.weight_bytes && flops <= promise.flops && cache <= promise.cache_bytes, "{name}");
        let saves = bytes.min(flops).min(cache);
        let elsewhere = changes_no_weights(technique.change) || matches!(technique.change, Change::Precision(_));
        assert!(saves < 0.99 || elsewhere, "{name} saves nothing: {saves}");
        assert_eq!(named(name), Some(technique));
    }
    let window = named("window-sinks").unwrap().applied(&model, &SEEDED, 96).unwrap().decoder().unwrap();
    let longer = |decoder: &Decoder| Session::new(decoder, 96, 8).unwrap().cache_bytes();
    assert_eq!(longer(&window) * 96, longer(&Decoder::load(&model, &SEEDED, 96).unwrap()) * 64);
}

#[test]
fn techniques_that_change_different_things_compose_by_a_list() {
    let model = model("llama", [2, 8, 4, 16, 64, 96]);
    let of = |names: &[&str]| {
        let techniques: Vec<&Technique> = names.iter().map(|name| named(name).unwrap()).collect();
        composed(&techniques, &model, &SEEDED, 24)
    };
    let all = of(&["int8", "window-sinks", "heads-25"]).unwrap();
    assert_eq!((all.description.text.kv_heads, all.plan.keeps.window), (3, Some([4, 60])));
    let found = logits(&all.decoder().unwrap(), &ids(20));
    // Of 20 positions, a window of 64 hides none.
    let plain = Decoder::load(&all.description, &StandsFor(&all), 24).unwrap();
    assert!(off(&found, &logits(&plain, &ids(20))) < 1e-4);
    let alone = logits(&of(&["heads-25"]).unwrap().decoder().unwrap(), &ids(20));
    assert!(off(&found, &alone) > 1e-4, "its weights are of eight bits");
    let turned = of(&["heads-25", "window-sinks", "int8"]).unwrap();
    assert_eq!(logits(&turned.decoder().unwrap(), &ids(20)), found, "in whatever order");
    let exact = Decoder::load(&model, &SEEDED, 24).unwrap();
    assert_eq!(logits(&of(&[]).unwrap().decoder().unwrap(), &ids(20)), logits(&exact, &ids(20)));

    let refused = |names: &[&str]| of(names).map(|_| ()).unwrap_err().to_string();
    for (names, who) in [
        (["int8", "nf4"], "nf4 does not apply: it would change what another one has changed"),
        (["heads-25", "channels-25"], "channels-25 does not apply: heads-25 has left parts of the model out"),
        (["int8", "chunks-16"], "chunks-16 does not apply: it changes how a text comes"),
        (["experts-2of8", "int8"], "int8 does not apply: it would change what another one has changed"),
        (["int8", "merge-10"], "merge-10 does not apply"),
    ] {
        let told = refused(&names);
        assert!(told.starts_with(who), "{told}");
    }
}

#[test]
fn a_token_reads_the_experts_that_it_goes_through() {
    let of = |experts: [usize; 2]| Decoder::load(&routed(experts), &SEEDED, 24).unwrap();
    let (some, all) = (of([5, 2]), of([5, 5]));
    let (width, hidden) = (33, 24);
    assert_eq!(some.held(), all.held());
    assert_eq!(all.read_by_token(), all.held());
    assert_eq!(
        all.held().numbers - some.read_by_token().numbers,
        3 * 3 * 3 * width * hidden,
        "three experts of three layers"
    );
    let dense = Decoder::load(&model("qwen3", [3, 8, 4, 6, 33, 64]), &SEEDED, 24).unwrap();
    assert_eq!(dense.read_by_token(), dense.held());
    // A token has the same bits alone and with others, whatever goes through its experts besides.
    let text = ids(9);
    let mut session = Session::new(&some, 16, 8).unwrap();
    let together = session.step(&some, &text).unwrap().to_vec();
    session.keep(0);
    let alone: Vec<f32> = text.iter().flat_map(|id| session.step(&some, &[*id]).unwrap().to_vec()).collect();
    assert!(off(&alone, &together) < 1e-5);
    assert!(off(&logits(&some, &ids(20)), &logits(&all, &ids(20))) > 1e-3);
}

#[test]
fn a_head_that_is_the_embedding_stays_as_it_is() {
    let apart = model("llama", [2, 4, 2, 8, 32, 48]);
    let tied = Description { text: Text { tied: true, ..apart.text.clone() }, ..apart.clone() };
    for (model, stays) in [(&apart, false), (&tied, true)] {
        let decoder = named("int8").unwrap().applied(model, &SEEDED, 24).unwrap().decoder().unwrap();
        let plain = Decoder::load(model, &SEEDED, 24).unwrap();
        assert_eq!(decoder.held_by_head() == plain.held_by_head(), stays);
    }
}

#[test]
fn caches_of_whole_numbers_are_near_and_windows_hide() {
    let model = model("qwen3", [2, 4, 2, 8, 32, 48]);
    let of = |keeps: Keeps| by(Change::Keeps(keeps)).applied(&model, &SEEDED, 40).unwrap().decoder().unwrap();
    let exact = logits(&of(Keeps::default()), &ids(32));
    let lost = |keeps: Keeps| off(&logits(&of(keeps), &ids(32)), &exact);
    let rounded = |bits: u32| lost(Keeps { window: None, bits: Some(bits) });
    // Half a step of 1/127, or of 1/7, of a head's largest number.
    assert!(
        (1e-6..0.02).contains(&rounded(8)) && (rounded(8)..0.3).contains(&rounded(4)),
        "{} {}",
        rounded(8),
        rounded(4)
    );
    assert!(lost(Keeps { window: Some([2, 30]), bits: None }) < 1e-5, "a window of all positions hides none");
    assert!(lost(Keeps { window: Some([2, 6]), bits: None }) > 1e-3, "a narrow one does");

    let decoder = of(Keeps { window: Some([1, 4]), bits: None });
    let mut session = Session::new(&decoder, 32, 8).unwrap();
    session.prefill(&decoder, &ids(12)).unwrap();
    session.keep(7);
    let refused = session.step(&decoder, &[1]).unwrap_err().to_string();
    assert!(refused.contains("overwritten"), "{refused}");
    session.keep(0);
    assert!(session.prefill(&decoder, &ids(12)).is_ok());
    let coded = of(Keeps { window: None, bits: Some(8) });
    let mut session = Session::new(&coded, 32, 8).unwrap();
    session.prefill(&coded, &ids(9)).unwrap();
    let [keys, values] = session.rounded(&coded, 1).unwrap();
    assert_eq!([keys.len(), values.len()], [9 * 16; 2]);
    // The largest number of a head is one of its 127 steps.
    let steps = keys[..8].iter().map(|key| key.abs()).fold(0.0, f32::max) / 127.0;
    assert!(keys[..8].iter().all(|key| (key / steps - (key / steps).round()).abs() < 1e-3));
    assert!(session.rounded(&decoder, 9).is_none());

    // One of few bits is full as any other, and stays as it was.
    let mut session = Session::new(&coded, 9, 8).unwrap();
    session.prefill(&coded, &ids(9)).unwrap();
    let before = session.rounded(&coded, 1).unwrap();
    let full = session.step(&coded, &[1]).unwrap_err();
    assert!(matches!(full, Error::Full { asked: 1, held: 9, room: 9 }), "{full}");
    assert_eq!(session.rounded(&coded, 1).unwrap(), before);
}

#[test]
fn a_query_reads_no_value_whose_weight_is_small() {
    let model = model("qwen3", [2, 4, 2, 8, 32, 48]);
    let exact = logits(&Decoder::load(&model, &SEEDED, 40).unwrap(), &ids(32));
    let of = |least: f64| {
        let decoder = by(Change::Attention(least)).applied(&model, &SEEDED, 40).unwrap().decoder().unwrap();
        let mut session = Session::new(&decoder, 32, 8).unwrap();
        session.prefill(&decoder, &ids(32)).unwrap();
        (off(&logits(&decoder, &ids(32)), &exact), session.share_read().unwrap())
    };
    let (none, some, most) = (of(0.0), of(0.2), of(0.999));
    assert!(none.0 < 1e-5 && none.1 == 1.0, "{none:?}");
    assert!(some.0 > 1e-3 && (0.1..0.9).contains(&some.1), "{some:?}");
    // Of 1 + … + 32 values for each head, hardly more than one for each query.
    assert!((32.0 / 528.0..0.1).contains(&most.1) && most.0 > some.0, "{most:?}");
    let plain = Decoder::load(&model, &SEEDED, 40).unwrap();
    assert!(Session::new(&plain, 32, 8).unwrap().share_read().is_none());
}

/// Seeded weights of which a layer has those of the one behind it, from the second on.
struct WithoutTheSecond;

impl Source for WithoutTheSecond {
    fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        let name = tensor.name.replacen("layers.1.", "layers.2.", 1);
        SEEDED.numbers(&Tensor { name, ..tensor.clone() })
    }
}

#[test]
fn the_block_in_the_middle_is_taken_out() {
    let whole = model("llama", [3, 4, 2, 8, 32, 48]);
    let without = named("block-out").unwrap().applied(&whole, &SEEDED, 24).unwrap();
    assert_eq!(
        (without.description.text.layers, without.description.parameters < whole.counted_parameters()),
        (2, true)
    );
    let of_two = Decoder::load(&model("llama", [2, 4, 2, 8, 32, 48]), &WithoutTheSecond, 24).unwrap();
    assert_eq!(logits(&without.decoder().unwrap(), &ids(20)), logits(&of_two, &ids(20)));
    let last = Tensor { name: "model.layers.1.input_layernorm.weight".to_owned(), ..whole.tensors()[0].clone() };
    let third = whole.tensors().into_iter().find(|one| one.name == "model.layers.2.input_layernorm.weight").unwrap();
    assert_eq!(without.numbers(&last).unwrap(), SEEDED.numbers(&third).unwrap());
}

#[test]
fn the_attention_of_the_block_in_the_middle_is_a_scan() {
    let model = model("qwen3", [3, 4, 2, 8, 32, 48]);
    let plain = Decoder::load(&model, &SEEDED, 40).unwrap();
    let decoder = named("linear-attention").unwrap().applied(&model, &SEEDED, 40).unwrap().decoder().unwrap();
    assert_eq!((plain.scans(), decoder.scans()), (0, 1));
    let first = |decoder: &Decoder| Session::new(decoder, 8, 8).unwrap().step(decoder, &ids(1)).unwrap().to_vec();
    assert!(off(&first(&decoder), &first(&plain)) < 1e-5, "of one value the mean is that value");
    let found = logits(&decoder, &ids(20));
    assert!(off(&found, &logits(&plain, &ids(20))) > 1e-3);

    let mut session = Session::new(&decoder, 40, 8).unwrap();
    let alone: Vec<f32> = ids(20).iter().flat_map(|id| session.step(&decoder, &[*id]).unwrap().to_vec()).collect();
    assert!(off(&alone[7 * 97..], &found) < 1e-5, "together or one by one");
    session.keep(12);
    let refused = session.step(&decoder, &[1]).unwrap_err().to_string();
    assert!(refused.contains("overwritten"), "{refused}");
    session.keep(0);
    let again: Vec<f32> = ids(20).iter().flat_map(|id| session.step(&decoder, &[*id]).unwrap().to_vec()).collect();
    assert_eq!(again, alone, "it has forgotten the text before");

    let bytes = |decoder: &Decoder, room: usize| Session::new(decoder, room, 8).unwrap().cache_bytes();
    let grown = |decoder: &Decoder| bytes(decoder, 40) - bytes(decoder, 20);
    assert_eq!(3 * grown(&decoder), 2 * grown(&plain), "a state does not grow");
}

#[test]
fn the_network_of_the_block_in_the_middle_is_parted_into_experts() {
    // Channels of which eight experts have not the same number.
    let model = model("qwen3", [3, 4, 2, 8, 32, 53]);
    let plain = Decoder::load(&model, &SEEDED, 40).unwrap();
    let of =
        |experts: [usize; 2]| by(Change::Experts(experts)).applied(&model, &SEEDED, 40).unwrap().decoder().unwrap();
    let exact = logits(&plain, &ids(20));
    assert!(off(&logits(&of([8, 8]), &ids(20)), &exact) < 1e-5, "through all of them it is what it was");
    let lost = [6, 2].map(|chosen| off(&logits(&of([8, chosen]), &ids(20)), &exact));
    assert!(lost[0] > 1e-5 && lost[1] > lost[0], "{lost:?}");

    let some = of([8, 2]);
    assert_eq!(some.held().numbers, plain.held().numbers);
    // Up and down of six of eight experts are not read, of which two matrices of 53 channels have a fraction.
    let passed_by = some.held().numbers - some.read_by_token().numbers;
    assert!(passed_by.abs_diff(2 * 32 * 53 * 6 / 8) <= 1, "{passed_by}");
    let mut session = Session::new(&some, 40, 8).unwrap();
    let together = session.step(&some, &ids(12)).unwrap().to_vec();
    let went = session.went().to_vec();
    assert_eq!((went.len(), went.iter().all(|went| went.count_ones() == 2 && *went < 256)), (12, true), "{went:?}");
    assert!(went.iter().any(|one| *one != went[0]), "each goes its own way");
    session.keep(0);
    let alone: Vec<f32> = ids(12).iter().flat_map(|id| session.step(&some, &[*id]).unwrap().to_vec()).collect();
    assert!(off(&alone, &together) < 1e-5 && session.went() == went, "together or one by one");
    assert!(Session::new(&plain, 8, 8).unwrap().went().is_empty());
}

#[test]
fn a_token_leaves_where_it_hardly_turns() {
    let model = model("llama", [6, 4, 2, 8, 32, 48]);
    let of = |alike: f64| {
        let plan = Plan { exit: Some(Exit { least: 50, alike }), ..Plan::default() };
        Decoder::planned(&model, &SEEDED, 24, &plan).unwrap()
    };
    let exact = logits(&Decoder::load(&model, &SEEDED, 24).unwrap(), &ids(20));
    assert_eq!(logits(&of(2.0), &ids(20)), exact, "no cosine is above 1");
    let depths = |alike: f64| {
        let decoder = of(alike);
        let mut session = Session::new(&decoder, 20, 8).unwrap();
        session.prefill(&decoder, &ids(8)).unwrap();
        for id in &ids(20)[8..] {
            session.step(&decoder, &[*id]).unwrap();
        }
        session.depths().to_vec()
    };
    assert_eq!(depths(-1.0), [vec![6; 8], vec![3; 12]].concat(), "a prompt goes through all layers");
    let some = depths(0.9);
    assert!(some.iter().all(|depth| (3..=6).contains(depth)), "{some:?}");
    assert!(off(&logits(&of(-1.0), &ids(20)), &exact) > 1e-3);
}

#[test]
fn a_search_takes_the_lowest_format_that_keeps_its_bound() {
    let model = model("qwen3", [2, 4, 2, 8, 32, 48]);
    let tried = |bound: f64| by(Change::Precision(bound)).applied(&model, &SEEDED, 24).unwrap();
    let strict = tried(0.0);
    assert_eq!((strict.tried.len(), mean_bits(&strict.tried, 2)), (4, 32.0));
    assert_eq!(strict.plan.forms.layers, [Form::Plain; 2]);
    let loose = tried(1e9);
    assert_eq!((loose.tried.len(), mean_bits(&loose.tried, 2)), (2, 4.0));
    // Between what four bits lose and what eight do.
    let [four, eight] = [0, 1].map(|format| strict.tried[format].off);
    assert!(four > 4.0 * eight && eight > 0.0, "{four} {eight}");
    let middle = tried((four * eight).sqrt());
    assert!(
        middle.tried.iter().filter(|one| one.layer == 0).map(|one| one.taken).eq([false, true]),
        "{:?}",
        middle.tried
    );
}

#[test]
fn who_does_not_take_a_technique_says_why() {
    let gpt2 = model("gpt-2", [2, 5, 5, 8, 40, 70]);
    let shared = model("llama", [1, 4, 1, 8, 32, 48]);
    let three = model("llama", [1, 6, 3, 8, 32, 48]);
    let narrow = model("llama", [2, 4, 2, 8, 32, 7]);
    for (name, model, why) in [
        ("heads-25", &gpt2, "fill the width"),
        ("channels-25", &gpt2, "without biases"),
        ("adaptive-precision", &gpt2, "without biases"),
        ("heads-25", &shared, "one key head"),
        ("heads-25", &three, "25 % of 3 key heads are not one"),
        ("early-exit", &shared, "through all"),
        ("block-out", &shared, "only block"),
        ("self-speculative", &shared, "only layer"),
        ("channels-25", &routed([5, 2]), "not for experts"),
        ("experts-2of8", &routed([5, 2]), "experts already"),
        ("experts-2of8", &gpt2, "has none"),
        ("experts-2of8", &narrow, "7 channels are fewer than 8 experts"),
        ("merge-10", &three, "those before it alone"),
        ("quiet-out", &three, "hears nothing"),
        ("patches-half", &three, "vision towers"),
    ] {
        let refused = named(name).unwrap().applied(model, &SEEDED, 8).map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains(name) && refused.contains(why), "{refused}");
    }
    for (name, what) in
        [("qwen3-vl-2b", "of images"), ("whisper-base", "of sound that it hears"), ("minilm-l6", "both directions")]
    {
        let model = benchbook_models::named(name).unwrap();
        let told = not_here(&model).unwrap();
        assert!(told.contains(what), "{told}");
        assert!(ALL[0].applied(&model, &SEEDED, 8).is_err());
    }
    for name in ["smollm2-135m", "qwen3-coder-30b", "glm-4.7-flash"] {
        assert!(not_here(&benchbook_models::named(name).unwrap()).is_none(), "{name}");
    }
}

/// Seeded weights of which one number of a tensor is none.
struct Broken(String);

impl Source for Broken {
    fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        let mut numbers = SEEDED.numbers(tensor)?;
        if tensor.name == self.0 {
            numbers[0] = f32::NAN;
        }
        Ok(numbers)
    }
}

#[test]
fn the_layer_that_breaks_a_model_is_named() {
    let model = model("llama", [3, 4, 2, 8, 32, 48]);
    let of = |tensor: String| Decoder::load(&model, &Broken(tensor), 40).unwrap();
    for layer in 0..3 {
        for part in ["self_attn.v_proj", "mlp.down_proj"] {
            let mut decoder = of(format!("model.layers.{layer}.{part}.weight"));
            assert_eq!(decoder.breaks_at(&ids(20)).unwrap(), Some(layer), "{part}");
            // It is as it was: the same layer is named again.
            assert_eq!(decoder.breaks_at(&ids(20)).unwrap(), Some(layer), "{part}");
        }
    }
    assert_eq!(of("lm_head.weight".to_owned()).breaks_at(&ids(20)).unwrap(), None, "no layer does");
    let mut whole = of(String::new());
    assert_eq!(whole.breaks_at(&ids(20)).unwrap(), None);
    assert_eq!(logits(&whole, &ids(20)), logits(&Decoder::load(&model, &SEEDED, 40).unwrap(), &ids(20)));
}
