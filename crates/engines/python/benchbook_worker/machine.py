"""What the system tells of this process: its clocks and its memory, and what libraries print."""

import ctypes
import gc
import os
import sys
import time
from contextlib import contextmanager

NOW = time.CLOCK_MONOTONIC


def now_ns():
    """A reading of the clock that all processes share."""
    return time.clock_gettime_ns(NOW)


@contextmanager
def without_collector():
    """Keeps Python from looking for garbage in what is timed."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def processor_ns():
    """Processor time of this process, exact by the clock of each of its threads."""
    total = 0
    for thread in os.listdir("/proc/self/task"):
        # A clock of a thread: its number inverted, CPUCLOCK_PERTHREAD_MASK and CPUCLOCK_SCHED (linux/posix-timers.h).
        try:
            total += time.clock_gettime_ns((~int(thread) << 3) | 6)
        except OSError:
            pass  # it has ended since it was listed
    return total


def flags():
    """What the processor can do, in the words of the system."""
    with open("/proc/cpuinfo") as processors:
        return next((line.split(":")[1].split() for line in processors if line.startswith("flags")), [])


def has_vnni():
    """Whether the processor adds up products of bytes in 32 bits at once."""
    return bool({"avx512_vnni", "avx_vnni"} & set(flags()))


class Clock:
    """Times calls by the clock that all processes share, beside the processor time that they take."""

    def time(self, trial, times):
        """Makes so many calls, and tells what they took, in nanoseconds."""
        call, now = trial.call, now_ns
        with without_collector():
            processor = processor_ns()
            started = now()
            call(times)
            elapsed = now() - started
            processor = processor_ns() - processor
        return {"started_ns": started, "elapsed_ns": elapsed, "cpu_ns": processor}

    def tell(self, setting):
        """Records what only all calls tell, which is nothing here."""


def printed(work):
    """What is printed to standard output while some work is done, by libraries past Python too."""

    def flush():
        sys.stdout.flush()
        ctypes.CDLL(None).fflush(None)

    flush()
    kept = os.dup(1)
    with os.fdopen(os.memfd_create("printed"), "w+b") as file:
        os.dup2(file.fileno(), 1)
        try:
            work()
        finally:
            flush()
            os.dup2(kept, 1)
            os.close(kept)
        file.seek(0)
        return file.read().decode(errors="replace")


def loaded(part):
    """Where the shared libraries of this process lie whose paths have this part."""
    with open("/proc/self/maps") as maps:
        found = {line.split()[-1] for line in maps if part in line}
    return sorted(path for path in found if os.path.exists(path))


def resident_bytes(mark):
    """A line of /proc/self/status in bytes: `VmRSS` is what is resident, `VmHWM` the most that was."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(mark))


def peak_added_bytes(call):
    """What a call adds to resident memory at its highest, in bytes; nothing where the system does not tell."""
    try:
        with open("/proc/self/clear_refs", "w") as peak:
            peak.write("5")  # sets the peak back to what is resident now
    except OSError:
        return None
    before = resident_bytes("VmRSS")
    result = call()
    added = max(0, resident_bytes("VmHWM") - before)
    del result
    return added


def processor_count():
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))
