/* The theme learns light or dark when all else has been loaded: until then the page has neither
 * colours nor borders. This runs before anything is painted. */
(function () {
  "use strict";
  const { dataset } = document.documentElement;
  if (dataset.theme === "auto")
    dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
})();
