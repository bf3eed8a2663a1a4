//! What tells the blocks of models apart.

/// The model whose block it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// GPT-2 (Radford et al., *Language Models are Unsupervised Multitask Learners*, 2019, section 2.3).
    Gpt2,
    /// BERT (Devlin et al., arXiv 1810.04805, section 3).
    Bert,
    /// LLaMA (Touvron et al., arXiv 2302.13971, section 2.2), with grouped-query heads as in LLaMA 2 (arXiv 2307.09288).
    Llama,
    /// Qwen3 (arXiv 2505.09388, section 2).
    Qwen3,
}

impl Architecture {
    /// Their names, in parameters.
    pub const NAMES: [&str; 4] = ["gpt-2", "bert", "llama", "qwen3"];

    /// The one of this name; any other name is LLaMA's.
    pub fn of(name: &str) -> Self {
        match name {
            "gpt-2" => Self::Gpt2,
            "bert" => Self::Bert,
            "qwen3" => Self::Qwen3,
            _ => Self::Llama,
        }
    }

    /// Whether norms follow the sums, in the place of going before attention and before the feed-forward part.
    pub fn post_norm(self) -> bool {
        self == Self::Bert
    }

    /// Whether a position sees none after itself.
    pub fn causal(self) -> bool {
        self != Self::Bert
    }

    /// Whether norms are layer norms and products have biases; otherwise norms are RMS norms and nothing has a bias.
    pub fn biased(self) -> bool {
        matches!(self, Self::Gpt2 | Self::Bert)
    }

    /// Whether queries and keys are turned by their position, and the feed-forward part is a SwiGLU. Elsewhere positions are
    /// learned, and are a part of what comes into the first block.
    pub fn rotary(self) -> bool {
        !self.biased()
    }

    /// Whether each head's query and key has an RMS norm of its own before it is turned.
    pub fn head_norms(self) -> bool {
        self == Self::Qwen3
    }
}
