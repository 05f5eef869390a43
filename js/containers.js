/**
 * Containers: block by block to bytes, and back.
 *
 * Reading goes through one generator, `read`, which asks for bytes when it needs some, so
 * that it serves bytes at hand and streams alike. A block at a time is in the module's
 * memory, whatever the length of the container.
 *
 * SPDX-License-Identifier: MIT
 */
import { bytesOf } from "./core.js";
import * as elements from "./elements.js";
import {
  CorruptError,
  LimitError,
  ModelError,
  Status,
  SymbolError,
  TruncatedError,
  VersionError,
  WrongModelError,
} from "./errors.js";
import { Owner } from "./models.js";

const METHODS = ["stored", "model", "bytes", "signal", "codec", "pieces", "grid", "floats", "mixing"];
const CODERS = ["none", "model", "codec", "line"];
const METHOD_PIECES = METHODS.indexOf("pieces");
const METHOD_CODEC = METHODS.indexOf("codec");
const LEVEL_DEFAULT = 5;
const LEVEL_MAX = 9;
const MIXING_LEVEL_MIN = 3;
const BLOCK_BYTES_MAX = 1 << 24;
const AXES_MAX = 32;
const CHUNK = 1 << 16;

// ---- back

/** Bytes of a container on their way through the module's memory. */
class Input extends Owner {
  #core;
  #at;
  #cap;
  #start = 0;
  #end = 0;
  ended = false;

  constructor(core) {
    super(core);
    this.#core = core;
    this.#cap = CHUNK;
    this.#at = this.own(core.take(this.#cap));
  }

  get at() {
    return this.#at + this.#start;
  }

  get length() {
    return this.#end - this.#start;
  }

  take(n) {
    this.#start += n;
  }

