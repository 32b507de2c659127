// The playground's view: knobs, three planes, the words, and the reader's points.

const STEPS = { play: "Play", pause: "Pause" };
export const HALF = { figure_eight: 1.5, three_blobs: 2.8, gaussian_mixture: 10, axis_aligned_gaussian: 12, rotated_gaussian: 11, own: 4 };
const MOST_POINTS = 1000;
const MNIST = 10_256; // images
const SLICE = 8; // milliseconds of training between two frames, where a page may have no worker
const HUGE = 1e6; // nats: more is written with an exponent
const KEPT = 9; // sets of cleared points

class Playground extends Figure {
  name = "playground";
  // points: the reader's own, and those of a lesson as the reader left them, null for as they are;
  // of both the sets that were cleared, the last one last
  turn = 0; // how many presses the worker was told of
  own = { lesson: "", drawn: [], gone: [], lent: null, lentGone: [] };

  get admits() {
    const { knobs, lessons } = this.spec, near = (v) => Number.isFinite(v) && Math.abs(v) <= 4;
    const choice = ({ choices }) => (v) => choices.map(([value]) => value).find((value) => value === v);
    const points = (v) => (Array.isArray(v) && v.length % 2 === 0 && v.length <= 2 * MOST_POINTS && v.every(near) ? v : undefined);
    const piles = (v) => (Array.isArray(v) && v.length <= KEPT && v.every(points) ? v : undefined);
    return {
      ...Object.fromEntries(Object.entries(knobs).map(([name, knob]) => [name, choice(knob)])),
      lesson: (v) => (v === "" || Object.hasOwn(lessons, v) ? v : undefined),
      drawn: points,
      gone: piles,
      lent: (v) => (v === null ? v : points(v)),
      lentGone: piles,
    };
  }

  build() {
    const { knobs, lessons, order } = this.spec;
    this.find(".vw-hint").textContent =
      "Press play, and turn a knob while it runs.";
    const digits = this.model.get("digits");
    this.digits = bitsOf(digits, 64 * 1797);
    this.labels = { digits: new Uint8Array(digits.buffer, digits.byteOffset + this.digits.length / 8) };
    const options = (key) => knobs[key].choices.map(([value, text]) =>
      `<option value="${plain(JSON.stringify(value))}">${plain(text)}</option>`).join("");
    const knob = (key) => `<label class="pg-knob" data-knob="${key}"><span>${plain(knobs[key].label)}</span>
      <select data-setting="${key}">${options(key)}${key === "points" ? '<option value="" hidden></option>' : ""}</select></label>`;
    const group = (name, keys) => `<fieldset class="pg-group"><legend>${name}</legend>${keys.map(knob).join("")}</fieldset>`;
    this.body.innerHTML = `
      <div class="vw-controls pg-bar">
        <button type="button" class="pg-play">${STEPS.play}</button>
        <button type="button" class="pg-step">One step</button>
        <button type="button" class="pg-anew">Start again</button>
        <button type="button" class="pg-undo">Undo point</button>
        <button type="button" class="pg-clear">Clear points</button>
        <label class="pg-lessons">Lesson <select><option value="">none</option>${order.map((name) =>
          `<option value="${plain(name)}">${plain(lessons[name].title)}</option>`).join("")}</select></label>
      </div>
      <div class="pg-lesson" hidden></div>
      <div class="pg-panel pg-data"><p class="pg-head"></p><div class="pg-plot-data"></div></div>
      <div class="pg-panel pg-model"><p class="pg-head"></p><div class="pg-plot-model"></div></div>
      <div class="pg-panel pg-latent"><p class="pg-head"></p><div class="pg-plot-latent"></div>
        <p class="pg-key" aria-label="The colours of the digits">${this.spec.colours.map((_, digit) => `<span>${digit}</span>`).join("")}</p></div>
      <div class="pg-chart"><p class="pg-head"></p><div class="pg-plot-chart"></div></div>
      <div class="pg-side"><table class="vw-numbers">${Object.entries(ROWS).map(([kind, label]) =>
        `<tr data-kind="${kind}"><th scope="row">${label}</th><td></td></tr>`).join("")}</table></div>
      <p class="pg-said vw-note" role="status"></p>
      <div class="pg-knobs">${group("Data", ["data", "points", "seed"])}
        ${group("Model", ["latents", "noise", "layers", "width"])}
        ${group("Inference", ["full", "beta", "warmup"])}
        ${group("Training", ["rate", "batch", "epochs"])}</div>`;
    this.root.querySelectorAll(".pg-key span").forEach((one, digit) => one.style.setProperty("--digit", this.spec.colours[digit]));
    this.buildPlots();
    this.hearHands();
    this.connect();
  }

