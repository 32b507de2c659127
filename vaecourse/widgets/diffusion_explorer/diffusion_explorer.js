// The diffusion explorer: a mixture of Gaussians under noise, which mirrors Python and is tested
// against it, and the view.

// ---------------------------------------------------------------- mathematics

const sigmoid = (v) => 1 / (1 + Math.exp(-v));

/** The components of y_t: means, precisions [a, b, d] of a b, b d, and log factors. */
export function noised({ weights, means, covariances }, logSnr) {
  const keep = sigmoid(logSnr), add = sigmoid(-logSnr);
  return weights.map((weight, k) => {
    const [[p, q], [, r]] = covariances[k];
    const a = keep * p + add, b = keep * q, d = keep * r + add, det = a * d - b * b;
    return {
      mean: means[k].map((m) => Math.sqrt(keep) * m),
      precision: [d / det, -b / det, a / det],
      factor: Math.log(weight) - LOG_2PI - 0.5 * Math.log(det),
    };
  });
}

/** log p(y_t) and its score at a point. */
export function at(components, [u, v]) {
  const pulls = components.map(({ mean, precision: [a, b, d], factor }) => {
    const x = mean[0] - u, y = mean[1] - v, across = a * x + b * y, up = b * x + d * y;
    return [factor - 0.5 * (x * across + y * up), across, up];
  });
  const most = Math.max(...pulls.map(([log]) => log));
  const shares = pulls.map(([log]) => Math.exp(log - most)), total = shares.reduce((s, w) => s + w, 0);
  const mean = (j) => pulls.reduce((s, pull, k) => s + shares[k] * pull[j], 0) / total;
  return { logDensity: most + Math.log(total), score: [mean(1), mean(2)] };
}

/** E[y | y_t], by Tweedie's formula. */
export const denoised = (point, score, logSnr) =>
  point.map((y, j) => (y + sigmoid(-logSnr) * score[j]) / Math.sqrt(sigmoid(logSnr)));

