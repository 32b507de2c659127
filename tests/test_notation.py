"""notation.md is true: of the code, of the formulas, and of every `log_var`."""

import ast
import inspect
import math
import re
from pathlib import Path

import nbformat
import pytest
import torch
from torch.distributions import Distribution, kl_divergence

import vaecourse as vc

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "notation.md").read_text()
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
SIZES = {"B": 4, "D": 6, "J": 2, "S": 3, "K": 5, "H": 7, "T": 8}
SPANS = re.compile(r"`([^`]*)`")


def rows():
    """The rows of the table of symbols: symbols, code names, meaning, shape."""
    table = PAGE.partition("## Symbols")[2].partition("## Conventions")[0]
    lines = [line.strip("| \n") for line in table.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.split(" | ")] for line in lines[2:]]
    return [row + [""] * (4 - len(row)) for row in cells]


def source_cells(kind):
    """(chapter, cell id, source) of every cell of that kind."""
    for path in CHAPTERS:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == kind:
                yield path.stem, cell.id, cell.source


# --- the names in code -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def names():
    """What the names of the second column stand for, at the sizes above."""
    generator = torch.Generator().manual_seed(0)
    batch, dim, latent = (SIZES[letter] for letter in "BDJ")
    model = vc.models.VAE(dim, latent, (3,), posterior="full")
    diagonal = vc.models.VAE(dim, latent, (3,), likelihood="gaussian")
    x = torch.bernoulli(torch.full((batch, dim), 0.5), generator=generator)
    z = torch.randn(batch, latent, generator=generator)
    q, p, full = diagonal.encode(x), diagonal.decode(z), model.encode(x)
    sequences = vc.models.VRNN(dim, latent, SIZES["H"], (3,))
    steps = x[:, None].expand(-1, SIZES["T"], -1)
    return {
        "x": x,
        "z": z,
        "batch": x,
        "model": model,
        "gmvae": vc.models.GMVAE(dim, latent, SIZES["K"], (3,)),
        "linear": vc.models.FactorAnalysis(dim, latent),
        "q": q,
        "p": p,
        "kl_divergence": lambda q, _: kl_divergence(q, diagonal.prior),
        "encoder": model.encoder,
        "decoder": model.decoder,
        "loc": q.loc,
        "log_var": q.log_var,
        "scale": q.scale,
        "scale_tril": full.scale_tril,
        "eps": (z - q.loc) / q.scale,
        "logits": model.decode(z).logits,
        "data_dim": model.data_dim,
        "latent_dim": model.latent_dim,
        "batch_size": parameter(vc.training.fit, "batch_size"),
        "num_samples": parameter(model.elbo, "num_samples"),
        "n_components": parameter(vc.inference.GaussianMixture, "n_components"),
        "num_components": parameter(vc.models.GMVAE, "num_components"),
        "chain": vc.models.Diffusion(dim, 3, (3,)),
        "y_t": x,
        "state": sequences.filter(steps)[2][:, 3],
        "state_dim": sequences.state_dim,
        "steps": steps,
        "t": 3,
    }


def parameter(function, name):
    return inspect.signature(function).parameters[name]


def evaluated(code, names):
    if code == "x[:, t]":
        return names["steps"][:, names["t"]]
    if code == "*":
        return names["z"] * names["z"]
    return eval(code, {"len": len}, names)


def shape_of(value):
    if isinstance(value, Distribution):
        return tuple(value.batch_shape + value.event_shape)
    return tuple(value.shape)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0] or row[1])
def test_each_name_has_the_shape_of_the_table(row, names):
    _, column, _, shape = row
    stated = re.search(r"\[([A-Z, ]*)\]", shape)
    for code in SPANS.findall(column):
        value = evaluated(code, names)
        if stated:
            assert shape_of(value) == tuple(SIZES[size] for size in stated[1].split(", "))
        elif shape.startswith("scalar"):
            assert shape_of(value) == ()


