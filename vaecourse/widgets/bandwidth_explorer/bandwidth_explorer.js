// The bandwidth explorer: estimates of a density by kernels and by boxes, whose scores mirror
// evaluation/density.py and are tested against it, and the view.

// ---------------------------------------------------------------- mathematics, in nats

/** The mean of bumps of that width on the points, as a function of x. */
export const kernels = (points, width) => (x) =>
  points.reduce((sum, point) => sum + normalDensity(x, point, width), 0) / points.length;

/** log of the above; without underflow, far from all points as well. */
export function logKernels(points, width, x) {
  let most = -Infinity, sum = 0;
  for (const point of points) {
    const term = -0.5 * ((x - point) / width) ** 2;
    if (term > most) [sum, most] = [sum * Math.exp(most - term) + 1, term];
    else sum += Math.exp(term - most);
  }
  return most + Math.log(sum / points.length / width) - 0.5 * LOG_2PI;
}

/** How many boxes of about that width cover −edge to edge. */
export const boxesOf = (edge, width) => Math.round((2 * edge) / width);

/** The share of each box per unit of length, as a function of x; one more point is spread evenly. */
export function boxes(points, width, edge) {
  const bins = boxesOf(edge, width), counts = new Float64Array(bins).fill(1 / bins);
  const box = (x) => clamp(Math.floor(((x + edge) / (2 * edge)) * bins), 0, bins - 1);
  for (const point of points) counts[box(point)]++;
  return (x) => (counts[box(x)] * bins) / (2 * edge) / (points.length + 1);
}

/** The mean log-density of `x` under the estimate from `points`. */
export function score(kind, points, width, edge, x) {
  const density = kind === "boxes" && boxes(points, width, edge);
  const log = density ? (v) => Math.log(density(v)) : (v) => logKernels(points, width, v);
  return x.reduce((sum, v) => sum + log(v), 0) / x.length;
}

/** The true density. */
export const mixture = (parts) => (x) =>
  parts.reduce((sum, [weight, mean, sd]) => sum + weight * normalDensity(x, mean, sd), 0);

// ---------------------------------------------------------------- the view

const STEPS = { kernels: 60, boxes: 600 }; // of the curves of scores; those of boxes jump
const KINDS = { kernels: "kernels", boxes: "boxes" };
const WORD = { kernels: "Bandwidth", boxes: "Width of a box" };

class BandwidthExplorer extends Figure {
  name = "bandwidth-explorer";

  build() {
    const { counts, widths, truth, fresh } = this.spec;
    write(this.find(".vw-hint"), "Drag the disc to another width. At which one are the new points most likely?");
    this.body.innerHTML = `
      <div class="be-left">
        ${key([["generative", "solid", "estimate"], ["exact", "solid", "truth"], ["data", "ticks", "own points, below"], ["muted", "ticks", "new points, above"]])}
        <div class="be-density"></div>
      </div>
      <div class="be-right">
        <div class="vw-controls">${choices("Estimate", "kind", KINDS)}
          ${choices("Points", "points", Object.fromEntries(counts.map((n) => [n, n])))}</div>
        <p class="be-head">score, nats a point</p>
        <div class="be-score"></div>
        <table class="vw-numbers">${numberRows([["own", sample("dashed", "on its own points")], ["fresh", sample("solid", "on new points")], ["truth", sample("solid", "the truth, on new points")]])}</table>
        <p class="vw-note"></p>
      </div>`;
    const log = mixture(truth);
    this.best = fresh.reduce((sum, x) => sum + Math.log(log(x)), 0) / fresh.length;
    this.scores = {};
    this.density = new Plot(this, ".be-density", {
      height: 250, margin: { left: 34, right: 8, top: 8, bottom: 28 },
      x: linearAxis(-4, 4, 8), y: linearAxis(0, 0.9, 4) });
    this.plot = new Plot(this, ".be-score", {
      height: 170, margin: { left: 40, right: 24, top: 8, bottom: 28 },
      x: logAxis(...widths), y: linearAxis(this.best - 1.6, this.best + 1, 5) });
    const go = (width) => this.set({ width: clamp(+width.toPrecision(2), ...widths) });
    this.plot.handle({
      label: "Width",
      across: true,
      at: () => [this.state.width, clamp(this.score("fresh"), this.plot.y.low, this.plot.y.high)],
      drag: go,
      nudge: (right, up) => go(this.state.width * 1.1 ** (right + up)),
      range: () => [this.state.width, ...widths],
      text: () => `${short(this.state.width)}, new points ${number(this.score("fresh"), 3)} nats`,
    });
  }