  add(bytes) {
    const core = this.#core;
    const n = this.length;
    if (this.#end + bytes.length > this.#cap) {
      const from = this.at;
      if (n + bytes.length > this.#cap) {
        const old = this.#at;
        this.#cap = Math.max(n + bytes.length, Math.min(2 * this.#cap, BLOCK_BYTES_MAX));
        this.#at = this.own(core.take(this.#cap));
        core.bytes.copyWithin(this.#at, from, from + n);
        this.disown(old);
      } else core.bytes.copyWithin(this.#at, from, from + n);
      this.#start = 0;
      this.#end = n;
    }
    core.bytes.set(bytes, this.#at + this.#end);
    this.#end += bytes.length;
  }
}

/** Memory that grows as it must; what it held is lost then. */
class Scratch extends Owner {
  #core;
  #cap = 0;
  #at = 0;

  constructor(core) {
    super(core);
    this.#core = core;
  }

  room(n) {
    if (n > this.#cap) {
      if (this.#at !== 0) this.disown(this.#at);
      this.#at = 0;
      this.#cap = 0;
      this.#at = this.own(this.#core.take(n));
      this.#cap = n;
    }
    return this.#at;
  }
}

/**
 * Read a container. Yields numbers, for which the caller adds bytes to the input until it
 * has so many or ends; and blocks, as `{ block, elements }`.
 */
function* read(core, input, { models = [], codecs = {}, tables, decodes = true, limit = Infinity }) {
  const owner = new Owner(core);
  const work = new Scratch(core);
  const out = new Scratch(core);
  try {
    const reader = owner.own(core.struct("bbans_reader"));
    const block = owner.own(core.struct("bbans_block"));
    const used = owner.own(core.take(4));
    const member = (name, i) => core.get(reader, `bbans_reader.${name}`, i);
    /** Go over the next record: the status of a damaged one that was left behind. */
    function* next(call, where) {
      for (;;) {
        const status = call();
        const n = core.number(used);
        if (status === Status.OK) return n;
        if (status !== Status.TRUNCATED) throw failed(core, status, where(), block);
        if (input.ended) throw new TruncatedError(`container ends early, in ${where()}`, status);
        yield Math.max(n, input.length + 1);
      }
    }
    const begun = yield* next(
      () => core.raw("reader_begin", reader, input.at, input.length, used),
      () => "its header",
    );
    input.take(begun);
    let total = 0;
    for (;;) {
      if (member("ended")) {
        if (input.length === 0 && !input.ended) yield 1;
        if (input.length === 0) break;
      }
      const number = member("blocks");
      const where = () => (member("ended") ? "the header of a part" : `block ${number}`);
      let table = false;
      const n = yield* next(() => {
        const status = core.raw("reader_next", reader, input.at, input.length, block, used);
        table = status === Status.VERSION && holdsTables(core, block);
        return table ? Status.OK : status;
      }, where);
      const size = core.get(block, "bbans_block.elements");
      if (size > 0) {
        const Type = elements.typeOf(member("element"));
        total += size * Type.BYTES_PER_ELEMENT;
        if (total > limit) {
          throw new LimitError(`the container up to block ${number} takes ${total} bytes, more than maxSize, ${limit}`);
        }
        const found = describe(core, reader, block);
        if (decodes) {
          try {
            found.elements = decoded(core, { reader, block, work, out, models, codecs, tables, Type, size, table });
          } catch (error) {
            if (!(error instanceof CorruptError)) throw error;
            throw new CorruptError(`block ${number} is damaged: ${error.message}`, error.status);
          }
        }
        yield found;
      }
      input.take(n);
      if (member("ended")) yield { end: describePart(core, reader) };
    }
  } finally {
    for (const held of [owner, work, out]) held.free();
  }
}

function failed(core, status, where) {
  if (status === Status.FORMAT) {
    return core.error(status, "not a bbans container: ");
  }
  return core.error(status, `${where} of the container: `);
}

function holdsTables(core, block) {
  return (
    core.get(block, "bbans_block.method") === METHOD_PIECES &&
    core.get(block, "bbans_block.bytes") !== 0
  );
}

/** What a block is of. */
function describe(core, reader, block) {
  const element = core.get(reader, "bbans_reader.element");
  return {
    element,
    method: METHODS[core.get(block, "bbans_block.method")],
    size: core.get(block, "bbans_block.elements"),
    bytes: core.get(block, "bbans_block.n_bytes"),
  };
}

/** What a part that has ended is of, and all parts so far. */
function describePart(core, reader) {
  const member = (name, i) => core.get(reader, `bbans_reader.${name}`, i);
  const axes = member("axes");
  const coder = CODERS[member("coder")];
  return {
    element: member("element"),
    bigEndian: member("big_endian") !== 0,
    unit: member("unit"),
    multiplier: member("multiplier"),
    axis: member("axis"),
    shape: Array.from({ length: axes }, (_, i) => member("shape", i)),
    coder,
    ...namedBy(core, reader, coder),
  };
}

/** The model or the codec that a part names. */
function namedBy(core, reader, coder = CODERS[core.get(reader, "bbans_reader.coder")]) {
  const named = {};
  if (coder === "model" || coder === "codec") {
    named.fingerprint = core.hex(core.at(reader, "bbans_reader.fingerprint"), 8);
  }
  if (coder === "codec") named.name = core.text(core.at(reader, "bbans_reader.name"));
  return named;
}

/** The elements of a block, as an array of its own. */
function decoded(core, { reader, block, work, out, models, codecs, tables, Type, size, table }) {
  const { name, fingerprint } = namedBy(core, reader);
  const method = core.get(block, "bbans_block.method");
  if (method === METHOD_CODEC) return byCodec(core, block, codecs, { name, fingerprint, Type, size });
  if (table) {
    if (!tables) throw new VersionError("it holds a table of text, which this module does not read");
    return tables(core, blockBytes(core, block), size);
  }
  const model = models.find((each) => each.check().fingerprint === fingerprint);
  if (fingerprint && METHODS[method] === "model" && !model) {
    throw new WrongModelError(`data was compressed with model ${fingerprint}: pass it as model`);
  }
  const at = model?.at ?? 0;
  const need = core.sizeOf("reader_work_bytes", reader, at);
  const memory = work.room(need);
  const to = out.room(size * Type.BYTES_PER_ELEMENT);
  core.call("reader_decode", reader, block, at, memory, need, to, size);
  return core.view(Type, to, size).slice();
}

function blockBytes(core, block) {
  const at = core.get(block, "bbans_block.bytes");
  return core.bytes.slice(at, at + core.get(block, "bbans_block.n_bytes"));
}

/** Let the caller's codec decode a block. */
function byCodec(core, block, codecs, { name, fingerprint, Type, size }) {
  const codec = Object.hasOwn(codecs, name) ? codecs[name] : undefined;
  if (!codec) {
    throw new WrongModelError(`data was compressed with codec "${name}": pass its function in codecs`);
  }
  const array = codec(blockBytes(core, block), size, { fingerprint, Type });
  if (!(array instanceof Type) || array.length !== size) {
    throw new CorruptError(`codec "${name}" does not return a ${Type.name} of ${size}`);
  }
  return array;
}

/** Fill an input from bytes at hand. */
function* fed(core, bytes, options) {
  const input = new Input(core);
  let at = 0;
  try {
    const steps = read(core, input, options);
    for (let step = steps.next(); !step.done; step = steps.next()) {
      if (typeof step.value !== "number") {
        yield step.value;
        continue;
      }
      const n = Math.max(step.value - input.length, CHUNK);
      input.add(bytes.subarray(at, at + n));
      at = Math.min(at + n, bytes.length);
      input.ended = at === bytes.length;
    }
  } finally {
    input.free();
  }
}

/** Fill an input from a stream, or anything that is iterated over. */
async function* fedBy(core, source, options) {
  const input = new Input(core);
  const chunks = iterated(source);
  const steps = read(core, input, options);
  try {
    for (let step = steps.next(); !step.done; step = steps.next()) {
      if (typeof step.value !== "number") {
        yield step.value;
        continue;
      }
      while (input.length < step.value && !input.ended) {
        const { done, value } = await chunks.next();
        if (done) input.ended = true;
        else input.add(bytesOf(value, "a chunk of the stream"));
      }
    }
  } finally {
    steps.return();
    input.free();
    await chunks.return?.();
  }
}

/** Iterate over a ReadableStream, which not all engines can, or over anything else. */
function iterated(source) {
  if (source[Symbol.asyncIterator]) return source[Symbol.asyncIterator]();
  if (source[Symbol.iterator]) return source[Symbol.iterator]();
  if (!source.getReader) throw new TypeError("source must be a ReadableStream or iterable");
  const reader = source.getReader();
  return {
    next: () => reader.read(),
    return: async () => {
      await reader.cancel();
      reader.releaseLock();
    },
  };
}

/** The options of reading. */
function reading(core, { model, codecs, maxSize = Infinity } = {}, tables) {
  const models = [model ?? []].flat();
  if (!(maxSize >= 0)) throw new ModelError(`maxSize must be a number of bytes, not ${maxSize}`);
  return { models, codecs, limit: maxSize, tables };
}

/** Restore what was compressed: see bbans.d.ts. */
export function decompress(core, bytes, options, tables) {
  const parts = [];
  let blocks = [];
  for (const step of fed(core, bytesOf(bytes), reading(core, options, tables))) {
    if (step.end) {
      parts.push({ ...step.end, blocks });
      blocks = [];
    } else blocks.push(step.elements);
  }
  const last = parts.at(-1);
  if (elements.nameOf(last.element)) return restoredArray(parts, last);
  if (parts.every((part) => part.element !== elements.BYTES)) {
    return { kind: "text", data: parts.map(textOf).join("") };
  }
  return { kind: "bytes", data: joined(parts.flatMap((part) => bytesIn(core, part)), Uint8Array) };
}

function restoredArray(parts, { element, axis, shape, bigEndian, unit, multiplier }) {
  const Type = elements.typeOf(element);
  let data = joined(parts.flatMap((part) => part.blocks), Type);
  if (axis > 0) ({ array: data, shape } = elements.withAxisAt(data, shape, axis));
  const restored = { kind: "array", data, dtype: elements.nameOf(element), shape, bigEndian };
  if (multiplier > 0) Object.assign(restored, { unit: elements.unitName(unit), multiplier });
  return restored;
}

/** Blocks one behind the other. */
function joined(blocks, Type) {
  if (blocks.length === 1) return blocks[0];
  let n = 0;
  for (const block of blocks) n += block.length;
  let all;
  try {
    all = new Type(n);
  } catch {
    throw new LimitError(`there is no memory for ${n} elements`);
  }
  n = 0;
  for (const block of blocks) {
    all.set(block, n);
    n += block.length;
  }
  return all;
}

function textOf({ element, blocks }) {
  const all = joined(blocks, elements.typeOf(element));
  if (element === elements.CHARACTERS) return fromPoints(all);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(all);
  } catch {
    throw new CorruptError("decoded text is not UTF-8");
  }
}

function fromPoints(points) {
  try {
    return elements.fromCodePoints(points);
  } catch {
    throw new CorruptError("decoded text is not of code points");
  }
}

/** The bytes of a part: of text by code points its UTF-8. */
function bytesIn(core, { element, blocks }) {
  if (element !== elements.CHARACTERS) return blocks;
  return blocks.map((points) =>
    core.scope(({ take, put }) => {
      const to = take(4 * points.length);
      const n = take(4);
      core.call("utf8_encode", put(points), points.length, to, 4 * points.length, n);
      return core.bytes.slice(to, to + core.number(n));
    }),
  );
}

/** Yield blocks as they are decoded: see bbans.d.ts. */
export async function* decompressStream(core, source, options, tables) {
  let decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const text = (bytes, last) => {
    try {
      return decoder.decode(bytes, { stream: !last });
    } catch {
      throw new CorruptError("decoded text is not UTF-8");
    }
  };
  let element;
  for await (const step of fedBy(core, source, reading(core, options, tables))) {
    if (step.end) {
      if (element === elements.UTF8) text(new Uint8Array(), true);
      continue;
    }
    element = step.element;
    const dtype = elements.nameOf(element);
    if (dtype) yield { kind: "array", data: step.elements, dtype };
    else if (element === elements.BYTES) yield { kind: "bytes", data: step.elements };
    else if (element === elements.UTF8) yield { kind: "text", data: text(step.elements, false) };
    else yield { kind: "text", data: fromPoints(step.elements) };
  }
}

/** What a container holds, whose checksums are checked, without decoding it. */
export function containerInfo(core, bytes) {
  const options = { decodes: false };
  const methods = {};
  const parts = [];
  let size = 0;
  let blocks = 0;
  let data = 0;
  for (const step of fed(core, bytes, options)) {
    if (step.end) parts.push(step.end);
    else {
      blocks++;
      size += step.size;
      data += step.bytes;
      methods[step.method] = (methods[step.method] ?? 0) + 1;
    }
  }
  const last = parts.at(-1);
  const dtype = elements.nameOf(last.element);
  const isText = parts.every((part) => part.element !== elements.BYTES);
  const coders = parts.filter((part) => part.fingerprint);
  return {
    kind: "container",
    holds: dtype ? "array" : isText ? "text" : "bytes",
    ...(dtype && { dtype, shape: shapeOf(last) }),
    elements: size,
    parts: parts.length,
    blocks,
    methods,
    bytes: bytes.length,
    overhead: bytes.length - data,
    ...(coders.length > 0 && { coders: [...new Set(coders.map((part) => part.name ?? part.fingerprint))] }),
  };
}

function shapeOf({ shape, axis }) {
  return axis === 0 ? shape : [...shape.slice(1, axis + 1), shape[0], ...shape.slice(axis + 1)];
}

// ---- out

/** Writes a container, piece by piece. */
class Writer extends Owner {
  #core;
  #work;
  #in;
  #out;
  #lengths = [];

  constructor(core, content, model, level) {
    super(core);
    this.#core = core;
    Object.assign(this, { content, model: model?.check(), level });
    for (const name of ["work", "in", "out"]) this[name] = new Scratch(core);
    this.writer = this.own(core.struct("bbans_writer"));
    this.count = this.own(core.take(4));
  }

  free() {
    super.free();
    for (const name of ["work", "in", "out"]) this[name].free();
  }

  get #model() {
    return this.model?.at ?? 0;
  }

  begin() {
    return this.#piece(64, (at, cap) =>
      this.#core.raw("writer_begin", this.writer, this.#model, this.content, this.level, at, cap, this.count),
    );
  }

  block(data) {
    const core = this.#core;
    const n = data.length;
    const from = this.in.room(data.byteLength);
    core.bytes.set(bytesOf(data), from);
    const size = this.#workBytes(n);
    const work = this.work.room(size);
    const piece = this.#piece(data.byteLength + 16, (at, cap) =>
      core.raw("writer_block", this.writer, from, n, work, size, at, cap, this.count),
    );
    this.#lengths.push(piece.length);
    return piece;
  }