def test_theta_moves_the_decoder_and_phi_the_encoder(names):
    model, x, z = names["model"], names["x"], names["z"]
    for value, mine, other in (
        (model.decode(z).log_prob(x), model.decoder, model.encoder),
        (model.encode(x).log_prob(z), model.encoder, model.decoder),
    ):
        every = [*mine.parameters(), *other.parameters()]
        slopes = torch.autograd.grad(value.sum(), every, allow_unused=True)
        count = len(list(mine.parameters()))
        assert all(slope is not None for slope in slopes[:count])
        assert all(slope is None for slope in slopes[count:])


def test_the_parameters_of_a_gaussian_are_what_the_table_says(names):
    q = names["q"]
    here, there = (torch.Generator().manual_seed(1) for _ in range(2))
    eps = torch.randn(q.loc.shape, generator=here)
    assert torch.equal(q.rsample((), there), q.loc + q.scale * eps)
    assert torch.allclose(q.log_var, q.variance.log(), atol=1e-6)
    assert torch.allclose(q.scale, q.stddev)
    tril = names["scale_tril"]
    assert torch.equal(tril, tril.tril())
    assert torch.allclose(tril @ tril.mT, names["model"].encode(names["x"]).covariance_matrix)


def test_the_rows_of_chapter_12_mean_what_they_say(names):
    gmvae, linear, x = names["gmvae"], names["linear"], names["x"]
    assert gmvae.encode(x).label.probs.shape == (SIZES["B"], SIZES["K"])
    assert torch.allclose(gmvae.prior.label.probs, torch.full((SIZES["K"],), 1 / SIZES["K"]))
    noise = torch.diag(linear.noise_variance)
    covariance = linear.weight @ linear.weight.T + noise
    marginal = torch.distributions.MultivariateNormal(linear.mean, covariance)
    assert torch.allclose(linear.log_evidence(x), marginal.log_prob(x), atol=1e-5)


def test_a_nat_is_that_many_bits():
    stated = re.search(r"1/\\ln 2 \\approx ([\d.]+)", PAGE)[1]
    assert f"{1 / math.log(2):.2f}" == stated


# --- the formulas ----------------------------------------------------------------------------

MATHS = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", re.S)
SWAPPED = re.compile(r"(?:\bp|\\mathrm\{?p\}?)_\{?\\phi|\bq_\{?\\theta|p_φ|q_θ")
SUBSCRIPTED = re.compile(r"(\\?[A-Za-z]+)_(?:\{[^{}]*\\(?:theta|phi)\b|\\(?:theta|phi)\b)")
NOT_A_SYMBOL = {r"\nabla", "E"}  # gradients, and expectations under a distribution


def formulas(text):
    text = re.sub(r"(?s)```.*?```|`[^`]*`", " ", text) if "```{" not in text else text
    return [display or inline for display, inline in MATHS.findall(text)]


def test_theta_and_phi_are_never_swapped():
    # errata.md quotes the sources.
    texts = [(path.name, path.read_text()) for path in ROOT.glob("*.md")]
    texts = [(name, text) for name, text in texts if name != "errata.md"]
    texts += [(path.name, path.read_text()) for path in (ROOT / "vaecourse").rglob("*.py")]
    texts += [(chapter, source) for chapter, _, source in source_cells("markdown")]
    texts += [(chapter, source) for chapter, _, source in source_cells("code")]
    assert [(name, SWAPPED.findall(text)) for name, text in texts if SWAPPED.search(text)] == []


def test_every_symbol_with_theta_or_phi_is_in_the_table():
    known = set(SUBSCRIPTED.findall(" ".join(symbols for symbols, *_ in rows())))
    used = {}
    for chapter, cell, source in source_cells("markdown"):
        for formula in formulas(source):
            for symbol in SUBSCRIPTED.findall(formula):
                used.setdefault(symbol, (chapter, cell))
    assert len(known) >= 8
    assert {s: at for s, at in used.items() if s not in known | NOT_A_SYMBOL} == {}


