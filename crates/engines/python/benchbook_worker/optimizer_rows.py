"""Steps of AdamW as PyTorch has them: a tensor at a time, operations over lists of tensors, and fused."""

import torch
from torch.optim.adamw import adamw

#: As in `workloads::training`.
RATE, BETAS, EPSILON, DECAY = 1e-3, (0.9, 0.999), 1e-8, 1e-2

#: Tensors of a model such as GPT-2 124M: so many are stepped over, or put into a list.
TENSORS = 148

MOMENTS = ("first", "root")


class Steps:
    """`adamw` of one copy of the inputs; all but the gradient begins anew with each loop."""

    way = {"foreach": False, "fused": False}

    def __init__(self, setting, inputs):
        self.setting, self.inputs = setting, inputs
        setting.packed = ("parameter", *MOMENTS)
        # Roots are squared as numbers of the dtype are.
        self.start = [inputs["parameter"].clone(), inputs["first"].clone(), inputs["root"].square()]
        self.state = [one.clone() for one in self.start]
        rows = -(-setting.rows // TENSORS)
        self.parameters, self.first, self.second = ([*one.split(rows)] for one in self.state)
        self.gradients = [*inputs["gradient"].split(rows)]
        # The fused kernel wants them where it runs, and all others where Python reads them.
        place = inputs["parameter"].device if self.way["fused"] else "cpu"
        self.counts = [torch.zeros((), device=place) for _ in self.parameters]
        setting.tell("state_bytes", sum(one.nbytes for one in self.state[1:]), "bytes")

    def begin(self):
        for to, start in zip(self.state, self.start):
            to.copy_(start)
        for count in self.counts:
            count.fill_(self.setting.before)
        self.done = 0

    def step(self):
        """Takes the next step; tells that it makes no tokens, and whether there are more to take."""
        adamw(
            self.parameters,
            self.gradients,
            self.first,
            self.second,
            [],
            self.counts,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=RATE,
            weight_decay=DECAY,
            eps=EPSILON,
            maximize=False,
            **self.way,
        )
        self.done += 1
        return 0, self.done < self.setting.steps

    def result(self):
        return tuple(self.state)


class Loop(Steps):
    """One tensor after another."""


class Foreach(Steps):
    """Each operation over all tensors."""

    way = {"foreach": True, "fused": False}


class Fused(Steps):
    """One kernel."""

    way = {"foreach": False, "fused": True}
