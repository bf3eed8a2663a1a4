"""An engine of one's own that does what no engine should: the way is its word.

Usage: PYTHONPATH=crates/engines/python python3 odd_engine.py WAY
"""

import ctypes
import hashlib
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy
from benchbook_worker import Engine, Unsupported

way = sys.argv[1]
odd = Engine(way, "numpy")


@odd.row("matmul", way, approximates=way in ("rounds", "zeros"))
def matmul(setting, inputs):
    def product():
        return inputs["a"] @ inputs["b"]

    def prints():
        print("I print what I like")
        os.write(1, b"and past every buffer\n")
        return product()

    def reads():
        assert os.read(0, 1) == b"", "a frame is not mine"
        return product()

    def dies():
        os.write(2, b"the first line\nthe last line before the end\n")
        os.abort()

    def hangs():
        ctypes.CDLL(None).pause()

    def late():
        # Once in a folder: longer than anybody waits for an answer, and then it is the right one.
        if not os.path.exists("was-late"):
            open("was-late", "x").close()
            time.sleep(11)
        return product()

    first = []

    def keeps_first():
        if not first:
            first.append(product())
        return first[0]

    pool, much = ThreadPoolExecutor(3), bytes(1 << 20)

    def fights():
        # What is digested is so by a thread that Python's own lock does not hold.
        others = [pool.submit(hashlib.sha256, much) for _ in range(3)]
        result = product()
        for one in others:
            one.result()
        return result

    def raises():
        raise ValueError("the first line\nthe last line of the engine")

    def refuses():
        raise Unsupported("it takes no matrices at all")

    def shape():
        return product().reshape(-1)

    def nan():
        return numpy.full_like(product(), numpy.nan)

    def few_bits(numbers):
        return numbers.astype("f2").astype("f4")

    def rounds():
        return inputs["a"] @ few_bits(inputs["b"])

    def zeros():
        return 0 * inputs["a"] @ inputs["b"]

    if way in ("rounds", "zeros"):
        setting.stands_for["b"] = few_bits if way == "rounds" else numpy.zeros_like

    ways = {"prints": prints, "reads": reads, "dies": dies, "hangs": hangs, "late": late}
    ways |= {"raises": raises, "refuses": refuses, "rounds": rounds, "zeros": zeros}
    ways |= {"other-shape": shape, "not-a-number": nan, "keeps-first": keeps_first, "fights": fights}
    return ways[way]


if __name__ == "__main__":
    odd.serve()
