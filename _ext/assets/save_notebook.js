/* From disk a browser shows a notebook as the text it is; this saves it, as a server's would be.
 * Beside each notebook lies a script that holds it, for a page from disk may read nothing else. */
(function () {
  "use strict";
  if (location.protocol !== "file:") return;

  window.saveNotebook = (name, notebook) => {
    const link = document.createElement("a");
    const file = new Blob([JSON.stringify(notebook, null, 1)], { type: "application/json" });
    link.href = URL.createObjectURL(file);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest(".notebook-versions a");
    if (!link) return;
    event.preventDefault();
    const script = document.createElement("script");
    script.src = `${link.href}.js`;
    script.onload = () => script.remove();
    document.head.append(script);
  });
})();
