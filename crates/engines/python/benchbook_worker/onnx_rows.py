"""ONNX Runtime: workloads exported from PyTorch."""

import functools
import io
import logging
import warnings

import numpy
import onnxruntime
import torch

from . import blocks, encoders, latent, transformer
from .graphs import Graph
from .rows import Unsupported, of_all

#: A layer norm is one operation of ONNX; attention is none before its opset 23, and is written as the formula.
PROGRAMS = blocks.FUSED | transformer.NORMED | encoders.NORMED | latent.NORMED
#: Bytes of weights that the exporter leaves in a model; beyond, it wants a file for them.
MOST_BYTES = 1536 << 20


class Result:
    """An output that is read only where somebody asks for it: of those that `read` gives, the one at this place."""

    def __init__(self, read, place):
        self.read, self.place = read, place

    def __array__(self, dtype=None, copy=None):
        return numpy.array(self.read()[self.place].numpy(), dtype)


def exported(graph, names):
    """A graph as the bytes of an ONNX model, whose inputs have these names."""
    if sum(one.nbytes for one in graph.parameters()) > MOST_BYTES:
        raise Unsupported(f"a model of ONNX holds {MOST_BYTES >> 20} MiB of weights at most")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(graph, graph.example, dynamo=True, input_names=names, verbose=False, optimize=True)
    file = io.BytesIO()
    program.save(file)
    return file.getvalue()


@functools.cache
def shared_threads(threads):
    """Gives all sessions of this process that share their threads so many of them, which can be said once."""
    try:
        onnxruntime.set_global_thread_pool_sizes(threads, 1)
    except Exception as error:  # it has errors of its own
        reason = "this ONNX Runtime does not let sessions share threads, so that none can take turns: measure it hot"
        raise Unsupported(f"{reason} ({error})") from error


def options_of_all():
    """What each session of this process is opened with. Where some share their threads, the runtime lets none have its own."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.use_per_session_threads = not shared_threads.cache_info().currsize
    return options


def session_of(provider, setting, model, shared=False):
    """A session of a model. Those that take turns share their threads: the threads of the last one would still wait for work beside
    the next."""
    if shared:
        shared_threads(setting.threads)
    options = options_of_all()
    options.intra_op_num_threads = setting.threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=[provider])


def opened(provider, setting, model, shared=False):
    """The same; how long it takes to make one is the metric `compile_ns`."""
    return setting.timed("compile_ns", lambda: session_of(provider, setting, model, shared))


def call_of(session, inputs):
    """A call whose inputs, by their names in the model, are where the controller overwrites them, and whose outputs stay with the
    session."""
    binding = session.io_binding()
    for name, one in inputs.items():
        binding.bind_input(name, "cpu", 0, one.dtype, one.shape, one.ctypes.data)
    outputs = [one.name for one in session.get_outputs()]
    for name in outputs:
        binding.bind_output(name, "cpu")
    run, results = session.run_with_iobinding, [Result(binding.get_outputs, at) for at in range(len(outputs))]

    def call():
        run(binding)
        return results

    return call


def bound(provider, setting, copies):
    """Calls of what PyTorch exports."""
    graph = Graph(setting, copies, PROGRAMS).eval()
    names = [f"given_{at}" for at in range(len(graph.given))]
    session = opened(provider, setting, exported(graph, names))
    return [call_of(session, {name: inputs[given] for name, given in zip(names, graph.given)}) for inputs in copies]


@of_all
def cpu(setting, copies):
    return bound("CPUExecutionProvider", setting, copies)


@of_all
def tensorrt(setting, copies):
    return bound("TensorrtExecutionProvider", setting, copies)


def ran(device):
    # It tells who runs the graph, and not with which instructions.
    return "TensorrtExecutionProvider" if device.name == "tensorrt" else "CPUExecutionProvider"
