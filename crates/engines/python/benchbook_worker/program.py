"""What the workloads are here: functions of PyTorch."""

from dataclasses import dataclass


@dataclass
class Program:
    """A workload as a function of PyTorch. `make(setting, x)` makes it for a case, where `x` are the inputs of one copy: their
    dtype, their device, and what are no real numbers, such as masks, tables and lengths. What it makes takes the inputs of
    these names, in their order, as far as the case has them.
    """

    inputs: tuple
    make: object
    #: Inputs that stay from call to call.
    weights: tuple = ()

    def names(self, x):
        return [name for name in self.inputs if name in x]
