// The words of the playground's table, and of runs that went wrong.

export const stepsText = (n) => `${count(n)} step${n === 1 ? "" : "s"}`;

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
const SAFE = 0.1; // at larger rates no run goes well
/** Of a run at this learning rate that went wrong. */
export const cure = (rate) => `Lower the learning rate${rate > SAFE ? ` to ${SAFE} or less` : ""}, then start again.`;
export const WORSE = "The reconstruction is worse than before training: the steps are too long.";
const BROKEN = {
  reconstruction: "The reconstruction is no longer a number: the steps are too long, or a variance went to zero.",
  KL: "The KL is no longer a number: the steps are too long.",
  bound: "The bound is no longer a number: the steps are too long, or a variance went to zero.",
};
const LOWERED = "The learning rate is lower now. Press play: it begins anew.";

/** What is said of a frame whose numbers broke, to a reader who has chosen this learning rate since. */
export function brokenWords({ broken, brokenRate }, rate) {
  return `${BROKEN[broken]} ${rate < brokenRate && rate <= SAFE ? LOWERED : cure(rate)}`;
}
