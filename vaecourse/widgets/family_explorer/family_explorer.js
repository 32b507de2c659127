// The family explorer, after models.js: the pen, and the view.

// ---------------------------------------------------------------- the pen

/** The cells of the grid [T, D] whose centre is within `radius` of a path from a to b, [down, right]. */
export function cellsAlong(a, b, radius, [T, D]) {
  const cells = [], [dv, du] = [b[0] - a[0], b[1] - a[1]], length = dv * dv + du * du;
  for (let row = 0; row < T; row++)
    for (let column = 0; column < D; column++) {
      const v = row + 0.5 - a[0], u = column + 0.5 - a[1];
      const share = length ? clamp((v * dv + u * du) / length, 0, 1) : 0;
      if (Math.hypot(v - share * dv, u - share * du) <= radius) cells.push([row, column]);
    }
  return cells;
}

// ---------------------------------------------------------------- the view

const X_Z = `${i("p")}(${i("x")}|${i("z")})`;
const OTHERS = 8; // continuations beside the one in the grid
const PATIENCE = 1; // millisecond
const PEN = 1.05, ERASER = 1.6; // cells
const GAP = 2.2, BARS = 7; // cells, at the right of the grid

const HINTS = {
  gmvae: `Drag ${i("z")} to change the style of all pictures; choose a component ${i("y")} for the content.`,
  vrnn: "Draw the first rows of a digit, or move the line: beneath it the model goes on.",
};
const NUMBERS = {
  gmvae: {
    given: `log ${i("p")}(${i("z")}|${i("y")})`,
    evidence: `log ${i("p")}(${i("z")}), all components`,
    share: `${i("p")}(${i("y")}|${i("z")}), this ${i("y")}`,
  },
  vrnn: {
    likelihood: `log ${X_Z} of the rows seen`,
    kl: `KL(${i("q")} ‖ prior) of the rows seen`,
    elbo: "their bound, one sample",
  },
};

/** The grid of an image, one cell a pixel, and beside it bars for the rows. */
class Grid extends Plot {
  constructor(figure, stage, [T, D], margin) {
    const across = linearAxis(0, D + GAP + BARS);
    const down = { to: (v) => 1 - v / T, from: (t) => (1 - t) * T }; // as rows are counted
    super(figure, stage, { margin, height: 0, x: across, y: down, free: true });
    Object.assign(this, { T, D });
  }

  resize() {
    const { left, right } = this.margin;
    this.cell = Math.max(0, this.stage.clientWidth - left - right) / this.x.high;
    this.height = this.T * this.cell;
    super.resize();
  }
}

class FamilyExplorer extends Figure {
  name = "family-explorer";
  own = { tool: "pen" };

