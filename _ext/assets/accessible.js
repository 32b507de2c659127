/* Mends in the finished page what stands in the way of a keyboard or a screen reader and comes
 * from the theme, from Markdown or from MathJax. */
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

  /** A formula that is wider than its box scrolls: by the arrow keys too. Folds open, phones turn. */
  function reachWideFormulas() {
    const observer = new ResizeObserver((changes) => {
      for (const { target } of changes) {
        if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
        else target.removeAttribute("tabindex");
      }
    });
    for (const formula of document.querySelectorAll("mjx-container[display]")) observer.observe(formula);
  }

  nameSidebar();
  emptyCorners();
  // It runs just after MathJax has been loaded, on pages that load it.
  if (window.MathJax && MathJax.startup) MathJax.startup.promise.then(reachWideFormulas);
})();
