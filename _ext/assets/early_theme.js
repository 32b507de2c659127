/* The theme learns light or dark when all else has been loaded: until then the page would be light.
 * This runs before anything is painted. A page without scripts stays light. */
(function () {
  "use strict";
  const { dataset } = document.documentElement;
  dataset.mode = localStorage.getItem("mode") || "auto";
  if (dataset.mode === "auto")
    dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
})();
