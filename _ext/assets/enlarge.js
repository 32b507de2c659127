// A tap on a figure opens it over the page, as large as the screen allows; another closes it.
// Without this the link leads to the drawing itself.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a.drawing");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  const image = link.firstElementChild.cloneNode();
  dialog.setAttribute("aria-label", "The figure, enlarged");
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  const scroll = document.createElement("div");
  scroll.tabIndex = 0; // so that the arrow keys move it
  scroll.append(image);
  dialog.append(close, scroll);
  document.body.append(dialog);
  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
});
