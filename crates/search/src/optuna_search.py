"""The regret of searches by Optuna's TPE in a table: a line for each search, and in it, for each try, how far the best so far is from the
best there is, as a share of the latter; `inf` while nothing worked.

Arguments: the table (CSV, the loss last), tries of a search, searches.
"""

import csv
import math
import sys

import optuna


def levels(rows, axis):
    """The values of a column: whole numbers in their order, others as they come."""
    values = list(dict.fromkeys(row[axis] for row in rows))
    try:
        return True, sorted(values, key=int)
    except ValueError:
        return False, values


def regrets(seed, axes, losses, tries):
    """The regret after each try of one search."""

    def objective(trial):
        point = []
        for name, is_number, values in axes:
            if is_number:
                point.append(values[trial.suggest_int(name, 0, len(values) - 1)])
            else:
                point.append(trial.suggest_categorical(name, values))
        loss = losses[tuple(point)]
        if loss is None:
            raise optuna.TrialPruned()
        return loss

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=tries)
    best, least = math.inf, min(loss for loss in losses.values() if loss is not None)
    for trial in study.trials:
        best = best if trial.value is None else min(best, trial.value)
        yield best / least - 1


def main():
    path, tries, searches = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with open(path, newline="") as file:
        header, *rows = [row for row in csv.reader(file) if row]
    axes = [(name, *levels(rows, axis)) for axis, name in enumerate(header[:-1])]
    losses = {tuple(row[:-1]): float(row[-1]) if row[-1] else None for row in rows}
    for seed in range(searches):
        print(*regrets(seed, axes, losses, tries))


main()
