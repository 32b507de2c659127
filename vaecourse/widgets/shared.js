// What the widgets share. Python puts this text before a widget's own, so the page gets one file
// without imports. In order: numbers, pieces of a page, chance, and the view of a widget.

// ---------------------------------------------------------------- numbers

export const LOG_2PI = Math.log(2 * Math.PI);

export const clamp = (v, low, high) => Math.min(high, Math.max(low, v));

/** A number as it is read out: fixed decimals, a true minus sign, never minus zero. */
export const number = (v, digits = 2) =>
  Number.isFinite(v) ? v.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", "−") : "–";

/** As few decimals as it takes, six at most. */
export const short = (v) => number(v, 6).replace(/\.?0+$/, "");

/** 10000 as "10,000". */
export const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

/** An index, set below the line. */
export const subscript = (n) => String(n).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);

/** To the nearest multiple of `grain`, so that what is read is what is computed. */
export const round = (v, grain) => +(grain * Math.round(v / grain)).toFixed(6);

/** Any text, in text that is HTML: the one way by which what a caller named gets onto the page. */
export const plain = (value) => String(value).replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);

/** A symbol, in text that is HTML. */
export const i = (text) => `<i>${text}</i>`;

/** N(z; mean, sd²). */
export const normalDensity = (z, mean, sd) =>
  Math.exp(-0.5 * (((z - mean) / sd) ** 2 + LOG_2PI)) / sd;

/** "N(0.50, 0.80²)" */
export const normalText = (mean, sd) => `N(${number(mean)}, ${number(sd)}²)`;

// ---------------------------------------------------------------- what a state may be

// Each takes a value and gives it back, held within bounds, or undefined where it is none: a link
// may say anything.
export const within = (low, high, whole = false) => (v) =>
  Number.isFinite(v) && (!whole || Number.isInteger(v)) ? clamp(v, low, high) : undefined;
export const oneOf = (...choices) => (v) => (choices.includes(v) ? v : undefined);
export const each = (...admits) => (values) => {
  if (!Array.isArray(values) || values.length !== admits.length) return undefined;
  const held = values.map((v, k) => admits[k](v));
  return held.includes(undefined) ? undefined : held;
};

// ---------------------------------------------------------------- pieces of a page

/** The rows [kind, label] of a table of numbers, or [kind, label, sign] of a sum. */
export const numberRows = (rows) => rows.map(([kind, label, sign]) => `<tr data-kind="${kind}"><th scope="row">${
  sign === undefined ? "" : `<span class="vw-sign">${sign}</span>`}<span>${label}</span></th><td></td></tr>`).join("");

/** A sample of a line before its name, in HTML: "solid", "dashed", "dotted", "ticks", a "block" or a "pale" one. */
export const sample = (look, name) => `<span class="vw-sample" data-look="${look}">${name}</span>`;

/** What the curves of a plot are: [ink, look, name], where no curve can cross the words. */
export const key = (curves) => `<p class="vw-key">${curves.map(([ink, look, name]) =>
  `<span style="color: var(--vw-${ink})">${sample(look, name)}</span>`).join("")}</p>`;

/** Buttons of one choice: they set `trait` to one of the values, whose names are HTML. */
export const choices = (label, trait, names) =>
  `<div class="vw-joined" role="group" aria-label="${label}">${Object.entries(names).map(([value, name]) =>
    `<button type="button" data-trait="${trait}" data-value="${plain(value)}">${name}</button>`).join("")}</div>`;

/** A button that turns `trait` on and off. */
export const toggle = (trait, name) => `<button type="button" data-trait="${trait}">${name}</button>`;

/** What follows the name of an image whose digit is known. */
export const ofDigit = (digit) => (Number.isInteger(digit) ? `, ${digit === 8 ? "an" : "a"} ${digit}` : "");

/** Buttons of small images to pick one of, with their digits if these are known. */
export const picks = (count, digits) => Array.from({ length: count }, (_, k) =>
  `<button type="button" data-trait="picked" data-value="${k}" aria-label="Image ${k + 1}${ofDigit(digits?.[k])}"><canvas width="28" height="28"></canvas></button>`).join("");

