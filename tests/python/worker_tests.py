"""Tests of the package benchbook_worker, run by python_engines.rs."""

import builtins
import ctypes
import gc
import importlib
import io
import os
import re
import struct
import symtable
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy
from benchbook_worker import Device, Engine, Setting, compare, devices, few_bits, machine, memory_of, own, rows, table
from benchbook_worker import time_of, whole_table, wire
from benchbook_worker.__main__ import served
from benchbook_worker.arrays import Numpy
from benchbook_worker.worker import Worker


def array(numbers, dtype="f32"):
    numbers = numpy.asarray(numbers, Numpy.names[dtype])
    return wire.Array(dtype, numbers.shape, bytearray(numbers.tobytes()))


def matmul(setting, inputs):
    return lambda: inputs["a"] @ inputs["b"]


def rounded(setting, inputs):
    """A product by whole numbers: the right factor is rounded before, the left one in the call."""
    weights = numpy.rint(inputs["b"])
    setting.stands_for |= {"b": weights, "a": numpy.rint}
    return lambda: numpy.rint(inputs["a"]) @ weights


class Counter:
    """A loop of three steps that doubles its input."""

    def __init__(self, setting, inputs):
        self.inputs = inputs

    def begin(self):
        self.made = []

    def step(self):
        self.made.append(2 * self.inputs["a"])
        return 1, len(self.made) < 3

    def result(self):
        return numpy.concatenate(self.made)


class TestWire(unittest.TestCase):
    def test_a_frame_comes_back_as_it_was_sent(self):
        pipe = io.BytesIO()
        wire.send(pipe, {"say": "prepared"}, [("a", array([[1, 2, 3]])), ("", array([True, False], "bool"))])
        pipe.seek(0)
        header, body = wire.receive(pipe)
        got = wire.arrays_of(header, body)
        self.assertEqual((header["say"], got["a"].shape, got["a"].data), ("prepared", (1, 3), array([1, 2, 3]).data))
        self.assertEqual(got[""].data, b"\x01\x00")
        self.assertIsNone(wire.receive(pipe))

    def test_what_is_no_frame_ends_the_worker(self):
        with self.assertRaises(SystemExit):
            wire.receive(io.BytesIO(struct.pack("<4sIQ", b"bbw9", 0, 0)))

    def test_a_packed_array_is_refused_by_its_name(self):
        header = {"arrays": [{"name": "w", "dtype": "i4lo", "shape": [2]}]}
        with self.assertRaisesRegex(ValueError, "`w` is i4lo"):
            wire.arrays_of(header, b"\0")


class TestArrays(unittest.TestCase):
    def test_bf16_is_rounded_to_the_nearest_and_to_even(self):
        # 1 + 2^-8 lies halfway between 1 and the next number, 1 + 3 · 2^-8 halfway before an even one.
        numbers = numpy.array([1, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -2.5], "f4")
        given = numpy.frombuffer(Numpy("cpu").give(numbers, "bf16").data, "<u2")
        self.assertEqual([hex(one) for one in given], ["0x3f80", "0x3f80", "0x3f82", "0x3f81", "0xc020"])

    def test_nan_and_infinities_stay_so_in_bf16(self):
        numbers = numpy.array([0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001, 0x7F800000, 0xFF800000], "u4").view("f4")
        given = numpy.frombuffer(Numpy("cpu").give(numbers, "bf16").data, "<u2").astype("u4") << 16
        self.assertEqual(numpy.isnan(given.view("f4")).tolist(), [True, True, True, False, False])
        self.assertEqual(given.view("f4")[3:].tolist(), [numpy.inf, -numpy.inf])

    def test_integers_keep_their_kind(self):
        given = Numpy("cpu").give(numpy.array([3, 4], "i4"), "f32")
        self.assertEqual((given.dtype, given.data), ("i64", struct.pack("<2q", 3, 4)))


    def test_arrays_begin_at_a_line_of_the_cache(self):
        for shape in [(3,), (2, 5), (1000, 1000)]:
            for dtype in ["f32", "f64", "bool"]:
                taken = Numpy("cpu").take(array(numpy.ones(shape), dtype), "f32")
                self.assertEqual((taken.shape, taken.ctypes.data % 64, taken.all()), (shape, 0, True))