@pytest.mark.parametrize(
    ("formula", "swapped"),
    [
        (r"p_\theta(x) q_\phi(z)", False),
        (r"p_{\theta,\phi}", False),
        (r"p_\phi(x)", True),
        (r"p_{\phi}(x)", True),
        (r"\log q_\theta", True),
        ("q_θ(z|x)", True),
    ],
)
def test_a_swap_would_be_seen(formula, swapped):
    assert bool(SWAPPED.search(formula)) == swapped


# --- log_var ---------------------------------------------------------------------------------

DEVIATION = re.compile(r"^(?:\w+_)?(?:scale|sigma|std|stddev|sd|deviation)s?$")
LOG_VAR = re.compile(r"^(?:\w+_)?log_var$")


def last_name(node):
    """The name by which an expression ends: `q.scale` and `scale` are both scale."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def argument_of(node, function):
    """What stands inside `x.exp()`, `torch.exp(x)` or `math.exp(x)`; None for anything else."""
    if not isinstance(node, ast.Call) or last_name(node.func) != function:
        return None
    return node.args[0] if node.args else getattr(node.func, "value", None)


def bindings(tree):
    """(name, value) of every assignment, keyword and default of a module or a cell."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            yield from ((last_name(target), node.value) for target in node.targets)
            for target in node.targets:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    yield from zip(map(last_name, target.elts), node.value.elts)
        elif isinstance(node, ast.AnnAssign | ast.keyword) and node.value is not None:
            name = node.arg if isinstance(node, ast.keyword) else last_name(node.target)
            yield name or "", node.value


def confusions(code):
    """The bindings that take a deviation for a log variance, or the other way round."""
    found = []
    for name, value in bindings(ast.parse(code)):
        if LOG_VAR.match(name):
            wrong = DEVIATION.match(last_name(value))
            inside = argument_of(value, "log")
            wrong = wrong or (inside is not None and DEVIATION.match(last_name(inside)))
        elif DEVIATION.match(name):
            wrong = LOG_VAR.match(last_name(value))
            inside = argument_of(value, "exp")
            wrong = wrong or (inside is not None and LOG_VAR.match(last_name(inside)))
        else:
            continue
        if wrong:
            found.append(f"{name} = {ast.unparse(value)}")
    return found


def test_log_var_is_never_a_deviation():
    found = {}
    for path in (ROOT / "vaecourse").rglob("*.py"):
        if path.parent.name != "checks":  # which spell the mistakes out, to name them
            found[path.name] = confusions(path.read_text())
    for chapter, cell, source in source_cells("code"):
        found[f"{chapter} {cell}"] = confusions(source)
    assert {where: slips for where, slips in found.items() if slips} == {}


@pytest.mark.parametrize(
    "code",
    [
        "log_var = scale.log()",
        "log_var = torch.log(q.scale)",
        "prior_log_var = math.log(sigma)",
        "self.log_var = self.scale",
        "loc, log_var = mean, std.log()",
        "DiagonalGaussian(loc, log_var=deviation.log())",
        "scale = log_var.exp()",
        "sigma = torch.exp(log_var)",
        "std: float = math.exp(q.log_var)",
        "loc, scale = mean, log_var.exp()",
        "Normal(loc, scale=self.log_var.exp())",
    ],
)
def test_a_confusion_would_be_seen(code):
    assert len(confusions(code)) == 1


@pytest.mark.parametrize(
    "code",
    [
        "log_var = 2 * scale.log()",
        "log_var = variance.log()",
        "log_var = (2 * scale.log()).expand(3)",
        "scale = (0.5 * log_var).exp()",
        "scale = log_var.exp().sqrt()",
        "var = log_var.exp()",
        "at.log_scale = scale.log()",
    ],
)
def test_what_is_right_is_let_pass(code):
    assert confusions(code) == []
