"""Your own code: rows of an engine of yours, and calls that time it, watch its memory, and compare several ways."""

import math
import random
import statistics

from . import machine
from .rows import Device, Row
from .worker import Worker

#: Two readings of the clock are this far apart at least, in nanoseconds.
LEAST_NS = 1_000_000


class Engine:
    """An engine of your own. `name` is its device; its arrays are those of `numpy` or of `torch`.

        mine = Engine("mine", "torch")

        @mine.row("attention", "mine")
        def attention(setting, inputs):
            query, key, value = inputs["query"], inputs["key"], inputs["value"]
            return lambda: my_attention(query, key, value)

        mine.serve()
    """

    def __init__(self, name, arrays="numpy", version="1"):
        hooks = {"numpy": "numpy_rows", "torch": "torch_rows"}[arrays]
        self.device = Device(name, name, ((arrays, "0", ""),), arrays, hooks, told=version)
        self.rows = []

    def row(self, workload, name, dtypes=("f32",), **more):
        """What it decorates prepares a case: from one copy of its inputs it makes a call without arguments."""

        def add(prepare):
            about = (prepare.__doc__ or "").strip().split("\n")[0]
            self.rows.append(Row(name, workload, (self.device.name,), tuple(dtypes), prepare, about, **more))
            return prepare

        return add

    def serve(self):
        """Answers a controller: `benchbook run WORKLOAD --worker "mine=python this_file.py"`."""
        Worker([self.device], self.rows).serve()


def sample_ns(call, times):
    """Time of so many calls together, in nanoseconds. Nothing but the calls lies between the two readings."""
    with machine.without_collector():
        started = machine.now_ns()
        for _ in range(times):
            call()
        return machine.now_ns() - started


def calls_for(call, least_ns=LEAST_NS):
    """How many calls together take a sample of that length, after a first one that is not counted."""
    call()
    times = 1
    while (took := sample_ns(call, times)) < least_ns:
        times = max(2 * times, int(1.2 * times * least_ns / max(took, 1)))
    return times


def time_of(call, samples=30):
    """Times of one call, in nanoseconds: a list with an entry for each sample, after a warm-up."""
    times = calls_for(call)
    return [sample_ns(call, times) / times for _ in range(samples)]


def memory_of(call):
    """What a call adds to the memory of this process at its highest, in bytes; nothing where the system does not tell.

    Memory that the allocator has kept of earlier calls does not show: ask in a fresh process, before anything else.
    """
    return machine.peak_added_bytes(call)


def rank_of(count):
    """How many of so many numbers lie outside of an interval for their median on either side: as many as leave it 95 %, by the
    binomial distribution (David and Nagaraja, Order Statistics, section 7.1).
    """
    rank, below = 0, 1
    if 2 * below > 0.05 * 2**count:
        raise ValueError(f"{count} blocks give no interval of 95 %: take 6 or more")
    while 2 * (below + math.comb(count, rank + 1)) <= 0.05 * 2**count:
        rank += 1
        below += math.comb(count, rank)
    return rank


def compare(ways, blocks=30, seed=0):
    """Times several functions, each once in a block, in an order that is drawn anew for each.

    `ways` are functions without arguments by their names; the first is the baseline. Gives a line for each: `name`,
    `median_ns`, and `ratio` with `low` and `high`, the baseline's time by its own: above 1 it is faster. The interval holds the
    median of the paired ratios in 95 % of such series *within one process*: another process may be slower as a whole, which
    `benchbook run` sees and this cannot. It takes six blocks at least.
    """
    order, generator, rank = list(ways), random.Random(seed), rank_of(blocks)
    times = {name: calls_for(call) for name, call in ways.items()}
    taken = {name: [] for name in ways}
    for _ in range(blocks):
        generator.shuffle(order)
        for name in order:
            ways[name]()
            taken[name].append(sample_ns(ways[name], times[name]) / times[name])
    baseline = taken[next(iter(ways))]
    lines = []
    for name, own in taken.items():
        ratios = sorted(of_baseline / one for of_baseline, one in zip(baseline, own))
        line = {"name": name, "median_ns": statistics.median(own), "ratio": statistics.median(ratios)}
        lines.append(line | {"low": ratios[rank], "high": ratios[-1 - rank]})
    return lines
