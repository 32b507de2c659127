// The missing explorer: of a digit only a window is seen; p(z | seen) by a grid, the mean of what is
// missing, and the nats of both. The sums mirror evaluation/grid.py and are tested against it.

const SIDE = 28, PIXELS = SIDE * SIDE;
const SLICE = 40; // milliseconds of decoding between two tasks of the page
const SHARES = [0.5, 0.9, 0.99]; // of the mass, inside a contour

/** How many pixels of a row, and how many rows, a corner [columns, height] shows. */
export const windowOf = ([columns, height]) => [Math.round(columns), SIDE - Math.round(height)];

/** The points of the grid, z₁ slowest, as torch.cartesian_prod lists them. */
export function gridOf([points, reach]) {
  const at = (k) => -reach + (2 * reach * k) / (points - 1);
  return Array.from({ length: points * points }, (_, g) => [at(Math.floor(g / points)), at(g % points)]);
}

/** Decode the grid into `table`: a generator, a point a step. */
export function* decodeGrid(decode, grid, table) {
  for (let g = 0; g < grid.length; g++) {
    const logits = decode(grid[g]), from = g * PIXELS;
    table.logits.set(logits, from);
    for (let d = 0; d < PIXELS; d++) table.zero[from + d] = softplus(logits[d]);
    yield g;
  }
}

/** log p(x_seen, z) at every point, nats; seen are `across` pixels of the first `down` rows. */
export function logJoint(x, grid, { logits, zero }, [across, down]) {
  return Float64Array.from(grid, (z, g) => {
    let sum = priorLogDensity(z);
    for (let row = 0; row < down; row++) {
      const from = row * SIDE;
      for (let d = from, k = g * PIXELS + from; d < from + across; d++, k++) sum += (x[d] ? logits[k] : 0) - zero[k];
    }
    return sum;
  });
}

/** The logarithm of a sum of exponentials. */
export function logSum(values) {
  const most = values.reduce((a, b) => Math.max(a, b));
  return most + Math.log(values.reduce((sum, v) => sum + Math.exp(v - most), 0));
}

/** The mean of the pixels under the weights: Σ_z p(z | seen) p(x_d = 1 | z). */
export function meanPixels(weights, { logits }) {
  const mean = new Float64Array(PIXELS);
  weights.forEach((weight, g) => {
    if (weight > 1e-6) for (let d = 0; d < PIXELS; d++) mean[d] += weight * sigmoid(logits[g * PIXELS + d]);
  });
  return mean;
}

// ---------------------------------------------------------------- the view

class MissingExplorer extends Figure {
  name = "missing-explorer";

  get admits() {
    const most = this.arrays.images.length / PIXELS - 1;
    return { picked: within(0, most, true), corner: each(within(0, SIDE), within(0, SIDE)) };
  }

  build() {
    write(this.find(".vw-hint"), "Pick a digit; drag the corner of the window through which it is seen.");
    const count = this.arrays.images.length / PIXELS, seen = `${i("x")}<sub>seen</sub>`, missing = `${i("x")}<sub>missing</sub>`;
    this.body.innerHTML = `
      <div class="mx-picks" role="group" aria-label="Pick an image">${picks(count, this.spec.labels)}</div>
      <div class="mx-x"><p class="mx-head">what is seen of ${i("x")}</p><div class="mx-window"></div></div>
      <div class="mx-z"><p class="mx-head">${i("p")}(${i("z")} | ${seen}), exact</p><div class="mx-plane"></div></div>
      <div class="mx-out"><p class="mx-head">the mean of ${missing}</p><canvas class="mx-filled" width="28" height="28" role="img" aria-label="The seen pixels, and the mean of the missing ones"></canvas></div>
      <table class="vw-numbers">${numberRows([["seen", `log ${i("p")}(${seen}), nats`], ["missing", `log ${i("p")}(${missing} | ${seen}), nats`, "+"], ["whole", `log ${i("p")}(${i("x")}), nats`, "="]])}</table>
      <p class="vw-note">Contours hold 50, 90 and 99 per cent of the posterior. Sums over a grid of ${i("z")}, a tenth apart.</p>`;
    this.buildPlots();
    const { spec, arrays } = this, grid = gridOf(spec.grid), size = grid.length * PIXELS;
    const table = { logits: new Float32Array(size), zero: new Float32Array(size) };
    const steps = decodeGrid(makeNetwork(spec.decoder, arrays.decoder), grid, table);
    this.work(steps, SLICE, () => Object.assign(this, { grid, table }));
  }

