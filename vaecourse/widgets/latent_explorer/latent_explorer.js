// The latent explorer, after networks.js: no imports, no requests, the same text with and without
// a kernel. In order: the mathematics (each function mirrors Python and is tested against it), the
// geometry of the plane, and the view.

// ---------------------------------------------------------------- mathematics

const LOG_2PI = Math.log(2 * Math.PI);

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

/** Uniform numbers in [0, 1), the same for the same seed (mulberry32). */
export function makeUniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** ε ~ N(0, I), two numbers, from two uniform ones (Box and Muller). */
export function drawEps(uniform) {
  const radius = Math.sqrt(-2 * Math.log(1 - uniform())), angle = 2 * Math.PI * uniform();
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
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

// ---------------------------------------------------------------- geometry

const clamp = (v, low, high) => Math.min(high, Math.max(low, v));

/** An axis that maps latents to [0, 1] in proportion. */
export const linearAxis = ([low, high]) => ({
  low, high,
  to: (v) => (v - low) / (high - low),
  from: (u) => low + u * (high - low),
  ticks: niceTicks(low, high, 8),
});

/** An axis that maps latents to [0, 1] by Φ, so that the prior is spread evenly [KW14, fig. 4]. */
export const quantileAxis = () => ({
  low: normalQuantile(0.002), high: normalQuantile(0.998),
  to: normalCdf,
  from: (u) => normalQuantile(clamp(u, 0.002, 0.998)),
  ticks: [-2, -1, 0, 1, 2],
});

export function niceTicks(low, high, most) {
  const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= raw - 1e-9);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9; k++) ticks.push(+(k * step).toPrecision(6));
  return ticks;
}

/** Push places apart, in place, until no two are nearer than `room`. */
function separate(places, room) {
  for (let round = 0; round < 50; round++)
    for (const a of places)
      for (const b of places) {
        const dx = b[0] - a[0], dy = b[1] - a[1], d = Math.hypot(dx, dy);
        if (a === b || d >= room) continue;
        const push = (room - d) / 2 / (d || 1);
        a[0] -= push * (d ? dx : 1);
        b[0] += push * (d ? dx : 1);
        a[1] -= push * dy;
        b[1] += push * dy;
      }
}

const circle = Array.from({ length: 65 }, (_, k) => [Math.cos((k * Math.PI) / 32), Math.sin((k * Math.PI) / 32)]);

