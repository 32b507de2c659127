// What the widgets share. Python puts this text before a widget's own, so the page gets one file
// without imports. In order: numbers, chance, axes, the view of a widget, and a plot on it.

// ---------------------------------------------------------------- numbers

export const LOG_2PI = Math.log(2 * Math.PI);

export const clamp = (v, low, high) => Math.min(high, Math.max(low, v));

/** A number as it is read out: fixed decimals, a true minus sign, never minus zero. */
export const number = (v, digits = 2) =>
  Number.isFinite(v) ? v.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", "−") : "–";

/** As few decimals as it takes, six at most. */
export const short = (v) => number(v, 6).replace(/\.?0+$/, "");

/** 10000 as "10,000". */
export const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

/** To the nearest multiple of `grain`, so that what is read is what is computed. */
export const round = (v, grain) => +(grain * Math.round(v / grain)).toFixed(6);

/** Any text, in text that is HTML: the one way by which what a caller named gets onto the page. */
export const plain = (value) => String(value).replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);

/** A symbol, in text that is HTML. */
export const i = (text) => `<i>${text}</i>`;

/** N(z; mean, sd²). */
export const normalDensity = (z, mean, sd) =>
  Math.exp(-0.5 * (((z - mean) / sd) ** 2 + LOG_2PI)) / sd;

// ---------------------------------------------------------------- chance

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

/** Standard normal numbers, the same for the same seed: two from two uniform ones (Box, Muller). */
export function makeNormal(seed) {
  const uniform = makeUniform(seed);
  let spare = null;
  return () => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())), angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

// ---------------------------------------------------------------- axes

export function niceTicks(low, high, most) {
  const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= raw - 1e-9 * power);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++)
    ticks.push(+(k * step).toPrecision(6));
  return ticks;
}

/** An axis maps values to [0, 1] and back; `ticks` are [value, text]. */
export const linearAxis = (low, high, most = 8) => ({
  low, high,
  to: (v) => (v - low) / (high - low),
  from: (t) => low + t * (high - low),
  ticks: niceTicks(low, high, most).map((v) => [v, short(v)]),
});

// ---------------------------------------------------------------- the view

