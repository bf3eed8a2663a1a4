"""Opens an exported page, or a notebook in a live JupyterLab, in headless Chromium and says what it sees, as JSON.

look.py page <chromium> <file.html> <screenshot.png> [--dark]
look.py lab <chromium> <python with jupyterlab> <notebook.ipynb> <screenshot.png> [--run] [--dark]

Options of both: --timeout SECONDS (300).
"""

import argparse
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import psutil

from devtools import Browser, with_parent

WIDTH, HEIGHT, TALLEST = 1280, 1000, 12_000

SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    # The notebook is looked at, not worked on.
    "docmanager-extension/plugin": {"autosave": False},
    # All cells stand in the page, not only those in view.
    "notebook-extension/tracker": {"windowingMode": "none"},
}

# Places of figures: our own, and those that JupyterLab's plotly extension draws.
SEEN = """
(() => {
  const all = (what) => [...document.querySelectorAll(what)];
  const places = [...new Set(all(".benchbook-figure, .js-plotly-plot"))];
  const drawn = (place) => place.dataset.drawn ? place.dataset.drawn === "yes" : place.matches(".js-plotly-plot");
  const sized = (element, least) => {
    const box = element.getBoundingClientRect();
    return box.width >= least && box.height >= least;
  };
  const marks = ".plot path, .plot .point, .plot rect, .plot circle, .heatmaplayer image, g.trace path";
  const visible = (place) => {
    const picture = place.querySelector("svg.main-svg");
    const inked = (mark) => Math.max(mark.getBoundingClientRect().width, mark.getBoundingClientRect().height) >= 1;
    return Boolean(picture) && sized(place, 50) && sized(picture, 50) && [...place.querySelectorAll(marks)].some(inked);
  };
  return {
    figures: places.length,
    drawn: places.filter(drawn).length,
    visible: places.filter((place) => drawn(place) && visible(place)).length,
    undecided: places.filter((place) => !drawn(place) && place.dataset.drawn !== "no").length,
    tables: all(".benchbook-table").length,
    errors: all(".benchbook-error, pre.error").length,
  };
})()
"""

# The notebook's panel: the shell knows no current one until somebody has clicked.
PANEL = "[...(window.jupyterapp?.shell?.widgets('main') ?? [])].find((one) => one.context && one.sessionContext)"
CELLS = "panel.content.widgets.filter((one) => one.model.type === 'code' && one.model.sharedModel.source.trim())"
# What the kernel itself reported as an error, compile errors among it.
ERRORS = "panel.content.widgets.flatMap((one) => one.model.outputs?.toJSON() ?? []).filter((one) => one.output_type === 'error').length"


def until(question, what, deadline):
    """Asks until the answer is true."""
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"still waiting for {what}")
        time.sleep(0.1)


def look(browser, deadline, foreign, shot, height=None):
    """What is in the page, once every figure is drawn or has failed."""
    with contextlib.suppress(TimeoutError):
        until(lambda: browser.value(SEEN)["undecided"] == 0, "the figures", deadline)
    browser.size(min(height or browser.value("document.documentElement.scrollHeight"), TALLEST))
    seen = browser.value(SEEN)
    browser.screenshot(shot)
    requests = [url for url in browser.requests if foreign(url)]
    return {**seen, "requests": requests, "console_errors": browser.errors}


def page(arguments, deadline):
    url = Path(arguments.file).resolve().as_uri()
    with Browser(arguments.chromium, WIDTH, HEIGHT, arguments.dark) as browser:
        browser.open(url, deadline)
        local = ("file:", "data:", "blob:", "about:")
        return look(browser, deadline, lambda url: not url.startswith(local), arguments.screenshot)


def lab(arguments, deadline):
    notebook = Path(arguments.file).resolve()
    with server(arguments.python, notebook.parent, arguments.dark, deadline) as (base, token):
        with Browser(arguments.chromium, WIDTH, HEIGHT, arguments.dark) as browser:
            browser.open(f"{base}lab/tree/{urllib.parse.quote(notebook.name)}?token={token}", deadline)
            try:
                counts = in_lab(browser, arguments.run, deadline)
            except BaseException:
                browser.screenshot(arguments.screenshot)
                raise
            browser.value("panel.content.node.querySelectorAll('*').forEach((one) => { one.scrollTop = 0; })")
            tall = browser.value("panel.content.node.querySelector('.jp-WindowedPanel-inner').scrollHeight")
            seen = look(browser, deadline, foreign, arguments.screenshot, height=int(tall) + 200)
            seen["errors"] += browser.value(ERRORS)
            return {**seen, "cells": len(counts), "executed": sum(count is not None for count in counts)}


