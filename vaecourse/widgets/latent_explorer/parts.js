// The parts of the latent explorer's picture that are small worlds of their own: the loupe over a
// narrow posterior, and the ledger of the bound.

const sum = (values) => values.reduce((a, b) => a + b, 0);

/** The path from place to place. */
function line(c, places) {
  c.beginPath();
  for (const place of places) c.lineTo(...place);
}

/** A square in a corner of the plane that shows what is within `half` of `centre`, enlarged. */
class Loupe {
  constructor(centre, half, size, side) {
    Object.assign(this, { centre, half, size, side, corner: null });
  }

  /** The loupe of a q on a plane `side` pixels wide; null where it would not even magnify twice. */
  static of(q, window, side, { low, high }) {
    const size = clamp(Math.round(side * 0.34), 100, 140), widest = (size / 4 / side) * (high - low);
    let centre = q.mean, half = 3.2 * Math.max(q.tril[0], Math.hypot(q.tril[1], q.tril[2]));
    if (half > widest) return null;
    if (window) {
      // show the exact posterior too, if it is near
      const ends = [0, 1].map((j) => [
        Math.min(q.mean[j] - half, window[j] - window[2]), Math.max(q.mean[j] + half, window[j] + window[2])]);
      const joint = Math.max(...ends.map(([a, b]) => (b - a) / 2));
      if (joint < Math.min(2.5 * half, widest)) {
        half = joint;
        centre = ends.map(([a, b]) => (a + b) / 2);
      }
    }
    return new Loupe(centre, half, size, side);
  }

  /** In the corner nearest to what it shows that hides neither that nor the point, both in pixels. */
  settle(point, middle, { low, high }) {
    const { size, side, half } = this, gap = 8, far = side - size - gap, reach = (half / (high - low)) * side;
    const corners = [[far, gap], [gap, gap], [gap, far], [far, far]];
    const distance = ([x, y]) => Math.hypot(x + size / 2 - middle[0], y + size / 2 - middle[1]);
    const free = ([x, y]) => [[...point, 16], [...middle, reach]].every(
      ([a, b, room]) => a < x - room || a > x + size + room || b < y - room || b > y + size + room);
    corners.sort((a, b) => distance(a) - distance(b));
    this.corner = corners.find(free) || corners[3];
  }

  /** Where z is in it, in pixels of the plane, and back. */
  at = ([a, b]) => {
    const { corner: [left, top], size, centre, half } = this;
    return [left + ((a - centre[0]) / half + 1) * size / 2, top + (1 - (b - centre[1]) / half) * size / 2];
  };
  from([x, y]) {
    const { corner: [left, top], size, centre, half } = this;
    return [centre[0] + ((x - left) / size * 2 - 1) * half, centre[1] - ((y - top) / size * 2 - 1) * half];
  }
  holds([x, y]) {
    const { corner: [left, top], size } = this;
    return x >= left && x <= left + size && y >= top && y <= top + size;
  }
}

/** log p(x|z), the KL below it, and where that lands, on one axis of nats. */
class Ledger extends Plot {
  constructor(figure, stage) {
    const axis = linearAxis(0, 1);
    super(figure, stage, { height: 40, margin: { left: 20, right: 20, top: 0, bottom: 24 }, x: axis, y: axis });
  }

  paint(v, { ink, eps, centre, samples, state: { picked } }) {
    const mid = 16, span = Math.max(v.kl, 4), low = centre - 2.4 * span;
    const high = Math.max(centre + 1.8 * span, (v.evidence || -Infinity) + 0.4 * span);
    this.x = linearAxis(low, high, 5);
    const c = this.begin();
    if (!c) return;
    const at = (value) => clamp(this.px(value), 0, this.width);
    this.layer(c, "axis", [picked, samples.length], (d) => this.paintAxis(d, v, samples, at));
    line(c, [[at(v.likelihood), mid], [at(v.total), mid]]);
    this.stroke(c, eps ? ink.gap : ink.muted, eps ? 4 : 2, eps ? [] : [3, 3]);
    const mark = (value, colour, filled, square) => {
      const px = at(value), out = value < low ? -9 : value > high ? 9 : 0;
      if (out) return this.beyond(c, px - out / 2, mid, out, 6, colour);
      c.beginPath();
      if (square) c.rect(px - 4, mid - 4, 8, 8);
      else c.arc(px, mid, 5, 0, 7);
      c.fillStyle = filled ? colour : ink.plot;
      c.fill();
      this.stroke(c, colour, 2);
    };
    mark(v.likelihood, ink.generative, true, true);
    mark(v.total, ink.inference, eps, false);
  }

  /** What stays while z moves: the axis, log p(x), and the samples so far. */
  paintAxis(c, v, samples, at) {
    const { height: base, figure: { ink } } = this;
    this.axes(c, "");
    if (Number.isFinite(v.evidence)) {
      line(c, [[at(v.evidence), 2], [at(v.evidence), base]]);
      this.stroke(c, ink.exact, 2);
    }
    c.globalAlpha = 0.45;
    for (const sample of samples.slice(-200)) {
      line(c, [[at(sample), base - 9], [at(sample), base - 1]]);
      this.stroke(c, ink.inference, 1.5);
    }
  }
}
