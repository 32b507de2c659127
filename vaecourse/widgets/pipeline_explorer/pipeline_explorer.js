// The pipeline explorer: a digit goes through the encoder to q, with ε to z, through the decoder to
// pixels, and the bill is read. A part that is touched lights its term and its line of code.

const SIDE = 28, PIXELS = SIDE * SIDE, PEN = 10; // canvas pixels of the pen for each pixel of x
export const PLANE = 4.5; // half the width of the plane of z
const GRID = { side: 61, reach: 4.5, parts: 5, near: 12 }; // of log p(x): nodes, and where it is refined
const SLICE = 6; // milliseconds of counting between two frames

/** Zeros and ones as hexadecimal digits, four pixels each, and back. */
export const toHex = (x) => Array.from({ length: PIXELS / 4 }, (_, k) =>
  (8 * x[4 * k] + 4 * x[4 * k + 1] + 2 * x[4 * k + 2] + x[4 * k + 3]).toString(16)).join("");
export const fromHex = (text) => Uint8Array.from([...text].flatMap((digit) =>
  [3, 2, 1, 0].map((bit) => (parseInt(digit, 16) >> bit) & 1)));

/**
 * Ink [side, side] in [0, 1] as MNIST's digits were made: scaled into 20 × 20 pixels, its centre of
 * mass in the middle of 28 × 28, and cut at one half. Nothing but zeros where there is no ink.
 */
export function prepare(ink, side) {
  let left = side, right = -1, top = side, bottom = -1;
  for (let r = 0; r < side; r++)
    for (let c = 0; c < side; c++)
      if (ink[r * side + c] > 0.1) {
        left = Math.min(left, c);
        right = Math.max(right, c);
        top = Math.min(top, r);
        bottom = Math.max(bottom, r);
      }
  const x = new Uint8Array(PIXELS);
  if (right < 0) return x;
  const size = Math.max(right - left, bottom - top) + 1, step = size / 20;
  const wide = Math.ceil((right - left + 1) / step), high = Math.ceil((bottom - top + 1) / step);
  const grey = new Float64Array(wide * high);
  let mass = 0, across = 0, down = 0;
  for (let r = 0; r < high; r++)
    for (let c = 0; c < wide; c++) {
      let sum = 0, cells = 0; // the mean of the ink under one pixel
      for (let a = Math.floor(top + r * step); a < top + (r + 1) * step; a++)
        for (let b = Math.floor(left + c * step); b < left + (c + 1) * step; b++, cells++)
          if (a < side && b < side) sum += ink[a * side + b];
      const value = cells ? sum / cells : 0;
      grey[r * wide + c] = value;
      mass += value;
      across += value * (c + 0.5);
      down += value * (r + 0.5);
    }
  const dx = Math.round(SIDE / 2 - across / mass), dy = Math.round(SIDE / 2 - down / mass);
  for (let r = 0; r < high; r++)
    for (let c = 0; c < wide; c++) {
      const to = [r + dy, c + dx];
      if (grey[r * wide + c] >= 0.5 && to.every((v) => v >= 0 && v < SIDE)) x[to[0] * SIDE + to[1]] = 1;
    }
  return x;
}

/**
 * log p(x) of binary x, nats: a generator that counts on at every step and returns the sum over a
 * grid of z, whose squares are cut into 5 × 5 where the posterior is. `cache` keeps the coarse grid.
 */
