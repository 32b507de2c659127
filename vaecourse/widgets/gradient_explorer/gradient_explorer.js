// The gradient explorer: d/dμ E[z²] = 2μ under q = N(μ, 1), estimated by the score function and
// by the path z = μ + ε. The mathematics mirrors Python and is tested against it; then the view.

// ---------------------------------------------------------------- mathematics

/** The baseline b: 0, E[f], or the one of least variance. */
export const baselineValue = (name, mu) => ({ none: 0, mean: mu ** 2 + 1, optimal: mu ** 2 + 3 })[name];

/** Exact variances of one sample of each estimator. */
export function exactVariances(mu, b) {
  const c = mu ** 2 - b;
  return { score: c ** 2 + 12 * mu ** 2 + 15 + 6 * c - (2 * mu) ** 2, path: 4 };
}

/** One gradient for a sample z = μ + ε. */
export const scoreGradient = (mu, eps, b) => ((mu + eps) ** 2 - b) * eps;
export const pathGradient = (mu, eps) => 2 * (mu + eps);

/** Bins of width one from −`reach` to `reach`, and one at either end for what lies beyond. */
export const bin = (g, reach) => clamp(Math.floor(g + reach) + 1, 0, 2 * reach + 1);

// N(0, 1) in fine steps of ε
const STEP = 0.004;
const FINE = Float64Array.from({ length: 3000 }, (_, k) => (k - 1499.5) * STEP);
const MASS = FINE.map((eps) => normalDensity(eps, 0, 1) * STEP);

/** The share of N(0, 1) that `gradient(ε)` takes to each bin. */
export function exactShares(gradient, reach) {
  const shares = new Float64Array(2 * reach + 2);
  for (let k = 0; k < FINE.length; k++) shares[bin(gradient(FINE[k]), reach)] += MASS[k];
  return shares;
}

/** Mean, variance and standard error of gradients, their bins, and how the mean came about. */
class Tally {
  n = 0;
  sum = 0;
  squares = 0;
  trace = [];
  constructor(centre, reach) {
    this.centre = centre; // sums are of distances from here, which keeps their digits
    this.reach = reach;
    this.counts = new Uint32Array(2 * reach + 2);
  }
  add(g) {
    const d = g - this.centre;
    this.n++;
    this.sum += d;
    this.squares += d * d;
    this.counts[bin(g, this.reach)]++;
  }
  get mean() {
    return this.centre + this.sum / this.n;
  }
  get variance() {
    return (this.squares - this.sum ** 2 / this.n) / (this.n - 1);
  }
  get error() {
    return Math.sqrt(this.variance / this.n);
  }
  note() {
    this.trace.push([this.n, this.mean, this.error]);
  }
}

/** What the first `n` of the noise `eps` say at μ with baseline b; traces begin at ten samples. */
export function estimate(eps, n, mu, b, reach) {
  const score = new Tally(2 * mu, reach), path = new Tally(2 * mu, reach);
  for (let k = 0, next = 10; k < n; k++) {
    score.add(scoreGradient(mu, eps[k], b));
    path.add(pathGradient(mu, eps[k]));
    if (k + 1 < next && k + 1 < n) continue;
    score.note();
    path.note();
    next = Math.max(next + 1, Math.floor(next * 1.08));
  }
  return { score, path };
}

// ---------------------------------------------------------------- the view

const MU = i("μ"), Z = i("z"), B = i("b");
const REACH = 20; // of the histograms
const SIDES = { score: "inference", path: "latent" }; // the score is of q; the path goes through z
const DASHES = { score: [6, 3], path: [] };

class GradientExplorer extends Figure {
  name = "gradient-explorer";

  build() {
    this.find(".vw-hint").innerHTML =
      `Draw samples and watch both estimates settle on 2${MU}; drag ${MU}, or give the score function a baseline.`;
    const head = (name, text, below = "") =>
      `<div class="ge-${name}"><p class="ge-head">${text}</p><div class="ge-${name}-plot"></div>${below}</div>`;
    this.body.innerHTML = `
      ${head("q", `<span class="ge-mu"></span> and ${i("f")}(${Z}) = ${Z}²`)}
      <div class="vw-controls">
        <div class="ge-choice"><span>Baseline</span>${
          choices("Baseline", "baseline", { none: "none", mean: "mean", optimal: "optimal" })}</div>
        <div class="ge-choice"><span>Draw</span><div class="vw-joined" role="group" aria-label="Draw samples">
          <button type="button" data-draw="100">100</button><button type="button" data-draw="10000">10,000</button>
        </div></div>
      </div>
      ${head("score", `Score function: <span class="ge-formula"></span>`)}
      ${head("path", `Pathwise: 2${Z}`)}
      ${head("trace", `Mean ± standard error of the first ${i("n")}`,
        key([["inference", "dashed", "score function"], ["latent", "solid", "pathwise"], ["exact", "dotted", `2${MU}`]]))}
      <div class="ge-table">
        <table class="vw-numbers">
          <thead><tr><td></td><th scope="col" data-kind="score">score function</th><th scope="col" data-kind="path">pathwise</th></tr></thead>
          <tbody>${[["mean", "mean ± standard error"], ["exact", `exact, 2${MU}`], ["variance", "variance, measured"],
            ["exact-variance", "variance, exact"]].map(([kind, label]) =>
            `<tr data-row="${kind}"><th scope="row">${label}</th><td data-kind="score"></td><td data-kind="path"></td></tr>`).join("")}
          </tbody>
        </table>
        <p class="vw-note"></p>
      </div>`;
    this.eps = new Float64Array(this.spec.most);
    this.normal = makeNormal(this.spec.seed);
    this.drawn = 0;
    this.buildPlots();
    for (const button of this.root.querySelectorAll("[data-draw]"))
      this.on(button, "click", () =>
        this.set({ samples: Math.min(this.state.samples + +button.dataset.draw, this.spec.most) }));
  }

