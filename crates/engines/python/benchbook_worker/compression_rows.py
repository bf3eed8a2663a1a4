"""Gradients that take fewer bytes, in PyTorch."""

import torch


def given(setting, inputs):
    """What is compressed: the gradient, with feedback what was left before added to it, in memory of its own."""
    if setting.feedback:
        return inputs["gradient"] + inputs["residual"]
    return inputs["gradient"]


def top_k(setting, inputs):
    """By torch.topk, whose order of equal numbers is its own."""
    taken = -(-setting.rows * setting.width * setting.per_mille // 1000)

    def call():
        numbers = given(setting, inputs).view(-1)
        places = numbers.abs().topk(taken, sorted=False).indices.sort().values
        values = numbers[places]
        if not setting.feedback:
            return places, values
        numbers[places] = 0.0
        return places, values, numbers.view(setting.rows, setting.width)

    return call


def int8(setting, inputs):
    """As integers of eight bits, a scale for each row."""

    def call():
        numbers = given(setting, inputs)
        largest = numbers.abs().amax(-1, keepdim=True)
        # By a tensor, since a GPU multiplies by the reciprocal of a number.
        scales = largest / torch.full_like(largest, 127.0)
        codes = torch.round(numbers / scales).to(torch.int8)
        return (codes, scales, numbers - codes * scales) if setting.feedback else (codes, scales)

    return call


def power_sgd(setting, inputs):
    """As the hook of torch.distributed computes it: two products, and columns that are made orthonormal between them."""

    def call():
        numbers = given(setting, inputs)
        first = numbers @ inputs["start"]
        for column in range(setting.rank):
            this = first[:, column]
            for before in range(column):
                other = first[:, before]
                this -= (this @ other) * other
            this /= this.norm()
        second = numbers.T @ first
        return (first, second, numbers - first @ second.T) if setting.feedback else (first, second)

    return call
