"""The worker: it answers what the controller asks (ARCHITECTURE.md, "The wire")."""

import gc
import itertools
import math
import os
import sys
import traceback
from array import array as numbers

from . import machine, wire
from .rows import Setting, Unsupported

#: Characters of what went wrong.
MOST_TEXT = 4000


def in_words(error):
    """What went wrong, and where. Of a long report, such as a compiler's, the end says most."""
    text, place = f"{type(error).__name__}: {error}", traceback.extract_tb(error.__traceback__)[-1]
    return f"{text[-MOST_TEXT:]} ({place.filename}, line {place.lineno})"


class Trial:
    """A row on a case: calls, which take the copies of the inputs in turn."""

    def __init__(self, worker, ask, inputs):
        self.device, self.row = worker.find(ask)
        self.device.settle(ask["threads"])
        self.dtype, self.kind = ask["dtype"], self.device.kind()
        params = {name: next(iter(value.values())) for name, value in ask["params"].items()}
        self.setting = Setting(ask["workload"], params, self.dtype, ask["threads"], self.device.name)
        if self.dtype not in self.row.dtypes:
            raise Unsupported(f"{self.row.name} on {self.device.name} does not compute in {self.dtype}")
        self.real = self.device.inputs_in(self.dtype)
        if self.real not in self.kind.names:
            raise Unsupported(f"{self.device.arrays} has no {self.real}")
        self.copies = [
            {name: self.kind.take(one, self.real) for name, one in inputs.items()} for _ in range(ask["copies"])
        ]
        self.calls = self.row.prepared(self.setting, self.copies)
        self.turns = itertools.cycle(self.calls)
        self.clock = self.device.clock(len(self.copies) > 1)
        # Real numbers can be overwritten, and so can token ids, but for what an engine has packed.
        packed = {*self.row.packed, *self.setting.packed}
        self.writable = [
            {"input": name, "rows": math.prod(one.shape[:-1]), "width": one.shape[-1]}
            for name, one in inputs.items()
            if (one.dtype == "f32" or name in self.row.tokens) and name not in packed and len(one.data)
        ]

    def issue(self, times):
        for turn, call in enumerate(itertools.islice(self.turns, times)):
            # A call may write where the last one did; not the first, whose memory may be measured.
            if turn:
                self.result = None
            self.result = call()

    def call(self, times):
        self.issue(times)
        self.device.synchronize()

    def loop(self):
        """Makes all steps of a loop, and sets down when each began and ended, its tokens, and the processor time of all."""
        loop, now = next(self.turns), machine.now_ns
        loop.begin()
        started, ended, tokens = [], [], []
        step = loop.step
        goes_on = True
        processor = machine.processor_ns()
        while goes_on:
            before = now()
            made, goes_on = step()
            ended.append(now())
            started.append(before)
            tokens.append(made)
        processor = machine.processor_ns() - processor
        self.result = loop.result()
        return started, ended, tokens, processor

    def outputs(self):
        results = self.result if isinstance(self.result, (tuple, list)) else [self.result]
        return [("", self.kind.give(result, self.dtype)) for result in results]

    def stands_for(self, inputs):
        """The numbers that are computed with in the place of inputs, where these take the place of the trial's own."""

        def of(name, numbers):
            if callable(numbers):
                given = self.kind.take(inputs[name], self.real) if name in inputs else self.copies[0][name]
                numbers = numbers(given)
            return name, self.kind.give(numbers, "f32")

        return [of(*one) for one in self.setting.stands_for.items()]

    def write(self, place, values):
        # The numbers of tokens come in f32, and few bits do not hold them.
        values = self.kind.take(values, "f32" if place["input"] in self.row.tokens else self.real)
        for copy in self.copies:
            self.kind.write(copy[place["input"]], place["row"], values)

    def fill(self, inputs):
        for name, one in inputs.items():
            values = self.kind.take(one, self.real)
            for copy in self.copies:
                self.kind.fill(copy[name], values)

    def once(self):
        """One call, or one loop."""
        if self.row.loop:
            self.loop()
        else:
            self.call(1)


