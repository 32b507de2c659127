// The Fréchet explorer: the mathematics, which mirrors Python and is tested against it, and the
// view. A Gaussian is [x, y, s, t, angle]: its mean, its standard deviations along two axes, and
// the angle of the first in degrees. A 2×2 matrix is [xx, xy, yx, yy].

// ---------------------------------------------------------------- mathematics

const RADIANS = Math.PI / 180;

/** F with covariance F Fᵀ: a column for each axis, as long as its standard deviation. */
export function factorOf([, , s, t, angle]) {
  const c = Math.cos(angle * RADIANS), d = Math.sin(angle * RADIANS);
  return [s * c, -t * d, s * d, t * c];
}

/**
 * The factor G = F₂ R of the second covariance that is nearest to F, the first's: R is the turn
 * with the largest tr(FᵀF₂R), which is the trace of (C₁^½ C₂ C₁^½)^½. With x = m₁ + F e, the point
 * m₂ + G e is where the optimal map takes x. No root of a small difference is drawn, and nothing
 * is divided by, so singular covariances are as good as others.
 */
export function nearestFactor(first, second) {
  const [a, b, c, d] = factorOf(first), [e, f, g, h] = factorOf(second);
  const along = a * e + c * g + b * f + d * h, across = a * f + c * h - b * e - d * g;
  const angle = Math.atan2(across, along), u = Math.cos(angle), v = Math.sin(angle);
  return [e * u + f * v, f * u - e * v, g * u + h * v, h * u - g * v];
}

/** The squared Fréchet distance and its parts: squares throughout, so none is ever negative. */
export function frechet(first, second) {
  const factor = factorOf(first), nearest = nearestFactor(first, second);
  const means = (first[0] - second[0]) ** 2 + (first[1] - second[1]) ** 2;
  const covariances = factor.reduce((sum, v, k) => sum + (v - nearest[k]) ** 2, 0);
  return { means, covariances, distance: means + covariances };
}

/** A of the optimal map x ↦ m₂ + A (x − m₁), which is symmetric: A = G F⁻¹. */
export function optimalMatrix(first, second) {
  const [a, b, c, d] = factorOf(first), [e, f, g, h] = nearestFactor(first, second);
  const det = first[2] * first[3], xy = (f * a - e * b + g * d - h * c) / (2 * det);
  return [(e * d - f * c) / det, xy, xy, (h * a - g * b) / det];
}

/** KL(first ‖ second) in nats. */
export function kl(first, second) {
  const [mx, my, s, t] = first, [nx, ny, p, q, angle] = second;
  const c = Math.cos(angle * RADIANS), d = Math.sin(angle * RADIANS), [xx, xy, yx, yy] = factorOf(first);
  // what the first has along an axis of the second, in the second's deviations
  const square = (ax, ay, sd) =>
    ((ax * (mx - nx) + ay * (my - ny)) ** 2 + (ax * xx + ay * yx) ** 2 + (ax * xy + ay * yy) ** 2) / sd ** 2;
  const value = 0.5 * (square(c, d, p) + square(-d, c, q)) - 1 + Math.log((p * q) / (s * t));
  return Math.max(0, value); // rounding may have either sign
}

/** The twelve arrows [x, T(x)] from the first's ellipse at √2 standard deviations. */
export function arrows(first, second) {
  const [a, b, c, d] = factorOf(first), [e, f, g, h] = nearestFactor(first, second);
  return Array.from({ length: 12 }, (_, k) => {
    const u = Math.SQRT2 * Math.cos((k * Math.PI) / 6), v = Math.SQRT2 * Math.sin((k * Math.PI) / 6);
    return [[first[0] + a * u + b * v, first[1] + c * u + d * v],
      [second[0] + e * u + f * v, second[1] + g * u + h * v]];
  });
}

