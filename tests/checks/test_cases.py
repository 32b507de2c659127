"""What the checks are tried on, and what they call right."""

import sys

import torch
from torch.distributions import MultivariateNormal

import vaecourse as vc


def test_weights_sum_to_one_in_double_precision():
    def seen(x, weights, means, covariances):
        assert abs(weights.sum() - 1) < 1e-12
        return vc.checks.em_step.right(x, weights, means, covariances)

    assert vc.checks.em_step(seen).startswith("Right")


def test_the_posterior_that_is_called_right_is_that_of_the_joint_gaussian():
    x, w, m, s = (
        value.double() for value in next(sys.modules["vaecourse.checks.family"]._factor_problems())
    )
    joint = torch.zeros(6, 6, dtype=torch.float64)
    joint[:2, :2], joint[2:, :2], joint[:2, 2:] = torch.eye(w.shape[1]), w, w.T
    joint[2:, 2:] = w @ w.T + torch.diag(s)
    loc, covariance = vc.checks.factor_analysis_posterior.right(x, w, m, s)
    # p(z|x) = p(z, x) / p(x) at some z.
    z = torch.tensor([0.3, -0.8], dtype=torch.float64)
    for row, mean in zip(x, loc, strict=True):
        of_both = MultivariateNormal(torch.zeros(6, dtype=torch.float64), joint)
        of_x = MultivariateNormal(m, joint[2:, 2:])
        expected = of_both.log_prob(torch.cat([z, row - m])) - of_x.log_prob(row)
        given = MultivariateNormal(mean, covariance).log_prob(z)
        assert (given - expected).abs() < 1e-9
