// The EM stepper: the arithmetic of GaussianMixture in the plane, which mirrors Python and is
// tested against it, and the view. A symmetric 2×2 matrix is [xx, xy, yy].

// ---------------------------------------------------------------- mathematics, in nats

// log of the least responsibility that is not nothing, as in Python
const FLOOR = 0.8 * Math.log(2.2250738585072014e-308);

/** Lower Cholesky factors [a, b, c] of matrices; an Error names the first singular component. */
export function choleskies(covariances) {
  return covariances.map(([xx, xy, yy], k) => {
    const a = Math.sqrt(xx), b = xy / a, pivot = yy - b * b;
    if (!(xx > 0 && pivot > 1e-14 * yy)) throw new Error(`Component ${k + 1} has a singular covariance`);
    return [a, b, Math.sqrt(pivot)];
  });
}

const logSumExp = (values) => {
  const most = Math.max(...values);
  return most + Math.log(values.reduce((sum, v) => sum + Math.exp(v - most), 0));
};

/** log p(x, z = k) of a point for every component. */
function joints([x, y], { weights, means }, factors) {
  return factors.map(([a, b, c], k) => {
    const u = (x - means[k][0]) / a, v = (y - means[k][1] - b * u) / c;
    return Math.log(weights[k]) - LOG_2PI - Math.log(a) - Math.log(c) - 0.5 * (u * u + v * v);
  });
}

/** log of the penalty on the parameters: −r/2 Σ_k tr Σ_k⁻¹. */
const logPenalty = (factors, r) =>
  -0.5 * r * factors.reduce((sum, [a, b, c]) => sum + (a * a + b * b + c * c) / (a * c) ** 2, 0);

/** What EM climbs: the mean of log p(x), plus the log of the penalty, per point. */
export function objective(x, theta, r) {
  const factors = choleskies(theta.covariances);
  const total = x.reduce((sum, point) => sum + logSumExp(joints(point, theta, factors)), 0);
  return (total + logPenalty(factors, r)) / x.length;
}

/** The posterior over components, and the expected sufficient statistics for the M step. */
export function eStep(x, theta) {
  const factors = choleskies(theta.covariances), K = factors.length;
  const counts = Array(K).fill(0), sums = counts.map(() => [0, 0]);
  let entropy = 0;
  const responsibilities = x.map((point) => {
    const joint = joints(point, theta, factors), evidence = logSumExp(joint);
    return joint.map((value, k) => {
      const log = value - evidence, r = log > FLOOR ? Math.exp(log) : 0;
      if (r) entropy -= r * log;
      counts[k] += r;
      sums[k][0] += r * point[0];
      sums[k][1] += r * point[1];
      return r;
    });
  });
  const means = sums.map((sum, k) => sum.map((s) => s / (counts[k] || 1)));
  const scatters = means.map(([mx, my], k) => x.reduce(([xx, xy, yy], [px, py], n) => {
    const r = responsibilities[n][k], dx = px - mx, dy = py - my;
    return [xx + r * dx * dx, xy + r * dx * dy, yy + r * dy * dy];
  }, [0, 0, 0]));
  return { responsibilities, counts, means, scatters, entropy };
}

/** The parameters of the highest bound for these statistics; an empty component stays where it is. */
export function mStep({ counts, means, scatters }, theta, r) {
  const total = counts.reduce((a, b) => a + b);
  const covariances = scatters.map(([xx, xy, yy], k) =>
    counts[k] ? [(xx + r) / counts[k], xy / counts[k], (yy + r) / counts[k]] : theta.covariances[k]);
  choleskies(covariances); // or an Error, with nothing changed
  return {
    weights: counts.map((n) => n / total),
    means: means.map((mean, k) => (counts[k] ? mean : theta.means[k])),
    covariances,
  };
}

