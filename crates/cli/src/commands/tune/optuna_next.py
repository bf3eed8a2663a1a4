"""The next points of a search by Optuna's TPE, as JSON on standard output.

Argument: a file with the question, as JSON: `axes`, each ["int", least, most, by ratios], ["float", least, most, by ratios] or
["choice", how many]; `seed`; `count`, how many points are wanted; `seen`, of each point that was tried the point and its loss, null
where it has none that counts. Each point depends on these alone, so that a search goes on wherever it was cut off.
"""

import json
import sys

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

#: Draws before a point is given up because all were tried before.
DRAWS = 32


def distribution(kind, *numbers):
    if kind == "choice":
        return CategoricalDistribution(list(range(numbers[0])))
    least, most, by_ratios = numbers
    return (IntDistribution if kind == "int" else FloatDistribution)(least, most, log=by_ratios)


def tried(axes, point, loss):
    given = {"params": dict(zip(axes, point)), "distributions": axes}
    return create_trial(state=TrialState.PRUNED, **given) if loss is None else create_trial(value=loss, **given)


def drawn(axes, trials, seed):
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.add_trials(trials)
    trial = study.ask(axes)
    return [trial.params[name] for name in axes]


def main():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with open(sys.argv[1], encoding="utf-8") as file:
        asked = json.load(file)
    axes = {str(place): distribution(*axis) for place, axis in enumerate(asked["axes"])}
    trials = [tried(axes, point, loss) for point, loss in asked["seen"]]
    taken, found = [point for point, _ in asked["seen"]], []
    for number in range(len(taken), len(taken) + asked["count"]):
        # Another seed for each draw, the same for the same search.
        seeds = ((asked["seed"] * 1_000_003 + number) * DRAWS + draw for draw in range(DRAWS))
        points = (drawn(axes, trials, seed % 2**32) for seed in seeds)
        point = next((point for point in points if point not in taken), None)
        if point is None:
            break
        taken.append(point)
        found.append(point)
    json.dump(found, sys.stdout)


main()
