"""How a self-check is written, and all that it says but for the mistakes of one exercise.

A check is a right answer, the numbers it is tried on, and what known mistakes give: see `check`.
Exercises with random draws, or whole programs, are judged by a function of their own: `watched`.
"""

import contextlib
import functools
import inspect
import math
import numbers
import os
import random
import re
import signal
import sys
import textwrap
import threading
import time
import traceback
import warnings
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from vaecourse.checks.slips import FUNCTIONS, UNUSABLE, explained, in_words

SECONDS = 20  # of computing, for one call of a student's function
PATIENCE = 300  # seconds by the clock, for one that waits; a busy machine is slow as well
ALONE = "For one row alone"  # of a trial that every check adds to its own
_OVERWRITTEN = (
    "A number that autograd needs is changed in place: the value can be computed, no gradient; "
    "make a new one."
)
WITHOUT_GRADIENT = " Without a gradient, though: nothing can be trained through it."


class Mistake(AssertionError):
    """One sentence about what is wrong with a student's function."""

    def _render_traceback_(self):  # what Jupyter shows of it
        return [f"Mistake: {self}"]


class SideEffect(Mistake):
    """A Mistake about what a call leaves behind, so that no advice on its numbers fits."""


class Verdict(str):
    """What a check says; at the end of a cell it is printed, without quotes."""

    def _ipython_display_(self):
        print(self)


@dataclass
class Trial:
    """Arguments to try; `where` says what is special about them, `advice` helps if they break.

    along: (name, values) of what they run through, if that is more than one argument.
    """

    arguments: tuple
    where: str = ""
    advice: str = ""
    rtol: float = 1e-5
    atol: float = 1e-5
    gradients: bool = True
    along: tuple = ()


def seeded(seed):
    """A generator started from `seed`, for the numbers that a check makes up."""
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def uniform(*shape, seed=0, low=0.0, high=1.0):
    draws = torch.rand(*shape, generator=seeded(seed), dtype=torch.float64)
    return low + (high - low) * draws


def check(
    cases,
    says,
    wrong=None,
    *,
    gradients=(),
    outputs=("",),
    parts=None,
    order=None,
    accepts=lambda answers, trials: False,
    then=lambda student: None,
):
    """Make of a function that gives the right answer a check of students' functions.

    cases() yields the arguments to try, as tuples or as `Trial`s; wrong(*arguments) gives a list of
    (what a mistake gives, the sentence that names it), for several outputs one such function each;
    `gradients` are the arguments whose derivatives are compared, a dict where only a part of one
    counts (a function of it and of all arguments that keeps this part, or None);
    parts(*arguments) are terms of the answer by name, so that one that counts c times is found;
    accepts(answers, trials) may take other answers, a list of outputs for each trial; `order` is
    that in which outputs are judged; then(student) has a last look at what gave the right numbers.
    """
    wrongs = (wrong,) if callable(wrong) or wrong is None else wrong

    def decorate(right):
        @watched(*inspect.signature(right).parameters)
        def judged(student):
            trials = [case if isinstance(case, Trial) else Trial(case) for case in cases()]
            special = [k for k, trial in enumerate(trials) if trial.where]
            place = special[0] if special else len(trials)
            trials[place:place] = _first_row_alone(right, trials[0])
            rights = [[*map(as_tensor, _several(right(*trial.arguments)))] for trial in trials]
            answers, problem = _collect(student, trials, outputs, rights)
            found = True
            if problem or not accepts(answers, trials):
                _judge_order(answers, rights, trials, outputs)
                for place in order or range(len(outputs)):
                    given = [answer[place] for answer in answers]
                    expected = [right[place] for right in rights]
                    sentences = wrongs[place] if place < len(wrongs) else None
                    name, again = outputs[place], _output(right, place)
                    ask = _asked(student, place, outputs)
                    judge(
                        given, trials, expected, sentences, parts, student.names, name, again, ask
                    )
                if problem:
                    raise problem
                if gradients:
                    found = _judge_gradients(student, right, trials, gradients, outputs)
            then(student)
            return says + ("" if found else WITHOUT_GRADIENT)

        judged.right = right
        return functools.update_wrapper(judged, right)

    return decorate


def _first_row_alone(right, trial):
    """[The first row of a trial], where its answer does not hang on the other rows, else []."""
    whole = [*map(as_tensor, _several(right(*trial.arguments)))]
    rows = len(whole[0]) if whole[0].ndim else 0
    first = tuple(v[:1] if _is_array(v) and len(v) == rows else v for v in trial.arguments)
    with contextlib.suppress(*UNUSABLE):
        alone = [*map(as_tensor, _several(right(*first)))]
        if rows > 1 and all(close(one, all_[:1]) for one, all_ in zip(alone, whole)):
            return [Trial(first, ALONE, gradients=False)]
    return []


def watched(*names):
    """Make of judge(student) -> what is right a check; student(…) is the function under test.

    `names` are those of its arguments. In a notebook the check returns what is wrong, so that the
    cells below run; elsewhere, and where nbgrader or the book's build runs it, it raises Mistake.
    """

    def decorate(judge):
        @functools.wraps(judge)
        def check(fn):
            try:
                if not callable(fn):
                    raise Mistake(
                        f"You passed {_kind(fn)}; pass the function itself, without calling it."
                    )
                with _restored():
                    try:
                        return Verdict(f"Right: {judge(Student(fn, names))}")
                    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
                        if "modified by an inplace operation" in str(error):
                            raise Mistake(_OVERWRITTEN) from error
                        words = _shortened(str(error))
                        raise Mistake(f"Your answer cannot be judged ({words}).") from error
            except Mistake as mistake:
                if not _in_a_notebook():
                    raise
                return Verdict(
                    str(mistake) if "till open" in str(mistake) else f"Not yet. {mistake}"
                )

        check.judge = judge
        return check

    return decorate