  build() {
    const { spec, arrays } = this, [T, D] = spec.image_shape;
    this.mixture = makeMixture(spec, arrays);
    this.decode = makeNetwork(spec.layers["gmvae.decoder"], arrays["gmvae.decoder"]);
    this.recurrence = makeRecurrence(spec.layers, arrays);
    const size = T * D, given = Array.from({ length: arrays.images.length / size }, (_, k) =>
      [...arrays.images.subarray(k * size, (k + 1) * size)]);
    this.images = [Array(size).fill(0), ...given];
    this.means = [];
    this.decoded = []; // the offset of each
    this.turn = 0;
    this.cursor = [2, Math.floor(D / 2)];
    const numbers = (view) => `<table class="vw-numbers">${numberRows(Object.entries(NUMBERS[view]))}</table>`;
    const pictures = (count, tag) => Array.from({ length: count }, tag).join("");
    this.body.innerHTML = `
      <div class="vw-controls">
        ${choices("Model", "view", { gmvae: "GMVAE", vrnn: "VRNN" })}
        <div class="vw-controls fx-hand">
          ${choices("Tool", "tool", { pen: "Pen", eraser: "Eraser" })}
          <button type="button" class="fx-again">Sample again</button>
        </div>
      </div>
      <div class="fx-panel fx-gmvae">
        <div class="fx-plane"></div>
        <div class="fx-right">
          <figure><canvas class="fx-decoded" role="img"></canvas><figcaption></figcaption></figure>
          ${numbers("gmvae")}
        </div>
        <div class="fx-components" role="radiogroup" aria-label="Component">${pictures(spec.components, (_, k) =>
          `<button type="button" role="radio" data-component="${k}"><canvas aria-hidden="true"></canvas><span>${i("y")} = ${k}</span></button>`)}</div>
        <p class="vw-note">The plane is of the two latents that change the pictures most; the others rest at the
          component’s mean. Ellipses: ${i("p")}(${i("z")}|${i("y")}) at one and two standard deviations, and in grey the
          others at one. Pictures: means of ${X_Z}, all at the same offset in standard deviations. Values in nats.</p>
      </div>
      <div class="fx-panel fx-vrnn">
        <div class="fx-strip" role="group" aria-label="Start from">${this.images.map((_, k) =>
          `<button type="button" data-image="${k}" aria-label="${k ? `image ${k}` : "an empty image"}"><canvas></canvas></button>`).join("")}</div>
        <div class="fx-grid" tabindex="0" role="application"></div>
        <div class="fx-right">
          ${numbers("vrnn")}
          <p class="fx-head">${OTHERS} other samples of what follows</p>
          <div class="fx-others" aria-hidden="true">${pictures(OTHERS, () => "<canvas></canvas>")}</div>
          <p class="vw-note">Above the line ${i("z")} is drawn from ${i("q")}, beneath it from its prior. Grey: the
            probability of a pixel, given ${i("z")} and the rows above; the model goes on from a draw of it, 0 or 1.
            Values in nats.</p>
        </div>
      </div>`;
    for (const canvas of this.root.querySelectorAll(".fx-panel canvas"))
      Object.assign(canvas, { width: D, height: T });
    this.buildPlane();
    this.buildGrid();
    this.images.forEach((image, k) => paintImage(this.find(`[data-image="${k}"] canvas`), image));
    for (const button of this.root.querySelectorAll("[data-component]"))
      this.on(button, "click", () => this.set({ component: +button.dataset.component }));
    for (const button of this.root.querySelectorAll("[data-image]"))
      this.on(button, "click", () => this.begin(+button.dataset.image));
    this.on(this.find(".fx-again"), "click", () => this.set({ seed: (this.state.seed + 1) % this.spec.seeds }));
    this.on(this.find(".fx-components"), "keydown", (e) => this.choose(e));
  }

  get admits() {
    const { reach, components, image_shape: [T, D], seeds } = this.spec, offset = within(-reach, reach);
    return {
      view: oneOf("gmvae", "vrnn"), component: within(0, components - 1, true), offset: each(offset, offset),
      pixels: each(...Array(T * D).fill(oneOf(0, 1))), seen: within(0, T, true), seed: within(0, seeds, true),
      tool: oneOf("pen", "eraser"),
    };
  }

  /** As in the beginning, but for the model that is looked at. */
  reset() {
    const { view } = this.state;
    super.reset();
    this.set({ view });
  }

  buildPlane() {
    const axis = linearAxis(0, 1);
    this.plane = new Square(this, ".fx-plane", {
      margin: { left: 30, right: 4, top: 4, bottom: 28 }, x: axis, y: axis, free: true });
    this.plane.handle({
      label: "z in the plane",
      across: true,
      at: () => this.place,
      drag: (u, v) => this.move([u, v].map((value, d) => this.standardized(value, d))),
      nudge: (right, up) => this.move([this.state.offset[0] + right / 10, this.state.offset[1] + up / 10]),
      range: () => [this.place[0], ...[-1, 1].map((sign) => this.latentAt(sign * this.spec.reach, 0))],
      text: () => this.where(),
    });
  }

  buildGrid() {
    const { spec: { image_shape: [T, D] } } = this, stage = this.find(".fx-grid");
    stage.setAttribute("aria-label", "The rows to draw. Arrow keys move the cell, the space bar inks or erases it, " +
      "Shift with an arrow draws on.");
    this.on(stage, "pointerdown", (e) => {
      if (!e.button && e.isPrimary && !e.target.closest(".vw-handle")) this.startStroke(e);
    });
    this.on(stage, "pointermove", (e) => this.stroke && this.drawTo(this.cellAt(e)));
    this.on(stage, "pointerup pointercancel lostpointercapture", () => (this.stroke = null));
    this.on(stage, "keydown", (e) => this.type(e));
    this.on(stage, "focus blur", () => this.schedule());
    this.grid = new Grid(this, ".fx-grid", [T, D], { left: 2, right: 8, top: 34, bottom: 3 });
    this.grid.handle({
      label: "Rows seen",
      across: true,
      at: () => [D + GAP / 2, this.state.seen],
      drag: (u, v) => this.see(v),
      nudge: (right, up) => this.see(this.state.seen + right - up),
      range: () => [this.state.seen, 0, T],
      text: () => `${this.state.seen} of ${T}`,
    });
    this.large = Object.assign(document.createElement("canvas"), { width: D, height: T });
  }

