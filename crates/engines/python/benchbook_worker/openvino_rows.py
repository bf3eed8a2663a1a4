"""OpenVINO: workloads read from PyTorch, in the precision that is asked for (left to itself it takes bf16 where it can)."""

import functools
import sys

# Else importing it reports to its makers, from a thread of this process, and leaves files in the user's home.
sys.modules["openvino_telemetry"] = None

import openvino  # noqa: E402

from . import latent  # noqa: E402
from .graphs import Graph  # noqa: E402
from .programs import FUSED  # noqa: E402
from .rows import Unsupported, of_all  # noqa: E402

#: Kernels that the last compiled model runs.
KERNELS = set()
#: Kinds that only move numbers.
MOVES = ("Input", "Output", "Const", "Constant", "Parameter", "Result", "Reorder", "Reshape", "Convert", "Broadcast")
MOVES += ("Concatenation", "Split", "Transpose")


@functools.cache
def core():
    return openvino.Core()


def converted(setting, copies):
    """A graph of PyTorch, and what OpenVINO reads of it."""
    graph = Graph(setting, copies, FUSED | latent.MIXED).eval()
    shapes = [openvino.PartialShape(list(one.shape)) for one in graph.example]
    return graph, openvino.convert_model(graph, example_input=graph.example, input=shapes)


@of_all
def cpu(setting, copies):
    if setting.dtype == "bf16" and "BF16" not in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise Unsupported("OpenVINO does not compute in bf16 on this processor")
    graph, model = converted(setting, copies)
    compiled = opened(setting, model)
    return [call_of(compiled, [inputs[name] for name in graph.given]) for inputs in copies]


def compiled_of(setting, model, **more):
    """A model as it is compiled for the processor, in the precision that is asked for and on so many threads, with more settings."""
    settings = {
        "INFERENCE_PRECISION_HINT": setting.dtype,
        "INFERENCE_NUM_THREADS": setting.threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
        "ENABLE_HYPER_THREADING": True,
        "PERFORMANCE_HINT": "LATENCY",
    }
    try:
        return core().compile_model(model, "CPU", settings | more)
    except RuntimeError as error:
        # Some graphs it cannot compile, such as two products of one number each.
        raise Unsupported(f"OpenVINO cannot compile it: {str(error).strip().splitlines()[-1]}") from error


def opened(setting, model, **more):
    """The same; how long it takes is the metric `compile_ns`, and what it runs is what runs."""
    compiled = setting.timed("compile_ns", lambda: compiled_of(setting, model, **more))
    KERNELS.clear()
    KERNELS.update(kernels(compiled))
    return compiled


def call_of(compiled, arrays):
    """A call whose inputs are these arrays, where the controller overwrites them, and whose outputs stay with the request."""
    request = compiled.create_infer_request()
    for at, array in enumerate(arrays):
        request.set_input_tensor(at, openvino.Tensor(array, shared_memory=True))
    infer, outputs = request.infer, [request.get_output_tensor(at) for at in range(len(compiled.outputs))]

    def call():
        infer(share_outputs=True)  # else each output is copied besides
        return [output.data for output in outputs]

    return call


def kernels(compiled):
    """What computes each operation of a compiled model that is more than moving numbers."""
    names, found = ("layerType", "primitiveType"), set()
    for node in compiled.get_runtime_model().get_ops():
        told = node.get_rt_info()
        if all(name in told for name in names):
            kind, kernel = (told[name].astype(str) for name in names)
            found |= set() if kind in MOVES else {f"{kind} {kernel}"}
    return found


def ran(device):
    return ", ".join(sorted(KERNELS))
