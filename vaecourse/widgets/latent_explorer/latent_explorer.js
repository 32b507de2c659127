// The latent explorer, after posterior.js and parts.js: the view.

const TILES = 15;
const GRID = 33;
const SHARES = [1 - Math.exp(-0.5), 1 - Math.exp(-2)]; // mass of a Gaussian within 1 and 2 sd
const CIRCLE = Array.from({ length: 65 }, (_, k) => [Math.cos((k * Math.PI) / 32), Math.sin((k * Math.PI) / 32)]);

const Z = (k) => `${i("z")}<sub>${k}</sub>`;
const P_XZ = `${i("p")}(${i("x")}|${i("z")})`, Q = `${i("q")}(${i("z")}|${i("x")})`;
const LABELS = {
  kl: `KL(${Q} ‖ ${i("p")}(${i("z")}))`,
  likelihood: `log ${P_XZ}`,
  elbo: "ELBO, this sample",
  weight: `log ${i("p")}(${i("x")},${i("z")}) − log ${Q}`,
  evidence: `log ${i("p")}(${i("x")}), by quadrature`,
  prior: `log ${i("p")}(${i("z")})`,
  error: `‖${i("x")} − ${i("x̂")}‖² at this ${i("z")}`,
  best: `‖${i("x")} − ${i("x̂")}‖² at its code`,
  near: "test points nearby",
};
const pair = (z) => `(${number(z[0])}, ${number(z[1])})`;

class LatentExplorer extends Figure {
  name = "latent-explorer";
  own = { mode: "points", filter: null, picked: null };

  build() {
    const { spec, arrays } = this, [height, width] = spec.image_shape;
    this.decode = makeNetwork(spec.layers, arrays.weights);
    this.size = height * width * spec.channels;
    this.drawn = {}; // the ε of a z that was drawn from q
    this.samples = []; // ELBOs of the samples drawn for the picked image
    this.contours = new Map(); // exact posteriors, by image
    write(this.find(".vw-hint"), "Drag the ringed green point: the decoder paints what it finds there. " +
      `Pick a test image to see its ${spec.posterior ? "posterior" : "code"}.`);
    const picture = (kind, label) => `<figure class="lx-${kind}"><canvas width="${width}" height="${height}" role="img"
      aria-label="${label}"></canvas><figcaption></figcaption></figure>`;
    this.body.innerHTML = `
      <div class="lx-pictures">${picture("x", "Test image")}${picture("decoded", "Decoded image")}</div>
      <div class="lx-left">
        <div class="lx-plane"></div>
        <div class="lx-sliders">${[1, 2].map((k) =>
          `<label><span>${Z(k)}</span><input type="range" class="lx-z${k}" aria-label="z ${k}"></label>`).join("")}</div>
        <div class="vw-controls">
          ${choices("Show on the plane", "mode", { points: "points", manifold: "manifold" })}
          ${spec.posterior ? `<button type="button" class="lx-resample">Resample ${i("ε")}</button>` : ""}
        </div>
      </div>
      <div class="lx-pick">
        <div class="lx-legend" role="group" aria-label="Show one digit only"></div>
        <div class="lx-strip" role="radiogroup" aria-label="Test images"></div>
      </div>
      <div class="lx-right">
        <table class="vw-numbers">${numberRows(Array(5).fill(["", ""]))}</table>
        <div class="lx-ledger"></div>
        <p class="vw-note"></p>
      </div>`;
    for (const name of ["legend", "strip", "resample"]) this[name] = this.find(`.lx-${name}`);
    this.sliders = [1, 2].map((k) => this.find(`.lx-z${k}`));
    this.decoded = this.find(".lx-decoded canvas");
    write(this.find(".lx-decoded figcaption"),
      `${spec.posterior ? `mean of ${P_XZ}` : `${i("x̂")}, decoded`}<br>${i("z")} = <span></span>`);
    this.where = this.find(".lx-decoded figcaption span");
    this.buildPlots();
    this.buildLegend();
    this.buildStrip();
  }