  buildPlots() {
    const pixels = { ...linearAxis(0, SIDE, 4), ticks: [] }, { spec: { grid: [, reach] } } = this;
    this.window = new Square(this, ".mx-window", { margin: { left: 12, right: 12, top: 12, bottom: 12 }, x: pixels, y: pixels, free: true });
    const go = (corner) => this.set({ corner: corner.map((v) => clamp(Math.round(v), 0, SIDE)) });
    this.window.handle({
      label: "The corner of the window",
      at: () => this.state.corner,
      drag: (...corner) => go(corner),
      nudge: (right, up) => go([this.state.corner[0] + right, this.state.corner[1] + up]),
      range: () => [this.state.corner[1], 0, SIDE],
      text: () => { const [across, down] = windowOf(this.state.corner); return `${across} columns, ${down} rows seen`; },
    });
    const plane = linearAxis(-reach, reach, 4);
    this.plane = new Square(this, ".mx-plane", { margin: { left: 26, right: 6, top: 8, bottom: 26 }, x: plane, y: plane, free: true });
  }

  press(button) {
    if (button?.dataset.trait === "picked") return this.set({ picked: +button.dataset.value });
    super.press(button);
  }

  pick(k) {
    return this.arrays.images.subarray(k * PIXELS, (k + 1) * PIXELS);
  }

  paint() {
    const x = this.pick(this.state.picked), shown = windowOf(this.state.corner);
    const isSeen = (d) => d % SIDE < shown[0] && Math.floor(d / SIDE) < shown[1];
    this.paintWindow(x, isSeen);
    if (!this.table) return;
    const { grid, table, spec: { grid: [points, reach] } } = this;
    const log = logJoint(x, grid, table, shown), all = shown[0] * shown[1] === PIXELS ? log : logJoint(x, grid, table, [SIDE, SIDE]);
    const cell = 2 * Math.log((2 * reach) / (points - 1)), part = logSum(log), whole = logSum(all);
    this.values = { seen: part + cell, missing: whole - part, whole: whole + cell };
    this.weights = log.map((v) => Math.exp(v - part));
    const mean = meanPixels(this.weights, table);
    this.image(this.find(".mx-filled"), mean.map((p, d) => (isSeen(d) ? x[d] : p)));
    for (const [kind, value] of Object.entries(this.values)) write(this.find(`[data-kind="${kind}"] td`), number(value, 1));
    this.paintPlane();
  }

  paintWindow(x, isSeen) {
    const plot = this.window, c = plot.begin(), { ink } = this;
    if (!c) return;
    const small = this.image(null, Array.from(x, (v, d) => (isSeen(d) ? v : 0)));
    c.imageSmoothingEnabled = false;
    c.drawImage(small, 0, 0, plot.width, plot.height);
    const [u, v] = this.state.corner, left = plot.px(u), top = plot.py(v);
    c.beginPath(); // what is not seen: right of the corner, and below it
    c.rect(left, 0, plot.width - left, plot.height);
    c.rect(0, top, left, plot.height - top);
    c.save();
    c.clip();
    c.fillStyle = ink.line;
    c.fillRect(0, 0, plot.width, plot.height);
    plot.hatch(c, 0, plot.height, ink.muted);
    c.restore();
    c.beginPath();
    c.rect(0, 0, left, top);
    plot.stroke(c, ink.latent, 2);
    plot.knob(c, [u, v], ink.latent);
  }

  paintPlane() {
    const plot = this.plane, c = plot.begin(), { ink, weights, spec: { grid: [points, reach] } } = this;
    if (!c) return;
    plot.axes(c, "z₁", "z₂");
    c.save();
    plot.clip(c);
    for (const r of [1, 2]) {
      plot.ellipse(c, [0, 0], [r, 0, 0, r], 1);
      plot.stroke(c, ink.generative, 1.5, [5, 4]);
    }
    const to = (k) => -reach + (2 * reach * k) / (points - 1);
    for (const level of massLevels(weights, SHARES)) {
      c.beginPath();
      for (const [a, b, d, e] of contour(weights, points, level)) {
        c.moveTo(plot.px(to(a)), plot.py(to(b)));
        c.lineTo(plot.px(to(d)), plot.py(to(e)));
      }
      plot.stroke(c, ink.exact, 1.5);
    }
    c.restore();
  }

  /** 28 × 28 values in [0, 1], from the paper's colour to the ink: onto a canvas, or as a stamp. */
  image(canvas, values) {
    const small = (this.stamp ??= new OffscreenCanvas(SIDE, SIDE)), s = small.getContext("2d");
    const picture = s.createImageData(SIDE, SIDE), tone = tones(this.ink);
    for (let k = 0; k < PIXELS; k++) tone(picture, k, values[k]);
    s.putImageData(picture, 0, 0);
    canvas?.getContext("2d").drawImage(small, 0, 0);
    return small;
  }

  theme() {
    super.theme();
    this.root.querySelectorAll(".mx-picks canvas").forEach((canvas, k) => this.image(canvas, this.pick(k)));
  }

  speech() {
    const [across, down] = windowOf(this.state.corner);
    const { seen, missing } = this.values ?? {};
    return `Seen: ${across} columns of ${down} rows. log p(seen) ${number(seen, 1)}, log p(missing | seen) ${number(missing, 1)} nats.`;
  }
}

export default MissingExplorer.widget();
