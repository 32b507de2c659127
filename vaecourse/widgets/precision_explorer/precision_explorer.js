// The precision explorer: the posterior of one latent, and a Metropolis walk on it, whose numbers
// mirror Python and are tested against it, and the view.

// ---------------------------------------------------------------- mathematics

/** Mean and standard deviation of z, given x = z + noise; alpha and beta are precisions. */
export const posterior = (x, alpha, beta) => [(beta / (alpha + beta)) * x, 1 / Math.sqrt(alpha + beta)];

/** The share of steps that a settled walk on a Gaussian accepts; `step` in its deviations. */
export const acceptance = (step) => (2 / Math.PI) * Math.atan(2 / step);

/** The correlation of neighbouring states of that walk: 1 less half its mean square jump. */
export const correlation = (step) =>
  1 - (step ** 2 / Math.PI) * (Math.atan(2 / step) - (2 * step) / (4 + step ** 2));

/** Metropolis on N(0, 1) from a draw of it: its states, and how many steps were accepted. */
export function walk(step, count, seed = 0) {
  const uniform = makeUniform(seed), normal = makeNormal(seed + 1), states = new Float64Array(count);
  let z = normal(), accepted = 0;
  for (let k = 0; k < count; k++) {
    const proposal = z + step * normal();
    if (Math.log(1 - uniform()) < 0.5 * (z * z - proposal * proposal)) {
      z = proposal;
      accepted++;
    }
    states[k] = z;
  }
  return { states, accepted: accepted / count };
}

/** The correlation of neighbours in a list of numbers. */
export function neighbours(states) {
  const mean = states.reduce((sum, z) => sum + z, 0) / states.length;
  let square = 0, product = 0;
  for (let k = 0; k < states.length; k++) {
    square += (states[k] - mean) ** 2;
    if (k) product += (states[k] - mean) * (states[k - 1] - mean);
  }
  return product / square;
}

// ---------------------------------------------------------------- the view

const COUNT = 20000, SHOWN = 200; // states of the walk: those counted, and those drawn

class PrecisionExplorer extends Figure {
  name = "precision-explorer";

  build() {
    write(this.find(".vw-hint"), `Drag the observation ${i("x")}, the ends of both precisions, and the length of a step.`);
    this.body.innerHTML = `
      <div class="pe-left">
        ${key([["generative", "dashed", "prior"], ["generative", "dotted", "likelihood"], ["exact", "solid", "posterior"]])}
        <div class="pe-densities"></div>
        <p class="pe-head">the first ${SHOWN} states of a walk, downwards; dashed: where 95 % of the posterior lies</p>
        <div class="pe-walk"></div>
      </div>
      <div class="pe-right">
        <p class="pe-head">precisions add</p>
        ${key([["generative", "block", "prior, α"], ["generative", "pale", "noise, β"]])}
        <div class="pe-precisions"></div>
        <p class="pe-head">correlation of neighbours, by the length of a step</p>
        <div class="pe-step"></div>
        <table class="vw-numbers"><thead><tr><td></td><th scope="col" data-kind="exact">exact</th>
          <th scope="col" data-kind="counted">this walk</th></tr></thead>
          <tbody>${[["accepted", "steps accepted"], ["correlation", "correlation"]].map(([row, name]) =>
            `<tr data-row="${row}"><th scope="row">${name}</th><td data-kind="exact"></td><td data-kind="counted"></td></tr>`).join("")}</tbody></table>
        <p class="vw-note"></p>
      </div>`;
    this.buildPlots();
  }

  get admits() {
    return Object.fromEntries(Object.entries(this.spec.ranges).map(([name, ends]) => [name, within(...ends)]));
  }

  /** To a hundredth, within its range. */
  move(name, value) {
    this.set({ [name]: clamp(round(value, 0.01), ...this.spec.ranges[name]) });
  }

  buildPlots() {
    const { ranges } = this.spec, axis = linearAxis(-4, 4, 8), margin = { left: 12, right: 20, top: 4, bottom: 28 };
    this.densities = new Plot(this, ".pe-densities", { height: 190, margin, x: axis, y: linearAxis(0, 1.25) });
    this.trace = new Plot(this, ".pe-walk", { height: 150, margin: { ...margin, bottom: 4 }, x: axis, y: linearAxis(-SHOWN, 0, 4) });
    this.bar = new Plot(this, ".pe-precisions", {
      height: 30, margin: { left: 12, right: 20, top: 4, bottom: 28 }, x: linearAxis(0, ranges.alpha[1] + ranges.beta[1]), y: linearAxis(0, 1) });
    this.steps = new Plot(this, ".pe-step", {
      height: 110, margin: { left: 40, right: 20, top: 8, bottom: 28 }, x: logAxis(...ranges.step), y: linearAxis(0, 1.05, 2) });
    const slide = (plot, name, label, at, from, word) => plot.handle({
      label,
      across: true,
      at,
      drag: (u) => this.move(name, u - from()),
      nudge: (right, up) => this.move(name, this.state[name] + 0.1 * (right + up)),
      range: () => [this.state[name], ...ranges[name]],
      text: () => `${number(this.state[name])}${word()}`,
    });
    slide(this.densities, "x", "Observation x", () => [this.state.x, 0], () => 0, () => `, posterior ${normalText(...this.posterior)}`);
    const sum = () => `, together ${number(this.state.alpha + this.state.beta)}`;
    slide(this.bar, "alpha", "Precision of the prior", () => [this.state.alpha, 0.5], () => 0, sum);
    slide(this.bar, "beta", "Precision of the noise", () => [this.state.alpha + this.state.beta, 0.5], () => this.state.alpha, sum);
    const go = (step) => this.set({ step: clamp(+step.toPrecision(2), ...ranges.step) });
    this.steps.handle({
      label: "Length of a step",
      across: true,
      at: () => [this.state.step, correlation(this.state.step)],
      drag: go,
      nudge: (right, up) => go(this.state.step * 1.1 ** (right + up)),
      range: () => [this.state.step, ...ranges.step],
      text: () => `${short(this.state.step)}, correlation ${number(correlation(this.state.step), 3)}`,
    });
  }