def _in_a_notebook():
    if {"NBGRADER_EXECUTION", "NBGRADER_VALIDATING", "VAECOURSE_STRICT"} & os.environ.keys():
        return False
    return _has_kernel()


def _has_kernel():
    shell = "IPython" in sys.modules and sys.modules["IPython"].get_ipython()
    return hasattr(shell, "kernel")


# --- calling a student's function ------------------------------------------------------------


class _OutOfTime(BaseException):
    pass


LEAVES = ("numpy", "__array__", "tolist", "item", "__float__")


class _Watch(TorchFunctionMode):
    """Notices when numbers leave torch, or gradients are switched off."""

    left = switched_off = False

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.left = self.left or getattr(function, "__name__", "") in LEAVES
        self.switched_off = self.switched_off or not torch.is_grad_enabled()
        return function(*args, **(kwargs or {}))


class Student:
    """A student's function; a call gives what it returns, or a Mistake that says what happened."""

    def __init__(self, fn, names):
        self.fn, self.names = fn, names
        self.left_torch = self.without_gradients = False

    def __call__(self, *arguments):
        spare, before = [_copied(value, chance=True) for value in arguments], _random_states()
        given = [_copied(value) for value in arguments]
        marks = [_marks_of(value) for value in given]
        modes = [getattr(value, "training", None) for value in arguments]
        value = self._run(given)
        for name, old, new, before_, mode in zip(self.names, arguments, given, marks, modes):
            if not _same(old, new):
                raise SideEffect(f"You change {name} in place; the caller still needs it.")
            if before_ != _marks_of(new):
                if isinstance(new, torch.Tensor):
                    raise SideEffect(
                        f"You change requires_grad or grad of {name}; the caller still needs it "
                        "as it was."
                    )
                raise SideEffect(
                    f"You change {name} for good: the precision of its weights, or whether they "
                    "ask for a gradient."
                )
            if mode != getattr(old, "training", None):
                left = "eval" if mode else "training"
                raise SideEffect(f"You leave the {name} in {left} mode, and others go on in it.")
        after = _random_states()
        if before != after and not self._repeats(value, spare, before, after):
            raise Mistake(
                "Your function draws from the global random numbers, or sets their seed; all "
                "chance must come from the generator: pass generator=generator to whatever draws."
                if "generator" in self.names
                else "Your function draws random numbers, or sets a seed; no random draw is needed."
            )
        return value

    def _run(self, given):
        call = self._bound(given)
        with _switches_watched(), _Watch() as watch, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = _limited(call, self._explained)
        self.left_torch = self.left_torch or watch.left
        self.without_gradients = self.without_gradients or watch.switched_off
        return value

    def _repeats(self, value, spare, before, after):
        """Whether other global numbers, not seeded, give the same.

        A library may move some while it is imported, in the first call alone; a DataLoader draws
        some idly in every call, which passes where a generator is handed in.
        """
        _stir()
        stirred = _random_states()
        with contextlib.suppress(Mistake):
            again, now = self._run(spare), _random_states()
            moved = [k for k, state in enumerate(after) if state != before[k]]
            seeded = any(now[k] == after[k] for k in moved)
            idle = now == stirred or ("generator" in self.names and not seeded)
            return idle and _alike(as_tensor(value), as_tensor(again))
        return False

    def _bound(self, given):
        """The call without arguments, by place or by name."""
        try:
            signature = inspect.signature(self.fn)
        except (TypeError, ValueError):
            return lambda: self.fn(*given)
        for args, kwargs in ((given, {}), ([], dict(zip(self.names, given)))):
            with contextlib.suppress(TypeError):
                signature.bind(*args, **kwargs)
                return lambda: self.fn(*args, **kwargs)
        raise Mistake(
            f"Your function takes {signature}; it is called with ({', '.join(self.names)})."
        )

    def _explained(self, error):
        """A Mistake that says in our words what the student's code has raised."""
        if isinstance(error, NotImplementedError) and not error.args:
            return Mistake("Still open: your function returns nothing yet.")
        words, kind = str(error).strip(), type(error).__name__
        first = _shortened(words)
        frames = traceback.extract_tb(error.__traceback__)
        own = _source_of(self.fn)
        lines = [frame for frame in frames if frame.filename == own] or []
        where = f" It stops at `{lines[-1].line}`." if lines and lines[-1].line else ""
        for pattern, sentence in _ERRORS:
            if re.search(pattern, f"{kind}: {words}", re.I):
                return Mistake(sentence.format(first=first) + where)
        said = f" ({first})" if first else ""
        return Mistake(f"Your function stops with {kind}{said}, so there is no answer.{where}")


def _shortened(words):
    """The first line of an error, cut between words if it is long."""
    return textwrap.shorten((words.splitlines() or [""])[0], 120, placeholder=" …")