/** F(q, θ) per point: q through its statistics. */
export function bound({ counts, means, scatters, entropy }, theta, r) {
  const factors = choleskies(theta.covariances);
  let total = entropy + logPenalty(factors, r);
  factors.forEach(([a, b, c], k) => {
    const n = counts[k];
    if (!n) return;
    const dx = means[k][0] - theta.means[k][0], dy = means[k][1] - theta.means[k][1];
    const [xx, xy, yy] = scatters[k], sxx = xx + n * dx * dx, sxy = xy + n * dx * dy, syy = yy + n * dy * dy;
    // trace of Σ⁻¹ times the spread about the mean
    const distance = ((b * b + c * c) * sxx - 2 * a * b * sxy + a * a * syy) / (a * c) ** 2;
    total += n * (Math.log(theta.weights[k]) - LOG_2PI - Math.log(a * c)) - 0.5 * distance;
  });
  return total / counts.reduce((a, b) => a + b);
}

/**
 * A climb from given means, half a step after another. `trace` holds what is seen after each:
 * { theta, statistics, objective, bound }; the first, before any step, has no statistics and no bound.
 */
export class Climb {
  constructor({ x, covariance: [[xx, xy], [, yy]], regularization }, means) {
    Object.assign(this, { x, r: regularization, failure: "" });
    const theta = { weights: means.map(() => 1 / means.length), means, covariances: means.map(() => [xx, xy, yy]) };
    this.trace = [{ theta, statistics: null, objective: objective(x, theta, this.r), bound: NaN }];
  }

  /** What is seen after so many half steps, or after the last that could be taken. */
  to(steps) {
    while (this.trace.length <= steps && !this.failure) this.step();
    return this.trace[Math.min(steps, this.trace.length - 1)];
  }

  step() {
    const { x, r, trace } = this, last = trace[trace.length - 1];
    if (trace.length % 2) {
      const statistics = eStep(x, last.theta);
      trace.push({ ...last, statistics, bound: bound(statistics, last.theta, r) });
      return;
    }
    try {
      const theta = mStep(last.statistics, last.theta, r), { statistics } = last;
      trace.push({ theta, statistics, objective: objective(x, theta, r), bound: bound(statistics, theta, r) });
    } catch (error) {
      this.failure = error.message;
    }
  }
}

// ---------------------------------------------------------------- the view

const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
const WINDOW = 10; // half steps that are in sight at once

class EMStepper extends Figure {
  name = "em-stepper";

  build() {
    this.find(".vw-hint").innerHTML =
      "Drag the centres of the three components to where you like; then E and M in turn.";
    this.body.innerHTML = `
      <div class="es-points"></div>
      <div class="es-right">
        <div class="vw-controls">
          <button type="button" data-step="0" aria-label="E step">E</button>
          <button type="button" data-step="1" aria-label="M step">M</button>
        </div>
        <p class="es-head">Log-likelihood and bound, nats per point</p>
        <div class="es-trace"></div>
        <table class="vw-numbers">${numberRows([["bound", `bound ${i("F")}`],
          ["gap", `gap, KL(${i("q")} ‖ ${i("p")}(${i("z")}|${i("x")}))`], ["objective", `log ${i("p")}(${i("x")})`]])}</table>
        <p class="vw-note"></p>
      </div>`;
    this.buildPlots();
    for (const button of this.root.querySelectorAll("[data-step]"))
      this.on(button, "click", () => this.step(button));
  }

  get admits() {
    const mean = each(...this.spec.range.map((range) => within(...range)));
    return { means: each(...this.spec.start.means.map(() => mean)), steps: within(0, this.spec.most, true) };
  }

  buildPlots() {
    const [[left, right], [low, high]] = this.spec.range;
    this.points = new Plot(this, ".es-points", {
      height: 400, margin: { left: 2, right: 2, top: 2, bottom: 2 },
      x: linearAxis(left, right), y: linearAxis(low, high), free: true });
    this.spec.start.means.forEach((_, k) => {
      const mean = () => this.theta.means[k];
      this.points.handle({
        label: `Centre of component ${k + 1}`,
        across: true,
        at: mean,
        drag: (u, v) => this.move(k, u, v),
        nudge: (across, up) => this.move(k, mean()[0] + 0.1 * across, mean()[1] + 0.1 * up),
        range: () => [mean()[0], left, right],
        text: () => `${number(mean()[0])}, ${number(mean()[1])}; weight ${number(this.theta.weights[k])}`,
      });
    });
    this.trace = new Plot(this, ".es-trace", {
      height: 190, margin: { left: 46, right: 22, top: 8, bottom: 26 },
      x: linearAxis(0, WINDOW), y: linearAxis(0, 1) });
  }

