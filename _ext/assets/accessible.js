/* Mends in the finished page what stands in the way of a keyboard or a screen reader and comes
 * from the theme, from docutils, from Markdown or from MathJax. */
(function () {
  "use strict";

  /** The theme's sidebar holds the way home, the search and the contents: name it for what it is. */
  function nameSidebar() {
    const sidebar = document.getElementById("pst-primary-sidebar");
    if (!sidebar) return;
    sidebar.setAttribute("role", "navigation");
    sidebar.setAttribute("aria-label", "Course");
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

  /** docutils gives the references a role that ARIA has given up; in a list, they are its items. */
  function listReferences() {
    for (const entry of document.querySelectorAll("[role=list] > [role=doc-biblioentry]"))
      entry.setAttribute("role", "listitem");
  }

  /** A formula that is wider than its box scrolls: by the arrow keys too. */
  function reachWideFormulas() {
    // Folds open, phones turn, and fonts arrive: the box changes its size, or what is in it.
    const observer = new ResizeObserver((changes) => {
      for (const { target } of changes) {
        const formula = target.closest("mjx-container");
        if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
        else formula.removeAttribute("tabindex");
      }
    });
    const formulas = "mjx-container[display]";
    for (const part of document.querySelectorAll(`${formulas}, ${formulas} > mjx-math`))
      observer.observe(part);
  }

  nameSidebar();
  emptyCorners();
  listReferences();
  // It runs just after MathJax has been loaded, on pages that load it.
  if (window.MathJax && MathJax.startup) MathJax.startup.promise.then(reachWideFormulas);
})();
