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

/** The integral of f by the trapezoidal rule; at the ends, where f vanishes, a term counts nothing. */
function integral(f, low, high, step) {
  const steps = Math.ceil((high - low) / step), fine = (high - low) / steps;
  let sum = 0;
  for (let k = 0; k <= steps; k++) sum += f(low + k * fine);
  return sum * fine;
}

/** E_p log p, mean and variance of a target, once for each. */
const MOMENTS = new WeakMap();
function moments(target) {
  if (!MOMENTS.has(target)) {
    const low = Math.min(...target.map(([, m, s]) => m - 12 * s)), high = Math.max(...target.map(([, m, s]) => m + 12 * s));
    const narrowest = Math.min(...target.map(([, , s]) => s)), mean = target.reduce((sum, [w, m]) => sum + w * m, 0);
    MOMENTS.set(target, {
      narrowest, mean,
      variance: target.reduce((sum, [w, m, s]) => sum + w * (s * s + (m - mean) ** 2), 0),
      log: integral((z) => integrand(logMixture(target, z), 0), low, high, narrowest / 40),
    });
  }
  return MOMENTS.get(target);
}

/**
 * Both divergences. log q is a square, so E_p log q follows from p's moments; E_q log p is by
 * quadrature over 9 standard deviations of q, 20 points to the narrowest: exact to rounding.
 */
export function divergences(target, [m, s]) {
  const { log, mean, variance, narrowest } = moments(target);
  const under = (z) => Math.exp(-0.5 * (((z - m) / s) ** 2 + LOG_2PI)) / s * logMixture(target, z);
  return {
    forward: log + Math.log(s) + 0.5 * (LOG_2PI + (variance + (mean - m) ** 2) / (s * s)),
    reverse: -Math.log(s) - 0.5 * (LOG_2PI + 1) - integral(under, m - 9 * s, m + 9 * s, Math.min(s, narrowest) / 20),
  };
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
    plot.layer(c, "target", "", (d) => {
      plot.axes(d, "z", "density");
      plot.clip(d);
      plot.curve(d, (z) => Math.exp(logMixture(this.spec.target, z)));
      plot.stroke(d, ink.generative, 2);
      plot.tint(d, ink.generative);
    });
    c.save();
    plot.clip(c);
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
    const plot = this.integrand, { ink, state: { q, direction } } = this;
    if (!plot.width) return;
    const f = plot.sample((z) => integrands(this.spec.target, q, z)[direction]);
    const most = f.reduce((a, b) => Math.max(a, b), 0), least = f.reduce((a, b) => Math.min(a, b), 0);
    const top = TOPS.find((t) => most <= t && -least <= 0.25 * t) ?? TOPS[TOPS.length - 1];
    plot.y = linearAxis(-0.25 * top, top, 5);
    const c = plot.begin();
    plot.layer(c, "axes", [direction, top], (d) => plot.axes(d, "z", INTEGRAND[direction]));
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