def foreign(url):
    """Whether a request leaves the machine."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme not in ("data", "blob", "about") and parts.hostname not in ("127.0.0.1", "localhost")


def in_lab(browser, run, deadline):
    """Waits for the notebook, runs it if asked, and returns the numbers of its cells."""
    ready = "window.panel = PANEL, Boolean(panel?.context.isReady && panel.sessionContext.isReady && panel.content.widgets.length)"
    until(lambda: browser.value(ready.replace("PANEL", PANEL)), "the notebook in the page", deadline)
    browser.value("jupyterapp.shell.activateById(panel.id)")
    if run:
        run_all(browser, deadline)
    return browser.value(f"{CELLS}.map((one) => one.model.executionCount)")


def run_all(browser, deadline):
    connected = "panel.sessionContext.session?.kernel?.connectionStatus === 'connected'"
    until(lambda: browser.value(connected), "the kernel", deadline)
    idle = "panel.sessionContext.session?.kernel?.status === 'idle'"
    run = "jupyterapp.commands.execute('notebook:run-all-cells')"
    # A cell that fails ends the run: what comes after it never gets a number.
    browser.value(f"window.looked = undefined; {run}.then((ok) => looked = [ok], (error) => looked = [String(error)]); 0")
    until(lambda: browser.value("window.looked"), "the cells", deadline)
    until(lambda: browser.value(f"{idle} && {CELLS}.every((one) => one.model.executionState !== 'running')"), "idle cells", deadline)


def environment(home, dark):
    """No settings of the user, but the kernels of the environment, and of JUPYTER_PATH if the caller has set it."""
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython"}
    folders |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    theme = {"apputils-extension/themes": {"theme": "JupyterLab Dark" if dark else "JupyterLab Light"}}
    for name, content in {**SETTINGS, **theme}.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    kept = {name: value for name, value in os.environ.items() if name == "JUPYTER_PATH" or not name.startswith(("JUPYTER", "JPY_"))}
    return {**kept, **{name: str(home / folder) for name, folder in folders.items()}, "JUPYTER_PREFER_ENV_PATH": "1"}


@contextlib.contextmanager
def server(python, root, dark, deadline):
    """JupyterLab on a free port; nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="look-", ignore_cleanup_errors=True) as home:
        home, token = Path(home), secrets.token_hex(16)
        command = [python, "-m", "jupyterlab", "--no-browser", "--allow-root", "--LabApp.expose_app_in_browser=True"]
        command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={token}"]
        command += [f"--FileCheckpoints.checkpoint_dir={home}/checkpoints"]
        command += ["--LabApp.extension_manager=readonly", "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
        with open(home / "log", "wb") as log:
            process = subprocess.Popen(
                command, cwd=root, env=environment(home, dark), stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=with_parent(signal.SIGTERM)
            )
        try:
            yield until(lambda: address(home, process), "JupyterLab", deadline), token
        except BaseException:
            sys.stderr.write((home / "log").read_text(errors="replace")[-6000:])
            raise
        finally:
            end(process)


def address(home, process):
    if process.poll() is not None:
        raise RuntimeError("JupyterLab ended")
    for file in (home / "runtime").glob("jpserver-*.json"):
        with contextlib.suppress(ValueError):
            return json.loads(file.read_text())["url"]
    return None


def end(process):
    """Ends a server with its kernels, and what those have started."""
    ours = [psutil.Process(process.pid)] if process.poll() is None else []
    for one in list(ours):
        ours += one.children(recursive=True)
    # On SIGTERM the server ends its kernels in order; whoever stays is killed.
    process.terminate()
    _, left = psutil.wait_procs(ours, timeout=20)
    for one in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(dest="mode", required=True)
    for mode, names in (("page", ["chromium", "file", "screenshot"]), ("lab", ["chromium", "python", "file", "screenshot"])):
        one = modes.add_parser(mode)
        for name in names:
            one.add_argument(name)
        one.add_argument("--dark", action="store_true")
        one.add_argument("--run", action="store_true")
        one.add_argument("--timeout", type=float, default=300)
    arguments = parser.parse_args()
    # So that `finally` runs, and no server is left.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    mode = {"page": page, "lab": lab}[arguments.mode]
    print(json.dumps(mode(arguments, time.monotonic() + arguments.timeout)))


if __name__ == "__main__":
    main()