/** The picture of an image of that many pixels: values from 0 to 1, all of red before green and blue. */
export function paintImage(canvas, values, channels = 1) {
  const picture = new ImageData(canvas.width, canvas.height), level = (v) => Math.round(255 * clamp(v, 0, 1));
  const pixels = new Uint32Array(picture.data.buffer), n = pixels.length; // a pixel's four bytes at once
  for (let k = 0; k < n; k++) {
    const red = level(values[k]);
    if (channels === 1) pixels[k] = 0xff000000 | (red * 0x010101);
    else pixels[k] = 0xff000000 | (level(values[2 * n + k]) << 16) | (level(values[n + k]) << 8) | red;
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/** A function that gives pixel k of a picture the tone of a value: 0 is the paper, 1 the ink. */
export function tones({ plot, data }) {
  const [paper, ink] = [plot, data].map((colour) => [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16)));
  return (picture, k, value) => {
    for (let c = 0; c < 3; c++) picture.data[4 * k + c] = Math.round(paper[c] + value * (ink[c] - paper[c]));
    picture.data[4 * k + 3] = 255;
  };
}

// ---------------------------------------------------------------- chance

/** Uniform numbers in [0, 1), the same for the same seed (mulberry32). */
export function makeUniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Standard normal numbers, the same for the same seed: two from two uniform ones (Box, Muller). */
export function makeNormal(seed) {
  const uniform = makeUniform(seed);
  let spare = null;
  return () => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())), angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

// ---------------------------------------------------------------- the view

