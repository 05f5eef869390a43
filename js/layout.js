/**
 * What codes the blocks of a container if nothing is said, and how long they are: the same
 * choices as in Python.
 *
 * SPDX-License-Identifier: MIT
 */
import * as elements from "./elements.js";
import { ModelError, SymbolError } from "./errors.js";
import { BLOCK_BYTES_MAX } from "./memory.js";

/** Bytes of a block without a model: of the fast coder, and of mixed contexts up to a level. */
const BYTES_BLOCK = 1 << 20;
const MIXING_LEVEL_MIN = 3;
const MIXING_SHORT_LEVEL = 4;
const MIXING_SHORT_BLOCK = 1 << 22;
/** Steps of a block under a model, in each of which the first pay for the start. */
const MODEL_STEPS = 1 << 16;
/** Elements of a block of a signal, unless these were fewer steps; and channels at most. */
const SIGNAL_BLOCK = 1 << 18;
const SIGNAL_STEPS = 1 << 13;
const CHANNELS_MAX = 64;
/** Bytes of a block of floats that are coded by their bytes. */
const FLOAT_BLOCK = 1 << 21;
/** Elements of a block of a grid, below a level; frames of several axes, in periods. */
const GRID_BLOCK = 1 << 22;
const GRID_LARGE_LEVEL = 8;
const GRID_PERIODS = 4;
/** What is a grid by its shape: rows and columns, and values of a pixel. */
const SIDE_MIN = 8;
const SIDE_MAX = 1 << 18;
const BANDS_MAX = 4;
/** What is tried as a grid and as a series. */
const SAMPLE_MIN = 1 << 13;
const SAMPLE_MAX = 1 << 16;
const SAMPLE_ROWS = 16;

/**
 * How elements are coded and cut: `channels` of signals or 0, a `grid` or none, the `width`
 * that no block divides, and the `size` of blocks.
 */
export function planOf(core, content, { level, model, channels, blockSize }) {
  const { element, array } = content;
  const itemsize = array.BYTES_PER_ELEMENT;
  const most = BLOCK_BYTES_MAX / itemsize;
  const plan = { channels: 0, grid: undefined, width: 1, size: 0 };
  if (model) Object.assign(plan, { width: model.width, size: model.width * MODEL_STEPS });
  else if (!elements.nameOf(element)) plan.size = bytesBlock(level);
  else if (channels !== undefined) Object.assign(plan, asChannels(channels, content));
  else Object.assign(plan, byDefault(core, content, level));
  if (plan.width > most) {
    throw new SymbolError(
      `${plan.width} elements that belong together take ${plan.width * itemsize} bytes, and a ` +
        `block at most ${BLOCK_BYTES_MAX}: compress the array as a series, with channels: 1`,
    );
  }
  if (blockSize !== undefined) {
    if (!Number.isInteger(blockSize) || blockSize < 1 || blockSize > most) {
      throw new ModelError(`blockSize must be an integer from 1 to ${most}, not ${blockSize}`);
    }
    plan.size = blockSize;
  }
  const steps = Math.floor(Math.min(plan.size, most) / plan.width);
  plan.size = Math.max(steps, 1) * plan.width;
  return plan;
}

function bytesBlock(level) {
  if (level < MIXING_LEVEL_MIN) return BYTES_BLOCK;
  return level <= MIXING_SHORT_LEVEL ? MIXING_SHORT_BLOCK : BLOCK_BYTES_MAX;
}

/** Elements of so many channels, or by their bytes. */
function asChannels(channels, { element, array, shape, axis }) {
  const itemsize = array.BYTES_PER_ELEMENT;
  if (!Number.isInteger(channels) || channels < 0) {
    throw new ModelError(`channels must be an integer from 0, not ${channels}`);
  }
  if (channels > 0) return asSeries(channels);
  const width = axis > 0 ? Math.max(elements.product(shape.slice(1)), 1) : 1;
  return { width, size: (elements.isFloat(element) ? FLOAT_BLOCK : BYTES_BLOCK) / itemsize };
}

function asSeries(channels) {
  const steps = Math.max(Math.floor(SIGNAL_BLOCK / channels), SIGNAL_STEPS);
  return { channels, width: channels, size: steps * channels };
}

/** What codes an array of which only its type and shape are known. */
function byDefault(core, content, level) {
  const { element, array, shape, axis } = content;
  if (axis !== undefined) return asSeries(Math.max(elements.product(shape.slice(1)), 1));
  if (elements.isWeight(element)) return asChannels(0, content);
  const layout = shape.length < 2 ? undefined : layoutOf(shape);
  const isGrid = layout && isGridBy(shape, layout);
  if (isGrid && !(array.length > 0 && isShorterAsSeries(core, element, array, shape))) {
    return asGrid(layout, array.BYTES_PER_ELEMENT, level);
  }
  const columns = shape.length === 2 && shape[1] <= CHANNELS_MAX;
  return asSeries(columns ? Math.max(shape[1], 1) : 1);
}

