/* Shows one slide at a time, scaled to the window; keys, buttons, a swipe or the address turn. N
 * opens the speaker's window, in which each slide has its notes; the two turn together. */
(function () {
  "use strict";

  const SMALLEST = 0.5; // of the size that the style gives
  const slides = [...document.querySelectorAll(".slide")];
  const stage = document.querySelector("main");
  const speaker = location.search === "?notes";
  let current = 0;
  let other = opener; // the window that turns with this one

  /** Show the slide of that number, from 0; keep it in the address. */
  function show(number) {
    current = Math.min(Math.max(number, 0), slides.length - 1);
    slides.forEach((slide, index) => slide.classList.toggle("shown", index === current));
    document.title = `${current + 1}. ${slides[current].querySelector("h2").textContent}`;
    if (location.hash !== `#${current + 1}`) history.replaceState(null, "", `#${current + 1}`);
    window.scrollTo(0, 0);
  }

  /** The same, in both windows. */
  function turn(number) {
    show(number);
    other?.postMessage({ slide: current }, "*");
  }

  function scale() {
    const height = speaker ? 1440 : 720;
    const { clientWidth, clientHeight } = document.documentElement;
    const factor = Math.min(clientWidth / 1280, clientHeight / height);
    const left = (clientWidth - 1280 * factor) / 2;
    const top = (clientHeight - height * factor) / 2;
    stage.style.transform = `translate(${left}px, ${top}px) scale(${factor})`;
  }

  /** Make an element smaller, step by step, while it is too large for its place. */
  function shrink(element, tooLarge) {
    const size = parseFloat(getComputedStyle(element).fontSize);
    for (let part = 1; part > SMALLEST && tooLarge(); part -= 0.04)
      element.style.fontSize = `${part * size}px`;
  }

  /** Formulas fit the width, the rest of a slide its height; figures fit by themselves. */
  function fit() {
    for (const formula of document.querySelectorAll('mjx-container[display="true"]'))
      shrink(formula, () => formula.scrollWidth > formula.clientWidth);
    for (const content of document.querySelectorAll(".slide:not(.figure) .content"))
      shrink(content, () => content.scrollHeight > content.parentElement.clientHeight);
  }

  const turns = {
    ArrowRight: 1, ArrowDown: 1, PageDown: 1, Enter: 1,
    ArrowLeft: -1, ArrowUp: -1, PageUp: -1, Backspace: -1,
    Home: -Infinity, End: Infinity,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "n" || event.key === "N") return openNotes();
    const onButton = event.target.tagName === "BUTTON";
    if (onButton && (event.key === " " || event.key === "Enter")) return;
    if (press(event)) event.preventDefault();
  });

  /** What a key does, here or in the frame of an explorer; whether it does anything. */
  function press({ key, shiftKey }) {
    const step = key === " " ? (shiftKey ? -1 : 1) : turns[key];
    if (step) turn(current + step);
    return Boolean(step);
  }

  function openNotes() {
    if (speaker) return;
    const address = location.href.replace(/[?#].*/, "");
    other = window.open(`${address}?notes#${current + 1}`, "notes", "width=1000,height=1125");
  }
  addEventListener("message", (event) => {
    if (other && event.source === other && Number.isInteger(event.data?.slide)) show(event.data.slide);
    const frame = document.activeElement; // its keys come here, see anywidget-static.js
    if (frame?.tagName !== "IFRAME" || event.source !== frame.contentWindow) return;
    if (event.data?.key === "Escape") frame.blur();
    else press(event.data);
  });

  // An explorer comes out of the built page, when it is asked for, and takes the place of the slide.
  for (const button of document.querySelectorAll(".live button"))
    button.addEventListener("click", () => {
      const frame = document.createElement("iframe");
      frame.title = "The explorer";
      frame.src = button.dataset.frame;
      const slide = button.closest(".slide");
      slide.classList.add("alive");
      slide.querySelector("footer").lastChild.prepend("Esc: back to the slides · ");
      slide.querySelector(".body").replaceChildren(frame);
    });

  let down = null;
  document.addEventListener("pointerdown", (event) => (down = event.clientX));
  document.addEventListener("pointerup", (event) => {
    const moved = event.clientX - down;
    if (event.pointerType === "touch" && Math.abs(moved) > 50) turn(current - Math.sign(moved));
  });
  document.querySelector("#back").addEventListener("click", () => turn(current - 1));
  document.querySelector("#on").addEventListener("click", () => turn(current + 1));
  addEventListener("resize", scale);
  addEventListener("hashchange", () => turn(parseInt(location.hash.slice(1), 10) - 1 || 0));

  document.documentElement.classList.add("deck");
  document.documentElement.classList.toggle("speaker", speaker);
  scale();
  show(parseInt(location.hash.slice(1), 10) - 1 || 0);

  window.MathJax = {
    tex: { inlineMath: [["\\(", "\\)"]], displayMath: [["\\[", "\\]"]], autoload: {} },
    svg: { fontCache: "global" },
    options: { enableMenu: false },
    startup: { pageReady: () => MathJax.startup.defaultPageReady().then(fit) },
  };
})();
