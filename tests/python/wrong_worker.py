"""The worker of worker.py with one fault, which `benchbook worker check` has to name.

Usage: python3 wrong_worker.py FAULT
"""

import io
import os
import sys
import threading
import time

import worker

send = worker.send


def send_less(pipe, header, arrays):
    """A frame whose body is a number shorter than its arrays."""
    whole = io.BytesIO()
    send(whole, header, arrays)
    less = 4 if arrays else 0
    head, rest = whole.getvalue()[: worker.HEAD.size], whole.getvalue()[worker.HEAD.size :]
    magic, header_bytes, body_bytes = worker.HEAD.unpack(head)
    pipe.write(worker.HEAD.pack(magic, header_bytes, body_bytes - less) + rest[: len(rest) - less])
    pipe.flush()


def turn():
    while True:
        pass


class Wrong(worker.Worker):
    """A worker whose answers pass through the method that has the name of its fault."""

    def __init__(self, fault):
        super().__init__()
        self.fault, self.kept, self.stdout = getattr(self, fault.replace("-", "_")), {}, os.dup(1)

    def answer(self, header, body):
        return self.fault(header["ask"], *super().answer(header, body))

    def makes_calls_by(self, call):
        for trial in self.trials.values():
            trial.call = lambda times, trial=trial: call(trial, times)

    def answers_anything(self, ask, told, outputs):
        return (told, outputs) if ask in self.asks else ({"say": "none"}, {})

    def ends_at_the_unknown(self, ask, told, outputs):
        return (told, outputs) if ask in self.asks else sys.exit(3)

    def describes_no_device(self, ask, told, outputs):
        return ({**told, "devices": []} if ask == "describe" else told), outputs

    def names_a_column(self, ask, told, outputs):
        block = {"name": "block", "default": {"int": 16}, "doc": "tokens of a page"}
        pages = {"name": "pages", "about": "reads pages", "presets": [], "params": [block]}
        return ({**told, "workloads": [pages]} if ask == "describe" else told), outputs

    def wrong_length(self, ask, told, outputs):
        worker.send = send_less
        return told, outputs

    def other_shape(self, ask, told, outputs):
        return told, {name: output.reshape(-1) for name, output in outputs.items()}

    def other_dtype(self, ask, told, outputs):
        return told, {name: output.astype("f8") for name, output in outputs.items()}

    def other_values(self, ask, told, outputs):
        return told, {name: output * output.dtype.type(1.01) for name, output in outputs.items()}

    def no_output(self, ask, told, outputs):
        return told, {}

    def refuses_what_it_has_not(self, ask, told, outputs):
        return ({"say": "failed", "message": "no such thing"} if told == {"say": "none"} else told), outputs

    def missing_field(self, ask, told, outputs):
        return {name: value for name, value in told.items() if name != "elapsed_ns"}, outputs

    def other_clock(self, ask, told, outputs):
        return ({**told, "started_ns": told["started_ns"] - 10**12} if told["say"] == "ran" else told), outputs

    def fewer_calls(self, ask, told, outputs):
        return ({**told, "iterations": told["iterations"] // 2} if told["say"] == "ran" else told), outputs

    def one_call(self, ask, told, outputs):
        self.makes_calls_by(lambda trial, times: worker.Trial.call(trial, 1))
        return told, outputs

    def old_results(self, ask, told, outputs):
        self.makes_calls_by(lambda trial, times: [trial.product.copy() for _ in range(times)])
        return told, outputs

    def forgets_a_copy(self, ask, told, outputs):
        for trial in self.trials.values():
            trial.copies = trial.copies[:1]
        return told, outputs

    def never_rests(self, ask, told, outputs):
        if ask == "prepare" and threading.active_count() == 1:
            threading.Thread(target=turn, daemon=True).start()
        return told, outputs

    def drops_nothing(self, ask, told, outputs):
        self.kept |= self.trials
        self.trials |= self.kept
        return told, outputs

    def prints(self, ask, told, outputs):
        if ask == "run":
            os.write(self.stdout, b"one more call\n")
        return told, outputs

    def outlives_its_controller(self, ask, told, outputs):
        return told, outputs

    def serve(self):
        super().serve()
        if self.fault == self.outlives_its_controller:
            time.sleep(600)


if __name__ == "__main__":
    Wrong(sys.argv[1]).serve()