def _source_of(fn):
    """The file in which a function stands, also one that is decorated or a partial."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    fn = inspect.unwrap(fn)
    return inspect.getsourcefile(fn) if inspect.isfunction(fn) else None


_ERRORS = [
    (
        "between 0 and 1|within the support.*(Boolean|interval)",
        "Numbers outside [0, 1] are used as probabilities, logits perhaps; "
        "binary_cross_entropy_with_logits takes logits.",
    ),
    (
        r"Can't call numpy\(\)",
        "numpy is given a tensor that needs a gradient; stay in torch, numpy knows no gradients.",
    ),
    (
        "only one element tensors|cannot be converted to Scalar|only (length-1|0-dim)|size 1 to|"
        "only integer scalar arrays",
        "A whole tensor, or a tuple, stands where one number is wanted: math.log, float and item "
        "take one, torch.log takes them all.",
    ),
    (
        "Boolean value of Tensor|truth value of an",
        "An if, max or min asks whether a whole tensor is true; compare entry by entry, as with "
        "torch.where or clamp.",
    ),
    (
        "did not match|same dtype|expected scalar type|Found dtype|have the same",
        "Numbers of two precisions meet; the arguments are float64, so make new tensors with "
        "dtype=x.dtype, or like them.",
    ),
    (
        "must match the size|cannot be multiplied|size mismatch|broadcast|must match except|"
        "is invalid for input|not aligned|mismatch in its core|equal size|expected size|vectors of",
        "Two shapes do not fit together ({first}).",
    ),
    (
        "leaf Variable|inplace",
        "A tensor that needs a gradient is changed in place; make a new one.",
    ),
    (
        "must be square|square matri|two-dimensional",
        "A matrix is inverted or decomposed that is not square ({first}).",
    ),
    (
        "singular|positive.definite|ill-conditioned|PositiveDefinite|converge",
        "A matrix cannot be inverted or decomposed: it is singular, or not positive definite, or "
        "holds NaN.",
    ),
    (
        "implicitly created only for scalar",
        "backward() needs one number: sum or average the loss first.",
    ),
    (
        "does not require grad",
        "A gradient is asked of something that is detached, or in which nothing requires one.",
    ),
    ("second time|retain_graph", "backward() is called twice through one graph."),
    ("division by zero", "There is a division by zero."),
    ("math domain|range error|Overflow", "A number leaves its range ({first})."),
    (
        "NameError|UnboundLocal",
        "A name is used that is not defined ({first}).",
    ),
    (
        "Dimension out of range|out of bounds|index out of range",
        "An axis or index is asked for that is not there ({first}).",
    ),
    (
        "AttributeError",
        "Something is asked for what it does not have ({first}).",
    ),
    (
        "unexpected keyword|required positional|positional argument",
        "A call does not fit ({first}).",
    ),
]


def _limited(call, explained):
    """call(), stopped after SECONDS of computing; whatever it raises becomes a Mistake.

    An import is let end, and does not count: a library that is half imported breaks what follows.
    """
    here, begun = sys._getframe(), (time.thread_time(), time.monotonic())
    last = begun
    idle = 0.0  # computing time that went into imports

    def stop(_, frame):
        nonlocal last, idle
        before, last = last[0], (time.thread_time(), time.monotonic())
        if _is_importing(frame, here):
            idle += last[0] - before
        elif last[0] - begun[0] - idle >= SECONDS or last[1] - begun[1] >= PATIENCE:
            raise _OutOfTime

    timed = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    old = signal.signal(signal.SIGALRM, stop) if timed else None
    try:
        if timed:
            signal.setitimer(signal.ITIMER_REAL, *2 * [min(1.0, SECONDS, PATIENCE)])
        return call()
    except _OutOfTime:
        computing = last[0] - begun[0] - idle >= SECONDS
        words = f"{SECONDS:g} seconds of computing" if computing else f"{PATIENCE:g} seconds"
        raise Mistake(f"Your function is still running after {words}.") from None
    except (Mistake, Caught):
        raise
    except (Exception, SystemExit) as error:
        raise explained(error) from error
    finally:
        if timed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)


def _is_importing(frame, end):
    """Whether a frame is one of an import that began below the frame `end`."""
    while frame not in (None, end):
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


class Caught(BaseException):
    """Carries out of a student's function what a check has laid in wait for."""


def _copied(value, chance=False):
    """Tensors and lists anew, so that a change is seen; generators too for a call by `chance`."""
    if isinstance(value, torch.Tensor) and not value.requires_grad:
        return value.clone()
    if isinstance(value, torch.Generator) and chance:
        return torch.Generator().set_state(value.get_state())
    return list(value) if isinstance(value, list) else value


def _same(old, new):
    if isinstance(old, list):
        return [*map(id, old)] == [*map(id, new)]
    if not isinstance(old, torch.Tensor):
        return True
    return old.shape == new.shape and torch.equal(old.nan_to_num(), new.nan_to_num())


def _marks_of(value):
    """What can be set of a tensor, or of the weights of a module, beside the values."""
    if isinstance(value, torch.nn.Module):
        return [(weight.dtype, weight.requires_grad) for weight in value.parameters()]
    if isinstance(value, torch.Tensor):
        return value.requires_grad, value.is_leaf and value.grad is not None
    return None


def _alike(old, new):
    """Whether two calls gave the same; how memory lies may turn a last digit."""
    return old.shape == new.shape and torch.allclose(old, new, 1e-6, 1e-6, equal_nan=True)


def _random_states():
    kept = np.random.get_state()  # noqa: NPY002
    of_numpy = kept[1].tobytes(), kept[2]
    return torch.get_rng_state().numpy().tobytes(), of_numpy, random.getstate()


def _stir():
    torch.rand(()), np.random.random(), random.random()  # noqa: NPY002


