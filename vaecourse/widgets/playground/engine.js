// The playground's arithmetic: a variational autoencoder trained in plain JavaScript, gradients by
// hand, all numbers float64. It is held against torch, step by step, by tests/widgets.

// ---------------------------------------------------------------- products

/** c[n, m] = a[n, k] bᵀ for b[m, k]; two rows by four columns at a time. */
function product(a, b, c, n, m, k) {
  const rows = n & ~1, columns = m & ~3;
  for (let i = 0; i < rows; i += 2) {
    const p = i * k, q = p + k, o = i * m, u = o + m;
    for (let j = 0; j < columns; j += 4) {
      const b0 = j * k, b1 = b0 + k, b2 = b1 + k, b3 = b2 + k;
      let c0 = 0, c1 = 0, c2 = 0, c3 = 0, d0 = 0, d1 = 0, d2 = 0, d3 = 0;
      for (let l = 0; l < k; l++) {
        const x = a[p + l], y = a[q + l], w0 = b[b0 + l], w1 = b[b1 + l], w2 = b[b2 + l], w3 = b[b3 + l];
        c0 += x * w0; c1 += x * w1; c2 += x * w2; c3 += x * w3;
        d0 += y * w0; d1 += y * w1; d2 += y * w2; d3 += y * w3;
      }
      c[o + j] = c0; c[o + j + 1] = c1; c[o + j + 2] = c2; c[o + j + 3] = c3;
      c[u + j] = d0; c[u + j + 1] = d1; c[u + j + 2] = d2; c[u + j + 3] = d3;
    }
  }
  for (let i = 0; i < n; i++)
    for (let j = i < rows ? columns : 0; j < m; j++) {
      let sum = 0;
      for (let l = 0, p = i * k, q = j * k; l < k; l++) sum += a[p + l] * b[q + l];
      c[i * m + j] = sum;
    }
}

/** c[n, m] = Σ_l a[i·across + l·down] b[l, m], l < k: a b or aᵀ b, and nothing is transposed. */
function combine(a, across, down, b, c, n, m, k) {
  const rows = n & ~1, fours = k & ~3;
  c.fill(0, 0, n * m);
  for (let i = 0; i < n; i += 2) {
    const two = i < rows, o = i * m, u = o + m;
    for (let l = 0; l < k; l += l < fours ? 4 : 1) {
      const p = i * across + l * down, q = p + across, r = l * m;
      if (l < fours) {
        const x0 = a[p], x1 = a[p + down], x2 = a[p + 2 * down], x3 = a[p + 3 * down];
        const r1 = r + m, r2 = r1 + m, r3 = r2 + m;
        if (two) {
          const y0 = a[q], y1 = a[q + down], y2 = a[q + 2 * down], y3 = a[q + 3 * down];
          for (let j = 0; j < m; j++) {
            const b0 = b[r + j], b1 = b[r1 + j], b2 = b[r2 + j], b3 = b[r3 + j];
            c[o + j] += x0 * b0 + x1 * b1 + x2 * b2 + x3 * b3;
            c[u + j] += y0 * b0 + y1 * b1 + y2 * b2 + y3 * b3;
          }
        } else
          for (let j = 0; j < m; j++) c[o + j] += x0 * b[r + j] + x1 * b[r1 + j] + x2 * b[r2 + j] + x3 * b[r3 + j];
      } else {
        for (let j = 0; j < m; j++) c[o + j] += a[p] * b[r + j];
        if (two) for (let j = 0; j < m; j++) c[u + j] += a[q] * b[r + j];
      }
    }
  }
}

/** The columns of the values of x[n, k] that are not zero, row after row, and where rows begin. */
function filled(x, n, k, old) {
  const list = old?.at.length >= n * k ? old : { at: new Int32Array(n * k), from: new Int32Array(n + 1) };
  let count = 0;
  for (let i = 0; i < n; i++) {
    list.from[i] = count;
    for (let l = 0; l < k; l++) if (x[i * k + l] !== 0) list.at[count++] = l;
  }
  list.from[n] = count;
  return list;
}

/** As `product`, for a whose zeros are left out: c[n, m] = a[n, k] bᵀ. */
function sparseProduct(a, { at, from }, b, c, n, m, k) {
  const columns = m & ~3;
  for (let i = 0; i < n; i++) {
    const p = i * k, o = i * m, start = from[i], end = from[i + 1];
    for (let j = 0; j < columns; j += 4) {
      const b0 = j * k, b1 = b0 + k, b2 = b1 + k, b3 = b2 + k;
      let c0 = 0, c1 = 0, c2 = 0, c3 = 0;
      for (let s = start; s < end; s++) {
        const l = at[s], x = a[p + l];
        c0 += x * b[b0 + l]; c1 += x * b[b1 + l]; c2 += x * b[b2 + l]; c3 += x * b[b3 + l];
      }
      c[o + j] = c0; c[o + j + 1] = c1; c[o + j + 2] = c2; c[o + j + 3] = c3;
    }
    for (let j = columns; j < m; j++) {
      let sum = 0;
      for (let s = start; s < end; s++) sum += a[p + at[s]] * b[j * k + at[s]];
      c[o + j] = sum;
    }
  }
}

