"""Works in a live JupyterLab in headless Chromium as a person does, by keys: types, completes, runs, interrupts, restarts.

Usage: work.py CHROMIUM PYTHON NOTEBOOK SCREENSHOT; prints one JSON object. The notebook has the cells of `CELLS` below.
"""

import contextlib
import json
import signal
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

from devtools import Browser
from look import HEIGHT, WIDTH, in_lab, server, until

LIMIT_S = 400
# JupyterLab waits a second for a completion, and the kernel on a busy machine longer.
AGAIN_S = 3
# The cells of the notebook, by their places.
OPEN, TYPED, ENDLESS, KEPT = range(4)
SHIFT = 8
KEYS = {"Enter": ("Enter", 13), "Tab": ("Tab", 9), "i": ("KeyI", 73)}
STATEMENT = "select count(*) as n from ru"

IDLE = "panel.sessionContext.session?.kernel?.connectionStatus === 'connected' && panel.sessionContext.session.kernel.status === 'idle'"
COMPLETER = "document.querySelector('.jp-Completer:not(.lm-mod-hidden) .jp-Completer-item')"
SOURCE = "panel.content.activeCell.model.sharedModel.getSource()"
READY_TO_COMPLETE = "panel.content.activeCell.editor?.host.classList.contains('jp-mod-completer-enabled')"
DIALOG = "document.querySelector('.jp-Dialog .jp-mod-accept')"


def press(browser, key, modifiers=0):
    code, number = KEYS[key]
    told = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers}
    browser.call("Input.dispatchKeyEvent", type="rawKeyDown", **told)
    browser.call("Input.dispatchKeyEvent", type="keyUp", **told)


def select(browser, cell, mode):
    """Gives a cell the keyboard."""
    browser.value(f"panel.content.activeCellIndex = {cell}; panel.content.mode = '{mode}'; panel.content.activate(); 0")
    browser.settle()
    if mode == "edit":
        browser.value("panel.content.activeCell.editor.focus(); 0")
    else:
        browser.value("panel.content.activeCell.node.focus(); 0")


def begin(browser, cell):
    """Runs a cell by its keys."""
    select(browser, cell, "command")
    browser.value("window.one = panel.content.activeCell; one.model.clearExecution(); 0")
    press(browser, "Enter", SHIFT)


def outputs(browser, cell):
    """What a cell shows, as one text."""
    shown = browser.value(f"panel.content.widgets[{cell}].model.outputs.toJSON()")
    parts = lambda one: [one.get("text", ""), one.get("ename", ""), one.get("evalue", ""), one.get("data", {}).get("text/plain", "")]
    text = lambda part: "".join(part) if isinstance(part, list) else part
    return "\n".join(text(part) for one in shown for part in parts(one))


def run(browser, cell, deadline):
    begin(browser, cell)
    done = f"one.model.executionCount !== null && one.model.executionState !== 'running' && {IDLE}"
    until(lambda: browser.value(done), f"cell {cell}", deadline)
    return outputs(browser, cell)


def restart(browser, command, deadline):
    """Asks for a restart, and says yes."""
    browser.value(f"jupyterapp.commands.execute('{command}'); 0")
    until(lambda: browser.value(f"Boolean({DIALOG})"), "the question", deadline)
    browser.value(f"{DIALOG}.click(); 0")
    until(lambda: browser.value(f"!{DIALOG}"), "the end of the question", deadline)


def offer(browser, deadline):
    """Asks for completions by the key, and again where JupyterLab has not waited for them."""
    # What is the only one is put in at once, else there is a choice.
    offered = f"Boolean({COMPLETER}) || {SOURCE}.endsWith('runs')"
    while not browser.value(offered):
        if time.monotonic() > deadline:
            raise TimeoutError("still waiting for a completion")
        press(browser, "Tab")
        with contextlib.suppress(TimeoutError):
            until(lambda: browser.value(offered), "a completion", time.monotonic() + AGAIN_S)


def complete(browser, deadline):
    """Types the beginning of a word into a cell of SQL, and has it completed."""
    browser.value(f"panel.content.widgets[{TYPED}].model.sharedModel.setSource('%%sql\\n'); 0")
    select(browser, TYPED, "edit")
    browser.value("panel.content.activeCell.editor.setCursorPosition({ line: 1, column: 0 }); 0")
    browser.call("Input.insertText", text=STATEMENT)
    until(lambda: browser.value(READY_TO_COMPLETE), "a completer", deadline)
    offer(browser, deadline)
    if browser.value(f"Boolean({COMPLETER})"):
        press(browser, "Enter")
    until(lambda: browser.value(f"{SOURCE}.endsWith('runs')"), "the completed word", deadline)
    return browser.value(SOURCE)


def work(browser, deadline):
    in_lab(browser, False, deadline)
    until(lambda: browser.value(IDLE), "the kernel", deadline)
    seen = {"open": run(browser, OPEN, deadline)}
    seen["typed"] = complete(browser, deadline)
    seen["sql"] = run(browser, TYPED, deadline)
    begin(browser, ENDLESS)
    until(lambda: "begun" in outputs(browser, ENDLESS), "output of a cell that runs", deadline)
    select(browser, ENDLESS, "command")
    press(browser, "i")
    press(browser, "i")
    until(lambda: browser.value(f"one.model.executionState !== 'running' && {IDLE}"), "the interrupt", deadline)
    seen["interrupted"] = outputs(browser, ENDLESS)
    seen["kept"] = run(browser, KEPT, deadline)
    restart(browser, "kernelmenu:restart", deadline)
    until(lambda: browser.value(IDLE), "the kernel after the restart", deadline)
    seen["restarted"] = run(browser, KEPT, deadline)
    # To its end, this time.
    browser.value(f"panel.content.widgets[{ENDLESS}].model.sharedModel.setSource('println!(\"not endless\");'); 0")
    # Shift-Enter in the last cell has made another one below.
    counts = f"panel.content.widgets.slice(0, {KEPT + 1}).map((one) => one.model.executionCount)"
    restart(browser, "notebook:restart-run-all", deadline)
    until(lambda: browser.value(f"{counts}.at(-1) === 4 && {IDLE}"), "all cells", deadline)
    seen["counts"] = browser.value(counts)
    seen["all"] = [outputs(browser, cell) for cell in (OPEN, TYPED, ENDLESS, KEPT)]
    browser.value("jupyterapp.commands.execute('docmanager:save').then(() => 0)")
    return seen


def main(chromium, python, notebook, screenshot):
    notebook, deadline = Path(notebook).resolve(), time.monotonic() + LIMIT_S
    with server(python, notebook.parent, False, deadline) as (base, token), Browser(chromium, WIDTH, HEIGHT, False) as browser:
        browser.open(f"{base}lab/tree/{urllib.parse.quote(notebook.name)}?token={token}", deadline)
        try:
            seen = work(browser, deadline)
        finally:
            browser.screenshot(screenshot)
        with urllib.request.urlopen(f"{base}nbconvert/html/{urllib.parse.quote(notebook.name)}?token={token}") as page:
            seen["exported"] = "not endless" in page.read().decode()
        return {**seen, "console_errors": browser.errors}


if __name__ == "__main__":
    # So that `finally` runs, and no server is left.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(json.dumps(main(*sys.argv[1:])))
