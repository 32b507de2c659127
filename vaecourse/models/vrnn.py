"""The variational recurrent network: a VAE at every step, whose prior is what came before.

    p_θ(x, z) = Π_t p_θ(z_t | x_<t, z_<t) p_θ(x_t | x_<t, z_≤t)
    q_φ(z|x) = Π_t q_φ(z_t | x_≤t, z_<t)

All that came before step t is summed up in a state h_t, which a recurrence carries on:
h_{t+1} = f(h_t, x_t, z_t), h_1 = 0. The prior sees x_<t; S4 prints x_≤t, which would let it look
at what it is to predict. q is *filtering*: it knows x up to t only. Taught in chapter 12. [CKD+15]
"""

from typing import Literal

import torch
from torch.distributions import kl_divergence

from vaecourse._arguments import (
    check_axes,
    check_choice,
    check_count,
    check_counts,
    check_finite_rows,
    check_last_axis,
    check_lengths,
)
from vaecourse.distributions import DiagonalPosterior
from vaecourse.likelihoods import NoiseVariance, likelihood_of
from vaecourse.models.base import Dimension, LatentModel, Seed, Widths
from vaecourse.networks import ACTIVATIONS, linear, mlp
from vaecourse.objectives import ElboTerms

RECURRENCES = ("gru", "linear")