export function* evidence(decode, x, cache) {
  const { side, reach, parts, near } = GRID, h = (2 * reach) / (side - 1);
  const at = (g) => [-reach + h * (g % side), -reach + h * Math.floor(g / side)];
  cache.logits ??= [];
  for (let g = cache.logits.length; g < side * side; g++) {
    cache.logits.push(Float32Array.from(decode(at(g))));
    if (g % 4 === 0) yield;
  }
  const value = (z, logits) => bernoulliLogLikelihood(x, logits) + priorLogDensity(z);
  const values = [];
  for (let g = 0; g < side * side; g++) {
    values.push(value(at(g), cache.logits[g]));
    if (g % 200 === 0) yield;
  }
  const top = Math.max(...values), terms = [];
  for (let g = 0; g < values.length; g++) {
    if (values[g] < top - near) {
      terms.push(values[g] + 2 * Math.log(h));
      continue;
    }
    for (let k = 0; k < parts * parts; k++) {
      const [a, b] = at(g), z = [a + h * ((k % parts + 0.5) / parts - 0.5), b + h * ((Math.floor(k / parts) + 0.5) / parts - 0.5)];
      terms.push(value(z, decode(z)) + 2 * Math.log(h / parts));
      if (k % 4 === 0) yield;
    }
  }
  const most = Math.max(...terms);
  return most + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - most), 0));
}

const PARTS = {
  encoder: ["q = vae.encode(x)", "The encoder: a network reads the image and answers with μ and σ."],
  z: ["z = q.rsample()", "The draw: z = μ + σ ⊙ ε, with ε from a standard normal."],
  decoder: ["p = vae.decode(z)", "The decoder: a network reads z and answers with a probability for each pixel."],
  distortion: ["log_likelihood = p.log_prob(x)", "The distortion: the nats that x costs once z is known."],
  rate: ["kl = kl_divergence(q, vae.prior)", "The rate: the nats that z costs."],
  elbo: ["elbo = log_likelihood - kl", "The bound with this one z in place of the mean over q: it may lie above log p(x)."],
};
const FORMULA = `ELBO = <span data-part="distortion">log ${i("p")}<sub>θ</sub>(${i("x")} | <span data-part="z">${i("z")} = ${i("μ")} + ${i("σ")} ⊙ ${i("ε")}</span>)</span>
  − <span data-part="rate">KL(<span data-part="encoder">${i("q")}<sub>φ</sub>(${i("z")}|${i("x")})</span> ‖ ${i("p")}(${i("z")}))</span>`;

class PipelineExplorer extends Figure {
  name = "pipeline-explorer";
  own = { pixels: "" };

  get admits() {
    const most = this.arrays.images.length / PIXELS - 1, near = (v) => Number.isFinite(v) && Math.abs(v) <= 3;
    return {
      picked: (v) => (Number.isInteger(v) && v >= 0 && v <= most ? v : undefined),
      eps: (v) => (Array.isArray(v) && v.length === 2 && v.every(near) ? v : undefined),
      pixels: (v) => (typeof v === "string" && /^([0-9a-f]{196})?$/.test(v) ? v : undefined),
    };
  }

  build() {
    this.find(".vw-hint").textContent = "Draw a digit, or pick one. Drag ε, and touch the parts.";
    this.decode = makeNetwork(this.spec.decoder, this.arrays.decoder);
    const part = (name, inside) => `<div class="px-part px-${name}" data-part="${name}">${inside}</div>`;
    const count = this.arrays.images.length / PIXELS;
    this.body.innerHTML = `
      <div class="px-picks" role="group" aria-label="Pick an image">${picks(count, this.spec.labels)}</div>
      <div class="px-x"><p class="px-head">image ${i("x")}</p><canvas class="px-pen" width="${SIDE * PEN}" height="${SIDE * PEN}" role="img" aria-label="The image x: draw here by mouse or finger"></canvas>
        <button type="button" class="px-clear">Back to the digit</button></div>
      ${part("encoder", `<p class="px-arrow" tabindex="0">encoder →</p>`)}
      ${part("z", `<p class="px-head">${i("q")}(${i("z")}|${i("x")}) and ${i("z")}</p><div class="px-plane"></div>
        <div class="px-draw"><div class="px-eps"></div><button type="button" class="px-noise" aria-label="New ε">New</button></div>`)}
      ${part("decoder", `<p class="px-arrow" tabindex="0">decoder →</p>`)}
      <div class="px-out" data-part="decoder"><p class="px-head">${i("p")}(${i("x")}|${i("z")}), each pixel’s mean</p><canvas class="px-decoded" width="28" height="28" role="img"></canvas></div>
      <table class="vw-numbers px-bill">
        ${[["distortion", `distortion, −log ${i("p")}(${i("x")}|${i("z")})`], ["rate", "rate, KL"], ["elbo", "ELBO, with this z"], ["evidence", `log ${i("p")}(${i("x")})`]].map(([kind, label]) =>
          `<tr data-kind="${kind}"${kind in PARTS ? ` data-part="${kind}" tabindex="0"` : ""}><th scope="row">${label}</th><td></td></tr>`).join("")}</table>
      <p class="px-formula">${FORMULA}</p>
      <pre class="px-code">${Object.entries(PARTS).map(([name, [code]]) => `<span data-part="${name}">${code}</span>`).join("\n")}</pre>
      <p class="vw-note px-said"></p>`;
    this.root.querySelectorAll(".px-picks canvas").forEach((canvas, k) => this.image(canvas, this.pick(k), "data"));
    this.buildPlane();
    this.hearHands();
    this.cache = {};
    this.known = {};
    const { buffer, byteLength } = this.model.get("encoder");
    this.asked = Boolean(buffer && byteLength); // it is in the page
    if (this.asked) this.loadEncoder(this.model.get("encoder"));
  }

