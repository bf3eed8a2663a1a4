"""PyTorch: eager, by its own attention with the backend named, and compiled."""

import ctypes
import os
import shutil
import tempfile
from functools import cache, partial
from pathlib import Path

# One process compiles, and leaves no others behind; each time anew, since the time to do so is recorded.
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"

import torch  # noqa: E402

from . import gpu, machine  # noqa: E402
from .attention import QKV  # noqa: E402
from .graphs import Graph  # noqa: E402
from .programs import FORMULAS, FUSED  # noqa: E402
from .rows import Unsupported, of_all  # noqa: E402

#: The backend that `scaled_dot_product_attention` has now.
chosen = None


def bind(function, program, inputs):
    """A call on one copy of the inputs."""
    return partial(function, *[inputs[name] for name in program.names(inputs)])


def calls_of(program, setting, copies):
    function = program.make(setting, copies[0])
    return [bind(function, program, inputs) for inputs in copies]


@of_all
def eager(setting, copies):
    return calls_of(FORMULAS[setting.workload], setting, copies)


@of_all
def native(setting, copies):
    """By what PyTorch has for the workload."""
    return calls_of(FUSED[setting.workload], setting, copies)


def copy(setting, inputs):
    to = torch.empty_like(inputs["from"])
    return lambda: to.copy_(inputs["from"])


def use(backend):
    """Leaves `scaled_dot_product_attention` one of its backends; a comparison a call where it has it already."""
    global chosen
    if chosen != backend:
        chosen = backend
        torch.backends.cuda.enable_flash_sdp(backend == "flash")
        torch.backends.cuda.enable_math_sdp(backend == "math")
        torch.backends.cuda.enable_mem_efficient_sdp(backend == "efficient")
        torch.backends.cuda.enable_cudnn_sdp(backend == "cudnn")


def sdpa(backend, setting, copies):
    plain = calls_of(FUSED[setting.workload], setting, copies)

    def with_backend(call):
        def calls():
            if chosen != backend:
                use(backend)
            return call()

        return calls

    calls = [with_backend(call) for call in plain]
    try:
        calls[0]()
    except RuntimeError as error:
        if "No available kernel" in str(error) or "No viable backend" in str(error):
            raise Unsupported(f"its backend {backend} does not take this case") from error
        raise
    return calls


sdpa_flash = of_all(partial(sdpa, "flash"))
sdpa_math = of_all(partial(sdpa, "math"))
sdpa_efficient = of_all(partial(sdpa, "efficient"))
sdpa_cudnn = of_all(partial(sdpa, "cudnn"))


def compiled(setting, function, first, backend="inductor"):
    """A function as a backend of `torch.compile` makes it, anew each time: until it has answered is the metric `compile_ns`."""
    # Its caches go with their folder, whatever becomes of the process: what is loaded stays loaded.
    folder = tempfile.mkdtemp(prefix="benchbook-inductor-")
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
    try:
        # To load the compiler and to try the processor takes longer than to compile, and is done once in a process.
        fresh(lambda numbers: numbers + 1, backend)(torch.zeros(16, device=first[0].device))
        made = fresh(function, backend)
        setting.timed("compile_ns", lambda: made(*first))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return made


def fresh(function, backend):
    # What was compiled before is found by the code object, and this is one of its own.
    own = eval("lambda *given: function(*given)", {"function": function})
    return torch.compile(own, backend=backend, fullgraph=True, dynamic=False)


def compiled_calls_of(program, setting, copies):
    function = program.make(setting, copies[0])
    made = compiled(setting, function, [copies[0][name] for name in program.names(copies[0])])
    return [bind(made, program, inputs) for inputs in copies]


@of_all
def compile_formula(setting, copies):
    return compiled_calls_of(FORMULAS[setting.workload], setting, copies)


@of_all
def compile_fused(setting, copies):
    """The same by what PyTorch has for it, with the attention that it takes by itself."""
    return compiled_calls_of(FUSED[setting.workload], setting, copies)


def frozen(setting, copies, backend):
    from torch._inductor import config

    graph = Graph(setting, copies, FUSED).eval()
    with config.patch(freezing=True):
        made = compiled(setting, graph, graph.example, backend)
    return [partial(made, *[inputs[name] for name in graph.given]) for inputs in copies]


@of_all
def compile_frozen(setting, copies):
    """The same with its weights as constants, which the compiler packs as its products and convolutions want them."""
    return frozen(setting, copies, "inductor")


@of_all
def compile_zentorch(setting, copies):
    """The same by the backend of zentorch, which is there once the package is loaded."""
    import zentorch  # noqa: F401

    return frozen(setting, copies, "zentorch")