/** The angle of an axis moved to `angle`: of the two ways to name it, the one nearer to `before`. */
export function turn(before, angle) {
  const by = angle - before, half = by - 180 * Math.round(by / 180), turned = round(before + half, 1);
  return turned > 180 ? turned - 360 : turned <= -180 ? turned + 360 : turned;
}

// ---------------------------------------------------------------- the view

const indexed = (symbol, k) => `${i(symbol)}<sub>${k}</sub>`;
const D2 = `${i("d")}²`;
const KL = { forward: "KL(1 ‖ 2)", reverse: "KL(2 ‖ 1)" };
const TOPS = [1, 2, 5, 10, 20, 50, 100, 200]; // where the axis of the bar may end
const BAR = 24;
const STEM = 26; // pixels from an ellipse to its handles
const SIDES = ["first", "second"];

class FrechetExplorer extends Figure {
  name = "frechet-explorer";

  build() {
    this.find(".vw-hint").innerHTML =
      "Drag a disc to move a Gaussian, a lozenge to stretch and to turn it.";
    this.body.innerHTML = `
      <div class="fe-left">
        <div class="fe-plane"></div>
        <p class="fe-caption">Arrows: the cheapest way to carry 1 onto 2, ${i("x")} ↦ ${indexed("m", 2)} + ${i("A")}(${i("x")} − ${indexed("m", 1)}).
          Their squared lengths average ${D2}.</p>
      </div>
      <div class="fe-right">
        <div class="vw-controls">
          <button type="button" class="fe-swap">Swap</button>
          <button type="button" class="fe-same">Same shape</button>
        </div>
        <div class="fe-bar"></div>
        <table class="vw-numbers">${numberRows([
          ["means", `means, |${indexed("m", 1)} − ${indexed("m", 2)}|²`, ""], ["covariances", "covariances", "+"],
          ["distance", `Fréchet distance ${D2}`, "="], ["matrix", `map ${i("A")}`, ""],
          ["forward", `${KL.forward}, nats`, ""], ["reverse", `${KL.reverse}, nats`, ""]])}</table>
        <p class="vw-note"></p>
      </div>`;
    this.buildPlots();
    this.on(this.find(".fe-swap"), "click", () =>
      this.set({ first: this.state.second, second: this.state.first }));
    this.on(this.find(".fe-same"), "click", () => this.change("second", this.state.first.slice(2), 2));
  }

  get admits() {
    const gaussian = each(...this.spec.ranges.map((range) => within(...range)));
    return { first: gaussian, second: gaussian };
  }

  buildPlots() {
    this.plane = new Plot(this, ".fe-plane", {
      height: 372, margin: { left: 28, right: 8, top: 4, bottom: 26 },
      x: linearAxis(-5, 5), y: linearAxis(-4, 4), free: true });
    SIDES.forEach((side, k) => this.buildHandles(side, k + 1));
    this.bar = new Plot(this, ".fe-bar", {
      height: BAR, margin: { left: 5, right: 30, top: 16, bottom: 26 },
      x: linearAxis(0, 10), y: linearAxis(0, 1) });
  }

  buildHandles(side, label) {
    const now = (k) => this.state[side][k];
    this.plane.handle({
      label: `Mean of ${label}`,
      across: true,
      at: () => [now(0), now(1)],
      drag: (u, v) => this.change(side, [u, v]),
      nudge: (right, up) => this.change(side, [now(0) + 0.1 * right, now(1) + 0.1 * up], 0, 0.1),
      range: () => [now(0), ...this.spec.ranges[0]],
      text: () => `${number(now(0))}, ${number(now(1))}`,
    });
    for (const axis of [0, 1]) this.plane.handle({
      label: `Width of ${label} along axis ${axis + 1}; left and right turn it`,
      at: () => this.tip(side, axis).point,
      drag: (u, v) => this.stretch(side, axis, u - now(0), v - now(1)),
      nudge: (right, up) => {
        if (up) this.change(side, [now(2 + axis) + 0.05 * up], 2 + axis, 0.05);
        else this.change(side, [turn(now(4), now(4) - 5 * right)], 4);
      },
      range: () => [now(2 + axis), ...this.spec.ranges[2 + axis]],
      text: () => `${number(now(2 + axis))}, at ${this.angle(side, axis)}°`,
    });
  }

