"""PyTorch: workloads that are written in several forms, each by itself, and compiled."""

from . import experts, hybrid, latent, mixers
from .rows import Unsupported, of_all
from .torch_rows import bind, calls_of, compiled, compiled_calls_of

FORMS = mixers.FORMS | experts.FORMS | hybrid.FORMS | latent.FORMS


@of_all
def loop(setting, copies):
    """A recurrence, a few calls of PyTorch for each step."""
    recurrence, program = recurrence_of(setting, copies)
    return [bind(recurrence.looped(recurrence.step), program, inputs) for inputs in copies]


@of_all
def compile_step(setting, copies):
    """The same, with the step as `torch.compile` makes it."""
    recurrence, program = recurrence_of(setting, copies)
    first = recurrence.first(*(copies[0][name] for name in program.names(copies[0])))
    call = recurrence.looped(compiled(setting, recurrence.step, first))
    return [bind(call, program, inputs) for inputs in copies]


def recurrence_of(setting, copies):
    mixers.few_steps(setting.seq)
    program = mixers.STEPS[setting.workload]
    return program.make(setting, copies[0]), program


def form(name):
    """What prepares a workload in the form of this name, and what does so compiled."""

    def made_by(calls):
        return of_all(lambda setting, copies: calls(FORMS[setting.workload, name], setting, copies))

    return made_by(calls_of), made_by(compiled_calls_of)


associative, compile_associative = form("associative")
chunked, compile_chunked = form("chunked")
parallel, compile_parallel = form("parallel")
by_choice, compile_by_choice = form("by-choice")
by_all, compile_by_all = form("by-all")
expanded, compile_expanded = form("expanded")
absorbed, compile_absorbed = form("absorbed")
autograd, _ = form("autograd")
composed, compiled_stack = form("composed")
# What an expert has to do is not known before: nothing to compile.
by_expert, _ = form("by-expert")


@of_all
def compile_composed(setting, copies):
    """A stack without mixers that are loops over steps, which a compiler would write out one by one, and without experts."""
    if "E" in setting.pattern:
        raise Unsupported("what the experts of layers E have to do is not known before, and no graph")
    if loops := hybrid.LOOPS & set(setting.pattern):
        raise Unsupported(f"layers {', '.join(sorted(loops))} are loops over steps, and no graph")
    return compiled_stack(setting, copies)