  /** Workspace that keeps all records, or if that is much, the least. */
  #workBytes(n) {
    const core = this.#core;
    const bytes = (kept) =>
      core.raw("writer_work_bytes", this.#model, this.content, this.level, n, kept) >>> 0;
    const all = bytes(n);
    if (all > 0 && (!this.model || all <= 1 << 26)) return all;
    return core.sizeOf(
      "writer_work_bytes", this.#model, this.content, this.level, n, Math.ceil(Math.sqrt(n)),
    ); // prettier-ignore
  }

  end(shape) {
    const core = this.#core;
    const lengths = Uint32Array.from(this.#lengths);
    return core.scope(({ put }) => {
      const axes = put(BigUint64Array.from(shape, BigInt));
      const at = put(lengths);
      return this.#piece(64 + 9 * shape.length + 4 * lengths.length, (to, cap) =>
        core.raw("writer_end", this.writer, axes, shape.length, at, to, cap, this.count),
      );
    });
  }

  #piece(cap, call) {
    const core = this.#core;
    const at = this.out.room(cap);
    const status = call(at, cap);
    if (status !== Status.OK) throw core.error(status);
    return core.bytes.slice(at, at + core.number(this.count));
  }
}

/** Check a level. */
function levelOf(level = LEVEL_DEFAULT) {
  if (!Number.isInteger(level) || level < 1 || level > LEVEL_MAX) {
    throw new ModelError(`level must be an integer from 1 to ${LEVEL_MAX}, not ${level}`);
  }
  return level;
}