  buildPlots() {
    const axis = linearAxis(0, 1), margin = { left: 34, right: 6, top: 8, bottom: 26 };
    this.planes = Object.fromEntries(["data", "model", "latent"].map((kind) =>
      [kind, new Square(this, `.pg-plot-${kind}`, { margin, x: axis, y: axis, free: true })]));
    this.chart = new Plot(this, ".pg-plot-chart", {
      height: 190, margin: { left: 46, right: RIGHT, top: 8, bottom: 26 }, x: axis, y: axis });
    this.cross = [0, 0];
  }

  hearHands() {
    this.on(this.find(".pg-play"), "click", () => this.play(!this.running));
    this.on(this.find(".pg-step"), "click", () => this.ready() && this.send({ step: true }));
    this.on(this.find(".pg-anew"), "click", () => {
      this.anew = this.moved = true;
      this.schedule();
    });
    this.on(this.find(".pg-undo"), "click", () => this.undo());
    this.on(this.find(".pg-clear"), "click", () => {
      const [now, gone] = this.sheet;
      this.set({ [gone]: pile(this.state[gone], this.points), [now]: [] });
    });
    this.on(this.find(".pg-lessons select"), "change", ({ target }) => this.set(this.begin(target.value)));
    this.on(this.find(".pg-knobs"), "change", ({ target }) => {
      const { setting } = target.dataset; // a lesson is on its data
      this.set({ [setting]: JSON.parse(target.value), ...(setting === "data" ? { lesson: "" } : {}) });
    });
    this.hearPen();
  }

  /** Points of one's own: a pointer draws them, arrows move a cross and Enter puts one there. */
  hearPen() {
    const plot = this.planes.data, { stage } = plot;
    let last = null;
    const put = (e) => {
      const box = stage.getBoundingClientRect();
      const px = e.clientX - box.left - plot.margin.left, py = e.clientY - box.top - plot.margin.top;
      if (last && Math.hypot(px - last[0], py - last[1]) < 9) return;
      if (px < 0 || py < 0 || px > plot.width || py > plot.height) return;
      last = [px, py];
      this.add(plot.x.from(px / plot.width), plot.y.from(1 - py / plot.height));
    };
    this.on(stage, "pointerdown", (e) => {
      if (this.state.data !== "own" || e.button || !e.isPrimary) return;
      stage.setPointerCapture(e.pointerId);
      last = null;
      this.pen = true;
      put(e);
      e.preventDefault();
    });
    this.on(stage, "pointermove", (e) => this.pen && put(e));
    this.on(stage, "pointerup pointercancel lostpointercapture", () => (this.pen = false));
    this.on(stage, "keydown", (e) => {
      if (this.state.data !== "own" || e.altKey || e.ctrlKey || e.metaKey) return;
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[e.key];
      if (by) this.cross = this.cross.map((v, k) => clamp(v + 0.2 * by[k], -4, 4));
      else if (e.key === "Enter" || e.key === " ") this.add(...this.cross);
      else if (e.key === "Backspace") this.undo();
      else return;
      this.schedule();
      e.preventDefault();
      e.stopPropagation();
    });
  }

  /** The names of the points in use, and of those that were cleared: a lesson's are apart from the reader's. */
  get sheet() {
    return this.spec.lessons[this.state.lesson]?.own ? ["lent", "lentGone"] : ["drawn", "gone"];
  }

