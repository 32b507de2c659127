// A training run that is asked for by messages and answers with frames: in a worker, so that the
// page never waits, or, where a page may have none, in the page itself between two frames.

const TEST = 256, SHOWN = 300;
const DRAWS = 8; // of z for each test point; of fewer points so many more
const EVERY = 60; // milliseconds between frames, at least
const EXACT = 4; // of the time that a look at log p(x) takes, so much is left to training

/** The settings that a change of begins training anew; the others are heard while it runs. */
export const ANEW = ["data", "points", "latents", "full", "noise", "width", "layers", "seed"];

export class Session {
  /** answer: called with what the page shall know; digits: rows of 64 pixels, 0 or 1. */
  constructor(answer, digits = null) {
    Object.assign(this, { answer, digits, running: false, turn: 0 });
  }

  /** A frame tells the `turn` of the last press that was heard before it: an older one's `running` is out of date. */
  hear({ settings, own, run, step, drawn, mnist, turn = this.turn }) {
    this.turn = turn;
    if (mnist) this.mnist = mnist;
    if (drawn) this.waiting = false;
    if (settings) {
      const was = this.settings, anew = own || !was || ANEW.some((key) => settings[key] !== was[key]);
      this.settings = settings;
      if (own) this.own = own;
      if (settings.epochs !== was?.epochs) this.until = settings.epochs;
      if (anew || settings.anew) this.begin();
    }
    if (!this.settings) return;
    if (run && this.over) this.until = this.epoch + this.settings.epochs; // as many once more
    if (run !== undefined) this.running = run && !this.broken && this.rows > 0;
    if (step) {
      this.running = false;
      this.advance(1);
    }
    if (settings || step || (run !== undefined && !this.running)) this.report(true); // also of a run that is refused
  }

  begin() {
    const { data, points, latents, full, noise, width, layers, seed } = this.settings;
    const normal = makeNormal(seed * 5 + 1), uniform = makeUniform(seed * 5 + 2);
    let train, test;
    if (data === "digits") {
      const order = shuffled(this.digits.length / 64, makeUniform(7)); // the same split for every seed
      this.which = order.slice(1500, 1500 + TEST);
      const rows = (from, to) => Float64Array.from(order.slice(from, to).flatMap((r) =>
        [...this.digits.subarray(64 * r, 64 * r + 64)]));
      [train, test] = [rows(0, 1500), rows(1500, 1500 + TEST)];
    } else if (data === "mnist") {
      this.which = Array.from({ length: TEST }, (_, k) => k);
      [train, test] = [this.mnist.subarray(0, -784 * TEST), Float64Array.from(this.mnist.subarray(-784 * TEST))];
    } else if (data === "own") train = test = Float64Array.from(this.own ?? []);
    else {
      train = draw(data, points, uniform, normal);
      test = draw(data, TEST, makeUniform(11), makeNormal(12)); // the same points for every seed
    }
    const D = { digits: 64, mnist: 784 }[data] ?? 2;
    Object.assign(this, {
      D, J: latents, train, test, rows: train.length / D, broken: "", done: 0, seen: 0, spent: 0,
      ceiling: D > 2 || data === "own" ? null : mean(logDensity(data, test)),
      noise: makeNormal(seed * 5 + 3), order: makeUniform(seed * 5 + 4), at: 0, permutation: null,
      history: [], looked: -Infinity, begun: null, first: null, latest: null, until: this.settings.epochs,
    });
    const kind = D > 2 ? "bernoulli" : noise;
    this.model = new Model({ D, J: latents, hidden: Array(layers).fill(width), full, noise: kind }, makeUniform(seed * 5 + 5));
    const fixed = makeNormal(99), some = (n) => Float64Array.from({ length: n }, fixed);
    const draws = D === 784 ? 1 : Math.ceil((DRAWS * TEST) / Math.max(1, Math.min(TEST, test.length / D)));
    this.testNoise = Array.from({ length: draws }, () => some((test.length / D) * latents));
    this.prior = some(SHOWN * latents);
    this.pixelNoise = some(SHOWN * 2);
    if (!this.rows) this.running = false;
  }