  buildPlane() {
    const axis = linearAxis(-PLANE, PLANE, 5);
    this.plane = new Square(this, ".px-plane", { margin: { left: 26, right: 6, top: 8, bottom: 24 }, x: axis, y: axis, free: true });
    const noise = linearAxis(-3, 3, 3), go = (eps) => this.set({ eps: eps.map((e) => clamp(round(e, 0.01), -3, 3)) });
    this.noise = new Square(this, ".px-eps", { margin: { left: 2, right: 2, top: 2, bottom: 2 }, x: noise, y: noise, free: true });
    this.noise.handle({
      label: "The noise ε",
      at: () => this.state.eps,
      drag: (...eps) => go(eps),
      nudge: (right, up) => go(this.state.eps.map((e, j) => e + 0.1 * [right, up][j])),
      range: () => [this.state.eps[1], -3, 3],
      text: () => `ε = (${this.state.eps.map((e) => number(e)).join(", ")})`,
    });
  }

  hearHands() {
    const pen = this.find(".px-pen"), paper = document.createElement("canvas");
    Object.assign(paper, { width: pen.width, height: pen.height });
    this.paper = paper.getContext("2d", { willReadFrequently: true });
    let last = null;
    const place = (e) => {
      const box = pen.getBoundingClientRect(), scale = pen.width / box.width;
      return [(e.clientX - box.left) * scale, (e.clientY - box.top) * scale];
    };
    const draw = (e) => {
      const at = place(e), c = this.paper;
      // a touch without a stroke leaves the picked digit; on a drawing it is a dot
      if (!this.state.pixels && Math.hypot(at[0] - last[0], at[1] - last[1]) < PEN) return;
      Object.assign(c, { lineWidth: 2.4 * PEN, lineCap: "round", lineJoin: "round", strokeStyle: "#000" });
      c.beginPath();
      c.moveTo(...last);
      c.lineTo(at[0] + 0.01, at[1]); // a line of no length would not be drawn
      c.stroke();
      last = at;
      this.read();
    };
    this.on(pen, "pointerdown", (e) => {
      if (e.button || !e.isPrimary) return;
      pen.setPointerCapture(e.pointerId);
      this.lay();
      this.drawing = true;
      last = place(e);
      if (this.lost) this.lost = this.asked = false; // once more
      this.wantEncoder();
      draw(e);
      e.preventDefault();
    });
    this.on(pen, "pointermove", (e) => this.drawing && draw(e));
    this.on(pen, "pointerup pointercancel lostpointercapture", () => {
      this.moved ||= this.drawing; // what it has become is kept now
      this.drawing = false;
      this.schedule();
    });
    this.on(this.find(".px-clear"), "click", () => this.set({ pixels: "" }));
    this.on(this.find(".px-noise"), "click", () => {
      this.normal ??= makeNormal(1);
      this.set({ eps: [0, 0].map(() => clamp(round(this.normal(), 0.01), -3, 3)) });
    });
    const light = ({ target }) => {
      this.root.dataset.lit = target.closest?.("[data-part]")?.dataset.part ?? "";
      this.explain();
    };
    this.on(this.root, "pointerover focusin click", light);
    this.on(this.root, "pointerleave", () => light({ target: this.root }));
  }

