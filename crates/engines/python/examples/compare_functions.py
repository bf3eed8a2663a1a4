"""Times functions of mine beside each other in one process, and says what one of them adds to memory."""

import numpy
from benchbook_worker import compare, memory_of

numbers = numpy.random.default_rng(1).standard_normal(200_000)


def by_sorting():
    return numpy.sort(numbers)[:10]


def by_partition():
    return numpy.sort(numpy.partition(numbers, 10)[:10])


if __name__ == "__main__":
    added = memory_of(by_sorting)
    print("by_sorting adds " + ("what nobody tells" if added is None else f"{added / 1e6:.1f} MB"))
    for line in compare({"by_sorting": by_sorting, "by_partition": by_partition}):
        print("{name}: {median_ns:.0f} ns, {ratio:.2f} times as fast ({low:.2f} to {high:.2f})".format(**line))