  get admits() {
    return { mean: within(-3, 3), baseline: oneOf("none", "mean", "optimal"), samples: within(0, this.spec.most, true) };
  }

  buildPlots() {
    const margin = { left: 34, right: 24, top: 8, bottom: 26 };
    this.q = new Plot(this, ".ge-q-plot", {
      height: 150, margin, x: linearAxis(-6, 6, 12), y: linearAxis(0, 38, 4) });
    this.q.handle({
      label: "Mean of q",
      at: () => [this.state.mean, 0],
      drag: (u) => this.move(u),
      nudge: (right, up) => this.move(this.state.mean + 0.1 * (right + up)),
      range: () => [this.state.mean, -3, 3],
      text: () => number(this.state.mean),
    });
    this.histograms = Object.fromEntries(Object.keys(SIDES).map((side) => [side,
      new Plot(this, `.ge-${side}-plot`, {
        height: 150, margin, x: linearAxis(-REACH, REACH, 4), y: linearAxis(0, 1) })]));
    this.trace = new Plot(this, ".ge-trace-plot", {
      height: 150, margin, x: logAxis(10, 1000), y: linearAxis(0, 1) });
  }

  move(mean) {
    this.set({ mean: clamp(+mean.toFixed(2), -3, 3) });
  }

  paint() {
    const { mean: mu, baseline, samples } = this.state, b = baselineValue(baseline, mu);
    while (this.drawn < samples) this.eps[this.drawn++] = this.normal();
    if (this.settled !== `${mu} ${baseline}`) {
      this.settled = `${mu} ${baseline}`;
      this.exact = exactVariances(mu, b);
      this.shares = {
        score: exactShares((eps) => scoreGradient(mu, eps, b), REACH),
        path: exactShares((eps) => pathGradient(mu, eps), REACH),
      };
      this.estimated = null;
    }
    if (this.estimated !== samples) {
      this.estimated = samples;
      this.found = estimate(this.eps, samples, mu, b, REACH);
    }
    this.paintQ(mu, b);
    for (const side in SIDES) this.paintHistogram(side);
    this.paintTrace();
    this.write(b);
  }

  /** q, f, the baseline, and the last samples where they meet f. */
  paintQ(mu, b) {
    const plot = this.q, c = plot.begin(), { ink } = this;
    if (!c) return;
    plot.layer(c, "axes", "", (d) => plot.axes(d, "z", "f(z)"));
    c.save();
    plot.clip(c);
    plot.curve(c, (z) => 45 * normalDensity(z, mu, 1)); // its own scale: only the shape matters
    plot.stroke(c, ink.inference, 2);
    plot.tint(c, ink.inference);
    plot.curve(c, (z) => z * z);
    plot.stroke(c, ink.data, 2);
    if (b) {
      c.beginPath();
      c.moveTo(0, plot.py(b));
      c.lineTo(plot.width, plot.py(b));
      plot.stroke(c, ink.inference, 1.5, [6, 4]);
      const left = mu > 0; // away from q, and from f, which is high at the rim
      plot.say(c, `b = ${number(b)}`, left ? 4 : plot.width - 4, plot.py(b) + (b > 6 ? 11 : -11), ink.inference, left ? "left" : "right");
    }
    c.fillStyle = ink.latent;
    for (const eps of this.eps.subarray(Math.max(0, this.state.samples - 60), this.state.samples)) {
      const z = mu + eps;
      c.beginPath();
      c.arc(plot.px(z), plot.py(z * z), 3, 0, 7);
      c.globalAlpha = 0.6;
      c.fill();
    }
    c.restore();
    plot.knob(c, [mu, 0], ink.inference);
  }

