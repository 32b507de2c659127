"""Where a GMVAE starts in the experiments: from a VAE, and a mixture fitted to its codes.

No label is used, here or in the choice among the mixtures, which is by likelihood on rows they
were not fitted to. Shown in chapter 12.
"""

from vaecourse._arguments import seeded
from vaecourse.inference.em import GaussianMixture
from vaecourse.models import VAE
from vaecourse.training import fit

ROWS = 40_000  # at most; half of them to fit the mixtures to, half to choose by


def start(model, x, epochs, restarts, *, seed, **settings):
    """Start `model` from what `fitted` finds in x."""
    vae, mixture, rows = fitted(model.params, x, epochs, restarts, seed=seed, **settings)
    return model.start_from(vae, mixture, rows)


def fitted(params, x, epochs, restarts, *, batch_size, learning_rate, seed, transform):
    """A VAE of the shape of a GMVAE's `params`, trained on x for `epochs`; the likeliest of the
    mixtures of its codes; and the rows that they were fitted to."""
    shape = {name: params[name] for name in ("data_dim", "latent_dim", "hidden", "activation")}
    vae = VAE(**shape, seed=seed)
    fit(
        vae,
        x,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
        transform=transform,
        progress=False,
    )
    vae.requires_grad_(False)
    rows = x[:ROWS] if transform is None else transform(x[:ROWS], seeded(seed))
    half = len(rows) // 2
    codes = vae.encode(rows).loc.double()
    mixtures = [
        GaussianMixture(params["num_components"], max_steps=100, tol=1e-5, seed=restart).fit(
            codes[:half]
        )
        for restart in range(restarts)
    ]
    best = max(mixtures, key=lambda mixture: mixture.score(codes[half:]))
    return vae, best, rows[:half]