  /** The parameters to see; a trait may have arrived from the kernel. */
  get theta() {
    return this.now.theta;
  }
  get now() {
    const { means, steps } = this.state;
    if (this.from !== String(means)) {
      this.from = String(means);
      this.climb = new Climb(this.spec, means);
    }
    return this.climb.to(steps);
  }

  /** A centre to a hundredth; the others stay where they are, and the climb begins anew. */
  move(k, u, v) {
    const [[left, right], [low, high]] = this.spec.range, means = this.theta.means.map((mean) => [...mean]);
    means[k] = [clamp(+u.toFixed(2), left, right), clamp(+v.toFixed(2), low, high)];
    this.set({ means, steps: 0 });
  }

  /** Half a step; the keyboard is then at the button whose turn it is. */
  step(button) {
    this.set({ steps: this.state.steps + 1 });
    const other = this.find(`[data-step="${1 - button.dataset.step}"]`);
    this.turn();
    if (!other.disabled) other.focus({ preventScroll: true });
  }

  /** Why the last step could not be taken, or nothing. */
  get failure() {
    return this.now && this.state.steps >= this.climb.trace.length ? this.climb.failure : "";
  }

  turn() {
    const { steps } = this.state, over = this.failure !== "" || steps >= this.spec.most;
    for (const button of this.root.querySelectorAll("[data-step]"))
      button.disabled = over || +button.dataset.step !== steps % 2;
  }

  paint() {
    this.paintPoints();
    this.paintTrace();
    this.turn();
    this.write();
  }

  paintPoints() {
    const plot = this.points, { ink, spec, now: { theta, statistics } } = this;
    if (!plot.width) return;
    plot.fit(spec.range);
    const c = plot.begin();
    c.save();
    plot.clip(c);
    spec.x.forEach((point, n) => {
      const r = statistics?.responsibilities[n];
      c.fillStyle = r ? this.blend(r) : ink.muted;
      c.globalAlpha = r ? 0.9 : 0.55;
      shape(c, r ? r.indexOf(Math.max(...r)) : 0, plot.px(point[0]), plot.py(point[1]));
      c.fill();
    });
    c.globalAlpha = 1;
    choleskies(theta.covariances).forEach((factor, k) => this.ellipse(c, plot, theta.means[k], factor, this.colours[k]));
    c.restore();
    theta.means.forEach((mean, k) => plot.numbered(c, mean, k + 1, this.colours[k], spec.letters[this.colours[k]]));
    c.strokeStyle = ink.line;
    c.lineWidth = 1;
    c.strokeRect(0.5, 0.5, plot.width - 1, plot.height - 1);
  }

  get colours() {
    return this.spec.colours[this.root.dataset.theme];
  }

  /** The components' colours in the proportion of the responsibilities. */
  blend(r) {
    const colours = this.colours.map(rgb), channel = (d) => r.reduce((sum, share, k) => sum + share * colours[k][d] ** 2, 0);
    return `rgb(${[0, 1, 2].map((d) => Math.round(Math.sqrt(channel(d))))})`;
  }

  ellipse(c, plot, mean, [a, b, d], colour) {
    for (const sd of [1, 2]) {
      plot.ellipse(c, mean, [a, 0, b, d], sd);
      c.globalAlpha = 0.07;
      c.fillStyle = colour;
      c.fill();
      c.globalAlpha = 1;
      plot.stroke(c, colour, sd === 1 ? 2.2 : 1.4, sd === 1 ? [] : [5, 4]);
    }
  }

