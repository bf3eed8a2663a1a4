"""`python -m benchbook_worker`: the worker of the engines that this Python has."""

from . import table
from .worker import Worker


def main():
    Worker(table.DEVICES, table.ROWS).serve()


if __name__ == "__main__":
    main()