  /** What is to be known of what is shown, and then of the part that is touched. */
  explain() {
    const said = [this.warning, PARTS[this.root.dataset.lit]?.[1]].filter(Boolean);
    this.find(".px-said").textContent = said.join(" ");
  }

  get warning() {
    const { pixels, picked } = this.state;
    if (pixels && !this.encode) return this.lost ? "The encoder could not be loaded; pick an image instead." : "The encoder is being loaded.";
    if (this.values?.elbo > this.known[pixels || picked]) return "With this z the ELBO lies above log p(x); its mean over q does not.";
  }

  press(button) {
    if (button?.dataset.trait === "picked") return this.set({ picked: +button.dataset.value, pixels: "" });
    super.press(button);
  }

  /** No stroke is kept that the hand has not ended. */
  remember() {
    if (!this.drawing) super.remember();
  }

  /** A drawing is laid beneath the pen as it is shown: strokes add to it. */
  lay() {
    const { pixels } = this.state, { width } = this.paper.canvas;
    this.paper.clearRect(0, 0, width, width);
    if (pixels) fromHex(pixels).forEach((ink, k) => ink && this.paper.fillRect(PEN * (k % SIDE), PEN * Math.floor(k / SIDE), PEN, PEN));
  }

  /** What was drawn, as the model sees it. */
  read() {
    const { width } = this.paper.canvas, { data } = this.paper.getImageData(0, 0, width, width);
    const ink = new Float64Array(width * width).map((_, k) => data[4 * k + 3] / 255);
    this.set({ pixels: toHex(prepare(ink, width)) });
  }

  // -------------------------------------------------------------- the encoder

  async wantEncoder() {
    if (this.encode || this.asked) return;
    this.asked = true;
    const { weights } = this.spec;
    this.model.on("change:encoder", () => this.loadEncoder(this.model.get("encoder")));
    if (this.key === undefined) return void this.model.send({ kind: "encoder" }); // a kernel has it
    try {
      await this.loadEncoder(await bytesOfScript(weights));
    } catch {
      this.lost = this.moved = true;
      this.schedule();
    }
  }

  async loadEncoder(view) {
    const count = this.spec.encoder.reduce((sum, [inputs, outputs]) => sum + outputs * (inputs + 1), 0);
    const { encoder } = await unpack(view, [["encoder", "float16", [count]]]);
    this.encode = makeNetwork(this.spec.encoder, encoder);
    this.schedule();
  }

  // -------------------------------------------------------------- the picture

  pick(k) {
    return this.arrays.images.subarray(k * PIXELS, (k + 1) * PIXELS);
  }

  /** q(z|x) of what is shown; null for a drawing whose encoder is still on its way. */
  posterior(x) {
    const { picked, pixels } = this.state;
    if (pixels && !this.encode) return null;
    const out = this.encode ? [...this.encode(x)] : [...this.arrays.codes.subarray(4 * picked, 4 * picked + 4)];
    return { mean: out.slice(0, 2), sd: out.slice(2).map((v) => Math.exp(0.5 * v)) };
  }

