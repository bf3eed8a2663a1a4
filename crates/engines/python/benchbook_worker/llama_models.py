"""llama.cpp: a LLaMA that makes tokens, from a file of its own form (GGUF) that is written with the weights of a case."""

import tempfile
from pathlib import Path

import gguf
import llama_cpp
import numpy

from .few_bits import GROUP
from .llama_rows import native
from .names import EPSILON
from .rows import Unsupported

#: Names of tensors there, and of our inputs.
BLOCK = {"attn_q": "w_query", "attn_k": "w_key", "attn_v": "w_value", "attn_output": "w_out"}
BLOCK |= {"ffn_gate": "w_gate", "ffn_up": "w_up", "ffn_down": "w_down"}
NORMS = {"attn_norm": "norm_1", "ffn_norm": "norm_2"}
TABLES = {"token_embd": "embedding", "output": "head"}

#: Formats of matrices, and of the tables of tokens, as the file has them in which SmolLM2-135M comes.
OF_MATRICES, OF_TABLES = gguf.GGMLQuantizationType.Q4_1, gguf.GGMLQuantizationType.Q8_0

#: The base of the angles of a case that names none.
BASE = 10_000
#: Tokens of a prompt that are computed at a time at most, as it has it by itself.
MOST_AT_ONCE = 512


def in_pairs(rows, heads):
    """Rows of queries or keys as they are turned there: numbers beside each other are a pair, which are half a head apart here."""
    return rows.reshape(heads, 2, -1, rows.shape[-1]).swapaxes(1, 2).reshape(rows.shape)


def positions(setting):
    """Positions of a case: of the prompt, and of the tokens that are made, where some are."""
    return setting.prompt + setting.params.get("tokens", 0)


def refuse(setting, x):
    if setting.architecture != "llama":
        raise Unsupported("only a LLaMA is written in its form here")
    inner = {name: x[name].shape[-1] for name in (*BLOCK.values(), *TABLES.values())}
    odd = next((name for name, width in inner.items() if width % GROUP), None)
    if odd:
        raise Unsupported(f"its formats have blocks of {GROUP} along the sum, and {inner[odd]} of {odd} is no multiple")


def written(setting, x, path):
    """Writes the file; what its codes stand for is what the setting says then. Tells the bytes of the weights."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(setting.layers)
    writer.add_context_length(positions(setting))
    writer.add_embedding_length(setting.width)
    writer.add_feed_forward_length(setting.hidden)
    writer.add_head_count(setting.heads)
    writer.add_head_count_kv(setting.kv_heads)
    writer.add_key_length(setting.head_dim)
    writer.add_value_length(setting.head_dim)
    writer.add_rope_dimension_count(setting.head_dim)
    writer.add_rope_freq_base(float(setting.params.get("rotary_base", BASE)))
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_vocab_size(setting.vocabulary)
    writer.add_tokenizer_model("none")
    held = 0

    def plain(name, numbers):
        nonlocal held
        writer.add_tensor(f"{name}.weight", numpy.ascontiguousarray(numbers, "f4"))
        held += numbers.nbytes

    def coded(name, rows, kind, heads=0):
        """Adds a matrix in a format, and gives what it stands for."""
        nonlocal held
        codes = gguf.quants.quantize(numpy.ascontiguousarray(rows, "f4"), kind)
        laid = numpy.ascontiguousarray(in_pairs(codes, heads) if heads else codes)
        writer.add_tensor(f"{name}.weight", laid, raw_dtype=kind)
        held += laid.nbytes
        return gguf.quants.dequantize(codes, kind).astype("f4")

    for theirs, ours in TABLES.items():
        setting.stands_for[ours] = coded(theirs, x[ours], OF_TABLES)
    plain("output_norm", x["last_norm"])
    stands_for = {ours: [] for ours in BLOCK.values()}
    turned = {"w_query": setting.heads, "w_key": setting.kv_heads}
    for layer in range(setting.layers):
        for theirs, ours in BLOCK.items():
            numbers = coded(f"blk.{layer}.{theirs}", x[ours][layer], OF_MATRICES, turned.get(ours, 0))
            stands_for[ours].append(numbers)
        for theirs, ours in NORMS.items():
            plain(f"blk.{layer}.{theirs}", x[ours][layer])
    setting.stands_for |= {ours: numpy.stack(layers) for ours, layers in stands_for.items()}
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return held


class Generate:
    """`generate` of one copy of the inputs; products round what they multiply by to 8 bits in groups of 32."""

    def __init__(self, setting, inputs):
        native()
        refuse(setting, inputs)
        self.setting, self.inputs = setting, inputs
        llama_cpp.llama_backend_init()
        # It maps the file, which lives as long as the map without its name.
        with tempfile.TemporaryDirectory(prefix="benchbook-llama-") as folder:
            path = str(Path(folder) / "model.gguf")
            setting.tell("weight_bytes", written(setting, inputs, path), "bytes")
            self.context = setting.timed("compile_ns", lambda: self.opened(path))
        setting.rounding = {"bits": 8, "group": GROUP}
        setting.packed = tuple(name for name in inputs if name != "prompt")

    def opened(self, path):
        setting = self.setting
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            raise RuntimeError("llama.cpp does not read the file that was written for it")
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = positions(setting)
        params.n_batch, params.n_ubatch = max(setting.prompt, 1), min(max(setting.prompt, 1), MOST_AT_ONCE)
        params.n_threads = params.n_threads_batch = setting.threads
        context = llama_cpp.llama_init_from_model(self.model, params)
        if not context:
            raise RuntimeError("llama.cpp makes no context of its model")
        return context

    def begin(self):
        self.made = []
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def behind(self, taken):
        """Takes tokens, and gives the logits behind the last of them, which stay until the next are taken."""
        tokens = (llama_cpp.llama_token * len(taken))(*taken)
        if llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(tokens, len(taken))):
            raise RuntimeError("llama.cpp could not compute the next token")
        logits = llama_cpp.llama_get_logits_ith(self.context, -1)
        return numpy.ctypeslib.as_array(logits, (self.setting.vocabulary,))

    def step(self):
        """Makes the next token; tells how many were made, and whether there are more to make."""
        taken = self.made[-1:] or [int(token) for token in self.inputs["prompt"]]
        self.made.append(int(self.behind(taken).argmax()))
        return 1, len(self.made) < self.setting.tokens

    def result(self):
        return numpy.array(self.made)[:, None]

    def __del__(self):
        for held, free in (("context", llama_cpp.llama_free), ("model", llama_cpp.llama_model_free)):
            if getattr(self, held, None):
                free(getattr(self, held))


class Prefill(Generate):
    """`prefill` likewise, a chunk of the prompt a step."""

    def begin(self):
        super().begin()
        self.taken = 0

    def step(self):
        """Takes the next chunk; tells that no token was made, and whether more is to be taken."""
        chunk = [int(token) for token in self.inputs["prompt"][self.taken : self.taken + self.setting.chunk]]
        self.logits = self.behind(chunk)
        self.taken += len(chunk)
        return 0, self.taken < self.setting.prompt

    def result(self):
        return self.logits[None].copy()