/** How data of some elements are coded, and cut: `width` elements are never divided. */
function planOf(core, element, shape, itemsize, { model, level, channels, grid, blockSize }) {
  const most = BLOCK_BYTES_MAX / itemsize;
  const isArray = elements.nameOf(element) !== undefined;
  const plan = { channels: 0, grid: undefined, width: 1, size: 0 };
  if (model) {
    plan.width = model.width;
    plan.size = model.width << 16;
  } else if (!isArray) {
    plan.size = level < MIXING_LEVEL_MIN ? 1 << 20 : level <= 4 ? 1 << 22 : 1 << 24;
  } else if (elements.isWeight(element) && channels === undefined && !grid) {
    plan.size = (1 << 21) / itemsize;
  } else {
    plan.channels = channels ?? (shape.length === 2 && shape[1] <= 64 ? Math.max(shape[1], 1) : 1);
    plan.width = Math.max(plan.channels, 1);
    plan.size = Math.max(Math.floor((1 << 18) / plan.width), 1 << 13) * plan.width;
  }
  if (blockSize !== undefined) {
    if (!Number.isInteger(blockSize) || blockSize < 1 || blockSize > most) {
      throw new ModelError(`blockSize must be an integer from 1 to ${most}, not ${blockSize}`);
    }
    plan.size = blockSize;
  }
  plan.size = Math.max(Math.floor(Math.min(plan.size, most) / plan.width), 1) * plan.width;
  return plan;
}