  // -------------------------------------------------------------- hands

  /** Another image to start from; the empty one has no row to see. */
  begin(image) {
    const { seen } = this.state;
    this.set({ pixels: this.images[image], seen: image ? seen || this.spec.start.seen : 0 });
  }

  /** Arrow keys go from component to component, as in every group of radio buttons. */
  choose(e) {
    const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[e.key], { components } = this.spec;
    if (!by || e.altKey || e.ctrlKey || e.metaKey) return;
    const component = (this.state.component + by + components) % components;
    this.set({ component });
    this.find(`[data-component="${component}"]`).focus();
    e.preventDefault();
    e.stopPropagation();
  }

  move(offset) {
    const { reach } = this.spec;
    this.set({ offset: offset.map((value) => clamp(+value.toFixed(2), -reach, reach)) });
  }

  see(rows) {
    this.set({ seen: clamp(Math.round(rows), 0, this.spec.image_shape[0]) });
  }

  /** [down, right] in cells, of a pointer. */
  cellAt({ clientX, clientY }) {
    const { stage, margin, cell } = this.grid, box = stage.getBoundingClientRect();
    return [(clientY - box.top - margin.top) / cell, (clientX - box.left - margin.left) / cell];
  }

  startStroke(e) {
    const at = this.cellAt(e), [T, D] = this.spec.image_shape;
    e.preventDefault();
    this.grid.stage.focus({ preventScroll: true });
    if (at[1] > D || at[0] < 0 || at[0] > T) return;
    this.grid.stage.setPointerCapture(e.pointerId);
    this.stroke = at;
    this.drawTo(at);
  }

  drawTo(at) {
    const { image_shape: shape } = this.spec;
    this.apply(cellsAlong(this.stroke, at, this.state.tool === "pen" ? PEN : ERASER, shape));
    this.stroke = at;
    this.cursor = [clamp(Math.floor(at[0]), 0, shape[0] - 1), clamp(Math.floor(at[1]), 0, shape[1] - 1)];
  }

  /** Ink cells, which the model then sees, or erase them. */
  apply(cells) {
    const D = this.spec.image_shape[1], pen = this.state.tool === "pen", pixels = [...this.state.pixels];
    let { seen } = this.state;
    if (!pen) cells = cells.filter(([row]) => row < seen);
    if (!cells.length) return;
    // what lay hidden beneath the line is not the reader's drawing
    if (cells.some(([row]) => row >= seen)) pixels.fill(0, seen * D);
    for (const [row, column] of cells) {
      pixels[row * D + column] = pen ? 1 : 0;
      seen = Math.max(seen, row + 1);
    }
    this.set({ pixels, seen });
  }

  /** The keyboard's pen. */
  type(e) {
    const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[e.key];
    if (e.target !== this.grid.stage || e.altKey || e.ctrlKey || e.metaKey || (!by && e.key !== " ")) return;
    const [T, D] = this.spec.image_shape, [down, right] = by ?? [0, 0];
    this.cursor = [clamp(this.cursor[0] + down, 0, T - 1), clamp(this.cursor[1] + right, 0, D - 1)];
    if (!by || e.shiftKey) this.apply([this.cursor]);
    this.moved = true; // the cell is read out
    this.schedule();
    e.preventDefault();
    e.stopPropagation();
  }

  // -------------------------------------------------------------- what is shown

  get z() {
    return this.mixture.latent(this.state.component, this.state.offset);
  }
  /** z in the plane. */
  get place() {
    const { z } = this;
    return this.spec.latents.map((j) => z[j]);
  }
  /** A value of latent d of the plane, in standard deviations of the component. */
  standardized(value, d) {
    const { loc, scale } = this.mixture.priors[this.state.component], j = this.spec.latents[d];
    return (value - loc[j]) / scale[j];
  }
  /** And back. */
  latentAt(deviations, d) {
    const { loc, scale } = this.mixture.priors[this.state.component], j = this.spec.latents[d];
    return loc[j] + deviations * scale[j];
  }
  where() {
    return this.spec.latents.map((j, d) => `z${subscript(j + 1)} = ${number(this.place[d])}`).join(", ");
  }

  paint() {
    const { view } = this.state;
    if (this.shown !== view) {
      this.shown = view;
      this.root.dataset.shows = view;
      write(this.find(".vw-hint"), HINTS[view]);
    }
    if (view === "gmvae") this.paintMixture();
    else this.paintRows();
  }

  cells(values) {
    for (const [kind, text] of Object.entries(values)) write(this.find(`[data-kind="${kind}"] td`), text);
  }

