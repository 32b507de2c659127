"""`import vaecourse` is quick and has no side effect."""

import subprocess
import sys

PROBE = """
import random, socket, sys, time, warnings

def refuse(*args, **kwargs):
    raise AssertionError("a socket was opened")

socket.socket = refuse
state, filters = random.getstate(), list(warnings.filters)
start = time.perf_counter()
import vaecourse
seconds = time.perf_counter() - start
assert random.getstate() == state
assert warnings.filters == filters
loaded = {"torch", "numpy", "matplotlib", "jupyterlab", "pydantic"} & sys.modules.keys()
assert not loaded, loaded
print(seconds)
"""

NUMERIC_PROBE = """
import numpy, torch, matplotlib, warnings
import sklearn, scipy.stats, matplotlib.pyplot, anywidget, pydantic
numpy_state, torch_state = numpy.random.get_state(), torch.get_rng_state()
style, filters = dict(matplotlib.rcParams), list(warnings.filters)
import vaecourse as vc
for name in vc.__all__:
    getattr(vc, name)
assert all((a == b).all() if hasattr(a, "all") else a == b
           for a, b in zip(numpy_state, numpy.random.get_state()))
assert torch.equal(torch_state, torch.get_rng_state())
assert dict(matplotlib.rcParams) == style
assert warnings.filters == filters
"""


def run(probe):
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_takes_less_than_three_tenths_of_a_second_and_loads_nothing_heavy():
    # The bound is a promise to the reader, an order of magnitude above what it takes.
    assert float(run(PROBE)) < 0.3


def test_every_submodule_loads_without_touching_random_state_style_or_filters():
    assert run(NUMERIC_PROBE) == ""
