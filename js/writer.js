/**
 * Containers, block by block: how they are written.
 *
 * SPDX-License-Identifier: MIT
 */
import { bytesOf } from "./core.js";
import * as elements from "./elements.js";
import { ModelError, Status, SymbolError } from "./errors.js";
import { planOf } from "./layout.js";
import { CHUNK, iterated, joined, leave, Owner, Scratch } from "./memory.js";
import { Model } from "./models.js";

const LEVEL_DEFAULT = 5;
const LEVEL_MAX = 9;
const AXES_MAX = 32;
/** Bytes that a header takes at the most; an end record besides its axes and blocks; and a
 * block besides its elements. */
const HEADER_BYTES = 64;
const END_BYTES = 64;
const BLOCK_MORE = 16;
/** Workspace up to which all records of a block are kept, which is fastest. */
const KEPT_BYTES = 1 << 26;

/** A container that is being written. */
class Writer extends Owner {
  #scratch;
  #lengths = [];

  constructor(core, { element, unit = 0, multiplier = 0, axis = 0 }, plan, { level, model }) {
    super(core);
    this.level = level;
    this.model = model;
    this.plan = plan;
    this.#scratch = { work: new Scratch(core), from: new Scratch(core), to: new Scratch(core) };
    this.writer = this.own(core.struct("bbans_writer"));
    this.count = this.own(core.take(4));
    this.content = this.own(core.struct("bbans_content"));
    const { channels, grid } = plan;
    const facts = { element, unit, multiplier, axis, channels };
    for (const [name, value] of Object.entries(grid ?? {})) facts[`grid.${name}`] = value;
    for (const [name, value] of Object.entries(facts)) {
      core.set(this.content, `bbans_content.${name}`, value);
    }
  }

  free() {
    super.free();
    for (const each of Object.values(this.#scratch)) each.free();
  }

  get #model() {
    return this.model ? this.model.check().at : 0;
  }

  /** Look in the first of several blocks for the line that signals lie on. */
  setLine(block) {
    const { core, content } = this;
    core.scope(({ put }) => core.raw("content_set_line", content, put(block), block.length));
  }

  begin() {
    const { core, writer, content, level, count } = this;
    return this.#piece(HEADER_BYTES, (to, cap) =>
      core.raw("writer_begin", writer, this.#model, content, level, to, cap, count),
    );
  }

  /** A block of the elements from number `start` on. */
  block(data, start) {
    const { core, writer, count } = this;
    const from = this.#scratch.from.room(data.byteLength);
    core.bytes.set(bytesOf(data), from);
    const size = this.#workBytes(data.length);
    const work = this.#scratch.work.room(size);
    try {
      const piece = this.#piece(data.byteLength + BLOCK_MORE, (to, cap) =>
        core.raw("writer_block", writer, from, data.length, work, size, to, cap, count),
      );
      this.#lengths.push(piece.length);
      return piece;
    } catch (error) {
      throw error instanceof SymbolError ? this.#blame(data, start, error) : error;
    }
  }

  /** Workspace to keep all records, or where that is much, a few. */
  #workBytes(n) {
    const { core, content, level } = this;
    const args = ["writer_work_bytes", this.#model, content, level, n];
    const all = core.raw(...args, n) >>> 0;
    if (all > 0 && (!this.model || all <= KEPT_BYTES)) return all;
    return core.sizeOf(...args, Math.ceil(Math.sqrt(n)));
  }

  /** Name the element that a model lacks, as the C library does not. */
  #blame(data, start, error) {
    const { model } = this;
    const where = start > 0 ? `in the block at element ${start}: ` : "";
    try {
      if (model?.symbols > 0) model.symbolsOf(data);
    } catch (named) {
      return new SymbolError(where + named.message, error.status);
    }
    return error;
  }

  end(shape) {
    const { core, writer, count } = this;
    const lengths = Uint32Array.from(this.#lengths);
    return core.scope(({ put }) => {
      const axes = put(BigUint64Array.from(shape, BigInt));
      const blocks = put(lengths);
      const most = END_BYTES + 9 * shape.length + 4 * lengths.length;
      return this.#piece(most, (to, cap) =>
        core.raw("writer_end", writer, axes, shape.length, blocks, to, cap, count),
      );
    });
  }

  #piece(cap, write) {
    const { core } = this;
    const to = this.#scratch.to.room(cap);
    const status = write(to, cap);
    if (status !== Status.OK) throw core.error(status);
    return core.bytes.slice(to, to + core.number(this.count));
  }
}

/** Check the options of writing. */
function writing(core, { level = LEVEL_DEFAULT, model, ...others }) {
  if (!Number.isInteger(level) || level < 1 || level > LEVEL_MAX) {
    throw new ModelError(`level must be an integer from 1 to ${LEVEL_MAX}, not ${level}`);
  }
  return { ...others, level, model: model && Model.checked(core, model) };
}

/** Compress text, bytes or an array: see bbans.d.ts. */
export function compress(core, data, options = {}) {
  const settings = writing(core, options);
  const content = contentOf(data, settings);
  const { array, shape = [array.length] } = content;
  const plan = planOf(core, { ...content, shape }, settings);
  checkWidth(array.length, plan, settings.model);
  const writer = new Writer(core, content, plan, settings);
  try {
    if (array.length > plan.size && plan.channels > 0) writer.setLine(array.subarray(0, plan.size));
    const pieces = [writer.begin()];
    for (let at = 0; at < array.length; at += plan.size) {
      pieces.push(writer.block(array.subarray(at, at + plan.size), at));
    }
    pieces.push(writer.end(shape));
    return joined(pieces, Uint8Array);
  } finally {
    writer.free();
  }
}