/** Dark or light: the page's theme, then JupyterLab's, then the system's. */
export function isDark() {
  const theme = document.documentElement.dataset.theme;
  if (theme === "dark" || theme === "light") return theme === "dark";
  const lab = document.body.dataset.jpThemeLight;
  if (lab !== undefined) return lab === "false";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

const INKS = ["text", "muted", "plot", "line",
  "generative", "inference", "latent", "gap", "exact", "data"];

/**
 * The view of a widget. A subclass has a `name`, the `traits` that its state is made of, and
 *   build()    the page inside `this.body`: plots, handles, buttons (through `this.on`);
 *   paint()    everything that follows from `this.state`, once a frame at most;
 *   speech()   a sentence for those who listen, said when the hand rests.
 * The hand changes the state through `this.set`; `this.ink` and `this.font` follow the theme.
 */
export class Figure {
  constructor(model, el) {
    this.model = model;
    this.spec = model.get("spec");
    this.plots = [];
    this.off = new AbortController();
    this.root = document.createElement("div");
    this.root.innerHTML = `<p class="vw-title"></p><p class="vw-hint"></p><div class="vw-body"></div>
      <p class="vw-live" role="status" aria-live="polite"></p>`;
    this.body = this.find(".vw-body");
    el.append(this.root);
  }

  static widget() {
    return {
      render: ({ model, el }) => {
        const view = new this(model, el);
        view.start();
        return () => view.off.abort();
      },
    };
  }

  start() {
    this.root.className = `vw-figure ${this.name}`;
    this.state = Object.fromEntries(this.traits.map((trait) => [trait, this.model.get(trait)]));
    this.find(".vw-title").textContent = this.spec.title;
    this.build();
    this.listen();
    this.theme();
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  on(target, events, handler) {
    for (const event of events.split(" "))
      target.addEventListener(event, handler, { signal: this.off.signal });
  }

  listen() {
    this.on(matchMedia("(prefers-color-scheme: dark)"), "change", () => this.theme());
    const observer = new MutationObserver(() => this.theme());
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    const size = new ResizeObserver(() => {
      for (const plot of this.plots) plot.resize();
      this.schedule();
    });
    for (const { stage } of this.plots) size.observe(stage);
    const arrived = this.traits.map((trait) => {
      const listener = () => {
        const value = this.model.get(trait);
        if (String(value) === String(this.state[trait])) return;
        this.state[trait] = value;
        this.moved = true;
        this.schedule();
      };
      this.model.on(`change:${trait}`, listener);
      return [`change:${trait}`, listener];
    });
    this.off.signal.addEventListener("abort", () => {
      observer.disconnect();
      size.disconnect();
      for (const [event, listener] of arrived) this.model.off(event, listener);
      cancelAnimationFrame(this.frame);
      clearTimeout(this.timer);
    });
  }

  theme() {
    this.root.dataset.theme = isDark() ? "dark" : "light";
    const style = getComputedStyle(this.root);
    this.ink = Object.fromEntries(
      INKS.map((name) => [name, style.getPropertyValue(`--vw-${name}`).trim()]));
    this.font = style.fontFamily;
    this.schedule();
  }

  /** The hand changed traits, or what the view alone keeps; the kernel hears of it once a frame. */
  set(changes) {
    Object.assign(this.state, changes);
    this.moved = this.tell = true;
    this.schedule();
  }

  schedule() {
    if (this.frame || this.off.signal.aborted) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      const start = performance.now();
      this.paint();
      for (const plot of this.plots) plot.place();
      // seen by observers, then gone: entries do not pile up
      performance.measure(`${this.name}:paint`, { start, end: performance.now() });
      performance.clearMeasures(`${this.name}:paint`);
      if (this.tell) {
        this.tell = false;
        for (const trait of this.traits) this.model.set(trait, this.state[trait]);
        this.model.save_changes();
      }
      if (!this.moved) return; // nothing to say of a page that was opened or resized
      this.moved = false;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => (this.find(".vw-live").textContent = this.speech()), 600);
    });
  }
}

/** Put `html` into an element, unless it is there. */
export function write(element, html) {
  if (element.written === html) return;
  element.innerHTML = element.written = html;
}

function mark(element, attribute, value) {
  if (element.getAttribute(attribute) !== value) element.setAttribute(attribute, value);
}

// ---------------------------------------------------------------- a plot

const GRASP = 30; // pixels within which a pointer takes hold of a handle

/**
 * A crisp canvas in a stage of the page, with axes `x` and `y`, and handles to drag: sideways, or,
 * if they are `free`, anywhere.
 */
export class Plot {
  constructor(figure, stage, { height, x, y, margin, free = false }) {
    Object.assign(this, { figure, x, y, margin, height, free, handles: [] });
    this.stage = figure.find(stage);
    this.stage.classList.add("vw-stage");
    this.stage.classList.toggle("vw-free", free);
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.stage.append(this.canvas);
    figure.plots.push(this);
  }

  resize() {
    const { margin, canvas } = this, across = this.stage.clientWidth;
    const down = this.height + margin.top + margin.bottom;
    this.ratio = Math.min(window.devicePixelRatio || 1, 3);
    this.width = Math.max(0, across - margin.left - margin.right);
    Object.assign(canvas, {
      width: Math.round(across * this.ratio), height: Math.round(down * this.ratio) });
    canvas.style.height = `${down}px`;
  }

  px = (u) => this.x.to(u) * this.width;
  py = (v) => (1 - this.y.to(v)) * this.height;

