// The correlation explorer: mean field on a Gaussian with variances 1, which mirrors Python and is
// tested against it, and the view.

// ---------------------------------------------------------------- mathematics

/** The variance of each best factor: that of a cut through p, not of its shadow. */
export const factorVariance = (rho) => 1 - rho * rho;

/** KL(q ‖ p) of the best product, in nats: the mutual information of the two coordinates. */
export const price = (rho) => -0.5 * Math.log1p(-rho * rho);

/** The means after every coordinate, from `start`: each in turn is rho times the other. */
export function ascend(rho, start, sweeps) {
  const path = [[...start]], now = [...start];
  for (let k = 0; k < 2 * sweeps; k++) {
    now[k % 2] = rho * now[1 - (k % 2)];
    path.push([...now]);
  }
  return path;
}

/** Sweeps until both means are within a hundredth of the centre. */
export function sweepsNeeded(rho, start) {
  const now = [...start];
  for (let sweeps = 0; ; sweeps++) {
    if (Math.max(...now.map(Math.abs)) < 0.01) return sweeps;
    now[0] = rho * now[1];
    now[1] = rho * now[0];
  }
}

// ---------------------------------------------------------------- the view

const RHO = i("ρ"), Z = (k) => `${i("z")}<sub>${k}</sub>`;
const SUMS = { one: Z(1), sum: `${Z(1)} + ${Z(2)}`, difference: `${Z(1)} − ${Z(2)}` };

class CorrelationExplorer extends Figure {
  name = "correlation-explorer";

  build() {
    write(this.find(".vw-hint"), `Turn up the correlation ${RHO}; drag the green point to where the means begin.`);
    this.body.innerHTML = `
      <div class="ce-left"><div class="ce-plane"></div></div>
      <div class="ce-right">
        <p class="ce-head">KL(${i("q")} ‖ ${i("p")}) of the best product, nats</p>
        <div class="ce-price"></div>
        <table class="vw-numbers"><thead><tr><td></td><th scope="col" data-kind="truth">${i("p")}</th>
          <th scope="col" data-kind="said">${i("q")}</th></tr></thead>
          <tbody>${Object.entries(SUMS).map(([kind, name]) => `<tr data-row="${kind}"><th scope="row">variance of ${name}</th>
            <td data-kind="truth"></td><td data-kind="said"></td></tr>`).join("")}</tbody></table>
        <table class="vw-numbers">${numberRows([["price", `KL(${i("q")} ‖ ${i("p")}), nats`],
          ["sweeps", "sweeps until the means are right to 0.01"]])}</table>
        <p class="vw-note">Ellipses and circles at one and two standard deviations. Each sweep multiplies what is left of the way by ${RHO}².</p>
      </div>`;
    this.buildPlots();
  }

  get admits() {
    const { most, ranges } = this.spec;
    return { rho: within(-most, most), means: each(...ranges.map((range) => within(...range))) };
  }

  buildPlots() {
    const { most, ranges: [[low, high]] } = this.spec, axis = linearAxis(-3, 3, 6);
    this.plane = new Square(this, ".ce-plane", {
      margin: { left: 30, right: 8, top: 8, bottom: 28 }, x: axis, y: axis, free: true });
    this.plane.handle({
      label: "Where the means begin",
      across: true,
      at: () => this.state.means,
      drag: (u, v) => this.begin([u, v]),
      nudge: (right, up) => this.begin([this.state.means[0] + 0.1 * right, this.state.means[1] + 0.1 * up]),
      range: () => [this.state.means[0], low, high],
      text: () => this.state.means.map((v) => number(v)).join(", "),
    });
    this.prices = new Plot(this, ".ce-price", {
      height: 130, margin: { left: 34, right: 20, top: 14, bottom: 28 },
      x: linearAxis(-1, 1, 5), y: linearAxis(0, 1.1 * price(most), 4) });
    this.prices.handle({
      label: "Correlation",
      at: () => [this.state.rho, price(this.state.rho)],
      drag: (u) => this.turn(u),
      nudge: (right, up) => this.turn(this.state.rho + 0.05 * (right + up)),
      range: () => [this.state.rho, -most, most],
      text: () => `${number(this.state.rho)}, KL ${number(price(this.state.rho))} nats`,
    });
  }