/** g[m, k] = dᵀ a for d[n, m] and a[n, k] whose zeros are left out. */
function sparseOuter(d, a, { at, from }, g, n, m, k) {
  g.fill(0);
  for (let j = 0; j < m; j++)
    for (let i = 0; i < n; i++) {
      const slope = d[i * m + j], o = j * k, p = i * k;
      if (slope === 0) continue; // a relu that rests
      for (let s = from[i], end = from[i + 1]; s < end; s++) g[o + at[s]] += slope * a[p + at[s]];
    }
}

// ---------------------------------------------------------------- a network

/** Linear layers with a relu between them, as torch's nn.Sequential of nn.Linear: weight [out, in], bias. */
class Network {
  constructor(sizes, weights, gradients, start, sparse = false) {
    this.sparse = sparse; // most inputs are zero
    this.layers = [];
    for (let k = 1; k < sizes.length; k++) {
      const [m, n] = [sizes[k - 1], sizes[k]], bias = start + n * m, end = bias + n;
      this.layers.push({
        m, n, w: weights.subarray(start, bias), b: weights.subarray(bias, end),
        dw: gradients.subarray(start, bias), db: gradients.subarray(bias, end),
      });
      start = end;
    }
    this.end = start;
    this.rows = 0;
  }

  reserve(rows) {
    if (rows <= this.rows) return;
    this.rows = rows;
    for (const layer of this.layers) {
      layer.out = new Float64Array(rows * layer.n);
      layer.dout = new Float64Array(rows * layer.n);
      layer.din = new Float64Array(rows * layer.m);
    }
  }

  /** Outputs [rows, n] of inputs [rows, m], in a buffer that the next call writes anew. */
  forward(inputs, rows) {
    this.reserve(rows);
    let h = inputs;
    this.layers.forEach((layer, k) => {
      const { m, n, w, b, out } = layer, hidden = k < this.layers.length - 1;
      layer.input = h;
      if (k === 0 && this.sparse) {
        this.filled = filled(h, rows, m, this.filled);
        sparseProduct(h, this.filled, w, out, rows, n, m);
      } else product(h, w, out, rows, n, m);
      for (let i = 0, o = 0; i < rows; i++)
        for (let j = 0; j < n; j++, o++) {
          const a = out[o] + b[j];
          out[o] = hidden && !(a > 0) ? (a !== a ? a : 0) : a;
        }
      h = out;
    });
    return h;
  }

  /** Gradients of weights from those of the outputs; returns those of the inputs if they are wanted. */
  backward(doutputs, rows, wanted) {
    let d = doutputs;
    for (let k = this.layers.length - 1; k >= 0; k--) {
      const { m, n, w, dw, db, input, din } = this.layers[k];
      if (k === 0 && this.sparse) sparseOuter(d, input, this.filled, dw, rows, n, m);
      else combine(d, 1, n, input, dw, n, m, rows);
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let i = 0; i < rows; i++) sum += d[i * n + j];
        db[j] = sum;
      }
      if (k === 0 && !wanted) return null;
      combine(d, n, 1, w, din, rows, m, n);
      if (k > 0) for (let o = 0; o < rows * m; o++) if (!(input[o] > 0)) din[o] = 0;
      d = din;
    }
    return d;
  }
}

// ---------------------------------------------------------------- the model

const softplusOf = (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));

/**
 * A VAE. `shape`: D, J, `hidden` widths, `full` covariance of q, and `noise`: "from_z" (a Gaussian
 * whose log variances the decoder gives), "shared" (one learned log variance) or "bernoulli".
 * Weights lie in one array: encoder, decoder, and the shared log variance if there is one.
 */
