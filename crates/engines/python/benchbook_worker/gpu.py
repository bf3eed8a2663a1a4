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
        self.seen, self.states = [], []
        self.joules, self.calls = 0.0, 0

    def time(self, trial, times):
        """Makes so many calls, and tells what they took on the GPU, in nanoseconds."""
        self.cuda.synchronize()
        self.error()  # whose ever that was, it was before
        spent = self.spent()
        with machine.without_collector():
            processor = machine.processor_ns()
            started = machine.now_ns()
            if self.flush is None:
                elapsed = self.stretch(trial, times)
            else:
                elapsed = sum(self.stretch(trial, 1) for _ in range(times))
            whole = machine.now_ns() - started
            processor = machine.processor_ns() - processor
        self.count(spent, times)
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
            self.states.append(self.driver.state())
        return told

    def spent(self):
        """The joules that the GPU has taken so far; nothing in the cold regime, where most of them are the flush's."""
        return self.driver.spent() if self.driver and self.flush is None else None

    def count(self, before, times):
        """Adds what so many calls have taken since then."""
        after = self.spent()
        if before is not None and after is not None:
            self.joules += after - before
            self.calls += times

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
        """Records the clock over all calls and how often what kept it low, power, heat, and the energy of a call, which the driver
        counts in steps of its own; the most that PyTorch has held at once, copies of inputs and all; and whether products of fp8 are
        made in hardware (from compute capability 8.9 on: CUDA C++ Programming Guide, "Compute Capabilities")."""
        setting.tell("gpu_peak_bytes", self.cuda.max_memory_allocated(), "bytes")
        setting.tell("gpu_multiplies_fp8", self.cuda.get_device_capability() >= (8, 9), "bool")
        if self.calls:
            setting.tell("gpu_energy_joules", self.joules / self.calls, "joules")
        powers, heats = ([one[at] for one in self.states if one[at] is not None] for at in range(2))
        if powers:
            setting.tell("gpu_power_watts", statistics.median(powers), "watts")
        if heats:
            setting.tell("gpu_temperature_celsius", max(heats), "degrees")
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
        self.power, self.heat = library.nvmlDeviceGetPowerUsage, library.nvmlDeviceGetTemperature
        self.energy = library.nvmlDeviceGetTotalEnergyConsumption

    def read(self):
        """The clock of its multiprocessors in Hz, and the bits of what keeps that low; nothing where it does not tell."""
        clock, reasons = ctypes.c_uint(), ctypes.c_ulonglong()
        failed = self.clock(self.handle, 1, ctypes.byref(clock)) or self.reasons(self.handle, ctypes.byref(reasons))
        return None if failed else (1e6 * clock.value, reasons.value)

    def state(self):
        """Its power in watts and its temperature in degrees Celsius, each nothing where it does not tell (NVML, sensor 0: the chip)."""
        milliwatts, celsius = ctypes.c_uint(), ctypes.c_uint()
        cold = self.heat(self.handle, 0, ctypes.byref(celsius))
        dark = self.power(self.handle, ctypes.byref(milliwatts))
        return None if dark else milliwatts.value / 1e3, None if cold else celsius.value

    def spent(self):
        """The joules that it has taken since its driver was loaded; nothing where it does not tell, as before Volta."""
        millijoules = ctypes.c_ulonglong()
        return None if self.energy(self.handle, ctypes.byref(millijoules)) else millijoules.value / 1e3


@functools.cache
def driver_of(uuid):
    """The driver's side of a GPU, and why there is none, one of which is nothing."""
    try:
        return Driver(ctypes.CDLL("libnvidia-ml.so.1"), f"GPU-{uuid}"), None
    except (OSError, AttributeError) as error:
        return None, str(error)