  buildPlots() {
    const { range } = this.spec;
    this.linear = range.map(([low, high]) => linearAxis(low, high));
    this.quantiles = [quantileAxis(), quantileAxis()];
    this.plane = new Square(this, ".lx-plane", {
      margin: { left: 34, right: 10, top: 8, bottom: 28 }, x: this.linear[0], y: this.linear[1], follow: true });
    this.plane.handle({
      label: "z in the latent plane",
      across: true,
      at: () => this.state.z,
      drag: (u, v) => this.move([u, v]),
      nudge: (...by) => this.move(this.state.z.map((v, j) => v + (by[j] * (range[j][1] - range[j][0])) / 80)),
      range: () => [this.state.z[0], ...range[0]],
      text: () => pair(this.state.z),
    });
    this.plane.grasp = (px, py) => this.graspInLoupe(px, py);
    this.on(this.plane.stage, "pointerup pointercancel", () => (this.held = false));
    this.ledger = new Ledger(this, ".lx-ledger");
    this.sliders.forEach((slider, j) => {
      const [low, high] = range[j];
      Object.assign(slider, { min: low, max: high, step: (high - low) / 160 });
      this.on(slider, "input", () => this.move(this.state.z.map((v, k) => (k === j ? +slider.value : v))));
    });
    if (this.resample) this.on(this.resample, "click", () => this.draw());
  }

  get labels() {
    return [...new Set(this.arrays.labels ?? [])].sort();
  }

  buildLegend() {
    for (const label of this.labels) {
      const chip = document.createElement("button");
      chip.type = "button";
      const colour = this.spec.digit_colours[label];
      chip.style.setProperty("--digit", colour);
      chip.style.setProperty("--letter", this.spec.letters[colour]);
      chip.innerHTML = `<span>${label}</span>`;
      chip.dataset.label = label;
      chip.setAttribute("aria-label", `Only ${label}`);
      this.on(chip, "click", () => {
        this.strip.scrollLeft = 0;
        this.set({ filter: this.state.filter === label ? null : label });
      });
      this.legend.append(chip);
    }
  }

  buildStrip() {
    const [height, width] = this.spec.image_shape, count = this.arrays.images.length / this.size;
    for (let k = 0; k < count; k++) {
      const item = document.createElement("button"), label = this.classOf(k);
      const canvas = Object.assign(document.createElement("canvas"), { width, height });
      item.type = "button";
      item.setAttribute("role", "radio");
      item.setAttribute("aria-label", this.nameOf(k));
      if (label !== null) item.style.setProperty("--digit", this.spec.digit_colours[label]);
      paintImage(canvas, this.x(k), this.spec.channels);
      item.append(canvas);
      this.on(item, "click", () => this.pick(k === this.state.picked ? null : k));
      this.strip.append(item);
    }
    this.on(this.strip, "keydown", (e) => this.stripKey(e));
  }

  get admits() {
    const { range } = this.spec, count = this.arrays.images.length / this.size;
    return {
      z: each(...range.map(([low, high]) => within(low, high))), mode: oneOf("points", "manifold"),
      filter: oneOf(null, ...this.labels), picked: (k) => (k === null ? k : within(0, count - 1, true)(k)),
    };
  }

  // -------------------------------------------------------------- what the state means

  get axes() {
    return this.state.mode === "points" || !this.spec.posterior ? this.linear : this.quantiles;
  }
  get q() {
    const { means, scale_tril: t } = this.arrays, k = this.state.picked;
    if (k === null || !this.spec.posterior) return null;
    return { mean: [means[2 * k], means[2 * k + 1]], tril: [t[3 * k], t[3 * k + 1], t[3 * k + 2]] };
  }
  /** The noise of z, if it was drawn and not moved since. */
  get eps() {
    return this.q && this.drawn.z === this.state.z ? this.drawn.eps : null;
  }
  x(k) {
    return Float32Array.from(this.arrays.images.subarray(k * this.size, (k + 1) * this.size), (v) => v / 255);
  }
  logLikelihood(x, out) {
    const { kind, log_var: logVar, log_var_floor: floor } = this.spec.output;
    if (kind === "bernoulli") return bernoulliLogLikelihood(x, out);
    return gaussianLogLikelihood(x, out, logVar, floor);
  }
  /** What is painted of the decoder's output: the mean of p(x|z). */
  mean(out) {
    const { kind } = this.spec.output, levels = out.subarray(0, this.size);
    return kind === "bernoulli" || kind === "sigmoid" ? levels.map(sigmoid) : levels;
  }
  classOf(k) {
    return this.arrays.image_labels?.[k] ?? null;
  }
  nameOf(k) {
    return `Test image ${k + 1}${ofDigit(this.classOf(k))}`;
  }