  /** After each half step the log-likelihood and the bound, and between them the gap. */
  paintTrace() {
    const plot = this.trace, { ink, now } = this, last = this.climb.trace.indexOf(now);
    const first = Math.max(0, last - WINDOW);
    // [half step, log-likelihood, bound or nothing]
    const seen = this.climb.trace.slice(first, last + 1).map((one, k) => [first + k, one.objective, one.bound]);
    const bounded = seen.filter(([t]) => t);
    const values = [...seen.map(([, top]) => top), ...bounded.map(([, , under]) => under)];
    const low = Math.min(...values), high = Math.max(...values), room = Math.max(0.12 * (high - low), 0.01);
    plot.y = linearAxis(low - 2 * room, high + room, 4);
    plot.x = linearAxis(first, first + WINDOW + 0.5);
    plot.x.ticks = bounded.map(([t]) => [t, "ME"[t % 2]]);
    const c = plot.begin();
    if (!c) return;
    plot.axes(c, "", "nats");
    const path = (points, which) => {
      for (const one of points) c.lineTo(plot.px(one[0]), plot.py(one[which]));
    };
    c.beginPath();
    path(bounded, 1);
    path([...bounded].reverse(), 2);
    c.closePath();
    c.fillStyle = ink.gap;
    c.globalAlpha = 0.45;
    c.fill();
    c.globalAlpha = 1;
    c.beginPath();
    path(seen, 1);
    plot.stroke(c, ink.exact, 2);
    c.beginPath();
    path(bounded, 2);
    plot.stroke(c, ink.inference, 2, [5, 3]);
    for (const [t, top, under] of seen) {
      plot.dot(c, plot.px(t), plot.py(top), 4, ink.exact);
      if (t) plot.dot(c, plot.px(t), plot.py(under), t % 2 ? 2.5 : 4, ink.inference);
    }
    this.nameLines(c, seen[0], bounded.findLast(([t]) => t % 2 === 0));
  }

  /** The log-likelihood's name at its beginning, the bound's beneath its last M. */
  nameLines(c, [t, top], under) {
    const plot = this.trace, py = plot.py(top), { ink } = this;
    plot.say(c, "log p(x)", plot.px(t) + 9, py + (py > plot.height / 2 ? 13 : -13), ink.exact, "left");
    if (under) plot.say(c, "F", plot.px(under[0]) + 9, Math.min(plot.py(under[2]) + 10, plot.height - 8), ink.inference, "left");
  }

  write() {
    const { objective: top, bound: under } = this.now, cell = (kind) => this.find(`[data-kind="${kind}"] td`);
    write(cell("bound"), number(under, 4));
    write(cell("gap"), number(top - under, 4));
    write(cell("objective"), number(top, 4));
    write(this.find(".vw-note"), this.note());
  }

  note() {
    const { failure, state: { steps }, climb: { trace } } = this;
    if (failure) return `${failure}, and has no density. Move its centre to begin anew.`;
    if (!steps) return `Before the first E step there is no ${i("q")}, and so no bound. ` +
      "The ellipses are at one and two standard deviations.";
    const now = trace[steps], before = trace[steps - 1];
    if (steps % 2) {
      const closed = before.objective - before.bound;
      if (closed < 5e-5) return "E: there was nothing left to close. The climb has come to rest.";
      return `E: ${i("q")} is the posterior, and the bound touches log ${i("p")}(${i("x")})` +
        `${steps > 1 ? `: a gap of ${number(closed, 4)} closed` : ""}. Colours are responsibilities.`;
    }
    return `M: the bound rose by ${number(now.bound - before.bound, 4)}, and log ${i("p")}(${i("x")}) by ` +
      `${number(now.objective - before.objective, 4)}, at least as much; the gap is open again.`;
  }

  speech() {
    if (this.failure) return this.note();
    const { objective: top, bound: under } = this.now, { steps } = this.state;
    const where = this.theta.means.map((mean, k) => `${k + 1} at ${number(mean[0])}, ${number(mean[1])}`).join("; ");
    const step = steps ? `${"ME"[steps % 2]} step. Bound ${number(under, 4)}, log` : "Log";
    return `${step}-likelihood ${number(top, 4)} nats per point. Components: ${where}.`;
  }
}

/** The path of a point's mark: a disc, a square or a triangle. */
function shape(c, kind, px, py) {
  c.beginPath();
  if (kind === 0) c.arc(px, py, 3, 0, 7);
  else if (kind === 1) c.rect(px - 2.8, py - 2.8, 5.6, 5.6);
  else {
    c.moveTo(px, py - 4);
    c.lineTo(px + 3.7, py + 2.7);
    c.lineTo(px - 3.7, py + 2.7);
    c.closePath();
  }
}

export default EMStepper.widget();