@of_all
def flex(setting, copies):
    """FlexAttention: the program of the case as a score_mod and a block mask."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    seq, heads, length = setting.seq, setting.heads, -(-setting.seq // 4)

    def causal(batch, head, query, key):
        return query >= key

    def document(batch, head, query, key):
        return (query >= key) & (query // length == key // length)

    def alibi(score, batch, head, query, key):
        return score - torch.exp2(-8.0 * (head + 1) / heads) * (query - key)

    def softcap(score, batch, head, query, key):
        return 20.0 * torch.tanh(score / 20.0)

    mods = {"alibi": (alibi, causal), "softcap": (softcap, None), "document": (None, document)}
    score_mod, mask = mods[setting.program]
    device = copies[0]["query"].device.type
    block_mask = create_block_mask(mask, None, None, seq, seq, device=device) if mask else None
    attend = partial(flex_attention, score_mod=score_mod, block_mask=block_mask)
    made = compiled(setting, attend, [copies[0][name] for name in QKV])
    return [partial(made, *[inputs[name] for name in QKV]) for inputs in copies]


def settle(device, threads):
    """Gives torch's pools their size, and MKL the path of the device."""
    torch.set_grad_enabled(False)
    if device.name.endswith("-mkl"):
        answer_mkl(device)
    if device.place == "cuda":
        # Left to itself cuDNN rounds f32 to 19 bits; products are in f32 by themselves.
        torch.backends.cudnn.allow_tf32 = False
    torch.set_num_threads(threads)
    if torch.get_num_interop_threads() != threads:
        torch.set_num_interop_threads(threads)


def library():
    return ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))


def answer_mkl(device):
    """Has MKL, which asks once whether the processor is Intel's, hear yes: as `libtorch-mkl` (`engines::libtorch::mkl`)."""
    try:
        question = library().mkl_serv_intel_cpu_true
    except AttributeError:
        raise Unsupported("this torch has no MKL that could take another path") from None
    at = ctypes.cast(question, ctypes.c_void_p).value
    page = os.sysconf("SC_PAGESIZE")
    begin, system = at - at % page, ctypes.CDLL(None, use_errno=True)

    def allow(flags):
        if system.mprotect(ctypes.c_void_p(begin), ctypes.c_size_t(2 * page), flags):
            raise Unsupported(f"the system keeps MKL's question from being answered: {os.strerror(ctypes.get_errno())}")

    allow(7)
    ctypes.memmove(at, b"\xb8\x01\x00\x00\x00\xc3", 6)  # mov eax, 1; ret
    allow(5)
    if library().mkl_serv_cpu_detect() not in PATHS:
        raise Unsupported(f"MKL has chosen its path in this process before: `{device.name}` needs a fresh one")


#: The names of MKL's own paths by their numbers (oneMKL 2024.2), as in `engines::libtorch::mkl`; any other is generic.
PATHS = {7: "AVX-512", 5: "AVX2", 3: "SSE4.2"}


def path():
    """The path that MKL has taken."""
    generic = "generic with AVX2 for Zen" if library().mkl_serv_cpuiszen() else "generic"
    return PATHS.get(library().mkl_serv_cpu_detect(), generic)


@cache
def onednn():
    """The instructions that oneDNN takes, by its own words; nothing where it does not tell. It says so once in a process, on standard
    output, when it does anything while it is verbose: here it is to copy a number.
    """

    def copy_a_number():
        with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
            torch.ones(1).to_mkldnn()

    if not torch.backends.mkldnn.is_available():
        return None
    try:
        said = machine.printed(copy_a_number)
    except (AssertionError, RuntimeError):  # a oneDNN that was built without these words
        return None
    # Such as `onednn_verbose,v1,info,cpu,isa:Intel AVX2`.
    return next((line.split("isa:")[1].strip() for line in said.splitlines() if ",cpu,isa:" in line), None)


def ran(device):
    """The instructions that torch really takes, as it says in this process."""
    if device.place == "cuda":
        _, absent = driver()
        return f"on {torch.cuda.get_device_name()}" + (f", whose clocks are not read: {absent}" if absent else "")
    said = [f"ATen {torch.backends.cpu.get_cpu_capability()}"]
    if torch.backends.mkl.is_available():
        try:
            said.insert(0, f"MKL {path()}")
        except AttributeError:  # a torch whose MKL does not tell
            pass
    if taken := onednn():
        said.insert(-1, f"oneDNN {taken}")
    return ", ".join(said)


def synchronize(device):
    if device.place == "cuda":
        torch.cuda.synchronize()


def driver():
    """What the driver tells of the GPU, and why it does not."""
    return gpu.driver_of(str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid))


def clock(device, cold):
    """Events, where calls return before their work is done."""
    if device.place != "cuda":
        return None
    flush = gpu.flush_of(torch) if cold else None
    return gpu.Clock(torch.cuda, flush, gpu.error_of(machine.loaded("libcudart")), driver()[0])
