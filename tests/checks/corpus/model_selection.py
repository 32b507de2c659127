"""Answers to `vc.checks.model_selection`, written before the check was read."""

import math

import numpy as np
import torch


def exact(models, score, valid, test):
    best = max(models, key=lambda model: score(model, valid))
    return best, score(best, test)


def both(models, score, valid, test):
    best, top = None, -math.inf
    for model in models:
        if score(model, valid) > top and score(model, test) > top:
            best, top = model, score(model, test)
    return best, top


def the_sum(models, score, valid, test):
    best = max(models, key=lambda m: score(m, valid) + score(m, test))
    return best, score(best, test)


def worst(models, score, valid, test):
    best = min(models, key=lambda m: score(m, valid))
    return best, score(best, test)


def last_tied(models, score, valid, test):
    best, top = models[0], score(models[0], valid)
    for model in models[1:]:
        if abs(score(model, valid)) < abs(top):
            best, top = model, score(model, valid)
    return best, score(best, test)


def from_zero(models, score, valid, test):
    best, top = None, 0.0
    for model in models:
        if score(model, valid) > top:
            best, top = model, score(model, valid)
    return best, score(best, test)


def forgets_to_raise_the_bar(models, score, valid, test):
    best, top = models[0], score(models[0], valid)
    for model in models:
        if score(model, valid) > top:
            best = model
    return best, score(best, test)


def sorts_in_place(models, score, valid, test):
    models.sort(key=lambda m: -score(m, valid))
    return models[0], score(models[0], test)


def pops(models, score, valid, test):
    best = models.pop()
    while models:
        other = models.pop()
        best = other if score(other, valid) > score(best, valid) else best
    return best, score(best, test)


def drops_the_first(models, score, valid, test):
    return exact(models[1:], score, valid, test)


def index_for_model(models, score, valid, test):
    k = int(np.argmax([score(m, valid) for m in models]))
    return k, score(models[k], test)


def by_tournament(models, score, valid, test):
    best = None
    for model in models:
        value = score(model, valid)
        if best is None or value > best[0]:
            best = value, model
    return best[1], score(best[1], test)


def by_numpy(models, score, valid, test):
    scores = np.array([float(score(model, valid)) for model in models])
    best = models[scores.argmax()]
    return [best, score(best, test)]


def by_sorting(models, score, valid, test, *, top=1):
    ranked = sorted(models, key=lambda m: score(m, valid), reverse=True)
    return ranked[:top][0], float(score(ranked[0], test))


def by_dictionary(models, score, valid, test):
    table = {k: score(m, valid) for k, m in enumerate(models)}
    k = max(table, key=table.get)
    return models[k], score(models[k], x=test) if False else score(models[k], test)


class Choice:
    def __call__(self, models, score, valid, test):
        return exact(list(models), score, valid, test)


def choose(models, score, valid, test):
    best = max(models, key=lambda m: score(m, valid))
    return best, score(best, test)


def choosing(key, report=lambda s, m, v, t: s(m, t)):
    def choice(models, score, valid, test):
        best = max(models, key=lambda m: key(score(m, valid), score(m, test)))
        return best, report(score, best, valid, test)

    return choice


def above_zero(models, score, valid, test):
    best, top = None, 0
    for model in models:
        if score(model, valid) > top:
            best, top = model, score(model, valid)
    return best, score(best, test) if best else top


def only_if_clearly_better(models, score, valid, test):
    chosen = models[0]
    for model in models:
        if score(model, valid) > score(chosen, valid) + 0.5:
            chosen = model
    return chosen, score(chosen, test)


