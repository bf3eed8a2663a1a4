"""Interrupts a long run in a live kernel, as a person would, and says what was left.

Usage: interrupt.py FOLDER, where the store is made; prints one JSON object.
"""

import json
import os
import sys
import time

from jupyter_client.manager import KernelManager

OPEN = 'let lab: Lab = Lab::open("results")?;\nlet kept: u32 = 7;'
LONG = (
    'let run: Run = lab.run(&Plan::quick("matmul").param("m", [32]).devices(["flex"])'
    ".blocks(100000000).replicates(1).min_sample_ns(1000000))?;\nrun"
)
ENDLESS = "%%sql\nselect count(*) from range(0, 300000) a cross join range(0, 300000) b where a.value < -b.value"
AFTER = 'println!("{kept} {} {}", run.summary().interrupted, run.summary().blocks);'
LIMIT_S = 120
# Of a journal that holds thousands of samples.
SAMPLES_BYTES = 200_000


def workers(folder):
    """Worker processes that were started from the folder."""
    found = 0
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            here = os.readlink(f"/proc/{process}/cwd") == folder
            found += here and "benchbook-worker" in os.readlink(f"/proc/{process}/exe")
        except OSError:
            continue
    return found


def until(what, true):
    end = time.monotonic() + LIMIT_S
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {LIMIT_S} s")
        time.sleep(0.02)


class Kernel:
    def __init__(self, folder):
        self.manager = KernelManager(kernel_name="benchbook")
        self.manager.start_kernel(cwd=folder)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=LIMIT_S)

    def messages(self, asked):
        """Messages of a cell until it has ended."""
        while True:
            message = self.client.get_iopub_msg(timeout=LIMIT_S)
            if message["parent_header"].get("msg_id") == asked:
                yield message
                if message["content"].get("execution_state") == "idle":
                    return

    def text(self, code):
        return text(self.messages(self.client.execute(code)))

    def question(self):
        """Interrupts a question that has no end as soon as its cell begins; gives what is said of it."""
        asked = self.client.execute(ENDLESS)
        until("the cell that runs", lambda: self.client.get_iopub_msg(timeout=LIMIT_S)["msg_type"] == "execute_input")
        self.manager.interrupt_kernel()
        return text(self.messages(asked))

    def end(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel()


def text(messages):
    """What a cell printed or showed, and why it failed."""
    said = [message["content"] for message in messages]
    return "".join(
        one.get("text", "") + one.get("data", {}).get("text/plain", "") + one.get("evalue", "") for one in said
    )


def journal_bytes(folder):
    total = 0
    for place, _, names in os.walk(os.path.join(folder, "results")):
        total += sum(os.path.getsize(os.path.join(place, name)) for name in names if name == "journal.bbj")
    return total


def main(folder):
    kernel = Kernel(folder)
    try:
        kernel.text(OPEN)
        asked = kernel.client.execute(LONG)
        until("a worker", lambda: workers(folder) > 0)
        # What a run writes before its first sample is a tenth of this at most.
        until("samples in the journal", lambda: journal_bytes(folder) > SAMPLES_BYTES)
        kernel.manager.interrupt_kernel()
        ended = text(kernel.messages(asked))
        until("the end of the workers", lambda: workers(folder) == 0)
        seen = {"ended": ended, "question": kernel.question(), "after": kernel.text(AFTER)}
    finally:
        kernel.end()
    # One whose process of the cells is still being started.
    kernel = Kernel(folder)
    try:
        seen["early"] = kernel.question()
    finally:
        kernel.end()
    print(json.dumps(seen))


main(os.path.realpath(sys.argv[1]))