export class Model {
  constructor({ D, J, hidden, full, noise }, uniform) {
    Object.assign(this, { D, J, full: full && J === 2, noise });
    this.codes = 2 * J + (this.full ? 1 : 0);
    this.outputs = noise === "from_z" ? 2 * D : D;
    const sizes = [[D, ...hidden, this.codes], [J, ...[...hidden].reverse(), this.outputs]];
    const count = sizes.flatMap((s) => s.slice(1).map((n, k) => n * (s[k] + 1))).reduce((a, b) => a + b)
      + (noise === "shared" ? 1 : 0);
    this.weights = new Float64Array(count);
    this.gradients = new Float64Array(count);
    this.moments = [new Float64Array(count), new Float64Array(count)];
    this.steps = 0;
    this.encoder = new Network(sizes[0], this.weights, this.gradients, 0, noise === "bernoulli");
    this.decoder = new Network(sizes[1], this.weights, this.gradients, this.encoder.end);
    if (uniform)
      for (const { layers } of [this.encoder, this.decoder])
        for (const { w, b, m } of layers)
          for (const part of [w, b])
            for (let k = 0; k < part.length; k++) part[k] = (2 * uniform() - 1) / Math.sqrt(m);
  }

  /** q(z|x) for x [rows, D]: rows of μ, log σ² and, of a full one, L₂₁; a fresh array. */
  encode(x, rows) {
    return this.encoder.forward(x, rows).slice(0, rows * this.codes);
  }

  /** z = μ + L ε for codes as `encode` gives them and ε [rows, J]. */
  draw(q, eps, rows, z = new Float64Array(rows * this.J)) {
    const { J, codes, full } = this;
    for (let i = 0; i < rows; i++) {
      const e = i * codes, s = i * J;
      for (let j = 0; j < J; j++) z[s + j] = q[e + j] + Math.exp(0.5 * q[e + J + j]) * eps[s + j];
      if (full) z[s + 1] += q[e + 4] * eps[s];
    }
    return z;
  }

  /** KL(q ‖ N(0, I)) of row i, nats. */
  kl(q, i) {
    const { J, codes, full } = this, e = i * codes;
    let sum = full ? q[e + 4] ** 2 : 0;
    for (let j = 0; j < J; j++) sum += Math.exp(q[e + J + j]) + q[e + j] ** 2 - 1 - q[e + J + j];
    return 0.5 * sum;
  }

  logVariance(out, o, d) {
    return this.noise === "from_z" ? out[o + this.D + d] : this.weights[this.weights.length - 1];
  }

  /** log p(x|z) of row i of x and row r of the decoder's outputs, nats. */
  logLikelihood(x, i, out, r) {
    const { D, outputs, noise } = this, o = r * outputs, s = i * D;
    let sum = 0;
    if (noise === "bernoulli")
      for (let d = 0; d < D; d++) sum += x[s + d] * out[o + d] - softplusOf(out[o + d]);
    else
      for (let d = 0; d < D; d++) {
        const v = this.logVariance(out, o, d), e = x[s + d] - out[o + d];
        sum -= 0.5 * (e * e * Math.exp(-v) + v + LOG_2PI);
      }
    return sum;
  }

  /**
   * Reconstruction − β KL, averaged over x [rows, D], with one ε for each row; its negative is the
   * loss, whose gradients are left in `this.gradients`. Returns [reconstruction, KL], nats.
   */
  backward(x, eps, rows, beta) {
    const { D, J, codes, outputs, noise, full } = this, last = this.gradients.length - 1;
    const q = this.encoder.forward(x, rows);
    if (!this.z || this.z.length < rows * J) {
      this.z = new Float64Array(rows * J);
      this.dq = new Float64Array(rows * codes);
      this.dout = new Float64Array(rows * outputs);
    }
    const { z, dq, dout } = this, share = 1 / rows;
    this.draw(q, eps, rows, z);
    const out = this.decoder.forward(z, rows);
    let reconstruction = 0, kl = 0, shared = 0;
    for (let i = 0; i < rows; i++) {
      reconstruction += this.logLikelihood(x, i, out, i);
      for (let d = 0, o = i * outputs; d < D; d++) {
        const value = x[i * D + d];
        if (noise === "bernoulli") {
          dout[o + d] = share * (1 / (1 + Math.exp(-out[o + d])) - value);
          continue;
        }
        const precision = Math.exp(-this.logVariance(out, o, d)), e = value - out[o + d];
        dout[o + d] = -share * e * precision;
        const dv = 0.5 * share * (1 - e * e * precision);
        if (noise === "from_z") dout[o + D + d] = dv;
        else shared += dv;
      }
      kl += this.kl(q, i);
    }
    const dz = this.decoder.backward(dout, rows, true);
    for (let i = 0; i < rows; i++) {
      const e = i * codes, s = i * J;
      for (let j = 0; j < J; j++) {
        const mean = q[e + j], v = q[e + J + j];
        dq[e + j] = dz[s + j] + beta * share * mean;
        dq[e + J + j] = 0.5 * (dz[s + j] * Math.exp(0.5 * v) * eps[s + j] + beta * share * (Math.exp(v) - 1));
      }
      if (full) dq[e + 4] = dz[s + 1] * eps[s] + beta * share * q[e + 4];
    }
    this.encoder.backward(dq, rows, false);
    if (noise === "shared") this.gradients[last] = shared;
    return [reconstruction * share, kl * share];
  }