  /** A clean context whose origin is the plot's upper left corner; null while there is no room. */
  begin() {
    if (!this.width) return null;
    const c = this.canvas.getContext("2d");
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, this.canvas.width, this.canvas.height);
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.translate(this.margin.left, this.margin.top);
    c.lineJoin = "round";
    return c;
  }

  /** Ticks and names: the horizontal axis below, the vertical one, if it is named, at the left. */
  axes(c, xName, yName) {
    const { width, height, margin, figure: { ink, font } } = this;
    c.strokeStyle = ink.line;
    c.fillStyle = ink.muted;
    c.lineWidth = 1;
    c.font = `12px ${font}`;
    c.beginPath();
    c.moveTo(0, height + 0.5);
    c.lineTo(width, height + 0.5);
    c.textAlign = "center";
    c.textBaseline = "top";
    const room = xName ? width + margin.right - c.measureText(xName).width * 1.25 - 8 : Infinity;
    for (const [v, text] of this.x.ticks) {
      const px = this.px(v);
      c.moveTo(px, height + 1);
      c.lineTo(px, height + 5);
      // the name stands at the right end
      if (px + c.measureText(text).width / 2 < room) c.fillText(text, px, height + 8);
    }
    if (yName) {
      c.moveTo(-0.5, 0);
      c.lineTo(-0.5, height);
      c.textAlign = "right";
      c.textBaseline = "middle";
      for (const [v, text] of this.y.ticks) {
        const py = this.py(v);
        c.moveTo(-1, py);
        c.lineTo(-5, py);
        c.fillText(text, -8, py);
      }
    }
    c.stroke();
    c.fillStyle = ink.text;
    c.font = `italic 14px ${font}`;
    c.textAlign = "right";
    c.textBaseline = "top";
    c.fillText(xName, width + margin.right - 2, height + 7);
    if (!yName) return;
    c.textAlign = "left";
    c.fillText(yName, 8, 0);
  }

  clip(c) {
    c.beginPath();
    c.rect(0, 0, this.width, this.height);
    c.clip();
  }

  /** Axes on which a unit is as long across as up, and all of the range is to be seen. */
  fit([[left, right], [low, high]]) {
    const unit = Math.min(this.width / (right - left), this.height / (high - low));
    const axis = (from, to, length) => {
      const middle = (from + to) / 2, half = length / unit / 2;
      return linearAxis(middle - half, middle + half);
    };
    this.x = axis(left, right, this.width);
    this.y = axis(low, high, this.height);
  }

  /** The path of mean + factor·u for u on a circle; a factor [a, b, c, d] is the matrix a b, c d. */
  ellipse(c, [mx, my], [xx, xy, yx, yy], radius) {
    c.beginPath();
    for (let k = 0; k < 72; k++) {
      const u = radius * Math.cos((k * Math.PI) / 36), v = radius * Math.sin((k * Math.PI) / 36);
      c.lineTo(this.px(mx + xx * u + xy * v), this.py(my + yx * u + yy * v));
    }
    c.closePath();
  }

  /** The path of v = f(u) over the whole axis. */
  curve(c, f) {
    const steps = Math.ceil(this.width);
    c.beginPath();
    for (let k = 0; k <= steps; k++) {
      const t = k / steps;
      c.lineTo(t * this.width, this.py(f(this.x.from(t))));
    }
  }

  /** Close the path along the horizontal axis and tint the area. */
  tint(c, colour, alpha = 0.16) {
    c.save();
    c.lineTo(this.width, this.height);
    c.lineTo(0, this.height);
    c.closePath();
    c.fillStyle = colour;
    c.globalAlpha = alpha;
    c.fill();
    c.restore();
  }

  stroke(c, colour, width, dash = []) {
    c.strokeStyle = colour;
    c.lineWidth = width;
    c.setLineDash(dash);
    c.stroke();
    c.setLineDash([]);
  }

  /** Words on the picture, set off from what lies beneath. */
  say(c, text, px, py, colour, align = "center") {
    const { ink, font } = this.figure;
    c.font = `italic 14px ${font}`;
    c.textAlign = align;
    c.textBaseline = "middle";
    c.strokeStyle = ink.plot;
    c.lineWidth = 4;
    c.strokeText(text, px, py);
    c.fillStyle = colour;
    c.fillText(text, px, py);
  }

  /** The mark of a handle: a disc, or with four `corners` a lozenge. */
  knob(c, [u, v], colour, corners = 0) {
    const px = this.px(u), py = this.py(v), radius = corners ? 9 : 8;
    c.beginPath();
    if (corners) {
      for (let k = 0; k < corners; k++)
        c.lineTo(px + radius * Math.cos((2 * Math.PI * k) / corners), py + radius * Math.sin((2 * Math.PI * k) / corners));
      c.closePath();
    } else c.arc(px, py, radius, 0, 7);
    c.fillStyle = colour;
    c.fill();
    this.stroke(c, this.figure.ink.plot, 4);
    this.stroke(c, colour, 1.5);
  }

  /** The mark of the handle of one of several things: a disc with its number. */
  numbered(c, [u, v], text, colour) {
    const px = this.px(u), py = this.py(v), { ink, font } = this.figure;
    c.beginPath();
    c.arc(px, py, 12, 0, 7);
    c.fillStyle = colour;
    c.fill();
    this.stroke(c, ink.plot, 2);
    c.fillStyle = ink.plot;
    c.font = `650 14px ${font}`;
    c.textAlign = "center";
    c.textBaseline = "middle";
    c.fillText(text, px, py + 1);
  }

  /**
   * A handle for pointer, touch and keyboard. In the plot's coordinates:
   *   label; at() -> [u, v], where it is; drag(u, v), the pointer takes it there;
   *   nudge(right, up), arrow keys, ±1 or with Shift ±5; range() -> [value, least, most]; text().
   * A pointer that comes down far from all handles moves the first, or, if they are free, none.
   */
  handle(handle) {
    const { figure, stage } = this, element = document.createElement("div");
    element.className = "vw-handle";
    element.tabIndex = 0;
    mark(element, "role", "slider");
    mark(element, "aria-label", handle.label);
    stage.append(element);
    figure.on(element, "keydown", (e) => {
      const far = e.shiftKey ? 5 : 1;
      const by = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] }[e.key];
      if (!by || e.altKey || e.ctrlKey || e.metaKey) return;
      handle.nudge(...by);
      e.preventDefault();
      e.stopPropagation(); // the notebook has uses of its own for arrows
    });
    this.handles.push({ ...handle, element });
    if (this.handles.length === 1) this.listen();
  }

  listen() {
    const { figure, stage } = this;
    let held = null;
    const where = (e) => {
      const box = stage.getBoundingClientRect();
      return [e.clientX - box.left - this.margin.left, e.clientY - box.top - this.margin.top];
    };
    figure.on(stage, "pointerdown", (e) => {
      if (e.button || !e.isPrimary || (this.free && !e.target.closest(".vw-handle"))) return;
      const [px, py] = where(e);
      const far = ({ at }) => Math.hypot(this.px(at()[0]) - px, this.py(at()[1]) - py);
      const nearest = this.handles.reduce((a, b) => (far(b) < far(a) ? b : a));
      const handle = far(nearest) < GRASP ? nearest : this.handles[0], [u, v] = handle.at();
      held = { handle, dx: this.px(u) - px, dy: this.py(v) - py };
      stage.setPointerCapture(e.pointerId);
      handle.element.focus({ preventScroll: true });
      e.preventDefault();
    });
    figure.on(stage, "pointermove", (e) => {
      if (!held) return;
      const [px, py] = where(e);
      held.handle.drag(this.x.from((px + held.dx) / this.width), this.y.from(1 - (py + held.dy) / this.height));
    });
    figure.on(stage, "pointerup pointercancel lostpointercapture", () => (held = null));
  }

  /** Bring the handles in line with the state. */
  place() {
    if (!this.width) return;
    for (const { element, at, range, text } of this.handles) {
      const [px, py] = [this.px(at()[0]), this.py(at()[1])], [value, least, most] = range();
      element.style.transform =
        `translate(${px + this.margin.left}px, ${clamp(py, 0, this.height) + this.margin.top}px)`;
      mark(element, "aria-valuenow", String(+value.toFixed(6)));
      mark(element, "aria-valuemin", String(+least.toFixed(6)));
      mark(element, "aria-valuemax", String(+most.toFixed(6)));
      mark(element, "aria-valuetext", text());
    }
  }
}

/** A plot as high as it is wide. */
export class Square extends Plot {
  resize() {
    const { left, right } = this.margin;
    this.height = Math.max(0, this.stage.clientWidth - left - right);
    super.resize();
  }
}