  // -------------------------------------------------------------- the mixture

  paintMixture() {
    const { component } = this.state, picture = this.find(".fx-decoded");
    this.decodeAll();
    paintImage(picture, this.means[component]);
    picture.setAttribute("aria-label", `Decoded image of component ${component} at ${this.where()}`);
    for (const button of this.root.querySelectorAll("[data-component]")) {
      const chosen = +button.dataset.component === component;
      button.setAttribute("aria-checked", chosen);
      button.tabIndex = chosen ? 0 : -1;
    }
    this.paintPlane();
    const { given, evidence, shares } = this.mixture.at(this.z);
    this.cells({ given: number(given[component]), evidence: number(evidence), share: number(shares[component], 3) });
    write(this.find("figcaption"), `mean of ${X_Z} at ${this.where().replace(/z/g, i("z"))}`);
  }

  /** All pictures at the offset: the chosen one at once, the others as far as a frame has time. */
  decodeAll() {
    const { component, offset } = this.state, K = this.spec.components;
    const at = String(offset), start = performance.now();
    const decode = (k) => {
      this.decoded[k] = at;
      this.means[k] = this.decode(this.mixture.latent(k, offset)).map(sigmoid);
      paintImage(this.find(`[data-component="${k}"] canvas`), this.means[k]);
    };
    if (this.decoded[component] !== at) decode(component);
    // in turn, so that none waits for long
    const others = Array.from({ length: K }, (_, n) => (this.turn + n) % K);
    for (const k of others.filter((k) => this.decoded[k] !== at)) {
      if (performance.now() - start > PATIENCE) return this.schedule();
      decode(k);
      this.turn = k + 1;
    }
  }

  paintPlane() {
    const plot = this.plane, { ink, spec, state: { component } } = this;
    // each component in its own measure: the point stays where it is when another is chosen
    const half = 1.07 * spec.reach;
    [plot.x, plot.y] = [0, 1].map((d) => linearAxis(this.latentAt(-half, d), this.latentAt(half, d), 7));
    const c = plot.begin();
    if (!c) return;
    plot.axes(c, `z${subscript(spec.latents[0] + 1)}`, `z${subscript(spec.latents[1] + 1)}`);
    c.save();
    plot.clip(c);
    this.mixture.priors.forEach((_, k) => {
      if (k === component) return;
      this.ellipse(c, k, 1);
      plot.stroke(c, ink.line, 1);
    });
    for (const sd of [2, 1]) {
      this.ellipse(c, component, sd);
      c.globalAlpha = 0.12;
      c.fillStyle = ink.generative;
      c.fill();
      c.globalAlpha = 1;
      plot.stroke(c, ink.generative, sd === 1 ? 2 : 1.5, sd === 1 ? [] : [5, 4]);
    }
    const [a, b] = spec.latents, places = this.mixture.priors.map(({ loc }) => [plot.px(loc[a]), plot.py(loc[b])]);
    separate(places, 17);
    places.forEach((place, k) => k !== component && plot.say(c, String(k), ...place, ink.muted));
    plot.say(c, "p(z|y)", plot.px(this.latentAt(0, 0)), plot.py(this.latentAt(-1.5, 1)), ink.generative);
    c.restore();
    plot.knob(c, this.place, ink.latent);
  }

  ellipse(c, k, sd) {
    const { loc, scale } = this.mixture.priors[k], [a, b] = this.spec.latents;
    this.plane.ellipse(c, [loc[a], loc[b]], [scale[a], 0, 0, scale[b]], sd);
  }

  // -------------------------------------------------------------- the rows

  paintRows() {
    const { pixels, seen, seed } = this.state;
    if (this.seeded !== seed) {
      this.seeded = seed;
      const [T, D] = this.spec.image_shape, J = this.spec.latent_dim[1];
      this.runs = Array.from({ length: 1 + OTHERS }, (_, k) =>
        new Continuation(this.recurrence, makeNoise((1 + OTHERS) * seed + k, T * J, T * D), this.spec));
      this.stale = 0;
    }
    if (this.followed !== pixels || this.followedTo !== seen || !this.stale) {
      Object.assign(this, { followed: pixels, followedTo: seen, stale: 1 });
      this.runs[0].run(pixels, seen);
      this.images.forEach((image, k) => this.find(`[data-image="${k}"]`)
        .setAttribute("aria-pressed", image.every((value, n) => value === pixels[n])));
    } else if (this.stale <= OTHERS) {
      // one of the others a frame, when the hand leaves time
      this.runs[this.stale].run(pixels, seen);
      paintImage(this.find(".fx-others").children[this.stale - 1], this.runs[this.stale].means);
      this.stale++;
    }
    if (this.stale <= OTHERS) this.schedule();
    this.paintGrid();
    const { likelihood, kl } = this.runs[0].total, nats = (value) => (seen ? number(value) : "–");
    this.cells({ likelihood: nats(likelihood), kl: nats(kl), elbo: nats(likelihood - kl) });
  }