  get points() {
    return this.state[this.sheet[0]] ?? this.spec.lessons[this.state.lesson].own;
  }

  /** Points that go with a reset can be had back, as after clearing them. */
  reset() {
    const { drawn, gone, lent, lentGone } = this.state;
    super.reset();
    this.set({ gone: pile(gone, drawn), lentGone: pile(lentGone, lent) });
  }

  /** A link without points leaves the reader's; where it has some, those can be had back. */
  take(given) {
    const { state } = this, was = { ...state };
    super.take(given);
    for (const [now, gone] of [["drawn", "gone"], ["lent", "lentGone"]]) {
      if (was[now]?.length && !state[now]?.length) state[now] = was[now];
      if (!state[gone].length) state[gone] = String(state[now]) === String(was[now]) ? was[gone] : pile(was[gone], was[now]);
    }
    this.remark = undefined;
    this.moved = true;
  }

  /** Take the last point away; after all were cleared, or a lesson's are again its own, bring them back. */
  undo() {
    const [now, gone] = this.sheet, { points } = this, sets = this.state[gone];
    if (sets.length && !this.state[now]?.length) this.set({ [now]: sets.at(-1), [gone]: sets.slice(0, -1) });
    else if (points.length) this.set({ [now]: points.slice(0, -2) });
  }

  add(x, y) {
    const { points } = this;
    if (points.length < 2 * MOST_POINTS) return this.set({ [this.sheet[0]]: [...points, round(x, 0.001), round(y, 0.001)] });
    this.say(`${count(MOST_POINTS)} points are the most that can be drawn.`);
  }

  /** What stands below the numbers until the next choice. */
  say(remark) {
    this.remark = remark;
    this.moved = true;
    this.schedule();
  }

  set(changes) {
    this.remark = undefined;
    super.set(changes);
  }

  // -------------------------------------------------------------- lessons and addresses

  /** Where a lesson begins, with its name, or the knobs as they were at first, for the name "". */
  begin(name) {
    this.play(false); // a lesson is read before it runs
    this.anew = true;
    const bare = this.state.lent?.length === 0; // no lesson begins with a bare plane
    return { ...this.spec.start, ...this.spec.lessons[name]?.settings, lesson: name, ...(bare ? { lent: null } : {}) };
  }

  /** A link may name a lesson: #preset=collapse. */
  linked() {
    const [key, name] = location.hash.slice(1).split("=");
    return key === "preset" && Object.hasOwn(this.spec.lessons, name) ? this.begin(name) : super.linked();
  }

  /** Points that were cleared are the reader's affair. */
  get told() {
    const { gone, lentGone, ...told } = this.changes;
    return told;
  }

  /** The name of a lesson in the address makes room for the knobs as they stand. */
  remember() {
    if (this.key && location.hash.startsWith("#preset=")) history.replaceState(history.state, "", this.link);
    super.remember();
  }

  // -------------------------------------------------------------- the worker

  connect() {
    const { signal } = this.off, digits = this.digits;
    const hear = (frame) => {
      this.news = frame;
      if (frame.turn === this.turn) this.running = frame.running; // else a press is on its way
      if (frame.x) this.sample = frame.x;
      if (!frame.running) this.moved = true; // it ended: say how
      this.schedule();
    };
    const local = () => {
      const session = Object.assign(new Session(hear, digits), { mnist: this.mnist });
      const go = () => {
        if (!signal.aborted && session.work(SLICE)) setTimeout(go, 0);
      };
      this.post = (message) => {
        const was = session.running;
        session.hear(message);
        if (session.running && !was) setTimeout(go, 0);
      };
    };
    try {
      const url = URL.createObjectURL(new Blob([this.model.get("_esm")], { type: "text/javascript" }));
      const worker = new Worker(url, { type: "module" });
      worker.onmessage = ({ data }) => hear(data);
      worker.onerror = () => { // a page may forbid workers: train between two frames instead
        worker.terminate();
        local();
        this.sent = this.sentPoints = null;
        this.play(this.running);
      };
      this.post = (message) => worker.postMessage({ digits, ...message });
      signal.addEventListener("abort", () => {
        worker.terminate();
        URL.revokeObjectURL(url);
      });
    } catch {
      local();
    }
  }

