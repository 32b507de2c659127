// The KL explorer: the mathematics, which mirrors Python and is tested against it, and the view.

// ---------------------------------------------------------------- mathematics, in nats

/** log of Σ w N(z; m, s²) over the components [w, m, s]; without overflow, far out as well. */
export function logMixture(components, z) {
  let most = -Infinity, sum = 0;
  for (const [w, m, s] of components) {
    const term = Math.log(w / s) - 0.5 * (LOG_2PI + ((z - m) / s) ** 2);
    if (term > most) [sum, most] = [sum * Math.exp(most - term) + 1, term];
    else sum += Math.exp(term - most);
  }
  return most + Math.log(sum);
}

/** f (log f − log g), and nothing where f is nothing. */
const integrand = (logF, logG) => (logF > -700 ? Math.exp(logF) * (logF - logG) : 0);

/** The integrands at z of KL(p ‖ q), forward, and KL(q ‖ p), reverse, for q = N(m, s²). */
export function integrands(target, [m, s], z) {
  const logP = logMixture(target, z), logQ = logMixture([[1, m, s]], z);
  return { forward: integrand(logP, logQ), reverse: integrand(logQ, logP) };
}

/**
 * Both divergences by the trapezoidal rule on 12 standard deviations about every component, 40
 * points to the narrowest: exact to rounding. The ends, where both densities vanish, count nothing.
 */
export function divergences(target, [m, s]) {
  const all = [...target, [1, m, s]];
  const low = Math.min(...all.map(([, mean, sd]) => mean - 12 * sd));
  const high = Math.max(...all.map(([, mean, sd]) => mean + 12 * sd));
  const steps = Math.ceil((40 * (high - low)) / Math.min(...all.map(([, , sd]) => sd)));
  const step = (high - low) / steps, sum = { forward: 0, reverse: 0 };
  for (let k = 0; k <= steps; k++) {
    const { forward, reverse } = integrands(target, [m, s], low + k * step);
    sum.forward += forward;
    sum.reverse += reverse;
  }
  return { forward: sum.forward * step, reverse: sum.reverse * step };
}

// ---------------------------------------------------------------- the view

const KL = { forward: `KL(${i("p")} ‖ ${i("q")})`, reverse: `KL(${i("q")} ‖ ${i("p")})` };
const untagged = (html) => html.replace(/<[^>]*>/g, "");
const INTEGRAND = { forward: "p log p/q", reverse: "q log q/p" };
const DASHES = [[7, 4], [2, 3], [2, 3]]; // of the best Gaussian, and of other local minima
const TOPS = [0.4, 0.8, 1.2, 2, 3, 4, 6, 10, 20, 40, 80, 200, 500]; // where the axis of the integrand may end
const SHOWN = 3; // nats at which the bars end
const BAR = 18;

class KLExplorer extends Figure {
  name = "kl-explorer";
  own = { best: false };

  build() {
    this.find(".vw-hint").innerHTML =
      `Move ${i("q")}: drag the disc for its mean, the lozenge for its width. Make the shaded area small.`;
    this.body.innerHTML = `
      <div class="ke-left">
        <p class="ke-head"><span class="ke-q"></span><span class="ke-p">${i("p")}, the target</span></p>
        <div class="ke-densities"></div>
        <p class="ke-head ke-integrand-head"><span class="ke-area"></span></p>
        <div class="ke-integrand"></div>
      </div>
      <div class="ke-right">
        <div class="vw-controls">
          ${choices("Direction", "direction", KL)}
          ${toggle("best", "Show best")}
        </div>
        ${Object.entries(KL).map(([name, html]) => `<div class="ke-row" data-kind="${name}">
          <p><span>${html}</span><span data-side="best"></span><b data-side="now"></b></p><div class="ke-bar-${name}"></div></div>`).join("")}
        <p class="vw-note"></p>
      </div>`;
    this.buildPlots();
  }