  paintHistogram(side) {
    const plot = this.histograms[side], { ink } = this, colour = ink[SIDES[side]];
    const shares = this.shares[side], { counts } = this.found[side], n = this.state.samples;
    // one scale for both, fixed by what is exact
    const most = Math.max(...Object.values(this.shares).map((all) => Math.max(...all.subarray(1, -1))));
    plot.y = linearAxis(0, 1.35 * most, 3);
    plot.x = linearAxis(-REACH, REACH, plot.width < 200 ? 2 : 4);
    const c = plot.begin();
    if (!c) return;
    plot.axes(c, "", "share");
    const truth = plot.px(2 * this.state.mean);
    c.save();
    plot.clip(c);
    c.fillStyle = colour;
    c.globalAlpha = 0.45;
    const wide = plot.width / (2 * REACH);
    for (let k = 1; n && k < counts.length - 1; k++) {
      const top = plot.py(counts[k] / n);
      c.fillRect((k - 1) * wide + 0.5, top, wide - 1, plot.height - top);
    }
    c.globalAlpha = 1;
    c.beginPath();
    for (let k = 1; k < shares.length - 1; k++) {
      c.lineTo((k - 1) * wide, plot.py(shares[k]));
      c.lineTo(k * wide, plot.py(shares[k]));
    }
    plot.stroke(c, colour, 1.5);
    c.restore();
    c.beginPath();
    c.moveTo(truth, 32);
    c.lineTo(truth, plot.height);
    plot.stroke(c, ink.exact, 2, [2, 2]);
    plot.say(c, "2μ", truth, 22, ink.exact);
    const [left, right] = [counts[0], counts[counts.length - 1]];
    if (left) plot.say(c, `← ${count(left)}`, 4, 0.55 * plot.height, ink.muted, "left");
    if (right) plot.say(c, `${count(right)} →`, plot.width, 0.55 * plot.height, ink.muted, "right");
  }

  paintTrace() {
    const plot = this.trace, { ink } = this, truth = 2 * this.state.mean;
    plot.x = logAxis(10, Math.max(1000, 10 ** Math.ceil(Math.log10(Math.max(this.state.samples, 10)))));
    plot.y = linearAxis(truth - 3, truth + 3, 6);
    const c = plot.begin();
    if (!c) return;
    plot.axes(c, "", "mean");
    c.save();
    plot.clip(c);
    for (const side in SIDES) {
      const { trace } = this.found[side], colour = ink[SIDES[side]];
      c.beginPath();
      for (const [n, mean, error] of trace) c.lineTo(plot.px(n), plot.py(mean + error));
      for (const [n, mean, error] of [...trace].reverse()) c.lineTo(plot.px(n), plot.py(mean - error));
      c.fillStyle = colour;
      c.globalAlpha = 0.22;
      c.fill();
      c.globalAlpha = 1;
      c.beginPath();
      for (const [n, mean] of trace) c.lineTo(plot.px(n), plot.py(mean));
      plot.stroke(c, colour, 2, DASHES[side]);
    }
    c.beginPath();
    c.moveTo(0, plot.py(truth));
    c.lineTo(plot.width, plot.py(truth));
    plot.stroke(c, ink.exact, 1.5, [2, 2]);
    c.restore();
  }

  write(b) {
    const { mean: mu, baseline, samples } = this.state, { found, exact } = this;
    write(this.find(".ge-mu"), `${i("q")}(${Z}) = N(${number(mu)}, 1)`);
    write(this.find(".ge-formula"), baseline === "none" ? `${Z}² (${Z} − ${MU})`
      : `(${Z}² − ${B})(${Z} − ${MU})`);
    for (const side in SIDES) {
      const cell = (row) => this.find(`[data-row="${row}"] [data-kind="${side}"]`);
      const { mean, error, variance } = found[side];
      write(cell("mean"), samples ? `${number(mean)} ± ${number(error)}` : "–");
      write(cell("exact"), number(2 * mu));
      write(cell("variance"), number(variance));
      write(cell("exact-variance"), number(exact[side]));
    }
    const ratio = exact.score / exact.path;
    write(this.find(".vw-note"), `${count(samples)} samples, the same for both; the outlines are exact, and a number at the rim counts what lies beyond. ` +
      `For the same error the score function needs ${number(ratio, 1)} times as many.`);
    for (const button of this.root.querySelectorAll("[data-draw]"))
      button.disabled = samples >= this.spec.most;
  }

  speech() {
    const { mean, samples } = this.state, { score, path } = this.found;
    return `μ = ${number(mean)}, ${count(samples)} samples. Score function ${number(score.mean)} ± ${number(score.error)}, ` +
      `pathwise ${number(path.mean)} ± ${number(path.error)}, exact ${number(2 * mean)}.`;
  }
}

export default GradientExplorer.widget();