@contextlib.contextmanager
def _switches_watched():
    """Set back what a call has set for all that follows, and say so."""
    enabled, precision = torch.is_grad_enabled(), torch.get_default_dtype()
    try:
        yield
        if torch.is_grad_enabled() != enabled:
            raise SideEffect(
                "You switch gradients off or on for all that follows; `with torch.no_grad():` "
                "ends by itself."
            )
        if torch.get_default_dtype() != precision:
            raise SideEffect(
                "You set the precision of all new tensors for all that follows; give dtype= to "
                "those that you make."
            )
    finally:
        torch.set_grad_enabled(enabled)
        torch.set_default_dtype(precision)


@contextlib.contextmanager
def _restored():
    """Leave the global random numbers as they were; one thread, since on a busy machine several
    wait for each other longer than such small tensors take."""
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            _stir()  # away from where a seed starts, so that one that is set is seen
            yield
    finally:
        torch.set_num_threads(threads)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


# --- reading what it returned ----------------------------------------------------------------


def as_tensor(value):
    """What a student's function returned, as float64 without a graph."""
    return _read(value).detach().to(torch.float64)


def _read(value):
    if value is ... or value is NotImplemented:
        raise Mistake("Still open: your function returns nothing yet.")
    if value is None:
        raise Mistake("Your function returns nothing; is the return statement missing?")
    if isinstance(value, (list, tuple)) and len(value):
        parts = [_read(part) for part in value]
        if len({part.shape for part in parts}) > 1:
            raise Mistake(
                f"Your function returns a {type(value).__name__} of {len(value)} things, not "
                "all of one shape; return the numbers alone."
            )
        return torch.stack([part.to(torch.float64) for part in parts])
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc":
        value = torch.as_tensor(np.ascontiguousarray(value).reshape(value.shape))
    elif isinstance(value, (numbers.Number, bool)):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            value = torch.as_tensor(value if isinstance(value, complex) else float(value))
            value = value.to(torch.complex128 if value.is_complex() else torch.float64)
    if not isinstance(value, torch.Tensor):
        raise Mistake(f"Your function returns {_kind(value)}; return the numbers themselves.")
    if value.is_complex():
        raise Mistake("Your function returns complex numbers; the answer is real.")
    if value.layout != torch.strided:
        value = value.to_dense()
    return value


def _kind(value):
    name = type(value).__name__
    if isinstance(value, torch.distributions.Distribution):
        return f"a distribution ({name})"
    if inspect.isroutine(value) or isinstance(value, torch.nn.Module):
        return f"a function ({name}) that was not called"
    if inspect.iscoroutine(value):
        value.close()
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _single(value):
    """Whether the answer came in few digits, or by a way that may have lost some."""
    return isinstance(value, torch.Tensor) and value.dtype in (torch.float32, torch.float16)


def read_alone(value, shape):
    """What was returned, as a tensor, and no tuple of things that have this shape each."""
    answer = as_tensor(value)
    if isinstance(value, (list, tuple)) and answer.shape == (len(value), *shape) != (1, *shape):
        raise Mistake(
            f"Your function returns a {type(value).__name__} of {len(value)} things; return the "
            "answer alone."
        )
    return answer


def _several(value):
    return value if isinstance(value, tuple) else (value,)


def _output(fn, place):
    return lambda *arguments: _several(fn(*arguments))[place]


def parts_of(value, names):
    """The outputs of a function that returns several, by `names`; a Mistake if it does not."""
    listed = f"{len(names)} things: {', '.join(names[:-1])} and {names[-1]}"
    if value is ... or value is None:
        _read(value)
    if isinstance(value, (torch.Tensor, np.ndarray)):
        fits = value.ndim > 0 and len(value) == len(names)
    else:
        more = hasattr(value, "_fields")  # a named tuple may hold more than is asked for
        fits = isinstance(value, (list, tuple)) and len(value) >= len(names)
        fits = fits and (more or len(value) == len(names))
    if not fits:
        number = f" of {len(value)}" if isinstance(value, (list, tuple)) else ""
        raise Mistake(f"Your function returns {_kind(value)}{number}; return {listed}.")
    return list(value)[: len(names)]


def _collect(student, trials, outputs, rights):
    """The answers to the trials, and the Mistake that ended them early, if one did."""
    answers = []
    for number, (trial, right) in enumerate(zip(trials, rights)):
        try:
            raw = student(*trial.arguments)
            parts = parts_of(raw, outputs) if len(outputs) > 1 else [raw]
            shapes = [part.shape for part in right]
            answer = [_named(*several) for several in zip(outputs, parts, shapes)]
            if any(_single(part) for part in parts):
                numbers_ = [a for a in trial.arguments if isinstance(a, torch.Tensor)]
                largest = max((a.abs().max().item() for a in numbers_), default=1.0)
                trial.rtol = max(trial.rtol, 1e-4)
                trial.atol = max(trial.atol, 1e-4, 2e-6 * largest)
        except Mistake as mistake:
            if not trial.where:
                if number == 0 or len(outputs) > 1:
                    raise
                return answers, mistake
            fits = trial.advice and not isinstance(mistake, SideEffect)
            advice = f" {trial.advice}" if fits else ""
            return answers, Mistake(f"{trial.where}: {mistake}{advice}")
        if number == 0:
            raw = student(*trial.arguments)
            again = parts_of(raw, outputs) if len(outputs) > 1 else [raw]
            if not all(_alike(old, as_tensor(new)) for old, new in zip(answer, again)):
                raise Mistake("Two calls gave two answers; there is nothing here to draw.")
        answers.append(
            [
                a.reshape(r.shape) if r.ndim == 0 and a.numel() == 1 else a
                for a, r in zip(answer, right)
            ]
        )
    return answers, None


