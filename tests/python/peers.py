"""Peers of a kernel that come, ask and go, as Jupyter's server does at each connection; then one that asks again.

Usage: peers.py FOLDER; prints one JSON object: how many were answered.
"""

import json
import sys

from jupyter_client.manager import KernelManager

PEERS = 40
LIMIT_MS = 20_000


def ask(manager, socket):
    manager.session.send(socket, "kernel_info_request")
    if not socket.poll(LIMIT_MS):
        return False
    manager.session.recv(socket, mode=0)
    return True


def main(folder):
    manager = KernelManager(kernel_name="benchbook")
    manager.start_kernel(cwd=folder)
    try:
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=120)
        client.stop_channels()
        answered = 0
        for _ in range(PEERS):
            sockets = [manager.connect_shell(), manager.connect_control(), manager.connect_iopub()]
            answered += ask(manager, sockets[0]) and ask(manager, sockets[1])
            for socket in sockets:
                socket.close(linger=0)
        print(json.dumps({"peers": PEERS, "answered": answered}))
    finally:
        manager.shutdown_kernel()


main(sys.argv[1])
