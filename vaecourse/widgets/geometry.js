// Axes, and plots on a canvas with handles. Python puts this text after shared.js, and before a
// widget's own.

// ---------------------------------------------------------------- axes

/** About `most` round numbers from low to high, and at least three of them if `most` allows. */
export function niceTicks(low, high, most) {
  for (let parts = most; ; parts++) {
    const raw = (high - low) / parts, power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((m) => m * power >= raw - 1e-9 * power);
    const ticks = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++)
      ticks.push(+(k * step).toPrecision(6));
    if (ticks.length >= Math.min(3, most) || parts > 3 * most) return ticks; // none on an axis of no length
  }
}

/** An axis maps values to [0, 1] and back; `ticks` are [value, text]. */
export const linearAxis = (low, high, most = 8) => ({
  low, high,
  to: (v) => (v - low) / (high - low),
  from: (t) => low + t * (high - low),
  ticks: niceTicks(low, high, most).map((v) => [v, short(v)]),
});

/** Push places apart, in place, until no two are nearer than `room`. */
export function separate(places, room) {
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

// ---------------------------------------------------------------- a plot

const GRASP = 30; // pixels within which a pointer takes hold of a handle
const FAR = 1e5; // steps of a key: to the end

/**
 * A crisp canvas in a stage of the page, with axes `x` and `y`, and handles to drag: sideways, or,
 * if they are `free`, anywhere; if they `follow`, they come to the pointer wherever it is.
 */
export class Plot {
  constructor(figure, stage, { height, x, y, margin, free = false, follow = false }) {
    Object.assign(this, { figure, x, y, margin, height, free, follow, handles: [], layers: {} });
    this.stage = figure.find(stage);
    this.stage.classList.add("vw-stage");
    this.stage.classList.toggle("vw-free", free);
    this.stage.classList.toggle("vw-follow", follow);
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.stage.append(this.canvas);
    figure.plots.push(this);
  }

  resize() {
    const { margin, canvas } = this, across = this.stage.clientWidth;
    const down = this.height + margin.top + margin.bottom;
    this.ratio = Math.min((window.devicePixelRatio || 1) * this.figure.zoom, 4);
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
    return this.clear(this.canvas);
  }

  clear(canvas) {
    const c = canvas.getContext("2d"), { ratio, margin } = this;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, canvas.width, canvas.height);
    c.setTransform(ratio, 0, 0, ratio, margin.left * ratio, margin.top * ratio);
    c.lineJoin = "round";
    return c;
  }

  /** What `paint` draws, painted anew only where `key`, the size or the theme is another. */
  layer(c, name, key, paint) {
    const { width, height } = this.canvas, now = [key, width, height, this.figure.root.dataset.theme].join();
    const layer = (this.layers[name] ??= { canvas: document.createElement("canvas") });
    if (layer.key !== now) {
      layer.key = now;
      Object.assign(layer.canvas, { width, height });
      const d = this.clear(layer.canvas);
      d.save();
      paint(d);
      d.restore();
    }
    c.save();
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.drawImage(layer.canvas, 0, 0);
    c.restore();
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

  /** f at every pixel of the axis. */
  sample(f) {
    const steps = Math.ceil(this.width);
    return Float64Array.from({ length: steps + 1 }, (_, k) => f(this.x.from(k / steps)));
  }

  /** The path of v = f(u) over the whole axis, or of a sample of f. */
  curve(c, f) {
    const values = typeof f === "function" ? this.sample(f) : f, step = this.width / (values.length - 1);
    c.beginPath();
    for (let k = 0; k < values.length; k++) c.lineTo(k * step, this.py(values[k]));
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
    const px = this.px(u), py = this.py(v), radius = corners ? 12 : 11;
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

  /** The mark of the handle of one of several things: a disc with its number, all of it on the canvas. */
  numbered(c, [u, v], text, colour, letter = this.figure.ink.plot) {
    const { margin: { left, right, top, bottom }, figure: { ink, font } } = this;
    const px = clamp(this.px(u), 13 - left, this.width + right - 13);
    const py = clamp(this.py(v), 13 - top, this.height + bottom - 13);
    c.beginPath();
    c.arc(px, py, 12, 0, 7);
    c.fillStyle = colour;
    c.fill();
    this.stroke(c, ink.plot, 2);
    c.fillStyle = letter;
    c.font = `650 14px ${font}`;
    c.textAlign = "center";
    c.textBaseline = "middle";
    c.fillText(text, px, py + 1);
  }

  /** A dot that is no handle. */
  dot(c, px, py, radius, colour) {
    c.beginPath();
    c.arc(px, py, radius, 0, 7);
    c.fillStyle = colour;
    c.fill();
  }

  /** Stripes within the present path, which is between two heights. */
  hatch(c, top, bottom, colour) {
    const down = bottom - top;
    c.save();
    c.clip();
    c.beginPath();
    for (let x = -down; x < this.width; x += 7) {
      c.moveTo(x, bottom);
      c.lineTo(x + down, top);
    }
    c.globalAlpha = 0.6;
    this.stroke(c, colour, 1.5);
    c.restore();
  }

  /** A part of a bar, and its name in it if there is room. */
  part(c, from, to, top, high, colour, alpha, text = "") {
    c.fillStyle = colour;
    c.globalAlpha = alpha;
    c.fillRect(from, top, to - from, high);
    c.globalAlpha = 1;
    this.inside(c, text, from, to, top + high / 2 + 1);
  }
  inside(c, text, from, to, middle) {
    const { ink, font } = this.figure;
    c.font = `13px ${font}`;
    if (c.measureText(text).width > to - from - 10) return;
    c.fillStyle = ink.text;
    c.textAlign = "center";
    c.textBaseline = "middle";
    c.fillText(text, (from + to) / 2, middle);
  }

  /** What goes on beyond an edge: an arrowhead at px, `out` pixels long to the left or the right. */
  beyond(c, px, middle, out, half, colour) {
    c.beginPath();
    c.moveTo(px, middle - half);
    c.lineTo(px + out, middle);
    c.lineTo(px, middle + half);
    c.closePath();
    c.fillStyle = colour;
    c.fill();
  }

  /**
   * A handle for pointer, touch and keyboard. In the plot's coordinates:
   *   label; at() -> [u, v], where it is; drag(u, v), the pointer takes it there;
   *   nudge(right, up), arrow keys, ±1 or with Shift ±5, Page keys ±10 up, and Home and End as far
   *   as it goes: down and up, or, for a handle whose value is `across`, left and right;
   *   range() -> [value, least, most]; text().
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
      const end = (sign) => (handle.across ? [sign * FAR, 0] : [0, sign * FAR]);
      const by = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, far], ArrowDown: [0, -far],
        PageUp: [0, 10], PageDown: [0, -10], Home: end(-1), End: end(1) }[e.key];
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
      const box = stage.getBoundingClientRect(), zoom = box.width / stage.offsetWidth;
      return [(e.clientX - box.left) / zoom - this.margin.left, (e.clientY - box.top) / zoom - this.margin.top];
    };
    figure.on(stage, "pointerdown", (e) => {
      if (e.button || !e.isPrimary || (this.free && !e.target.closest(".vw-handle"))) return;
      const [px, py] = where(e);
      const far = ({ at }) => Math.hypot(this.px(at()[0]) - px, this.py(at()[1]) - py);
      const nearest = this.handles.reduce((a, b) => (far(b) < far(a) ? b : a));
      const handle = far(nearest) < GRASP ? nearest : this.handles[0], [u, v] = handle.at();
      held = { drag: handle.drag, dx: this.px(u) - px, dy: this.py(v) - py };
      if (this.follow) this.pull(px, py, (held = { drag: handle.drag, dx: 0, dy: 0, ...this.grasp?.(px, py) }));
      stage.setPointerCapture(e.pointerId);
      handle.element.focus({ preventScroll: true });
      e.preventDefault();
    });
    figure.on(stage, "pointermove", (e) => held && this.pull(...where(e), held));
    figure.on(stage, "pointerup pointercancel lostpointercapture", () => (held = null));
  }

  /** A pointer takes what it holds along. */
  pull(px, py, { drag, dx, dy }) {
    drag(this.x.from((px + dx) / this.width), this.y.from(1 - (py + dy) / this.height));
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
