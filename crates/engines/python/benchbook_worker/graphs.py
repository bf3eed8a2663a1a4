"""Workloads as graphs that compilers and other engines read: programs of PyTorch whose weights are constants."""

import torch

from .programs import FORMULAS
from .rows import Unsupported

#: Weights that stay in the caches whatever calls rotate over, as a share of the inputs that do not.
MOST_SHARED = 0.01


class Graph(torch.nn.Module):
    """A program of a case. `given` are the names of its inputs, `example` one copy of them."""

    def __init__(self, setting, copies, programs):
        super().__init__()
        inputs = copies[0]
        program = programs.get(setting.workload) or FORMULAS[setting.workload]
        tensors = {name: torch.as_tensor(one) for name, one in inputs.items()}
        try:
            self.function = program.make(setting, tensors)
        except Unsupported:  # the formula has words for everything
            program = FORMULAS[setting.workload]
            self.function = program.make(setting, tensors)
        names = program.names(inputs)
        setting.packed = program.weights
        self.given = [name for name in names if name not in program.weights]
        self.example = tuple(tensors[name] for name in self.given)
        weights = [tensors[name] for name in names if name in program.weights]
        # By names: the compiler does not step through a list of parameters.
        self.constants = tuple(f"constant_{place}" for place in range(len(weights)))
        for name, one in zip(self.constants, weights, strict=True):
            self.register_parameter(name, torch.nn.Parameter(one, requires_grad=False))
        shared = sum(one.nbytes for one in weights)
        if len(copies) > 1 and shared > MOST_SHARED * sum(one.nbytes for one in self.example):
            raise Unsupported("all calls share the weights of its graph, which stay in the caches: measure it hot")

    def forward(self, *given):
        return self.function(*given, *[getattr(self, name) for name in self.constants])
