"""Training steps a second in the page, beside TensorFlow.js with the same step in that browser.

    .venv/bin/python benchmarks/playground.py [FOLDER]

FOLDER is where `npm install @tensorflow/tfjs` was run; without it only the course is measured. A
step is a minibatch, the gradients of the bound with one draw of z for each row, and Adam. The
processes share the machine with whatever else runs: read the load beside the numbers.
"""

import os
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from vaecourse.widgets import Playground

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "_ext"), str(ROOT / "tests")]
from browser import FLAGS, find_chromium  # noqa: E402
from widget_page import script  # noqa: E402

SECONDS = 3
CASES = [  # data and hidden widths, likelihood, batch
    ((2, [32, 32], "from_z"), 64),
    ((2, [64, 64], "from_z"), 32),
    ((2, [128, 128], "from_z"), 32),
    ((64, [64, 64], "bernoulli"), 64),
    ((784, [128], "bernoulli"), 32),
]

OURS = """
const uniform = js.makeUniform(1), normal = js.makeNormal(2);
const model = new js.Model({ ...arg.shape, J: 2, full: false }, uniform), { batch } = arg;
const { D, noise } = arg.shape, value = noise === "bernoulli" ? () => +(uniform() > 0.8) : normal;
const x = Float64Array.from({ length: batch * D }, value), eps = new Float64Array(2 * batch);
const step = () => {
  for (let k = 0; k < eps.length; k++) eps[k] = normal();
  model.backward(x, eps, batch, 1);
  model.adam(1e-3);
};
"""

THEIRS = """
await tf.setBackend("cpu");
const { shape: { D, hidden, noise }, batch } = arg, J = 2;
const network = (sizes) => sizes.slice(1).map((n, k) =>
  [tf.variable(tf.randomUniform([sizes[k], n], -0.1, 0.1)), tf.variable(tf.zeros([n]))]);
const outputs = noise === "bernoulli" ? D : 2 * D;
const encoder = network([D, ...hidden, 2 * J]);
const decoder = network([J, ...hidden.slice().reverse(), outputs]);
const run = (layers, h) => layers.reduce((h, [w, b], k) => {
  const a = h.matMul(w).add(b);
  return k < layers.length - 1 ? a.relu() : a;
}, h);
const binary = () => tf.randomUniform([batch, D]).greater(0.8).toFloat();
const x = noise === "bernoulli" ? binary() : tf.randomNormal([batch, D]);
const adam = tf.train.adam(1e-3);
const step = () => adam.minimize(() => {
  const [mean, logVar] = run(encoder, x).split(2, 1);
  const z = mean.add(logVar.mul(0.5).exp().mul(tf.randomNormal([batch, J])));
  const out = run(decoder, z);
  let loss;
  if (noise === "bernoulli") loss = out.softplus().sub(x.mul(out)).sum();
  else {
    const [loc, v] = out.split(2, 1);
    loss = x.sub(loc).square().mul(v.neg().exp()).add(v).sum().mul(0.5);
  }
  const kl = logVar.exp().add(mean.square()).sub(1).sub(logVar).sum().mul(0.5);
  return loss.add(kl).div(batch);
});
"""

MEASURE = """
for (let k = 0; k < 20; k++) step();
const start = performance.now();
let steps = 0;
while (performance.now() - start < 1000 * arg.seconds) { step(); steps += 1; }
return (1000 * steps) / (performance.now() - start);
"""


def main(folder=None):
    widget = Playground()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        tab = browser.new_page()
        if folder:
            tab.add_script_tag(
                path=Path(folder) / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.min.js"
            )
        print(f"{browser.version}, load {os.getloadavg()[0]:.1f}; steps a second")
        print(f"{'network':<24}{'batch':>6}{'course':>10}{'TensorFlow.js':>16}")
        for (D, hidden, noise), batch in CASES:
            arg = {"shape": {"D": D, "hidden": hidden, "noise": noise}, "batch": batch}
            arg["seconds"] = SECONDS
            ours = tab.evaluate(script(widget, OURS + MEASURE), arg)
            theirs = tab.evaluate(f"async (arg) => {{ {THEIRS + MEASURE} }}", arg) if folder else 0
            name = "-".join(map(str, [D, *hidden, 2]))
            print(
                f"{name:<24}{batch:>6}{ours:>10,.0f}{theirs or '–':>16{',.0f' if theirs else ''}}"
            )
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:2])