/** Dark or light: the page's theme, then JupyterLab's, then the system's. */
export function isDark() {
  const theme = document.documentElement.dataset.theme;
  if (theme === "dark" || theme === "light") return theme === "dark";
  const lab = document.body.dataset.jpThemeLight;
  if (lab !== undefined) return lab === "false";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

const INKS = ["text", "muted", "plot", "line",
  "generative", "inference", "latent", "gap", "exact", "data"];

/**
 * The view of a widget. A subclass has a `name` and
 *   admits     of all that its state is made of, what it may be: the traits, which the kernel knows,
 *              and what the view alone keeps; made anew when the page is built;
 *   own        what the view alone keeps, as it is in the beginning;
 *   build()    the page inside `this.body`: plots, handles, buttons (`choices`, `toggle`);
 *   paint()    everything that follows from `this.state`, once a frame at most;
 *   speech()   a sentence for those who listen, said when the hand rests.
 * The hand changes the state through `this.set`; `this.ink` and `this.font` follow the theme. On a
 * page without a kernel the state is kept with the page's entry in the history, and in its address.
 */
export class Figure {
  own = {};

  constructor(model, el) {
    this.model = model;
    this.spec = model.get("spec");
    this.plots = [];
    this.zoom = 1;
    this.off = new AbortController();
    this.root = document.createElement("div");
    this.root.innerHTML = `<p class="vw-title"></p><p class="vw-hint"></p><div class="vw-body"></div>
      <div class="vw-tools"><button type="button" class="vw-reset">Reset</button>
        <button type="button" class="vw-link" hidden>Copy link</button>
        <button type="button" class="vw-large" hidden>Full screen</button></div>
      <p class="vw-live" role="status" aria-live="polite"></p>`;
    this.body = this.find(".vw-body");
    el.append(this.root);
  }

  /** What a program exports; a widget with arrays gets them unpacked, as `this.arrays`. */
  static widget() {
    return {
      render: async ({ model, el }) => {
        const { table } = model.get("spec");
        const arrays = table && (await unpack(model.get("arrays"), table));
        const view = Object.assign(new this(model, el), { arrays });
        view.start();
        return () => view.off.abort();
      },
    };
  }

  get traits() {
    return Object.keys(this.admits).filter((name) => !(name in this.own));
  }

  start() {
    this.root.className = `vw-figure ${this.name}`;
    this.find(".vw-title").textContent = this.spec.title;
    this.build();
    const now = Object.fromEntries(this.traits.map((trait) => [trait, this.model.get(trait)]));
    this.state = { ...now, ...this.own };
    this.settle();
    this.listen();
    this.resize(); // at once: what stands below the plots would move when it is observed
    this.theme();
  }

  /** Whether the page shows nothing else. */
  get alone() {
    return this.root.parentElement.matches(".alone");
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  on(target, events, handler) {
    for (const event of events.split(" "))
      target.addEventListener(event, handler, { signal: this.off.signal });
  }

  listen() {
    this.on(matchMedia("(prefers-color-scheme: dark)"), "change", () => this.theme());
    const observer = new MutationObserver(() => this.theme());
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    const size = new ResizeObserver(() => {
      if (!this.ink.text) this.theme(); // JupyterLab renders before the figure is on the page, where it has no colours
      this.resize();
    });
    for (const { stage } of this.plots) size.observe(stage);
    const seen = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.invite(), { threshold: 0.5 });
    const whole = new ResizeObserver(() => this.fit());
    if (this.alone) for (const part of [this.body, document.documentElement]) whole.observe(part);
    const first = this.plots.find(({ handles }) => handles.length);
    if (first) seen.observe(first.stage);
    const arrived = this.traits.map((trait) => {
      const listener = () => {
        const value = this.model.get(trait);
        if (String(value) === String(this.state[trait])) return;
        this.state[trait] = value;
        this.moved = true;
        this.schedule();
      };
      this.model.on(`change:${trait}`, listener);
      return [`change:${trait}`, listener];
    });
    this.on(this.root, "click", ({ target }) => this.press(target.closest("button")));
    this.on(this.root, "pointerdown", () => this.touch());
    this.on(window, "pagehide", () => this.timer && this.key && this.leave());
    this.on(window, "beforeprint", () => this.finish());
    this.off.signal.addEventListener("abort", () => {
      observer.disconnect();
      size.disconnect();
      whole.disconnect();
      seen.disconnect();
      for (const [event, listener] of arrived) this.model.off(event, listener);
      cancelAnimationFrame(this.frame);
      clearTimeout(this.timer);
      this.drop();
    });
  }

  /** A button of every explorer, or one that `choices` or `toggle` made; others listen themselves. */
  press(button) {
    if (!button) return;
    const { trait, value } = button.dataset;
    if (button.classList.contains("vw-reset")) this.reset();
    else if (button.classList.contains("vw-link")) this.copy(button);
    else if (button.classList.contains("vw-large")) this.enlarge();
    else if (trait) this.set({ [trait]: value ?? !this.state[trait] });
  }

  /** Back to the start that Python gave. */
  reset() {
    this.set(structuredClone({ ...this.spec.start, ...this.own }));
  }

  resize() {
    for (const plot of this.plots) plot.resize();
    this.schedule();
  }

  theme() {
    this.root.dataset.theme = isDark() ? "dark" : "light";
    const style = getComputedStyle(this.root);
    this.ink = Object.fromEntries(
      INKS.map((name) => [name, style.getPropertyValue(`--vw-${name}`).trim()]));
    this.font = style.fontFamily;
    this.schedule();
  }

  /** The hand changed traits, or what the view alone keeps; the kernel hears of it once a frame. */
  set(changes) {
    Object.assign(this.state, changes);
    this.touch();
    this.moved = this.tell = true;
    this.schedule();
  }

  schedule() {
    if (this.frame || this.off.signal.aborted) return;
    this.frame = requestAnimationFrame(() => this.show());
  }

  show() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const start = performance.now();
    this.paint();
    for (const plot of this.plots) plot.place();
    this.mark();
    // seen by observers, then gone: entries do not pile up
    performance.measure(`${this.name}:paint`, { start, end: performance.now() });
    performance.clearMeasures(`${this.name}:paint`);
    this.root.toggleAttribute("data-done", !this.waits);
    if (this.tell) {
      this.tell = false;
      for (const trait of this.traits) this.model.set(trait, this.state[trait]);
      this.model.save_changes();
    }
    if (!this.moved) return; // nothing to say of a page that was opened or resized
    this.moved = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.find(".vw-live").textContent = this.speech();
      this.remember();
    }, 600);
  }

  // -------------------------------------------------------------- long work

  /**
   * Run a generator, `slice` milliseconds between two tasks of the page, and then `then` with what
   * it returns. It takes the place of work that is not done.
   */
  work(steps, slice, then, delay = 0) {
    this.drop();
    this.rest = (until) => {
      let step;
      do step = steps.next();
      while (!step.done && performance.now() < until);
      if (!step.done) return void (this.later = setTimeout(() => this.rest(performance.now() + slice)));
      this.drop();
      then(step.value);
      this.schedule();
    };
    this.later = setTimeout(() => this.rest(performance.now() + slice), delay);
  }

  drop() {
    clearTimeout(this.later);
    this.rest = null;
  }

  /** Whether more is to come than what is painted: `data-done` tells the page when it is not. */
  get waits() {
    return Boolean(this.rest);
  }

  /** Paper does not wait: all that can be computed is on it. */
  finish() {
    this.show();
    while (this.rest) {
      this.rest(Infinity);
      this.show();
    }
  }

  /** Buttons look as the state is. */
  mark() {
    for (const button of this.body.querySelectorAll("[data-trait]")) {
      const { trait, value } = button.dataset, now = this.chosen?.[trait] ?? this.state[trait];
      mark(button, "aria-pressed", String(value === undefined ? now : String(now) === value));
    }
  }

  // -------------------------------------------------------------- an invitation

  /** Once in sight the first handle shows that it can be taken, for five seconds or until it is. */
  invite() {
    if (this.touched || this.invited) return;
    this.invited = performance.now();
    this.root.classList.add("vw-inviting");
    if (this.wander && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.roam();
  }

  /** `wander(t)` is the state at t seconds; it is no one's choice, so the kernel does not hear of it. */
  roam() {
    const seconds = (performance.now() - this.invited) / 1000;
    if (this.touched || this.off.signal.aborted) return;
    Object.assign(this.state, this.wander(Math.min(seconds, 5)));
    this.schedule();
    if (seconds < 5) requestAnimationFrame(() => this.roam());
  }

  touch() {
    this.touched = true;
    this.root.classList.remove("vw-inviting");
  }

  // -------------------------------------------------------------- history, address, screen

  /** Without a kernel: the state that the history or the address has for this figure. */
  settle() {
    const large = this.find(".vw-large"), host = this.root.parentElement;
    large.hidden = !document.fullscreenEnabled;
    this.on(document, "fullscreenchange", () => this.fit());
    if (!host.classList.contains("anywidget-static")) return;
    this.find(".vw-link").hidden = false;
    const before = [...document.querySelectorAll(".anywidget-static")].indexOf(host);
    this.key = this.name + (before ? `-${before + 1}` : "");
    const left = this.left(), kept = left ?? history.state?.explorers?.[this.key];
    const linked = left ? null : this.linked(); // the address may be older
    if (kept || linked) this.take({ ...kept, ...linked });
    if (left) this.moved = true; // remember it
    if (linked) this.root.scrollIntoView();
    this.on(window, "hashchange", () => {
      const linked = this.linked(), changes = linked ?? this.entered();
      if (!changes) return;
      this.take({ ...this.spec.start, ...this.own, ...changes });
      if (linked) this.root.scrollIntoView();
    });
  }

  /** The state of the entry that Back or Forward came to: an address without a hash is the beginning. */
  entered() {
    return history.state?.explorers?.[this.key] ?? (location.hash ? null : {});
  }

  /** Of what a link says, what this figure can show. */
  take(given) {
    for (const [name, admit] of Object.entries(this.admits)) {
      const value = admit(given[name]);
      if (value !== undefined) this.state[name] = value;
    }
    this.touched = this.tell = true;
    this.schedule();
  }

  linked() {
    const [key, text] = location.hash.slice(1).split("=");
    if (key !== this.key || !text) return null;
    try {
      return Object(JSON.parse(decodeURIComponent(text)));
    } catch {
      return null; // no link of ours
    }
  }

  /** What of the state is not as in the beginning. */
  get changes() {
    const start = { ...this.spec.start, ...this.own }, text = JSON.stringify;
    return Object.fromEntries(Object.keys(this.admits).filter((name) => text(this.state[name]) !== text(start[name]))
      .map((name) => [name, this.state[name]]));
  }

  /** The address with the changes, or with `told`, those of them that a link should carry. */
  get link() {
    return `${this.page}#${this.key}=${encodeURIComponent(JSON.stringify(this.told ?? this.changes))}`;
  }

  get page() {
    const { hash, href } = location;
    return hash ? href.slice(0, -hash.length) : href.replace(/#$/, "");
  }

  /** For Back; and in the address, unless that names a section. */
  remember() {
    if (!this.key) return;
    const explorers = { ...history.state?.explorers, [this.key]: this.changes };
    const free = /^(#([a-z]+-(explorer|stepper)|playground)(-\d+)?=.*)?$/.test(location.hash);
    const address = Object.keys(this.told ?? this.changes).length ? this.link : this.page;
    history.replaceState({ ...history.state, explorers }, "", free ? address : location.href);
  }

  get shelf() {
    return `vaecourse ${location.pathname} ${this.key}`;
  }

  /** A reload has the history as it was before the page went, so it finds the state here. */
  leave() {
    this.remember();
    try {
      sessionStorage[this.shelf] = JSON.stringify(this.changes);
    } catch {} // a page may have no storage
  }

  left() {
    try {
      const text = sessionStorage[this.shelf];
      delete sessionStorage[this.shelf];
      return performance.getEntriesByType("navigation")[0].type === "reload" ? JSON.parse(text) : null;
    } catch {
      return null;
    }
  }

  async copy(button) {
    const { link } = this;
    history.replaceState(history.state, "", link);
    let done = "Copied";
    try {
      await navigator.clipboard.writeText(link);
    } catch {
      done = "See the address"; // a page may not be allowed to copy
    }
    button.textContent = done;
    setTimeout(() => (button.textContent = "Copy link"), 2000);
  }

  enlarge() {
    if (document.fullscreenElement === this.root) return void document.exitFullscreen();
    this.root.requestFullscreen();
  }

  /** As large as the screen allows, with all of it in sight; alone on a page it may become smaller too. */
  fit() {
    const { alone } = this, full = alone || document.fullscreenElement === this.root, tools = this.find(".vw-tools");
    this.find(".vw-large").textContent = full ? "Leave full screen" : "Full screen";
    if (!full && this.zoom === 1) return;
    this.root.style.zoom = this.zoom = 1;
    if (full) {
      for (const plot of this.plots) plot.resize(); // a square is higher where it is wider
      const room = innerHeight / (tools.offsetTop + tools.offsetHeight + 16);
      this.zoom = clamp(Math.min(innerWidth / 900, room), alone ? 0.5 : 1, 3);
    }
    this.root.style.zoom = this.zoom;
    this.resize();
  }
}

/** The bytes that a script among the book's static files leaves under its name, as a DataView. */
export async function bytesOfScript(name) {
  const script = document.createElement("script");
  script.src = `${document.documentElement.dataset.content_root ?? "./"}_static/${name}.js`;
  await new Promise((done, fail) => {
    Object.assign(script, { onload: done, onerror: () => fail(new Error(`${name} is not there`)) });
    document.head.append(script);
  });
  return new DataView(Uint8Array.from(atob(window.vaecourseBytes[name]), (c) => c.charCodeAt(0)).buffer);
}

/** Put `html` into an element, unless it is there. */
export function write(element, html) {
  if (element.written === html) return;
  element.innerHTML = element.written = html;
}

function mark(element, attribute, value) {
  if (element.getAttribute(attribute) !== value) element.setAttribute(attribute, value);
}
