/**
 * What is known of single symbols: the bits that each takes, and the states they are from.
 *
 * SPDX-License-Identifier: MIT
 */
import { bytesOf } from "./core.js";
import { ModelError } from "./errors.js";
import { Model } from "./models.js";

const BIT = 65536; // BBANS_COST_BIT
const MIXING_LEVELS = [3, 9];
const LINE_FIND = -1; // as containers do
const MIXING_BLOCK = (level) => (level <= 4 ? 1 << 22 : 1 << 24);

/** Costs in memory as bits. */
function bitsAt(core, at, n) {
  const words = core.view(Uint32Array, at, 2 * n);
  const bits = new Float64Array(n);
  for (let i = 0; i < n; i++) bits[i] = (words[2 * i] + 2 ** 32 * words[2 * i + 1]) / BIT;
  return bits;
}

/** The array that C reads; of a model of UTF-8 its bytes are taken too, wherever they end. */
function observations(model, data) {
  if (model.isUtf8 && typeof data !== "string") return Uint32Array.from(bytesOf(data));
  return model.observations(data);
}

/** The bits of each symbol: see bbans.d.ts. */
export function costs(core, data, { model, level = 5 } = {}) {
  if (model) return modelCosts(core, Model.checked(core, model), data);
  if (!Number.isInteger(level) || level < MIXING_LEVELS[0] || level > MIXING_LEVELS[1]) {
    const levels = MIXING_LEVELS.join(" to ");
    throw new ModelError(`level must be from ${levels}, not ${level}: others have no bits by byte`);
  }
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : bytesOf(data);
  const bits = new Float64Array(bytes.length);
  const size = MIXING_BLOCK(level);
  for (let start = 0; start < bytes.length; start += size) {
    const block = bytes.subarray(start, start + size);
    core.scope(({ take, put }) => {
      const n = block.length;
      const cost = take(8 * n);
      const room = core.sizeOf("mixing_encoder_bytes", n, level);
      const work = take(room);
      core.call("mixing_costs", put(block), n, level, LINE_FIND, cost, work, room);
      bits.set(bitsAt(core, cost, n), start);
    });
  }
  return bits;
}

function modelCosts(core, model, data) {
  if (["VAE", "DeepSSM"].includes(model.type) && model.mode !== "predictive") {
    throw new ModelError(`a ${model.type} has no exact chances of single symbols, in this mode`);
  }
  const x = observations(model, data);
  const n = x.byteLength / core.get(model.space, "bbans_state_space.observation_bytes");
  return core.scope(({ take, put }) => {
    const cost = take(8 * n);
    const size = core.sizeOf("sequence_costs_bytes", model.space);
    const work = take(size);
    core.call("sequence_costs", model.space, put(x), n, cost, work, size);
    return bitsAt(core, cost, n);
  });
}

/**
 * The chances of states, given all symbols: see bbans.d.ts. Forward by the integers of the
 * coder, backward in floats:
 *
 *     P(z_t | x_1 .. x_T) = w_t(z_t) sum_j A(z_t, j) P(z_t+1 = j | x_1 .. x_T) / p_t+1(j)
 *
 * with w_t = P(z_t | x_1 .. x_t) and p_t+1 = w_t A.
 */
export function posterior(core, data, model, { from = 0, to = Infinity } = {}) {
  if (model.check().type !== "HMM") {
    throw new ModelError(`only an HMM has a posterior over states here, not a ${model.type}`);
  }
  const x = observations(model, data);
  const n = x.length;
  for (const place of [from, to]) {
    if (!(place >= 0) || !(Number.isInteger(place) || place === Infinity)) {
      throw new ModelError(`from and to must be integers, none negative, not ${place}`);
    }
  }
  const [start, end] = [Math.min(from, n), Math.min(to, n)];
  const member = (name) => core.get(model.space, `bbans_hmm.${name}`);
  const [states, stride] = [member("states"), member("stride")];
  return core.scope(({ take, put }) => {
    const predicted = put(core.view(Uint32Array, member("initial"), stride).slice());
    const filtered = take(4 * stride * n);
    core.call("hmm_filter", model.space, predicted, put(x), n, filtered);
    const weights = core.view(Uint32Array, filtered, stride * n);
    const into = core.view(Uint32Array, member("into"), stride * states);
    const chances = new Float32Array(Math.max(end - start, 0) * states);
    const now = new Float64Array(states);
    const ahead = new Float64Array(states);
    for (let t = n - 1; t >= start; t--) {
      const w = weights.subarray(t * stride, t * stride + states);
      if (t === n - 1) now.set(w);
      else backward(w, into, stride, ahead, now);
      let sum = 0;
      for (let i = 0; i < states; i++) sum += now[i];
      for (let i = 0; i < states; i++) ahead[i] = now[i] / sum;
      if (t < end) chances.set(ahead, (t - start) * states);
    }
    return { states, chances };
  });
}

/** now = w_t(i) sum_j A(i, j) ahead(j) / (w_t A)(j), of any scale. */
function backward(w, into, stride, ahead, now) {
  const states = w.length;
  now.fill(0);
  for (let j = 0; j < states; j++) {
    const row = j * stride;
    let sum = 0;
    for (let i = 0; i < states; i++) sum += w[i] * into[row + i];
    const ratio = ahead[j] / sum;
    for (let i = 0; i < states; i++) now[i] += into[row + i] * ratio;
  }
  for (let i = 0; i < states; i++) now[i] *= w[i];
}