  get posterior() {
    const { x, alpha, beta } = this.state;
    return posterior(x, alpha, beta);
  }

  /** The walk of this length of step, and what was counted on it. */
  get walked() {
    const { step } = this.state;
    if (this.of !== step) {
      const { states, accepted } = walk(step, COUNT);
      this.of = step;
      this.kept = { states, accepted, correlation: neighbours(states) };
    }
    return this.kept;
  }

  paint() {
    this.paintDensities();
    this.paintWalk();
    this.paintPrecisions();
    this.paintStep();
    const { step, alpha, beta } = this.state, { accepted, correlation: counted } = this.walked;
    for (const [row, exact, found] of [["accepted", acceptance(step), accepted], ["correlation", correlation(step), counted]])
      for (const [kind, value] of [["exact", exact], ["counted", found]])
        write(this.find(`[data-row="${row}"] [data-kind="${kind}"]`), number(value, 3));
    write(this.find(".vw-note"), `The posterior is ${normalText(...this.posterior)}; its precision is ${number(alpha)} + ${number(beta)}. ` +
      `A step is ${short(step)} of its standard deviations long; ${count(COUNT)} states are counted.`);
  }

  paintDensities() {
    const plot = this.densities, c = plot.begin(), { ink, state: { x, alpha, beta } } = this;
    if (!c) return;
    plot.layer(c, "axes", "", (d) => plot.axes(d, "z", ""));
    const [mean, sd] = this.posterior, wide = 1 / Math.sqrt(alpha), noise = 1 / Math.sqrt(beta);
    c.save();
    plot.clip(c);
    plot.curve(c, (z) => normalDensity(z, mean, sd));
    plot.stroke(c, ink.exact, 2);
    plot.tint(c, ink.exact);
    plot.curve(c, (z) => normalDensity(z, 0, wide));
    plot.stroke(c, ink.generative, 2, [7, 4]);
    plot.curve(c, (z) => normalDensity(z, x, noise));
    plot.stroke(c, ink.generative, 2, [2, 3]);
    c.restore();
    plot.knob(c, [x, 0], ink.data);
  }

  /** The walk on the posterior, and the lines between which 95 % of it lies. */
  paintWalk() {
    const plot = this.trace, c = plot.begin(), { ink, walked: { states } } = this, [mean, sd] = this.posterior;
    if (!c) return;
    c.save();
    plot.clip(c);
    for (const end of [-1.96, 1.96]) {
      c.beginPath();
      c.moveTo(plot.px(mean + end * sd), 0);
      c.lineTo(plot.px(mean + end * sd), plot.height);
      plot.stroke(c, ink.exact, 1, [4, 4]);
    }
    c.beginPath();
    for (let k = 0; k < SHOWN; k++) c.lineTo(plot.px(mean + sd * states[k]), plot.py(-k));
    plot.stroke(c, ink.latent, 1.5);
    c.restore();
  }

  paintPrecisions() {
    const plot = this.bar, c = plot.begin(), { ink, state: { alpha, beta } } = this;
    if (!c) return;
    plot.layer(c, "axes", "", (d) => plot.axes(d, "", ""));
    const [from, middle, to] = [0, alpha, alpha + beta].map(plot.px);
    plot.part(c, from, middle, 0, plot.height, ink.generative, 0.35);
    plot.part(c, middle, to, 0, plot.height, ink.generative, 0.15);
    plot.knob(c, [alpha, 0.5], ink.generative);
    plot.knob(c, [alpha + beta, 0.5], ink.generative);
  }

  paintStep() {
    const plot = this.steps, c = plot.begin(), { ink, state: { step } } = this;
    if (!c) return;
    plot.layer(c, "curve", "", (d) => {
      plot.axes(d, "", " ");
      plot.clip(d);
      plot.curve(d, correlation);
      plot.stroke(d, ink.exact, 2);
    });
    plot.knob(c, [step, correlation(step)], ink.latent);
  }

  speech() {
    const { step } = this.state;
    return `The posterior is ${normalText(...this.posterior)}. Step ${short(step)}: ${number(100 * acceptance(step), 0)} % accepted, ` +
      `correlation of neighbours ${number(correlation(step), 3)}.`;
  }
}

export default PrecisionExplorer.widget();
