/* How the course sets formulas. One colour for one idea: their symbols get the classes that
 * course.css colours. It works on formulas that MathJax has parsed, so no way of writing one can
 * break it. And no line begins with the full stop that ends a formula.
 * Runs just before MathJax starts. */
(function () {
  "use strict";

  const CLASSES = {
    θ: "vc-generative",
    ϕ: "vc-inference", // \phi
    φ: "vc-inference", // \varphi
    q: "vc-inference",
    z: "vc-latent",
    KL: "vc-gap",
  };

  const LONGEST_KEPT = 20; // symbols; longer formulas may need a phone's whole width

  const text = (node) => (node && node.isToken ? node.getText() : null);

  /** The first symbol in a subtree: "(" for a group in brackets. */
  function firstText(node) {
    while (node && !node.isToken) node = node.childNodes && node.childNodes[0];
    return text(node);
  }

  function contains(node, wanted) {
    let found = false;
    if (node) node.walkTree((inner) => (found = found || text(inner) === wanted));
    return found;
  }

  /** Is this p a distribution: p_θ, p(x), or one side of KL(q ‖ p)? A bare p may be a number. */
  function isDistribution(p) {
    let whole = p;
    const scripts = /^m(sub|sup|subsup)$/.test(p.parent.kind) && p.parent.childNodes[0] === p;
    if (scripts) {
      whole = p.parent;
      if (contains(whole.childNodes[1], "θ")) return true;
      if (whole.kind !== "msup") return false; // p_data, p_i
    }
    const siblings = whole.parent.childNodes;
    const place = siblings.indexOf(whole);
    const [before, after] = [siblings[place - 1], siblings[place + 1]].map(firstText);
    return after === "(" || [before, after].some((symbol) => symbol === "‖" || symbol === "∥");
  }

  /** Add classes to the symbols of a parsed formula; what it says and how it is set stay. */
  function colour({ data }) {
    data.root.walkTree((node) => {
      if (node.kind !== "mi") return;
      const symbol = node.getText();
      const name = symbol === "p" ? isDistribution(node) && "vc-generative" : CLASSES[symbol];
      if (name) node.attributes.set("class", name);
    });
  }

  /** Keep short formulas on one line with the punctuation behind them; a browser would part them. */
  function keepPunctuation() {
    for (const formula of document.querySelectorAll(":not(.formula-with-mark) > span.math")) {
      if (!formula.querySelector("mjx-container")) continue; // it is not set yet
      const [next, symbols] = [formula.nextSibling, formula.textContent];
      const marks = next && next.nodeType === Node.TEXT_NODE && next.data.match(/^[.,;:?!)’”]+/);
      if (!marks || symbols.length > LONGEST_KEPT) continue;
      const line = document.createElement("span");
      line.className = "formula-with-mark";
      formula.replaceWith(line);
      next.data = next.data.slice(marks[0].length);
      line.append(formula, marks[0]);
    }
  }

  const SMALLEST = 0.65; // of the size of the text; below that a formula scrolls
  const sizes = new WeakMap(); // that MathJax gives, so that symbols are as high as the letters

  /** Let a formula in a line break before its relations and its signs, where its box ends. */
  function letBreak(math) {
    for (const sign of math.querySelectorAll(":scope > mjx-mo[space]"))
      if (sign.previousElementSibling.tagName !== "WBR") sign.before(document.createElement("wbr"));
  }

  /** A formula that is wider than its box is set smaller, down to a size that can be read. */
  function fit(formula, smallest = SMALLEST) {
    if (!sizes.has(formula)) sizes.set(formula, formula.style.fontSize);
    if (formula.style.fontSize !== sizes.get(formula)) formula.style.fontSize = sizes.get(formula);
    const displayed = formula.hasAttribute("display");
    const math = formula.querySelector("mjx-math");
    const room = formula.clientWidth; // none where it is folded
    // In a line, what a screen reader hears is wider than a symbol; slanted letters lean out.
    const width = () => (displayed ? formula.scrollWidth : math.scrollWidth - 3);
    if (!room || width() <= room) return;
    if (!displayed) letBreak(math);
    const share = Math.max(smallest, room / width());
    const size = parseFloat(getComputedStyle(formula).fontSize);
    if (share < 1) formula.style.fontSize = `${Math.floor(100 * size * share) / 100}px`;
  }

  const show = () => document.documentElement.classList.add("formulas-set");

  /** Set what is in sight, or comes into sight by that, and show the page: the rest moves unseen. */
  async function setFirstScreen() {
    const inSight = [...document.querySelectorAll(".math")].filter((formula) => {
      const all = formula.closest("table") || formula; // its columns share what room there is
      const { top, bottom } = all.getBoundingClientRect();
      return bottom > 0 && top < 1.5 * innerHeight;
    });
    if (inSight.length) await MathJax.typesetPromise(inSight);
    keepPunctuation();
    for (const formula of inSight) formula.querySelectorAll("mjx-container").forEach((one) => fit(one));
    document.body.getBoundingClientRect(); // a page that is laid out asks for its fonts
    await document.fonts.ready;
    show();
  }

  // What cannot be loaded is not waited for.
  document.querySelector("script[src*='mathjax/']")?.addEventListener("error", show);

  const config = (window.MathJax = window.MathJax || {});
  config.fit = fit; // for accessible.js, which sees boxes change
  // Else the keyboard would stop at every formula; accessible.js lets it stop where one scrolls.
  config.options = { ...config.options, menuOptions: { settings: { inTabOrder: false } } };
  const ofPage = config.startup && config.startup.pageReady; // slides have one of their own
  const setPage = ofPage || (() => setFirstScreen().then(() => MathJax.startup.defaultPageReady()));
  config.startup = {
    ...config.startup,
    ready() {
      MathJax.startup.defaultReady();
      const page = MathJax.startup.document;
      // What a screen reader hears is MathML, which would be taken for more formulas to set.
      page.inputJax = page.inputJax.filter(({ name }) => name === "TeX");
      for (const input of page.inputJax) input.postFilters.add(colour, 100); // after MathJax's own
    },
    pageReady: () => setPage().then(keepPunctuation),
  };
})();
