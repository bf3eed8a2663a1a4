"""Times cells in Jupyter kernels, and measures one trial in a notebook and on the command line in turn.

Reads a job as JSON on standard input, prints one JSON object a line: what was timed, as it comes.
"""

import json
import random
import subprocess
import sys
import time

import psutil
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager


def tell(**facts):
    print(json.dumps(facts), flush=True)


class Kernel:
    """A kernel that has been started; `started` is the moment before."""

    def __init__(self, spec, folder):
        self.manager = KernelManager()
        self.manager._kernel_spec = KernelSpec(**spec)
        self.started = time.perf_counter()
        self.manager.start_kernel(cwd=folder)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)
        self.ready_s = time.perf_counter() - self.started

    def run(self, code, timeout=5400):
        """Runs a cell; gives its seconds and keeps what it prints, or raises with what it complained of."""
        started = time.perf_counter()
        asked = self.client.execute(code)
        wrong, self.printed = [], ""
        while True:
            message = self.client.get_iopub_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") != asked:
                continue
            content = message["content"]
            if content.get("name") == "stdout":
                self.printed += content["text"]
            if message["msg_type"] == "error":
                wrong.append("\n".join(content["traceback"]))
            if message["msg_type"] == "status" and content["execution_state"] == "idle":
                break
        if wrong:
            raise RuntimeError(f"{code}\n" + "\n".join(wrong))
        return time.perf_counter() - started

    def complete(self, code, word):
        """Seconds until this word is among those that could stand at the end of a text, and how often it was asked."""
        started = time.perf_counter()
        for turn in range(1, 101):
            reply = self.client.complete(code, reply=True, timeout=60)
            if word in reply["content"]["matches"]:
                return time.perf_counter() - started, turn
        raise RuntimeError(f"{code}: {word} was not among the words")

    def memory_bytes(self):
        """Resident memory of the process that runs the cells."""
        started = psutil.Process(self.manager.provisioner.pid).children(recursive=True)
        return sum(one.memory_info().rss for one in started if "EVCXR_IS_RUNTIME" in one.environ())

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


FIRST_SQL = "%%sql\nselect 1 as one"
FIRST = 'let lab: Lab = Lab::open("store")?;\nlab.sql("select 1 as one")?'
# Cells by their kind; a number takes the place of NEW, so that no text is compiled twice.
LATER = {
    "magic": "%%sql\nselect NEW as one",
    "sql": 'lab.sql("select NEW as one")?',
    # What it prints is the time of the work itself.
    "chart": (
        "let _n: u32 = NEW;\nlet began: std::time::Instant = std::time::Instant::now();\n"
        'let shown: Stack = stack![lab.compare("latest", "naive")?, lab.speedup("latest", "naive")?];\n'
        'println!("{}", began.elapsed().as_secs_f64());\nshown'
    ),
    "let": "let fresh_NEW: u64 = NEW;",
    "untyped": 'let kept_NEW = lab.sql("select NEW as one")?;',
    "value": "NEW * 7",
}
# Those that stock evcxr cannot run: it has no magics, and knows no type of the library.
OURS = ("magic", "untyped")
# A text to be completed, and a word that must be offered.
WORDS = [("lab.", "sql"), ("lab.comp", "compare"), ("Plan::qui", "quick"), ("Lab::op", "open")]


def completions(kernel, name, round):
    """Words of Rust: the first ones wait for the sources of the library."""
    seconds, _ = kernel.complete(*WORDS[0])
    tell(kind="completion", what="first", kernel=name, round=round, seconds=seconds)
    for code, word in WORDS:
        seconds, turns = kernel.complete(code, word)
        tell(kind="completion", what="later", kernel=name, round=round, seconds=seconds, turns=turns)


def cells(job):
    """Start to first result, then later cells, of each kernel in turn."""
    kernels = job["kernels"]
    for name, one in kernels.items():
        if one["before"]:
            # What it compiles once and keeps belongs to no round.
            kernel = Kernel(one["spec"], job["folder"])
            try:
                seconds = sum(kernel.run(code) for code in [*one["before"], FIRST])
                tell(kind="compiled", kernel=name, seconds=seconds)
            finally:
                kernel.stop()
    for round in range(job["rounds"]):
        for name in random.Random(round).sample(sorted(kernels), len(kernels)):
            # Stock evcxr knows no words of the library either.
            is_ours = kernels[name]["is_ours"]
            kernel = Kernel(kernels[name]["spec"], job["folder"])
            try:
                for code in kernels[name]["before"]:
                    tell(kind="before", kernel=name, round=round, seconds=kernel.run(code))
                first_sql_s = None
                if is_ours:
                    kernel.run(FIRST_SQL)
                    first_sql_s = time.perf_counter() - kernel.started
                kernel.run(FIRST)
                first_s = time.perf_counter() - kernel.started
                times = {"ready_s": kernel.ready_s, "first_sql_s": first_sql_s, "first_s": first_s}
                tell(kind="first", kernel=name, round=round, **times)
                # Cells of SQL ask the store that was opened last.
                kernel.run(f"let large: Lab = Lab::open({json.dumps(job['large'])})?;")
                for turn in range(job["later"]):
                    for number, (what, code) in enumerate(LATER.items()):
                        if is_ours or what not in OURS:
                            new = str(1_000_000 * (round + 1) + 100 * turn + number)
                            seconds = kernel.run(code.replace("NEW", new))
                            if what == "chart":
                                # Stock evcxr may tell it too late.
                                if not kernel.printed:
                                    continue
                                seconds -= float(kernel.printed)
                            tell(kind="later", what=what, kernel=name, round=round, seconds=seconds)
                tell(kind="memory", kernel=name, round=round, bytes=kernel.memory_bytes())
                if is_ours:
                    completions(kernel, name, round)
            finally:
                kernel.stop()


def pairs(job):
    """The same trial by a cell and by the command line, in random order within each pair, in several kernels."""
    spec = job["kernels"]["benchbook"]["spec"]
    plan = (
        'Plan::quick("matmul").param("m", [512]).implementations(["burn"]).devices(["flex"])'
        f'.threads({job["threads"]}).blocks({job["blocks"]})'
    )
    line = [job["program"], "--store", "store", "run", "matmul", "--quick", "--set", "m=512", "--implementation", "burn"]
    line += ["--device", "flex", "--threads", str(job["threads"]), "--blocks", str(job["blocks"]), "--replicates", "1"]
    for number in range(job["kernels_for_pairs"]):
        kernel = Kernel(spec, job["folder"])
        try:
            kernel.run('let lab: Lab = Lab::open("store")?;')
            # So that what knows the sources of the library is there, and sleeps while a cell measures.
            kernel.complete(*WORDS[0])
            for pair in range(job["pairs"]):
                for way in random.Random(number * job["pairs"] + pair).sample(["cli", "notebook"], 2):
                    tag = f"pair-{number}-{pair}-{way}"
                    if way == "cli":
                        done = subprocess.run([*line, "--tag", tag], cwd=job["folder"], capture_output=True, text=True)
                        if done.returncode:
                            raise RuntimeError(done.stderr)
                    else:
                        kernel.run(f'println!("{{}}", lab.run_here(&{plan}.tag("{tag}"))?);')
            tell(kind="pairs", kernel=number)
        finally:
            kernel.stop()


def main():
    job = json.load(sys.stdin)
    {"cells": cells, "pairs": pairs}[job["what"]](job)


main()
