// The ELBO explorer: the mathematics, which mirrors Python and is tested against it, and the view.

// ---------------------------------------------------------------- mathematics, in nats

/** log N(x; mean, sd²). */
const logNormal = (x, mean, sd) => -0.5 * (LOG_2PI + ((x - mean) / sd) ** 2) - Math.log(sd);

/** KL(N(m, s²) ‖ N(mean, sd²)). */
export const normalKl = (m, s, mean, sd) =>
  Math.log(sd / s) + (s * s + (m - mean) ** 2) / (2 * sd * sd) - 0.5;

/** [mean, standard deviation] of p(z|x) for z ~ N(0, 1), x | z ~ N(weight·z, noise²). */
export function exactPosterior({ weight, noise, x }) {
  const precision = 1 + (weight / noise) ** 2;
  return [(weight * x) / noise ** 2 / precision, precision ** -0.5];
}

/** What q = N(m, s²) gives in that model; with z put `atMean` of q, what is mistaken for it. */
export function terms(model, [m, s], atMean = false) {
  const { weight, noise, x } = model;
  const spread = atMean ? 0 : 0.5 * ((weight * s) / noise) ** 2;
  const reconstruction = logNormal(x, weight * m, noise) - spread;
  const klToPrior = normalKl(m, s, 0, 1);
  return {
    evidence: logNormal(x, 0, Math.hypot(weight, noise)),
    gap: normalKl(m, s, ...exactPosterior(model)),
    reconstruction,
    klToPrior,
    elbo: reconstruction - klToPrior,
  };
}

// ---------------------------------------------------------------- the view

const P_X = `log ${i("p")}(${i("x")})`, P_XZ = `log ${i("p")}(${i("x")}|${i("z")})`;
const KL_PRIOR = `KL(${i("q")} ‖ ${i("p")}(${i("z")}))`;
const SHOWN = 12; // nats below log p(x) at which the bars begin
const BAR = 24, PITCH = 38;

class ElboExplorer extends Figure {
  name = "elbo-explorer";
  own = { atMean: false };

  build() {
    this.posterior = exactPosterior(this.spec);
    this.find(".vw-hint").innerHTML = `Move ${i("q")}: drag the disc for its mean, the lozenge for its width.`;
    this.body.innerHTML = `
      <div class="ee-left">
        <div class="ee-densities"></div>
        ${key([["inference", "solid", `<span class="ee-q"></span>`],
          ["exact", "solid", `${i("p")}(${i("z")}|${i("x")}) = ${normalText(...this.posterior)}`],
          ["generative", "dashed", `${i("p")}(${i("z")}) = N(0, 1)`]])}
        <div class="vw-controls">
          <button type="button" class="ee-exact">Exact posterior</button>
          ${toggle("atMean", `${i("z")} = mean of ${i("q")}`)}
        </div>
      </div>
      <div class="ee-right">
        <div class="ee-bars"></div>
        <table class="vw-numbers">${numberRows([["elbo", "ELBO", ""],
          ["gap", `gap, KL(${i("q")} ‖ ${i("p")}(${i("z")}|${i("x")}))`, "+"], ["evidence", P_X, "="],
          ["reconstruction", "", ""], ["kl", KL_PRIOR, "−"], ["result", "", "="]])}</table>
        <p class="vw-note"></p>
      </div>`;
    this.buildPlots();
    this.on(this.find(".ee-exact"), "click", () => this.set({ q: [...this.posterior] }));
  }

  buildPlots() {
    const [mean, sd] = this.posterior, { evidence } = terms(this.spec, this.posterior);
    const low = Math.min(-3, Math.floor(mean - 4 * sd)), high = Math.max(3, Math.ceil(mean + 4 * sd));
    // q may become half as wide as the posterior, so its handles stay on the picture
    this.densities = new NormalPlot(this, ".ee-densities", {
      height: 268, widths: [Math.ceil(50 * sd) / 100, 2], margin: { left: 34, right: 20, top: 10, bottom: 26 },
      x: linearAxis(low, high), y: linearAxis(0, 1.3 * normalDensity(0, 0, sd), 5) });
    // the bars begin at a fixed place, and the largest reconstruction still fits
    const most = Math.max(evidence, terms(this.spec, this.posterior, true).reconstruction,
      logNormal(0, 0, this.spec.noise));
    this.bars = new Plot(this, ".ee-bars", {
      height: 3 * PITCH, margin: { left: 1, right: 40, top: 4, bottom: 26 },
      x: linearAxis(evidence - SHOWN, most + 0.5, 6), y: linearAxis(0, 1) });
  }

  get admits() {
    return { q: this.densities.admits, atMean: oneOf(true, false) };
  }

  paint() {
    const { q, atMean } = this.state, v = terms(this.spec, q), read = atMean ? terms(this.spec, q, true) : v;
    this.paintDensities();
    this.paintBars(v, read);
    this.write(v, read);
  }

