"""Tests of the functions of PyTorch in the package benchbook_worker, run by python_engines.rs."""

import unittest
from types import SimpleNamespace
from unittest import mock

import torch
from benchbook_worker import Setting, latent, machine, torch_rows, training_rows, transformer
from benchbook_worker.arrays import Torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

#: A step of decoding: one position beside 63 in the cache.
STEP = {"batch": 1, "heads": 4, "seq_q": 1, "seq_kv": 64, "width": 32, "query_rank": 16, "kv_rank": 16}
STEP |= {"head_dim": 8, "rotary_dim": 4, "value_dim": 8}


def inputs_of(params):
    """Inputs of `latent-attention`, as the workload has them."""
    heads, width, rank, of_query = (params[name] for name in ("heads", "width", "kv_rank", "query_rank"))
    key, place, value = (params[name] for name in ("head_dim", "rotary_dim", "value_dim"))
    shapes = {"w_dq": (width, of_query), "w_uq": (of_query, heads * key), "w_qr": (of_query, heads * place)}
    shapes |= {"w_dkv": (width, rank), "w_kr": (width, place), "w_uk": (rank, heads * key)}
    shapes |= {"w_uv": (rank, heads * value), "w_out": (heads * value, width)}
    shapes |= {"query_gain": (of_query,), "kv_gain": (rank,)}
    shapes["input"] = (params["batch"], params["seq_q"], width)
    if before := params["seq_kv"] - params["seq_q"]:
        shapes["cache"] = (params["batch"], before, rank + place)
    numbers = torch.Generator().manual_seed(1)
    return {name: torch.randn(shape, generator=numbers, dtype=torch.float64) for name, shape in shapes.items()}


def solved(program, params):
    """What a program gives, and the operations of its products."""
    inputs = inputs_of(params)
    call = program.make(Setting("latent-attention", params, "f64", 1, "torch"), inputs)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        outputs = call(*[inputs[name] for name in program.names(inputs)])
    return outputs, counter.get_total_flops()


class TestPlace(unittest.TestCase):
    def test_a_result_of_the_processor_is_none_of_a_gpu(self):
        self.assertEqual(Torch("cpu").give(torch.ones(2), "f32").shape, (2,))
        with self.assertRaisesRegex(RuntimeError, "lies on cpu, and cuda was asked for"):
            Torch("cuda").give(torch.ones(2), "f32")
        self.assertEqual(Torch("cuda").give(torch.tensor([3]), "f32").shape, (1,))


class TestRan(unittest.TestCase):
    @unittest.skipUnless(torch.backends.mkldnn.is_available(), "this torch has no oneDNN")
    def test_onednn_tells_its_instructions_and_says_no_more_afterwards(self):
        taken = torch_rows.onednn()
        self.assertRegex(taken, "AVX|SSE|SVE|AArch64")
        self.assertIn(f"oneDNN {taken}, ATen ", torch_rows.ran(SimpleNamespace(place="cpu")))
        self.assertEqual(machine.printed(lambda: torch.ones(1).to_mkldnn()), "")


class TestLatent(unittest.TestCase):
    ways = {"formula": latent.FORMULAS, "fused": latent.FUSED, "mixed": latent.MIXED}

    def test_a_step_of_decoding_makes_no_keys_of_the_cache(self):
        _, of_keys = solved(latent.FORMS["latent-attention", "expanded"], STEP)
        for name, way in self.ways.items():
            _, operations = solved(way["latent-attention"], STEP)
            self.assertLess(operations, of_keys / 4, name)

    def test_all_ways_are_the_same_function(self):
        for params in (STEP, STEP | {"seq_q": 5}, STEP | {"seq_q": 64}, STEP | {"batch": 3, "seq_q": 64, "value_dim": 17}):
            right, _ = solved(latent.FORMS["latent-attention", "expanded"], params)
            for name, way in self.ways.items():
                found, _ = solved(way["latent-attention"], params)
                for one, other in zip(right, found, strict=True):
                    torch.testing.assert_close(other, one, msg=lambda said: f"{name} of {params}: {said}")


#: A block of GPT-2 and one of Qwen3.
BLOCKS = [
    {"architecture": "gpt-2", "seq": 5, "heads": 2, "kv_heads": 2, "head_dim": 4, "width": 8, "hidden": 12},
    {"architecture": "qwen3", "seq": 5, "heads": 4, "kv_heads": 2, "head_dim": 6, "width": 10, "hidden": 12},
]