  /** MNIST comes when it is first asked for: from a script of the book, or from the kernel. */
  async wantMnist() {
    if (this.asked) return;
    this.asked = true;
    const take = async (view) => {
      const { bits, labels } = await unpack(view, [["bits", "uint8", [MNIST * 98]], ["labels", "uint8", [256]]]);
      this.mnist = bitsOf(bits, MNIST * 784);
      this.labels.mnist = labels;
      this.send({ mnist: this.mnist });
      this.schedule();
    };
    this.model.on("change:mnist", () => take(this.model.get("mnist")));
    if (this.key === undefined) return void this.model.send({ kind: "mnist" });
    try {
      await take(await bytesOfScript("playground_mnist"));
    } catch {
      this.asked = false;
      if (!this.loading) return; // another data set was chosen
      this.set({ data: "digits", lesson: "" });
      this.say("MNIST could not be loaded; these are the 8 × 8 digits.");
    }
  }

  /** A press is counted, so that no frame from before it undoes what the button says. */
  send(message) {
    if (message.step || "run" in message) this.turn += 1;
    this.post({ ...message, turn: this.turn });
  }

  /** Whether there is something to train on, and the worker has it; a run whose numbers broke begins anew. */
  ready() {
    if (this.loading || (this.state.data === "own" && !this.points.length)) return false;
    this.anew ||= Boolean(this.shown?.broken);
    this.hand();
    return true;
  }

  play(run) {
    if (run && !this.ready()) return;
    this.running = run;
    this.remark = undefined;
    this.moved = true;
    this.send({ run });
    this.schedule();
  }

  get waits() {
    return !this.shown;
  }

  get loading() {
    return this.state.data === "mnist" && !this.mnist;
  }

  /** What the worker told last, unless it is of other data than those that were chosen. */
  get shown() {
    return this.news?.data === this.state.data ? this.news : null;
  }

  /** Tell the worker of settings that it does not have yet. */
  hand() {
    if (this.loading) {
      if (this.running) this.play(false);
      return void this.wantMnist();
    }
    const { points, anew } = this, redrawn = points !== this.sentPoints;
    const settings = Object.fromEntries(this.traits.map((trait) => [trait, this.state[trait]])), text = JSON.stringify(settings);
    if (text === this.sent && !anew && !redrawn) return;
    this.send({ settings: { ...settings, anew: Boolean(anew) }, ...(redrawn ? { own: [...points] } : {}) });
    Object.assign(this, { sent: text, sentPoints: points, anew: false });
  }

  // -------------------------------------------------------------- the picture

  paint() {
    this.hand();
    const frame = this.shown;
    this.paintData(frame);
    if (frame && !frame.empty) {
      this.paintModel(frame);
      this.paintLatent(frame);
      paintChart(this.chart, frame);
    } else for (const plot of [this.planes.model, this.planes.latent, this.chart]) plot.begin();
    this.write(frame);
    if (this.news) this.send({ drawn: true });
  }

  plane(plot, half, names) {
    plot.x = plot.y = tight(linearAxis(-half, half, 5));
    const c = plot.begin();
    if (c && names) plot.axes(c, ...names);
    return c;
  }

  dots(c, plot, points, colour, radius = 1.5, step = 2) {
    c.fillStyle = colour;
    for (let n = 0; n + 1 < points.length; n += step) {
      c.beginPath();
      c.arc(plot.px(points[n]), plot.py(points[n + 1]), radius, 0, 7);
      c.fill();
    }
  }