def _named(name, value, shape):
    try:
        return read_alone(value, shape)
    except Mistake as mistake:
        raise Mistake(f"In {name}: {mistake}" if name else str(mistake)) from None


# --- saying what is wrong --------------------------------------------------------------------


def close(one, two, rtol=1e-5, atol=1e-5):
    """Whether two tensors agree in shape and in five digits."""
    return one.shape == two.shape and bool(torch.isclose(one, two, rtol, atol).all())


def shown(given, right):
    """Two numbers that differ, in as many digits as show it."""
    given, right = (
        0.0 if abs(one) < 1e-12 < 1e-6 < abs(two) else one
        for one, two in ((given, right), (right, given))
    )
    given, right = given + 0.0, right + 0.0  # never −0
    texts = ["NaN" if math.isnan(value) else f"{value:.4g}" for value in (given, right)]
    if math.isfinite(given) and math.isfinite(right):
        for digits in range(4, 18):
            texts = [f"{value:.{digits}g}" for value in (given, right)]
            if texts[0] != texts[1]:
                break
    return [text.replace("-", "−").replace("inf", "∞") for text in texts]


def first_difference(answer, right, rtol=1e-5, atol=1e-5):
    """ "at [1, 0] your answer is 2 where 3 is right", for answers of one shape that differ."""
    off = ~torch.isclose(answer, right, rtol, atol)
    place = tuple(off.nonzero()[0].tolist())
    given, expected = shown(answer[place].item(), right[place].item())
    at = f"at {list(place)} " if place else ""
    return f"{at}your answer is {given} where {expected} is right"


def _asked(student, place, outputs):
    """One output of the student's function, for other arguments than those of the trials."""

    def ask(*arguments):
        raw = student(*arguments)
        return as_tensor(parts_of(raw, outputs)[place] if len(outputs) > 1 else raw)

    return ask


def _judge_order(answers, rights, trials, outputs):
    """Raise a Mistake where the outputs are right in another order, and only there."""
    if not answers:
        return

    def fits(order):
        return all(
            close(a, right[k], t.rtol, t.atol)
            for answer, right, t in zip(answers, rights, trials)
            for a, k in zip(answer, order)
        )

    first, *others = permutations(range(len(outputs)))
    if not fits(first) and any(map(fits, others)):
        if len(outputs) == 2:
            raise Mistake(f"The two are in the wrong order: return {outputs[0]} first.")
        listed = ", ".join(outputs)
        raise Mistake(f"The numbers are right and their order is not: return {listed}.")


def judge(
    answers, trials, rights, wrong=None, parts=None, names=(), output="", again=None, ask=None
):
    """Raise the Mistake that the answers to some trials show, unless all of them are right.

    again(*arguments) gives what is right for other arguments, ask(*arguments) what the student's
    function gives for them.
    """
    rights = [right.detach().to(torch.float64) for right in rights]
    tried = list(zip(answers, rights, trials))
    off = [k for k, (a, r, t) in enumerate(tried) if not close(a, r, t.rtol, t.atol)]
    if not off:
        return
    ordinary = [item for item in tried if not item[2].where]
    for chosen in (tried, ordinary) if len(ordinary) > 1 else (tried,):
        if wrong and (sentence := _known(chosen, wrong)):
            raise Mistake(f"In {output}: {sentence}" if output else sentence)
    answer, right, trial = tried[off[0]]
    if answer.shape != right.shape:
        text = f"{output or 'the answer'} {_misshapen(answer, tried, off[0])}"
        text = f"{trial.where}, {text}" if trial.where else text
        raise Mistake(f"T{text[1:]}" if text.startswith("the ") else text)
    advice = f" {trial.advice}" if trial.advice and not answer.isfinite().all() else ""
    if all(a.shape == r.shape for a, r, _ in tried):
        fact = (
            _fact(tried, off, parts)
            or (again and explained(tried, again, names))
            or _ranges(tried, off, names)
            or (ask and _mixed_rows(*tried[off[0]], again, ask))
        )
        if fact:
            raise Mistake((f"In {output}: {fact}" if output else fact) + advice)
    sizes = _sizes(trial, names) if off[0] else ""
    where = trial.where or (f"For {sizes}" if sizes else "")
    where = ", ".join(text for text in (where, f"in {output}" if output else "") if text)
    text = first_difference(answer, right, trial.rtol, trial.atol)
    text = f"{where}, {text}" if where else text
    ran = len(tried) == len(trials)  # else the answers ended early
    if ran and trial.where and all(tried[k][2].where in (trial.where, ALONE) for k in off):
        text += "; in all other trials it is right"
    raise Mistake(f"{text[0].upper()}{text[1:]}.{advice}")


def _sizes(trial, names):
    said = []
    for name, value in zip(names, trial.arguments):
        if isinstance(value, torch.Tensor) and value.ndim:
            said.append(f"{name} of shape {list(value.shape)}")
        elif isinstance(value, (torch.Tensor, float, int)):
            said.append(f"{name} = {float(value):.4g}")
    return ", ".join(said)


