// The training explorer: bytes to points, and the view.

// ---------------------------------------------------------------- the points

/**
 * The points of every run, from the bytes in the order in which Python wrote them: under `x` one
 * cloud, under `codes` and `samples` one for each snapshot. A cloud is [x0, y0, x1, y1, ...].
 */
export function unpack({ runs }, bytes) {
  let start = 0;
  const cloud = (rows, [lowX, lowY, stepX, stepY]) => {
    const points = new Float64Array(2 * rows);
    for (let n = 0; n < 2 * rows; n += 2) {
      points[n] = lowX + stepX * bytes[start + n];
      points[n + 1] = lowY + stepY * bytes[start + n + 1];
    }
    start += 2 * rows;
    return points;
  };
  return runs.map(({ rows, scales }) => Object.fromEntries(["x", "codes", "samples"].map((kind) =>
    [kind, scales[kind].map((scale) => cloud(rows, scale))])));
}

/** Epochs from 0 to `last`, the first ones far apart and the late ones close, as log(1 + epoch). */
export const epochAxis = (last) => ({
  low: 0, high: last,
  to: (v) => Math.log1p(v) / Math.log1p(last),
  from: (t) => Math.expm1(t * Math.log1p(last)),
  ticks: [0, 1, 2, 5, 10, 20, 50, 100, 200, 400, 1000, 2000, 5000]
    .filter((v) => v <= last).map((v) => [v, count(v)]),
});

// ---------------------------------------------------------------- the view

const GLIDE = 240; // milliseconds in which points go from one snapshot to another
const PANELS = { x: "data", samples: "generative", codes: "latent" };
const HEADS = {
  x: `data ${i("x")}`,
  samples: `samples of ${i("p")}(${i("x")})`,
  codes: `codes, aggregate posterior`,
};
const ROWS = {
  epoch: "epoch",
  loss: "loss, −ELBO",
  elbo: "test ELBO, in the end",
  log_density: `exact log ${i("p")}(${i("x")})`,
};

/** "axis_aligned_gaussian" as "Axis-aligned Gaussian". */
function title(name) {
  const words = name.replace("axis_", "axis-").replaceAll("_", " ").replace("gaussian", "Gaussian");
  return words[0].toUpperCase() + words.slice(1);
}

class TrainingExplorer extends Figure {
  name = "training-explorer";

  build() {
    const { runs } = this.spec, { buffer, byteOffset, byteLength } = this.model.get("points");
    this.clouds = unpack(this.spec, new Uint8Array(buffer, byteOffset, byteLength));
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.find(".vw-hint").innerHTML =
      "Drag the marker along the loss, or go from snapshot to snapshot with the arrow keys.";
    this.body.innerHTML = `
      <div class="vw-controls">
        ${choices("Data set", "data", Object.fromEntries(runs.map(({ data }) => [data, plain(title(data))])))}
        ${choices("Covariance of q", "posterior", { diagonal: "Diagonal", full: "Full" })}
      </div>
      ${Object.keys(PANELS).map((kind) =>
        `<div class="te-${kind}"><p class="te-head">${HEADS[kind]}</p><div class="te-plot-${kind}"></div></div>`).join("")}
      <div class="te-loss"><p class="te-head">Loss, nats per point</p>
        ${key([["inference", "solid", "−ELBO"], ["exact", "dashed", `−log ${i("p")}(${i("x")}), exact`]])}<div class="te-plot-loss"></div></div>
      <div class="te-side">
        <table class="vw-numbers">${numberRows(Object.entries(ROWS))}</table>
        <p class="vw-note">Every point keeps its noise. Dashed: the prior, at one and two standard deviations.</p>
      </div>`;
    this.buildPlots();
  }

  get admits() {
    const { runs } = this.spec, last = Math.max(...runs.map(({ loss }) => loss.length - 1));
    return {
      data: oneOf(...runs.map(({ data }) => data)), posterior: oneOf("diagonal", "full"), epoch: within(0, last, true),
    };
  }

  buildPlots() {
    const axis = linearAxis(0, 1);
    this.planes = Object.fromEntries(Object.keys(PANELS).map((kind) => [kind, new Square(this, `.te-plot-${kind}`, {
      margin: { left: 30, right: 4, top: 2, bottom: 26 }, x: axis, y: axis })]));
    this.loss = new Plot(this, ".te-plot-loss", {
      height: 130, margin: { left: 46, right: 20, top: 24, bottom: 26 }, x: axis, y: axis });
    this.loss.handle({
      label: "Epoch",
      at: () => [this.epoch, this.run.loss[this.epoch]],
      drag: (u) => this.go(this.nearest(u)),
      nudge: (right, up) => this.go(this.at + right + up),
      range: () => [this.epoch, this.run.epochs[0], this.run.epochs[this.run.epochs.length - 1]],
      text: () => this.where(),
    });
  }

  // -------------------------------------------------------------- what is shown

  /** What is shown, where what was asked for is not there. */
  get chosen() {
    return { posterior: this.run.posterior };
  }
  /** The run of the data set, of the posterior asked for if there is one. */
  get run() {
    const { data, posterior } = this.state, runs = this.spec.runs.filter((run) => run.data === data);
    return runs.find((run) => run.posterior === posterior) ?? runs[0];
  }
  /** The last snapshot that is not after the epoch asked for. */
  get at() {
    return Math.max(0, this.run.epochs.findLastIndex((epoch) => epoch <= this.state.epoch));
  }
  get epoch() {
    return this.run.epochs[this.at];
  }

