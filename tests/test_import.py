"""`import vaecourse` loads nothing heavy and has no side effect."""

import subprocess
import sys

import pytest

import vaecourse as vc

PROBE = """
import random, socket, sys, warnings

def refuse(*args, **kwargs):
    raise AssertionError("a socket was opened")

socket.socket = refuse
state, filters = random.getstate(), list(warnings.filters)
import vaecourse
assert random.getstate() == state
assert warnings.filters == filters
loaded = {"torch", "numpy", "matplotlib", "jupyterlab", "pydantic"} & sys.modules.keys()
assert not loaded, loaded
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


def test_import_loads_nothing_heavy_and_touches_nothing():
    assert run(PROBE) == ""


def test_every_submodule_loads_without_touching_random_state_style_or_filters():
    assert run(NUMERIC_PROBE) == ""


def test_a_package_lists_its_names_and_refuses_others():
    for package in (vc, vc.data, vc.inference, vc.widgets):
        assert dir(package) == package.__all__
        with pytest.raises(AttributeError) as told:
            _ = package.nothing
        assert str(told.value) == f"module {package.__name__!r} has no attribute 'nothing'"
    assert {"budget", "says", "models"} < set(vc.__all__) and vc.budget is vc.notebook.budget
    assert vc.data.synthetic is vc.data.synthetic_sets.synthetic