  /** One step of Adam [KB15], with torch's defaults, down the gradients. */
  adam(rate) {
    const { weights, gradients, moments: [first, second] } = this;
    this.steps += 1;
    const size = rate / (1 - 0.9 ** this.steps), root = Math.sqrt(1 - 0.999 ** this.steps);
    for (let k = 0; k < weights.length; k++) {
      const g = gradients[k];
      let m = 0.9 * first[k] + 0.1 * g;
      if (m < 1e-150 && m > -1e-150) m = 0; // a dead unit's moments fall into slow, tiny numbers
      const v = 0.999 * second[k] + 0.001 * g * g;
      first[k] = m;
      second[k] = v;
      weights[k] -= (size * m) / (Math.sqrt(v) / root + 1e-8);
    }
  }

  /** The bound's two terms for each row of x, with draws of z from ε [draws][rows, J]. */
  bound(x, rows, noises) {
    const q = this.encode(x, rows), reconstruction = new Float64Array(rows), kl = new Float64Array(rows);
    for (const eps of noises) {
      const out = this.decoder.forward(this.draw(q, eps, rows), rows);
      for (let i = 0; i < rows; i++) reconstruction[i] += this.logLikelihood(x, i, out, i) / noises.length;
    }
    for (let i = 0; i < rows; i++) kl[i] = this.kl(q, i);
    return { reconstruction, kl, q };
  }

  /**
   * log p(x) for each row of x, by the trapezoid rule over z on a grid of `side` nodes a latent from
   * −reach to reach; `coarse` is the same by every second node, which says how far to trust it.
   */
  logEvidence(x, rows, side, reach) {
    const { J } = this, step = (2 * reach) / (side - 1), nodes = side ** J;
    const z = new Float64Array(nodes * J), logWeight = new Float64Array(nodes), second = new Uint8Array(nodes);
    for (let g = 0; g < nodes; g++) {
      let rest = g, even = 1, sum = J * (Math.log(step) - 0.5 * LOG_2PI);
      for (let j = 0; j < J; j++) {
        const at = rest % side, value = -reach + step * at;
        z[g * J + j] = value;
        sum -= 0.5 * value * value;
        if (at % 2) even = 0;
        rest = (rest - at) / side;
      }
      logWeight[g] = sum;
      second[g] = even;
    }
    const fine = new Float64Array(rows), coarse = new Float64Array(rows), values = new Float64Array(nodes);
    const score = this.scorer(z, nodes);
    for (let i = 0; i < rows; i++) {
      let top = -Infinity;
      score(x, i, values);
      for (let g = 0; g < nodes; g++) {
        const value = values[g] + logWeight[g];
        values[g] = value;
        if (value > top) top = value;
      }
      let sum = 0, half = 0;
      for (let g = 0; g < nodes; g++) {
        const below = values[g] - top;
        if (below < -40) continue;
        const weight = Math.exp(below);
        sum += weight;
        if (second[g]) half += weight;
      }
      fine[i] = top + Math.log(sum);
      coarse[i] = top + Math.log(half) + J * Math.LN2;
    }
    return { fine, coarse };
  }

  /** A function that writes log p(x_i|z) at every node into an array. */
  scorer(z, nodes) {
    const { D, outputs, noise } = this, out = this.decoder.forward(z, nodes).slice(0, nodes * outputs);
    const constant = new Float64Array(nodes);
    if (noise === "bernoulli") {
      for (let g = 0, o = 0; g < nodes; g++) for (let d = 0; d < D; d++, o++) constant[g] -= softplusOf(out[o]);
      return (x, i, values) => {
        product(out, x.subarray(i * D, (i + 1) * D), values, nodes, 1, D);
        for (let g = 0; g < nodes; g++) values[g] += constant[g];
      };
    }
    const precision = new Float64Array(nodes * D);
    for (let g = 0; g < nodes; g++)
      for (let d = 0; d < D; d++) {
        const v = this.logVariance(out, g * outputs, d);
        precision[g * D + d] = 0.5 * Math.exp(-v);
        constant[g] -= 0.5 * (v + LOG_2PI);
      }
    return (x, i, values) => {
      for (let g = 0; g < nodes; g++) {
        let sum = constant[g];
        for (let d = 0; d < D; d++) {
          const e = x[i * D + d] - out[g * outputs + d];
          sum -= e * e * precision[g * D + d];
        }
        values[g] = sum;
      }
    };
  }
}