  go(at) {
    const { epochs } = this.run;
    this.set({ epoch: epochs[clamp(at, 0, epochs.length - 1)] });
  }
  /** The snapshot that is nearest to an epoch on the axis. */
  nearest(epoch) {
    const { x } = this.loss, far = (one) => Math.abs(x.to(one) - x.to(Math.max(0, epoch)));
    const { epochs } = this.run;
    return epochs.reduce((best, one, k) => (far(one) < far(epochs[best]) ? k : best), 0);
  }

  /** The points on their way from the snapshot that was shown to that which is; at once if still. */
  follow() {
    const { run, at } = this, clouds = this.clouds[this.spec.runs.indexOf(run)];
    const goal = { codes: clouds.codes[at], samples: clouds.samples[at] };
    if (this.goal?.codes !== goal.codes) {
      const glides = this.followed === run && !this.still.matches;
      Object.assign(this, { goal, followed: run, origin: this.shown, since: glides ? performance.now() : -Infinity });
    }
    const t = Math.min(1, (performance.now() - this.since) / GLIDE), s = t * t * (3 - 2 * t);
    const between = (kind) => goal[kind].map((v, n) => this.origin[kind][n] + s * (v - this.origin[kind][n]));
    this.shown = t < 1 ? { codes: between("codes"), samples: between("samples") } : goal;
    if (t < 1) this.schedule();
    return { x: clouds.x[0], ...this.shown };
  }

  // -------------------------------------------------------------- the picture

  paint() {
    const points = this.follow();
    for (const kind of Object.keys(PANELS)) this.paintPlane(kind, points[kind]);
    this.paintLoss();
    this.write();
  }

  paintPlane(kind, points) {
    const plot = this.planes[kind], { ink } = this, z = kind === "codes";
    const [[x, y], half] = this.spec.windows[this.state.data][z ? "z" : "x"];
    plot.x = linearAxis(x - half, x + half, 5);
    plot.y = linearAxis(y - half, y + half, 5);
    const c = plot.begin();
    if (!c) return;
    plot.axes(c, z ? "z₁" : "x₁", z ? "z₂" : "x₂");
    c.save();
    plot.clip(c);
    c.fillStyle = ink[PANELS[kind]];
    for (let n = 0; n < points.length; n += 2) {
      c.beginPath();
      c.arc(plot.px(points[n]), plot.py(points[n + 1]), 1.5, 0, 7);
      c.fill();
    }
    if (z) this.prior(c, plot);
    c.restore();
  }

  prior(c, plot) {
    for (const sd of [1, 2]) {
      c.beginPath();
      c.arc(plot.px(0), plot.py(0), sd * (plot.px(1) - plot.px(0)), 0, 7);
      plot.stroke(c, this.ink.generative, 1.5, [5, 4]);
    }
  }

  /** The axis of the loss, the same for all runs of a data set; it begins after one epoch. */
  lossAxis() {
    const runs = this.spec.runs.filter(({ data }) => data === this.state.data);
    const values = runs.flatMap(({ loss, log_density: exact }) =>
      [...loss.slice(1), ...(exact === null ? [] : [-exact])]);
    const low = Math.min(...values), high = Math.max(...values), room = Math.max(0.1 * (high - low), 1e-3);
    return linearAxis(low - room, high + room, 4);
  }

  paintLoss() {
    const plot = this.loss, { ink, run, epoch } = this, { loss, log_density: exact } = run;
    plot.x = epochAxis(loss.length - 1);
    plot.y = this.lossAxis();
    const c = plot.begin();
    if (!c) return;
    plot.axes(c, "epoch", " ");
    c.save();
    plot.clip(c);
    if (exact !== null) {
      c.beginPath();
      c.moveTo(0, plot.py(-exact));
      c.lineTo(plot.width, plot.py(-exact));
      plot.stroke(c, ink.exact, 1.5, [5, 4]);
    }
    c.beginPath();
    loss.forEach((value, k) => c.lineTo(plot.px(k), plot.py(value)));
    plot.stroke(c, ink.inference, 2);
    c.fillStyle = ink.inference;
    for (const k of run.epochs) {
      c.beginPath();
      c.arc(plot.px(k), plot.py(loss[k]), 3, 0, 7);
      c.fill();
    }
    c.beginPath();
    c.moveTo(plot.px(epoch), 0);
    c.lineTo(plot.px(epoch), plot.height);
    plot.stroke(c, ink.inference, 1, [2, 3]);
    c.restore();
    // before the first step the loss may be off the picture: then the knob says so
    const { low, high } = plot.y, value = loss[epoch], px = plot.px(epoch);
    plot.knob(c, [epoch, clamp(value, low, high)], ink.inference);
    if (value > high) plot.say(c, `↑ ${number(value)}, above this axis`, px + 18, -12, ink.inference, "left");
  }

  write() {
    const { run, epoch, spec: { runs }, state: { data } } = this;
    const cell = (kind, text) => write(this.find(`[data-kind="${kind}"] td`), text);
    cell("epoch", `${epoch} of ${run.loss.length - 1}`);
    for (const kind of ["elbo", "log_density"]) cell(kind, number(run[kind], 3));
    cell("loss", number(run.loss[epoch], 3));
    this.find(".vw-key > :last-child").hidden = run.log_density === null;
    for (const button of this.root.querySelectorAll("[data-trait=posterior]"))
      button.disabled = !runs.some((one) => one.data === data && one.posterior === button.dataset.value);
  }

  where() {
    const { run, epoch } = this;
    return `${epoch} of ${run.loss.length - 1}, loss ${number(run.loss[epoch], 3)} nats`;
  }

  speech() {
    const { data, posterior } = this.run;
    return `${title(data)}, ${posterior} covariance, epoch ${this.where()}.`;
  }
}

export default TrainingExplorer.widget();
