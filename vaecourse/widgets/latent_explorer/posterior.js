// The mathematics of the latent explorer, after networks.js. Each function mirrors Python and is
// tested against it. Numbers are in nats where they are logarithms.

/** log N(x; mean, exp(log_var)), nats; without a fixed `logVar` it follows the means in `out`,
 *  and is held at `floor` or above if there is one. */
export function gaussianLogLikelihood(x, out, logVar = null, floor = null) {
  const low = floor ?? -Infinity;
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    const v = logVar ?? Math.max(out[x.length + i], low);
    sum -= 0.5 * (LOG_2PI + v + (x[i] - out[i]) ** 2 * Math.exp(-v));
  }
  return sum;
}

export function squaredError(x, mean) {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] - mean[i]) ** 2;
  return sum;
}

/** log N(z; 0, I) in two dimensions, nats. */
export const priorLogDensity = (z) => -0.5 * (z[0] ** 2 + z[1] ** 2) - LOG_2PI;

// q is { mean: [m1, m2], tril: [L11, L21, L22] }; its covariance is L Lᵀ.

/** z = μ + L ε. */
export const posteriorPoint = ({ mean, tril }, eps) => [
  mean[0] + tril[0] * eps[0],
  mean[1] + tril[1] * eps[0] + tril[2] * eps[1],
];

/** log q(z), nats. */
export function posteriorLogDensity({ mean, tril }, z) {
  const a = (z[0] - mean[0]) / tril[0];
  const b = (z[1] - mean[1] - tril[1] * a) / tril[2];
  return -0.5 * (a * a + b * b) - LOG_2PI - Math.log(tril[0] * tril[2]);
}

/** Two terms that sum to KL(q ‖ N(0, I)), nats; one per dimension when q is diagonal. */
export function klTerms({ mean, tril }) {
  const variance = [tril[0] ** 2, tril[1] ** 2 + tril[2] ** 2];
  return [0, 1].map(
    (j) => 0.5 * (mean[j] ** 2 + variance[j] - 1) - Math.log(tril[j === 0 ? 0 : 2]));
}

/** Φ(a), by the series Φ(a) = ½ + φ(a) (a + a³/3 + a⁵/(3·5) + …). */
export function normalCdf(a) {
  if (Math.abs(a) > 8) return a > 0 ? 1 : 0;
  let term = a, sum = a;
  for (let k = 3; sum + term !== sum; k += 2) sum += term *= (a * a) / k;
  return 0.5 + sum * Math.exp(-0.5 * (a * a + LOG_2PI));
}

/** Φ⁻¹(u) for 0 < u < 1, by Newton's method; from 0 it approaches from one side. */
export function normalQuantile(u) {
  let a = 0;
  for (let k = 0; k < 60; k++) {
    const step = (normalCdf(a) - u) / Math.exp(-0.5 * (a * a + LOG_2PI));
    a -= step;
    if (Math.abs(step) < 1e-12) break;
  }
  return a;
}

/** The density levels above which the given shares of the mass of a grid lie. */
export function massLevels(density, shares) {
  const sorted = Float64Array.from(density).sort().reverse();
  const total = sorted.reduce((a, b) => a + b, 0);
  return shares.map((share) => {
    let sum = 0, k = 0;
    while (k < sorted.length - 1 && (sum += sorted[k]) < share * total) k++;
    return sorted[k];
  });
}

/** Segments [i, j, i', j'] of the line grid = level, in grid steps; grid[i * n + j] (marching squares). */
export function contour(grid, n, level) {
  const segments = [];
  const cross = (i, j, di, dj) => {
    const a = grid[i * n + j], b = grid[(i + di) * n + j + dj];
    if (a < level === b < level) return null;
    const t = (level - a) / (b - a);
    return [i + t * di, j + t * dj];
  };
  for (let i = 0; i + 1 < n; i++)
    for (let j = 0; j + 1 < n; j++) {
      const ends = [cross(i, j, 1, 0), cross(i + 1, j, 0, 1), cross(i, j + 1, 1, 0), cross(i, j, 0, 1)]
        .filter(Boolean);
      for (let k = 0; k + 1 < ends.length; k += 2) segments.push([...ends[k], ...ends[k + 1]]);
    }
  return segments;
}

/** The largest label share among the `k` points nearest to z: { label, votes }. */
export function nearestLabel(points, labels, z, k = 15) {
  const near = [];
  for (let i = 0; i < labels.length; i++) {
    const d = (points[2 * i] - z[0]) ** 2 + (points[2 * i + 1] - z[1]) ** 2;
    if (near.length < k || d < near[k - 1][0]) {
      let at = near.length < k ? near.length : k - 1;
      while (at > 0 && near[at - 1][0] > d) { near[at] = near[at - 1]; at--; }
      near[at] = [d, labels[i]];
    }
  }
  const votes = Array(10).fill(0);
  for (const [, label] of near) votes[label]++;
  const most = Math.max(...votes);
  return { label: votes.indexOf(most), votes: most };
}

/** An axis that maps latents to [0, 1] by Φ, so that the prior is spread evenly [KW14, fig. 4]. */
export const quantileAxis = () => ({
  low: normalQuantile(0.002), high: normalQuantile(0.998),
  to: normalCdf,
  from: (u) => normalQuantile(clamp(u, 0.002, 0.998)),
  ticks: [-2, -1, 0, 1, 2].map((v) => [v, short(v)]),
});
