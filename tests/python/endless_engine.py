"""An engine of one's own whose loops have more steps than tokens: the way is its word.

Usage: PYTHONPATH=crates/engines/python python3 endless_engine.py never-ends|one-more
"""

import sys
import time

from benchbook_worker import Engine
from benchbook_worker.numpy_decoding import Generate

way = sys.argv[1]
endless = Engine(way, "numpy")


class Endless(Generate):
    """Right tokens, and a step behind the last one, or one after another for ever."""

    def step(self):
        if len(self.made) < self.setting.tokens:
            return super().step()[0], True
        time.sleep(0.001)
        return 0, way == "never-ends"


endless.row("generate", way, tokens=("prompt",), loop=True)(Endless)

if __name__ == "__main__":
    endless.serve()