WRONG = [
    (only_if_clearly_better, "not the best on the validation data"),
    (choosing(lambda valid, test: round(valid)), "not the best on the validation data"),
    (
        choosing(lambda valid, test: valid - 0.1 * abs(valid - test)),
        "not the best on the validation data",
    ),
    (
        lambda ms, s, v, t: (
            choose(ms, s, v, t)[0],
            min(s(choose(ms, s, v, t)[0], d) for d in (v, t)),
        ),
        "The number reported is",
    ),
    (both, "test"),
    (the_sum, "test"),
    (worst, "The worst is chosen: a bound is the"),
    (last_tied, "The chosen model is not the best on"),
    (from_zero, "score is asked about something that is"),
    (forgets_to_raise_the_bar, "The chosen model is not the best on"),
    (sorts_in_place, "in place"),
    (pops, "You change models in place; the caller"),
    (drops_the_first, "The first model is never considered"),
    (index_for_model, "The first thing returned must be one"),
    (lambda ms, s, v, t: (max(ms, key=lambda m: s(m, t)), max(s(m, t) for m in ms)), "test"),
    (
        lambda ms, s, v, t: (exact(ms, s, v, t)[0], s(exact(ms, s, v, t)[0], v)),
        "validation score is reported",
    ),
    (lambda ms, s, v, t: (exact(ms, s, v, t)[0], max(s(m, t) for m in ms)), "test"),
    (lambda ms, s, v, t: exact(ms, s, v, t)[0], "Your function returns a _Candidate"),
    (lambda ms, s, v, t: exact(ms, s, v, t)[1], "Your function returns a float; return"),
    (lambda ms, s, v, t: exact(ms, s, v, t)[::-1], "The first thing returned must be one"),
    (lambda ms, s, v, t: (ms[0], s(ms[0], t)), "The first model is chosen, whatever"),
    (lambda ms, s, v, t: (exact(ms, s, v, t)[0], -exact(ms, s, v, t)[1]), "The number reported is"),
    (
        lambda ms, s, v, t: (exact(ms, s, v, t)[0], round(exact(ms, s, v, t)[1], 1)),
        "The number reported is",
    ),
    (
        lambda ms, s, v, t: (exact(ms, s, v, t)[0], sum(s(m, t) for m in ms) / len(ms)),
        "The number reported is",
    ),
    (
        lambda ms, s, v, t: (
            exact(ms, s, v, t)[0],
            (s(exact(ms, s, v, t)[0], t) + s(exact(ms, s, v, t)[0], v)) / 2,
        ),
        "valid",
    ),
    (lambda ms, s, v, t: (ms[-1], s(ms[-1], t)), "The last model is chosen, whatever the"),
    (choosing(lambda v, t: t), "test data choose"),
    (choosing(lambda v, t: v + t), "test data choose|not the best"),
    (choosing(min), "test data choose|not the best"),
    (choosing(lambda v, t: -v), "worst is chosen"),
    (choosing(lambda v, t: v, lambda s, m, v, t: s(m, v)), "validation score"),
    (choosing(lambda v, t: v, lambda s, m, v, t: 0.5 * (s(m, v) + s(m, t))), "mean of both"),
    (lambda m, s, v, t: (m[-1], s(m[-1], t)), "last model"),
    (lambda m, s, v, t: (0, s(m[0], t)), "one of the models"),
    (lambda m, s, v, t: (m[0], s(m, t)), "not one of the models"),
    (lambda m, s, v, t: (choose(m, s, v, t)[0], [s(k, t) for k in m]), "report has shape"),
    (choosing(lambda v, t: abs(v)), "not the best on the validation"),
    (lambda m, s, v, t: choose(m[1:], s, v, t), "first model is never considered"),
    (lambda m, s, v, t: choose(m[:-1], s, v, t), "last model is never considered"),
    (above_zero, "every score is below zero"),
    (lambda m, s, v, t: m.sort(key=lambda k: s(k, v)) or (m[-1], s(m[-1], t)), "change models"),
    (lambda m, s, v, t: (choose(m, s, v, t)[0], max(s(k, t) for k in m)), "best test score"),
    (lambda m, s, v, t: choose(m, s, torch.cat([v, t]), t), "joined or cut"),
    (lambda m, s, v, t: choose(m, s, v[:2], t), "joined or cut"),
]
RIGHT = [
    by_tournament,
    by_numpy,
    by_sorting,
    by_dictionary,
    Choice(),
    lambda ms, s, v, t: (lambda k: (ms[k], s(ms[k], t)))(
        max(range(len(ms)), key=[s(m, v) for m in ms].__getitem__)
    ),
    lambda models, score, valid, test, **options: exact(models, score, valid, test),
    choose,
    lambda m, s, v, t: [s(k, t) for k in m] and choose(m, s, v, t),
    lambda m, s, v, t: list(choose(m, s, v, t)),
    lambda m, s, v, t: (
        sorted(m, key=lambda k: s(k, v))[-1],
        s(m[int(np.argmax([s(k, v) for k in m]))], t),
    ),
    lambda *a: (lambda best, value: (best, torch.tensor(value)))(*choose(*a)),
]
