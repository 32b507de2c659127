// The five sets of the plane, drawn and weighed in the page: vaecourse/data/synthetic_sets.py has
// the formulas and their source, a test holds the two together.

const turn = (angle) => [Math.cos(angle), -Math.sin(angle), Math.sin(angle), Math.cos(angle)];
const apply = ([a, b, c, d], [x, y]) => [a * x + b * y, c * x + d * y];
const times = ([a, b, c, d], [e, f, g, h]) => [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h];

/** Φ(z), the error function by its Taylor series or the continued fraction of its complement. */
export function normalCdf(z) {
  const t = Math.abs(z) / Math.SQRT2;
  let tail;
  if (t < 2.5) {
    let term = t, sum = t;
    for (let k = 1; Math.abs(term) > 1e-17 * sum; k++) {
      term *= (-t * t) / k;
      sum += term / (2 * k + 1);
    }
    tail = 0.5 - sum / Math.sqrt(Math.PI);
  } else {
    let fraction = t;
    for (let k = 60; k > 0; k--) fraction = t + k / 2 / fraction;
    tail = Math.exp(-t * t) / (2 * Math.sqrt(Math.PI) * fraction);
  }
  return z > 0 ? 1 - tail : tail;
}

function eight(z) {
  const u = Math.PI * (0.6 + 1.8 * normalCdf(z)), s = Math.sin(u), c = Math.cos(u);
  return [(Math.SQRT1_2 * c) / (s * s + 1), (Math.SQRT2 * c * s) / (s * s + 1)];
}

function blob(z) {
  const p = (2 * Math.PI) / 3, u = (2 * Math.PI) / (1 + Math.exp((-Math.PI / 2) * z)), k = Math.floor(u / p);
  const t = p * Math.tanh(10 * (u - k * p - p / 2)) + (2 * k + 1) * p;
  return [Math.cos(t), Math.sin(t)];
}

const STRETCH = [3, 0, 0, 1 / 3], THIRD = Math.PI / 3;
const TURNS = [turn(0), turn(2 * THIRD), turn(THIRD)];
const CENTRES = [[0, 3 * Math.sqrt(3)], [-4.5, -1.5 * Math.sqrt(3)], [4.5, -1.5 * Math.sqrt(3)]];
const LINEAR = { axis_aligned_gaussian: STRETCH, rotated_gaussian: times(turn(THIRD), STRETCH) };
const CURVES = { figure_eight: [eight, 0.02], three_blobs: [blob, 0.2] };

/** n points of a set, [n, 2], by uniform and standard normal numbers. */
export function draw(name, n, uniform, normal) {
  const x = new Float64Array(2 * n);
  for (let i = 0; i < n; i++) {
    let point, deviation = Math.sqrt(0.2);
    if (name === "gaussian_mixture") {
      const k = Math.min(2, Math.floor(3 * uniform()));
      point = apply(TURNS[k], [Math.sqrt(3) * normal(), Math.sqrt(1 / 3) * normal()]);
      point = [point[0] + CENTRES[k][0], point[1] + CENTRES[k][1]];
      deviation = 0;
    } else if (name in LINEAR) point = apply(LINEAR[name], [normal(), normal()]);
    else {
      const [curve, variance] = CURVES[name];
      point = curve(normal());
      deviation = Math.sqrt(variance);
    }
    x[2 * i] = point[0] + (deviation && deviation * normal());
    x[2 * i + 1] = point[1] + (deviation && deviation * normal());
  }
  return x;
}

/** log N(x; mean, covariance [a, b, b, d]) in the plane, nats. */
function logNormal([x, y], [mx, my], [a, b, , d]) {
  const u = x - mx, v = y - my, det = a * d - b * b;
  return -0.5 * ((d * u * u - 2 * b * u * v + a * v * v) / det + Math.log(det)) - LOG_2PI;
}

const logSum = (values) => {
  const top = Math.max(...values);
  return top + Math.log(values.reduce((sum, value) => sum + Math.exp(value - top), 0));
};

/** log p*(x) of a set at every row of x [n, 2], nats; for the curves by the trapezoid rule over z. */
export function logDensity(name, x) {
  const n = x.length / 2, values = new Float64Array(n), covariance = ([a, b, c, d], [s, t], noise) =>
    [a * a * s + b * b * t + noise, a * c * s + b * d * t, 0, c * c * s + d * d * t + noise];
  let nodes = null;
  if (name in CURVES) {
    nodes = [];
    for (let z = -8, step = 1 / 512; z <= 8; z += step)
      nodes.push([...CURVES[name][0](z), Math.log(step) - 0.5 * (z * z + LOG_2PI)]);
  }
  for (let i = 0; i < n; i++) {
    const point = [x[2 * i], x[2 * i + 1]];
    if (name === "gaussian_mixture")
      values[i] = logSum(TURNS.map((matrix, k) =>
        logNormal(point, CENTRES[k], covariance(matrix, [3, 1 / 3], 0)))) - Math.log(3);
    else if (name in LINEAR) values[i] = logNormal(point, [0, 0], covariance(LINEAR[name], [1, 1], 0.2));
    else {
      const variance = CURVES[name][1];
      let sum = 0; // of terms of at most one: nothing overflows, and no point is so far that all vanish
      let top = -Infinity;
      const terms = nodes.map(([a, b, weight]) => {
        const term = weight - 0.5 * ((point[0] - a) ** 2 + (point[1] - b) ** 2) / variance;
        if (term > top) top = term;
        return term;
      });
      for (const term of terms) sum += Math.exp(term - top);
      values[i] = top + Math.log(sum) - Math.log(2 * Math.PI * variance);
    }
  }
  return values;
}