class TestRows(unittest.TestCase):
    def test_versions_are_numbers(self):
        self.assertEqual(rows.parts("2.9.0+cu128"), (2, 9, 0))
        self.assertLess(rows.parts("1.9"), rows.parts("1.26"))
        self.assertEqual(rows.parts("0.0.33.post1"), (0, 0, 33))

    def test_a_package_is_missing_or_of_another_version(self):
        reason = Device("d", "e", (("no-such-package", "1", ""),)).unavailable()
        self.assertTrue(reason.startswith("the package no-such-package is missing"), reason)
        reason = Device("d", "e", (("no-such-package", "1", ""),), apart=True).unavailable()
        self.assertIn("`cargo xtask setup --engine e`", reason)
        self.assertIn("is needed", Device("d", "e", (("numpy", "99", ""),)).unavailable())
        self.assertIn("before 1", Device("d", "e", (("numpy", "0", "1"),)).unavailable())
        self.assertIsNone(Device("d", "e", (("numpy", "1", ""),)).unavailable())
        self.assertEqual(Device("d", "e", (("numpy", "1", ""),), absent=lambda: "no").unavailable(), "no")

    def test_a_row_may_need_more_than_its_device(self):
        def of(*needs):
            return rows.Row("a", "matmul", ("d",), ("f32",), matmul, needs=needs)

        with self.assertRaisesRegex(rows.Unsupported, "^the package no-such-package is missing"):
            of(("numpy", "1", ""), ("no-such-package", "1", "")).prepared(None, [{}])
        row = of(("numpy", "1", ""))
        self.assertEqual(row.packages(), [f"numpy {numpy.__version__}"])
        a = numpy.ones((2, 2))
        self.assertEqual(row.prepared(None, [{"a": a, "b": a}])[0]().tolist(), [[2, 2], [2, 2]])

    def test_what_comes_in_no_package_says_where_it_is_looked_for(self):
        with mock.patch.dict("os.environ"):
            os.environ.pop("FASTERTRANSFORMER_LIBRARY", None)
            self.assertIn("FASTERTRANSFORMER_LIBRARY", devices.no_library())
            os.environ["FASTERTRANSFORMER_LIBRARY"] = "/a/lib"
            self.assertEqual(devices.no_library(), devices.no_cuda())

    def test_the_table_fits_together(self):
        known = {device.name for device in table.DEVICES}
        seen = set()
        for row in table.ROWS:
            for device in row.devices:
                self.assertIn(device, known)
                self.assertNotIn((row.name, row.workload, device), seen)
                seen.add((row.name, row.workload, device))
        self.assertEqual(known, {device for _, _, device in seen}, "each device has a row")
        # A whole model says what it has packed while it is prepared.
        models = {row.workload for row in whole_table.MODELS}
        for row in table.ROWS:
            packs = row.packed or row.workload in models
            self.assertTrue(not row.approximates or packs, f"{row.name}: its weights are packed")

    def test_an_engine_is_served_in_one_python(self):
        def served_with(*words):
            kept, of = served(table.DEVICES, table.ROWS, [*words, "serve", "--threads", "1"])
            self.assertEqual({device.name for device in kept}, {name for row in of for name in row.devices}, words)
            return {device.name for device in kept}

        every = {device.name for device in table.DEVICES}
        self.assertEqual(served_with(), every)
        self.assertEqual(served_with("--only", "transformers"), {"transformers", "transformers-mkl"})
        self.assertEqual(served_with("--but", "transformers,numpy"), every - {"transformers", "transformers-mkl", "numpy"})
        self.assertEqual(served_with("--only", "no-such-engine"), set())

    def test_what_the_table_claims_stands_in_its_text(self):
        # There `list coverage` reads it, which starts no Python.
        folder = Path(table.__file__).parent
        text = "".join((folder / name).read_text() for name in ("row_kinds.py", "table.py", "whole_table.py"))
        claimed = {one for row in table.ROWS for one in row.catalogue}
        self.assertEqual(claimed, set(re.findall(r'"([A-Z]{2}[0-9]+)"', text)))

    def test_a_module_uses_no_name_that_it_lacks(self):
        # Nothing else reads those of engines that are not here.
        for path in Path(table.__file__).parent.glob("*.py"):
            scopes, used = [symtable.symtable(path.read_text(), path.name, "exec")], set()
            own_names = {one.get_name() for one in scopes[0].get_symbols() if one.is_assigned() or one.is_imported()}
            while scopes:
                scope = scopes.pop()
                scopes += scope.get_children()
                used |= {one.get_name() for one in scope.get_symbols() if one.is_referenced() and one.is_global()}
            self.assertEqual(used - own_names - {*dir(builtins), "__file__"}, set(), path.name)

    def test_a_parameter_is_found_by_its_name(self):
        setting = Setting("matmul", {"m": 3}, "f32", 1, "numpy")
        self.assertEqual(setting.m, 3)
        with self.assertRaisesRegex(AttributeError, "`masked`"):
            _ = setting.masked


    def test_a_metric_is_a_number_of_json_whatever_told_it(self):
        setting = Setting("matmul", {}, "f32", 1, "numpy")
        for value in [numpy.float32(2.5), 3, numpy.inf, -numpy.inf, numpy.nan]:
            setting.tell("m", value, "share")
        wire.send(io.BytesIO(), {"metrics": setting.metrics})
        self.assertEqual([one["value"] for one in setting.metrics], [2.5, 3, "inf", "-inf", "nan"])


