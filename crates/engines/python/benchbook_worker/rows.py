"""What a table of engines is made of: devices and rows."""

import importlib
import importlib.metadata
import math
import time
from dataclasses import dataclass, field

from . import machine
from .arrays import KINDS


class Unsupported(Exception):
    """A row cannot take a case here; its text is the reason."""


@dataclass
class Setting:
    """A case as a row needs to know it."""

    workload: str
    params: dict
    dtype: str
    threads: int
    device: str
    metrics: list = field(default_factory=list)
    #: Inputs that were packed while the case was prepared, which nobody can overwrite from then on.
    packed: tuple = ()
    #: Of an approximation, the numbers that are computed with in the place of inputs: arrays of the engine by the names of these, or
    #: functions that make them of the input.
    stands_for: dict = field(default_factory=dict)
    #: How the left factors of products are rounded on the way, where that is not the input of a call: `{"bits": 8, "group": 32}`, and
    #: without a group where a whole row shares its scale.
    rounding: dict = None

    def __getattr__(self, name):
        """A parameter of the case by its name."""
        try:
            return self.__dict__["params"][name]
        except KeyError:
            raise AttributeError(f"the case has no parameter `{name}`") from None

    def tell(self, name, value, unit):
        """Records a number beside the times, of whatever kind of numbers."""
        value = float(value)
        # JSON has no other words for these.
        told = value if math.isfinite(value) else str(value)
        self.metrics.append({"name": name, "value": told, "unit": unit, "measured": True})

    def tell_weights(self, inputs, given="prompt"):
        """Records the bytes of all inputs but the one that is given anew."""
        self.tell("weight_bytes", sum(one.nbytes for name, one in inputs.items() if name != given), "bytes")

    def timed(self, name, work):
        """Does some work of the preparation, and records how long it took, in nanoseconds."""
        started = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        result = work()
        self.tell(name, time.clock_gettime_ns(time.CLOCK_MONOTONIC) - started, "ns")
        return result


def installed(package):
    """The version of a package of this Python; nothing where it is missing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def parts(version):
    """The numbers that a version begins with."""
    numbers = []
    for part in version.split("+")[0].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def lacking(needs, apart=None):
    """Which of these packages this Python lacks, or has in a version that will not do; nothing where it has them all. `apart` is the
    engine that they are of, where it wants an environment of its own."""
    for package, least, below in needs:
        found = installed(package)
        if found is None and apart:
            return f"the package {package} is missing in this Python: `cargo xtask setup --engine {apart}` installs it apart"
        if found is None:
            of_project = "`cargo xtask setup` installs what environment.yml lists"
            return f"the package {package} is missing in this Python: {of_project}, `pip install {package}` any other"
        if parts(found) < parts(least) or (below and parts(found) >= parts(below)):
            range_of = f"{least} or newer" + (f", before {below}" if below else "")
            return f"{package} is {found}, and {range_of} is needed"
    return None


@dataclass
class Device:
    """What one process computes on: an engine in one of its ways.

    `needs` are its packages, each with the first version that will do and the first that will not, where there is one; the
    first of them is the engine. `hooks` is a module of this package that may have `settle(device, threads)`, `ran(device)`,
    which says what really runs, `synchronize(device)`, which waits for it, and `clock(device, cold)`, which gives what times
    it, where that is not the system's clock.
    """

    name: str
    engine: str
    needs: tuple
    arrays: str = "numpy"
    hooks: str = ""
    #: Where its arrays lie.
    place: str = "cpu"
    #: A reason why it cannot be used here, beside its packages.
    absent: object = None
    #: What inputs are in, where that is not the dtype that is asked for.
    real: str = ""
    #: Its version, where that is not its package's.
    told: str = ""
    #: Whether its packages clash with those of others, so that it wants an environment of its own.
    apart: bool = False

    def version(self):
        return self.told or installed(self.needs[0][0])

    def unavailable(self):
        """Why it cannot be used here; nothing where it can."""
        return lacking(self.needs, self.apart and self.engine) or (self.absent() if self.absent else None)

    def hook(self, name):
        return getattr(importlib.import_module("." + self.hooks, __package__), name, None) if self.hooks else None

    def settle(self, threads):
        """Gives its pools their size, before anything runs there."""
        if hook := self.hook("settle"):
            hook(self, threads)
        wait = self.hook("synchronize")
        self.synchronize = (lambda: wait(self)) if wait else lambda: None

    def clock(self, cold):
        """What times its calls, where each finds its inputs outside of the caches if it is `cold`."""
        hook = self.hook("clock")
        return (hook(self, cold) if hook else None) or machine.Clock()

    def ran(self):
        """Its version with what it really runs, where it tells."""
        hook = self.hook("ran")
        said = hook(self) if hook else ""
        return f"{self.version()} {said}" if said else None

    def kind(self):
        return KINDS[self.arrays](self.place)

    def inputs_in(self, dtype):
        return self.real or dtype


@dataclass
class Row:
    """One way to solve a workload: `prepare(setting, inputs)` gives a call without arguments that makes the outputs, from
    one copy of the inputs; where it is named as `module:function`, that is loaded when it is needed."""

    name: str
    workload: str
    devices: tuple
    dtypes: tuple
    prepare: object
    about: str = ""
    catalogue: tuple = ()
    #: Inputs that it has packed, which nobody can overwrite.
    packed: tuple = ()
    #: Inputs that are token ids, which can be overwritten.
    tokens: tuple = ()
    #: Whether a sample is a loop: `prepare` gives what has `begin()`, `step()` and `result()` then.
    loop: bool = False
    #: Whether what a call adds to memory shows in what is resident.
    memory: bool = True
    #: Packages beside those of its device, in the same words.
    needs: tuple = ()
    #: Whether it computes with other numbers than its inputs, which `prepare` sets down in `setting.stands_for`.
    approximates: bool = False
    #: Whether it is measured only where a plan names it.
    on_request: bool = False

    def packages(self):
        """What it needs beside its device, with the versions that are here."""
        return [f"{package} {installed(package)}" for package, *_ in self.needs]

    def prepared(self, setting, copies):
        if reason := lacking(self.needs):
            raise Unsupported(reason)
        prepare = self.prepare
        if isinstance(prepare, str):
            module, name = prepare.split(":")
            prepare = getattr(importlib.import_module("." + module, __package__), name)
        return prepare(setting, copies) if getattr(prepare, "of_all", False) else [prepare(setting, one) for one in copies]


def only_hot(copies):
    """Refuses several copies of the inputs, where all calls share what was packed of them."""
    if len(copies) > 1:
        raise Unsupported("all calls share its weights, which stay in the caches: measure it hot")


def sets_of(copies, held):
    """How many sets of packed weights, of so many bytes each, fill as much memory as the copies of the inputs in f32, by which copies
    are counted, and at least one for each copy: a call finds none of its weights in a cache where these take turns. Of inputs that stay
    in the caches there is one."""
    if len(copies) == 1:
        return 1
    whole = sum(4 * math.prod(one.shape) for one in copies[0].values())
    return max(len(copies), -(-len(copies) * whole // max(held, 1)))


def taking_turns(copies, sets):
    """Each set of packed weights with the inputs of one of the copies, which take turns."""
    return [(one, copies[turn % len(copies)]) for turn, one in enumerate(sets)]


def of_all(prepare):
    """Marks a `prepare(setting, copies)` that makes the calls of all copies at once: what it prepares, they share."""
    prepare.of_all = True
    return prepare
