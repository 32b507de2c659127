// What the widgets that run networks share: arrays from bytes, and layers from arrays. Python puts
// this text before a widget's own.

// ---------------------------------------------------------------- reading the arrays

const BYTES = { float16: 2, float32: 4, uint8: 1 };

/** float32 values of 16-bit floats given as a Uint16Array. */
export function halfToFloat(halves) {
  const scale = Array.from({ length: 32 }, (_, e) => 2 ** (e - 15));
  return Float32Array.from(halves, (h) => {
    const sign = h & 0x8000 ? -1 : 1, e = (h >> 10) & 31, f = h & 1023;
    if (e === 0) return sign * f * 2 ** -24;
    if (e === 31) return f ? NaN : sign * Infinity;
    return sign * (1 + f / 1024) * scale[e];
  });
}

/** The arrays that Python's `pack` put into one deflated block; the table names them in order. */
export async function unpack(view, table) {
  const stream = new Blob([view]).stream().pipeThrough(new DecompressionStream("deflate"));
  const data = new Uint8Array(await new Response(stream).arrayBuffer());
  const arrays = {};
  let start = 0;
  for (const [name, dtype, shape] of table) {
    const count = shape.reduce((a, b) => a * b, 1), size = BYTES[dtype];
    const bytes = new Uint8Array(count * size);
    for (let b = 0; b < size; b++)
      for (let i = 0; i < count; i++) bytes[i * size + b] = data[start + b * count + i];
    start += count * size;
    if (dtype === "float16") arrays[name] = halfToFloat(new Uint16Array(bytes.buffer));
    else arrays[name] = dtype === "float32" ? new Float32Array(bytes.buffer) : bytes;
  }
  return arrays;
}

// ---------------------------------------------------------------- networks

export const sigmoid = (a) => 1 / (1 + Math.exp(-a));
export const softplus = (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));

const ACTIVATIONS = {
  linear: (a) => a, relu: (a) => (a > 0 ? a : 0), tanh: Math.tanh, softplus, sigmoid,
};

/** A network, inputs -> outputs. It writes into buffers of its own: copy what you keep. */
export function makeNetwork(layers, weights) {
  let start = 0;
  const steps = layers.map(([inputs, outputs, name]) => {
    // by columns: those whose input is zero, half of them after a relu, cost nothing
    const columns = weights.subarray(start, start + inputs * outputs);
    const bias = weights.subarray(start + inputs * outputs, start + inputs * outputs + outputs);
    start += inputs * outputs + outputs;
    const activation = name === "linear" ? null : ACTIVATIONS[name];
    return { columns, bias, activation, out: new Float32Array(outputs) };
  });
  return (inputs) => {
    let h = inputs;
    for (const { columns, bias, activation, out } of steps) {
      out.set(bias);
      const n = out.length, active = [];
      for (let c = 0; c < h.length; c++) if (h[c] !== 0) active.push(c);
      // four at a time: one reading and one writing of `out` for four columns
      for (let k = 0; k < active.length; k += 4) {
        const [a, b = a, c = a, d = a] = active.slice(k, k + 4), left = active.length - k;
        const ha = h[a], hb = left > 1 ? h[b] : 0, hc = left > 2 ? h[c] : 0, hd = left > 3 ? h[d] : 0;
        const wa = a * n, wb = b * n, wc = c * n, wd = d * n;
        for (let row = 0; row < n; row++)
          out[row] += ha * columns[wa + row] + hb * columns[wb + row] + hc * columns[wc + row] + hd * columns[wd + row];
      }
      if (activation) for (let row = 0; row < n; row++) out[row] = activation(out[row]);
      h = out;
    }
    return h;
  };
}

/** log p(x|logits) of binary pixels, nats. */
export function bernoulliLogLikelihood(x, logits) {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * logits[i] - softplus(logits[i]);
  return sum;
}