class TestMachine(unittest.TestCase):
    def test_what_a_library_prints_is_heard_and_then_goes_where_it_went(self):
        def prints():
            print("by Python")
            ctypes.CDLL(None).puts(b"by C")
            os.write(1, b"past both\n")

        before = os.fstat(1)
        self.assertEqual(set(machine.printed(prints).splitlines()), {"by Python", "by C", "past both"})
        with self.assertRaises(ZeroDivisionError):
            machine.printed(lambda: 1 / 0)
        self.assertEqual(os.fstat(1)[:3], before[:3])


class TestWorker(unittest.TestCase):
    def setUp(self):
        device = Device("d", "e", (("numpy", "1", ""),))
        self.worker = Worker(
            [device],
            [
                rows.Row("r", "matmul", ("d",), ("f32", "bf16"), matmul, packed=("b",)),
                rows.Row("l", "loop", ("d",), ("f32",), Counter, loop=True),
                rows.Row("t", "tokens", ("d",), ("f16",), matmul, tokens=("ids",)),
                rows.Row("w", "matmul", ("d",), ("f32",), rounded, packed=("b",), approximates=True, on_request=True),
            ],
        )
        self.inputs = {"a": array([[1, 2], [3, 4]]), "b": array([[1, 0], [0, 1]])}

    def ask(self, what, inputs=(), **more):
        header, body = {"ask": what, **more, "arrays": []}, b""
        for name, one in dict(inputs).items():
            header["arrays"].append({"name": name, "dtype": one.dtype, "shape": one.shape})
            body += one.data
        return self.worker.answer(header, body)

    def prepare(self, **more):
        asked = {"trial": 1, "workload": "matmul", "params": {}, "implementation": "r", "device": "d"}
        asked |= {"dtype": "f32", "threads": 1, "copies": 2} | more
        return self.ask("prepare", self.inputs, **asked)

    def test_what_is_written_reaches_every_copy_and_packed_inputs_are_kept(self):
        told, outputs = self.prepare()
        self.assertEqual(told["writable"], [{"input": "a", "rows": 2, "width": 2}])
        self.assertEqual(outputs[0][1].data, array([[1, 2], [3, 4]]).data)
        row = {"values": array([7, 8])}
        told, _ = self.ask("run", row, trial=1, iterations=1, before=0, write={"input": "a", "row": 1})
        self.assertEqual((told["say"], told["iterations"]), ("ran", 1))
        self.assertGreater(told["elapsed_ns"], 0)
        for copy in self.worker.trials[1].copies:
            self.assertEqual(copy["a"].tolist(), [[1, 2], [7, 8]])
        self.assertGreater(told["cpu_ns"], 0)
        told, outputs = self.ask("finish", {"a": array([[5, 5], [6, 6]])}, trial=1)
        self.assertEqual(told["metrics"], [], "what its preparation had to tell is told already")
        self.assertEqual((told["say"], outputs[0][1].data), ("finished", array([[5, 5], [6, 6]]).data))
        self.assertEqual(self.worker.trials, {})

    def test_what_outlives_all_trials_is_not_looked_through_again(self):
        self.prepare(), self.prepare(trial=2)
        gc.unfreeze()
        frozen = [self.ask("drop", trial=trial) and gc.get_freeze_count() > 0 for trial in (1, 2)]
        self.assertEqual(frozen, [False, True])

    def test_tokens_are_written_as_they_are_whatever_is_computed_in(self):
        inputs = self.inputs | {"ids": array([1, 2, 3], "i32")}
        asked = {"workload": "tokens", "params": {}, "implementation": "t", "device": "d", "dtype": "f16"}
        told, _ = self.ask("prepare", inputs, trial=1, threads=1, copies=1, **asked)
        self.assertIn({"input": "ids", "rows": 1, "width": 3}, told["writable"])
        # f16 has neither of the first two.
        row = {"values": array([4097, 100_001, 5])}
        told, _ = self.ask("run", row, trial=1, iterations=1, before=0, write={"input": "ids", "row": 0})
        self.assertEqual((told["say"], self.worker.trials[1].copies[0]["ids"].tolist()), ("ran", [4097, 100_001, 5]))

    def test_an_approximation_says_what_it_computes_with(self):
        described = {row["name"]: row for row in self.worker.describe({}, {})["implementations"]}
        self.assertEqual([described[name]["approximates"] for name in "rw"], [False, True])
        self.assertEqual([described[name]["on_request"] for name in "rw"], [False, True])
        self.inputs = {"a": array([[1.2, 2.2], [3.7, 4.2]]), "b": array([[0.9, 0.2], [0.1, 1.1]])}
        told, outputs = self.prepare(implementation="w")
        self.assertEqual((told["writable"][0]["input"], len(told["writable"])), ("a", 1))
        self.assertEqual(outputs[0][1].data, array([[1, 2], [4, 4]]).data)
        told, numbers = self.ask("approximation", trial=1, seed=1)
        self.assertEqual(told, {"say": "stands_for"})
        numbers = {name: (one.dtype, one.shape, one.data) for name, one in numbers}
        self.assertEqual(numbers["a"], ("f32", (2, 2), array([[1, 2], [4, 4]]).data))
        self.assertEqual(numbers["b"], ("f32", (2, 2), array([[1, 0], [0, 1]]).data))
        # Of the inputs that are going to take the place of its own, before they do.
        _, numbers = self.ask("approximation", {"a": array([[5.4, 6.4], [7.4, 8.6]])}, trial=1, seed=2)
        self.assertEqual(dict(numbers)["a"].data, array([[5, 6], [7, 9]]).data)
        self.assertEqual(self.worker.trials[1].copies[0]["a"][0, 0], numpy.float32(1.2))
        rounding = {"bits": 8, "group": 32}
        self.worker.trials[1].setting.rounding = rounding
        self.assertEqual(self.ask("approximation", trial=1, seed=1)[0], {"say": "stands_for", "rounding": rounding})
        self.prepare(trial=2)
        self.assertEqual(self.ask("approximation", trial=2, seed=1)[0], {"say": "none"})

    def test_a_loop_tells_of_each_step(self):
        self.prepare(workload="loop", implementation="l")
        told, steps = self.ask("run", trial=1, iterations=1, before=1, steps=3)
        steps = {name: numpy.frombuffer(one.data, "<i8") for name, one in steps}
        self.assertEqual(steps["tokens"].tolist(), [1, 1, 1])
        self.assertEqual(told["started_ns"], steps["started_ns"][0])
        ended = steps["started_ns"] + steps["elapsed_ns"]
        self.assertEqual(told["started_ns"] + told["elapsed_ns"], ended[-1])
        self.assertTrue((ended[:-1] <= steps["started_ns"][1:]).all())

    def test_processor_time_is_that_of_the_steps_alone(self):
        self.prepare(workload="loop", implementation="l")
        # A clock that only what the loop does moves on: 1,000 ns to begin, 1 ns a step, 100 ns for its result.
        spent, moved = [0], {"begin": 1000, "step": 1, "result": 100}

        def moving(name, before):
            def moves(loop):
                spent[0] += moved[name]
                return before(loop)

            return moves

        changed = {name: moving(name, getattr(Counter, name)) for name in moved}
        with mock.patch.multiple(Counter, **changed), mock.patch.object(machine, "processor_ns", lambda: spent[0]):
            told, _ = self.ask("run", trial=1, iterations=1, before=1, steps=3)
        self.assertEqual(told["cpu_ns"], 3)

    def test_what_it_cannot_do_is_said(self):
        self.assertEqual(self.prepare(dtype="f64")[0]["say"], "unsupported")
        self.assertEqual(self.prepare(dtype="bf16")[0], {"say": "unsupported", "reason": "numpy has no bf16"})
        self.assertEqual(self.prepare(implementation="x")[0]["say"], "unsupported")
        self.assertEqual(self.ask("sing")[0]["say"], "failed")
        told = self.ask("run", trial=9, iterations=1, before=0)[0]
        self.assertEqual(told["say"], "failed")
        self.assertRegex(told["message"], "KeyError: 9 .*worker.py, line")
        self.assertEqual(self.ask("allocations", trial=1)[0], {"say": "none"})


