/* Predict, then reveal: an admonition of the class "predict" becomes a question to answer. Its list
 * turns into radio buttons; its dropdown, which begins with the number of the right answer in bold,
 * opens once the reader asks for it. Browser storage keeps what was predicted, by page and
 * question; where there is none, it lasts as long as the page does. Without this script the list
 * and the closed dropdown remain. Runs before MathJax, so that formulas are still text. */
(function () {
  "use strict";

  const memory = new Map();

  /** Do something with the storage, which a browser may refuse to pages from disk or to all. */
  function withStorage(use) {
    try {
      return use(window.localStorage);
    } catch {
      return null;
    }
  }

  function recall(key) {
    const text = withStorage((storage) => storage.getItem(key)) ?? memory.get(key);
    try {
      return { choice: null, revealed: false, ...JSON.parse(text ?? "{}") };
    } catch {
      return { choice: null, revealed: false };
    }
  }

  function remember(key, state) {
    memory.set(key, JSON.stringify(state));
    withStorage((storage) => storage.setItem(key, memory.get(key)));
  }

  function forget(key) {
    memory.delete(key);
    withStorage((storage) => storage.removeItem(key));
  }

  const plain = (node) => node.textContent.trim().replace(/\s+/g, " ");

  function element(name, className, text = "") {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = text;
    return made;
  }

  function button(text, onClick) {
    const made = element("button", "predict-button", text);
    made.type = "button";
    made.addEventListener("click", onClick);
    return made;
  }

  /** Put a radio button before each answer, and all of them with the question into a group. */
  function buildGroup(box, list, name) {
    const group = element("fieldset", "predict-group"), question = element("div", "predict-question");
    question.id = `${name}-question`;
    group.setAttribute("aria-labelledby", question.id);
    const title = box.querySelector(".admonition-title");
    while (title.nextSibling !== list) question.append(title.nextSibling);
    list.before(group);
    group.append(question, list);
    const radios = [...list.children].map((item, k) => {
      const label = element("label", "predict-answer"), text = element("span", "");
      const radio = element("input", "");
      // what was chosen is remembered here, not by what browsers restore in forms
      Object.assign(radio, { type: "radio", name, value: String(k + 1), autocomplete: "off" });
      for (const part of [...item.childNodes]) text.append(...(part.nodeName === "P" ? part.childNodes : [part]));
      label.append(radio, text, element("span", "predict-mark"));
      item.replaceChildren(label);
      return radio;
    });
    return { group, radios, text: plain(question) };
  }

  function ask(box, index) {
    const list = box.querySelector(":scope > ol"), answer = box.querySelector(":scope > details");
    const right = answer && parseInt(answer.querySelector("strong")?.textContent, 10);
    if (!list || !right) return;
    const texts = [...list.children].map(plain);
    const { group, radios, text } = buildGroup(box, list, `predict-${index}`);
    const key = `predict ${location.pathname} ${text}`;
    let state;

    const reveal = button("", () => {
      change({ revealed: true });
      answer.querySelector("summary").focus();
    });
    const again = button("Forget my prediction", () => {
      forget(key);
      show();
      radios[0].focus();
    });
    const verdict = element("p", "predict-verdict");
    verdict.setAttribute("role", "status");
    group.after(reveal, verdict);
    answer.after(again);
    group.addEventListener("change", ({ target }) => change({ choice: texts[target.value - 1] }));

    function change(changes) {
      remember(key, { ...state, ...changes });
      show();
    }

    /** Bring the page in line with what is remembered. */
    function show() {
      state = recall(key);
      const chosen = texts.indexOf(state.choice) + 1, { revealed } = state;
      box.classList.toggle("predict-waiting", !revealed);
      reveal.textContent = chosen ? "Reveal the answer" : "Reveal without predicting";
      reveal.hidden = revealed;
      again.hidden = !revealed;
      answer.open = revealed;
      radios.forEach((radio, k) => {
        radio.checked = k + 1 === chosen;
        radio.disabled = revealed;
        const marks = [k + 1 === right && "the answer", k + 1 === chosen && "your prediction"];
        const label = radio.parentElement;
        label.lastChild.textContent = revealed ? marks.filter(Boolean).join(", ") : "";
        label.classList.toggle("predict-right", revealed && k + 1 === right);
        label.classList.toggle("predict-wrong", revealed && k + 1 === chosen && chosen !== right);
      });
      if (!revealed) verdict.textContent = "";
      else if (!chosen) verdict.textContent = `The answer is ${right}.`;
      else verdict.textContent = chosen === right
        ? `You predicted ${chosen}, and so it is.` : `You predicted ${chosen}; the answer is ${right}.`;
    }

    show();
  }

  document.querySelectorAll(".admonition.predict").forEach(ask);
})();