class VRNN(LatentModel):
    """Sequences x [B, T, D] with latents z [B, T, J]; T may differ from batch to batch.

    data_dim: D, the width of a step; 28 for the rows of MNIST. It divides a row of data.
    latent_dim: J, the number of latents of a step.
    state_dim: H, the width of the state that steps hand on.
    hidden: widths of the hidden layers of q(z_t | x_t, h_t) and, mirrored, of p(x_t | z_t, h_t)
        and p(z_t | h_t).
    recurrence: "gru", or "linear": h_{t+1} = A (x_t, z_t, h_t) + a, with which the Gaussian chain
        is a special case.
    likelihood: p(x|z) of a step, "bernoulli" for binary data or "gaussian" for real.
    noise_variance: of a Gaussian likelihood, as for `VAE`.
    activation: between hidden layers: "relu", "tanh", "softplus" or "sigmoid".
    seed: of the initial weights.
    """

    kind = "vrnn"
    shows = ()

    def __init__(
        self,
        data_dim: Dimension,
        latent_dim: Dimension,
        state_dim: Dimension,
        hidden: Widths = (128,),
        *,
        recurrence: Literal[RECURRENCES] = "gru",
        likelihood: Literal["bernoulli", "gaussian"] = "bernoulli",
        noise_variance: NoiseVariance = None,
        activation: Literal[tuple(ACTIVATIONS)] = "relu",
        seed: Seed = 0,
    ):
        super().__init__(locals())
        check_counts(data_dim=data_dim, latent_dim=latent_dim, state_dim=state_dim)
        check_choice("recurrence", recurrence, RECURRENCES)
        self.data_dim, self.latent_dim, self.state_dim = data_dim, latent_dim, state_dim
        check_choice("likelihood", likelihood, ("bernoulli", "gaussian"))
        self.likelihood = likelihood_of(likelihood, data_dim, noise_variance)
        self.posterior = DiagonalPosterior(latent_dim)
        generator = torch.Generator().manual_seed(seed)
        mirrored = list(reversed(hidden))
        outputs = self.posterior.num_outputs
        self.encoder = mlp(
            [data_dim + state_dim, *hidden, outputs], activation, generator=generator
        )
        self.prior_net = mlp([state_dim, *mirrored, outputs], activation, generator=generator)
        self.decoder = mlp(
            [latent_dim + state_dim, *mirrored, self.likelihood.num_outputs],
            activation,
            generator=generator,
        )
        self.recurrence = recurrence
        gates = 3 if recurrence == "gru" else 1
        self.from_input = linear(data_dim + latent_dim, gates * state_dim, generator)
        self.from_state = linear(state_dim, gates * state_dim, generator)

    # --- one step --------------------------------------------------------------------------------

    def first_state(self, n):
        """h_1 = 0 for n sequences, [n, H]."""
        return self.from_state.weight.new_zeros(n, self.state_dim)

    def prior(self, state):
        """p_θ(z_t | x_<t, z_<t) for states [..., H]: a distribution over z_t [..., J]."""
        return self.posterior(self.prior_net(state))

    def encode(self, x, state):
        """q_φ(z_t | x_≤t, z_<t) for x_t [..., D] and states [..., H]."""
        check_last_axis("x", x, self.data_dim)
        return self.posterior(self.encoder(torch.cat([x, state], dim=-1)))

    def decode(self, z, state):
        """p_θ(x_t | x_<t, z_≤t) for z_t [..., J] and states [..., H]."""
        check_last_axis("z", z, self.latent_dim)
        return self.likelihood(self.decoder(torch.cat([z, state], dim=-1)))

    def next_state(self, x, z, state):
        """h_{t+1} from x_t, z_t and h_t, [..., H]."""
        new = self.from_input(torch.cat([x, z], dim=-1))
        old = self.from_state(state)
        if self.recurrence == "linear":
            return new + old
        update_new, reset_new, candidate_new = new.chunk(3, dim=-1)
        update_old, reset_old, candidate_old = old.chunk(3, dim=-1)
        keep = torch.sigmoid(update_new + update_old)
        candidate = torch.tanh(candidate_new + torch.sigmoid(reset_new + reset_old) * candidate_old)
        return candidate + keep * (state - candidate)

    # --- data ------------------------------------------------------------------------------------

    def arrange(self, rows):
        """Images as sequences of their rows of pixels: [N, D'] to [N, T, D]."""
        return rows.unflatten(1, (-1, self.data_dim))

    def check_width(self, columns, data="the data"):
        """Raise ValueError unless such rows are a whole number of steps."""
        if columns % self.data_dim:
            raise ValueError(
                f"data_dim is {self.data_dim}, the width of a step; {data} have {columns} columns, "
                "no multiple of it."
            )

    def check_axes(self, axes, data="x"):
        """Raise ValueError unless a row is flat, or [T, D] with the model's D."""
        if len(axes) > 1:
            check_axes(data, axes, [axes[0], self.data_dim])

    # --- a sequence ------------------------------------------------------------------------------

    def filter(self, x, generator=None, proposal=None):
        """Draw z_1, …, z_T, each from its q: z [..., T, J], q over all of it, and h [..., T, H].

        x is [..., T, D]. proposal: a function of (t, x_t, h_t) to use in place of `encode`; t
        counts from 0.
        """
        x = self.tensor(x, self.data_dim)
        propose = proposal or (lambda t, x_t, state: self.encode(x_t, state))
        state = self.first_state(1).expand(*x.shape[:-2], -1)
        drawn, outputs, states = [], [], []
        for t, x_t in enumerate(x.unbind(-2)):
            q = propose(t, x_t, state)
            z = q.rsample((), generator)
            drawn.append(z)
            outputs.append(torch.cat([q.loc, q.log_var], dim=-1))
            states.append(state)
            if t + 1 < x.shape[-2]:
                state = self.next_state(x_t, z, state)
        q = self.posterior(torch.stack(outputs, dim=-2))
        return torch.stack(drawn, dim=-2), q, torch.stack(states, dim=-2)

    def step_terms(self, x, num_samples=1, generator=None):
        """The terms of the bound at every step, each [B, T] in nats, from `num_samples` draws.

        KL(q(z_t | …) ‖ p(z_t | …)) is closed for each step, given what was drawn before it.
        """
        x = self.tensor(x, self.data_dim)
        x = x.expand(num_samples, *x.shape)
        z, q, states = self.filter(x, generator)
        log_likelihood = self.decode(z, states).log_prob(x)
        kl = kl_divergence(q, self.prior(states))
        return ElboTerms(log_likelihood.mean(0), kl.mean(0))

    def elbo_terms(self, x, num_samples=1, generator=None, lengths=None):
        """The terms of the bound, each [B] in nats: sums over the first lengths[b] steps of row b.

        lengths: integers [B]; the steps after them are padding, which counts for nothing and
        may be NaN. None takes every step.
        """
        x, mask = self._masked(x, lengths)
        terms = self.step_terms(x, num_samples, generator)
        return ElboTerms(*(term.where(mask, 0.0).sum(1) for term in terms))

    def elbo(self, x, num_samples=1, generator=None, lengths=None):
        """The bound on log p(x) for each sequence of x [B, T, D]: [B], nats."""
        return self.elbo_terms(x, num_samples, generator, lengths).elbo

    def log_weights(self, x, num_samples, generator=None, lengths=None, proposal=None):
        """log p(x, z) − log q(z|x) at `num_samples` draws of z, [S, B] nats.

        `proposal` as for `filter`: a q that may look at all of x, for example.
        """
        x, mask = self._masked(x, lengths)
        x = x.expand(num_samples, *x.shape)
        z, q, states = self.filter(x, generator, proposal)
        steps = self.decode(z, states).log_prob(x) + self.prior(states).log_prob(z) - q.log_prob(z)
        return steps.where(mask, 0.0).sum(-1)

    def loss(self, x, generator=None):
        """−ELBO averaged over the sequences of x, one draw of z each: what training minimizes."""
        return -self.step_terms(x, 1, generator).elbo.sum(1).mean()

    def _masked(self, x, lengths):
        """x [B, T, D], checked, with zeros for padding, and which steps count, [B, T]."""
        x = self._steps(x)
        mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        if lengths is not None and len(x):
            lengths = check_lengths("lengths", lengths, *x.shape[:2])
            mask = torch.arange(x.shape[1]) < torch.from_numpy(lengths)[:, None]
            mask = mask.to(x.device)
            x = x.where(mask[..., None], 0.0)  # padding may be anything, NaN also
        return self._checked(x), mask

    # --- use -------------------------------------------------------------------------------------

    @torch.no_grad()
    def complete(self, x, length, generator=None):
        """Go on where x [B, T, D] ends: [B, length, D], whose first T steps are those of x.

        z_1, …, z_T are drawn from q given x; after that z_t comes from its prior and x_t from its
        likelihood. Draws, not means, are fed back. Raises ValueError for `length` below T.
        """
        x = self.check(x)
        check_count("length", length)
        if length < x.shape[1]:
            raise ValueError(f"length is {length}; x has {x.shape[1]} steps already.")
        steps, state = list(x.unbind(1)), self.first_state(len(x))
        for t in range(length):
            if t < x.shape[1]:
                z = self.encode(steps[t], state).sample((), generator)
            else:
                z = self.prior(state).sample((), generator)
                steps.append(self.decode(z, state).sample((), generator))
            state = self.next_state(steps[t], z, state)
        return torch.stack(steps, dim=1)

    def sample(self, n, length, generator=None):
        """n sequences from the model, [n, length, D]."""
        nothing = self.from_state.weight.new_zeros(n, 0, self.data_dim)
        return self.complete(nothing, length, generator)

    @torch.no_grad()
    def reconstruct(self, x, generator=None):
        """The means of p(x_t | x_<t, z_≤t) at a draw of z from q, [B, T, D]."""
        x = self.check(x)
        z, _, states = self.filter(x, generator)
        return self.decode(z, states).mean

    def check(self, x):
        """x [B, T, D] as a tensor; ValueError where it is not data for this model."""
        return self._checked(self._steps(x))

    def _checked(self, x):
        if x.shape[1] > 0:  # before its first step a sequence has no values to check
            self.likelihood.check(check_finite_rows("x", x).flatten(0, 1))
        return x

    def _steps(self, x):
        """x as a tensor [B, T, D], whatever its values."""
        x = self.tensor(x)
        if x.ndim != 3 or x.shape[2] != self.data_dim:
            raise ValueError(f"x has shape {list(x.shape)}; it must be [B, T, {self.data_dim}].")
        return x