class TestFewBits(unittest.TestCase):
    def test_four_bits_have_fifteen_steps_from_end_to_end(self):
        weights = numpy.zeros((2, 40), "f4")
        weights[0, :6] = [7.5, -7.5, 1, 0.4, -0.6, 3]
        weights[1, 35] = -15
        codes, scales = few_bits.four_bits(weights)
        self.assertEqual((codes.shape, scales.tolist()), ((2, 2, 32), [[1, 0], [0, 2]]))
        self.assertEqual(codes[0, 0, :6].tolist(), [7, -8, 1, 0, -1, 3])
        self.assertEqual((codes[1, 1, 3], numpy.abs(codes).sum()), (-8, 7 + 8 + 1 + 1 + 3 + 8))

    def test_what_is_rounded_is_off_by_half_a_step_at_most(self):
        numbers = numpy.random.default_rng(3).standard_normal((7, 75), "f4")
        narrow = lambda given: few_bits.rounded_to_bytes(given, numpy.float16)
        ways = ((few_bits.rounded_to_bytes, 1e-6), (narrow, 2**-11), (few_bits.rounded_by_reciprocal, 1e-6))
        for way, slack in ways:
            rounded = way(numbers)
            self.assertEqual((rounded.shape, rounded.dtype), (numbers.shape, numpy.dtype("f4")))
            for first in range(0, 75, 32):
                part, off = numbers[:, first : first + 32], (rounded - numbers)[:, first : first + 32]
                most = numpy.abs(part).max(-1)
                self.assertTrue((numpy.abs(off).max(-1) <= most * (0.5 / 127 + slack)).all())
                self.assertGreater(numpy.abs(off).max(), 0)
            self.assertEqual(way(numpy.zeros((1, 3), "f4")).tolist(), [[0, 0, 0]])

    def test_columns_of_bytes_reach_their_largest(self):
        codes, scales = few_bits.columns_of_bytes(numpy.array([[254, 0, -1], [-127, 0, 0.25]], "f4"))
        self.assertEqual((codes.tolist(), scales.tolist()[:2]), ([[127, 0, -127], [-64, 0, 32]], [2, 0]))

    def test_a_matrix_that_is_rounded_whole_has_256_steps_and_zero_among_them(self):
        # A step is 1, and zero is at 55: halves go to the even neighbour.
        numbers = numpy.array([[-55, 200, 0.5], [1.5, -0.5, 0]], "f4")
        self.assertEqual(few_bits.rounded_whole(numbers).tolist(), [[-55, 200, 0], [2, 0, 0]])
        # Zero is the least of numbers that are all above it.
        self.assertEqual(few_bits.rounded_whole(numpy.array([[510, 3, 1]], "f4")).tolist(), [[510, 4, 0]])
        self.assertEqual(few_bits.rounded_whole(numpy.zeros((2, 1), "f4")).tolist(), [[0], [0]])

    def test_packed_weights_fill_as_much_memory_as_the_copies_and_take_turns(self):
        # In 16 bits they are half of what they count.
        copies = [{"a": numpy.zeros((1, 4), "f2"), "b": numpy.zeros((4, 15), "f2")} for _ in range(2)]
        self.assertEqual([rows.sets_of(copies, held) for held in (32, 100, 256, 1000)], [16, 6, 2, 2])
        self.assertEqual(rows.sets_of(copies[:1], 32), 1)
        turns = rows.taking_turns(copies, ["first", "second", "third"])
        self.assertEqual([(one, inputs is copies[turn % 2]) for turn, (one, inputs) in enumerate(turns)][2], ("third", True))
        self.assertEqual(len(turns), 3)

    def test_blocks_of_llama_cpp_are_read_and_a_build_for_others_is_known(self):
        with mock.patch.dict(sys.modules, {"llama_cpp": SimpleNamespace()}):
            llama = importlib.import_module("benchbook_worker.llama_rows")
        half, whole = (llama.room(1, 1, kind) for kind in (llama.Q4_0, llama.Q8_0))
        half["scale"], half["codes"][0, 0, :2] = 0.5, [0x98, 0x0F]
        numbers = llama.numbers_of(half, llama.Q4_0)
        # The low halves are the first sixteen; zero stands for -8.
        self.assertEqual((numbers.shape, numbers[0, :2].tolist(), numbers[0, 16:18].tolist()), ((1, 32), [0, 3.5], [0.5, -4]))
        whole["scale"], whole["codes"][0, 0, :2] = 2, [-127, 3]
        self.assertEqual(llama.numbers_of(whole, llama.Q8_0)[0, :3].tolist(), [-254, 6, 0])
        self.assertEqual((half.dtype.itemsize, whole.dtype.itemsize), (18, 34))
        said = "CPU : SSE3 = 1 | AVX2 = 1 | FMA = 1 | AVX512 = 0 | OPENMP = 1 | "
        self.assertEqual(llama.lacks(said, ["avx2", "fma", "avx512f"]), ["AVX512"])
        self.assertEqual(llama.lacks(said, ["avx2", "fma"]), [])


