/* What a word of the glossary or a citation means, on a card beside it: where the pointer rests or
 * the keyboard stands, and at a first tap; the second follows the link, as a link in the card does. */
(function () {
  "use strict";

  const CARDED = ".bd-article a[href*='glossary.html#term-'], .bd-article .bibtex-citation a[href*='#']";
  const REST = 250; // milliseconds until a pointer rests, or has left
  const here = document.currentScript.src;

  let card, link, timer, finger = false;

  /** The meanings of all terms: loaded when the first is asked for. */
  let meanings;
  function loadMeanings() {
    meanings ||= new Promise((done) => {
      const script = document.createElement("script");
      script.src = new URL("glossary_cards.js", here);
      script.onload = script.onerror = () => done(window.GLOSSARY || {});
      document.head.append(script);
    });
    return meanings;
  }

  const titles = new WeakMap(); // of citations; a browser would show them beside the card
  async function meaning(of) {
    if (!of.matches(".bibtex-citation a")) return (await loadMeanings())[of.hash.slice(1)];
    if (of.title) titles.set(of, of.title);
    of.removeAttribute("title");
    return titles.get(of);
  }

  function hide() {
    clearTimeout(timer);
    if (card) {
      window.MathJax?.typesetClear?.([card]);
      card.remove();
      link.removeAttribute("aria-describedby");
    }
    card = link = undefined;
  }

  /** Below the first line of the link, or above where there is no room, inside the window. */
  function place() {
    const [line] = link.getClientRects();
    const { width, height } = card.getBoundingClientRect();
    const below = line.bottom + 6;
    const room = document.documentElement.clientWidth - width - 8;
    card.style.left = `${Math.max(8, Math.min(line.left, room))}px`;
    card.style.top = `${below + height < innerHeight ? below : Math.max(8, line.top - height - 6)}px`;
  }

  async function show(of) {
    if (link === of) return;
    hide();
    link = of;
    const said = await meaning(of);
    if (!said || link !== of || card) return; // left meanwhile, or left and asked for anew
    card = document.createElement("div");
    card.className = "vc-card";
    card.id = "vc-card";
    card.popover = "manual"; // over all else; where browsers have none, it is the last of the page
    const [text, more] = [document.createElement("p"), document.createElement("a")];
    text.textContent = said;
    more.href = of.href;
    more.tabIndex = -1; // for the keyboard the word itself is the link
    more.textContent = of.matches(".bibtex-citation a") ? "References" : "Glossary";
    card.append(text, more);
    document.body.append(card);
    card.showPopover?.();
    of.setAttribute("aria-describedby", card.id);
    place();
    if (said.includes("\\(") && window.MathJax?.typesetPromise) {
      await MathJax.typesetPromise([text]);
      if (link === of) place();
    }
  }

  const later = (step) => {
    clearTimeout(timer);
    timer = setTimeout(step, REST);
  };
  const carded = (target) => target.closest?.(CARDED);

  addEventListener("pointerdown", ({ pointerType }) => (finger = pointerType === "touch"), true);
  document.addEventListener("pointerover", ({ target, pointerType }) => {
    if (pointerType === "touch") return;
    if (carded(target)) later(() => show(carded(target)));
    else if (card?.contains(target)) clearTimeout(timer);
    else if (link && document.activeElement !== link) later(hide);
    else if (!link) clearTimeout(timer);
  });
  document.addEventListener("focusin", ({ target }) => {
    if (carded(target) && target.matches(":focus-visible") && !finger) show(target);
    else if (!card?.contains(target) && !finger) hide();
  });
  document.addEventListener("click", (event) => {
    const of = carded(event.target);
    if (of && finger && link !== of) {
      event.preventDefault();
      show(of);
    } else if (!card?.contains(event.target)) hide();
  });
  addEventListener("keydown", ({ key }) => {
    finger = false;
    if (key === "Escape") hide();
  });
  addEventListener("scroll", () => {
    if (!card) return;
    const { bottom, top } = link.getBoundingClientRect();
    if (bottom < 0 || top > innerHeight) hide();
    else place(); // the keyboard brings a word into sight
  }, { passive: true, capture: true });
  addEventListener("pagehide", hide);
})();