  paint() {
    const { picked, pixels, eps } = this.state;
    if (pixels) this.wantEncoder();
    const x = pixels ? fromHex(pixels) : this.pick(picked), q = this.posterior(x);
    this.image(this.find(".px-pen"), x, "data");
    this.find(".px-clear").disabled = !pixels;
    this.chosen = { picked: pixels ? "none" : picked };
    if (!q) return this.blank();
    Object.assign(this, { q, z: q.mean.map((m, j) => m + q.sd[j] * eps[j]) });
    const logits = this.decode(this.z), [s1, s2] = q.sd;
    const distortion = -bernoulliLogLikelihood(x, logits);
    const rate = klTerms({ mean: q.mean, tril: [s1, 0, s2] }).reduce((a, b) => a + b);
    this.image(this.find(".px-decoded"), logits.map(sigmoid), "generative");
    this.find(".px-decoded").setAttribute("aria-label", "What the decoder makes of z");
    this.paintPlane(q);
    const elbo = -distortion - rate, name = pixels || picked;
    this.values = { distortion, rate, elbo };
    this.bill(distortion, rate, elbo, this.known[name]);
    if (!(name in this.known) && !this.drawing) this.count(x, name);
  }

  get waits() {
    return super.waits || (this.state.pixels !== "" && !this.encode && !this.lost);
  }

  /** Nothing is known of a drawing before its encoder is there. */
  blank() {
    this.values = undefined;
    this.bill();
    this.image(this.find(".px-decoded"), new Float64Array(PIXELS), "generative");
    this.find(".px-decoded").setAttribute("aria-label", "Nothing yet");
    this.paintPlane();
  }

  bill(...values) {
    ["distortion", "rate", "elbo", "evidence"].forEach((kind, k) =>
      write(this.find(`[data-kind="${kind}"] td`), number(values[k], 1)));
    this.explain();
  }

  /** log p(x) at rest, a slice between two frames. */
  count(x, name) {
    if (this.counting === name) return;
    this.counting = name;
    this.work(evidence(this.decode, x, this.cache), SLICE, (value) => {
      this.known[name] = value;
      this.counting = undefined;
    }, 200);
  }

  paintPlane(q) {
    const c = this.plane.begin(), { ink, plane } = this;
    if (!c) return;
    plane.axes(c, "z₁", "z₂");
    this.paintNoise();
    if (!q) return;
    const { mean, sd: [s1, s2] } = q;
    c.save();
    plane.clip(c);
    for (const r of [1, 2]) {
      plane.ellipse(c, [0, 0], [r, 0, 0, r], 1);
      plane.stroke(c, ink.generative, 1.5, [5, 4]);
      plane.ellipse(c, mean, [s1, 0, 0, s2], r);
      plane.stroke(c, ink.inference, 1.5);
    }
    c.beginPath();
    c.arc(plane.px(this.z[0]), plane.py(this.z[1]), 3.5, 0, 7);
    c.fillStyle = ink.latent;
    c.fill();
    c.restore();
  }

  paintNoise() {
    const { noise, ink, state: { eps } } = this, c = noise.begin();
    if (!c) return;
    for (const r of [1, 2]) {
      noise.ellipse(c, [0, 0], [r, 0, 0, r], 1);
      noise.stroke(c, ink.muted, 1, [3, 3]);
    }
    noise.say(c, "ε", 12, 12, ink.latent);
    noise.knob(c, eps, ink.latent);
  }

  /** 28 × 28 values in [0, 1] from the paper's colour to an ink. */
  image(canvas, values, name) {
    if (!this.ink) return;
    const c = canvas.getContext("2d"), small = (this.stamp ??= new OffscreenCanvas(SIDE, SIDE)), s = small.getContext("2d");
    const picture = s.createImageData(SIDE, SIDE), tone = tones(this.ink);
    for (let k = 0; k < PIXELS; k++) tone(picture, k, values[k]);
    s.putImageData(picture, 0, 0);
    c.imageSmoothingEnabled = false;
    c.drawImage(small, 0, 0, canvas.width, canvas.height);
    canvas.dataset.of = name;
  }

  theme() {
    super.theme();
    this.root.querySelectorAll(".px-picks canvas").forEach((canvas, k) => this.image(canvas, this.pick(k), "data"));
  }

  speech() {
    const { warning = "", values } = this;
    if (!values) return warning;
    const { distortion, rate, elbo } = values;
    return `Distortion ${number(distortion, 1)}, rate ${number(rate, 1)}, ELBO ${number(elbo, 1)} nats. ${warning}`.trim();
  }
}

export default PipelineExplorer.widget();
