/* Shows anywidgets on a page without a kernel.
 *
 * A page built by myst-nb carries, in Jupyter's embedding format,
 *   <script type="application/vnd.jupyter.widget-state+json">  the state of all its widgets, once;
 *   <script type="application/vnd.jupyter.widget-view+json">   the place of a widget, for each view.
 * An anywidget brings its own program and style in its state (_esm, _css), so a model that keeps
 * values and tells its listeners is all it needs. Widgets of other kinds need a kernel and their
 * own libraries: chapters do not show them, and a test sees to that.
 *
 * At an address with ?alone=2 the page shows its second view and nothing else: on a slide.
 */
(function () {
  "use strict";

  const STATE = 'script[type="application/vnd.jupyter.widget-state+json"]';
  const VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]';

  function bytes(base64) {
    const text = atob(base64);
    const array = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) array[i] = text.charCodeAt(i);
    return new DataView(array.buffer); // what a bytes trait is under a kernel
  }

  /** Put each binary value, which JSON cannot hold, back to the path that it was taken from. */
  function restoreBuffers(state, buffers) {
    for (const { path, data } of buffers) {
      let holder = state;
      for (const key of path.slice(0, -1)) holder = holder[key];
      holder[path[path.length - 1]] = bytes(data);
    }
  }

  /** The part of a widget model that anywidget promises: get, set, save_changes, on, off, send. */
  function createModel(state) {
    const listeners = new Map(); // event name -> array of functions
    let changed = false;
    const emit = (event) => {
      for (const listener of [...(listeners.get(event) || [])]) listener();
    };
    return {
      get: (name) => state[name],
      set(name, value) {
        if (state[name] === value) return;
        state[name] = value;
        changed = true;
        emit("change:" + name);
      },
      // There is no kernel to send the changes to; other views of the model hear of them.
      save_changes() {
        if (!changed) return;
        changed = false;
        emit("change");
      },
      on(event, listener) {
        if (!listeners.has(event)) listeners.set(event, []);
        listeners.get(event).push(listener);
      },
      off(event, listener) {
        if (event == null) listeners.clear();
        else if (listener == null) listeners.delete(event);
        else listeners.set(event, (listeners.get(event) || []).filter((one) => one !== listener));
      },
      send() {},
    };
  }

  /** What the text of a module exports by default. */
  async function imported(text) {
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    let refused = false; // by a policy of the page, which does not allow blob:
    const listen = ({ blockedURI }) => (refused ||= blockedURI === "blob");
    document.addEventListener("securitypolicyviolation", listen);
    try {
      return (await import(url)).default;
    } catch (error) {
      if (refused) return inline(text);
      throw error;
    } finally {
      document.removeEventListener("securitypolicyviolation", listen);
      URL.revokeObjectURL(url);
    }
  }

  /** The same by a script in the page, which some policies allow that do not allow blob:. */
  function inline(text) {
    const last = text.lastIndexOf("export default "), script = document.createElement("script");
    script.type = "module";
    return new Promise((resolve, reject) => {
      const event = `anywidget-${Math.random()}`; // no such event comes of itself
      document.addEventListener(event, ({ detail }) => resolve(detail), { once: true });
      document.addEventListener("securitypolicyviolation", ({ blockedURI }) =>
        blockedURI === "inline" && reject(new Error("a policy of this page forbids its script")));
      script.textContent = `${text.slice(0, last)}document.dispatchEvent(new CustomEvent("${event}",
        { detail: ${text.slice(last + "export default ".length).replace(/;\s*$/, "")} }));`;
      document.head.append(script);
    });
  }

  /** Load the program that a widget brings and let it prepare its model. */
  async function load({ state, buffers = [] }) {
    restoreBuffers(state, buffers);
    let program = await imported(state._esm);
    if (typeof program === "function") program = await program();
    const model = createModel(state);
    if (program.initialize) await program.initialize({ model });
    addStyle(state._css);
    return { model, program };
  }

  const styles = new Set();
  function addStyle(css) {
    if (!css || styles.has(css)) return; // several models of one kind bring the same style
    styles.add(css);
    const style = document.createElement("style");
    style.textContent = css;
    document.head.append(style);
  }

  const alone = Number(new URLSearchParams(location.search).get("alone"));

  /** In a slide's frame: keys that the figure does not use turn the slide; after Escape, all keys. */
  function passKeys() {
    const pages = ["PageUp", "PageDown", "Escape"]; // what presenters send is for the slides alone
    const pass = (event) => {
      const { key, shiftKey, target } = event, press = key === " " || key === "Enter";
      if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
      if (!pages.includes(key) && target.closest?.(`input, select, textarea${press ? ", button" : ""}`)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      parent.postMessage({ key, shiftKey }, "*");
    };
    addEventListener("keydown", (event) => pages.includes(event.key) && pass(event), { capture: true });
    addEventListener("keydown", pass);
  }

  async function show(script, entry, loaded) {
    const el = document.createElement("div");
    el.className = alone ? "anywidget-static alone" : "anywidget-static";
    script.after(el);
    try {
      if (!entry) throw new Error("its state is missing from the page");
      const { model, program } = await loaded(entry);
      await program.render({ model, el });
    } catch (error) {
      el.setAttribute("role", "alert");
      el.textContent = `This figure could not start: ${error.message || error}`;
      console.error(error);
    }
  }

  function main() {
    const embedded = document.querySelector(STATE);
    if (!embedded) return;
    const entries = JSON.parse(embedded.textContent).state;
    const loading = new Map(); // entry -> promise: two views of one model share it
    const loaded = (entry) => {
      if (!loading.has(entry)) loading.set(entry, load(entry));
      return loading.get(entry);
    };
    if (alone) passKeys();
    for (const [k, script] of document.querySelectorAll(VIEW).entries()) {
      if (alone && alone !== k + 1) continue;
      const entry = entries[JSON.parse(script.textContent).model_id];
      if (entry && entry.model_name !== "AnyModel") continue;
      show(script, entry, loaded);
    }
  }

  // As soon as the page is parsed: "DOMContentLoaded" would wait for MathJax.
  if (document.readyState !== "loading") main();
  else document.addEventListener("readystatechange", main, { once: true });
})();