  begin(means) {
    this.set({ means: means.map((v, k) => clamp(round(v, 0.01), ...this.spec.ranges[k])) });
  }
  turn(rho) {
    const { most } = this.spec;
    this.set({ rho: clamp(round(rho, 0.01), -most, most) });
  }

  paint() {
    this.paintPlane();
    this.paintPrice();
    this.write();
  }

  paintPlane() {
    const plot = this.plane, c = plot.begin(), { ink, state: { rho, means } } = this;
    if (!c) return;
    plot.layer(c, "axes", "", (d) => plot.axes(d, "z₁", "z₂"));
    c.save();
    plot.clip(c);
    const narrow = Math.sqrt(factorVariance(rho));
    for (const sd of [1, 2]) {
      plot.ellipse(c, [0, 0], [1, 0, rho, narrow], sd); // a Cholesky factor of p's covariance
      plot.stroke(c, ink.exact, 2);
      plot.ellipse(c, [0, 0], [narrow, 0, 0, narrow], sd);
      plot.stroke(c, ink.inference, 2, [6, 4]);
    }
    const path = ascend(rho, means, Math.min(sweepsNeeded(rho, means), 60)).map(([u, v]) => [plot.px(u), plot.py(v)]);
    c.beginPath();
    for (const place of path) c.lineTo(...place);
    plot.stroke(c, ink.latent, 1.5);
    for (const place of path) plot.dot(c, ...place, 2.5, ink.latent);
    c.restore();
    // each name on the side of its curve that the other leaves free
    const side = rho < 0 ? -1 : 1;
    plot.say(c, "p", plot.px(2.15 * side * Math.SQRT1_2 * Math.sqrt(1 + Math.abs(rho))), plot.py(2.15 * Math.SQRT1_2 * Math.sqrt(1 + Math.abs(rho))), ink.exact);
    plot.say(c, "q", plot.px(0), plot.py(-2 * narrow) + 12, ink.inference);
    plot.knob(c, means, ink.latent);
  }

  paintPrice() {
    const plot = this.prices, c = plot.begin(), { ink, state: { rho }, spec: { most } } = this;
    if (!c) return;
    plot.layer(c, "curve", "", (d) => {
      plot.axes(d, "ρ", " ");
      plot.clip(d);
      plot.curve(d, (r) => price(clamp(r, -most, most)));
      plot.stroke(d, ink.gap, 2);
      plot.tint(d, ink.gap);
    });
    c.beginPath();
    c.moveTo(plot.px(rho), plot.height);
    c.lineTo(plot.px(rho), plot.py(price(rho)));
    plot.stroke(c, ink.gap, 1, [2, 3]);
    plot.knob(c, [rho, price(rho)], ink.gap);
  }

  write() {
    const { rho, means } = this.state, narrow = factorVariance(rho);
    const row = (kind, truth, said) => {
      write(this.find(`[data-row="${kind}"] [data-kind="truth"]`), number(truth));
      write(this.find(`[data-row="${kind}"] [data-kind="said"]`), number(said));
    };
    row("one", 1, narrow);
    row("sum", 2 + 2 * rho, 2 * narrow);
    row("difference", 2 - 2 * rho, 2 * narrow);
    write(this.find('[data-kind="price"] td'), number(price(rho)));
    write(this.find('[data-kind="sweeps"] td'), String(sweepsNeeded(rho, means)));
  }

  speech() {
    const { rho, means } = this.state;
    return `Correlation ${number(rho)}: KL ${number(price(rho))} nats, variance ${number(factorVariance(rho))} for 1.00. ` +
      `From ${means.map((v) => number(v)).join(", ")} the means need ${sweepsNeeded(rho, means)} sweeps.`;
  }
}

export default CorrelationExplorer.widget();
