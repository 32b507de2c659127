"""The tests as another processor would round: under every instruction set of this machine.

    .venv/bin/python tests/portable.py            unit tests and notebooks, one and two threads
    .venv/bin/python tests/portable.py --brief    numerical modules, instruction sets not its own

Prints a row for each run, and what failed in it; exits with 1 if anything did.
"""

import argparse
import os
import re
import subprocess
import sys
import time

# What each library calls it: torch's own kernels, MKL, oneDNN, and the OpenBLAS of numpy and scipy.
LIBRARIES = ("ATEN_CPU_CAPABILITY", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE")
CAPABILITIES = {
    "default": ("default", "COMPATIBLE", "SSE41", "Nehalem"),
    "avx2": ("avx2", "AVX2", "AVX2", "Haswell"),
    "avx512": ("avx512", "AVX512", "AVX512_CORE", "SkylakeX"),
}
NUMERICAL = ["checks", "data", "evaluation", "inference", "models", "training"]
NUMERICAL += [f"test_{name}.py" for name in ("checkpoint", "discretized_logistic")]
NUMERICAL += [f"test_{name}.py" for name in ("distributions", "errata")]
NUMERICAL += [f"test_{name}.py" for name in ("likelihoods", "misconceptions", "networks")]
UNITS = ["tests", "--ignore=tests/book"]
NOTEBOOKS = ["--nbval-lax", "--nbval-current-env", "chapters"]


def capabilities():
    """The names of the instruction sets that this machine has, its own last."""
    plain = {name: value for name, value in os.environ.items() if name not in LIBRARIES}
    line = [sys.executable, "-c", "import torch; print(torch.backends.cpu.get_cpu_capability())"]
    own = subprocess.run(line, env=plain, capture_output=True, text=True, check=True).stdout
    names = list(CAPABILITIES)
    own = own.strip().lower()
    return names[: names.index(own) + 1] if own in names else names[:1]


def run(what, tests, capability, threads):
    """Run pytest; print the row and the failures, and return whether all is well."""
    environment = {**os.environ, **dict(zip(LIBRARIES, CAPABILITIES[capability]))}
    environment |= {"OMP_NUM_THREADS": str(threads), "VAECOURSE_BUDGET": "smoke"}
    line = [sys.executable, "-m", "pytest", "-q", "-n", str(2 // threads), *tests]
    start = time.perf_counter()
    done = subprocess.run(line, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    last = done.stdout.strip().rpartition("\n")[2]
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", last)}
    failed = counts.get("failed", 0) + counts.get("error", 0)
    row = f"{what:<12}{capability:<12}{threads:>7}{counts.get('passed', 0):>8}{failed:>8}"
    print(f"{row}{seconds:>9.0f}", flush=True)
    if done.returncode:
        print(done.stdout[-5000:], done.stderr[-5000:])
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--brief", action="store_true")
    brief = parser.parse_args().brief
    if brief:
        numerical = [f"tests/{name}" for name in NUMERICAL]
        runs = [("numerical", numerical, name, 1) for name in capabilities()[:-1]]
    else:
        runs = [
            (what, tests, name, threads)
            for name in capabilities()
            for threads in (1, 2)
            for what, tests in (("unit", UNITS), ("notebooks", NOTEBOOKS))
        ]
    print(f"{'tests':<12}{'capability':<12}{'threads':>7}{'passed':>8}{'failed':>8}{'seconds':>9}")
    sys.exit(not all([run(*each) for each in runs]))


if __name__ == "__main__":
    main()
