"""`python -m benchbook_worker`: the worker of the engines that this Python has."""

import sys
from dataclasses import replace

from . import table
from .worker import Worker


def served(devices, rows, words):
    """The devices of the engine that `--only` names, or of all `--but` some with commas between them, and their rows: each engine is
    measured in one Python."""
    named = dict(zip(words, words[1:]))
    if only := named.get("--only"):
        devices = [device for device in devices if device.engine == only]
    if but := named.get("--but"):
        devices = [device for device in devices if device.engine not in but.split(",")]
    kept = {device.name for device in devices}
    rows = [replace(row, devices=tuple(name for name in row.devices if name in kept)) for row in rows]
    return devices, [row for row in rows if row.devices]


def main():
    Worker(*served(table.DEVICES, table.ROWS, sys.argv[1:])).serve()


if __name__ == "__main__":
    main()
