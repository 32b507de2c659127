"""Faults put into a copy of the package, one at a time: which test finds each?

    .venv/bin/python tests/seeded_faults.py            all of them
    .venv/bin/python tests/seeded_faults.py 3 17       some of them

A fault is a line of the package changed (a sign, an axis, a constant, off by one, a dtype, a
missing detach) and the tests that should see it. Exits with 1 where one is missed, or where the
line to change is no longer there.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINKED = ("data", "chapters", "_ext", "pyproject.toml", "requirements.lock")

# (module, what stands there, what is put in its place, the tests)
FAULTS = [
    (
        "distributions",
        "scale = (0.5 * log_var).exp()",
        "scale = log_var.exp()",
        "test_distributions",
    ),
    (
        "distributions",
        "self.scale_tril @ eps.unsqueeze(-1)",
        "self.scale_tril.mT @ eps.unsqueeze(-1)",
        "test_distributions",
    ),
    ("positive_latents", ".tiny) / self.rate", ".tiny) * self.rate", "test_distributions"),
    ("distributions", "below & (gradient > 0)", "below & (gradient < 0)", "test_distributions"),
    (
        "distributions",
        "(logits.sum(-1) + magnitude",
        "(logits.sum(-1) - magnitude",
        "models/test_vae",
    ),
    (
        "discretized_logistic",
        "half = precision / 510",
        "half = precision / 512",
        "test_discretized_logistic",
    ),
    (
        "objectives",
        "self.reconstruction - self.kl",
        "self.reconstruction + self.kl",
        "models/test_vae",
    ),
    ("objectives", "math.log(num_samples)", "math.log(num_samples + 1)", "models/test_vae"),
    ("objectives", "log_likelihood.mean(0)", "log_likelihood.mean()", "models/test_vae"),
    (
        "inference/em",
        "constant = x.shape[1] * math.log(2 * math.pi)",
        "constant = x.shape[1] * math.log(math.pi)",
        "inference/test_em",
    ),
    ("inference/em", "counts[:, None] + 2 * self", "counts[:, None] + self", "inference/test_em"),
    ("inference/em", "return k - 1 + k * d", "return k + k * d", "inference/test_em"),
    (
        "inference/em",
        "spread = scatters + counts[:, None, None]",
        "spread = scatters - counts[:, None, None]",
        "inference/test_em",
    ),
    (
        "inference/label_gradients",
        "log_q - log_q.detach()",
        "log_q",
        "inference/test_label_gradients",
    ),
    (
        "inference/elbo_identities",
        "z = z.detach().clone().requires_grad_()",
        "z = z.clone()",
        "inference/test_elbo_identities",
    ),
    ("inference/mean_field", "(len(x) + 1) / 2", "len(x) / 2", "inference/test_mean_field"),
    (
        "inference/posteriors",
        "0.5 * len(z) * LOG_2PI - factor",
        "0.5 * len(z) * LOG_2PI + factor",
        "inference/test_posteriors",
    ),
    (
        "inference/posteriors",
        "threshold < proposed - density",
        "threshold < density - proposed",
        "inference/test_posteriors",
    ),
    (
        "inference/posteriors",
        "* kept).sum(0) - 1)",
        "* kept).sum(0) + 1)",
        "inference/test_posteriors",
    ),
    (
        "inference/posteriors",
        "backward[0]).logsumexp(1)",
        "backward[0]).logsumexp(0)",
        "inference/test_posteriors",
    ),
    (
        "evaluation/likelihood",
        "num_samples / effective - 1",
        "num_samples / effective",
        "evaluation/test_likelihood",
    ),
    (
        "evaluation/likelihood",
        "generator).cpu().double()",
        "generator).cpu().float()",
        "evaluation/test_likelihood",
    ),
    (
        "evaluation/likelihood",
        "dim * math.log(2)",
        "dim * math.log(10)",
        "evaluation/test_likelihood",
    ),
    ("evaluation/frechet", "total - 2 * root", "total - root", "evaluation/test_frechet"),
    (
        "evaluation/frechet",
        "mean2 - matrix @ mean1",
        "mean2 + matrix @ mean1",
        "evaluation/test_frechet",
    ),
    (
        "evaluation/divergence",
        "/ len(values) ** 0.5",
        "/ len(values)",
        "evaluation/test_divergence",
    ),
    (
        "evaluation/latent",
        "mean.var(dim=0) >",
        "mean.var(dim=0).sqrt() >",
        "evaluation/test_latent",
    ),
    ("models/gmvae", "(self.num_components) - q", "(self.num_components) + q", "models/test_gmvae"),
    (
        "models/factor_analysis",
        "values[:split]",
        "values[: split - 1]",
        "models/test_factor_analysis",
    ),
    (
        "models/vrnn",
        "mask = torch.arange(x.shape[1]) < torch",
        "mask = torch.arange(x.shape[1]) <= torch",
        "models/test_vrnn",
    ),
    (
        "training/hand_gradients",
        "0.5 * D * math.log(2 * math.pi)",
        "0.5 * D * math.log(math.pi)",
        "training/test_hand_gradients",
    ),
    (
        "training/hand_gradients",
        "self._minus_one).mul_",
        "self._one).mul_",
        "training/test_hand_gradients",
    ),
    (
        "training/optimizers",
        "0.5 * (1 + math.cos",
        "0.5 * (1 - math.cos",
        "training/test_optimizers",
    ),
    (
        "training/loop",
        "self.history.batch_loss += losses",
        "self.history.batch_loss = losses",
        "training/test_loop",
    ),
    (
        "training/loop",
        'self.generator.set_state(state["generator"])',
        'state["generator"]',
        "training/test_loop",
    ),
    (
        "training/optimizers",
        "each.load_state_dict(content)",
        "each.state_dict()",
        "training/test_loop",
    ),
    (
        "_files",
        "os.replace(temporary, path)",
        "path.write_bytes(temporary.read_bytes())",
        "training/test_loop",
    ),
    (
        "checkpoint",
        "model.load_state_dict(tensors)",
        "model.state_dict()",
        "test_checkpoint",
    ),
]


def copy(folder):
    """A copy of package and tests in `folder`, the rest linked."""
    for name in ("vaecourse", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)


def verdict(folder, module, there, fault, tests):
    """The test that fails with the fault in place, or why there is none."""
    path = folder / "vaecourse" / f"{module}.py"
    text = path.read_text(encoding="utf-8")
    if text.count(there) != 1:
        return f"STALE: stands {text.count(there)} times in the module"
    path.write_text(text.replace(there, fault), encoding="utf-8")
    line = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", f"tests/{tests}.py"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True)
    path.write_text(text, encoding="utf-8")
    if done.returncode == 0:
        return "MISSED"
    found = re.search(r"^(?:FAILED|ERROR) \S*?::(\S+)", done.stdout, re.M)
    return found[1] if found else f"MISSED: {done.stdout[-500:]}{done.stderr[-500:]}"


def main():
    chosen = [int(word) for word in sys.argv[1:]] or range(1, len(FAULTS) + 1)
    missed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        copy(folder)
        for k in chosen:
            module, there, fault, tests = FAULTS[k - 1]
            found = verdict(folder, module, there, fault, tests)
            missed += found.startswith(("MISSED", "STALE"))
            print(f"{k:>2}  {module}: {there} → {fault}\n      {found}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} found")
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
