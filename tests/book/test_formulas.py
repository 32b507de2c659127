"""Formulas: the right symbols are coloured, and nothing else changes."""

import re

import pytest

NASTY = {
    "subscripts": r"p_\theta(x \mid z) + p_{\theta}(x)^2 + p_{\theta,\phi}^{(t)}(x) + q_\phi",
    "bare p": r"\sum_{i=1}^{p} p_i + x^{p} + p + \frac{p}{1-p} + p_{\text{data}}(x)",
    "divergence": r"\mathrm{KL}(q_\phi(z \mid x) \,\|\, p_\theta(z)) + \operatorname{KL}(q \| p)",
    "fractions": r"\underbrace{\mathbb{E}_{q_{\phi}}[\log\frac{p_\theta(x, \mathbf z)}{q}]}_{p}",
    "aligned": r"\begin{aligned} \nabla_\theta L &= \hat\theta' \\ &\ge \vec z_{1:T} \end{aligned}",
    "matrix": r"\begin{pmatrix} z & \phi \\ \varphi & \boldsymbol\theta \end{pmatrix}",
    "text": r"\text{a z and a $\theta$ in q}, \quad \mathtt{z} \color{red}{\cancel{z}}",
    "delimiters": r"p\left(x\right) + p\bigl(x\bigr) + \lVert \theta \rVert^2",
}

PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="{static}/course.css">
<script src="{static}/formulas.js"></script>
<script defer src="{static}/mathjax/tex-mml-chtml.js"></script><main></main>"""

# With the colours, and by the same MathJax without them.
SET = """async (tex) => {
  await MathJax.startup.promise;
  const ours = await MathJax.tex2mmlPromise(tex, { display: true });
  const filters = MathJax.startup.document.inputJax[0].postFilters;
  const kept = filters.items;
  filters.items = kept.filter(({ item }) => !/vc-generative/.test(item));
  const plain = await MathJax.tex2mmlPromise(tex, { display: true });
  filters.items = kept;
  return [ours, plain];
}"""


@pytest.fixture(scope="module")
def typeset(new_tab, site, tmp_path_factory):
    """A function: TeX to the MathML with the colours and without."""
    page = tmp_path_factory.mktemp("formulas") / "page.html"
    page.write_text(PAGE.format(static=(site / "_static").as_uri()), encoding="utf-8")
    tab = new_tab()
    tab.goto(page.as_uri())
    tab.wait_for_function("window.MathJax && MathJax.startup && MathJax.startup.promise")
    yield lambda tex: tab.evaluate(SET, tex)
    tab.close()


def coloured(mathml):
    """The (class, symbol) pairs of a formula, in order."""
    return re.findall(r'class="vc-(\w+)"[^>]*>([^<]+)<', mathml)


@pytest.mark.parametrize("name", NASTY)
def test_colours_change_nothing_else(typeset, name):
    ours, plain = typeset(NASTY[name])
    assert "merror" not in plain
    assert "vc-" not in plain
    assert re.sub(r' class="vc-\w+"', "", ours) == plain


def test_each_side_has_its_colour(typeset):
    ours, _ = typeset(r"\mathrm{KL}(q_\phi(z \mid x) \,\|\, p_\theta(z \mid x))")
    assert coloured(ours) == [
        ("gap", "KL"),
        ("inference", "q"),
        ("inference", "&#x3D5;"),
        ("latent", "z"),
        ("generative", "p"),
        ("generative", "&#x3B8;"),
        ("latent", "z"),
    ]


def test_p_is_coloured_where_it_is_a_distribution(typeset):
    assert coloured(typeset(NASTY["bare p"])[0]) == []
    for tex in (r"p(x)", r"p\left(x\right)", r"p_\theta", r"p_\theta^{(t)}", r"p^2(x)", r"q \| p"):
        assert ("generative", "p") in coloured(typeset(tex)[0]), tex
