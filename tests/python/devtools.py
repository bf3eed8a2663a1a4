"""Headless Chromium over the DevTools protocol: one page, what it asks for, and what it complains of."""

import base64
import ctypes
import itertools
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import websocket

FLAGS = [
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--mute-audio",
    "--remote-debugging-port=0",
    # No name but this machine's own leads anywhere.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    # Chromium has no sandbox for root.
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
]
ANSWER_S = 120
PR_SET_PDEATHSIG = 1


def with_parent(number):
    """For a child: sends it this signal when its parent ends, however it ends."""
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, number)


class Browser:
    """A browser with one page; `requests` has every address asked for, `errors` what went wrong in it."""

    def __init__(self, chromium, width, height, dark):
        self.width, self.height, self.dark = width, height, dark
        self.requests, self.errors, self.seen = [], [], set()
        self.numbers = itertools.count(1)
        self.profile = tempfile.TemporaryDirectory(prefix="look-browser-", ignore_cleanup_errors=True)
        command = [chromium, *FLAGS, f"--user-data-dir={self.profile.name}", "about:blank"]
        self.log = open(Path(self.profile.name) / "log", "wb")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
            preexec_fn=with_parent(signal.SIGKILL),
        )

    def __enter__(self):
        try:
            self.connect()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()
        self.profile.cleanup()

    def connect(self):
        deadline, found = time.monotonic() + ANSWER_S, None
        while not found:
            text = Path(self.log.name).read_text(errors="replace")
            found = re.search(r"DevTools listening on (ws://\S+)", text)
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Chromium did not start:\n{text[-2000:]}")
            time.sleep(0.05)
        # Without an origin: Chromium takes orders from no web page.
        self.socket = websocket.create_connection(found.group(1), timeout=ANSWER_S, suppress_origin=True, max_size=None)
        self.session = None
        page = next(one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if self.dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        self.size(self.height)

    def call(self, method, **params):
        """Sends a command and waits for its answer; events in between are noted."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while True:
            answer = self.receive()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def receive(self):
        message = json.loads(self.socket.recv())
        method, params = message.get("method"), message.get("params", {})
        self.seen.add(method)
        if method in ("Network.requestWillBeSent", "Network.webSocketCreated"):
            self.requests.append(params["request"]["url"] if "request" in params else params["url"])
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            values = (str(one.get("value", one.get("description", ""))) for one in params["args"])
            self.errors.append(" ".join(values))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}".strip())
        return message

    def open(self, url, deadline):
        self.seen.discard("Page.loadEventFired")
        failed = self.call("Page.navigate", url=url).get("errorText")
        if failed:
            raise RuntimeError(f"{url}: {failed}")
        while "Page.loadEventFired" not in self.seen:
            if time.monotonic() > deadline:
                raise TimeoutError(f"still loading {url}")
            self.receive()

    def value(self, expression):
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def settle(self):
        """Lets the page lay itself out, and its observers answer."""
        self.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.value("new Promise((done) => requestIdleCallback(done, { timeout: 2000 }))")

    def size(self, height):
        """Makes the window high enough for a whole page, and lets the page lay itself out."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=self.width,
            height=max(self.height, int(height)),
            deviceScaleFactor=1,
            mobile=False,
        )
        self.settle()

    def screenshot(self, path):
        picture = self.call("Page.captureScreenshot", format="png")["data"]
        Path(path).write_bytes(base64.b64decode(picture))
