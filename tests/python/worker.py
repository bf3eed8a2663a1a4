"""A worker in another language: it solves `matmul` with numpy, beside the kernels of benchbook.

    benchbook worker check "python3 worker.py"
    benchbook run matmul --quick --worker "numpy=python3 worker.py"

It speaks the wire (ARCHITECTURE.md, "The wire") with Python's standard library; numpy does the work.
"""

import itertools
import json
import math
import os
import struct
import sys
import time

import numpy

HEAD = struct.Struct("<4sIQ")  # the magic, bytes of the header, bytes of the body
DTYPES = {"f64": numpy.dtype("<f8"), "f32": numpy.dtype("<f4")}


def receive(pipe):
    """The next frame: its header and its body; nothing once the controller is gone."""
    head = pipe.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    magic, header_bytes, body_bytes = HEAD.unpack(head)
    if magic != b"bbw3":
        sys.exit(f"a frame begins with bbw3, not with {magic}")
    return json.loads(pipe.read(header_bytes)), pipe.read(body_bytes)


def arrays_of(header, body):
    """The arrays of a frame by their names: each lies in the body, after the one before it, or in a file."""
    arrays, at = {}, 0
    for one in header.get("arrays", []):
        dtype, count = DTYPES[one["dtype"]], math.prod(one["shape"])
        if "file" in one:
            array = numpy.fromfile(one["file"], dtype, count, offset=one["at"])
        else:
            array = numpy.frombuffer(body, dtype, count, at)
            at += array.nbytes
        arrays[one["name"]] = array.reshape(one["shape"])
    return arrays


def send(pipe, header, arrays):
    told = [{"name": n, "dtype": f"f{8 * a.itemsize}", "shape": a.shape} for n, a in arrays.items()]
    text = json.dumps({**header, "arrays": told}).encode()
    body = b"".join(array.tobytes() for array in arrays.values())
    pipe.write(HEAD.pack(b"bbw3", len(text), len(body)) + text + body)
    pipe.flush()


def processor_ns():
    """Processor time of this process, exact by the clock of each of its threads."""
    # A clock of a thread: its number inverted, CPUCLOCK_PERTHREAD_MASK and CPUCLOCK_SCHED (linux/posix-timers.h).
    return sum(time.clock_gettime_ns((~int(thread) << 3) | 6) for thread in os.listdir("/proc/self/task"))


def resident_bytes(mark):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(mark))


class Trial:
    """C = A·B on copies of the inputs, which the calls take in turn."""

    def __init__(self, ask, inputs):
        dtype = DTYPES[ask["dtype"]]
        self.copies = [{name: inputs[name].astype(dtype) for name in "ab"} for _ in range(ask["copies"])]
        self.turns = itertools.cycle([(copy["a"], copy["b"]) for copy in self.copies])

    def call(self, times):
        for a, b in itertools.islice(self.turns, times):
            self.product = a @ b

    def outputs(self):
        return {"output": self.product}


class Worker:
    def __init__(self):
        self.trials = {}

    def describe(self, ask, inputs):
        engine = ["numpy", numpy.__version__]
        threads = int(os.environ.get("OPENBLAS_NUM_THREADS", os.cpu_count()))
        matmul = {"name": "numpy", "workload": "matmul", "about": "a @ b, by the BLAS that numpy is linked with"}
        matmul |= {"devices": ["numpy"], "engines": [engine], "catalogue": [], "inputs": "sent"}
        device = {"name": "numpy", "engine": engine[0], "engine_version": engine[1], "unavailable": None}
        known = {"workloads": [], "implementations": [matmul], "devices": [device]}
        return {"say": "description", **known, "build": [], "thread_pools": [["openblas", threads]]}

    def prepare(self, ask, inputs):
        if ask["dtype"] not in DTYPES:
            return {"say": "unsupported", "reason": f"numpy multiplies no {ask['dtype']} matrices"}
        trial = self.trials[ask["trial"]] = Trial(ask, inputs)
        trial.call(1)
        rows = [{"input": name, "rows": len(inputs[name]), "width": inputs[name].shape[1]} for name in "ab"]
        return {"say": "prepared", "metrics": [], "writable": rows, "processes": [], "memory": "resident"}, trial.outputs()

    def run(self, ask, arrays):
        trial, write = self.trials[ask["trial"]], ask.get("write")
        trial.call(ask["before"])
        for copy in trial.copies if write else []:
            copy[write["input"]][write["row"]] = arrays["values"]
        processor = processor_ns()
        started = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        trial.call(ask["iterations"])
        elapsed = time.clock_gettime_ns(time.CLOCK_MONOTONIC) - started
        told = {"say": "ran", "iterations": ask["iterations"], "started_ns": started, "elapsed_ns": elapsed}
        return {**told, "cpu_ns": processor_ns() - processor}

    def finish(self, ask, inputs):
        trial = self.trials.pop(ask["trial"])
        for copy, name in itertools.product(trial.copies, inputs):
            copy[name][:] = inputs[name]
        trial.call(1)
        return {"say": "finished"}, trial.outputs()

    def memory(self, ask, inputs):
        trial = Trial(ask, inputs)
        trial.call(1)  # loads code too
        with open("/proc/self/clear_refs", "w") as peak:
            peak.write("5")  # sets the peak back to what is resident now
        before = resident_bytes("VmRSS")
        trial.call(1)
        return {"say": "memory", "peak_added_bytes": max(0, resident_bytes("VmHWM") - before)}

    def drop(self, ask, inputs):
        self.trials.pop(ask["trial"], None)
        return {"say": "dropped"}

    def none(self, ask, inputs):
        return {"say": "none"}

    asks = {"describe": describe, "prepare": prepare, "run": run, "finish": finish, "memory": memory, "drop": drop}
    asks |= {"allocations": none, "approximation": none}

    def answer(self, header, body):
        """What to say to a frame, and the arrays that go with it; whatever goes wrong is told, and the worker goes on."""
        try:
            if header["ask"] not in self.asks:
                return {"say": "failed", "message": f"this worker does not know `{header['ask']}`"}, {}
            told = self.asks[header["ask"]](self, header, arrays_of(header, body))
            return told if isinstance(told, tuple) else (told, {})
        except Exception as error:
            return {"say": "failed", "message": f"{type(error).__name__}: {error}"}, {}

    def serve(self):
        # Standard output belongs to the wire: what anybody else prints goes to standard error.
        out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        send(out, {"say": "hello", "protocol": 3, "version": "1", "pid": os.getpid()}, {})
        while frame := receive(sys.stdin.buffer):
            send(out, *self.answer(*frame))


if __name__ == "__main__":
    Worker().serve()
