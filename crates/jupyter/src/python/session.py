"""One notebook in one kernel: nbclient, with a limit on what a cell writes and one word for each way to fail."""

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from queue import Empty

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete, CellTimeoutError, DeadKernelError
from nbclient.util import ensure_async
from nbconvert.filters.ansi import strip_ansi

# The `ename` of a kernel that cannot run any cell.
REFUSED = "benchbook"
# A kernel that loads a large library on a busy machine.
START_S = 300
# A message costs more than its text: without this, ten bytes a line would take minutes to reach the limit.
LEAST_BYTES = 500
# What a page keeps of a cell that wrote too much.
KEPT_CHARS = 20_000
# What a message repeats of the kernel's own words, in bytes.
MOST_WORDS = 4000
# What evcxr says of a variable whose type it cannot tell, since it does not analyse the library.
UNTYPED = ("Couldn't automatically determine type of variable", "the `!` type is experimental")
TYPED = "A variable that later cells use needs its type written here, as in `let lab: Lab = …`."
# What begins a cell that other kernels take for a mistake, and their name for it says nothing.
SQL = ("%%sql", "%sql")
OTHER = "Cells of SQL need the kernel Rust (benchbook); another one runs those of Rust, with `lab.sql(…)` for a question."
QUIET_S = 0.2
DRAIN_S = 3.0


