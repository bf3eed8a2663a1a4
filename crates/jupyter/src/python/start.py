"""Starts evcxr on one snapshot of the library, or a kernel that says why it cannot: `start.py <connection file>`."""

import ctypes
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import relay

PR_SET_PDEATHSIG = 1
SCHEMA = 1
AGAIN = "`cargo xtask lab` builds the library and its kernel again"
INSTALL = "`benchbook kernel install` makes this kernel anew"


class Refused(Exception):
    """Why no kernel can be started, and what to do."""


def named(variable):
    """A path from kernel.json."""
    value = os.environ.get(variable)
    if not value:
        raise Refused(f"kernel.json does not set {variable}; {INSTALL}")
    return Path(value)


def hold(snapshot):
    """Keeps the snapshot from being removed for as long as this process, or what it becomes, lives."""
    if not snapshot.is_dir():
        raise Refused(f"the library that this kernel was made for is gone ({snapshot}); {AGAIN}")
    try:
        lock = os.open(snapshot / "lock", os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Refused(f"the library that this kernel was made for is just being removed ({snapshot}); {AGAIN}") from error
    except OSError as error:
        raise Refused(f"the library of this kernel cannot be held ({snapshot}: {error.strerror}); {AGAIN}") from error
    os.set_inheritable(lock, True)


def check(snapshot):
    """Refuses a snapshot that is not whole, or not the one that kernel.json was made for."""
    try:
        said = json.loads((snapshot / "snapshot.json").read_text(encoding="utf-8"))
        schema, build, rustc = said["schema"], said["build_id"], said["rustc"]
        name, size = said["library"], said["library_bytes"]
    except OSError as error:
        raise Refused(f"the library of this kernel is not whole ({error.filename}: {error.strerror}); {AGAIN}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"the description of this kernel's library cannot be read ({error!r}); {AGAIN}") from error
    if schema != SCHEMA:
        raise Refused(f"this kernel knows libraries of schema {SCHEMA}, and this one has schema {schema}; {INSTALL}")
    if build != snapshot.name:
        raise Refused(f"this kernel was made for the library {snapshot.name}, and in its place lies {build}; {INSTALL}")
    library = snapshot / name
    found = library.stat().st_size if library.is_file() else None
    if found != size:
        state = "is missing" if found is None else f"has {found} bytes where {size} belong"
        raise Refused(f"the library of this kernel {state} ({library}); {AGAIN}")
    try:
        found = content_id(library)
    except OSError as error:
        raise Refused(f"the library of this kernel cannot be read ({library}: {error.strerror}); {AGAIN}") from error
    if found != build:
        raise Refused(f"the library of this kernel is not as it was built: its content is {found} ({library}); {AGAIN}")
    return rustc


def content_id(library):
    """The name of a build: equal libraries have equal names, others practically never."""
    digest, buffer = hashlib.sha256(), bytearray(1 << 20)
    with open(library, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(memoryview(buffer)[:count])
    return digest.hexdigest()[:16]


def rustc_here():
    """The compiler that evcxr takes: rustup's for the notebook's folder, or else the one on the PATH."""
    try:
        return subprocess.run(["rustup", "which", "rustc"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "rustc"


def check_rustc(built_with):
    """Cells and library must come from one compiler: another one cannot read the library's metadata."""
    try:
        version = subprocess.run([rustc_here(), "-vV"], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError as error:
        raise Refused("`rustc` is not on the PATH; install Rust from rustup.rs, or start Jupyter where it is") from error
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        raise Refused(f"`rustc -vV` failed, so no cell could be compiled: {said}") from error
    if version.strip() != built_with.strip():
        here, there = (text.strip().split("\n")[0] for text in (version, built_with))
        if here == there:
            here, there = version.strip(), built_with.strip()
        raise Refused(f"the library was built with\n  {there}\nbut cells would be compiled with\n  {here}\n{AGAIN}")


def evcxr():
    program = named("BENCHBOOK_EVCXR")
    if not os.access(program, os.X_OK) or not program.is_file():
        raise Refused(f"evcxr_jupyter is missing ({program}); {AGAIN}, `benchbook kernel doctor` says what else is missing")
    return str(program)


def end_with_parent():
    """Asks the system to end this process when its parent ends."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended before it was asked to take us along.
    if os.environ.get("JPY_PARENT_PID", "") not in ("", str(os.getppid())):
        sys.exit(1)


def run(program, connection_file):
    """Runs evcxr behind the relay until it ends, and ends as it did."""
    outer = json.loads(Path(connection_file).read_text(encoding="utf-8"))
    inner_file, inner = relay.connection_for_kernel(outer)
    try:
        # Before the relay's threads: a fork is safe only without them. The inherited lock stays with the kernel.
        command = [program, "--control_file", inner_file]
        kernel = subprocess.Popen(command, preexec_fn=end_with_starter, close_fds=False)
        relay.start(outer, inner)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: kernel.terminate())
        # An interrupt comes as a message; the signal that a terminal sends to all is not ours to follow.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        status = kernel.wait()
    finally:
        Path(inner_file).unlink(missing_ok=True)
    if status < 0:
        # As the kernel was ended, so is its stand-in: Jupyter tells the user of the signal.
        signal.signal(-status, signal.SIG_DFL) if -status not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -status)
    return status


def end_with_starter():
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def refuse(message, connection_file):
    """A kernel whose every cell says why there is none."""
    from ipykernel.kernelapp import IPKernelApp
    from ipykernel.kernelbase import Kernel

    class Refusal(Kernel):
        implementation = "benchbook"
        implementation_version = str(SCHEMA)
        banner = message
        language_info = {"name": "rust", "mimetype": "text/rust", "file_extension": ".rs", "pygments_lexer": "rust"}

        async def do_execute(self, code, silent, *_, **__):
            # The headless runner knows a refusal by this name.
            error = {"ename": "benchbook", "evalue": message, "traceback": message.split("\n")}
            if not silent:
                self.send_response(self.iopub_socket, "error", error)
            return {"status": "error", "execution_count": self.execution_count, **error}

    with tempfile.TemporaryDirectory() as settings:
        os.environ["IPYTHONDIR"] = settings
        IPKernelApp.launch_instance(argv=["-f", connection_file], kernel_class=Refusal)


def main():
    connection_file = sys.argv[1]
    if os.environ.get("BENCHBOOK_NOTEBOOK_JOB"):
        end_with_parent()
    try:
        snapshot = named("BENCHBOOK_SNAPSHOT")
        hold(snapshot)
        check_rustc(check(snapshot))
        program = evcxr()
        sys.exit(run(program, connection_file))
    except Refused as refused:
        message = str(refused)
    except OSError as error:
        message = f"evcxr_jupyter could not be started: {error}; {AGAIN}"
    print(message, file=sys.stderr, flush=True)
    refuse(message, connection_file)


if __name__ == "__main__":
    main()
