"""Forty clients that come, ask and go while a cell runs; the one who stays gets what is its own, and asks of a variable
before, meanwhile and afterwards.

Usage: crowd.py FOLDER; prints one JSON object.
"""

import json
import sys

import psutil
from jupyter_client.blocking import BlockingKernelClient
from client import Kernel, until

CLIENTS = 40
ASK_S = 30
LOOKS = 'println!("begun");\nloop { std::hint::black_box(1); };'
# Beginnings of words of the library and of what it brings, and words that must be offered.
WORDS = {"Lab::op": "open", "plotly::Pl": "Plot", "arrow::array::RecordB": "RecordBatch", "burn::tensor::Ten": "Tensor"}
# What the system keeps of a socket that was just closed.
SPARE_FILES = 8


def is_complete(client, waits):
    """The one question whose answer the client does not wait for by itself."""
    sent = client.is_complete("fn f() {")
    return client.get_shell_msg(timeout=ASK_S) if waits else sent


def visit(manager, turn):
    """One client; every fourth goes before it has heard anything."""
    # A session of its own: a manager's clients share one, and whoever comes later gets the answers of all.
    client = BlockingKernelClient()
    client.load_connection_info(manager.get_connection_info())
    client.start_channels()
    try:
        waits = turn % 4 != 0
        ask = {"reply": True, "timeout": ASK_S} if waits else {}
        answers = [
            client.complete("%%sq", **ask),
            is_complete(client, waits),
            client.history(hist_access_type="tail", n=1, **ask),
            client.inspect("%%sql\nselect abs", **ask),
        ]
        if not waits:
            return True
        content = [answer["content"] for answer in answers]
        return content[0]["matches"] == ["%%sql"] and content[1]["status"] == "incomplete" and len(content[2]["history"]) == 1
    finally:
        client.stop_channels()


def offered(kernel, code, word):
    """Asks until a word is offered: the first time the sources are still being read."""
    until(f"{word} for {code}", lambda: word in kernel.complete(code))
    return word


def main(folder):
    with Kernel(folder) as kernel:
        kernel.run("%%sql\nselect 1 as one")
        kernel.run("let mut kept: u32 = 7;")
        told = [kernel.inspect("kept")]
        words = [offered(kernel, code, word) for code, word in WORDS.items()]
        begun = kernel.begin(LOOKS, "begun")
        told.append(kernel.inspect("kept"))
        sources = kernel.analysis()
        slept = until("its sleep", lambda: sources.status() == psutil.STATUS_STOPPED)
        process = psutil.Process(kernel.manager.provisioner.process.pid)
        files = process.num_fds()
        answered = sum(visit(kernel.manager, turn) for turn in range(CLIENTS))
        until("the end of their sockets", lambda: process.num_fds() <= files + SPARE_FILES)
        kernel.interrupt()
        ended, after = kernel.end(begun), kernel.run('println!("{kept}");')
        kernel.run("kept += 1;")
        told.append(kernel.inspect("1 + kept"))
    seen = {"clients": CLIENTS, "answered": answered, "ended": ended, "after": after}
    return {**seen, "told": told, "words": words, "slept": slept}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
