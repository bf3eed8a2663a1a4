"""Runs one notebook headless: a job as JSON on standard input, events as JSON lines on standard output."""

import asyncio
import contextlib
import json
import logging
import os
import select
import signal
import stat
import sys
import threading
import time
import warnings
from pathlib import Path

import export
import nbformat
from session import Failed, Session

INJECTED = "injected-parameters"
# Longer messages would bury what they say; the executed copy and the page have all of it.
MOST_MESSAGE = 20_000


class Events:
    """The real standard output; everything else that is printed here goes to standard error."""

    def __init__(self):
        self.fd = os.dup(1)
        os.dup2(2, 1)

    def send(self, event, **fields):
        line = json.dumps({"event": event, **fields}, ensure_ascii=False)
        data = f"{line}\n".encode("utf-8", "replace")
        while data:
            data = data[os.write(self.fd, data) :]

    def when_closed(self, call):
        """Calls `call` once nobody reads the events any more."""
        if not stat.S_ISFIFO(os.fstat(self.fd).st_mode):
            return
        poll = select.poll()
        poll.register(self.fd, 0)
        threading.Thread(target=lambda: (poll.poll(), call()), daemon=True).start()


def load(job):
    """The notebook with the parameters in it, or a failure that says what is wrong with the file."""
    try:
        # Editors of other systems put a byte order mark before it.
        nb = nbformat.reads(Path(job["notebook"]).read_text(encoding="utf-8-sig"), as_version=4)
        nbformat.validate(nb)
    except OSError as error:
        raise Failed("invalid", f"the notebook cannot be read: {error.strerror or error}") from error
    except Exception as error:  # nbformat fails in many ways on JSON that is no notebook.
        slip = isinstance(error, (AttributeError, KeyError, TypeError, IndexError))
        reason = "its JSON is something else" if slip else str(error).strip().split("\n\n")[0]
        raise Failed("invalid", f"this file is not a valid notebook: {reason}"[:2000]) from error
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    if not code_cells(nb):
        raise Failed("invalid", "this notebook has no code cells, so there is nothing to run")
    if job["inject"]:
        inject(nb, job["inject"])
    return nb


def tagged(cell, tag):
    return tag in cell.metadata.get("tags", [])


def inject(nb, source):
    """Puts parameters where papermill puts them: in place of injected ones, after the tagged cell, or first."""
    new = nbformat.v4.new_code_cell(source=source, metadata={"tags": [INJECTED]})
    if (nb.nbformat, nb.nbformat_minor) < (4, 5):
        del new["id"]
    nb.cells = [cell for cell in nb.cells if not tagged(cell, INJECTED)]
    places = [index for index, cell in enumerate(nb.cells) if tagged(cell, "parameters")]
    nb.cells.insert(places[0] + 1 if places else 0, new)


def code_cells(nb):
    """Places of the cells that run: nbclient leaves out empty ones and those tagged `skip-execution`."""
    runs = lambda cell: cell.cell_type == "code" and cell.source.strip() and not tagged(cell, "skip-execution")
    return [index for index, cell in enumerate(nb.cells) if runs(cell)]


async def execute(nb, job, events):
    """Runs every cell in order; raises `Failed` at the first that fails."""
    session = Session(nb, job)
    task, loop = asyncio.current_task(), asyncio.get_running_loop()

    def stop():
        session.stopped = True
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    events.when_closed(lambda: loop.call_soon_threadsafe(stop))
    places, fine = code_cells(nb), False
    try:
        await session.start()
        for number, index in enumerate(places):
            cell, began = nb.cells[index], time.monotonic()
            first_line = cell.source.strip().split("\n")[0]
            events.send("cell", index=number, cells=len(places), line=first_line)
            try:
                await session.run_cell(index)
            except Failed as failed:
                failed.place = index
                if failed.kind != "kernel":
                    failed.index, failed.source = number, cell.source
                raise
            events.send("cell_done", index=number, seconds=round(time.monotonic() - began, 3))
        fine = True
    finally:
        await session.end(gracefully=fine)


def report(failed, events):
    message = failed.message
    if len(message) > MOST_MESSAGE:
        message = message[:MOST_MESSAGE] + "\n… (shortened)"
    events.send("failed", kind=failed.kind, index=failed.index, source=failed.source, message=message)


async def work(job, events):
    """The whole job; true if every cell ran and every file was written."""
    began, nb, failed = time.monotonic(), None, None
    try:
        nb = load(job)
        events.send("started", cells=len(code_cells(nb)))
        await execute(nb, job, events)
    except Failed as error:
        failed = error
        report(failed, events)
    shown = []
    if nb is not None:
        shown = export.shown(nb, INJECTED)
        try:
            export.write(nb, job, failed)
        except Exception as error:  # A disk, a folder, a template: the run is lost for the reader all the same.
            failed = Failed("error", f"the executed notebook could not be written: {error}")
            report(failed, events)
    events.send("done", ok=failed is None, seconds=round(time.monotonic() - began, 3), shown=shown)
    return failed is None


def main():
    logging.disable(logging.ERROR)
    warnings.simplefilter("ignore")
    events = Events()
    job = json.load(sys.stdin)
    # The kernel ends with this process, however this process ends; who started this one looks for its own mark.
    os.environ.setdefault("BENCHBOOK_NOTEBOOK_JOB", str(os.getpid()))
    with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt, BrokenPipeError):
        return 0 if asyncio.run(work(job, events)) else 1
    return 130


if __name__ == "__main__":
    sys.exit(main())