/** SNR · error at a log SNR, by a cubic between the values of a table that is even over a range. */
export function loss(table, [low, high], logSnr) {
  const place = clamp((logSnr - low) / (high - low), 0, 1) * (table.length - 1);
  const k = Math.min(Math.floor(place), table.length - 2), t = place - k;
  const [b, c] = [table[k], table[k + 1]], a = table[k - 1] ?? 2 * b - c, d = table[k + 2] ?? 2 * c - b;
  return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

/** What the bound of T levels, even in log SNR, lacks, in nats. */
export function lacks({ loss: table, log_snr: range, evidence }, levels) {
  const step = (range[1] - range[0]) / (levels - 1), weight = Math.expm1(step);
  let sum = 0;
  for (let t = 1; t < levels; t++) sum += loss(table, range, range[1] - t * step);
  return evidence + 0.5 * weight * sum;
}

// ---------------------------------------------------------------- the view

const Y = `${i("y")}<sub>${i("t")}</sub>`, REACH = 2.6, CELLS = 64, ARROWS = 12;

class DiffusionExplorer extends Figure {
  name = "diffusion-explorer";

  build() {
    write(this.find(".vw-hint"), `Drag ${Y}; move the noise along the curve; choose how many levels there are.`);
    this.body.innerHTML = `
      <div class="de-left"><div class="de-plane"></div>
        <p class="vw-note">Grey: the density of ${Y}. Arrows: its score. The line ends at the best guess of ${i("y")}.</p></div>
      <div class="de-right">
        <p class="de-head">SNR · error of the best guess, and the rectangles of the bound</p>
        <div class="de-curve"></div>
        <p class="de-head">what the bound lacks, nats; dashed: the law</p>
        <div class="de-gap"></div>
        <table class="vw-numbers">${numberRows([["density", `log ${i("p")}(${Y}), exact`],
          ["score", "length of the score"], ["lacks", "nats lacking"], ["law", "nats, by the law"]])}</table>
      </div>`;
    this.buildPlots();
  }

  get admits() {
    const { ranges, log_snr: snr, levels } = this.spec;
    return { log_snr: within(...snr), levels: within(...levels, true), point: each(...ranges.map((range) => within(...range))) };
  }

  buildPlots() {
    const { ranges: [[low, high]], log_snr: [least, most], levels: [few, many] } = this.spec;
    const axis = linearAxis(-REACH, REACH, 6);
    this.plane = new Square(this, ".de-plane", { margin: { left: 30, right: 8, top: 4, bottom: 28 }, x: axis, y: axis, free: true });
    this.plane.handle({
      label: "The noisy point",
      across: true,
      at: () => this.state.point,
      drag: (u, v) => this.put([u, v]),
      nudge: (right, up) => this.put([this.state.point[0] + 0.1 * right, this.state.point[1] + 0.1 * up]),
      range: () => [this.state.point[0], low, high],
      text: () => this.state.point.map((v) => number(v)).join(", "),
    });
    this.curve = new Plot(this, ".de-curve", { height: 120, margin: { left: 34, right: 24, top: 12, bottom: 28 },
      x: linearAxis(least, most, 7), y: linearAxis(0, 4, 4) });
    this.curve.handle({
      label: "The noise, log SNR",
      at: () => [this.state.log_snr, this.loss(this.state.log_snr)],
      drag: (u) => this.noise(u),
      nudge: (right, up) => this.noise(this.state.log_snr + 0.2 * (right + up)),
      range: () => [this.state.log_snr, least, most],
      text: () => `log SNR ${number(this.state.log_snr, 1)}`,
    });
    this.gap = new Plot(this, ".de-gap", { height: 110, margin: { left: 44, right: 20, top: 10, bottom: 28 },
      x: logAxis(few, many), y: logAxis(0.02, 4000) });
    this.gap.handle({
      label: "The number of levels",
      at: () => [this.state.levels, lacks(this.spec, this.state.levels)],
      drag: (u) => this.choose(u),
      nudge: (right, up) => this.choose(Math.abs(right + up) > 100 ? (right + up) * many : this.another(right + up)),
      range: () => [this.state.levels, few, many],
      text: () => `${this.state.levels} levels, ${number(lacks(this.spec, this.state.levels), 3)} nats lacking`,
    });
  }

  loss = (logSnr) => loss(this.spec.loss, this.spec.log_snr, logSnr);

  put(point) {
    this.set({ point: point.map((v, k) => clamp(round(v, 0.01), ...this.spec.ranges[k])) });
  }
  noise(logSnr) {
    this.set({ log_snr: clamp(round(logSnr, 0.1), ...this.spec.log_snr) });
  }
  choose(levels) {
    this.set({ levels: clamp(Math.round(levels), ...this.spec.levels) });
  }
  /** A tenth more or less, and one at least. */
  another(steps) {
    const { levels } = this.state, next = levels * 1.1 ** steps;
    return steps > 0 ? Math.max(levels + 1, next) : Math.min(levels - 1, next);
  }

  paint() {
    this.components = noised(this.spec, this.state.log_snr);
    this.here = at(this.components, this.state.point);
    this.guess = denoised(this.state.point, this.here.score, this.state.log_snr);
    this.paintPlane();
    this.paintCurve();
    this.paintGap();
    this.write();
  }

  paintPlane() {
    const plot = this.plane, c = plot.begin(), { ink, state: { point, log_snr } } = this;
    if (!c) return;
    plot.layer(c, "density", log_snr, (d) => this.paintDensity(plot, d));
    c.beginPath();
    c.moveTo(plot.px(point[0]), plot.py(point[1]));
    c.lineTo(plot.px(this.guess[0]), plot.py(this.guess[1]));
    plot.stroke(c, ink.generative, 2);
    plot.dot(c, plot.px(this.guess[0]), plot.py(this.guess[1]), 6, ink.generative);
    plot.knob(c, point, ink.latent);
  }

  paintDensity(plot, c) {
    const { ink } = this, size = 2 * REACH / CELLS, cells = [];
    for (let row = 0; row < CELLS; row++)
      for (let column = 0; column < CELLS; column++) {
        const place = [-REACH + (column + 0.5) * size, -REACH + (row + 0.5) * size];
        cells.push([place, at(this.components, place).logDensity]);
      }
    const most = cells.reduce((m, [, log]) => Math.max(m, log), -Infinity), half = plot.width / CELLS / 2;
    c.fillStyle = ink.exact;
    for (const [[u, v], log] of cells) {
      c.globalAlpha = 0.75 * Math.exp(0.5 * (log - most)); // the root: the foot of a hill is seen
      // whole pixels, so that cells neither overlap nor gape
      const [left, top] = [Math.round(plot.px(u) - half), Math.round(plot.py(v) - half)];
      const [right, bottom] = [Math.round(plot.px(u) + half), Math.round(plot.py(v) + half)];
      if (c.globalAlpha > 0.004) c.fillRect(left, top, right - left, bottom - top);
    }
    c.globalAlpha = 1;
    plot.axes(c, "y₁", "y₂");
    c.beginPath();
    for (let row = 0; row < ARROWS; row++)
      for (let column = 0; column < ARROWS; column++) {
        const place = [column, row].map((k) => (2 * (k + 0.5) / ARROWS - 1) * REACH);
        const { score: [right, up] } = at(this.components, place), length = Math.hypot(right, up);
        const reach = Math.min(0.05 * length, 0.2) / (length || 1);
        this.arrow(c, plot, place, [place[0] + reach * right, place[1] + reach * up]);
      }
    plot.stroke(c, ink.gap, 1.3);
  }

  arrow(c, plot, from, to) {
    const [x, y, u, v] = [plot.px(from[0]), plot.py(from[1]), plot.px(to[0]), plot.py(to[1])];
    const turn = Math.atan2(v - y, u - x), head = Math.min(4, Math.hypot(u - x, v - y) / 2);
    c.moveTo(x, y);
    c.lineTo(u, v);
    for (const side of [-2.6, 2.6]) {
      c.moveTo(u, v);
      c.lineTo(u + head * Math.cos(turn + side), v + head * Math.sin(turn + side));
    }
  }

  paintCurve() {
    const plot = this.curve, c = plot.begin(), { ink, state: { log_snr, levels }, spec } = this;
    if (!c) return;
    plot.layer(c, "rectangles", levels, (d) => {
      plot.axes(d, "λ", " ");
      plot.clip(d);
      const [low, high] = spec.log_snr, step = (high - low) / (levels - 1), tall = Math.expm1(step) / step;
      d.fillStyle = ink.gap;
      d.globalAlpha = 0.3;
      for (let t = 1; t < levels; t++) {
        const end = high - t * step, top = plot.py(Math.min(4, tall * this.loss(end)));
        d.fillRect(plot.px(end), top, plot.px(end + step) - plot.px(end), plot.height - top);
      }
      d.globalAlpha = 1;
      plot.curve(d, this.loss);
      plot.stroke(d, ink.exact, 2);
    });
    c.beginPath();
    c.moveTo(plot.px(log_snr), plot.height);
    c.lineTo(plot.px(log_snr), plot.py(this.loss(log_snr)));
    plot.stroke(c, ink.latent, 1, [2, 3]);
    plot.knob(c, [log_snr, this.loss(log_snr)], ink.latent);
  }

  paintGap() {
    const plot = this.gap, c = plot.begin(), { ink, state: { levels }, spec } = this;
    if (!c) return;
    plot.layer(c, "gap", "", (d) => {
      plot.axes(d, "T", " ");
      plot.clip(d);
      d.beginPath();
      for (let levels = 2; levels <= spec.levels[1]; levels = Math.ceil(1.1 * levels + 0.01))
        d.lineTo(plot.px(levels), plot.py(lacks(spec, levels)));
      plot.stroke(d, ink.gap, 2);
      plot.curve(d, (levels) => spec.law / Math.max(levels - 1, 0.5));
      plot.stroke(d, ink.exact, 1.5, [5, 4]);
    });
    plot.knob(c, [levels, lacks(spec, levels)], ink.gap);
  }

  write() {
    const { levels } = this.state, show = (kind, text) => write(this.find(`[data-kind="${kind}"] td`), text);
    show("density", number(this.here.logDensity));
    show("score", number(Math.hypot(...this.here.score)));
    show("lacks", number(lacks(this.spec, levels), 3));
    show("law", number(this.spec.law / (levels - 1), 3));
  }

  speech() {
    const { log_snr, levels } = this.state;
    return `Log SNR ${number(log_snr, 1)}: log density ${number(this.here.logDensity)}, best guess ` +
      `${this.guess.map((v) => number(v)).join(", ")}. ${levels} levels lack ${number(lacks(this.spec, levels), 3)} nats.`;
  }
}

export default DiffusionExplorer.widget();