function checkWidth(n, { width }, model) {
  if (n % width === 0) return;
  const what = model ? "the model's width" : "the elements that belong together";
  throw new SymbolError(`${n} elements are no rows of ${width}, ${what}`);
}

/** Data as an array of elements, with what they are, and their shape in the container. */
function contentOf(data, { dtype, shape, axis, unit, multiplier, model }) {
  const isArray = dtype !== undefined || shape !== undefined;
  if (typeof data === "string") {
    if (isArray) throw new SymbolError("dtype and shape are for arrays, not for text");
    return textContent(data, model);
  }
  if (Array.isArray(data)) {
    throw new SymbolError("data is an Array: make a typed one, as with Int32Array.from(data)");
  }
  if (!isArray && (data instanceof Uint8Array || !isTyped(data))) {
    if (model?.kind === "text") {
      throw new SymbolError("a model of text codes strings: decode the bytes first");
    }
    return { element: elements.BYTES, array: bytesOf(data) };
  }
  const typed = isTyped(data) ? data : bytesOf(data);
  const element = elements.codeOf(typed, dtype);
  if (model && elements.isFloat(element)) {
    throw new SymbolError("a model codes integers: compress floats without one, or round them");
  }
  const Type = elements.typeOf(element);
  const array = new Type(typed.buffer, typed.byteOffset, typed.length);
  return {
    element,
    ...elements.unitOf(element, unit, multiplier),
    ...laidOut(array, shape ?? [array.length], axis),
  };
}

function isTyped(data) {
  return ArrayBuffer.isView(data) && !(data instanceof DataView);
}

function textContent(text, model) {
  const wellFormed = elements.isWellFormed(text);
  if (model?.kind === "integers") throw new SymbolError("text needs a model of text, or of bytes");
  if (model?.kind === "text" && !model.isUtf8) {
    return { element: elements.CHARACTERS, array: elements.codePoints(text) };
  }
  if (wellFormed) return { element: elements.UTF8, array: new TextEncoder().encode(text) };
  if (model) throw new SymbolError("text has a lone surrogate, which UTF-8 lacks");
  return { element: elements.CHARACTERS, array: elements.codePoints(text) };
}

/** An array with the axis of time at the front. */
function laidOut(array, shape, axis) {
  const n = shape.reduce((a, b) => a * b, 1);
  const isShape = shape.every((length) => Number.isInteger(length) && length >= 0);
  if (!isShape || shape.length > AXES_MAX || n !== array.length) {
    throw new SymbolError(`${array.length} elements are no array of shape [${shape}]`);
  }
  if (axis === undefined || axis === 0) return { array, shape, axis };
  if (!Number.isInteger(axis) || axis < 0 || axis >= shape.length) {
    throw new ModelError(`axis must be from 0 to ${shape.length - 1}, not ${axis}`);
  }
  const front = [shape[axis], ...shape.slice(0, axis), ...shape.slice(axis + 1)];
  return { array: elements.toFront(array, shape, axis), shape: front, axis };
}

/** Compress a stream of bytes, piece by piece: see bbans.d.ts. */
export async function* compressStream(core, source, options = {}) {
  const settings = writing(core, options);
  if (settings.model?.kind === "text") {
    throw new SymbolError("a stream is of bytes: a model of text codes strings, by compress");
  }
  const chunks = iterated(source);
  const content = { element: elements.BYTES, array: new Uint8Array(), shape: [0] };
  const plan = planOf(core, content, settings);
  const writer = new Writer(core, content, plan, settings);
  const block = new Gathered(plan.size);
  let total = 0;
  let ended = false;
  try {
    yield writer.begin();
    while (!ended) {
      const { done, value } = await chunks.next();
      ended = done;
      let rest = done ? new Uint8Array() : bytesOf(value, "a chunk of the stream");
      do {
        rest = block.take(rest);
        if (!block.isFull && !(ended && block.length > 0)) continue;
        const bytes = block.flush();
        checkWidth(bytes.length, plan, settings.model);
        yield writer.block(bytes, total);
        total += bytes.length;
      } while (rest.length > 0);
    }
    yield writer.end([total]);
  } finally {
    writer.free();
    if (!ended) await leave(chunks);
  }
}

/** Bytes that are gathered to a block. */
class Gathered {
  #bytes;

  constructor(size) {
    this.size = size;
    this.length = 0;
    this.#bytes = new Uint8Array(Math.min(size, CHUNK));
  }

  get isFull() {
    return this.length === this.size;
  }

  /** Take bytes as far as there is room: the rest. */
  take(bytes) {
    const n = Math.min(bytes.length, this.size - this.length);
    if (this.length + n > this.#bytes.length) {
      const old = this.#bytes;
      this.#bytes = new Uint8Array(Math.min(2 * (this.length + n), this.size));
      this.#bytes.set(old);
    }
    this.#bytes.set(bytes.subarray(0, n), this.length);
    this.length += n;
    return bytes.subarray(n);
  }

  /** What was gathered; the next block takes its place. */
  flush() {
    const all = this.#bytes.subarray(0, this.length);
    this.length = 0;
    return all;
  }
}
