/* Paper, for the browser's own print and for `make pdf`: answers and solutions stand at the end, what
 * is folded is open, and the code of plots is left out. After printing the page is as it was. */
(function () {
  "use strict";

  const article = document.querySelector(".bd-article");
  if (!article) return;
  let undo = null; // while the page is arranged for paper: what puts it back

  // course.css leaves their code out
  for (const cell of article.querySelectorAll(".cell.tag_hide-input"))
    if (/plt\.|\bax\./.test(cell.querySelector(".cell_input")?.textContent)) cell.classList.add("draws");

  function move(part, end) {
    const place = document.createComment("");
    part.replaceWith(place);
    end.append(part);
    undo.push(() => place.replaceWith(part));
  }

  /** Answers and solutions in one section, each under the name of its question. */
  function atTheEnd() {
    const end = document.createElement("section");
    end.className = "at-the-end";
    let told = "";
    const add = (part, name) => { // a solution says itself whose it is, and its code follows it
      if (name && name !== told && !end.lastChild?.matches(".solution")) {
        const line = document.createElement("p");
        line.append(Object.assign(document.createElement("strong"), { textContent: name }));
        end.append(line);
      }
      told = name;
      move(part, end);
    };
    article.querySelectorAll(".predict details").forEach((answer, k) => {
      const title = answer.closest(".predict").querySelector(".admonition-title");
      const number = document.createTextNode(` (${k + 1})`);
      title.append(number);
      undo.push(() => number.remove());
      add(answer, title.textContent.trim());
    });
    for (const exercise of article.querySelectorAll(".exercise")) {
      const name = exercise.querySelector(".admonition-title").textContent.trim().replace(/\s*#$/, "");
      let next = exercise.nextElementSibling;
      while (next?.matches(".solution, .tag_hide-cell, .admonition.dropdown, details")) {
        const part = next;
        next = part.nextElementSibling;
        add(part, part.matches(".solution") ? "" : `Solution of ${name}`);
      }
    }
    if (!end.childNodes.length) return;
    const title = document.createElement("h2");
    title.textContent = "Answers and solutions";
    end.prepend(title);
    (article.querySelector(":scope > section") || article).append(end);
    undo.push(() => end.remove());
  }

  addEventListener("beforeprint", () => {
    if (undo) return;
    undo = [];
    atTheEnd();
    for (const fold of article.querySelectorAll("details:not([open])")) {
      fold.open = true;
      undo.push(() => (fold.open = false));
    }
    for (const fold of article.querySelectorAll(".toggle-hidden")) {
      fold.classList.remove("toggle-hidden");
      undo.push(() => fold.classList.add("toggle-hidden"));
    }
  });
  addEventListener("afterprint", () => {
    for (const step of (undo ?? []).reverse()) step();
    undo = null;
  });
})();
