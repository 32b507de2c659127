// The playground's chart: the bound, log p(x) where it is known, and the ceiling.

export const RIGHT = 62; // pixels for the names of the lines, beside the plot

/**
 * Of a history, the stretches of moments in which log p(x) is known, the moments through which the
 * bound is drawn, and whether the last stretch is `open`, that is, goes on. In a stretch the bound is
 * drawn at the same moments as log p(x), so that the two compare; elsewhere at all, up to the last
 * look at log p(x), of which the table tells, or to where the numbers broke.
 */
export function linesOf(history) {
  const bound = [], stretches = [];
  let stretch = null, between = [];
  for (const one of history) {
    if (!Number.isFinite(one.elbo)) {
      bound.push(...between);
      between = [];
      stretch = null;
      continue;
    }
    if (one.evidence === undefined) {
      between.push(one);
      continue;
    }
    const known = Number.isFinite(one.evidence) && one.trusted;
    bound.push(...(known && stretch ? [] : between), one);
    between = [];
    if (!known) stretch = null;
    else if (stretch) stretch.push(one);
    else stretches.push((stretch = [one]));
  }
  return { bound, stretches, open: stretch !== null };
}

/** A number for a short place: 5k for 5,000, 2e10 for what is larger still. */
export const brief = (v, text) => {
  if (Math.abs(v) < 1e5 && v && v % 1000 === 0) return `${number(v / 1000, 0)}k`;
  return Math.abs(v) < 1e4 ? text : Number(v.toPrecision(3)).toExponential().replace("e+", "e").replace("-", "−");
};

/** An axis whose numbers the margin holds. */
export function tight(axis) {
  return { ...axis, ticks: axis.ticks.map(([v, text]) => [v, brief(v, text)]) };
}

export function paintChart(plot, { history, ceiling, broken, done }) {
  const { bound, stretches, open } = linesOf(history), { ink } = plot.figure;
  if (!bound.length) return void plot.begin();
  const elbos = history.map(({ elbo }) => elbo).filter(Number.isFinite), last = bound[bound.length - 1];
  const end = broken ? done : last.done;
  const high = Math.max(...elbos, ...stretches.flat().map(({ evidence }) => evidence), ceiling ?? -Infinity);
  const late = elbos.slice(Math.floor(elbos.length / 12)); // a run begins far below
  const low = Math.min(high - 0.5, ...late), room = 0.08 * (high - low);
  plot.x = linearAxis(0, Math.max(1, end), 5);
  plot.y = tight(linearAxis(low - room, high + room, 4));
  const c = plot.begin();
  if (!c) return;
  plot.axes(c, "steps", " ");
  // words before lines, so that they cover none
  const first = bound[0].elbo, base = plot.height - 7; // where no line is but one on its way up or down
  if (first < plot.y.low) {
    const risen = bound[bound.findLastIndex(({ elbo }) => elbo < low) + 1] ?? last;
    plot.say(c, `↑ from ${brief(first, number(first, 1))}`, Math.min(plot.px(risen.done) + 6, plot.width - 84), base, ink.inference, "left");
  }
  if (broken) plot.say(c, `broke at step ${count(done)}`, plot.width - 6, base, ink.gap, "right");
  const names = [["ELBO", last.done, last.elbo, ink.inference]], known = stretches[stretches.length - 1];
  if (ceiling !== null) names.push(["ceiling", end, ceiling, ink.exact]);
  if (known) {
    const { done, evidence } = known[known.length - 1];
    names.push(["log p(x)", open ? last.done : done, evidence, ink.generative]);
  }
  nameLines(c, plot, names);
  c.save();
  plot.clip(c);
  const path = (moments, key) => {
    for (const one of moments) c.lineTo(plot.px(one.done), plot.py(one[key]));
  };
  const area = (moments, upper, lower, alpha) => {
    c.beginPath();
    path(moments, upper);
    path([...moments].reverse(), lower);
    c.closePath();
    c.globalAlpha = alpha;
    c.fillStyle = ink.gap;
    c.fill();
    c.globalAlpha = 1;
  };
  for (const stretch of stretches) {
    area(stretch, "evidence", "elbo", 0.3);
    if (ceiling !== null) area(stretch.map((one) => ({ ...one, ceiling })), "ceiling", "evidence", 0.12);
  }
  if (ceiling !== null) {
    c.beginPath();
    c.moveTo(0, plot.py(ceiling));
    c.lineTo(plot.width, plot.py(ceiling));
    plot.stroke(c, ink.exact, 1.5, [6, 4]);
  }
  for (const stretch of stretches) {
    c.beginPath();
    path(stretch, "evidence");
    plot.stroke(c, ink.generative, 2);
    if (stretch.length === 1) plot.dot(c, plot.px(stretch[0].done), plot.py(stretch[0].evidence), 1.5, ink.generative);
  }
  if (broken) {
    c.beginPath();
    c.moveTo(plot.width - 1, 0);
    c.lineTo(plot.width - 1, plot.height);
    plot.stroke(c, ink.gap, 2, [2, 3]);
  }
  c.beginPath();
  path(bound, "elbo");
  plot.stroke(c, ink.inference, 2);
  c.restore();
}

/** Each line's name where the line ends; those beside the plot apart from one another. */
function nameLines(c, plot, names) {
  const ends = Math.max(...names.map(([, done]) => done)), px = (done) => (done === ends ? plot.width : plot.px(done)) + 6;
  const places = names.map(([text, done, value, colour]) => ({ text, px: px(done), py: plot.py(value), colour }));
  const beside = places.filter(({ px }) => px > plot.width - RIGHT).sort((a, b) => a.py - b.py);
  let above = -Infinity;
  beside.forEach((place, k) => {
    const low = 8 + 17 * k, high = plot.height - 8 - 17 * (beside.length - 1 - k); // room for the others
    place.py = above = clamp(Math.max(place.py, above + 17), low, high);
  });
  for (const place of places) if (!beside.includes(place)) place.py -= 12; // above what goes on
  for (const { text, px, py, colour } of places) plot.say(c, text, px, clamp(py, 8, plot.height - 8), colour, "left");
}
