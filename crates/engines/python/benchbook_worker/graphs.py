"""Workloads as graphs that other engines read: programs of PyTorch whose weights are constants."""

import torch

from .programs import FORMULAS
from .rows import Unsupported


class Graph(torch.nn.Module):
    """A program of a case. `given` are the names of its inputs, `example` one copy of them."""

    def __init__(self, setting, inputs, programs):
        super().__init__()
        program = programs.get(setting.workload) or FORMULAS[setting.workload]
        tensors = {name: torch.from_numpy(one) for name, one in inputs.items()}
        try:
            self.function = program.make(setting, tensors)
        except Unsupported:  # the formula has words for everything
            program = FORMULAS[setting.workload]
            self.function = program.make(setting, tensors)
        names = program.names(inputs)
        self.given = [name for name in names if name not in program.weights]
        self.example = tuple(tensors[name] for name in self.given)
        self.constants = torch.nn.ParameterList(
            [torch.nn.Parameter(tensors[name], requires_grad=False) for name in names if name in program.weights]
        )

    def forward(self, *given):
        return self.function(*given, *self.constants)
