"""Rows of one kind, by what tells them apart."""

from .names import ENCODERS, NEED_BITS, REAL, TORCHES, WIDE
from .rows import Row


def dtypes_of(workload):
    return WIDE if workload in NEED_BITS else REAL


def numpy_row(workload, dtypes, about):
    return Row("numpy", workload, ("numpy",), dtypes, f"numpy_rows:{workload}", about)


def torch_row(name, workload, prepare, about, devices=TORCHES, **more):
    return Row(name, workload, devices, more.pop("dtypes", REAL), prepare, about, ("EN2",), **more)


def graph(device, workload, dtypes, prepare, about, claims, tokens=()):
    return Row("graph", workload, (device,), dtypes, prepare, about, claims, tokens=tokens, memory=False)


def encoder_rows(devices, dtypes, module, claims, *abouts):
    """Whole encoders as an engine has them, each with a line of what it is."""
    return [
        Row("model", workload, devices, dtypes, f"{module}:{workload.split('-')[0]}", about, claims, tokens=tokens)
        for (workload, tokens), about in zip(ENCODERS, abouts, strict=True)
    ]


def gpu_row(name, device, dtypes, prepare, about, workload="attention"):
    return Row(name, workload, (device,), dtypes, prepare, about, ("EN4",))
