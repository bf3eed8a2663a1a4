//! The parts of the table of real models. Each is one case, so that its replicates share the time of a run fairly.

/// What is measured of a model, in runs of its own that have this name as their tag.
pub struct Part {
    pub name: &'static str,
    pub model: &'static str,
    /// What brings what it needs: words of `cargo xtask data`.
    pub data: &'static str,
    pub workload: &'static str,
    implementations: &'static str,
    params: &'static [&'static str],
    /// Parameters that a quick look has instead of some; nothing where it leaves the part out.
    pub quick: Option<&'static str>,
    /// Fresh processes that its rows are to have: five for an interval over them, one where that is over items.
    pub replicates: u32,
    /// Samples in each.
    blocks: u32,
    pub says: Says,
}

/// What a part says of an implementation.
#[derive(Clone, Copy, PartialEq)]
pub enum Says {
    /// Tokens a second behind the first one.
    Tokens,
    /// The time of a call.
    Calls,
    /// A metric of quality by its name.
    Quality(&'static str),
}

const MINILM: &str = "weights=minilm-l6 layers=6 heads=12 width=384 hidden=1536 vocabulary=30522 seq=128";
const WHISPER: &str = "weights=whisper-base layers=6 heads=8 width=512 hidden=2048 bins=80 batch=1 frames=3000";
const SMOLLM2: &str = "weights=smollm2-135m layers=30 heads=9 kv_heads=3 head_dim=64 width=576 hidden=1536 vocabulary=49152 \
                       rotary_base=100000 prompt=8 tokens=64";

/// Encoders of every engine, each at its best, and in 8 bits.
const ENCODERS: &str = "fused,model,graph,sdpa-flash,compile-frozen,graph-int8,model-int8,torchao-int8-dynamic";

/// In the order of the table: the ones that take least come first.
pub static PARTS: [Part; 6] = [
    Part {
        name: "sentiment",
        model: "all-MiniLM-L6-v2",
        data: "minilm-l6 sentiment",
        workload: "embedding-quality",
        implementations: "encoder,encoder-int8-rounded,encoder-int4-rounded",
        params: &["model=minilm-l6 texts=sentiment"],
        quick: Some(""),
        replicates: 1,
        blocks: 1,
        says: Says::Quality("f1_macro"),
    },
    Part {
        name: "perplexity",
        model: "SmolLM2-135M",
        data: "smollm2-135m brown",
        workload: "text-quality",
        implementations: "decoder,decoder-bf16,decoder-int8,decoder-int4",
        params: &["model=smollm2-135m tokens=64"],
        quick: Some("tokens=16"),
        replicates: 1,
        blocks: 1,
        says: Says::Quality("perplexity"),
    },
    Part {
        name: "texts-1",
        model: "all-MiniLM-L6-v2",
        data: "minilm-l6",
        workload: "text-encoder",
        implementations: ENCODERS,
        params: &[MINILM, "batch=1"],
        quick: Some(""),
        replicates: 5,
        blocks: 10,
        says: Says::Calls,
    },
    Part {
        name: "texts-32",
        model: "all-MiniLM-L6-v2",
        data: "minilm-l6",
        workload: "text-encoder",
        implementations: ENCODERS,
        params: &[MINILM, "batch=32"],
        quick: None,
        replicates: 5,
        blocks: 10,
        says: Says::Calls,
    },
    Part {
        name: "sounds",
        model: "Whisper base, its encoder",
        data: "whisper-base",
        workload: "audio-encoder",
        implementations: ENCODERS,
        params: &[WHISPER],
        quick: Some(""),
        replicates: 5,
        blocks: 5,
        says: Says::Calls,
    },
    Part {
        name: "tokens",
        model: "SmolLM2-135M",
        data: "smollm2-135m",
        workload: "generate",
        implementations: "kv-cache,kv-cache-bf16,kv-cache-int8,kv-cache-int4,kv-cache-q4-1,kv-cache-eager,model,numpy",
        params: &[SMOLLM2],
        quick: Some("tokens=8"),
        replicates: 5,
        blocks: 3,
        says: Says::Tokens,
    },
];

impl Part {
    /// Its implementations; a quick look waits for no compiler, and leaves those out that nobody would decode with, or whose
    /// rounding takes their right answer minutes.
    pub fn taken(&self, quick: bool) -> Vec<&'static str> {
        self.implementations.split(',').filter(|name| !quick || !self.is_slow(name)).collect()
    }

    fn is_slow(&self, name: &str) -> bool {
        let is_rounded = self.says == Says::Calls && name.contains("int8");
        is_rounded || name.starts_with("compile") || name.ends_with("-eager") || name == "numpy"
    }

    /// The words that measure so many replicates of it, in so many seconds where these are known.
    pub fn words(&self, quick: bool, replicates: u32, seconds: Option<f64>) -> Vec<String> {
        let mut words = ["run", self.workload, "--tag", self.name].map(str::to_owned).to_vec();
        for param in self.params.iter().flat_map(|some| some.split(' ')) {
            let same = |other: &&str| other.split('=').next() == param.split('=').next();
            let instead = self.quick.filter(|_| quick).and_then(|some| some.split(' ').find(same));
            words.extend(["--set".to_owned(), instead.unwrap_or(param).to_owned()]);
        }
        words.extend(["--implementation".to_owned(), self.taken(quick).join(",")]);
        words.extend(["--replicates".to_owned(), replicates.to_string()]);
        words.extend(["--blocks".to_owned(), self.blocks.to_string(), "--timeout".to_owned(), "20m".to_owned()]);
        if let Some(seconds) = seconds {
            words.extend(["--time".to_owned(), format!("{}s", seconds.ceil().max(1.0))]);
        }
        words
    }
}

#[cfg(test)]
pub fn part(name: &str) -> &'static Part {
    PARTS.iter().find(|part| part.name == name).expect(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_one_case_and_has_its_whole_form_and_a_quick_one() {
        for part in &PARTS {
            let full = part.words(false, part.replicates, Some(90.5));
            let sets = |words: &[String]| -> Vec<String> {
                words.windows(2).filter(|pair| pair[0] == "--set").map(|pair| pair[1].clone()).collect()
            };
            // A list would be a sweep: several cases, whose replicates do not take as long as each other.
            assert!(sets(&full).iter().all(|set| set.contains('=') && !set.contains(',')), "{full:?}");
            assert!(full.ends_with(&["--time".to_owned(), "91s".to_owned()]), "{full:?}");
            let Some(instead) = part.quick else { continue };
            let quick = part.words(true, 1, None);
            assert_eq!(sets(&quick).len(), sets(&full).len(), "{}", part.name);
            assert!(!quick.contains(&"--time".to_owned()), "{quick:?}");
            for set in instead.split(' ').filter(|set| !set.is_empty()) {
                assert!(sets(&quick).iter().any(|one| one == set), "{set} in {quick:?}");
                assert!(!sets(&full).iter().any(|one| one == set), "{set} in {full:?}");
            }
        }
        assert_eq!(part("sounds").taken(true), ["fused", "model", "graph", "sdpa-flash"]);
        assert!(part("tokens").words(false, 5, None).contains(&"tokens=64".to_owned()), "the check over 64 tokens");
    }
}