  paintData(frame) {
    const plot = this.planes.data, { data } = this.state;
    if (data === "digits") return this.paintImages(plot, this.digits.subarray(0, 64 * 64), 8, 8);
    if (data === "mnist") return this.mnist ? this.paintImages(plot, this.mnist.subarray(0, 784 * 64), 8, 28) : void plot.begin();
    const c = this.plane(plot, HALF[data], ["x₁", "x₂"]);
    if (!c) return;
    c.save();
    plot.clip(c);
    this.dots(c, plot, data === "own" ? this.points : (frame && this.sample) ?? [], this.ink.data, data === "own" ? 2.5 : 1.5);
    if (data === "own" && document.activeElement === plot.stage) {
      const [px, py] = [plot.px(this.cross[0]), plot.py(this.cross[1])];
      c.beginPath();
      c.moveTo(px - 8, py);
      c.lineTo(px + 8, py);
      c.moveTo(px, py - 8);
      c.lineTo(px, py + 8);
      plot.stroke(c, this.ink.generative, 2);
    }
    c.restore();
  }

  /** side² images of cell × cell values in [0, 1], as ink on paper; fewer rows stand in the middle. */
  paintImages(plot, images, side, cell) {
    const c = this.plane(plot, 1, null);
    if (!c) return;
    const down = images.length / cell ** 2 / side, pitch = cell + 1;
    const stamp = new OffscreenCanvas(side * pitch, down * pitch), s = stamp.getContext("2d");
    const picture = s.createImageData(stamp.width, stamp.height), tone = tones(this.ink);
    for (let g = 0; g < side * down; g++)
      for (let d = 0; d < cell ** 2; d++) {
        const row = Math.floor(g / side) * pitch + Math.floor(d / cell), column = (g % side) * pitch + (d % cell);
        tone(picture, row * stamp.width + column, images[g * cell ** 2 + d]);
      }
    s.putImageData(picture, 0, 0);
    c.imageSmoothingEnabled = cell > 8; // pixels of MNIST are smaller than the screen's
    const high = (plot.width * down) / side;
    c.drawImage(stamp, 0, (plot.width - high) / 2, plot.width, high);
  }

  paintModel(frame) {
    const plot = this.planes.model, { data } = this.state;
    if (frame.images) {
      // one latent: a row of images; two: the plane
      return this.paintImages(plot, frame.images, frame.side, Math.sqrt(frame.D));
    }
    if (!frame.samples) return;
    const c = this.plane(plot, HALF[data], ["x₁", "x₂"]);
    if (!c) return;
    c.save();
    plot.clip(c);
    const { net, side, J } = frame;
    c.globalAlpha = J === 1 ? 1 : 0.45;
    const line = (at) => {
      c.beginPath();
      for (let k = 0; k < side; k++) c.lineTo(plot.px(net[2 * at(k)]), plot.py(net[2 * at(k) + 1]));
      plot.stroke(c, this.ink.latent, J === 1 ? 2.5 : 1);
    };
    if (J === 1) line((k) => k);
    else
      for (let r = 0; r < side; r += 3) {
        line((k) => r * side + k);
        line((k) => k * side + r);
      }
    c.globalAlpha = 1;
    this.dots(c, plot, frame.samples, this.ink.generative);
    c.restore();
  }

  paintLatent(frame) {
    const { q, codes, J } = frame, plot = this.planes.latent, n = q.length / codes;
    return J === 1 ? this.paintLine(plot, q, codes, n) : this.paintEllipses(plot, frame, n);
  }

  /** Half the width of the plane of z: 4, or as many as the codes need, in steps that do not flicker. */
  reach(q, codes, n, J) {
    const far = [];
    for (let k = 0; k < n; k++) for (let j = 0; j < J; j++) far.push(Math.abs(q[k * codes + j]));
    far.sort((a, b) => a - b);
    const need = 1.15 * far[Math.floor(0.98 * (far.length - 1))] || 0;
    return [4, 6, 10, 16, 25, 40, 100, 1000].find((half) => half >= need) ?? 1e4;
  }