function contentOf(core, hold, { element, unit = 0, multiplier = 0, axis = 0, channels = 0 }) {
  const content = hold(core.struct("bbans_content"));
  const set = (name, value) => core.set(content, `bbans_content.${name}`, value);
  set("element", element);
  set("unit", unit);
  set("multiplier", multiplier);
  set("axis", axis);
  set("channels", channels);
  return content;
}

/** Compress text, bytes or an array: see bbans.d.ts. */
export function compress(core, data, options = {}) {
  const level = levelOf(options.level);
  const { model } = options;
  const given = givenAs(data, options, model);
  const { element, array, axis = 0 } = given;
  const shape = given.shape ?? [array.length];
  const plan = planOf(core, element, shape, array.BYTES_PER_ELEMENT, { ...options, level });
  checkWidth(array, plan.width, model);
  const owner = new Owner(core);
  try {
    const content = contentOf(core, (at) => owner.own(at), { ...given, axis, channels: plan.channels });
    if (array.length > plan.size && plan.channels > 0) setLine(core, content, array.subarray(0, plan.size));
    const writer = new Writer(core, content, model, level);
    try {
      const pieces = [writer.begin()];
      for (let at = 0; at < array.length; at += plan.size) {
        pieces.push(writeBlock(writer, array.subarray(at, at + plan.size), at, model));
      }
      pieces.push(writer.end(shape));
      return joined(pieces, Uint8Array);
    } finally {
      writer.free();
    }
  } finally {
    owner.free();
  }
}

/** Write a block, and say of a symbol that the model lacks where it is. */
function writeBlock(writer, block, start, model) {
  try {
    return writer.block(block);
  } catch (error) {
    if (!(error instanceof SymbolError) || !model) throw error;
    const text = block instanceof Uint32Array && model.kind === "text" ? elements.fromCodePoints(block) : block;
    const where = start > 0 ? `in the block at element ${start}: ` : "";
    try {
      model.observations(model.isUtf8 ? new TextDecoder().decode(block) : text);
    } catch (named) {
      throw new SymbolError(where + named.message, error.status);
    }
    throw error;
  }
}