class TestOwn(unittest.TestCase):
    def test_a_row_of_ones_own_is_described(self):
        engine = Engine("mine", "numpy", version="7")

        @engine.row("matmul", "by-hand")
        def prepare(setting, inputs):
            """By hand.

            And more."""

        told = Worker([engine.device], engine.rows).describe({}, {})
        self.assertEqual(told["implementations"][0]["about"], "By hand.")
        self.assertEqual(told["implementations"][0]["engines"], [["mine", "7"]])

    def test_a_function_that_works_twice_takes_longer(self):
        numbers = numpy.ones(100_000)
        once, twice = numbers.sum, lambda: (numbers.sum(), numbers.sum(), numbers.sum(), numbers.sum())
        lines = {line["name"]: line for line in compare({"once": once, "twice": twice})}
        self.assertEqual(lines["once"]["ratio"], 1)
        self.assertLess(lines["twice"]["high"], 1)
        self.assertLessEqual(lines["twice"]["low"], lines["twice"]["ratio"])
        self.assertEqual(len(time_of(once, samples=3)), 3)

    def test_an_interval_of_a_median_has_the_ranks_of_the_binomial(self):
        # Of 30 the 10th from either end leave 95.7 %; of 8 the second leave 93 %, and so it is the first.
        self.assertEqual([own.rank_of(count) for count in (6, 8, 9, 30)], [0, 0, 1, 9])
        for count in (1, 5):
            with self.assertRaisesRegex(ValueError, "6 or more"):
                compare({"one": lambda: None}, blocks=count)

    def test_a_sample_is_long_enough(self):
        calls = own.calls_for(lambda: None)
        self.assertGreater(calls, 100)

    def test_memory_shows_what_is_allocated(self):
        added = memory_of(lambda: numpy.ones(8_000_000).sum())
        if added is not None:
            self.assertGreater(added, 32_000_000)


if __name__ == "__main__":
    unittest.main()
