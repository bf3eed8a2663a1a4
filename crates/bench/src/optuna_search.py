"""How many evaluations Optuna's TPE takes to come near the best of a table: a line for each seed, `none` where it does not.

Arguments: the table (CSV, the loss last), the share above the best, evaluations at most, seeds.
"""

import csv
import sys

import optuna


def levels(rows, axis):
    """The values of a column: whole numbers in their order, others as they come."""
    values = list(dict.fromkeys(row[axis] for row in rows))
    try:
        return True, sorted(values, key=int)
    except ValueError:
        return False, values


def took(seed, axes, losses, near, most):
    """The number of the first evaluation near the best."""

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
    for number in range(1, most + 1):
        study.optimize(objective, n_trials=1)
        value = study.trials[-1].value
        if value is not None and value <= near:
            return number
    return None


def main():
    path, share, most, seeds = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with open(path, newline="") as file:
        header, *rows = [row for row in csv.reader(file) if row]
    axes = [(name, *levels(rows, axis)) for axis, name in enumerate(header[:-1])]
    losses = {tuple(row[:-1]): float(row[-1]) if row[-1] else None for row in rows}
    near = min(loss for loss in losses.values() if loss is not None) * (1 + share)
    for seed in range(seeds):
        number = took(seed, axes, losses, near, most)
        print("none" if number is None else number)


main()
