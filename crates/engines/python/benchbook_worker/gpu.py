"""Times on a GPU of NVIDIA, by events on the stream on which calls are made; launches that never ran; and the clocks of the GPU."""

import ctypes
import functools
import statistics

from . import machine

#: How long it may take to hear that all of a GPU is at rest once the last event has passed, in nanoseconds.
MOST_BEHIND_NS = 50_000

#: Nothing stays in the caches of a GPU after so many times their size was written.
FLUSHES = 4

#: Why a clock is lower than it could be, by the bits of NVML (NVML API Reference, "Clocks Event Reasons").
REASONS = {"power_cap": 0x4, "heat": 0x20 | 0x40, "hardware": 0x8 | 0x80, "setting": 0x2 | 0x10}

#: Those that spoil a sample, as the heat of a processor does; under its cap of power a GPU is as it always is under load.
SPOILS = REASONS["heat"] | REASONS["hardware"]


class Clock:
    """Times calls by two events around them (CUDA C++ Programming Guide, "Events"). `cuda` is `torch.cuda`; `flush` is there in the
    cold regime, and takes everything out of the caches before each call; `error` tells of launches that have failed; `driver`
    is there where the driver tells of its clocks.
    """

    def __init__(self, cuda, flush, error, driver):
        self.cuda, self.flush, self.error, self.driver = cuda, flush, error, driver
        self.first, self.last = (cuda.Event(enable_timing=True) for _ in range(2))
        self.seen = []

    def time(self, trial, times):
        """Makes so many calls, and tells what they took on the GPU, in nanoseconds."""
        self.cuda.synchronize()
        self.error()  # whose ever that was, it was before
        with machine.without_collector():
            processor = machine.processor_ns()
            started = machine.now_ns()
            if self.flush is None:
                elapsed = self.stretch(trial, times)
            else:
                elapsed = sum(self.stretch(trial, 1) for _ in range(times))
            whole = machine.now_ns() - started
            processor = machine.processor_ns() - processor
        if error := self.error():
            raise RuntimeError(f"a launch has failed, and what was launched never ran: {error}")
        if elapsed <= 0:
            raise RuntimeError("no time has passed on the GPU: what was launched never ran")
        # The clocks of both sides differ by some parts in a million.
        told = {"started_ns": started, "elapsed_ns": min(elapsed, whole)}
        # Between cold calls the processor waits for the flush, which no sample has in it.
        told |= {"cpu_ns": processor} if self.flush is None else {}
        if self.driver and (read := self.driver.read()):
            self.seen.append(read)
            told["throttled"] = int(bool(read[1] & SPOILS))
        return told

    def stretch(self, trial, times):
        if self.flush is not None:
            self.flush()
        self.first.record()
        trial.issue(times)
        self.last.record()
        self.last.synchronize()
        ended = machine.now_ns()
        self.cuda.synchronize()
        behind = machine.now_ns() - ended
        # What goes on after the last event is on another stream, and a part of the work all the same.
        return round(1e6 * self.first.elapsed_time(self.last)) + (behind if behind > MOST_BEHIND_NS else 0)

    def tell(self, setting):
        """Records the clock over all calls, and how often what kept it low."""
        if not self.seen:
            return
        clocks, reasons = zip(*self.seen)
        setting.tell("sm_clock_hz", statistics.median(clocks), "Hz")
        setting.tell("sm_clock_least_hz", min(clocks), "Hz")
        for name, bits in REASONS.items():
            setting.tell(f"clock_kept_low_by_{name}", statistics.mean(bool(one & bits) for one in reasons), "share")


def flush_of(torch):
    """What takes everything out of the caches of the GPU: it writes more than they hold."""
    size = FLUSHES * torch.cuda.get_device_properties(torch.cuda.current_device()).L2_cache_size
    return torch.empty(size, dtype=torch.int8, device="cuda").zero_


def error_of(paths):
    """What tells of the last launch that has failed since it was asked, which the CUDA runtime keeps until then (CUDA Runtime
    API, "Error Handling"); it never tells of any where the runtime is no library of its own. `paths` are where such lie.
    """
    if not paths:
        return lambda: None
    runtime = ctypes.CDLL(paths[0])
    runtime.cudaGetErrorName.restype = ctypes.c_char_p

    def error():
        code = runtime.cudaGetLastError()
        return runtime.cudaGetErrorName(code).decode() if code else None

    return error


class Driver:
    """A GPU as NVML knows it, the library of its driver."""

    def __init__(self, library, uuid):
        self.handle = ctypes.c_void_p()
        error = library.nvmlInit_v2() or library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(self.handle))
        if error:
            raise OSError(f"NVML answers with its error {error}")
        self.clock, self.reasons = library.nvmlDeviceGetClockInfo, library.nvmlDeviceGetCurrentClocksThrottleReasons

    def read(self):
        """The clock of its multiprocessors in Hz, and the bits of what keeps that low; nothing where it does not tell."""
        clock, reasons = ctypes.c_uint(), ctypes.c_ulonglong()
        failed = self.clock(self.handle, 1, ctypes.byref(clock)) or self.reasons(self.handle, ctypes.byref(reasons))
        return None if failed else (1e6 * clock.value, reasons.value)


@functools.cache
def driver_of(uuid):
    """The driver's side of a GPU, and why there is none, one of which is nothing."""
    try:
        return Driver(ctypes.CDLL("libnvidia-ml.so.1"), f"GPU-{uuid}"), None
    except (OSError, AttributeError) as error:
        return None, str(error)