def _known(tried, wrong):
    """The sentence of the one known mistake that explains every trial, if there is one."""
    fitting, proofs = None, {}
    for answer, right, trial in tried:
        found = set()
        for value, sentence in wrong(*trial.arguments):
            value = torch.as_tensor(value).to(torch.float64)
            if value.shape != answer.shape:
                continue
            # Where the answer is no number any mistake may have led there, and proves nothing.
            said = answer.isfinite()
            if close(answer[said], value[said], trial.rtol, trial.atol):
                found.add(sentence)
                same = right.shape == answer.shape
                off = ~torch.isclose(answer, right, trial.rtol, trial.atol) if same else said
                proofs[sentence] = proofs.get(sentence, 0) + int((off & said).sum())
        fitting = found if fitting is None else fitting & found
        if not fitting:
            return None
    fitting = [sentence for sentence in fitting if proofs[sentence] >= min(2, len(tried))]
    return fitting[0] if len(fitting) == 1 else None


def _misshapen(answer, tried, number):
    """What the shape of an answer says, to follow "The answer"."""
    _, right, trial = tried[number]
    given, wanted = list(answer.shape), list(right.shape) or "one number"
    arguments = [value for value in trial.arguments if isinstance(value, torch.Tensor)]
    if not given and right.numel() == 1:
        return f"is a number without axes; it must have shape {wanted}."
    if not given:
        for reduced, name in ((right.mean(), "the mean"), (right.sum(), "the sum")):
            if close(answer, reduced):
                return f"is one number, reduced over the batch as well ({name}); give {wanted}."
        return f"is one number for the whole batch; give {wanted}."
    if answer.shape == (*right.shape, 1) and close(answer[..., 0], right):
        return (
            f"has shape {given}; drop the last axis, by [..., 0], or sum without keepdim, so that "
            f"it is {wanted}."
        )
    for value in arguments:
        reduced = (answer.sum(-1), answer.mean(-1)) if answer.shape == value.shape else ()
        if any(close(one, right) for one in reduced):
            return f"has shape {given}; reduce it over the last axis, so that it is {wanted}."
        if value.ndim == 2 and (*right.shape, *given) == value.shape:
            return f"has shape {given}, one for each column; it must be {wanted}, one for each row."
        if value.ndim == 2 and (*given, *right.shape) == value.shape:
            return f"has shape {given}, one for each row; it must be {wanted}, one for each column."
    if right.ndim > 1 and close(answer.permute(*range(answer.ndim)[::-1]), right):
        return f"has shape {given}, turned over; it must be {wanted}."
    return f"has shape {given}; it must be {wanted}."


def _fact(tried, off, parts):
    """What can be said of a wrong answer without knowing the mistake, or None."""
    answers, rights = (torch.cat([item[k].flatten() for item in tried]) for k in (0, 1))
    if len(rights) >= 3 and answers.isfinite().all():
        if all(close(a, 0 * a) for a, _, _ in tried):
            return "The answer is zero everywhere."
        if len(answers) > 3 and close(answers, answers[0].expand_as(answers)):
            given = shown(answers[0].item(), rights[0].item())[0]
            return f"The answer is {given} whatever the arguments are."
        if (c := _constant([(a, r) for a, r, _ in tried], tried)) is not None:
            if abs(c + 1) < 1e-4:
                return "The sign is wrong: the answer is minus what is right."
            if abs(c - 1) > 1e-3:
                return f"The answer is {_factor(c)} times what is right, everywhere."
        for word, change in FUNCTIONS:
            if all(close(a, change(r), t.rtol, t.atol) for a, r, t in tried):
                return f"The answer is the {word} of what is right."
        if words := _divisor([(a, r) for a, r, _ in tried], tried):
            return f"The answer is {words}."
        for name, values in _parts(parts, tried):
            if words := _divisor([(a - r + v, v) for (a, r, _), v in zip(tried, values)], tried):
                return f"{name} is {words}."
            pairs = [(a - r, v) for (a, r, _), v in zip(tried, values)]
            if (c := _constant(pairs, tried)) is not None:
                c = c + 1
                if abs(c - 1) < 1e-3:
                    continue
                if all(
                    close(a - r + v, 0 * v, 0, 2 * (t.atol + t.rtol * r.abs().max().item()))
                    for (a, r, t), v in zip(tried, values)
                ):
                    return f"{name} is missing."
                if abs(c + 1) < 1e-4:
                    return f"{name} has the wrong sign."
                return f"{name} counts {_factor(c)} times; it must count once."
        if all(r.ndim > 1 and r.shape[-1] == r.shape[-2] for _, r, _ in tried):
            eyes = [(a - r, torch.eye(r.shape[-1]).double().expand(r.shape)) for a, r, _ in tried]
            if (c := _constant(eyes, tried)) is not None:
                return f"{in_words(float(f'{c:.4g}'))} is added to the diagonal."
        shift = [(a - r, torch.ones_like(r)) for a, r, _ in tried]
        c = _constant(shift, tried)
        if c is not None and abs(c) > max(trial.atol for _, _, trial in tried):
            return f"The answer is {abs(c):.4g} too {'large' if c > 0 else 'small'}, everywhere."
    return _shape_of_values(tried) or _edge(tried, off)


