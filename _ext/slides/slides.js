/* Shows one slide at a time, scaled to the window; keys, buttons, a swipe or the address turn. */
(function () {
  "use strict";

  const SMALLEST = 0.5; // of the size that the style gives
  const slides = [...document.querySelectorAll(".slide")];
  const stage = document.querySelector("main");
  let current = 0;

  /** Show the slide of that number, from 0; keep it in the address. */
  function show(number) {
    current = Math.min(Math.max(number, 0), slides.length - 1);
    slides.forEach((slide, index) => slide.classList.toggle("shown", index === current));
    document.title = `${current + 1}. ${slides[current].querySelector("h2").textContent}`;
    if (location.hash !== `#${current + 1}`) history.replaceState(null, "", `#${current + 1}`);
    window.scrollTo(0, 0);
  }

  function scale() {
    const factor = Math.min(innerWidth / 1280, innerHeight / 720);
    const left = (innerWidth - 1280 * factor) / 2;
    const top = (innerHeight - 720 * factor) / 2;
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
    const onButton = event.target.tagName === "BUTTON";
    if (onButton && (event.key === " " || event.key === "Enter")) return;
    const step = event.key === " " ? (event.shiftKey ? -1 : 1) : turns[event.key];
    if (!step) return;
    event.preventDefault();
    show(current + step);
  });

  let down = null;
  document.addEventListener("pointerdown", (event) => (down = event.clientX));
  document.addEventListener("pointerup", (event) => {
    const moved = event.clientX - down;
    if (event.pointerType === "touch" && Math.abs(moved) > 50) show(current - Math.sign(moved));
  });
  document.querySelector("#back").addEventListener("click", () => show(current - 1));
  document.querySelector("#on").addEventListener("click", () => show(current + 1));
  addEventListener("resize", scale);
  addEventListener("hashchange", () => show(parseInt(location.hash.slice(1), 10) - 1 || 0));

  document.documentElement.classList.add("deck");
  scale();
  show(parseInt(location.hash.slice(1), 10) - 1 || 0);

  window.MathJax = {
    tex: { inlineMath: [["\\(", "\\)"]], displayMath: [["\\[", "\\]"]], autoload: {} },
    svg: { fontCache: "global" },
    options: { enableMenu: false },
    startup: { pageReady: () => MathJax.startup.defaultPageReady().then(fit) },
  };
})();
