"""Stands between Jupyter and a kernel, so that the kernel meets one peer for its whole life.

Jupyter's server opens and closes sockets of its own at each connection. evcxr's shell stops answering for good when a
peer goes at the wrong moment, about every other time that JupyterLab opens a notebook. Here peers may come and go.
"""

import json
import os
import random
import socket
import sys
import tempfile
import threading

import zmq

# Port, our side towards Jupyter, our side towards the kernel.
CHANNELS = (
    ("shell_port", zmq.ROUTER, zmq.DEALER),
    ("control_port", zmq.ROUTER, zmq.DEALER),
    ("stdin_port", zmq.ROUTER, zmq.DEALER),
    ("hb_port", zmq.ROUTER, zmq.DEALER),
    ("iopub_port", zmq.PUB, zmq.SUB),
)


def own_address():
    """An address of this machine that nobody else uses: on the usual one another process could take a port first."""
    if not sys.platform.startswith("linux"):
        return "127.0.0.1"
    # All of 127.0.0.0/8 is this machine.
    return f"127.{random.randint(64, 254)}.{random.randint(0, 254)}.{random.randint(1, 254)}"


def free_ports(address, count):
    """Ports that nobody has at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((address, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def connection_for_kernel(connection):
    """A connection file like Jupyter's with ports of its own; gives its path and its content."""
    address = own_address()
    ports = dict(zip((name for name, *_ in CHANNELS), free_ports(address, len(CHANNELS)), strict=True))
    inner = {**connection, **ports, "transport": "tcp", "ip": address}
    # Readable for its owner alone: it holds the key that signs messages.
    handle, path = tempfile.mkstemp(prefix="benchbook-kernel-", suffix=".json")
    with os.fdopen(handle, "w") as file:
        json.dump(inner, file)
    return path, inner


def endpoint(connection, port):
    between = "-" if connection["transport"] == "ipc" else ":"
    return f"{connection['transport']}://{connection['ip']}{between}{connection[port]}"


def start(outer, inner):
    """Relays every channel in a thread of its own until the process ends."""
    context = zmq.Context(io_threads=1)
    for port, outside, inside in CHANNELS:
        front, back = context.socket(outside), context.socket(inside)
        for side in (front, back):
            side.linger = 0
            # A cell may write faster than a page reads, and nothing of it may be lost.
            side.sndhwm = side.rcvhwm = 0
        if inside == zmq.SUB:
            back.subscribe(b"")
        front.bind(endpoint(outer, port))
        back.connect(endpoint(inner, port))
        threading.Thread(target=zmq.proxy, args=(front, back), daemon=True).start()