  /** The state of one Gaussian from number `k` on, within its ranges and to the grain. */
  change(side, values, k = 0, grain = 0.01) {
    const next = [...this.state[side]];
    values.forEach((value, n) => (next[k + n] = clamp(round(value, grain), ...this.spec.ranges[k + n])));
    this.set({ [side]: next });
  }

  /** An axis is taken to a place seen from the mean. */
  stretch(side, axis, across, up) {
    const width = (Math.hypot(across, up) - STEM / this.unit) / Math.SQRT2;
    const angle = Math.atan2(up, across) / RADIANS - 90 * axis;
    const [low, high] = this.spec.ranges[2], next = [...this.state[side]];
    next[2 + axis] = clamp(round(width, 0.01), low, high);
    next[4] = turn(next[4], angle);
    this.set({ [side]: next });
  }

  /** The angle of an axis, which has no direction, from 0 to 180 degrees. */
  angle(side, axis) {
    return (this.state[side][4] + 90 * axis + 360) % 180;
  }

  /** Pixels to a unit. */
  get unit() {
    return this.plane.width / (this.plane.x.high - this.plane.x.low);
  }

  /** The end of an axis on the rim of the ellipse, and beyond it the place of its handle. */
  tip(side, axis) {
    const [x, y, s, t, angle] = this.state[side], turned = (angle + 90 * axis) * RADIANS;
    const { plane: plot } = this, far = Math.SQRT2 * (axis ? t : s), reach = far + STEM / this.unit;
    const place = (r) => [x + r * Math.cos(turned), y + r * Math.sin(turned)];
    const inside = ([u, v]) => plot.px(u) > 9 && plot.px(u) < plot.width - 9 && plot.py(v) > 9 && plot.py(v) < plot.height - 9;
    const sign = inside(place(reach)) ? 1 : -1; // an axis has two ends, and one is in sight
    return { rim: place(sign * far), point: place(sign * reach) };
  }

  get colours() {
    return [this.ink.data, this.ink.generative];
  }

  paint() {
    const { first, second } = this.state;
    this.values = { ...frechet(first, second), forward: kl(first, second), reverse: kl(second, first) };
    this.paintPlane();
    this.paintBar();
    this.write();
  }

  paintPlane() {
    const plot = this.plane, { ink, state } = this;
    if (!plot.width) return;
    plot.fit([[-5, 5], [-4, 4]]);
    const c = plot.begin();
    plot.axes(c, "x₁", "x₂");
    c.save();
    plot.clip(c);
    SIDES.forEach((side, k) => {
      plot.ellipse(c, state[side], factorOf(state[side]), Math.SQRT2);
      c.fillStyle = this.colours[k];
      c.globalAlpha = 0.1;
      c.fill();
      c.globalAlpha = 1;
      plot.stroke(c, this.colours[k], 2, k ? [6, 4] : []);
    });
    for (const [from, to] of arrows(state.first, state.second)) this.arrow(c, from, to);
    c.beginPath();
    for (const [u, v] of SIDES.map((side) => state[side])) c.lineTo(plot.px(u), plot.py(v));
    plot.stroke(c, ink.muted, 1.5, [2, 3]);
    c.restore();
    SIDES.forEach((side, k) => this.paintHandles(c, side, k));
  }

