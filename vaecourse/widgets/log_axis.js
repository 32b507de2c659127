// An axis of logarithms, after geometry.js: for those explorers that need one.

/** A scale of logarithms, as linearAxis of numbers, with a tick at each power of ten. */
export function logAxis(low, high) {
  const [from, to] = [Math.log10(low), Math.log10(high)], ticks = [];
  for (let k = Math.ceil(from - 1e-9); k <= to + 1e-9; k++) ticks.push([10 ** k, k < 0 ? short(10 ** k) : count(10 ** k)]);
  return { low, high, ticks, to: (v) => (Math.log10(v) - from) / (to - from), from: (t) => 10 ** (from + t * (to - from)) };
}