  buildPlots() {
    const { target, best } = this.spec;
    const low = Math.floor(Math.min(...target.map(([, m, s]) => m - 3 * s)) - 0.5);
    const high = Math.ceil(Math.max(...target.map(([, m, s]) => m + 3 * s)) + 0.5);
    // q may become half as wide as the narrowest best one, so its handles stay on the picture
    const narrowest = Math.min(...Object.values(best).flat().map(([, s]) => s));
    const margin = { left: 40, right: 20, top: 8, bottom: 26 }, x = linearAxis(low, high);
    this.densities = new NormalPlot(this, ".ke-densities", {
      height: 190, widths: [Math.ceil(53 * narrowest) / 100, (high - low) / 2], margin, x, y: linearAxis(0, 1.2 * normalDensity(0, 0, narrowest), 4) });
    this.integrand = new Plot(this, ".ke-integrand", { height: 150, margin, x, y: linearAxis(0, 1) });
    this.bars = Object.fromEntries(Object.keys(KL).map((name) => [name,
      new Plot(this, `.ke-bar-${name}`, {
        height: BAR + 2, margin: { left: 5, right: 36, top: 4, bottom: 26 },
        x: linearAxis(0, SHOWN, 3), y: linearAxis(0, 1) })]));
  }

  get admits() {
    return { q: this.densities.admits, direction: oneOf(...Object.keys(KL)), best: oneOf(true, false) };
  }

  /** The Gaussians [mean, sd, divergence] to show: the least divergence first. */
  get shown() {
    return this.state.best ? this.spec.best[this.state.direction] : [];
  }

  paint() {
    const { q } = this.state;
    if (this.settled !== String(q)) {
      this.settled = String(q);
      this.values = divergences(this.spec.target, q);
    }
    this.paintDensities();
    this.paintIntegrand();
    for (const name of Object.keys(KL)) this.paintBar(name);
    this.write();
  }

  paintDensities() {
    const plot = this.densities, c = plot.begin(), { ink } = this, [m, s] = this.state.q;
    if (!c) return;
    const p = (z) => Math.exp(logMixture(this.spec.target, z));
    plot.axes(c, "z", "density");
    c.save();
    plot.clip(c);
    plot.curve(c, p);
    plot.stroke(c, ink.generative, 2);
    plot.tint(c, ink.generative);
    plot.curve(c, (z) => normalDensity(z, m, s));
    plot.stroke(c, ink.inference, 3);
    plot.tint(c, ink.inference);
    this.shown.forEach(([mean, sd], k) => {
      plot.curve(c, (z) => normalDensity(z, mean, sd));
      plot.stroke(c, ink.inference, 2, DASHES[k]);
    });
    c.restore();
    this.nameBest(c);
    plot.knobs(c);
  }

  /** Above each best curve, its name. */
  nameBest(c) {
    const plot = this.densities;
    this.shown.forEach(([mean, sd], k) => {
      const py = plot.py(normalDensity(0, 0, sd)) - 11;
      plot.say(c, k ? "local" : "best", plot.px(mean), Math.max(py, 8), this.ink.inference);
    });
  }

