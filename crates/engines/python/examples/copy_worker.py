#!/usr/bin/env python3
"""An executable that speaks the wire (ARCHITECTURE.md) with nothing but the standard library: it copies memory.

    benchbook run copy --quick --worker "mine=python crates/engines/python/examples/copy_worker.py"
"""

import itertools
import json
import math
import os
import struct
import sys
import time

ROW = {"name": "slice", "workload": "copy", "about": "one slice into another", "devices": ["bytes"]}
ROW |= {"engines": [["python", "3"]], "catalogue": [], "inputs": "sent"}
DEVICE = {"name": "bytes", "engine": "python", "engine_version": "3", "unavailable": None}
trials = {}


class Trial:
    def __init__(self, copies, given):
        self.copies, self.to = [bytearray(given) for _ in range(copies)], memoryview(bytearray(given))
        self.turns = itertools.cycle(self.copies)

    def call(self, times):
        for copy in itertools.islice(self.turns, times):
            self.to[:] = copy

    def write(self, at, values):
        for copy in self.copies:
            copy[at : at + len(values)] = values


def answer(ask, shape, given):
    """What to say to a question, and the trial whose result goes with it; `given` are the bytes that came."""
    match ask["ask"]:
        case "describe":
            return {"say": "description", "workloads": [], "implementations": [ROW], "devices": [DEVICE]}, None
        case "prepare" if ask["dtype"] != "f32":
            return {"say": "unsupported", "reason": "it copies f32 alone"}, None
        case "prepare":
            trial = trials[ask["trial"]] = Trial(ask["copies"], given)
            trial.call(1)
            rows = {"input": "from", "rows": math.prod(shape[:-1]), "width": shape[-1]}
            return {"say": "prepared", "metrics": [], "writable": [rows], "processes": []}, trial
        case "run":
            trial, now = trials[ask["trial"]], time.clock_gettime_ns
            trial.call(ask["before"])
            if write := ask.get("write"):
                trial.write(write["row"] * len(given), given)
            started = now(time.CLOCK_MONOTONIC)
            trial.call(ask["iterations"])
            elapsed = now(time.CLOCK_MONOTONIC) - started
            return {"say": "ran", "iterations": ask["iterations"], "started_ns": started, "elapsed_ns": elapsed}, None
        case "finish":
            trial = trials.pop(ask["trial"])
            trial.write(0, given)
            trial.call(1)
            return {"say": "finished"}, trial
        case "drop":
            trials.pop(ask["trial"], None)
            return {"say": "dropped"}, None
        case "allocations" | "approximation":
            return {"say": "none"}, None
    raise ValueError(f"nobody here knows `{ask['ask']}`")


def say(told, shape, trial):
    told["arrays"] = [{"name": "output", "dtype": "f32", "shape": shape}] if trial else []
    text, body = json.dumps(told).encode(), bytes(trial.to) if trial else b""
    sys.stdout.buffer.write(struct.pack("<4sIQ", b"bbw3", len(text), len(body)) + text + body)
    sys.stdout.buffer.flush()


say({"say": "hello", "protocol": 3, "version": "1", "pid": os.getpid()}, [], None)
while head := sys.stdin.buffer.read(16):
    _, of_header, of_body = struct.unpack("<4sIQ", head)
    ask, body = json.loads(sys.stdin.buffer.read(of_header)), sys.stdin.buffer.read(of_body)
    [given] = ask.get("arrays") or [{"shape": []}]
    if "file" in given:
        with open(given["file"], "rb") as file:
            file.seek(given["at"])
            body = file.read(4 * math.prod(given["shape"]))
    try:
        told, trial = answer(ask, given["shape"], body)
    except Exception as error:
        told, trial = {"say": "failed", "message": repr(error)}, None
    say(told, given["shape"], trial)
