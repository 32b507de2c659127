/* Mends in the finished page what stands in the way of a keyboard, a screen reader, a finger or a
 * printer and comes from the theme, from docutils, from Markdown or from MathJax. */
(function () {
  "use strict";

  /** The theme's sidebar holds the way home, the search and the contents: name it for what it is. */
  function nameSidebar() {
    const sidebar = document.getElementById("pst-primary-sidebar");
    if (!sidebar) return;
    sidebar.setAttribute("role", "navigation");
    sidebar.setAttribute("aria-label", "Course");
  }

  /** A fold of the contents shows an arrow alone: name it after the page that it lies under. */
  function nameFolds() {
    for (const fold of document.querySelectorAll("#pst-primary-sidebar summary")) {
      const page = fold.closest("li").querySelector("a");
      fold.setAttribute("aria-label", `Pages under ${page.textContent.trim()}`);
    }
  }

  /** The empty corner of a table heads nothing. */
  function emptyCorners() {
    for (const head of document.querySelectorAll("thead th")) {
      if (head.textContent.trim() || head.querySelector("img, svg")) continue;
      const cell = document.createElement("td");
      cell.className = head.className;
      head.replaceWith(cell);
    }
  }

  /** A table that a cell printed keeps its columns: their number lets the style make their letters
   * small enough, if it can. A sentence wraps. */
  function fitPrinted() {
    for (const printed of document.querySelectorAll(".cell_output pre")) {
      const lines = printed.textContent.split("\n");
      printed.style.setProperty("--columns", Math.max(1, ...lines.map(({ length }) => length)));
      const rows = lines.filter((line) => /\S {2,}\S/.test(line));
      printed.classList.toggle("wraps", rows.length < 2);
    }
  }

  /** docutils gives the references a role that ARIA has given up; in a list, they are its items. */
  function listReferences() {
    for (const entry of document.querySelectorAll("[role=list] > [role=doc-biblioentry]"))
      entry.setAttribute("role", "listitem");
  }

  const FORMULA = "mjx-container[display]";
  const IN_LINE = ".bd-article mjx-container:not([display])";
  const WIDE = `${FORMULA}, .bd-article pre, .cell_output .text_html, .pst-scrollable-table-container`;

  /** What is still wider than its box scrolls: by the arrow keys too, and its edge fades. */
  function reachWide(box) {
    const hidden = box.scrollWidth - box.clientWidth;
    if (hidden > 0) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
    box.classList.toggle("goes-on", hidden - box.scrollLeft > 1);
  }

  function watchWide() {
    const fit = window.MathJax?.config?.fit; // of formulas.js
    const formulas = document.querySelectorAll(`${FORMULA}, ${IN_LINE}`);
    const widths = new Map();
    // Folds open, phones turn, and fonts arrive: the box changes its size, or what is in it.
    const observer = new ResizeObserver((changes) => {
      for (const box of new Set(changes.map(({ target }) => target.closest(`${WIDE}, ${IN_LINE}`)))) {
        if (box.matches("mjx-container") && widths.get(box) !== box.clientWidth) fit(box);
        widths.set(box, box.clientWidth);
        if (box.matches(WIDE)) reachWide(box);
      }
    });
    for (const box of document.querySelectorAll(WIDE)) {
      observer.observe(box);
      if (box.firstElementChild) observer.observe(box.firstElementChild);
      box.addEventListener("scroll", () => reachWide(box), { passive: true });
    }
    for (const formula of document.querySelectorAll(IN_LINE)) observer.observe(formula);
    matchMedia("print").addEventListener("change", ({ matches }) =>
      formulas.forEach((formula) => fit(formula, matches ? 0.3 : undefined))
    );
  }

  /** A tap on a section in the drawer of a phone shows that section, and not the drawer over it. */
  function closeDrawers() {
    for (const drawer of document.querySelectorAll("dialog[id$=sidebar-modal]"))
      drawer.addEventListener("click", ({ target }) => {
        if (target.closest("a[href^='#']")) drawer.close();
      });
  }

  /** Sphinx keeps Escape for its search marks, unless the focus is on a button or a field. */
  function closeOnEscape() {
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") document.querySelector("dialog:modal")?.close();
    });
  }

  /** Paper is white, whatever the screen is. */
  function printLight() {
    const root = document.documentElement;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    matchMedia("print").addEventListener("change", ({ matches }) => {
      const { mode } = root.dataset;
      const onScreen = mode === "auto" ? (dark.matches ? "dark" : "light") : mode;
      root.dataset.theme = matches ? "light" : onScreen;
    });
  }

  closeDrawers();
  closeOnEscape();
  printLight();
  nameSidebar();
  nameFolds();
  emptyCorners();
  fitPrinted();
  listReferences();
  // It runs just after MathJax has been loaded, on pages that load it.
  if (window.MathJax && MathJax.startup) MathJax.startup.promise.then(watchWide);
  else watchWide();
})();
