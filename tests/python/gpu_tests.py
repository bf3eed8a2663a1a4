"""Tests of how a GPU is timed and what it tells, without one, run by python_engines.rs."""

import unittest
from types import SimpleNamespace
from unittest import mock

from benchbook_worker import Setting, gpu


class Gpu:
    """Stands for `torch.cuda`, for a trial on it, and for the clocks of both: work takes the time that it is told to."""

    def __init__(self, call_ns, behind_ns=0):
        self.call_ns, self.behind_ns, self.now_ns, self.calls = call_ns, behind_ns, 1_000, []
        self.capability = (9, 0)

    def Event(self, enable_timing):
        event = SimpleNamespace(synchronize=lambda: None)
        event.record = lambda: setattr(event, "at_ns", self.now_ns)
        event.elapsed_time = lambda last: (last.at_ns - event.at_ns) / 1e6
        return event

    def max_memory_allocated(self):
        return 1 << 20

    def get_device_capability(self):
        return self.capability

    def issue(self, times):
        self.calls.append(times)
        self.now_ns += times * self.call_ns

    def flush(self):
        self.calls.append("flush")
        self.now_ns += 60_000

    def synchronize(self):
        self.now_ns += self.behind_ns if self.calls else 0

    def timed(self, times, cold=False, errors=(), driver=None):
        errors = iter([*errors, None, None])
        clock = gpu.Clock(self, self.flush if cold else None, lambda: next(errors), driver)
        with mock.patch.object(gpu.machine, "now_ns", lambda: self.now_ns):
            return clock, clock.time(self, times)


class Nvml:
    """Stands for the library NVML: a GPU whose clock and reasons are those of the next sample."""

    def __init__(self, *told, refuses=0):
        self.told, self.refuses, self.asked = iter(told), refuses, []
        self.old, self.watts, self.joules = 0, iter(()), iter(())

    def nvmlInit_v2(self):
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid, handle):
        self.asked.append(uuid)
        return self.refuses

    def nvmlDeviceGetClockInfo(self, handle, kind, clock):
        self.asked.append(kind)
        clock._obj.value, self.bits = next(self.told)
        return 0

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle, reasons):
        reasons._obj.value = self.bits
        return 0

    def nvmlDeviceGetPowerUsage(self, handle, milliwatts):
        milliwatts._obj.value = 1000 * next(self.watts, 0)
        return self.old

    def nvmlDeviceGetTemperature(self, handle, sensor, celsius):
        celsius._obj.value = 61
        return self.old

    def nvmlDeviceGetTotalEnergyConsumption(self, handle, millijoules):
        millijoules._obj.value = 1000 * next(self.joules, 0)
        return self.old


class TestGpu(unittest.TestCase):
    def test_hot_calls_lie_between_two_events(self):
        of = Gpu(call_ns=2_000)
        _, told = of.timed(500)
        self.assertEqual((told["elapsed_ns"], told["started_ns"], of.calls), (1_000_000, 1_000, [500]))
        self.assertIn("cpu_ns", told)
        self.assertNotIn("throttled", told)

    def test_cold_calls_follow_a_flush_each_that_is_not_timed(self):
        of = Gpu(call_ns=2_000)
        _, told = of.timed(3, cold=True)
        self.assertEqual((told["elapsed_ns"], of.calls), (6_000, ["flush", 1] * 3))
        self.assertNotIn("cpu_ns", told)

    def test_work_on_another_stream_counts(self):
        self.assertEqual(Gpu(2_000, behind_ns=gpu.MOST_BEHIND_NS).timed(10)[1]["elapsed_ns"], 20_000)
        self.assertEqual(Gpu(2_000, behind_ns=900_000).timed(10)[1]["elapsed_ns"], 920_000)
        self.assertEqual(Gpu(2_000, behind_ns=900_000).timed(2, cold=True)[1]["elapsed_ns"], 2 * 902_000)

    def test_a_launch_that_never_ran_is_caught(self):
        with self.assertRaisesRegex(RuntimeError, "never ran: cudaErrorInvalidConfiguration"):
            Gpu(2_000).timed(10, errors=[None, "cudaErrorInvalidConfiguration"])
        with self.assertRaisesRegex(RuntimeError, "no time has passed on the GPU"):
            Gpu(0).timed(10)
        _, told = Gpu(2_000).timed(10, errors=["cudaErrorOfSomebodyElse"])
        self.assertEqual(told["elapsed_ns"], 20_000)

    def test_clocks_and_what_keeps_them_low_are_told(self):
        nvml = Nvml((1980, 0x1), (1500, 0x4), (1200, 0x20), (1980, 0x40 | 0x8))
        nvml.watts, nvml.joules = iter((90, 300, 310, 100)), iter((1, 3, 3, 5, 5, 7, 7, 9))
        of, driver = Gpu(2_000), gpu.Driver(nvml, "GPU-1")
        clock, told = of.timed(1, driver=driver)
        throttled = [told["throttled"]]
        with mock.patch.object(gpu.machine, "now_ns", lambda: of.now_ns):
            clock.error = lambda: None
            throttled += [clock.time(of, 1)["throttled"] for _ in range(3)]
        self.assertEqual((throttled, nvml.asked), ([0, 0, 1, 1], [b"GPU-1", 1, 1, 1, 1]))
        setting = Setting("matmul", {}, "f32", 1, "torch-cuda")
        clock.tell(setting)
        told = {one["name"]: one["value"] for one in setting.metrics}
        self.assertEqual((told["sm_clock_hz"], told["sm_clock_least_hz"]), (1.74e9, 1.2e9))
        reasons = {"power_cap": 0.25, "heat": 0.5, "hardware": 0.25, "setting": 0}
        self.assertEqual({name: told["clock_kept_low_by_" + name] for name in reasons}, reasons)
        # Eight joules of four calls; a median, and the hottest.
        state = {"gpu_power_watts": 200, "gpu_temperature_celsius": 61, "gpu_energy_joules": 2, "gpu_peak_bytes": 1 << 20}
        self.assertEqual({name: told[name] for name in state}, state)
        self.assertEqual(told["gpu_multiplies_fp8"], 1)

    def test_what_an_older_gpu_does_not_tell_is_left_out(self):
        nvml = Nvml((1980, 0x1))
        nvml.old = 3
        of = Gpu(2_000)
        of.capability = (6, 1)
        clock, _ = of.timed(1, driver=gpu.Driver(nvml, "GPU-1"))
        setting = Setting("matmul", {}, "f32", 1, "torch-cuda")
        clock.tell(setting)
        told = {one["name"]: one["value"] for one in setting.metrics}
        self.assertEqual(told["gpu_multiplies_fp8"], 0)
        self.assertFalse({"gpu_power_watts", "gpu_temperature_celsius", "gpu_energy_joules"} & set(told))

    def test_a_driver_that_tells_nothing_is_a_reason(self):
        with self.assertRaisesRegex(OSError, "its error 6"):
            gpu.Driver(Nvml(refuses=6), "GPU-1")
        clock, told = Gpu(2_000).timed(1)
        setting = Setting("matmul", {}, "f32", 1, "torch-cuda")
        clock.tell(setting)
        told_of_clocks = [one["name"] for one in setting.metrics if "clock" in one["name"]]
        self.assertEqual((told_of_clocks, "throttled" in told), ([], False))
        self.assertIsNone(gpu.error_of([])())


if __name__ == "__main__":
    unittest.main()