/** Frames, rows, columns and bands by a shape: the last of three axes is of bands if short. */
function layoutOf(shape) {
  const hasBands = shape.length > 2 && shape.at(-1) <= BANDS_MAX;
  const bands = hasBands ? shape.at(-1) : 1;
  const at = shape.length - (hasBands ? 3 : 2);
  return { frames: shape.slice(0, at), rows: shape[at], columns: shape[at + 1], bands };
}

function isGridBy(shape, { rows, columns }) {
  if (shape.length === 2 && shape[1] <= CHANNELS_MAX) return false;
  return rows >= SIDE_MIN && columns >= SIDE_MIN && columns <= SIDE_MAX;
}

/** Blocks of whole frames, or of a frame's rows where it is the only one, or too long. */
function asGrid({ frames, rows, columns, bands }, itemsize, level) {
  const most = Math.floor(BLOCK_BYTES_MAX / itemsize);
  const block = level < GRID_LARGE_LEVEL ? GRID_BLOCK : most;
  const n = elements.product(frames);
  const last = frames.at(-1) ?? 1;
  const period = last > 1 && elements.product(frames.slice(0, -1)) > 1 ? last : 0;
  const row = Math.max(columns * bands, 1);
  const frame = rows * row;
  const grid = { rows, columns, bands, period };
  if (n > 1 && frame <= most) {
    return { grid, width: frame, size: framesOf({ n, frame, period, block, most }) * frame };
  }
  let parts = Math.ceil(rows / Math.max(Math.floor(block / row), 1));
  if (n > 1) {
    for (let k = parts; k < 2 * parts; k++) {
      if (rows % k !== 0) continue;
      parts = k;
      break;
    }
  }
  return { grid, width: row, size: Math.ceil(rows / parts) * row };
}

/** Frames of a block, of which all blocks have about as many. */
function framesOf({ n, frame, period, block, most }) {
  let frames = Math.max(Math.floor(block / frame), GRID_PERIODS * period);
  frames = Math.max(Math.min(frames, Math.floor(most / frame)), 1);
  frames = Math.ceil(n / Math.ceil(n / frames));
  if (period === 0 || frames <= period) return frames;
  return Math.min(Math.ceil(frames / period), Math.floor(most / frame / period)) * period;
}

/** Whether a sample is shorter one after the other, by more than it may err. */
function isShorterAsSeries(core, element, array, shape) {
  const { sample, grid } = sampleOf(array, shape);
  const type = elements.isFloat(element) ? element : elements.integerOf(element);
  return core.scope(({ take, put, struct }) => {
    const n = sample.length;
    const data = put(sample);
    const lies = struct("bbans_grid");
    for (const [name, value] of Object.entries(grid)) core.set(lies, `bbans_grid.${name}`, value);
    const count = take(4);
    const coded = (family, geometry, counted) => {
      const size = core.sizeOf(`${family}_encoder_bytes`, type, ...geometry, ...counted, 1);
      const cap = core.sizeOf(`${family}_bound`, type, n);
      const to = take(cap);
      const work = take(size);
      const before = family === "signal" ? [0, data, n, 1] : [...geometry, data, n];
      core.call(`${family}_compress`, type, ...before, 1, to, cap, count, work, size);
      return core.number(count);
    };
    const [series, gridded] = elements.isFloat(element)
      ? [coded("float", [1, 0], [n]), coded("float", [0, lies], [n])]
      : [coded("signal", [], [n, 1]), coded("grid", [lies], [n])];
    return 20 * series < 19 * gridded;
  });
}

/** Some frames, or rows, from the middle of an array, and the grid that they are. */
function sampleOf(array, shape) {
  const { frames, rows, columns, bands } = layoutOf(shape);
  const size = Math.min(Math.max(Math.floor(array.length / 8), SAMPLE_MIN), SAMPLE_MAX);
  let part = array;
  for (const length of frames) {
    const each = part.length / length;
    const n = Math.min(Math.max(Math.floor((size * length) / part.length), 1), length);
    const start = Math.floor((length - n) / 2) * each;
    part = part.subarray(start, start + n * each);
    if (n > 1) return { sample: part, grid: { rows, columns, bands } };
  }
  const row = columns * bands;
  const taken = Math.min(Math.max(Math.floor(size / row), SAMPLE_ROWS), rows);
  const wide = Math.min(Math.max(Math.floor(size / (taken * bands)), 1), columns);
  const first = Math.floor((rows - taken) / 2);
  const sample = new part.constructor(taken * wide * bands);
  for (let k = 0; k < taken; k++) {
    const at = (first + k) * row;
    sample.set(part.subarray(at, at + wide * bands), k * wide * bands);
  }
  return { sample, grid: { rows: taken, columns: wide, bands } };
}
