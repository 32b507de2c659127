// A tap on a figure opens it over the page, as large as all of it can be and no smaller than on the
// page; a tap on it, or the button, makes it larger still. Without this the link leads to the drawing itself.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a.drawing");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();

  const button = (label) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = label;
    return made;
  };
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  dialog.setAttribute("aria-label", "The figure, enlarged");
  const shown = link.querySelector("img");
  const picture = link.querySelector("picture").cloneNode(true); // with the drawing for a phone
  const image = picture.querySelector("img");
  image.style.setProperty("--ratio", shown.clientWidth / shown.clientHeight);
  image.style.setProperty("--on-page", `${shown.clientWidth}px`);
  const [zoom, close] = [button("Zoom in"), button("Close")];
  const tools = document.createElement("div");
  tools.className = "enlarged-tools";
  tools.append(zoom, close);
  const sheet = document.createElement("div");
  sheet.className = "enlarged-sheet";
  sheet.tabIndex = 0; // so that the arrow keys move it
  sheet.append(picture);
  dialog.append(tools, sheet);
  document.body.append(dialog);

  /** Larger or back; what lies at these shares of the figure comes to the middle. */
  function turn(across = 0.5, down = 0.5) {
    zoom.textContent = dialog.classList.toggle("zoomed") ? "Zoom out" : "Zoom in";
    sheet.scrollLeft = across * image.clientWidth - sheet.clientWidth / 2;
    sheet.scrollTop = down * image.clientHeight - sheet.clientHeight / 2;
  }
  zoom.addEventListener("click", () => turn());
  image.addEventListener("click", ({ offsetX, offsetY }) =>
    turn(offsetX / image.clientWidth, offsetY / image.clientHeight));
  close.addEventListener("click", () => dialog.close());
  sheet.addEventListener("click", ({ target }) => target === sheet && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  // On a phone the whole is no larger than on the page: what was not drawn for it opens large.
  if (sheet.clientWidth <= 600 && !link.querySelector("source")) turn();
});