  /** What the integral adds up, tinted, and hatched where it takes away. */
  paintIntegrand() {
    const plot = this.integrand, { ink, state: { q, direction } } = this, { low, high } = plot.x;
    const f = (z) => integrands(this.spec.target, q, z)[direction];
    let most = 0, least = 0;
    for (let k = 0; k <= 400; k++) {
      const v = f(low + (k / 400) * (high - low));
      most = Math.max(most, v);
      least = Math.min(least, v);
    }
    const top = TOPS.find((t) => most <= t && -least <= 0.25 * t) ?? TOPS[TOPS.length - 1];
    plot.y = linearAxis(-0.25 * top, top, 5);
    const c = plot.begin();
    if (!c) return;
    plot.axes(c, "z", INTEGRAND[direction]);
    const zero = plot.py(0);
    c.save();
    plot.clip(c);
    for (const above of [true, false]) {
      c.save();
      c.beginPath();
      c.rect(0, above ? 0 : zero, plot.width, above ? zero : plot.height - zero);
      c.clip();
      plot.curve(c, f);
      c.lineTo(plot.width, zero);
      c.lineTo(0, zero);
      c.closePath();
      c.fillStyle = ink.gap;
      c.globalAlpha = above ? 0.4 : 0.1;
      c.fill();
      c.globalAlpha = 1;
      if (!above) plot.hatch(c, zero, plot.height, ink.gap);
      c.restore();
    }
    c.beginPath();
    c.moveTo(0, zero);
    c.lineTo(plot.width, zero);
    plot.stroke(c, ink.line, 1);
    plot.curve(c, f);
    plot.stroke(c, ink.gap, 2);
    c.restore();
  }

  /** How large each divergence is, and with a line how small it could be. */
  paintBar(name) {
    const plot = this.bars[name], c = plot.begin(), { ink, values, state, spec } = this;
    if (!c) return;
    plot.axes(c, "nats");
    const value = values[name], end = plot.px(Math.min(value, SHOWN));
    plot.part(c, 0, end, 0, BAR, ink.gap, name === state.direction ? 0.45 : 0.15);
    if (value > SHOWN) plot.beyond(c, plot.width, BAR / 2, 10, BAR / 2, ink.gap);
    else c.fillRect(end - 1.5, 0, 3, BAR);
    if (!state.best) return;
    spec.best[name].forEach(([, , kl], k) => {
      c.beginPath();
      c.moveTo(plot.px(kl), -4);
      c.lineTo(plot.px(kl), BAR + 2);
      plot.stroke(c, ink.inference, 2, k ? DASHES[k] : []);
    });
  }

  write() {
    const { q, direction, best } = this.state, { values, spec } = this;
    write(this.find(".ke-q"), `${i("q")} = ${normalText(...q)}`);
    write(this.find(".ke-area"), `shaded less hatched: ${KL[direction]} = ${number(values[direction])} nats`);
    for (const name of Object.keys(KL)) {
      const row = this.find(`[data-kind="${name}"]`);
      row.classList.toggle("ke-chosen", name === direction);
      write(row.querySelector('[data-side="now"]'), number(values[name]));
      write(row.querySelector('[data-side="best"]'), best ? `least ${number(spec.best[name][0][2])}` : "");
    }
    write(this.find(".vw-note"), this.note());
  }

  note() {
    const { direction, best } = this.state, fits = this.spec.best[direction];
    const [mean, sd] = fits[0], least = normalText(mean, sd);
    if (direction === "forward") return best
      ? `The best ${i("q")} is ${least}: mean and width of ${i("p")} itself. It covers both modes, and much between them.`
      : `An average over ${i("p")}: ${i("q")} pays wherever ${i("p")} has mass and ${i("q")} has little.`;
    if (!best) return `An average over ${i("q")}: ${i("q")} pays wherever it has mass and ${i("p")} has little; ` +
      "a mode that it leaves out costs little.";
    const others = fits.slice(1).map(([m, s, kl]) => `${normalText(m, s)} at ${number(kl)}`);
    return `The best ${i("q")} is ${least}. ` +
      (others.length ? `Going downhill may also end in a local minimum: ${others.join(", ")}.` : "There is no other minimum.");
  }

  speech() {
    const { q, direction } = this.state, { forward, reverse } = this.values;
    const best = this.state.best ? ` ${untagged(this.note())}` : "";
    return `q = ${normalText(...q)}. KL(p ‖ q) ${number(forward)}, KL(q ‖ p) ${number(reverse)} nats; ` +
      `${untagged(KL[direction])} is drawn.${best}`;
  }
}

export default KLExplorer.widget();