def _shape_of_values(tried):
    """Whether right values are cut off, rounded, or have lost their sign."""
    answers, rights = (torch.cat([item[k].flatten() for item in tried]) for k in (0, 1))
    bad = torch.cat([~torch.isclose(a, r, t.rtol, t.atol).flatten() for a, r, t in tried])
    given, right = answers[bad], rights[bad]
    for decimals in range(5):
        if len(answers) > 2 and close(answers, rights.round(decimals=decimals), 1e-6, 1e-6):
            digits = {0: "a whole number", 1: "one decimal"}.get(decimals, f"{decimals} decimals")
            return f"The answer is rounded to {digits}; leave it as it is."
    if len(answers) > 2 and close(answers, rights.trunc(), 0, 0):
        return "The decimals are cut off; leave the answer as it is."
    if words := _cut(answers, rights, bad):
        return f"The answer is cut off at {words}; beyond that it is wrong."
    if len(given) < 2 or not given.isfinite().all():
        return None
    if close(given, -right) and (right.sign() == right[0].sign()).all():
        sign = "positive" if right[0] > 0 else "negative"
        return f"In some places the sign is wrong, wherever it is the right one is {sign}."
    return None


def _cut(answers, rights, bad):
    """Where answers are cut off from below, from above or both, in words, or None."""
    wrong, good = bad & answers.isfinite(), rights[~bad]
    given, right = answers[wrong], rights[wrong]
    if not len(given) or len(good) < 1 + 2 * (len(given) == 1):
        return None
    ends = []
    for side in (-1, 1):
        beyond = given[side * (right - given) > 0]
        if len(beyond):
            alike = close(beyond, beyond[0].expand_as(beyond))
            if not alike or (len(beyond) == 1 and beyond[0] != 0):
                return None
            if (side * (good - beyond[0]) > 1e-4).any():
                return None
            ends.append(f"{beyond[0]:.4g}".replace("-", "−"))
    return " and ".join(ends)


def _mixed_rows(answer, right, trial, again, ask):
    """Whether the first row gets another answer alone than among others, and should not."""
    rows = len(right) if right.ndim else 0
    if rows < 2 or not answer.isfinite().all():
        return None
    alone = [v[:1] if _is_array(v) and len(v) == rows else v for v in trial.arguments]
    with contextlib.suppress(Mistake, *UNUSABLE):
        wanted, given = again(*alone).detach().double(), ask(*alone)
        same = [
            close(a, b[:1], trial.rtol, trial.atol) for a, b in ((wanted, right), (given, answer))
        ]
        if same == [True, False]:
            return "A row gets another answer alone than among others; each row counts by itself."
    return None


_SIZES = {
    "the number of rows": len,
    "the length of the last axis": lambda value: value.shape[-1],
    "the number of entries": torch.numel,
}


def _divisor(pairs, tried):
    """By which size one tensor of each pair is divided or multiplied, in words, or None."""
    for words, size in _SIZES.items():
        sizes = [size(t.arguments[0]) if _is_array(t.arguments[0]) else 0 for _, _, t in tried]
        if len(set(sizes)) == 1 or not all(sizes):
            continue
        for how, power in (("divided", -1), ("multiplied", 1)):
            if all(
                close(a, b * n**power, t.rtol, t.atol)
                for (a, b), n, (_, _, t) in zip(pairs, sizes, tried)
            ):
                return f"{how} by {words}"
    return None


def _is_array(value):
    return isinstance(value, torch.Tensor) and value.ndim > 0


def _parts(parts, tried):
    if parts is None:
        return
    by_trial = [parts(*trial.arguments) for _, _, trial in tried]
    for name in by_trial[0]:
        yield name, [terms[name] for terms in by_trial]


def _constant(pairs, tried):
    """c if one = c · two in all pairs of tensors, to the tolerance, and to a twentieth of one."""
    one, two = (torch.cat([pair[k].flatten() for pair in pairs[:3]]) for k in (0, 1))
    if len(one) < 2 or not two.square().sum() > 1e-8:
        return None
    c = ((one * two).sum() / two.square().sum()).item()
    largest = max(a.abs().max().item() for a, _ in pairs)
    for (a, b), (answer, right, trial) in zip(pairs, tried):
        slack = trial.atol + trial.rtol * torch.maximum(answer.abs(), right.abs())
        if not ((a - c * b).abs() <= (2 * slack).clamp(max=largest / 20)).all():
            return None
    return c


def _factor(c):
    """A constant in words: 0.5, −2, 1/784 …"""
    for base, unit in ((2, " (1/ln 2: bits, not nats)"), (10, " (1/ln 10: log10, not ln)")):
        if abs(c * math.log(base) - 1) < 1e-5:
            return f"{c:.4g}{unit}"
    for n in (*range(3, 2000), 10_000, 50_000, 60_000):
        if abs(abs(c) * n - 1) < 1e-4 and abs(float(f"{c:.2g}") - c) > 1e-9:
            return f"{'−' if c < 0 else ''}1/{n:,}"
    return f"{c:.4g}".replace("-", "−")


def _edge(tried, off):
    """Whether only the first or only the last row is ever wrong, whatever the number of rows is."""
    ends, lengths = {"first", "last"}, set()
    for k in off:
        answer, right, trial = tried[k]
        if trial.where == ALONE:
            continue
        if right.ndim == 0:
            return None
        rows = len(right)
        bad = ~torch.isclose(answer, right, trial.rtol, trial.atol).reshape(rows, -1).all(1)
        ends &= {end for end, row in (("first", 0), ("last", rows - 1)) if bad.sum() == bad[row]}
        lengths |= {rows} if rows > 1 else set()
    if len(ends) == 1 and len(lengths) > 1:
        return f"Only the {ends.pop()} row is wrong: {first_difference(*tried[off[0]][:2])}."
    return None