function setLine(core, content, block) {
  core.scope(({ put }) => core.raw("content_set_line", content, put(block), block.length));
}

function checkWidth(array, width, model) {
  if (array.length % width !== 0) {
    const what = model ? "the model's" : "as many channels";
    throw new SymbolError(`${array.length} elements are no rows of ${width}, ${what}`);
  }
}

/** Data as an array of elements. */
function givenAs(data, { dtype, shape, axis = 0, unit, multiplier }, model) {
  const isArray = dtype !== undefined || shape !== undefined;
  if (typeof data === "string") {
    if (isArray) throw new SymbolError("dtype and shape are for arrays, not for text");
    return textAs(data, model);
  }
  if (Array.isArray(data)) {
    throw new SymbolError("data is an Array: make a typed array of it, as Int32Array.from(data)");
  }
  if (!isArray && (data instanceof Uint8Array || !ArrayBuffer.isView(data))) {
    if (model?.kind === "text") throw new SymbolError("a model of text codes strings: decode bytes first");
    return { element: elements.BYTES, array: bytesOf(data) };
  }
  if (data instanceof DataView || !ArrayBuffer.isView(data)) data = bytesOf(data);
  const element = elements.codeOf(data, dtype);
  if (model && elements.isFloat(element)) {
    throw new SymbolError("a model codes integers: compress floats without one, or round them");
  }
  const Type = elements.typeOf(element);
  const array = new Type(data.buffer, data.byteOffset, data.length);
  return { element, ...elements.unitOf(element, unit, multiplier), ...laidOut(array, shape, axis) };
}

function textAs(text, model) {
  if (model?.kind === "integers") throw new SymbolError("text needs a model of text, or of bytes");
  const characters = model?.kind === "text" && !model.isUtf8;
  if (characters || (!model && !elements.isWellFormed(text))) {
    return { element: elements.CHARACTERS, array: elements.codePoints(text) };
  }
  if (!elements.isWellFormed(text)) throw new SymbolError("text has a lone surrogate, which UTF-8 lacks");
  return { element: elements.UTF8, array: new TextEncoder().encode(text) };
}

/** An array with its shape, and the axis of time at the front. */
function laidOut(array, shape, axis) {
  shape ??= [array.length];
  const n = shape.reduce((a, b) => a * b, 1);
  if (shape.length > AXES_MAX || n !== array.length || shape.some((k) => !Number.isInteger(k) || k < 0)) {
    throw new SymbolError(`${array.length} elements are no array of shape [${shape}]`);
  }
  if (axis === 0) return { array, shape };
  if (!Number.isInteger(axis) || axis < 0 || axis >= shape.length) {
    throw new ModelError(`axis must be below ${shape.length}, the number of axes, not ${axis}`);
  }
  return { ...elements.withAxisFirst(array, shape, axis), axis };
}

/** Compress a stream of bytes, piece by piece: see bbans.d.ts. */
export async function* compressStream(core, source, options = {}) {
  const level = levelOf(options.level);
  const { model } = options;
  if (model && model.kind === "text") {
    throw new SymbolError("a stream is of bytes: a model of text codes strings, by compress");
  }
  const plan = planOf(core, elements.BYTES, [], 1, { ...options, level });
  const owner = new Owner(core);
  const content = contentOf(core, (at) => owner.own(at), { element: elements.BYTES });
  const writer = new Writer(core, content, model, level);
  const chunks = iterated(source);
  try {
    yield writer.begin();
    let block = new Uint8Array(Math.min(plan.size, CHUNK));
    let n = 0;
    let total = 0;
    for (;;) {
      const { done, value } = await chunks.next();
      if (done) break;
      let chunk = bytesOf(value, "a chunk of the stream");
      while (chunk.length > 0) {
        if (n === block.length) block = grown(block, plan.size);
        const part = chunk.subarray(0, block.length - n);
        block.set(part, n);
        n += part.length;
        chunk = chunk.subarray(part.length);
        if (n < plan.size) continue;
        yield writeBlock(writer, block, total, model);
        total += n;
        n = 0;
      }
    }
    if (n > 0) {
      checkWidth(block.subarray(0, n), plan.width, model);
      yield writeBlock(writer, block.subarray(0, n), total, model);
    }
    yield writer.end([total + n]);
  } finally {
    writer.free();
    owner.free();
    await chunks.return?.();
  }
}

function grown(block, most) {
  const larger = new Uint8Array(Math.min(2 * block.length, most));
  larger.set(block);
  return larger;
}