/** Dark or light: the page's theme, then JupyterLab's, then the system's. */
export function isDark() {
  const theme = document.documentElement.dataset.theme;
  if (theme === "dark" || theme === "light") return theme === "dark";
  const lab = document.body.dataset.jpThemeLight;
  if (lab !== undefined) return lab === "false";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

const number = (v, digits = 2) =>
  Number.isFinite(v) ? v.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", "−") : "–";
const pair = (z) => `(${number(z[0])}, ${number(z[1])})`;

// ---------------------------------------------------------------- the view

const TILES = 15;
const GRID = 33;
const SHARES = [1 - Math.exp(-0.5), 1 - Math.exp(-2)]; // mass of a Gaussian within 1 and 2 sd
const MARGIN = { left: 34, right: 10, top: 8, bottom: 28 };

const Z1 = "<i>z</i><sub>1</sub>", Z2 = "<i>z</i><sub>2</sub>";
const P_XZ = "<i>p</i>(<i>x</i>|<i>z</i>)", Q = "<i>q</i>(<i>z</i>|<i>x</i>)";
const LABELS = {
  kl: `KL(${Q} ‖ <i>p</i>(<i>z</i>))`,
  likelihood: `log ${P_XZ}`,
  elbo: "ELBO, this sample",
  weight: `log <i>p</i>(<i>x</i>,<i>z</i>) − log ${Q}`,
  evidence: "log <i>p</i>(<i>x</i>), by quadrature",
  prior: "log <i>p</i>(<i>z</i>)",
  error: "‖<i>x</i> − <i>x̂</i>‖² at this <i>z</i>",
  best: "‖<i>x</i> − <i>x̂</i>‖² at its code",
  near: "test points nearby",
};

const TEMPLATE = `
  <p class="lx-title"></p>
  <p class="lx-hint"></p>
  <div class="lx-grid">
    <div class="lx-left">
      <div class="lx-stage">
        <canvas class="lx-canvas" aria-hidden="true"></canvas>
        <div class="lx-plane" tabindex="0" role="application"></div>
      </div>
      <div class="lx-sliders">
        <label><span>${Z1}</span><input type="range" class="lx-z1" aria-label="z 1"></label>
        <label><span>${Z2}</span><input type="range" class="lx-z2" aria-label="z 2"></label>
      </div>
      <div class="lx-controls">
        <div class="lx-show" role="group" aria-label="Show on the plane">
          <button type="button" data-mode="points">points</button><button type="button" data-mode="manifold">manifold</button>
        </div>
        <button type="button" class="lx-resample">Resample <i>ε</i></button>
        <button type="button" class="lx-reset">Reset</button>
      </div>
    </div>
    <div class="lx-pick">
      <div class="lx-legend" role="group" aria-label="Show one digit only"></div>
      <div class="lx-strip" role="radiogroup" aria-label="Test images"></div>
    </div>
    <div class="lx-right">
      <div class="lx-pictures">
        <figure class="lx-x"><canvas role="img" aria-label="Test image"></canvas><figcaption></figcaption></figure>
        <figure class="lx-decoded"><canvas role="img" aria-label="Decoded image"></canvas><figcaption></figcaption></figure>
      </div>
      <table class="lx-numbers"><tbody></tbody></table>
      <canvas class="lx-ledger" aria-hidden="true"></canvas>
      <p class="lx-note"></p>
    </div>
  </div>
  <p class="lx-live" role="status" aria-live="polite"></p>`;

class View {
  constructor(model, root, arrays) {
    this.model = model;
    this.root = root;
    this.arrays = arrays;
    this.spec = model.get("spec");
    [this.height, this.width] = this.spec.image_shape;
    this.decode = makeNetwork(this.spec.layers, arrays.weights);
    this.z = [...model.get("z")];
    this.mode = "points";
    this.filter = null; // the one label shown, if any
    this.picked = null; // index of the picked image
    this.eps = null; // null when z was moved by hand
    this.samples = []; // ELBOs of the samples drawn for the picked image
    this.contours = new Map(); // exact posteriors, by image
    this.off = new AbortController();
    this.build();
    this.listen();
    this.theme();
  }

  // -------- what the state means

  get axes() {
    if (this.mode === "points" || !this.spec.posterior) return this.linear;
    return this.quantiles;
  }
  get pixels() {
    return this.width * this.height;
  }
  get q() {
    if (this.picked === null || !this.spec.posterior) return null;
    const { means, scale_tril: t } = this.arrays, k = this.picked;
    return { mean: [means[2 * k], means[2 * k + 1]], tril: [t[3 * k], t[3 * k + 1], t[3 * k + 2]] };
  }
  x(k) {
    const grey = this.arrays.images.subarray(k * this.pixels, (k + 1) * this.pixels);
    return Float32Array.from(grey, (g) => g / 255);
  }
  logLikelihood(x, out) {
    const { kind, log_var: logVar, log_var_floor: floor } = this.spec.output;
    if (kind === "bernoulli") return bernoulliLogLikelihood(x, out);
    return gaussianLogLikelihood(x, out, logVar, floor);
  }
  get squash() {
    return this.spec.output.kind === "bernoulli" || this.spec.output.kind === "sigmoid";
  }
  /** The mean of p(x|z) as grey levels, into RGBA bytes. */
  grey(out, rgba) {
    for (let i = 0; i < this.pixels; i++) {
      const level = 255 * (this.squash ? sigmoid(out[i]) : clamp(out[i], 0, 1));
      rgba[4 * i] = rgba[4 * i + 1] = rgba[4 * i + 2] = level; // rounded by Uint8ClampedArray
      rgba[4 * i + 3] = 255;
    }
  }
  classOf(k) {
    return this.arrays.image_labels ? this.arrays.image_labels[k] : null;
  }

  // -------- building the page

  build() {
    const { root, spec } = this, find = (name) => root.querySelector(`.lx-${name}`);
    root.innerHTML = TEMPLATE;
    for (const name of ["canvas", "plane", "z1", "z2", "resample", "reset", "legend", "strip",
      "numbers", "ledger", "note", "live", "hint", "pictures"]) this[name] = find(name);
    find("title").textContent = spec.title;
    this.hint.textContent = spec.posterior
      ? "Drag the green point: the decoder paints what it finds there. Pick a test image to see its posterior."
      : "Drag the green point: the decoder paints what it finds there. Pick a test image to see its code.";
    this.linear = spec.range.map(linearAxis);
    this.quantiles = [quantileAxis(), quantileAxis()];
    this.plane.setAttribute("aria-label",
      "Latent plane. Drag the point, or move it with the arrow keys; Shift moves faster, Home goes to the origin.");
    [this.z1, this.z2].forEach((slider, j) => {
      const { low, high } = this.linear[j];
      Object.assign(slider, { min: low, max: high, step: (high - low) / 160 });
    });
    for (const name of ["x", "decoded"]) {
      const canvas = find(name).querySelector("canvas");
      Object.assign(canvas, { width: this.width, height: this.height });
      this[name + "Canvas"] = canvas;
      this[name + "Caption"] = find(name).querySelector("figcaption");
    }
    this.decodedCaption.innerHTML =
      (spec.posterior ? `mean of ${P_XZ}` : "<i>x̂</i>, decoded") + "<br><i>z</i> = <span></span>";
    this.where = this.decodedCaption.querySelector("span");
    this.picture = new ImageData(this.width, this.height);
    this.static = document.createElement("canvas"); // what does not move with z
    this.backdrop = document.createElement("canvas"); // and the picked image's posterior on it
    this.ledgerAxis = document.createElement("canvas");
    this.painted = 0;
    this.numbers.tBodies[0].innerHTML = "<tr><th scope=row></th><td></td></tr>".repeat(5);
    if (!spec.posterior) this.resample.remove();
    this.buildLegend();
    this.buildStrip();
  }

  buildLegend() {
    if (!this.arrays.labels) return this.legend.remove();
    for (const label of new Set([...this.arrays.labels].sort())) {
      const chip = document.createElement("button");
      chip.type = "button";
      chip.style.setProperty("--digit", this.spec.digit_colours[label]);
      chip.innerHTML = `<span>${label}</span>`;
      chip.dataset.label = label;
      chip.setAttribute("aria-label", `Only ${label}`);
      this.legend.append(chip);
    }
  }

  buildStrip() {
    const count = this.arrays.images.length / this.pixels;
    for (let k = 0; k < count; k++) {
      const item = document.createElement("button"), canvas = document.createElement("canvas");
      item.type = "button";
      item.setAttribute("role", "radio");
      const label = this.classOf(k);
      item.setAttribute("aria-label", `Test image ${k + 1}` + (label === null ? "" : `, a ${label}`));
      if (label !== null) item.style.setProperty("--digit", this.spec.digit_colours[label]);
      Object.assign(canvas, { width: this.width, height: this.height });
      this.drawImage(canvas, k);
      item.append(canvas);
      this.strip.append(item);
    }
  }

  drawImage(canvas, k) {
    const data = new ImageData(this.width, this.height);
    const grey = this.arrays.images.subarray(k * this.pixels, (k + 1) * this.pixels);
    grey.forEach((g, i) => data.data.set([g, g, g, 255], 4 * i));
    canvas.getContext("2d").putImageData(data, 0, 0);
  }

  // -------- answering the hand

  listen() {
    const on = (target, events, handler) => {
      for (const event of events.split(" ")) target.addEventListener(event, handler, { signal: this.off.signal });
    };
    on(this.plane, "pointerdown", (e) => {
      if (e.button) return;
      this.plane.setPointerCapture(e.pointerId);
      this.drag = this.inLoupe(e) ? "loupe" : "plane";
      this.plane.focus({ preventScroll: true });
      this.follow(e);
      e.preventDefault();
    });
    on(this.plane, "pointermove", (e) => this.drag && this.follow(e));
    on(this.plane, "pointerup pointercancel lostpointercapture", () => (this.drag = null));
    on(this.plane, "keydown", (e) => this.key(e));
    [this.z1, this.z2].forEach((slider, j) =>
      on(slider, "input", () => this.move(j === 0 ? [+slider.value, this.z[1]] : [this.z[0], +slider.value])));
    on(this.root, "click", (e) => this.click(e.target.closest("button")));
    on(this.strip, "keydown", (e) => this.stripKey(e));
    on(matchMedia("(prefers-color-scheme: dark)"), "change", () => this.theme());

    const observer = new MutationObserver(() => this.theme());
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    const size = new ResizeObserver(() => this.resize());
    size.observe(this.root.querySelector(".lx-stage"));
    size.observe(this.ledger);
    const changed = () => {
      const z = this.model.get("z");
      if (z[0] !== this.z[0] || z[1] !== this.z[1]) this.arrive([...z]);
    };
    this.model.on("change:z", changed);
    this.off.signal.addEventListener("abort", () => {
      observer.disconnect();
      size.disconnect();
      this.model.off("change:z", changed);
      cancelAnimationFrame(this.frame);
      clearTimeout(this.timer);
      clearTimeout(this.slice);
    });
  }

  follow(event) {
    const box = this.plane.getBoundingClientRect();
    const px = event.clientX - box.left, py = event.clientY - box.top;
    if (this.drag === "loupe" && this.loupe) {
      const { left, top, size, centre, half } = this.loupe;
      return this.move([
        centre[0] + ((px - left) / size * 2 - 1) * half, centre[1] - ((py - top) / size * 2 - 1) * half]);
    }
    const [a, b] = this.axes;
    this.move([a.from(clamp(px / box.width, 0, 1)), b.from(clamp(1 - py / box.height, 0, 1))]);
  }

  inLoupe(event) {
    if (!this.loupe) return false;
    const box = this.plane.getBoundingClientRect(), { left, top, size } = this.loupe;
    const px = event.clientX - box.left - left, py = event.clientY - box.top - top;
    return px >= 0 && px <= size && py >= 0 && py <= size;
  }

  key(event) {
    const [a, b] = this.linear, portion = event.shiftKey ? 16 : 80;
    const dx = (a.high - a.low) / portion, dy = (b.high - b.low) / portion, [x, y] = this.z;
    const to = { ArrowLeft: [x - dx, y], ArrowRight: [x + dx, y], ArrowUp: [x, y + dy],
      ArrowDown: [x, y - dy], Home: [0, 0] }[event.key];
    if (!to) return;
    this.move(to);
    event.preventDefault();
    event.stopPropagation(); // the notebook has uses of its own for arrows
  }

  stripKey(event) {
    const items = this.items(), at = items.indexOf(event.target.closest("button"));
    const to = { ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1, Home: 0,
      End: items.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    const item = items[(to + items.length) % items.length];
    item.focus({ preventScroll: true });
    this.pick([...this.strip.children].indexOf(item));
    event.preventDefault();
    event.stopPropagation();
  }

  click(button) {
    if (!button) return;
    if (button.dataset.mode) {
      this.mode = button.dataset.mode;
      this.repaint();
    } else if (button.dataset.label) {
      const label = +button.dataset.label;
      this.filter = this.filter === label ? null : label;
      this.strip.scrollLeft = 0;
      this.repaint();
    } else if (button.parentElement === this.strip) {
      const k = [...this.strip.children].indexOf(button);
      if (k === this.picked) this.pick(null);
      else this.pick(k);
    } else if (button === this.resample) {
      this.draw();
    } else if (button === this.reset) {
      Object.assign(this, { mode: "points", filter: null });
      this.strip.scrollLeft = 0;
      this.pick(null);
      this.move([0, 0]);
      this.repaint();
    }
  }

  /** z was moved by hand. */
  move(z) {
    this.eps = null;
    this.go(z.map((v, j) => clamp(v, this.linear[j].low, this.linear[j].high)));
  }
  go(z) {
    this.z = z;
    this.schedule(true);
  }
  /** z was moved elsewhere: by the kernel or by another view. */
  arrive(z) {
    this.z = z;
    this.eps = null;
    this.schedule(false);
  }

  pick(k) {
    this.picked = k;
    this.eps = null;
    this.samples = [];
    clearTimeout(this.slice);
    if (k !== null) {
      this.target = this.x(k);
      this.drawImage(this.xCanvas, k);
      const label = this.classOf(k);
      this.xCanvas.setAttribute("aria-label", `Test image ${k + 1}` + (label === null ? "" : `, a ${label}`));
      this.xCaption.innerHTML = "<i>x</i>, a test image" + (label === null ? "" : `<br>labelled ${label}`);
      const code = [this.arrays.means[2 * k], this.arrays.means[2 * k + 1]];
      const out = this.decode(code);
      if (this.q) {
        this.uniform = makeUniform(k + 1); // the same samples for the same image, every time
        this.centre = this.logLikelihood(this.target, out) - klTerms(this.q).reduce((a, b) => a + b);
        this.trace(k);
        this.draw();
      } else {
        this.best = squaredError(this.target, this.squash ? Float32Array.from(out, sigmoid) : out);
        this.go(code);
      }
    }
    this.marks();
    this.schedule(false);
  }

  /** z = μ + L ε with a new ε. */
  draw() {
    if (!this.q) return;
    this.eps = drawEps(this.uniform);
    const z = posteriorPoint(this.q, this.eps);
    const [a, b] = klTerms(this.q);
    this.samples.push(this.logLikelihood(this.target, this.decode(z)) - a - b);
    this.go(z);
  }

  /** Find the exact posterior of image k on a grid, a few milliseconds at a time. */
  trace(k) {
    if (this.contours.has(k) || !Number.isFinite(this.arrays.evidence[k])) return;
    const [c1, c2, half] = this.arrays.windows.subarray(3 * k, 3 * k + 3), x = this.target;
    const step = (2 * half) / (GRID - 1), values = new Float64Array(GRID * GRID);
    let at = 0;
    const work = () => {
      for (const stop = performance.now() + 4; at < values.length && performance.now() < stop; at++) {
        const z = [c1 - half + step * Math.floor(at / GRID), c2 - half + step * (at % GRID)];
        values[at] = this.logLikelihood(x, this.decode(z)) + priorLogDensity(z);
      }
      if (at < values.length) return void (this.slice = setTimeout(work));
      const most = values.reduce((a, b) => Math.max(a, b));
      const levels = massLevels(values.map((v) => Math.exp(v - most)), SHARES);
      // contours of the logarithm: it is nearly quadratic, so straight steps follow it well
      this.contours.set(k, levels.map((level) =>
        contour(values, GRID, Math.log(level) + most).map(([i, j, k2, l]) => [
          [c1 - half + step * i, c2 - half + step * j], [c1 - half + step * k2, c2 - half + step * l]])));
      this.schedule(false);
    };
    this.slice = setTimeout(work);
  }

  // -------- painting

  theme() {
    this.root.dataset.theme = isDark() ? "dark" : "light";
    const style = getComputedStyle(this.root), read = (name) => style.getPropertyValue(`--lx-${name}`).trim();
    this.ink = Object.fromEntries(["text", "muted", "plot", "line", "generative", "inference", "latent", "gap",
      "exact", "data"].map((name) => [name, read(name)]));
    this.font = style.fontFamily;
    this.repaint();
  }

  resize() {
    const width = this.canvas.parentElement.clientWidth;
    if (!width) return;
    this.ratio = Math.min(window.devicePixelRatio || 1, 3);
    this.side = Math.round(width - MARGIN.left - MARGIN.right);
    const height = this.side + MARGIN.top + MARGIN.bottom;
    for (const canvas of [this.canvas, this.static])
      Object.assign(canvas, { width: Math.round(width * this.ratio), height: Math.round(height * this.ratio) });
    Object.assign(this.plane.style, {
      left: `${MARGIN.left}px`, top: `${MARGIN.top}px`, width: `${this.side}px`, height: `${this.side}px` });
    const ledger = this.ledger.clientWidth;
    if (ledger) Object.assign(this.ledger, {
      width: Math.round(ledger * this.ratio), height: Math.round(this.ledger.clientHeight * this.ratio) });
    this.repaint();
  }

  /** Paint what does not move with z, once. */
  repaint() {
    this.marks();
    if (!this.side) return;
    const c = this.static.getContext("2d"), { side, ink } = this;
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.clearRect(0, 0, this.static.width, this.static.height);
    c.translate(MARGIN.left, MARGIN.top);
    c.fillStyle = ink.plot;
    c.fillRect(0, 0, side, side);
    c.save();
    c.beginPath();
    c.rect(0, 0, side, side);
    c.clip();
    if (this.mode === "manifold") this.paintManifold(c);
    else this.paintPoints(c);
    c.restore();
    this.paintAxes(c);
    this.painted++;
    this.schedule(false);
  }

  toPlane = (z) => [this.axes[0].to(z[0]) * this.side, (1 - this.axes[1].to(z[1])) * this.side];

  paintPoints(c) {
    const { points, labels } = this.arrays, { ink } = this;
    if (this.spec.posterior) this.paintPrior(c);
    const sums = Array.from({ length: 10 }, () => []);
    const radius = this.side < 330 ? 1.7 : 2;
    for (let i = 0; i < points.length / 2; i++) {
      const [px, py] = this.toPlane([points[2 * i], points[2 * i + 1]]);
      const label = labels ? labels[i] : null;
      c.globalAlpha = this.filter === null || this.filter === label ? 0.7 : 0.07;
      c.fillStyle = labels ? this.spec.digit_colours[label] : ink.data;
      c.beginPath();
      c.arc(px, py, radius, 0, 7);
      c.fill();
      if (labels) sums[label].push([px, py]);
    }
    c.globalAlpha = 1;
    // each digit's name where its points are: the median is not drawn away by stragglers
    const names = sums.map((places, label) => ({ label, count: places.length,
      at: [0, 1].map((j) => places.map((p) => p[j]).sort((a, b) => a - b)[places.length >> 1]) }))
      .filter(({ label, count }) => count && (this.filter === null || this.filter === label));
    separate(names.map(({ at }) => at), 21);
    c.font = `700 13px ${this.font}`;
    c.textAlign = "center";
    c.textBaseline = "middle";
    c.lineWidth = 2;
    for (const { label, at: [px, py] } of names) {
      c.beginPath();
      c.arc(px, py, 9.5, 0, 7);
      c.fillStyle = this.spec.digit_colours[label];
      c.fill();
      c.strokeStyle = ink.plot;
      c.stroke();
      c.fillStyle = "white";
      c.fillText(label, px, py + 1);
    }
    if (this.spec.posterior) this.namePrior(c, names.map(({ at }) => at));
  }

  /** The prior's circles of 1, 2 and 3 standard deviations. */
  paintPrior(c) {
    c.strokeStyle = this.ink.generative;
    c.lineWidth = 1;
    c.globalAlpha = 0.4;
    for (const r of [1, 2, 3]) {
      this.line(c, circle.map(([x, y]) => this.toPlane([r * x, r * y])));
      c.stroke();
    }
    c.globalAlpha = 1;
  }

  /** Their names, each at the place on its circle that is farthest from the digits' names. */
  namePrior(c, taken) {
    c.font = `11px ${this.font}`;
    for (const r of [1, 2, 3]) {
      const room = ([x, y]) => Math.min(...taken.map((at) => Math.hypot(at[0] - x, at[1] - y)), this.side);
      const places = circle.slice(0, 64).filter((_, k) => k % 8 === 4)
        .map(([x, y]) => this.toPlane([r * x, r * y]));
      const [px, py] = places.reduce((best, place) => (room(place) > room(best) + 1 ? place : best));
      this.haloText(c, `${r} sd`, px, py, this.ink.generative);
    }
  }

  haloText(c, text, px, py, colour) {
    c.lineJoin = "round";
    c.strokeStyle = this.ink.plot;
    c.lineWidth = 3.5;
    c.strokeText(text, px, py);
    c.fillStyle = colour;
    c.fillText(text, px, py);
  }

  paintManifold(c) {
    const { width, height, side } = this, cell = Math.max(width, height);
    if (!this.tiles) {
      this.tiles = document.createElement("canvas");
      this.tiles.width = this.tiles.height = TILES * cell;
      const t = this.tiles.getContext("2d"), data = new ImageData(width, height);
      const [a, b] = this.axes;
      t.fillRect(0, 0, TILES * cell, TILES * cell);
      for (let i = 0; i < TILES; i++)
        for (let j = 0; j < TILES; j++) {
          this.grey(this.decode([a.from((i + 0.5) / TILES), b.from(1 - (j + 0.5) / TILES)]), data.data);
          t.putImageData(data, i * cell + ((cell - width) >> 1), j * cell + ((cell - height) >> 1));
        }
    }
    c.imageSmoothingQuality = "high";
    c.drawImage(this.tiles, 0, 0, side, side);
  }

  paintAxes(c) {
    const { side, ink } = this, [a, b] = this.axes;
    c.strokeStyle = ink.line;
    c.lineWidth = 1;
    c.strokeRect(-0.5, -0.5, side + 1, side + 1);
    c.fillStyle = ink.muted;
    c.font = `12px ${this.font}`;
    c.beginPath();
    const text = (v) => number(v, 6).replace(/\.?0+$/, "");
    for (const v of a.ticks) {
      const px = a.to(v) * side;
      if (px > side - 16) continue; // the axis is named there
      c.moveTo(px, side + 1);
      c.lineTo(px, side + 5);
      c.textAlign = "center";
      c.textBaseline = "top";
      c.fillText(text(v), px, side + 8);
    }
    for (const v of b.ticks) {
      const py = (1 - b.to(v)) * side;
      if (py < 16) continue;
      c.moveTo(-1, py);
      c.lineTo(-5, py);
      c.textAlign = "right";
      c.textBaseline = "middle";
      c.fillText(text(v), -8, py);
    }
    c.stroke();
    c.fillStyle = ink.text;
    for (const [index, px, py] of [["1", side - 6, side + 15], ["2", -14, 7]]) {
      c.textAlign = "center";
      c.textBaseline = "middle";
      c.font = `italic 15px ${this.font}`;
      c.fillText("z", px - 3, py);
      c.font = `10px ${this.font}`;
      c.fillText(index, px + 4, py + 4);
    }
  }

  line(c, places) {
    c.beginPath();
    places.forEach(([x, y], k) => (k ? c.lineTo(x, y) : c.moveTo(x, y)));
  }

  /** Stroke the current path in `colour`, on a halo that sets it off from what lies beneath. */
  stroke(c, colour, width) {
    c.strokeStyle = this.ink.plot;
    c.globalAlpha = 0.75;
    c.lineWidth = width + 2.5;
    c.stroke();
    c.globalAlpha = 1;
    c.strokeStyle = colour;
    c.lineWidth = width;
    c.stroke();
  }

  schedule(tell) {
    this.told = this.told || tell;
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
      if (this.told) {
        this.told = false;
        this.model.set("z", [...this.z]);
        this.model.save_changes();
      }
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.speak(), 600);
    });
  }

  paint() {
    const start = performance.now();
    this.out = this.decode(this.z);
    this.grey(this.out, this.picture.data);
    this.decodedCanvas.getContext("2d").putImageData(this.picture, 0, 0);
    const v = (this.value = this.values());
    if (this.side) this.paintPlane();
    if (v.likelihood !== undefined) this.paintLedger(v);
    this.write(v); // last: a canvas asked for its font after a change of text would lay out the page
    // seen by observers, then gone: entries do not pile up
    performance.measure("latent-explorer:paint", { start, end: performance.now() });
    performance.clearMeasures("latent-explorer:paint");
  }

  paintPlane() {
    const c = this.canvas.getContext("2d"), { side, ink, q } = this;
    const [px, py] = this.toPlane(this.z);
    this.loupe = q ? this.placeLoupe(px, py) : null;
    this.paintBackdrop();
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, this.canvas.width, this.canvas.height);
    c.drawImage(this.backdrop, 0, 0);
    c.setTransform(this.ratio, 0, 0, this.ratio, MARGIN.left * this.ratio, MARGIN.top * this.ratio);
    if (this.eps) this.paintNoise(c);
    this.point(c, clamp(px, 0, side), clamp(py, 0, side), 7);
    if (this.loupe) {
      const { left, top, size } = this.loupe, [x, y] = this.toLoupe(this.z);
      if (x > left && x < left + size && y > top && y < top + size) this.point(c, x, y, 5);
    }
    // the coordinates, on the axes
    c.fillStyle = ink.latent;
    for (const [x, y, dx, dy] of [[clamp(px, 0, side), side, 5, 7], [0, clamp(py, 0, side), -7, 5]]) {
      c.beginPath();
      c.moveTo(x, y);
      c.lineTo(x + dx, y + dy);
      c.lineTo(x + (dx > 0 ? -dx : dx), y + (dx > 0 ? dy : -dy));
      c.fill();
    }
  }

  /** The static layer with the picked image's posterior on it, painted when either changes. */
  paintBackdrop() {
    const { q, loupe, side } = this;
    const state = [this.painted, this.picked, this.contours.has(this.picked), loupe && loupe.left, loupe && loupe.top];
    if (state.join() === this.backed) return;
    this.backed = state.join();
    Object.assign(this.backdrop, { width: this.static.width, height: this.static.height });
    const c = this.backdrop.getContext("2d");
    c.drawImage(this.static, 0, 0);
    if (!q) return;
    c.setTransform(this.ratio, 0, 0, this.ratio, MARGIN.left * this.ratio, MARGIN.top * this.ratio);
    c.beginPath();
    c.rect(0, 0, side, side);
    c.clip();
    this.paintPosterior(c, q, this.toPlane, !loupe);
    if (loupe) this.paintLoupe(c, q);
    else this.paintKey(c, 8, side - 8);
  }

  /** σ ⊙ ε, from μ to z. */
  paintNoise(c) {
    const place = this.loupe ? this.toLoupe : this.toPlane;
    this.line(c, [place(this.q.mean), place(this.z)]);
    this.stroke(c, this.ink.inference, 2);
  }

  point(c, px, py, radius) {
    c.beginPath();
    c.arc(px, py, radius, 0, 7);
    c.fillStyle = this.ink.latent;
    c.fill();
    c.lineWidth = 4.5;
    c.strokeStyle = this.ink.plot;
    c.stroke();
    c.lineWidth = 2;
    c.strokeStyle = this.ink.latent;
    c.stroke();
  }

  paintPosterior(c, q, place, detailed) {
    const exact = this.contours.get(this.picked);
    if (exact) {
      for (const segments of exact) {
        c.beginPath();
        for (const [from, to] of segments) {
          c.moveTo(...place(from));
          c.lineTo(...place(to));
        }
        this.stroke(c, this.ink.exact, detailed ? 1.3 : 1);
      }
    }
    for (const r of [1, 2]) {
      this.line(c, circle.map(([x, y]) => place(posteriorPoint(q, [r * x, r * y]))));
      this.stroke(c, this.ink.inference, r === 1 ? 2 : 1.2);
    }
    const [mx, my] = place(q.mean);
    if (!detailed) return;
    this.line(c, [[mx - 4, my], [mx + 4, my]]);
    c.moveTo(mx, my - 4);
    c.lineTo(mx, my + 4);
    this.stroke(c, this.ink.inference, 1.5);
  }

  /** What the curves are, in their colours. */
  paintKey(c, px, py) {
    c.font = `italic 12px ${this.font}`;
    c.textAlign = "left";
    c.textBaseline = "bottom";
    this.haloText(c, "q(z|x)", px, py, this.ink.inference);
    if (this.contours.has(this.picked)) this.haloText(c, "p(z|x)", px + 46, py, this.ink.exact);
  }

  /** Where the loupe goes: the nearest corner that hides neither z nor q; null where q is wide. */
  placeLoupe(px, py) {
    const { q, side } = this, { low, high } = this.linear[0];
    const size = clamp(Math.round(side * 0.34), 100, 140), gap = 8, far = side - size - gap;
    const widest = size / 4 / side * (high - low); // it magnifies twice at least
    let centre = q.mean, half = 3.2 * Math.max(q.tril[0], Math.hypot(q.tril[1], q.tril[2]));
    if (half > widest) return null;
    if (Number.isFinite(this.arrays.evidence[this.picked])) {
      // show the exact posterior too, if it is near
      const window = this.arrays.windows.subarray(3 * this.picked, 3 * this.picked + 3);
      const ends = [0, 1].map((j) => [
        Math.min(q.mean[j] - half, window[j] - window[2]), Math.max(q.mean[j] + half, window[j] + window[2])]);
      const joint = Math.max(...ends.map(([a, b]) => (b - a) / 2));
      if (joint < Math.min(2.5 * half, widest)) {
        half = joint;
        centre = ends.map(([a, b]) => (a + b) / 2);
      }
    }
    const [cx, cy] = this.toPlane(centre), reach = half / (high - low) * side;
    const corners = [[far, gap], [gap, gap], [gap, far], [far, far]];
    const distance = ([x, y]) => Math.hypot(x + size / 2 - cx, y + size / 2 - cy);
    const free = ([x, y]) => [[px, py, 12], [cx, cy, reach]].every(
      ([a, b, room]) => a < x - room || a > x + size + room || b < y - room || b > y + size + room);
    corners.sort((a, b) => distance(a) - distance(b));
    const held = this.drag === "loupe" && this.loupe;
    const [left, top] = held ? [held.left, held.top] : corners.find(free) || corners[3];
    return { left, top, size, centre, half };
  }

  toLoupe = (z) => {
    const { left, top, size, centre, half } = this.loupe;
    return [left + ((z[0] - centre[0]) / half + 1) * size / 2, top + (1 - (z[1] - centre[1]) / half) * size / 2];
  };

  paintLoupe(c, q) {
    const { left, top, size, centre, half } = this.loupe, { ink } = this;
    // the window on the plane, and the beam from it
    const [ax, ay] = this.toPlane([centre[0] - half, centre[1] + half]);
    const [bx, by] = this.toPlane([centre[0] + half, centre[1] - half]);
    c.beginPath();
    c.rect(ax, ay, bx - ax, by - ay);
    const across = (left - ax) * (top - ay) > 0; // on a falling diagonal the outer corners join otherwise
    const ends = across ? [[bx, ay, left + size, top], [ax, by, left, top + size]]
      : [[ax, ay, left, top], [bx, by, left + size, top + size]];
    for (const [x0, y0, x1, y1] of ends) {
      c.moveTo(x0, y0);
      c.lineTo(x1, y1);
    }
    this.stroke(c, ink.muted, 0.8);
    c.save();
    c.beginPath();
    c.rect(left, top, size, size);
    c.fillStyle = ink.plot;
    c.fill();
    c.clip();
    this.paintPosterior(c, q, this.toLoupe, true);
    const scale = size / (2 * half) / (this.side / (this.linear[0].high - this.linear[0].low));
    this.paintKey(c, left + 6, top + size - 6);
    c.font = `11px ${this.font}`;
    c.textBaseline = "top";
    c.fillStyle = ink.muted;
    c.fillText(`× ${scale < 10 ? scale.toFixed(1) : Math.round(scale)}`, left + 6, top + 6);
    c.restore();
    c.strokeStyle = ink.muted;
    c.lineWidth = 1;
    c.strokeRect(left + 0.5, top + 0.5, size - 1, size - 1);
  }

  // -------- numbers and words

  /** The numbers of the present state, in nats where they are logarithms. */
  values() {
    const { z, out, q } = this, v = { z };
    if (this.spec.posterior) v.prior = priorLogDensity(z);
    if (this.picked === null) {
      if (this.arrays.labels) v.near = nearestLabel(this.arrays.points, this.arrays.labels, z);
      return v;
    }
    if (!q) {
      v.error = squaredError(this.target, this.squash ? Float32Array.from(out, sigmoid) : out);
      return v;
    }
    v.terms = klTerms(q);
    v.kl = v.terms[0] + v.terms[1];
    v.likelihood = this.logLikelihood(this.target, out);
    v.evidence = this.arrays.evidence[this.picked];
    if (this.eps) v.total = v.likelihood - v.kl;
    else v.total = v.likelihood + v.prior - posteriorLogDensity(q, z);
    v.mean = this.samples.reduce((a, b) => a + b, 0) / this.samples.length;
    return v;
  }

  /** Numbers and captions; only what changed. */
  write(v) {
    const rows = [];
    if (v.likelihood !== undefined) {
      const split = this.spec.posterior === "diagonal"
        ? `${number(v.terms[0])} + ${number(v.terms[1])} = ${number(v.kl)}` : number(v.kl);
      rows.push(["likelihood", number(v.likelihood)], ["kl", split],
        [this.eps ? "elbo" : "weight", number(v.total)],
        ["mean", number(v.mean), `mean of ${this.samples.length} sample${this.samples.length > 1 ? "s" : ""}`]);
      if (Number.isFinite(v.evidence)) rows.push(["evidence", number(v.evidence)]);
    } else if (v.error !== undefined) {
      rows.push(["error", number(v.error)], ["best", number(this.best)]);
    } else {
      if (v.near) rows.push(["near", this.nearby(v.near)]);
      if (v.prior !== undefined) rows.push(["prior", number(v.prior)]);
    }
    [...this.numbers.rows].forEach((row, k) => {
      const [kind, text, label = LABELS[kind] || ""] = rows[k] || ["", ""];
      if (row.label !== label) {
        row.dataset.kind = kind;
        row.hidden = !kind;
        row.cells[0].innerHTML = row.label = label;
      }
      if (row.cells[1].textContent !== text) row.cells[1].textContent = text;
    });
    this.captions();
  }

  nearby({ label, votes }) {
    return votes === 15 ? `all ${label}` : votes > 7 ? `mostly ${label}` : "mixed";
  }

  captions() {
    this.where.textContent = pair(this.z);
    this.z1.value = this.z[0];
    this.z2.value = this.z[1];
    let note = "";
    if (this.q) note = this.eps
      ? `<i>z</i> = <i>μ</i> + ${this.spec.posterior === "full" ? "<i>Lε</i>" : "<i>σ</i> ⊙ <i>ε</i>"} with <i>ε</i> = ${pair(this.eps)}. All values in nats.`
      : `<i>z</i> was moved by hand, so it is no sample of ${Q} and has no ELBO; the mean of ○ under <i>q</i> is the ELBO. All values in nats.`;
    if (this.noted !== note) this.note.innerHTML = this.noted = note;
  }

  /** log p(x|z), the KL below it, and where that lands, on one axis of nats. */
  paintLedger(v) {
    const canvas = this.ledger, c = canvas.getContext("2d"), { ink } = this, mid = 16;
    const width = canvas.width / this.ratio, span = Math.max(v.kl, 4);
    const low = this.centre - 2.4 * span;
    const high = Math.max(this.centre + 1.8 * span, (v.evidence || -Infinity) + 0.4 * span);
    const at = (value) => clamp(((value - low) / (high - low)) * width, 7, width - 7);
    const state = [this.painted, this.picked, this.samples.length].join();
    if (state !== this.ledgerState) {
      this.ledgerState = state;
      this.paintLedgerAxis(v, low, high, at, width);
    }
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, canvas.width, canvas.height);
    if (!canvas.width) return;
    c.drawImage(this.ledgerAxis, 0, 0);
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.setLineDash(this.eps ? [] : [3, 3]);
    this.line(c, [[at(v.likelihood), mid], [at(v.total), mid]]);
    c.strokeStyle = this.eps ? ink.gap : ink.muted;
    c.lineWidth = this.eps ? 4 : 2;
    c.stroke();
    c.setLineDash([]);
    const mark = (value, colour, filled, shape) => {
      const px = at(value), out = value < low ? -5 : value > high ? 5 : 0;
      c.beginPath();
      if (out) { // off the axis: a triangle that points to where it is
        c.moveTo(px + out * 0.8, mid);
        c.lineTo(px - out, mid - 6);
        c.lineTo(px - out, mid + 6);
        c.closePath();
      } else if (shape === "square") c.rect(px - 4, mid - 4, 8, 8);
      else c.arc(px, mid, 5, 0, 7);
      c.fillStyle = filled ? colour : ink.plot;
      c.fill();
      c.strokeStyle = colour;
      c.lineWidth = 2;
      c.stroke();
    };
    mark(v.likelihood, ink.generative, true, "square");
    mark(v.total, ink.inference, this.eps, "dot");
  }

  /** What stays while z moves: the axis, log p(x), and the samples so far. */
  paintLedgerAxis(v, low, high, at, width) {
    const canvas = Object.assign(this.ledgerAxis, { width: this.ledger.width, height: this.ledger.height });
    const c = canvas.getContext("2d"), { ink } = this, base = canvas.height / this.ratio - 17;
    c.scale(this.ratio, this.ratio);
    c.font = `11px ${this.font}`;
    c.textAlign = "center";
    c.textBaseline = "top";
    c.fillStyle = ink.muted;
    c.strokeStyle = ink.line;
    this.line(c, [[0, base], [width, base]]);
    for (const tick of niceTicks(low, high, 5)) {
      c.moveTo(at(tick), base);
      c.lineTo(at(tick), base + 4);
      if (at(tick) > 18 && at(tick) < width - 18) c.fillText(number(tick, 0), at(tick), base + 6);
    }
    c.stroke();
    if (Number.isFinite(v.evidence)) {
      this.line(c, [[at(v.evidence), 2], [at(v.evidence), base]]);
      c.strokeStyle = ink.exact;
      c.lineWidth = 2;
      c.stroke();
    }
    c.strokeStyle = ink.inference;
    c.lineWidth = 1.5;
    c.globalAlpha = 0.45;
    for (const sample of this.samples.slice(-200)) {
      this.line(c, [[at(sample), base - 9], [at(sample), base - 1]]);
      c.stroke();
    }
  }

  speak() {
    const v = this.value, parts = [`z = ${pair(v.z)}`];
    if (v.near) parts.push(v.near.votes > 7 ? `test points nearby are ${this.nearby(v.near)}` : "test points nearby are mixed");
    if (v.likelihood !== undefined)
      parts.push(`log p(x|z) ${number(v.likelihood)}`, this.eps ? `ELBO of this sample ${number(v.total)}` : "moved by hand");
    if (v.error !== undefined) parts.push(`squared error ${number(v.error)}`);
    const text = parts.join(", ") + ".";
    if (this.live.textContent !== text) this.live.textContent = text;
    this.decodedCanvas.setAttribute("aria-label", `Decoded image at z = ${pair(v.z)}` +
      (v.near && v.near.votes > 7 ? `, in a region of ${v.near.label}` : ""));
  }

  items() {
    return [...this.strip.children].filter((item) => !item.hidden);
  }

  /** Bring buttons and classes in line with the state. */
  marks() {
    this.root.classList.toggle("lx-has-pick", this.picked !== null);
    this.root.classList.toggle("lx-has-posterior", this.q !== null);
    this.resample.disabled = !this.q;
    for (const button of this.root.querySelectorAll("[data-mode]"))
      button.setAttribute("aria-pressed", button.dataset.mode === this.mode);
    for (const chip of this.legend.children)
      chip.setAttribute("aria-pressed", +chip.dataset.label === this.filter);
    const items = [...this.strip.children];
    items.forEach((item, k) => {
      item.setAttribute("aria-checked", k === this.picked);
      item.tabIndex = k === this.picked ? 0 : -1;
      item.hidden = this.filter !== null && this.classOf(k) !== this.filter && k !== this.picked;
    });
    if (this.picked === null) this.items()[0].tabIndex = 0;
    else {
      const item = items[this.picked], { scrollLeft, clientWidth } = this.strip;
      if (item.offsetLeft < scrollLeft || item.offsetLeft + item.offsetWidth > scrollLeft + clientWidth)
        this.strip.scrollLeft = item.offsetLeft - clientWidth / 2;
    }
  }
}

async function render({ model, el }) {
  const arrays = await unpack(model.get("arrays"), model.get("spec").table);
  const root = document.createElement("div");
  root.className = "latent-explorer";
  el.append(root);
  const view = new View(model, root, arrays);
  return () => view.off.abort();
}

export default { render };
