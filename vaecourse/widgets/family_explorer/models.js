// The models of the family explorer, after networks.js: Gaussians, the mixture, and the recurrent
// network. Each mirrors Python and is tested against it.

// ---------------------------------------------------------------- Gaussians { loc, scale }

/** log N(z; loc, diag scale²), nats. */
export function logDensity(z, { loc, scale }) {
  let sum = 0;
  for (let j = 0; j < z.length; j++)
    sum -= 0.5 * (((z[j] - loc[j]) / scale[j]) ** 2 + LOG_2PI) + Math.log(scale[j]);
  return sum;
}

/** KL(q ‖ p), nats. */
export function divergence(q, p) {
  let sum = 0;
  for (let j = 0; j < q.loc.length; j++) {
    const ratio = (q.scale[j] / p.scale[j]) ** 2, shift = (q.loc[j] - p.loc[j]) / p.scale[j];
    sum += 0.5 * (ratio + shift * shift - 1 - Math.log(ratio));
  }
  return sum;
}

// ---------------------------------------------------------------- the mixture

/** p(y) uniform and p(z|y): where z is, and what that says of y. */
export function makeMixture({ components, latents, latent_dim: [J] }, { loc, scale }) {
  const priors = Array.from({ length: components }, (_, k) => ({
    loc: loc.subarray(k * J, (k + 1) * J), scale: scale.subarray(k * J, (k + 1) * J) }));
  return {
    priors,
    /** z at an offset in standard deviations from the mean of component k, in the plane. */
    latent(k, offset) {
      const z = Float64Array.from(priors[k].loc);
      latents.forEach((j, d) => (z[j] += offset[d] * priors[k].scale[j]));
      return z;
    },
    /** log p(z|y) and p(y|z) for every y, and log p(z). */
    at(z) {
      const given = priors.map((prior) => logDensity(z, prior)), most = Math.max(...given);
      const total = given.reduce((sum, value) => sum + Math.exp(value - most), 0);
      return {
        given,
        evidence: most + Math.log(total / components),
        shares: given.map((value) => Math.exp(value - most) / total),
      };
    },
  };
}

// ---------------------------------------------------------------- the recurrent network

function joined(a, b) {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** One step: q(z|x, h), p(z|h), the logits of p(x|z, h), and the state that comes next (a GRU). */
export function makeRecurrence(layers, arrays) {
  const network = (name) => makeNetwork(layers[`vrnn.${name}`], arrays[`vrnn.${name}`]);
  const [encoder, priorNet, decoder, fromInput, fromState] =
    ["encoder", "prior_net", "decoder", "from_input", "from_state"].map(network);
  const gaussian = (out) => {
    const J = out.length / 2;
    return { loc: out.slice(0, J), scale: out.slice(J).map((logVar) => Math.exp(0.5 * logVar)) };
  };
  return {
    encode: (x, h) => gaussian(encoder(joined(x, h))),
    prior: (h) => gaussian(priorNet(h)),
    decode: (z, h) => decoder(joined(z, h)).slice(),
    next(x, z, h) {
      const H = h.length, fresh = fromInput(joined(x, z)), old = fromState(h);
      return h.map((value, i) => {
        const keep = sigmoid(fresh[i] + old[i]), reset = sigmoid(fresh[H + i] + old[H + i]);
        const candidate = Math.tanh(fresh[2 * H + i] + reset * old[2 * H + i]);
        return candidate + keep * (value - candidate);
      });
    },
  };
}

/** The noise of a run: standard normal for every z, uniform for every pixel. */
export function makeNoise(seed, latents, pixels) {
  const normal = makeNormal(2 * seed), uniform = makeUniform(2 * seed + 1);
  return {
    normal: Float64Array.from({ length: latents }, normal),
    uniform: Float64Array.from({ length: pixels }, uniform),
  };
}

/**
 * The rows that were seen, and those that the model goes on with, for one noise. After `run`:
 *   means  [T · D], the pixels seen, then the probabilities of the others;
 *   terms  of each row seen, { likelihood, kl }, nats.
 */
export class Continuation {
  constructor(recurrence, noise, { image_shape: [T, D], latent_dim: [, J], state_dim: H }) {
    Object.assign(this, { recurrence, noise, T, D, J, seen: -1, terms: [] });
    this.means = new Float32Array(T * D);
    this.states = [new Float32Array(H)];
  }

  /** A row of pixels. */
  row(pixels, t) {
    return pixels.subarray(t * this.D, (t + 1) * this.D);
  }

  run(pixels, seen) {
    pixels = Float32Array.from(pixels);
    // down to the first row that is another than before, all stays
    const same = (t) => this.row(pixels, t).every((value, i) => value === this.means[t * this.D + i]);
    const kept = Math.min(seen, this.seen);
    let t = 0;
    while (t < kept && same(t)) t++;
    if (t === seen && seen === this.seen) return;
    this.terms.length = t;
    for (; t < this.T; t++) this.step(t, t < seen ? this.row(pixels, t) : null);
    this.seen = seen;
  }

  step(t, given) {
    const { recurrence, noise, states, D, J } = this, h = states[t], p = recurrence.prior(h);
    const q = given ? recurrence.encode(given, h) : p;
    const z = q.loc.map((loc, j) => loc + q.scale[j] * noise.normal[t * J + j]);
    const logits = recurrence.decode(z, h), means = given ?? logits.map(sigmoid);
    if (given) this.terms.push({ likelihood: bernoulliLogLikelihood(given, logits), kl: divergence(q, p) });
    this.means.set(means, t * D);
    const drawn = given ?? means.map((mean, i) => (noise.uniform[t * D + i] < mean ? 1 : 0));
    states[t + 1] = recurrence.next(drawn, z, h);
  }

  /** Both terms, summed over the rows seen. */
  get total() {
    const sum = (kind) => this.terms.reduce((all, term) => all + term[kind], 0);
    return { likelihood: sum("likelihood"), kl: sum("kl") };
  }
}
