"""One call of PyTorch, which the worker times on the device `worker`, and PyTorch's own timer on the device `native`.

Usage: PYTHONPATH=crates/engines/python python3 native_timer.py
"""

from benchbook_worker import Device, Row, machine
from benchbook_worker.devices import TORCH
from benchbook_worker.worker import Worker
from torch.utils.benchmark import Timer


class OwnTimer:
    """Times calls as `torch.utils.benchmark` does, which makes a few more before and tells of those alone that follow."""

    def time(self, trial, times):
        timer = Timer("call()", globals={"call": next(trial.turns)}, num_threads=trial.setting.threads)
        started = machine.now_ns()
        (seconds,) = timer.timeit(times).raw_times
        return {"started_ns": started, "elapsed_ns": round(1e9 * seconds)}

    def tell(self, setting):
        """Records what only all calls tell, which is nothing here."""


class Native(Device):
    def clock(self, cold):
        return OwnTimer()


def device(kind, name):
    return kind(name, "pytorch", (TORCH,), "torch", "torch_rows")


def product(name, device):
    return Row(name, "matmul", (device,), ("f32",), "torch_rows:eager", "the product of PyTorch")


DEVICES = [device(Device, "worker"), device(Native, "native")]
ROWS = [product("worker", "worker"), product("own-timer", "native")]

if __name__ == "__main__":
    Worker(DEVICES, ROWS).serve()