class Failed(Exception):
    """Why the run ended: `kind` as in the events, and where."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind, self.message = kind, message
        self.place = self.index = self.source = None


class Session(NotebookClient):
    """A kernel and the notebook that runs in it."""

    def __init__(self, nb, job):
        self.limit_s = job["cell_timeout_s"]
        super().__init__(
            nb,
            kernel_name=job["kernel"],
            resources={"metadata": {"path": job["cwd"]}},
            timeout_func=lambda _cell: self.limit_s,
            startup_timeout=START_S,
            # Output that arrives late is waited for as long as a cell is.
            iopub_timeout=max(1, int(self.limit_s)),
            raise_on_iopub_timeout=True,
            allow_errors=True,
            record_timing=False,
            store_widget_state=False,
        )
        self.most_bytes = job["max_output_bytes"]
        self.written = 0
        self.has_sql = True
        self.stopped = False
        self.group = None
        self.cells_by_request = {}
        # The kernel's own words, apart from those of its cells; a kernel that cannot start leaves its reason there.
        self.kernel_log = tempfile.TemporaryFile()

    async def start(self):
        try:
            self.create_kernel_manager()
            await self.async_start_new_kernel(stdout=self.kernel_log, stderr=self.kernel_log)
            self.group = self.km.provisioner.pgid
            await self.async_start_new_kernel_client()
            reply = await self.async_wait_for_reply(await ensure_async(self.kc.kernel_info()))
            self.nb.metadata["language_info"] = reply["content"]["language_info"]
            self.has_sql = reply["content"].get("implementation") == "benchbook"
        except NoSuchKernel as error:
            hint = "`benchbook kernel install` tells Jupyter of it, `benchbook kernel doctor` says what is missing"
            raise Failed("kernel", f"there is no kernel named `{self.kernel_name}`: {hint}") from error
        except Exception as error:  # A kernel.json can be wrong in many ways.
            reason = str(error) or type(error).__name__
            hint = "`benchbook kernel doctor` says what is missing"
            raise Failed("kernel", f"the kernel could not be started: {reason}; {hint}{self.last_words()}") from error

    async def run_cell(self, index):
        """Runs one cell; a cell tagged `raises-exception` may fail."""
        cell, self.written = self.nb.cells[index], 0
        try:
            await self.async_execute_cell(cell, index)
        except CellTimeoutError as error:
            self.kill()
            raise self.unfinished(cell, "timeout", f"the cell did not end within {self.limit_s:g} s") from error
        except DeadKernelError as error:
            if self.stopped:
                raise asyncio.CancelledError from error
            if self.written <= self.most_bytes:
                raise self.unfinished(cell, "dead", f"the kernel {self.ending()}{self.last_words()}") from error
        if self.written > self.most_bytes:
            shorten(cell)
            limit = f"{self.most_bytes} bytes, where a line counts for at least {LEAST_BYTES}"
            raise self.unfinished(cell, "output", f"the cell wrote too much: more than {limit}")
        failed = failure(cell)
        if failed and not self.has_sql and cell.source.lstrip().startswith(SQL):
            failed = Failed(failed.kind, f"{OTHER}\n\n{failed.message}")
        if failed and "raises-exception" not in cell.metadata.get("tags", []):
            raise failed

    def unfinished(self, cell, kind, message):
        """A failure that the kernel itself could not report: noted in the cell too."""
        cell.outputs.append(nbformat.v4.new_output("error", ename=kind, evalue=message, traceback=[message]))
        return Failed(kind, message)

    async def _async_poll_output_msg(self, parent_msg_id, cell, cell_index):
        # nbclient drops what belongs to an earlier cell, but a thread may print after the end of its cell.
        self.cells_by_request[parent_msg_id] = (cell, cell_index)
        while True:
            msg = await ensure_async(self.kc.iopub_channel.get_msg(timeout=None))
            if self.take(msg) and msg["parent_header"].get("msg_id") == parent_msg_id:
                return

    def take(self, msg):
        """Gives a message to its cell; true if it ends the cell."""
        owner = self.cells_by_request.get(msg["parent_header"].get("msg_id"))
        if owner is None or self.written > self.most_bytes:
            return False
        content = msg["content"]
        if msg["msg_type"] == "stream":
            self.written += max(len(content["text"].encode("utf-8", "replace")), LEAST_BYTES)
        elif msg["msg_type"] in ("display_data", "execute_result", "update_display_data", "error"):
            self.written += max(len(json.dumps(content)), LEAST_BYTES)
        if self.written > self.most_bytes:
            self.kill()
            if msg["msg_type"] != "stream":
                return False
            content["text"] = content["text"][:KEPT_CHARS]
        try:
            self.process_message(msg, *owner)
        except CellExecutionComplete:
            return True
        return False

    def output(self, outs, msg, display_id, cell_index):
        """Joins pieces of text into one output: a kernel may send a message for each line."""
        if msg["msg_type"] != "stream":
            return super().output(outs, msg, display_id, cell_index)
        name, text = msg["content"]["name"], msg["content"]["text"]
        if not (outs and outs[-1].output_type == "stream" and outs[-1].name == name):
            outs.append(nbformat.v4.new_output("stream", name=name, text=[]))
        # A list until the end: adding to a long text line by line would copy it each time.
        outs[-1].text.append(text)
        return outs[-1]

    async def drain(self):
        """Takes what was sent just before the end."""
        with contextlib.suppress(Empty):
            while True:
                self.take(await ensure_async(self.kc.iopub_channel.get_msg(timeout=QUIET_S)))

    async def end(self, gracefully):
        """Ends the kernel and everything that it started."""
        try:
            if self.kc is not None and not self.stopped:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self.drain(), DRAIN_S)
            if self.km is not None:
                if await ensure_async(self.km.is_alive()):
                    await ensure_async(self.km.shutdown_kernel(now=not gracefully))
                await ensure_async(self.km.cleanup_resources())
            if self.kc is not None:
                self.kc.stop_channels()
        finally:
            self.kill()
            for cell in self.nb.cells:
                for output in cell.get("outputs", []):
                    if isinstance(output.get("text"), list):
                        output.text = "".join(output.text)

    def kill(self):
        if self.group is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.group, signal.SIGKILL)

    def ending(self):
        code = self.km.provisioner.process and self.km.provisioner.process.poll()
        if code is not None and code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with status {code}" if code is not None else "ended"

    def last_words(self):
        """The end of what the kernel wrote for itself, or nothing."""
        log = self.kernel_log.fileno()
        # `pread`, because the kernel writes at the place that a seek would move.
        end = os.pread(log, MOST_WORDS, max(0, os.fstat(log).st_size - MOST_WORDS))
        text = strip_ansi(end.decode("utf-8", "replace")).strip()
        return f"; it said:\n{text}" if text else ""


def failure(cell):
    """What went wrong in a cell that has run, if anything did."""
    errors = []
    kind = "error"
    for output in cell.outputs:
        if output.output_type == "error":
            if output.ename == REFUSED:
                return Failed("kernel", output.evalue)
            kind = "panic" if output.ename == "panic" else kind
            errors.append(strip_ansi("\n".join(output.traceback)).strip("\n") or f"{output.ename}: {output.evalue}")
    if any(words in error for error in errors for words in UNTYPED):
        errors.append(TYPED)
    return Failed(kind, "\n\n".join(errors)) if errors else None


def shorten(cell):
    """Leaves the beginning of what a cell wrote."""
    kept = []
    for output in cell.outputs:
        if output.output_type == "stream":
            text = "".join(output.text)
            output.text = [text[:KEPT_CHARS] + ("\n… (the rest was left out)\n" if len(text) >= KEPT_CHARS else "")]
            kept.append(output)
    cell.outputs = kept[:10]
