/* The search: sections ranked by how rare the words of the query are and where they stand, in
 * both spellings and with the field's other names. Everything it reads lies in sections.js. */
(function () {
  "use strict";

  // Names of one thing. A query with one of them asks, more softly, for the others in its place.
  const NAMES = [
    ["elbo", "evidence lower bound", "variational bound", "variational lower bound", "nelbo"],
    ["free energy", "elbo"],
    ["vae", "variational autoencoder"],
    ["kl", "kld", "kullback leibler", "divergence"],
    ["em", "expectation maximization"],
    ["reparameterization", "reparametrization", "pathwise"],
    ["score function", "reinforce", "log derivative"],
    ["iwae", "importance weighted"],
    ["fid", "frechet distance", "frechet inception distance"],
    ["gmm", "mixture of gaussians", "gaussian mixture"],
    ["vq", "vector quantized"],
    ["posterior collapse", "latent is ignored"],
    ["amortized", "encoder", "recognition model"],
    ["pca", "principal component"],
    ["annealing", "warm up"],
    ["missing data", "missing pixels", "missing values", "imputation"],
  ];

  // Words of a query that say nothing beside others.
  const EMPTY = new Set(["a", "an", "the", "is", "are", "do", "does", "what", "how", "why", "trick"]);

  /** Letters alone, small, without accents, in one spelling, without the ends of words. */
  const tidy = (text) =>
    text
      .normalize("NFD")
      .replace(/[\u0300-\u036f]/g, "")
      .toLowerCase()
      .replace(/β/g, " beta ")
      .replace(/[-–—_/‖|]/g, " ")
      .replace(/metri[sz]/g, "meteriz")
      .replace(/is(ation|e|ed|es|ing)\b/g, "iz$1")
      .replace(/our\b/g, "or");
  const stem = (word) => (word.length > 4 ? word.replace(/(ations?|ing|ed|es|s|e)$/, "") : word);
  const split = (text) => (tidy(text).match(/[\p{L}\p{N}]+/gu) || []).map(stem);

  /** The words that say something; all of them, where none does. */
  function full(words) {
    const said = words.filter((word) => !EMPTY.has(word));
    return said.length ? said : words;
  }

  const sections = window.SECTIONS.map(([address, page, title, text]) => {
    const counts = new Map();
    const all = split(text);
    for (const word of all) counts.set(word, (counts.get(word) || 0) + 1);
    const phrase = (part) => ` ${part.join(" ")} `;
    const inTitle = split(title);
    return { address, page, title, text, counts, length: all.length,
      words: phrase(all), title_: phrase(inTitle), page_: phrase(split(`${page} ${address.split("#")[0]}`)) };
  });
  const average = sections.reduce((sum, { length }) => sum + length, 0) / sections.length;

  function rarity(word) {
    const holding = sections.filter(({ counts, title_ }) =>
      counts.has(word) || title_.includes(` ${word} `)).length;
    return Math.log(1 + sections.length / Math.max(holding, 1));
  }

  const ENOUGH = 0.5; // of the words, weighed by how rare they are; a section without is no answer

  /** How well a section answers the words (BM25), and how much more if they stand together. */
  function score(section, words, rarities) {
    let [sum, present] = [0, 0];
    const whole = ` ${words.join(" ")} `;
    for (const [place, word] of words.entries()) {
      const count = section.counts.get(word) || 0;
      const found = section.title_.includes(` ${word} `) || section.page_.includes(` ${word} `);
      if (!count && !found) continue;
      present += rarities[place];
      const length = 0.25 + (0.75 * section.length) / average;
      sum += (rarities[place] * 2.2 * count) / (count + 1.2 * length);
      if (section.title_.includes(` ${word} `)) sum += 2 * rarities[place];
    }
    const share = present / rarities.reduce((all, one) => all + one, 0);
    if (share < ENOUGH) return 0;
    sum *= share ** 4; // a section with all the words goes before those that lack one
    if (words.length > 1) {
      const together = section.words.split(whole).length - 1;
      sum += (3 * together) / (together + 1) * Math.max(...rarities);
    }
    if (section.title_.includes(whole)) sum += 4;
    if (section.title_ === whole) sum += 4;
    if (section.page_.includes(whole)) sum += 12; // a page that is named for it
    return section.address.startsWith("chapters/") ? sum * 1.6 : sum;
  }

  function find(query) {
    const all = split(query);
    const words = full(all);
    if (!words.length) return [];
    const asked = [[words, 1]];
    const whole = ` ${words.join(" ")} `;
    for (const names of NAMES) {
      const said = names.map((name) => ` ${full(split(name)).join(" ")} `);
      const longest = said.filter((name) => whole.includes(name)).sort((a, b) => b.length - a.length)[0];
      for (const name of said)
        if (longest && name !== longest) asked.push([whole.replace(longest, name).trim().split(" "), 0.7]);
    }
    const scores = new Map();
    for (const [parts, weight] of asked) {
      const rarities = parts.map(rarity);
      for (const section of sections) {
        const worth = weight * score(section, parts, rarities);
        if (worth) scores.set(section, (scores.get(section) || 0) + worth);
      }
    }
    return [...scores].sort((a, b) => b[1] - a[1]).map(([section]) => [section, asked]);
  }

  /** Some two hundred letters of a section around the first of the words, which are marked: those
   * of the query, where it has them together, or any of them, or else its other names. */
  function snippet({ text }, asked) {
    const pieces = text.split(/([\p{L}\p{N}]+)/u);
    const said = pieces.map((piece) => split(piece));
    const own = asked[0][0];
    const has = (words) => said.map((here) => here.some((word) => words.includes(word)));
    const hits = has(asked.flatMap(([words]) => words));
    const mine = has(own);
    const together = mine.findIndex((hit, place) =>
      hit && own.every((word) => said.slice(place, place + 2 * own.length + 4).flat().includes(word)));
    const start = [together, mine.indexOf(true), hits.indexOf(true)].find((place) => place >= 0) ?? 0;
    const first = Math.max(0, start - 24);
    const line = document.createElement("p");
    if (first) line.append("… ");
    for (let place = first; place < Math.min(pieces.length, first + 76); place++) {
      const part = document.createElement(hits[place] ? "mark" : "span");
      part.textContent = pieces[place];
      line.append(hits[place] ? part : pieces[place]);
    }
    if (first + 76 < pieces.length) line.append(" …");
    return line;
  }

  function show(query) {
    const results = document.getElementById("search-results");
    const found = find(query).slice(0, 40);
    const heading = document.createElement("p"); // the theme hides a heading here
    heading.textContent = found.length ? "What the course says" : `Nothing on “${query}”`;
    const list = document.createElement("ul");
    list.className = "search";
    for (const [section, asked] of found) {
      const link = document.createElement("a");
      link.href = section.address;
      link.textContent =
        section.title === section.page ? section.page : `${section.page} › ${section.title}`;
      const item = document.createElement("li");
      item.append(link, snippet(section, asked));
      list.append(item);
    }
    results.replaceChildren(heading, list);
  }

  const query = new URLSearchParams(location.search).get("q") || "";
  for (const field of document.querySelectorAll("input[name=q]")) field.value = query;
  if (query.trim()) show(query);
})();
