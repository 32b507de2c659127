// A plot of one Gaussian to move by hand, after geometry.js: for the ELBO and the KL explorer.

/** q = N(mean, sd²) over an axis, drawn and moved by hand: a disc for its mean, a lozenge for its width. */
export class NormalPlot extends Plot {
  constructor(figure, stage, { widths, ...plot }) {
    super(figure, stage, plot);
    this.widths = widths;
    const q = (k) => figure.state.q[k];
    this.handle({
      label: "Mean of q",
      at: () => [q(0), 0],
      drag: (u) => this.move(u),
      nudge: (right, up) => this.move(q(0) + 0.05 * (right + up), 0.05),
      range: () => [q(0), this.x.low, this.x.high],
      text: () => number(q(0)),
    });
    this.handle({
      label: "Standard deviation of q",
      at: () => this.shoulder,
      drag: (u) => this.widen(Math.abs(u - q(0))),
      nudge: (right, up) => this.widen(q(1) + 0.05 * (right * this.side + up), 0.05),
      range: () => [q(1), ...this.widths],
      text: () => number(q(1)),
    });
  }

  /** The side of q on which its second handle is: the right one, unless that is off the picture. */
  get side() {
    const [m, s] = this.figure.state.q;
    return m + s <= this.x.high ? 1 : -1;
  }
  get shoulder() {
    const [m, s] = this.figure.state.q;
    return [m + this.side * s, normalDensity(s, 0, s)];
  }
  get admits() {
    return each(within(this.x.low, this.x.high), within(...this.widths));
  }

  /** To the nearest hundredth, so that what is read is what is computed; keys go by twentieths. */
  move(m, grain = 0.01) {
    this.figure.set({ q: [clamp(round(m, grain), this.x.low, this.x.high), this.figure.state.q[1]] });
  }
  widen(s, grain = 0.01) {
    this.figure.set({ q: [this.figure.state.q[0], clamp(round(s, grain), ...this.widths)] });
  }

  /** Mean and width, held together. */
  knobs(c) {
    const { ink, state: { q: [m] } } = this.figure, [u, v] = this.shoulder;
    c.beginPath();
    c.moveTo(this.px(m), this.height);
    c.lineTo(this.px(m), this.py(v));
    c.lineTo(this.px(u), this.py(v));
    this.stroke(c, ink.inference, 1, [2, 3]);
    this.knob(c, [u, v], ink.inference, 4);
    this.knob(c, [m, 0], ink.inference);
  }
}