  paintEllipses(plot, { q, codes, full, which }, n) {
    const c = this.plane(plot, this.reach(q, codes, n, 2), ["z₁", "z₂"]);
    if (!c) return;
    c.save();
    plot.clip(c);
    for (let k = 0; k < n; k++) {
      const e = k * codes, s1 = Math.exp(0.5 * q[e + 2]), s2 = Math.exp(0.5 * q[e + 3]);
      c.fillStyle = which ? this.spec.colours[this.labels[this.state.data]?.[which[k]]] : this.ink.inference;
      c.globalAlpha = 1;
      c.beginPath();
      c.arc(plot.px(q[e]), plot.py(q[e + 1]), which ? 2.5 : 1.4, 0, 7);
      c.fill();
      if (k >= 60) continue;
      c.globalAlpha = 0.45;
      plot.ellipse(c, [q[e], q[e + 1]], [s1, 0, full ? q[e + 4] : 0, s2], 1);
      plot.stroke(c, this.ink.inference, 1);
    }
    c.globalAlpha = 1;
    for (const sd of [1, 2]) {
      plot.ellipse(c, [0, 0], [sd, 0, 0, sd], 1);
      plot.stroke(c, this.ink.generative, 1.5, [5, 4]);
    }
    c.restore();
  }

  /** One latent: the aggregate of all q's against the prior, and some q's as bars below. */
  paintLine(plot, q, codes, n) {
    const half = this.reach(q, codes, n, 1);
    plot.x = linearAxis(-half, half, 5);
    plot.y = linearAxis(-0.25, 0.75, 5);
    const c = plot.begin();
    if (!c) return;
    plot.axes(c, "z", "");
    const aggregate = (z) => {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += normalDensity(z, q[k * codes], Math.max(half / 400, Math.exp(0.5 * q[k * codes + 1])));
      return sum / n;
    };
    c.save();
    plot.clip(c);
    plot.curve(c, (z) => normalDensity(z, 0, 1));
    plot.stroke(c, this.ink.generative, 1.5, [5, 4]);
    plot.curve(c, aggregate);
    plot.stroke(c, this.ink.inference, 2);
    for (let k = 0; k < Math.min(n, 24); k++) {
      const sd = Math.exp(0.5 * q[k * codes + 1]), y = -0.02 - 0.009 * k;
      c.beginPath();
      c.moveTo(plot.px(q[k * codes] - sd), plot.py(y));
      c.lineTo(plot.px(q[k * codes] + sd), plot.py(y));
      plot.stroke(c, this.ink.inference, 1.5);
    }
    c.restore();
  }

  // -------------------------------------------------------------- the words