def block_inputs_of(params):
    """Inputs of `transformer-block`, as the workload has them."""
    width, hidden, qwen = params["width"], params["hidden"], params["architecture"] == "qwen3"
    query, kv = (params[name] * params["head_dim"] for name in ("heads", "kv_heads"))
    shapes = {"query": (width, query), "key": (width, kv), "value": (width, kv), "out": (query, width)}
    shapes |= {"up": (width, hidden), "down": (hidden, width)} | ({"gate": (width, hidden)} if qwen else {})
    biases = {} if qwen else {f"b_{name}": shape[1:] for name, shape in shapes.items()}
    vectors = {name: (width,) for name in ("gain_1", "gain_2", *(() if qwen else ("bias_1", "bias_2")))}
    vectors |= {name: (params["head_dim"],) for name in (("query_gain", "key_gain") if qwen else ())}
    shapes = {f"w_{name}": shape for name, shape in shapes.items()} | biases | vectors
    shapes["input"] = (2, params["seq"], width)
    numbers = torch.Generator().manual_seed(2)
    return {name: torch.randn(shape, generator=numbers, dtype=torch.float64) for name, shape in shapes.items()}


class TestBlock(unittest.TestCase):
    def test_all_ways_are_the_same_function(self):
        for params in BLOCKS:
            inputs, setting = block_inputs_of(params), Setting("transformer-block", params, "f64", 1, "torch")
            found = []
            for way in (transformer.FORMULAS, transformer.FUSED, transformer.NORMED):
                program = way["transformer-block"]
                found.append(program.make(setting, inputs)(*[inputs[name] for name in program.names(inputs)]))
            for other in found[1:]:
                torch.testing.assert_close(other, found[0], msg=lambda said: f"{params}: {said}")

    def test_graphs_for_other_engines_have_norms_that_are_one_operation(self):
        for params, (name, count) in zip(BLOCKS, [("layer_norm", 2), ("rms_norm", 4)], strict=True):
            inputs, setting = block_inputs_of(params), Setting("transformer-block", params, "f64", 1, "torch")
            program = transformer.NORMED["transformer-block"]
            with mock.patch.object(functional, name, wraps=getattr(functional, name)) as norm:
                program.make(setting, inputs)(*[inputs[name] for name in program.names(inputs)])
            self.assertEqual(norm.call_count, count, params)


#: A GPT-2 that is trained in no time.
TRAINING = {"layers": 1, "heads": 1, "width": 4, "vocabulary": 5, "batch": 1, "seq": 2, "steps": 3, "rate": 1e-3}


def training_inputs_of(params):
    """Inputs of `gpt2-training`, as the workload has them."""
    layers, width, words = (params[name] for name in ("layers", "width", "vocabulary"))
    shapes = {"wte": (words, width), "wpe": (params["seq"], width)}
    shapes |= {"norm_gain": (2 * layers + 1, width), "norm_bias": (2 * layers + 1, width)}
    shapes |= {"qkv": (layers, width, 3 * width), "qkv_bias": (layers, 3 * width)}
    shapes |= {"merge": (layers, width, width), "merge_bias": (layers, width)}
    shapes |= {"up": (layers, width, 4 * width), "up_bias": (layers, 4 * width)}
    shapes |= {"down": (layers, 4 * width, width), "down_bias": (layers, width)}
    numbers = torch.Generator().manual_seed(2)
    inputs = {name: torch.randn(shape, generator=numbers) for name, shape in shapes.items()}
    ids = torch.randint(words, (params["steps"], params["batch"], params["seq"] + 1), generator=numbers)
    return inputs | {"ids": ids}


class TestTraining(unittest.TestCase):
    def looped(self, params):
        training = training_rows.Eager(Setting("gpt2-training", params, "f32", 1, "torch"), training_inputs_of(params))
        training.begin()
        while training.step()[1]:
            pass
        return training.result()

    def test_a_loss_that_is_no_number_is_told_with_its_step(self):
        losses, norms = self.looped(TRAINING)
        self.assertEqual((losses.shape, norms.shape), ((3, 1), (3, 12)))
        with self.assertRaisesRegex(ValueError, "diverged: the loss of step 2 of 3 is "):
            self.looped(TRAINING | {"rate": 1e29})


if __name__ == "__main__":
    unittest.main()