class Worker:
    """Rows of engines, and the trials that are prepared."""

    def __init__(self, devices, rows):
        self.devices = {device.name: device for device in devices}
        self.rows, self.trials = rows, {}

    def find(self, ask):
        device = self.devices.get(ask["device"])
        for row in self.rows:
            if row.name == ask["implementation"] and row.workload == ask["workload"] and ask["device"] in row.devices:
                if reason := device.unavailable():
                    raise Unsupported(reason)
                return device, row
        raise Unsupported(f"this worker has no {ask['implementation']} of {ask['workload']} on {ask['device']}")

    def told(self, device):
        version = {"engine": device.engine, "engine_version": device.version() or ""}
        return {"name": device.name, **version, "unavailable": device.unavailable()}

    def describe(self, ask, inputs):
        used = [name for name in self.devices if any(name in row.devices for row in self.rows)]
        devices = [self.told(self.devices[name]) for name in used]
        engines = {one["name"]: [one["engine"], one["engine_version"]] for one in devices}
        rows = [
            {
                "name": row.name,
                "workload": row.workload,
                "about": row.about,
                "devices": list(row.devices),
                "engines": [engines[name] for name in row.devices],
                "catalogue": list(row.catalogue),
                "inputs": "sent",
                "approximates": row.approximates,
                "on_request": row.on_request,
            }
            for row in self.rows
        ]
        threads = int(os.environ.get("OMP_NUM_THREADS", machine.processor_count()))
        known = {"workloads": [], "implementations": rows, "devices": devices}
        about = {"build": [["python", sys.version.split()[0]]], "thread_pools": [["python worker", threads]]}
        return {"say": "description", **known, **about}

    def prepare(self, ask, inputs):
        trial = Trial(self, ask, inputs)
        trial.once()
        self.trials[ask["trial"]] = trial
        told = {"say": "prepared", "metrics": trial.setting.metrics, "writable": trial.writable, "processes": []}
        # What a call adds on a GPU does not show in what is resident here.
        told |= {"memory": "resident"} if trial.row.memory and trial.device.place == "cpu" else {}
        if ran := trial.device.ran():
            told["engine_version"] = ", ".join([ran, *trial.row.packages()])
        return told, trial.outputs()

    def run(self, ask, arrays):
        trial, write = self.trials[ask["trial"]], ask.get("write")
        if trial.row.loop:
            return self.run_loop(trial, ask, arrays)
        trial.call(ask["before"])
        if write:
            trial.write(write, arrays["values"])
            trial.device.synchronize()
        return {"say": "ran", "iterations": ask["iterations"], **trial.clock.time(trial, ask["iterations"])}

    def run_loop(self, trial, ask, arrays):
        for _ in range(ask["before"]):
            trial.loop()
        if write := ask.get("write"):
            trial.write(write, arrays["values"])
        with machine.without_collector():
            started, ended, tokens, processor = trial.loop()
        elapsed = [after - before for before, after in zip(started, ended)]
        steps = {"started_ns": started, "elapsed_ns": elapsed, "tokens": tokens}
        steps = [(name, wire.Array("i64", (len(one),), numbers("q", one).tobytes())) for name, one in steps.items()]
        whole = {"started_ns": started[0], "elapsed_ns": ended[-1] - started[0], "cpu_ns": processor}
        return {"say": "ran", "iterations": 1, **whole}, steps

    def finish(self, ask, inputs):
        trial = self.trials.pop(ask["trial"])
        trial.setting.metrics = metrics = []
        trial.clock.tell(trial.setting)
        trial.fill(inputs)
        trial.once()
        outputs = trial.outputs()
        del trial
        self.let_go()
        return {"say": "finished", "metrics": metrics}, outputs

    def memory(self, ask, inputs):
        # What a call adds does not depend on how many copies there are to take turns.
        trial = Trial(self, ask | {"copies": 1}, inputs)
        trial.once()  # loads code too
        added = machine.peak_added_bytes(trial.once)
        return {"say": "memory"} | ({} if added is None else {"peak_added_bytes": added})

    def drop(self, ask, inputs):
        self.trials.pop(ask["trial"], None)
        self.let_go()
        return {"say": "dropped"}

    def let_go(self):
        """Collects what a trial leaves, since what was compiled refers to itself. What outlives all trials, such as a library of
        hundreds of thousands of objects, is not looked through again: that takes longer than most trials."""
        gc.collect()
        if not self.trials:
            gc.freeze()

    def approximation(self, ask, inputs):
        trial = self.trials[ask["trial"]]
        if not (stands_for := trial.stands_for(inputs)):
            return {"say": "none"}
        rounding = trial.setting.rounding
        return {"say": "stands_for"} | ({"rounding": rounding} if rounding else {}), stands_for

    def none(self, ask, inputs):
        return {"say": "none"}

    asks = {"describe": describe, "prepare": prepare, "run": run, "finish": finish, "memory": memory, "drop": drop}
    asks |= {"allocations": none, "approximation": approximation}

    def answer(self, header, body):
        """What to say to a frame, and the arrays that go with it; whatever goes wrong is told, and the worker goes on."""
        try:
            if header["ask"] not in self.asks:
                return {"say": "failed", "message": f"this worker does not know `{header['ask']}`"}, []
            told = self.asks[header["ask"]](self, header, wire.arrays_of(header, body))
            return told if isinstance(told, tuple) else (told, [])
        except Unsupported as reason:
            return {"say": "unsupported", "reason": str(reason)}, []
        except Exception as error:
            return {"say": "failed", "message": in_words(error)}, []

    def serve(self):
        """Answers until the controller is gone."""
        # Input and output belong to the wire: what anybody else prints goes to standard error, and nobody else reads.
        ask, say = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        wire.send(say, {"say": "hello", "protocol": wire.PROTOCOL, "version": "1", "pid": os.getpid()})
        while frame := wire.receive(ask):
            wire.send(say, *self.answer(*frame))
