"""Jupyter's own tests of kernels on the kernel, or on a program that serves the same front end without Rust.

Usage: conformance.py FOLDER [PROGRAM]; prints one JSON object: how many passed, what was skipped and why, what failed.
"""

import json
import os
import sys
import unittest
from pathlib import Path
from unittest import mock

# Where Jupyter looks for kernels is read when it is loaded.
FOLDER, *PROGRAM = sys.argv[1:]
os.chdir(FOLDER)
if PROGRAM:
    PLACE = Path("jupyter/kernels/script")
    PLACE.mkdir(parents=True)
    SPEC = {"argv": [*PROGRAM, "{connection_file}"], "display_name": "script", "language": "rust", "interrupt_mode": "message"}
    (PLACE / "kernel.json").write_text(json.dumps(SPEC))
    os.environ["JUPYTER_PATH"] = str(PLACE.parent.parent.resolve())

import jupyter_kernel_test as jkt  # noqa: E402

START_S = 240
# How long these tests wait for a message that the kernel has sent; other tests run beside them.
LEAST_S = 30


class Front:
    """What the front end says by itself."""

    language_name = "rust"
    file_extension = ".rs"
    complete_code_samples = ["1 + 1", "fn f() {}", "%sql select 1", "%%sql\nselect 1;"]
    incomplete_code_samples = ["fn f() {", "let a =", "%%sql", "%%sql\nselect 1"]
    invalid_code_samples = ["}", "%%nothing"]
    completion_samples = [{"text": "%%", "matches": {"%%sql", "%%time"}}, {"text": "%va", "matches": {"%vars"}}]
    supported_history_operations = ("tail", "range", "search")

    def execute_helper(self, code, timeout=START_S, **more):
        channel = self.kc.iopub_channel
        patient = mock.patch.object(channel, "get_msg", lambda timeout, get=channel.get_msg: get(timeout=max(timeout, LEAST_S)))
        with patient:
            return super().execute_helper(code, timeout=timeout, **more)


class Script(Front, jkt.KernelTests):
    kernel_name = "script"
    code_hello_world = "print hello, world"
    code_stderr = "complain of it"
    code_execute_result = [{"code": "value 42", "result": "42"}, {"code": "%%sql\nselect 1", "mime": "text/html"}]
    code_history_pattern = "value*"
    code_display_data = [{"code": "show it", "mime": "text/plain"}]
    code_generate_error = "fail badly"
    code_clear_output = "print a\nclear"


class Rust(Front, jkt.KernelTests):
    kernel_name = "benchbook"
    code_hello_world = 'println!("hello, world");'
    code_stderr = 'eprintln!("complain");'
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": 'String::from("a")', "result": '"a"'},
        {"code": "%%sql\nselect 1 as one", "mime": "text/html"},
        {"code": 'lab.sql("select 1 as one")?', "mime": "text/html"},
    ]
    code_history_pattern = "6 ?*"
    code_display_data = [{"code": 'display(&lab.sql("select 1 as one")?);', "mime": "text/html"}]
    code_generate_error = 'std::fs::read("/no/such/file")?;'
    code_clear_output = 'println!("a");\nclear_output(false);'
    code_inspect_sample = "lab"
    completion_samples = [
        *Front.completion_samples,
        {"text": "%%sql\nselect replicate_med", "matches": {"replicate_median"}},
        {"text": "%%sql\nselect * from verd", "matches": {"verdicts"}},
        {"text": "let many: Vec<u8> = Vec::with_cap"},
    ]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The first cell waits for evcxr, longer than these tests do.
        reply = cls.kc.execute('let lab = Lab::open("results")?;', reply=True, timeout=START_S)
        assert reply["content"]["status"] == "ok", reply["content"]

    def test_other_errors(self):
        for code in ('panic!("on purpose");', "let x: u8 = String::new();", "%%sql\nselect no_such from runs", "%nothing"):
            with self.subTest(code=code):
                self.code_generate_error = code
                self.test_error()


class Welcome(jkt.IopubWelcomeTests):
    kernel_name = "script" if PROGRAM else "benchbook"
    support_iopub_welcome = True


def main():
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    tests = unittest.TestSuite([load(Script if PROGRAM else Rust), load(Welcome)])
    result = tests.run(unittest.TestResult())
    failed = {test.id(): trace for test, trace in result.failures + result.errors}
    skipped = {test.id().rsplit(".", 1)[-1]: reason for test, reason in result.skipped}
    return {"ran": result.testsRun, "skipped": skipped, "failed": failed}


if __name__ == "__main__":
    print(json.dumps(main()))