def _ranges(tried, off, names):
    """Between which values of one argument the answers are right, if that divides them all."""
    if not all(tried[k][2].where for k in off):
        return None  # wrong for common numbers, and right in a range to the tolerance only
    for k in off:
        (answer, right, trial), found = tried[k], []
        good = torch.isclose(answer, right, trial.rtol, trial.atol).flatten()
        if not trial.where or len(good) < 13 or not good.any():
            continue  # by chance a few places lie anywhere
        for name, value in [trial.along] if trial.along else zip(names, trial.arguments):
            if not (isinstance(value, torch.Tensor) and value.numel() == len(good)):
                continue
            value = value.flatten()
            low, high = value[good].min().item(), value[good].max().item()
            below, above = value[value < low], value[value > high]
            outside = (value < low) | (value > high)
            if low < high and outside.sum() >= 2 and bool((outside == ~good).all()):
                text = first_difference(answer, right, trial.rtol, trial.atol)
                first = (below.max().item() if len(below) else -math.inf, low)
                last = (high, above.min().item() if len(above) else math.inf)
                ends = [f"{end:.3g}".replace("-", "−") for end in (*first, *last)]
                wrong = [f"from {ends[0]} down"] * bool(len(below))
                wrong += [f"from {ends[3]} on"] * bool(len(above))
                words = (
                    f"Right for every {name} tried from {ends[1]} to {ends[2]}, wrong "
                    f"{' and '.join(wrong)}: {text}."
                )
                place = None if trial.along else names.index(name)
                found.append((words, place, (*first, *last)))
        if len(found) == 1:  # else it may be any of them
            words, place, ends = found[0]
            others = [item for j, item in enumerate(tried) if j != k]
            if place is None or not any(_contradicts(item, place, ends) for item in others):
                return words
    return None


def _contradicts(item, place, ends):
    """Whether a trial has a row that is right where it should be wrong by a range, or wrong where
    it should be right; `ends` are the last wrong, the first right, the last right, the next wrong
    value of the argument at `place`."""
    answer, right, trial = item
    value = trial.arguments[place]
    below, low, high, above = ends
    good = torch.isclose(answer, right, trial.rtol, trial.atol)
    if not isinstance(value, torch.Tensor):
        value = torch.tensor(value, dtype=torch.float64)
    rows = len(value) if value.ndim and good.ndim and len(value) == len(good) else 1
    value, good = value.reshape(rows, -1), good.reshape(rows, -1).all(1)
    inside = ((value >= low) & (value <= high)).all(1)
    outside = ((value <= below) | (value >= above)).any(1)
    return bool((inside & ~good).any() or (outside & good).any())


# --- gradients -------------------------------------------------------------------------------


def _judge_gradients(student, right, trials, names, outputs):
    """Compare the derivatives of a weighted sum of each output; False for an answer that has none
    since it was computed outside of torch."""

    def derivatives(fn, trial, place):
        return _gradients(fn, student, trial, names, place, len(outputs))

    tried = [
        (trial, output, *(derivatives(fn, trial, place) for fn in (right, student)))
        for trial in trials
        if trial.gradients
        for place, output in enumerate(outputs)
    ]
    if student.left_torch and all(given is None for *_, given in tried):
        return False
    for trial, output, expected, given in tried:
        of = f" of {output}" if output else ""
        if given is None and any(gradient.any() for gradient in expected):
            raise Mistake(f"The answer is detached: no gradient{of} reaches {', '.join(names)}.")
        for name, mine, theirs in zip(names, expected, given or expected):
            if keep := names[name] if isinstance(names, dict) else None:
                mine, theirs = (keep(g, *trial.arguments) for g in (mine, theirs))
            # at 0 abs and relu have a kink, and any slope between those beside it is right
            smooth = trial.arguments[student.names.index(name)] != 0
            theirs = torch.where(smooth, theirs, mine)
            _compare_gradient(output, name, mine, theirs, trial)
    return True


def _gradients(fn, student, trial, names, place, number):
    """The derivatives by each of `names`, or None for a student's answer without a graph."""
    arguments = [
        value.clone().requires_grad_() if name in names else value
        for name, value in zip(student.names, trial.arguments)
    ]
    leaves = [arguments[student.names.index(name)] for name in names]
    try:
        value = fn(*arguments)
    except Mistake as mistake:
        if fn is student and "numpy knows no gradients" in str(mistake):
            student.left_torch = True
            return None
        raise
    value = _read(value[place] if number > 1 else value)
    if not value.requires_grad:
        return None if fn is student else [torch.zeros_like(leaf) for leaf in leaves]
    weights = torch.linspace(0.5, 1.5, value.numel(), dtype=torch.float64).reshape(value.shape)
    found = torch.autograd.grad((weights * value).sum(), leaves, allow_unused=True)
    return [torch.zeros_like(leaf) if g is None else g for g, leaf in zip(found, leaves)]


def _compare_gradient(output, name, right, given, trial):
    scale = max(1.0, right.abs().max().item())
    if close(given, right, 10 * trial.rtol, trial.atol * scale):
        return
    if not given.any():
        source = f" from {output}" if output else ""
        raise Mistake(
            f"No gradient reaches {name}{source}: the value is right, but detached on the way."
        )
    of = f" of {output}" if output else ""
    difference = first_difference(given, right, 10 * trial.rtol, trial.atol * scale)
    raise Mistake(
        f"The value is right, but not the gradient{of} by {name}: "
        f"{difference.replace('your answer', 'it')}."
    )