  /** Epochs so far, a fraction: passes through the rows, whatever batches they came in. */
  get epoch() {
    return this.rows ? this.seen / this.rows : 0;
  }

  get over() {
    return this.settings.epochs > 0 && this.epoch >= this.until - 1e-9;
  }

  /** The weight of the KL now: β, reached in a straight line over the epochs of the warm-up. */
  get beta() {
    const { beta, warmup } = this.settings;
    return warmup > 0 ? beta * Math.min(1, this.epoch / warmup) : beta;
  }

  /** `steps` steps of training; stops where the loss is no longer a number. */
  advance(steps) {
    const { D, J, rows, train } = this;
    for (let s = 0; s < steps && rows && !this.broken; s++) {
      const batch = Math.min(this.settings.batch, rows);
      if (!this.permutation || this.at >= rows) {
        this.permutation = shuffled(rows, this.order);
        this.at = 0;
      }
      const n = Math.min(batch, rows - this.at);
      if (!this.x || this.x.length !== n * D) this.x = new Float64Array(n * D);
      if (!this.eps || this.eps.length !== n * J) this.eps = new Float64Array(n * J);
      for (let i = 0; i < n; i++) {
        const from = this.permutation[this.at + i] * D;
        for (let d = 0; d < D; d++) this.x[i * D + d] = train[from + d];
      }
      for (let k = 0; k < this.eps.length; k++) this.eps[k] = this.noise();
      this.at += n;
      const [reconstruction, kl] = this.model.backward(this.x, this.eps, n, this.beta);
      if (!Number.isFinite(reconstruction) || !Number.isFinite(kl))
        return this.break(Number.isFinite(kl) ? "reconstruction" : "KL");
      this.first ??= reconstruction;
      this.latest = reconstruction;
      this.model.adam(this.settings.rate);
      this.done += 1;
      this.seen += n;
    }
  }

  /** Stop: `what` is no longer a number. */
  break(what) {
    Object.assign(this, { broken: what, brokenRate: this.settings.rate, running: false });
  }

  /** Train for about so many milliseconds, then tell the page if it is time; false when there is nothing to do. */
  work(milliseconds) {
    if (!this.running) return false;
    const start = performance.now();
    while (this.running && performance.now() - start < milliseconds) {
      this.advance(1);
      if (this.over) this.running = false;
    }
    this.spent += performance.now() - start;
    if (!this.running || performance.now() > (this.next ?? 0)) this.report(!this.running);
    return this.running;
  }

  report(whole) {
    if (this.waiting && !whole) return; // the page has not drawn the last one yet
    this.waiting = true;
    const start = performance.now();
    this.answer(this.frame(whole));
    // looking takes a quarter of the time at most
    this.next = performance.now() + Math.max(EVERY, 3 * (performance.now() - start));
  }

  frame(whole) {
    const { model, D, J, test, train, rows, settings } = this, n = test.length / D;
    const base = { data: settings.data, done: this.done, epoch: this.epoch, beta: this.beta,
      over: this.over, ceiling: this.ceiling, rows, spent: this.spent, turn: this.turn, D, J };
    if (!rows) return { ...base, running: this.running, empty: true };
    const { reconstruction, kl, q } = model.bound(test, n, this.testNoise);
    const point = { done: this.done, epoch: this.epoch, beta: this.beta, reconstruction: mean(reconstruction), kl: mean(kl) };
    point.elbo = point.reconstruction - point.kl;
    this.begun ??= point.reconstruction;
    // by a nat, and not on the test points alone, to which a model that learns its few points is a stranger
    point.worse = point.reconstruction < this.begun - 1 && this.latest < this.first;
    const now = performance.now();
    if (whole || now > this.looked) {
      Object.assign(point, this.look(q, n));
      this.looked = performance.now() + EXACT * (performance.now() - now);
    }
    if (!Number.isFinite(point.elbo) && !this.broken) this.break("bound");
    const last = this.history[this.history.length - 1];
    if (last?.done === this.done) Object.assign(last, point);
    else this.history.push(point);
    if (this.history.length > 900) this.history = thin(this.history, 450);
    const { broken, brokenRate, running } = this;
    return { ...base, broken, brokenRate, running, history: this.history.map((one) => ({ ...one })),
      q, codes: model.codes, full: model.full, which: D > 2 ? this.which : null,
      x: whole && D === 2 ? train.slice(0, 2 * SHOWN) : null, ...this.pictures(), settings };
  }