  arrow(c, from, to) {
    const plot = this.plane, [x, y, u, v] = [plot.px(from[0]), plot.py(from[1]), plot.px(to[0]), plot.py(to[1])];
    const length = Math.hypot(u - x, v - y), head = Math.min(7, length / 2);
    plot.dot(c, x, y, 2, this.ink.gap);
    if (length < 3) return;
    const [dx, dy] = [((u - x) / length) * head, ((v - y) / length) * head];
    c.beginPath();
    c.moveTo(x, y);
    c.lineTo(u - dx, v - dy);
    plot.stroke(c, this.ink.gap, 1.5);
    c.beginPath();
    c.moveTo(u, v);
    c.lineTo(u - dx - 0.5 * dy, v - dy + 0.5 * dx);
    c.lineTo(u - dx + 0.5 * dy, v - dy - 0.5 * dx);
    c.closePath();
    c.fill();
  }

  paintHandles(c, side, k) {
    const plot = this.plane, colour = this.colours[k];
    for (const axis of [0, 1]) {
      const { rim, point } = this.tip(side, axis);
      c.beginPath();
      for (const [u, v] of [rim, point]) c.lineTo(plot.px(u), plot.py(v));
      plot.stroke(c, colour, 1, [2, 3]);
      plot.knob(c, point, colour, 4);
    }
    plot.numbered(c, this.state[side], k + 1, colour);
  }

  /** The distance as the sum of its parts. */
  paintBar() {
    const plot = this.bar, { ink, values: { means, distance } } = this;
    plot.x = linearAxis(0, TOPS.find((top) => distance <= top) ?? TOPS[TOPS.length - 1], 5);
    const c = plot.begin();
    if (!c) return;
    plot.axes(c, "d²");
    plot.part(c, 0, plot.px(means), 0, BAR, ink.gap, 0.45, "means");
    plot.part(c, plot.px(means), plot.px(distance), 0, BAR, ink.gap, 0.18, "covariances");
    c.fillStyle = ink.gap;
    c.fillRect(plot.px(distance) - 1.5, 0, 3, BAR);
  }

  write() {
    const { first, second } = this.state, cell = (kind) => this.find(`[data-kind="${kind}"] td`);
    for (const [kind, value] of Object.entries(this.values)) write(cell(kind), number(value));
    const [xx, xy, , yy] = optimalMatrix(first, second).map((v) => `<span>${number(v)}</span>`);
    write(cell("matrix"), `<span class="fe-matrix" role="img" aria-label="${this.matrixText()}">${xx}${xy}${xy}${yy}</span>`);
    write(this.find(".vw-note"), this.note());
  }

  matrixText() {
    const [xx, xy, , yy] = optimalMatrix(this.state.first, this.state.second).map((v) => number(v));
    return `${xx}, ${xy}; ${xy}, ${yy}`;
  }

  note() {
    const { first, second } = this.state, { means, covariances } = this.values;
    const [, , s, t] = first, [, , p, q] = second, turned = Math.abs(first[4] - second[4]) % 180;
    if (covariances < 1e-9) return means
      ? `Equal covariances: ${i("A")} is the identity, every arrow is ${indexed("m", 2)} − ${indexed("m", 1)}, and all of ${D2} is in the means.`
      : `Equal Gaussians: ${D2} and both KL are 0, and nothing moves.`;
    if (turned === 0 || turned === 90) {
      const [along, across] = turned ? [q, p] : [p, q];
      return `Parallel axes: the covariances' part is (${number(s)} − ${number(along)})² + (${number(t)} − ${number(across)})².`;
    }
    if (Math.min(s, t, p, q) <= 0.2) return "As a width goes to 0, a KL grows without bound. " +
      `${D2} stays finite: Gaussians with singular covariances have a distance too.`;
    return `Swap 1 and 2: ${D2} stays, and KL does not. ${D2} is in the square of the axes' unit, KL in nats whatever the unit.`;
  }

  speech() {
    const { means, covariances, distance, forward, reverse } = this.values;
    return `d² ${number(distance)}: means ${number(means)}, covariances ${number(covariances)}. ` +
      `Map ${this.matrixText()}. ${KL.forward} ${number(forward)}, ${KL.reverse} ${number(reverse)} nats.`;
  }
}

export default FrechetExplorer.widget();
