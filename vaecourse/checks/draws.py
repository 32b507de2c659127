"""A program seen as a function that draws z: what it hands to its decoder, at once or in parts."""

import torch

from vaecourse.checks.answers import Caught, Mistake, as_tensor, seeded
from vaecourse.checks.vae import reparameterize

PIXELS = 15  # of a row of x, which spell its number


class Draws:
    """`call(rows, x, generator)` runs a program whose encoder is rows.encode, and whose decoder
    hands its z to rows.decode; this is its fn(loc, log_var, generator) -> z."""

    def __init__(self, call):
        self.call = call

    def judge(self, gradients=True):
        """Raise a Mistake unless z is drawn as `reparameterize` asks, with or without gradients."""
        zeros = torch.zeros(2, 2, dtype=torch.float64)
        self(zeros, zeros, seeded(0))  # row by row takes long
        reparameterize.judge(self, 10_000 if self.parts < 2 else 1_000, gradients)

    def __call__(self, loc, log_var, generator):
        if loc.requires_grad and len(loc) > 1:  # else a backward() of one row ends its graph
            pairs = zip(loc.split(1), log_var.split(1))
            return torch.cat([self(*pair, generator) for pair in pairs])
        rows = Rows(loc, log_var)
        x = (torch.arange(len(loc))[:, None] >> torch.arange(PIXELS) & 1).double()
        try:
            answer = self.call(rows, x, generator)
        except Caught as caught:
            z, self.parts = caught.args[0], len(rows.given)
            many = len(loc) > 1000 and z.shape == loc.shape
            if many and torch.allclose(z.mean(0), log_var.mean(0), 0, 0.05):
                raise Mistake("loc and log_var are exchanged: loc comes first.") from None
            return z
        as_tensor(answer)
        if not rows.given:
            raise Mistake("The decoder is never asked: log p(x|z) needs its logits at a draw of z.")
        raise Mistake(f"Only {rows.drawn} of {len(loc)} rows reach the decoder.")


class Rows:
    """The parameters of q for rows that spell their number, and the z that are drawn for them."""

    def __init__(self, loc, log_var):
        self.loc, self.log_var, self.asked, self.given, self.drawn = loc, log_var, [], [], 0

    def encode(self, x):
        """loc beside log_var for rows x [..., 15]."""
        bits = (x.detach() > 0.5).long()
        number = (bits << torch.arange(PIXELS)).sum(-1) % len(self.loc)
        self.asked.append(number.flatten())
        return torch.cat([self.loc[number], self.log_var[number]], -1)

    def decode(self, z):
        """Keep z, until there is one for every row."""
        if not isinstance(z, torch.Tensor):
            raise Mistake(f"The decoder is given a {type(z).__name__}; give it z.")
        many, latents = self.loc.shape
        if z.ndim == 0 or z.shape[-1] != latents or z.numel() > many * latents:
            raise Caught(z)
        self.given.append(z.reshape(-1, latents))
        self.drawn += z.numel() // latents
        if self.drawn >= many:
            drawn, asked = torch.cat(self.given), torch.cat(self.asked)
            raise Caught(drawn[asked.argsort(stable=True)] if len(asked) == many else drawn)