  paintDensities() {
    const plot = this.densities, c = plot.begin(), { ink } = this, [m, s] = this.state.q;
    if (!c) return;
    const [mean, sd] = this.posterior;
    plot.layer(c, "prior", "", (d) => {
      plot.axes(d, "z", "density");
      plot.clip(d);
      plot.curve(d, (z) => normalDensity(z, 0, 1));
      plot.stroke(d, ink.generative, 2, [6, 4]);
    });
    c.save();
    plot.clip(c);
    plot.curve(c, (z) => normalDensity(z, m, s));
    plot.stroke(c, ink.inference, 3.5);
    plot.tint(c, ink.inference);
    // thin and on top: where q is the posterior, both are seen
    plot.layer(c, "posterior", "", (d) => {
      plot.clip(d);
      plot.curve(d, (z) => normalDensity(z, mean, sd));
      plot.stroke(d, ink.exact, 1.5);
      plot.tint(d, ink.exact, 0.12);
    });
    c.restore();
    plot.knobs(c);
  }

  paintBars(v, read) {
    const plot = this.bars, c = plot.begin(), { ink } = this;
    if (!c) return;
    plot.axes(c, "nats");
    const at = (value) => clamp(plot.px(value), 0, plot.width);
    const row = (k) => 4 + k * PITCH;
    const bar = (k, from, to, colour, alpha = 0.3, text = "") => plot.part(c, at(from), at(to), row(k), BAR, colour, alpha, text);
    const end = (k, value, colour) => {
      if (value < plot.x.low) return plot.beyond(c, 9, row(k) + BAR / 2, -9, 7, colour);
      c.fillStyle = colour;
      c.fillRect(at(value) - 1.5, row(k), 3, BAR);
    };
    const low = plot.x.low;
    bar(0, low, v.evidence, ink.exact, 0.3, "log p(x)");
    bar(1, low, v.elbo, ink.inference, 0.3, "ELBO");
    bar(1, v.elbo, v.evidence, ink.gap, 0.45, "gap");
    bar(2, low, read.reconstruction, ink.generative);
    // what is taken away again: stripes
    c.beginPath();
    c.rect(at(read.elbo), row(2), at(read.reconstruction) - at(read.elbo), BAR);
    c.fillStyle = ink.plot;
    c.fill();
    plot.hatch(c, row(2), row(2) + BAR, ink.gap);
    plot.inside(c, "reconstruction", at(low), at(read.elbo), row(2) + BAR / 2 + 1);
    plot.inside(c, "KL", at(read.elbo), at(read.reconstruction), row(2) + BAR / 2 + 1);
    // the bound, from one bar to the other
    if (v.elbo >= low) {
      c.beginPath();
      c.moveTo(at(v.elbo), row(1) + BAR);
      c.lineTo(at(v.elbo), row(2) + BAR);
      plot.stroke(c, ink.inference, 1.5, [2, 2]);
    }
    c.beginPath();
    c.moveTo(at(v.evidence), row(0));
    c.lineTo(at(v.evidence), plot.height);
    plot.stroke(c, ink.exact, 2);
    end(1, v.elbo, ink.inference);
    end(2, read.reconstruction, ink.generative);
    if (this.state.atMean) end(2, read.elbo, ink.text);
  }

  write(v, read) {
    const { q, atMean } = this.state;
    const cell = (kind) => this.find(`[data-kind="${kind}"] td`), label = (kind) => this.find(`[data-kind="${kind}"] .vw-sign + span`);
    write(this.find(".ee-q"), `${i("q")}(${i("z")}) = ${normalText(...q)}`);
    write(cell("elbo"), number(v.elbo));
    write(cell("gap"), number(v.gap));
    write(cell("evidence"), number(v.evidence));
    write(label("reconstruction"), atMean ? `${P_XZ} at ${i("z")} = ${number(q[0])}` : `E<sub>${i("q")}</sub> ${P_XZ}`);
    write(cell("reconstruction"), number(read.reconstruction));
    write(cell("kl"), number(read.klToPrior));
    write(label("result"), atMean ? "not the ELBO" : "ELBO");
    write(cell("result"), number(read.elbo));
    this.find('[data-kind="result"]').classList.toggle("ee-wrong", atMean);
    const { weight, noise, x } = this.spec, above = read.elbo - read.evidence;
    write(this.find(".vw-note"), !atMean
      ? `${i("z")} ~ N(0, 1), ${i("x")}|${i("z")} ~ N(${short(weight)} ${i("z")}, ${short(noise)}²), ${i("x")} = ${short(x)}. All values in nats.`
      : `Put ${i("z")} at the mean, and the width of ${i("q")} no longer costs the reconstruction anything: ` +
        (above > 0 ? `the result is ${number(above)} above ${P_X}, and bounds nothing.`
          : `the result is ${number(read.elbo - v.elbo)} above the ELBO.`));
  }

  speech() {
    const { q, atMean } = this.state, v = terms(this.spec, q);
    const wrong = atMean ? ` With z at the mean of q the result is ${number(terms(this.spec, q, true).elbo)}, no bound.` : "";
    return `q = ${normalText(...q)}. ELBO ${number(v.elbo)}, gap ${number(v.gap)}, log p(x) ${number(v.evidence)} nats.${wrong}`;
  }
}

export default ElboExplorer.widget();
