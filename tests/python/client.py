"""A live kernel, and what its cells say, for the scripts of tests."""

import time

import psutil
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

LIMIT_S = 240
NAME = "benchbook"
# The process of the cells, by the name of its program.
CELLS = "benchbook-cells"
# That which knows the sources of the library, by its first word.
ANALYSIS = "--analyse"


def installed():
    """What Jupyter knows of the installed kernel."""
    return KernelSpecManager().get_kernel_spec(NAME).to_dict()


def until(what, true, limit_s=LIMIT_S):
    """Asks until the answer is true, and gives it."""
    end = time.monotonic() + limit_s
    while True:
        answer = true()
        if answer:
            return answer
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {limit_s} s")
        time.sleep(0.02)


class Kernel:
    """The installed kernel, or one that is described otherwise, in a folder; ended by the end of the `with`."""

    def __init__(self, folder, spec=None, env=None):
        self.manager = KernelManager(kernel_name=NAME)
        if spec is not None:
            self.manager._kernel_spec = KernelSpec(**spec)
        self.manager.start_kernel(cwd=folder, **({"env": env} if env else {}))
        self.client = self.manager.client()

    def __enter__(self):
        try:
            self.client.start_channels()
            self.client.wait_for_ready(timeout=LIMIT_S)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.client.stop_channels()
        # In order: a kernel that is killed leaves its temporary folder.
        self.manager.shutdown_kernel()

    def begin(self, code, mark=None):
        """Begins a cell, and waits until it runs, or until it has printed the mark; gives its id and what it has said."""
        begun = self.client.execute(code), []
        if mark is None:
            self.hear(begun, lambda message: message["msg_type"] == "execute_input")
        else:
            self.until_said(begun, mark)
        return begun

    def until_said(self, begun, mark):
        """Waits until a cell has printed this."""
        self.hear(begun, lambda message: mark in message["content"].get("text", ""))

    def hear(self, begun, found):
        """Takes what a cell says, up to something that is looked for."""
        asked, said = begun
        while not (said and found(said[-1])):
            message = self.client.get_iopub_msg(timeout=LIMIT_S)
            if message["parent_header"].get("msg_id") == asked:
                said.append(message)

    def end(self, begun):
        """What a cell says to its end, and its reply."""
        asked, said = begun
        self.hear(begun, lambda message: message["content"].get("execution_state") == "idle")
        while True:
            reply = self.client.get_shell_msg(timeout=LIMIT_S)
            if reply["parent_header"].get("msg_id") == asked:
                break
        contents = [(message["msg_type"], message["content"]) for message in said]
        text = lambda stream: "".join(one["text"] for kind, one in contents if kind == "stream" and one["name"] == stream)
        shown = "".join(one["data"].get("text/plain", "") for _, one in contents if "data" in one)
        kept = {name: reply["content"].get(name) for name in ("status", "ename", "evalue", "execution_count")}
        kinds = [kind for kind, _ in contents if kind != "status"]
        return {**kept, "out": text("stdout"), "err": text("stderr"), "shown": shown, "kinds": kinds}

    def run(self, code):
        return self.end(self.begin(code))

    def inspect(self, code):
        """What is said of the word at the end of a text; nothing where it is unknown."""
        reply = self.client.inspect(code, reply=True, timeout=LIMIT_S)
        return reply["content"]["data"].get("text/plain", "")

    def complete(self, code):
        """What could stand at the end of a text."""
        return self.client.complete(code, reply=True, timeout=LIMIT_S)["content"]["matches"]

    def interrupt(self):
        self.manager.interrupt_kernel()

    def child(self, what, is_it):
        """A process that the kernel has started."""
        own = psutil.Process(self.manager.provisioner.process.pid)
        return until(what, lambda: [one for one in own.children() if is_it(one)])[0]

    def cells(self):
        """The process of the cells."""
        return self.child("the process of the cells", lambda one: one.name() == CELLS)

    def analysis(self):
        """The process that knows the sources of the library."""
        return self.child("the process of the sources", lambda one: ANALYSIS in one.cmdline())
