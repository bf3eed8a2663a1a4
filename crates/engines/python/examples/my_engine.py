"""An engine of my own: it multiplies matrices block by block, in NumPy.

    pip install ./crates/engines/python
    benchbook run matmul --quick --worker "mine=python crates/engines/python/examples/my_engine.py"
"""

import numpy
from benchbook_worker import Engine

mine = Engine("blocks", "numpy", version="0.1")


@mine.row("matmul", "by-blocks", dtypes=("f32", "f64"))
def matmul(setting, inputs):
    """Blocks of 128 rows of the result, one after another."""
    a, b = inputs["a"], inputs["b"]
    result = numpy.empty((setting.m, setting.n), a.dtype)

    def call():
        for row in range(0, setting.m, 128):
            numpy.matmul(a[row : row + 128], b, out=result[row : row + 128])
        return result

    return call


if __name__ == "__main__":
    mine.serve()