  write(frame) {
    const { state, points, spec: { lessons } } = this, gone = state[this.sheet[1]], plane = !["digits", "mnist"].includes(state.data);
    const head = (kind, text) => write(this.find(`.pg-${kind} .pg-head`), text);
    head("data", state.data === "own" ? "your points: draw here" : plane ? `data ${i("x")}` : "data");
    head("model", plane ? `samples, decoder’s ${state.latents === 1 ? "curve" : "net"}` : state.latents === 1 ? "decoded line" : "decoded plane");
    head("chart", `On ${state.data === "own" ? "your points" : "256 test points"}, nats a point`);
    head("latent", state.latents === 1 ? `all ${i("q")}(${i("z")}|${i("x")}), and the prior` : `${i("q")}(${i("z")}|${i("x")}), and the prior`);
    this.find(".pg-key").hidden = plane || state.latents === 1;
    for (const kind of ["undo", "clear"]) {
      const button = this.find(`.pg-${kind}`);
      button.hidden = state.data !== "own";
      button.disabled = !points.length && !(kind === "undo" && gone.length);
    }
    this.find(".pg-undo").textContent = !gone.length || state[this.sheet[0]]?.length ? "Undo point" : points.length ? "My points back" : "Undo clear";
    this.find(".pg-play").textContent = this.running ? STEPS.pause : STEPS.play;
    for (const kind of ["play", "step"]) this.find(`.pg-${kind}`).disabled = this.loading;
    this.find(".pg-lessons select").value = state.lesson;
    for (const select of this.root.querySelectorAll("select[data-setting]")) {
      const { setting: trait } = select.dataset;
      select.value = JSON.stringify(state[trait]);
      select.disabled = (trait === "full" && state.latents === 1) || (trait === "noise" && !plane)
        || (trait === "points" && (!plane || state.data === "own"));
      if (trait !== "points" || !select.disabled) continue;
      select.lastChild.textContent = count({ digits: 1500, mnist: 10_000 }[state.data] ?? points.length / 2);
      select.value = "";
    }
    const lesson = lessons[state.lesson], box = this.find(".pg-lesson");
    box.hidden = !lesson;
    if (lesson)
      write(box, `<p><b>${plain(lesson.question)}</b></p><p>${plain(lesson.task)}</p><details><summary>What to see</summary><p>${plain(lesson.answer)}</p></details>`);
    const stage = this.planes.data.stage;
    if (state.data === "own") {
      stage.tabIndex = 0;
      stage.setAttribute("role", "application");
      stage.setAttribute("aria-label", `Your points, ${points.length / 2} of them: arrows move a cross, Enter puts a point, Backspace takes the last away.`);
    } else for (const name of ["tabindex", "role", "aria-label"]) stage.removeAttribute(name);
    stage.classList.toggle("pg-pen", state.data === "own");
    this.writeNumbers(frame);
    const said = this.loading ? "MNIST is being loaded." : frame?.broken ? brokenWords(frame, state.rate) : this.remark
      ?? (frame?.empty ? "There are no points yet: draw some in the first plane."
        : this.numbers(frame).worse ? `${WORSE} ${cure(state.rate)}`
        : this.numbers(frame).evidence === null
        ? (state.data === "mnist" ? "log p(x) is not shown: its sum over a grid of z would take seconds."
            : "log p(x) is not known now: the posterior is too narrow for the grid of z.") : "");
    this.find(".pg-said").textContent = said;
  }

  /** All numbers are of one moment, that of the last look at log p(x). */
  numbers(frame) {
    if (!frame || frame.empty) return {};
    const { ceiling, done, epoch, beta } = frame;
    if (frame.broken) return { ceiling, done, epoch, beta };
    const look = frame.history.findLast((one) => one.evidence !== undefined);
    const evidence = look.trusted ? look.evidence : null;
    return {
      ...look, ceiling, evidence, loss: look.beta * look.kl - look.reconstruction,
      model: ceiling === null || evidence === null ? null : ceiling - evidence,
      inference: evidence === null ? null : evidence - look.elbo,
    };
  }

  writeNumbers(frame) {
    const values = this.numbers(frame);
    for (const kind of Object.keys(ROWS)) {
      const value = values[kind] ?? null;
      const text = value === null ? "–" : kind === "done" ? count(value)
        : Math.abs(value) > HUGE ? brief(value) : number(value, { epoch: 1, beta: 2 }[kind] ?? 3);
      write(this.find(`[data-kind="${kind}"] td`), text);
    }
  }

  speech() {
    const { done, elbo, evidence } = this.numbers(this.shown);
    if (this.running && !this.remark) return "Training."; // it stands while the numbers run on
    if (elbo === undefined || this.remark) return this.find(".pg-said").textContent;
    const truth = evidence === null ? "" : `, log p(x) ${number(evidence)}`;
    return `${done ? `Stopped after ${stepsText(done)}` : "Before training"}: ELBO ${number(elbo)}${truth} nats.`;
  }
}

/** Sets of cleared points with one more, if it has any points. */
const pile = (sets, points) => (points?.length ? [...sets, points].slice(-KEPT) : sets);

/** `count` zeros and ones from packed bits, the highest first. */
export function bitsOf({ buffer, byteOffset }, count) {
  const bytes = new Uint8Array(buffer, byteOffset, count / 8), bits = new Uint8Array(count);
  for (let k = 0; k < bits.length; k++) bits[k] = (bytes[k >> 3] >> (7 - (k & 7))) & 1;
  return bits;
}

export default Playground.widget();