  get admits() {
    const { widths, counts } = this.spec;
    return { width: within(...widths), kind: oneOf(...Object.keys(KINDS)), points: oneOf(...counts) };
  }

  get points() {
    return this.spec.learned.slice(0, +this.state.points);
  }

  /** The score at a width, of its "own" points or of "fresh" ones. */
  score(which, width = this.state.width) {
    const { state: { kind }, points, spec: { edge, fresh } } = this;
    return score(kind, points, width, edge, which === "own" ? points : fresh);
  }

  /** Both scores at all widths, for this kind and number of points; computed once. */
  get curves() {
    const { kind, points } = this.state, { widths: [low, high] } = this.spec;
    return (this.scores[kind + points] ??= Object.fromEntries(["own", "fresh"].map((which) => [which,
      Array.from({ length: STEPS[kind] + 1 }, (_, k) => this.score(which, low * (high / low) ** (k / STEPS[kind])))])));
  }

  paint() {
    this.paintDensity();
    this.paintScore();
    const { kind, width, points } = this.state, { edge } = this.spec;
    for (const [name, value] of [["own", this.score("own")], ["fresh", this.score("fresh")], ["truth", this.best]])
      write(this.find(`[data-kind="${name}"] td`), number(value, 3));
    write(this.find(".vw-note"), kind === "kernels"
      ? `Each of ${points} points carries a bump whose standard deviation is ${short(width)}. On its own points each counts its own bump.`
      : `${boxesOf(edge, width)} boxes of ${number((2 * edge) / boxesOf(edge, width), 3)} from −${edge} to ${edge}: a whole number fits. Another number moves all edges, so the score jumps. One more point is counted, spread evenly, so that no box is empty.`);
  }

  paintDensity() {
    const plot = this.density, c = plot.begin(), { ink, points, state: { kind, width }, spec } = this;
    if (!c) return;
    plot.layer(c, "axes", "", (d) => plot.axes(d, "x", " "));
    c.save();
    plot.clip(c);
    const f = kind === "kernels" ? kernels(points, width) : boxes(points, width, spec.edge);
    plot.curve(c, f);
    plot.stroke(c, ink.generative, 2);
    plot.tint(c, ink.generative);
    plot.curve(c, mixture(spec.truth));
    plot.stroke(c, ink.exact, 1.5);
    for (const [values, from, to, colour] of [[points, plot.height - 12, plot.height, ink.data], [spec.fresh, 0, 8, ink.muted]]) {
      c.beginPath();
      for (const x of values) {
        c.moveTo(plot.px(x), from);
        c.lineTo(plot.px(x), to);
      }
      plot.stroke(c, colour, 1);
    }
    c.restore();
  }

  paintScore() {
    const plot = this.plot, c = plot.begin(), { ink, curves, state: { kind, points, width } } = this;
    if (!c) return;
    plot.layer(c, "curves", kind + points, (d) => {
      plot.axes(d, "h", " ");
      plot.clip(d);
      d.beginPath();
      d.moveTo(0, plot.py(this.best));
      d.lineTo(plot.width, plot.py(this.best));
      plot.stroke(d, ink.exact, 1);
      plot.curve(d, curves.own);
      plot.stroke(d, ink.data, 1.5, [5, 4]);
      plot.curve(d, curves.fresh);
      plot.stroke(d, ink.generative, 2);
    });
    plot.knob(c, [width, clamp(this.score("fresh"), plot.y.low, plot.y.high)], ink.generative);
  }

  speech() {
    const { kind, width } = this.state;
    return `${WORD[kind]} ${short(width)}: own points ${number(this.score("own"), 3)}, new points ${number(this.score("fresh"), 3)}, the truth ${number(this.best, 3)} nats.`;
  }
}

export default BandwidthExplorer.widget();