  paintGrid() {
    const plot = this.grid, { ink, state: { seen } } = this, c = plot.begin();
    if (!c) return;
    const { cell, T, D } = plot, side = D * cell, line = seen * cell;
    paintImage(this.large, this.runs[0].means);
    c.imageSmoothingEnabled = false;
    c.drawImage(this.large, 0, 0, side, plot.height);
    this.rule(c, side, line);
    c.strokeStyle = ink.data;
    c.lineWidth = 2;
    if (seen) c.strokeRect(-1, -1, side + 2, line + 1);
    c.strokeStyle = ink.generative;
    if (seen < T) c.strokeRect(-1, line, side + 2, plot.height - line + 1);
    this.paintBars(c);
    if (plot.stage.matches(":focus-visible")) {
      const [row, column] = this.cursor;
      c.strokeStyle = ink.latent;
      c.strokeRect(column * cell, row * cell, cell, cell);
    }
    c.beginPath();
    c.moveTo(0, line);
    c.lineTo(plot.px(D + GAP / 2), line);
    plot.stroke(c, ink.generative, 3);
    plot.knob(c, [D + GAP / 2, seen], ink.generative, 4);
  }

  /** The paper: thin lines between the cells that are the reader's. */
  rule(c, side, line) {
    const { cell, D } = this.grid;
    c.beginPath();
    for (let column = 1; column < D; column++) {
      c.moveTo(column * cell, 0);
      c.lineTo(column * cell, line);
    }
    for (let y = cell; y < line - 1; y += cell) {
      c.moveTo(0, y);
      c.lineTo(side, y);
    }
    c.globalAlpha = 0.25;
    this.grid.stroke(c, "#9aa4b2", 0.5);
    c.globalAlpha = 1;
  }

  /** What each row costs: −log p(x|z), and after it the KL. */
  paintBars(c) {
    const plot = this.grid, { ink, font } = this, { terms } = this.runs[0], { cell, D } = plot;
    const left = (D + GAP) * cell, room = BARS * cell;
    const most = Math.max(12, ...terms.map(({ likelihood, kl }) => kl - likelihood));
    const axis = linearAxis(0, most, 3);
    if (terms.length) {
      c.font = `12px ${font}`;
      c.fillStyle = ink.muted;
      c.textBaseline = "bottom";
      c.textAlign = "left";
      c.fillText("nats a row", left, -17);
      c.textAlign = "center";
      c.beginPath();
      for (const [v, text] of axis.ticks) {
        const px = left + axis.to(v) * room;
        c.fillText(text, px, -3);
        c.moveTo(px, -3);
        c.lineTo(px, terms.length * cell);
      }
      plot.stroke(c, ink.line, 1);
    }
    terms.forEach(({ likelihood, kl }, t) => {
      const y = t * cell + 1, high = Math.max(1, cell - 2), first = axis.to(-likelihood) * room;
      c.fillStyle = ink.generative;
      c.fillRect(left, y, first, high);
      c.fillStyle = ink.gap;
      c.fillRect(left + first, y, axis.to(kl) * room, high);
    });
    if (terms.length < plot.T - 1) plot.say(c, "the model", left, (terms.length + 1) * cell, ink.generative, "left");
  }

  speech() {
    const { view, component, seen, pixels } = this.state, [T, D] = this.spec.image_shape;
    if (view === "gmvae") {
      const { evidence, shares } = this.mixture.at(this.z);
      return `Component ${component}, ${this.where()}: log p(z) ${number(evidence)} nats, ` +
        `p(y|z) ${number(shares[component], 3)}.`;
    }
    const { likelihood, kl } = this.runs[0].total, [row, column] = this.cursor;
    const ink = row >= seen ? "beneath the line" : pixels[row * D + column] ? "ink" : "no ink";
    const cell = this.grid.stage.matches(":focus-visible") ? `Row ${row + 1}, column ${column + 1}: ${ink}. ` : "";
    return cell + (seen ? `${seen} of ${T} rows seen, bound ${number(likelihood - kl)} nats; the model goes on.`
      : "No row is seen: the model begins.");
  }
}

export default FamilyExplorer.widget();