  // -------------------------------------------------------------- answering the hand

  /** Around the start and back, so that the picture is seen to follow. */
  wander(t) {
    const { range, start } = this.spec, angle = (2 * Math.PI * t) / 5;
    const turn = [Math.sin(angle), Math.sin(2 * angle) / 2];
    return { z: start.z.map((v, j) => v + 0.15 * (range[j][1] - range[j][0]) * turn[j]) };
  }

  move(z) {
    this.set({ z: z.map((v, j) => clamp(v, ...this.spec.range[j])) });
  }

  stripKey(event) {
    const items = this.items(), at = items.indexOf(event.target.closest("button"));
    const to = { ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1, Home: 0,
      End: items.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    const item = items[(to + items.length) % items.length];
    item.focus({ preventScroll: true });
    this.pick([...this.strip.children].indexOf(item));
    event.preventDefault();
    event.stopPropagation();
  }

  pick(k) {
    this.set({ picked: k });
    this.prepare();
    if (k === null) return;
    if (this.q) this.draw();
    else this.set({ z: [...this.arrays.means.subarray(2 * k, 2 * k + 2)] });
  }

  /** What is known of the picked image before z moves. */
  prepare() {
    const k = this.state.picked;
    if (this.prepared === k) return;
    this.prepared = k;
    this.samples = [];
    this.drop();
    if (k === null) return;
    this.target = this.x(k);
    const canvas = this.find(".lx-x canvas"), label = this.classOf(k);
    paintImage(canvas, this.target, this.spec.channels);
    canvas.setAttribute("aria-label", this.nameOf(k));
    write(this.find(".lx-x figcaption"), `${i("x")}, a test image${label === null ? "" : `<br>labelled ${label}`}`);
    const out = this.decode(this.arrays.means.subarray(2 * k, 2 * k + 2));
    if (!this.q) return void (this.best = squaredError(this.target, this.mean(out)));
    this.normal = makeNormal(k + 1); // the same samples for the same image, every time
    this.centre = this.logLikelihood(this.target, out) - sum(klTerms(this.q));
    this.trace(k);
  }

  /** z = μ + L ε with a new ε. */
  draw() {
    if (!this.q) return;
    const eps = [this.normal(), this.normal()], z = posteriorPoint(this.q, eps);
    this.drawn = { z, eps };
    this.samples.push(this.logLikelihood(this.target, this.decode(z)) - sum(klTerms(this.q)));
    this.set({ z });
  }

  /** Find the exact posterior of image k on a grid, a few milliseconds at a time. */
  trace(k) {
    if (this.contours.has(k) || !Number.isFinite(this.arrays.evidence[k])) return;
    const [c1, c2, half] = this.arrays.windows.subarray(3 * k, 3 * k + 3), x = this.target;
    const step = (2 * half) / (GRID - 1), values = new Float64Array(GRID * GRID);
    const fill = function* (view) {
      for (let at = 0; at < values.length; at++) {
        const z = [c1 - half + step * Math.floor(at / GRID), c2 - half + step * (at % GRID)];
        yield (values[at] = view.logLikelihood(x, view.decode(z)) + priorLogDensity(z));
      }
    };
    this.work(fill(this), 4, () => {
      const most = values.reduce((a, b) => Math.max(a, b));
      const levels = massLevels(values.map((v) => Math.exp(v - most)), SHARES);
      // contours of the logarithm: it is nearly quadratic, so straight steps follow it well
      this.contours.set(k, levels.map((level) =>
        contour(values, GRID, Math.log(level) + most).map(([a, b, c, d]) => [
          [c1 - half + step * a, c2 - half + step * b], [c1 - half + step * c, c2 - half + step * d]])));
    });
  }

  // -------------------------------------------------------------- the plane

  paint() {
    this.prepare();
    const out = this.decode(this.state.z);
    paintImage(this.decoded, this.mean(out), this.spec.channels);
    const v = (this.value = this.values(out));
    this.paintPlane();
    if (v.likelihood !== undefined) this.ledger.paint(v, this);
    this.write(v); // last: a canvas asked for its font after a change of text would lay out the page
    this.marks();
  }

  toPlane = (z) => [this.plane.px(z[0]), this.plane.py(z[1])];

  paintPlane() {
    const plot = this.plane, { ink, q, state: { z, mode, filter, picked } } = this, side = plot.width;
    [plot.x, plot.y] = this.axes;
    const c = plot.begin();
    if (!c) return;
    const [px, py] = this.toPlane(z);
    this.loupe = q ? this.placeLoupe([px, py]) : null;
    plot.layer(c, "backdrop", [mode, filter, picked, this.contours.has(picked), this.loupe?.corner], (d) => {
      plot.layer(d, "plane", [mode, filter], (e) => this.paintGround(e));
      plot.clip(d);
      if (q) this.paintPosterior(d, q, this.toPlane, !this.loupe);
      if (this.loupe) this.paintLoupe(d, q);
      else if (q) this.paintKey(d, 8, side - 12);
    });
    if (this.eps) this.paintNoise(c);
    this.point(c, clamp(px, 0, side), clamp(py, 0, side), 11);
    if (this.loupe?.holds(this.loupe.at(z))) this.point(c, ...this.loupe.at(z), 5);
    // the coordinates, on the axes
    c.fillStyle = ink.latent;
    for (const [x, y, dx, dy] of [[clamp(px, 0, side), side, 5, 7], [0, clamp(py, 0, side), -7, 5]]) {
      c.beginPath();
      c.moveTo(x, y);
      c.lineTo(x + dx, y + dy);
      c.lineTo(x + (dx > 0 ? -dx : dx), y + (dx > 0 ? dy : -dy));
      c.fill();
    }
  }

  /** What does not move with z. */
  paintGround(c) {
    const plot = this.plane, side = plot.width;
    plot.axes(c, "z₁", " ");
    c.save();
    plot.clip(c);
    c.fillStyle = this.ink.plot;
    c.fillRect(0, 0, side, side);
    if (this.state.mode === "manifold") this.paintManifold(c);
    else this.paintPoints(c);
    c.restore();
    const manifold = this.state.mode === "manifold"; // which leaves no room inside, but some beside
    plot.say(c, "z₂", manifold ? -24 : 6, manifold ? side / 3 : 12, this.ink.text, "left");
    c.strokeStyle = this.ink.line;
    c.lineWidth = 1;
    c.strokeRect(-0.5, -0.5, side + 1, side + 1);
  }

  paintPoints(c) {
    const { points, labels } = this.arrays, { ink, plane: plot, state: { filter }, spec } = this;
    if (spec.posterior) this.paintPrior(c);
    const sums = Array.from({ length: 10 }, () => []), radius = plot.width < 330 ? 1.7 : 2;
    for (let n = 0; n < points.length / 2; n++) {
      const [px, py] = this.toPlane([points[2 * n], points[2 * n + 1]]), label = labels ? labels[n] : null;
      c.globalAlpha = filter === null || filter === label ? 0.7 : 0.07;
      plot.dot(c, px, py, radius, labels ? spec.digit_colours[label] : ink.data);
      if (labels) sums[label].push([px, py]);
    }
    c.globalAlpha = 1;
    // each digit's name where its points are: the median is not drawn away by stragglers
    const names = sums.map((places, label) => ({ label, count: places.length,
      at: [0, 1].map((j) => places.map((p) => p[j]).sort((a, b) => a - b)[places.length >> 1]) }))
      .filter(({ label, count }) => count && (filter === null || filter === label));
    separate(names.map(({ at }) => at), 21);
    c.font = `700 13px ${this.font}`;
    c.textAlign = "center";
    c.textBaseline = "middle";
    for (const { label, at: [px, py] } of names) {
      plot.dot(c, px, py, 9.5, spec.digit_colours[label]);
      plot.stroke(c, ink.plot, 2);
      c.fillStyle = spec.letters[spec.digit_colours[label]];
      c.fillText(label, px, py + 1);
    }
    if (spec.posterior) this.namePrior(c, names.map(({ at }) => at));
  }

  /** The prior's circles of 1, 2 and 3 standard deviations. */
  paintPrior(c) {
    c.globalAlpha = 0.4;
    for (const r of [1, 2, 3]) {
      line(c, CIRCLE.map(([x, y]) => this.toPlane([r * x, r * y])));
      this.plane.stroke(c, this.ink.generative, 1);
    }
    c.globalAlpha = 1;
  }

  /** Their names, each at the place on its circle, of those with room for it, that is farthest from the digits' names. */
  namePrior(c, taken) {
    const inside = (at, half) => at >= half && at <= this.plane.width - half;
    for (const r of [1, 2, 3]) {
      const room = ([x, y]) => Math.min(...taken.map((at) => Math.hypot(at[0] - x, at[1] - y)), this.plane.width);
      const places = CIRCLE.slice(0, 64).filter((_, k) => k % 4 === 0 && k % 16).map(([x, y]) => this.toPlane([r * x, r * y]))
        .filter(([x, y]) => inside(x, 20) && inside(y, 8));
      if (!places.length) continue;
      const place = places.reduce((best, one) => (room(one) > room(best) + 1 ? one : best));
      this.plane.say(c, `${r} sd`, ...place, this.ink.generative);
    }
  }

  paintManifold(c) {
    const [height, width] = this.spec.image_shape, cell = Math.max(width, height), { width: side } = this.plane;
    if (!this.tiles) {
      const size = TILES * cell, [a, b] = this.axes;
      this.tiles = Object.assign(document.createElement("canvas"), { width: size, height: size });
      const t = this.tiles.getContext("2d"), tile = Object.assign(document.createElement("canvas"), { width, height });
      t.fillRect(0, 0, size, size);
      for (let m = 0; m < TILES; m++)
        for (let n = 0; n < TILES; n++) {
          const out = this.decode([a.from((m + 0.5) / TILES), b.from(1 - (n + 0.5) / TILES)]);
          paintImage(tile, this.mean(out), this.spec.channels);
          t.drawImage(tile, m * cell + ((cell - width) >> 1), n * cell + ((cell - height) >> 1));
        }
    }
    c.imageSmoothingQuality = "high";
    c.drawImage(this.tiles, 0, 0, side, side);
  }

  /** The present path in `colour`, on a halo that sets it off from what lies beneath. */
  outline(c, colour, width) {
    c.globalAlpha = 0.75;
    this.plane.stroke(c, this.ink.plot, width + 2.5);
    c.globalAlpha = 1;
    this.plane.stroke(c, colour, width);
  }

  /** σ ⊙ ε, from μ to z. */
  paintNoise(c) {
    const place = this.loupe?.at ?? this.toPlane;
    line(c, [place(this.q.mean), place(this.state.z)]);
    this.outline(c, this.ink.inference, 2);
  }

  point(c, px, py, radius) {
    this.plane.dot(c, px, py, radius, this.ink.latent);
    this.plane.stroke(c, this.ink.plot, 4.5);
    this.plane.stroke(c, this.ink.latent, 2);
  }

  paintPosterior(c, q, place, detailed) {
    for (const segments of this.contours.get(this.state.picked) ?? []) {
      c.beginPath();
      for (const [from, to] of segments) {
        c.moveTo(...place(from));
        c.lineTo(...place(to));
      }
      this.outline(c, this.ink.exact, detailed ? 1.3 : 1);
    }
    for (const r of [1, 2]) {
      line(c, CIRCLE.map(([x, y]) => place(posteriorPoint(q, [r * x, r * y]))));
      this.outline(c, this.ink.inference, r === 1 ? 2 : 1.2);
    }
    const [mx, my] = place(q.mean);
    if (!detailed) return;
    line(c, [[mx - 4, my], [mx + 4, my]]);
    c.moveTo(mx, my - 4);
    c.lineTo(mx, my + 4);
    this.outline(c, this.ink.inference, 1.5);
  }

  /** What the curves are, in their colours. */
  paintKey(c, px, py) {
    this.plane.say(c, "q(z|x)", px, py, this.ink.inference, "left");
    if (this.contours.has(this.state.picked)) this.plane.say(c, "p(z|x)", px + 50, py, this.ink.exact, "left");
  }

  // -------------------------------------------------------------- the loupe

  /** The loupe that hides neither z nor q; null where q is wide enough without one. */
  placeLoupe(z) {
    const { q, plane: plot, linear: [axis], state: { picked } } = this, { evidence, windows } = this.arrays;
    const window = Number.isFinite(evidence[picked]) ? windows.subarray(3 * picked, 3 * picked + 3) : null;
    const loupe = Loupe.of(q, window, plot.width, axis);
    if (loupe && this.held && this.loupe) loupe.corner = this.loupe.corner; // while z is dragged in it
    else loupe?.settle(z, this.toPlane(loupe.centre), axis);
    return loupe;
  }

  /** A pointer that comes down in the loupe moves z there. */
  graspInLoupe(px, py) {
    this.held = Boolean(this.loupe?.holds([px, py]));
    if (!this.held) return null;
    const drag = (u, v) => this.move(this.loupe.from(this.toPlane([u, v])));
    return { drag };
  }

  paintLoupe(c, q) {
    const { corner: [left, top], size, centre, half } = this.loupe, { ink, plane: plot } = this;
    // the window on the plane, and the beam from it
    const [ax, ay] = this.toPlane([centre[0] - half, centre[1] + half]);
    const [bx, by] = this.toPlane([centre[0] + half, centre[1] - half]);
    c.beginPath();
    c.rect(ax, ay, bx - ax, by - ay);
    const across = (left - ax) * (top - ay) > 0; // on a falling diagonal the outer corners join otherwise
    const ends = across ? [[bx, ay, left + size, top], [ax, by, left, top + size]]
      : [[ax, ay, left, top], [bx, by, left + size, top + size]];
    for (const [x0, y0, x1, y1] of ends) {
      c.moveTo(x0, y0);
      c.lineTo(x1, y1);
    }
    this.outline(c, ink.muted, 0.8);
    c.save();
    c.beginPath();
    c.rect(left, top, size, size);
    c.fillStyle = ink.plot;
    c.fill();
    c.clip();
    this.paintPosterior(c, q, this.loupe.at, true);
    const scale = size / (2 * half) / (plot.width / (this.linear[0].high - this.linear[0].low));
    this.paintKey(c, left + 6, top + size - 12);
    plot.say(c, `× ${number(scale, scale < 10 ? 1 : 0)}`, left + 6, top + 12, ink.muted, "left");
    c.restore();
    c.strokeStyle = ink.muted;
    c.lineWidth = 1;
    c.strokeRect(left + 0.5, top + 0.5, size - 1, size - 1);
  }

  // -------------------------------------------------------------- numbers and words

  /** The numbers of the present state, in nats where they are logarithms. */
  values(out) {
    const { q, state: { z, picked } } = this, v = { z };
    if (this.spec.posterior) v.prior = priorLogDensity(z);
    if (picked === null) {
      if (this.arrays.labels) v.near = nearestLabel(this.arrays.points, this.arrays.labels, z);
      return v;
    }
    if (!q) return { ...v, error: squaredError(this.target, this.mean(out)) };
    v.terms = klTerms(q);
    v.kl = sum(v.terms);
    v.likelihood = this.logLikelihood(this.target, out);
    v.evidence = this.arrays.evidence[picked];
    v.total = v.likelihood + (this.eps ? -v.kl : v.prior - posteriorLogDensity(q, z));
    v.mean = sum(this.samples) / this.samples.length;
    return v;
  }

  /** Numbers and captions; only what changed. */
  write(v) {
    const rows = [], { posterior } = this.spec, { length } = this.samples;
    if (v.likelihood !== undefined) {
      const split = posterior === "diagonal" ? `${v.terms.map((term) => number(term)).join(" + ")} = ` : "";
      rows.push(["likelihood", number(v.likelihood)], ["kl", split + number(v.kl)],
        [this.eps ? "elbo" : "weight", number(v.total)]);
      if (length) rows.push(["mean", number(v.mean), `mean of ${length} sample${length > 1 ? "s" : ""}`]);
      if (Number.isFinite(v.evidence)) rows.push(["evidence", number(v.evidence)]);
    } else if (v.error !== undefined) rows.push(["error", number(v.error)], ["best", number(this.best)]);
    else {
      if (v.near) rows.push(["near", this.nearby(v.near)]);
      if (v.prior !== undefined) rows.push(["prior", number(v.prior)]);
    }
    [...this.find(".vw-numbers").rows].forEach((row, k) => {
      const [kind, text, label = LABELS[kind] ?? ""] = rows[k] ?? ["", ""];
      if (row.dataset.kind !== kind) Object.assign(row.dataset, { kind });
      row.hidden = !kind;
      write(row.cells[0], label);
      write(row.cells[1], text);
    });
    write(this.where, pair(this.state.z));
    this.sliders.forEach((slider, j) => (slider.value = this.state.z[j]));
    write(this.find(".vw-note"), this.note());
  }

  nearby({ label, votes }) {
    return votes === 15 ? `all ${label}` : votes > 7 ? `mostly ${label}` : "mixed";
  }

  note() {
    if (!this.q) return "";
    if (!this.eps) return `${i("z")} was moved by hand, so it is no sample of ${Q} and has no ELBO; ` +
      `the mean of ○ under ${i("q")} is the ELBO. All values in nats.`;
    const noise = this.spec.posterior === "full" ? i("Lε") : `${i("σ")} ⊙ ${i("ε")}`;
    return `${i("z")} = ${i("μ")} + ${noise} with ${i("ε")} = ${pair(this.eps)}. All values in nats.`;
  }

  speech() {
    const { value: v } = this, parts = [`z = ${pair(v.z)}`], region = v.near?.votes > 7 ? v.near.label : null;
    if (v.near) parts.push(`test points nearby are ${this.nearby(v.near)}`);
    if (v.likelihood !== undefined)
      parts.push(`log p(x|z) ${number(v.likelihood)}`, this.eps ? `ELBO of this sample ${number(v.total)}` : "moved by hand");
    if (v.error !== undefined) parts.push(`squared error ${number(v.error)}`);
    this.decoded.setAttribute("aria-label",
      `Decoded image at z = ${pair(v.z)}${region === null ? "" : `, in a region of ${region}`}`);
    return `${parts.join(", ")}.`;
  }

  items() {
    return [...this.strip.children].filter((item) => !item.hidden);
  }

  /** Bring buttons and classes in line with the state. */
  marks() {
    const { picked, filter } = this.state, shown = `${picked} ${filter}`;
    if (this.marked === shown) return;
    this.marked = shown;
    this.root.classList.toggle("lx-has-pick", picked !== null);
    this.root.classList.toggle("lx-has-posterior", this.q !== null);
    if (this.resample) this.resample.disabled = !this.q;
    for (const chip of this.legend.children) chip.setAttribute("aria-pressed", +chip.dataset.label === filter);
    const items = [...this.strip.children];
    items.forEach((item, k) => {
      item.setAttribute("aria-checked", k === picked);
      item.tabIndex = k === picked ? 0 : -1;
      item.hidden = filter !== null && this.classOf(k) !== filter && k !== picked;
    });
    if (picked === null) return void (this.items()[0].tabIndex = 0);
    const { offsetLeft, offsetWidth } = items[picked], { scrollLeft, clientWidth } = this.strip;
    if (offsetLeft < scrollLeft || offsetLeft + offsetWidth > scrollLeft + clientWidth)
      this.strip.scrollLeft = offsetLeft - clientWidth / 2;
  }
}

export default LatentExplorer.widget();