  /** log p(x) of the test points by quadrature, as far as a grid can be trusted. */
  look(q, n) {
    const { model, D, J, test } = this;
    if (D === 784) return { evidence: NaN, trusted: false }; // the grid would take seconds
    let reach = 6;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < J; j++)
        reach = Math.max(reach, Math.abs(q[i * model.codes + j]) + 4 * Math.exp(0.5 * q[i * model.codes + J + j]));
    const { fine, coarse } = model.logEvidence(test, n, J === 1 ? 4001 : D === 64 ? 65 : 129, Math.min(reach, 40));
    const value = mean(fine);
    return { evidence: value, trusted: Number.isFinite(value) && Math.abs(value - mean(coarse)) < 0.02 };
  }

  /** Samples of the model, and what it decodes: the curve of one latent, the net or images of two. */
  pictures() {
    const { model, D, J } = this, out = (z, n) => model.decoder.forward(z, n).slice(0, n * model.outputs);
    if (D === 2) {
      const decoded = out(this.prior, SHOWN), samples = new Float64Array(2 * SHOWN);
      for (let i = 0; i < SHOWN; i++)
        for (let d = 0; d < 2; d++)
          samples[2 * i + d] = decoded[i * model.outputs + d]
            + Math.exp(0.5 * model.logVariance(decoded, i * model.outputs, d)) * this.pixelNoise[2 * i + d];
      const side = J === 1 ? 201 : 25, z = latticeOf(side, J, J === 1 ? 3 : 2.4), lattice = out(z, z.length / J);
      const net = new Float64Array((2 * z.length) / J);
      for (let g = 0; g < z.length / J; g++) for (let d = 0; d < 2; d++) net[2 * g + d] = lattice[g * model.outputs + d];
      return { samples, net, side };
    }
    const side = J === 1 ? 11 : 8, z = latticeOf(side, J, J === 1 ? 2.4 : 2), images = out(z, z.length / J);
    return { images: images.map((logit) => 1 / (1 + Math.exp(-logit))), side };
  }
}

/**
 * A history with half of its first `many` moments: of two, the one that did not find log p(x), so that
 * no line is drawn across it; then the one that did, then the first.
 */
export function thin(history, many) {
  const rank = ({ evidence, trusted }) => (evidence === undefined ? 0 : trusted ? 1 : 2);
  return history.filter((one, k) => {
    if (k >= many) return true;
    const by = rank(one) - rank(history[k ^ 1]);
    return by > 0 || (by === 0 && k % 2 === 0);
  });
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

/** 0 … n − 1 in an order drawn by Fisher and Yates. */
function shuffled(n, uniform) {
  const order = Array.from({ length: n }, (_, k) => k);
  for (let k = n - 1; k > 0; k--) {
    const other = Math.floor(uniform() * (k + 1));
    [order[k], order[other]] = [order[other], order[k]];
  }
  return order;
}

/** side ** J points from −reach to reach, the first latent fastest, the second downwards. */
function latticeOf(side, J, reach) {
  const z = new Float64Array(side ** J * J), at = (k) => reach * ((2 * k) / (side - 1) - 1);
  for (let g = 0; g < side ** J; g++) {
    z[g * J] = at(g % side);
    if (J === 2) z[g * J + 1] = -at(Math.floor(g / side));
  }
  return z;
}

/** Serve a page from a worker. */
function serve(scope) {
  let session = null;
  const channel = new MessageChannel(); // a turn for messages between slices, sooner than a timer's
  channel.port1.onmessage = () => {
    if (session.work(30)) channel.port2.postMessage(0);
  };
  scope.onmessage = ({ data }) => {
    session ??= new Session((frame) => scope.postMessage(frame), data.digits);
    const was = session.running;
    session.hear(data);
    if (session.running && !was) channel.port2.postMessage(0);
  };
}

if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) serve(self);
