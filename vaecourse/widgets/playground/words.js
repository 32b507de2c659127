// The words of the playground's table, and of runs whose numbers broke.

export const ROWS = {
  epoch: "epoch",
  done: "steps",
  beta: "β now",
  ceiling: `ceiling, log ${i("p")}*(${i("x")})`,
  model: "gap of the model",
  evidence: `log ${i("p")}(${i("x")})`,
  inference: "gap of inference",
  elbo: "ELBO",
  reconstruction: "reconstruction",
  kl: "KL to the prior",
  loss: "loss, with β now",
};
export const LOWER = "Lower the learning rate", CURES = `${LOWER}, or give x one variance for all z; then start again.`;
const BROKEN = {
  reconstruction: ["The reconstruction is no longer a number: the steps are too long, or a variance went to zero.", CURES],
  KL: ["The KL is no longer a number: the steps are too long.", `${LOWER}, then start again.`],
  bound: ["The bound is no longer a number: the steps are too long, or a variance went to zero.", CURES],
};
const LOWERED = "The learning rate is lower now. Press play: it begins anew.";

/** What is said of a frame whose numbers broke, to a reader who has chosen this learning rate since. */
export function brokenWords({ broken, brokenRate }, rate) {
  const [what, cure] = BROKEN[broken];
  return `${what} ${rate < brokenRate ? LOWERED : cure}`;
}
