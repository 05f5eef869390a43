/**
 * Containers, block by block: what they hold.
 *
 * All goes through one generator, `read`, which asks for bytes when it needs some, so that
 * it serves bytes at hand and streams alike. A block at a time is in the module's memory,
 * whatever the length of the container.
 *
 * SPDX-License-Identifier: MIT
 */
import { bytesOf } from "./core.js";
import * as elements from "./elements.js";
import {
  CorruptError,
  LimitError,
  Status,
  TruncatedError,
  WrongModelError,
} from "./errors.js";
import { CHUNK, Input, iterated, joined, leave, limitOf, Owner, Scratch } from "./memory.js";
import { Model } from "./models.js";
import { decodePieces } from "./pieces.js";

// prettier-ignore
const METHODS = [
  "stored", "model", "bytes", "signal", "codec", "pieces", "grid", "floats", "mixing",
];
const CODERS = ["none", "model", "codec", "line"];

/** A container that is being read. */
class Reader extends Owner {
  #options;
  #work;
  #out;
  #total = 0;

  constructor(core, options) {
    super(core);
    this.#options = options;
    this.#work = new Scratch(core);
    this.#out = new Scratch(core);
    this.reader = this.own(core.struct("bbans_reader"));
    this.block = this.own(core.struct("bbans_block"));
    this.used = this.own(core.take(4));
  }

  free() {
    super.free();
    this.#work.free();
    this.#out.free();
  }

  /** A fact of what was read so far. */
  fact(name, i) {
    return this.core.get(this.reader, `bbans_reader.${name}`, i);
  }

  /** A fact of the last block. */
  ofBlock(name) {
    return this.core.get(this.block, `bbans_block.${name}`);
  }

  /** What comes next, for errors. */
  get next() {
    if (this.fact("ended")) return "the header of a part";
    const part = this.fact("parts");
    return `block ${this.fact("blocks")}${part > 1 ? ` of part ${part - 1}` : ""}`;
  }

  begin(input) {
    return this.core.raw("reader_begin", this.reader, input.at, input.length, this.used);
  }

  /** Go over the next record. A block with tables the C library has read, and refuses. */
  record(input) {
    const status = this.core.raw(
      "reader_next", this.reader, input.at, input.length, this.block, this.used,
    ); // prettier-ignore
    this.hasTables =
      status === Status.VERSION && this.#method === "pieces" && this.ofBlock("bytes") !== 0;
    return this.hasTables ? Status.OK : status;
  }

  /** Check the limit with the last block, whose `name` errors give. */
  count(name) {
    const { limit } = this.#options;
    this.#total += this.ofBlock("elements") * this.#Type.BYTES_PER_ELEMENT;
    if (this.#total > limit) {
      throw new LimitError(
        `the container up to ${name} takes ${this.#total} bytes, more than maxSize, ${limit}`,
      );
    }
  }

  get #method() {
    return METHODS[this.ofBlock("method")];
  }

  get #Type() {
    return elements.typeOf(this.fact("element"));
  }

  /** What the last block is. */
  get described() {
    return {
      element: this.fact("element"),
      method: this.#method,
      size: this.ofBlock("elements"),
      bytes: this.ofBlock("n_bytes"),
    };
  }

  /** The part that has ended, and the shape of all parts so far. */
  get part() {
    return {
      element: this.fact("element"),
      bigEndian: this.fact("big_endian") !== 0,
      unit: this.fact("unit"),
      multiplier: this.fact("multiplier"),
      axis: this.fact("axis"),
      shape: Array.from({ length: this.fact("axes") }, (_, i) => this.fact("shape", i)),
      ...this.#named,
    };
  }

  /** The model or the codec that the part names. */
  get #named() {
    const coder = CODERS[this.fact("coder")];
    if (coder !== "model" && coder !== "codec") return {};
    const at = this.core.at(this.reader, "bbans_reader.fingerprint");
    const fingerprint = this.core.hex(at, 8);
    if (coder === "model") return { fingerprint };
    return { fingerprint, name: this.core.text(this.core.at(this.reader, "bbans_reader.name")) };
  }

  /** The elements of the last block, whose `name` errors give. */
  decoded(name) {
    try {
      return this.#decoded();
    } catch (error) {
      if (!(error instanceof CorruptError)) throw error;
      throw new CorruptError(`${name} is damaged: ${error.message}`, error.status);
    }
  }

  #decoded() {
    const { core } = this;
    const Type = this.#Type;
    const size = this.ofBlock("elements");
    if (this.#method === "codec") return this.#byCodec(Type, size);
    if (this.hasTables) return decodePieces(core, this.#data, size);
    const model = this.#model();
    const need = core.sizeOf("reader_work_bytes", this.reader, model);
    const work = this.#work.room(need);
    const to = this.#out.room(size * Type.BYTES_PER_ELEMENT);
    core.call("reader_decode", this.reader, this.block, model, work, need, to, size);
    return core.view(Type, to, size).slice();
  }

  /** The address of the model that the part names, if it is at hand. */
  #model() {
    const { fingerprint } = this.#named;
    if (!fingerprint) return 0;
    const model = this.#options.models.find((each) => each.fingerprint === fingerprint);
    if (!model && this.#method === "model") {
      throw new WrongModelError(`data was compressed with model ${fingerprint}: pass it as model`);
    }
    return model ? Model.checked(this.core, model).at : 0;
  }

  /** The bytes of the last block. */
  get #data() {
    const at = this.ofBlock("bytes");
    return this.core.bytes.slice(at, at + this.ofBlock("n_bytes"));
  }

  /** Let the caller's codec decode a block. */
  #byCodec(Type, size) {
    const { codecs } = this.#options;
    const { name, fingerprint } = this.#named;
    const codec = Object.hasOwn(codecs, name) ? codecs[name] : undefined;
    if (!codec) {
      throw new WrongModelError(`data was compressed with codec "${name}": pass it in codecs`);
    }
    const array = codec(this.#data, size, { fingerprint, Type });
    if (!(array instanceof Type) || array.length !== size) {
      throw new CorruptError(`codec "${name}" does not return a ${Type.name} of ${size}`);
    }
    return array;
  }
}

/**
 * Read a container. Yields numbers, for which the caller adds bytes to the input until it
 * has as many or ends; `{ block }`, with its elements if `decodes`; and `{ part }`.
 */
function* read(core, input, options) {
  const reader = new Reader(core, options);
  /** The length of a record, once enough of it is there. */
  function* whole(step, name) {
    for (;;) {
      const status = step();
      const n = core.number(reader.used);
      if (status === Status.OK) return n;
      if (status === Status.FORMAT) throw core.error(status, "not a bbans container: ");
      if (status !== Status.TRUNCATED) throw core.error(status, `container: ${name}: `);
      if (input.ended) throw new TruncatedError(`container ends early, in ${name}`, status);
      yield Math.max(n, input.length + 1);
    }
  }
  try {
    input.take(yield* whole(() => reader.begin(input), "its header"));
    for (;;) {
      if (reader.fact("ended")) {
        if (input.length === 0 && !input.ended) yield 1;
        if (input.length === 0) return;
      }
      const name = reader.next;
      const n = yield* whole(() => reader.record(input), name);
      if (reader.ofBlock("elements") > 0) {
        reader.count(name);
        const block = reader.described;
        if (options.decodes) block.elements = reader.decoded(name);
        yield { block };
      }
      input.take(n);
      if (reader.fact("ended")) yield { part: reader.part };
    }
  } finally {
    reader.free();
  }
}

/** The options of reading. */
function reading({ model, codecs = {}, maxSize = Infinity } = {}) {
  return { models: [model ?? []].flat(), codecs, limit: limitOf(maxSize), decodes: true };
}

/** Read bytes at hand. */
function* readBytes(core, bytes, options) {
  const input = new Input(core);
  const steps = read(core, input, options);
  let at = 0;
  try {
    for (const step of steps) {
      if (typeof step !== "number") {
        yield step;
        continue;
      }
      const end = Math.min(at + Math.max(step - input.length, CHUNK), bytes.length);
      input.add(bytes.subarray(at, end));
      input.ended = end === bytes.length;
      at = end;
    }
  } finally {
    input.free();
  }
}

/** Read a stream, or anything that is iterated over. */
async function* readStream(core, source, options) {
  const chunks = iterated(source);
  const input = new Input(core);
  try {
    for (const step of read(core, input, options)) {
      if (typeof step !== "number") {
        yield step;
        continue;
      }
      while (input.length < step && !input.ended) {
        const { done, value } = await chunks.next();
        if (done) input.ended = true;
        else input.add(bytesOf(value, "a chunk of the stream"));
      }
    }
  } finally {
    input.free();
    if (!input.ended) await leave(chunks);
  }
}

/** Restore what was compressed: see bbans.d.ts. */
export function decompress(core, bytes, options) {
  const parts = [];
  let blocks = [];
  for (const { block, part } of readBytes(core, bytesOf(bytes), reading(options))) {
    if (block) blocks.push(block.elements);
    else {
      parts.push({ ...part, blocks });
      blocks = [];
    }
  }
  const last = parts.at(-1);
  if (elements.nameOf(last.element)) return restoredArray(parts, last);
  if (parts.every((part) => part.element !== elements.BYTES)) {
    return { kind: "text", data: parts.map(textOf).join("") };
  }
  const all = parts.flatMap((part) => bytesIn(core, part));
  return { kind: "bytes", data: joined(all, Uint8Array) };
}

function restoredArray(parts, { element, axis, shape, bigEndian, unit, multiplier }) {
  const all = parts.flatMap((part) => part.blocks);
  const data = elements.fromFront(joined(all, elements.typeOf(element)), shape, axis);
  const restored = {
    kind: "array",
    data,
    dtype: elements.nameOf(element),
    shape: elements.shapeFromFront(shape, axis),
    bigEndian,
  };
  if (multiplier > 0) Object.assign(restored, { unit: elements.unitName(unit), multiplier });
  return restored;
}

function textOf({ element, blocks }) {
  const all = joined(blocks, elements.typeOf(element));
  return element === elements.CHARACTERS ? fromPoints(all) : new TextParts().last(all);
}

/** Text as pieces of UTF-8, in which characters may be cut. */
class TextParts {
  #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  next(bytes, stream = true) {
    try {
      return this.#decoder.decode(bytes, { stream });
    } catch {
      throw new CorruptError("decoded text is not UTF-8");
    }
  }

  last(bytes) {
    return this.next(bytes, false);
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
      const room = 4 * points.length;
      const to = take(room);
      const n = take(4);
      core.call("utf8_encode", put(points), points.length, to, room, n);
      return core.bytes.slice(to, to + core.number(n));
    }),
  );
}

/** Yield blocks as they are decoded: see bbans.d.ts. */
export async function* decompressStream(core, source, options) {
  let parts = new TextParts();
  let element;
  for await (const { block } of readStream(core, source, reading(options))) {
    if (block) {
      element = block.element;
      const { kind, dtype } = kindOf(element);
      let data = block.elements;
      if (kind === "text") data = element === elements.UTF8 ? parts.next(data) : fromPoints(data);
      yield dtype ? { kind, data, dtype } : { kind, data };
    } else if (element === elements.UTF8) {
      parts.last(new Uint8Array());
      parts = new TextParts();
    }
  }
}

function kindOf(element) {
  const dtype = elements.nameOf(element);
  if (dtype) return { kind: "array", dtype };
  return { kind: element === elements.BYTES ? "bytes" : "text" };
}

/** What a container holds, whose checksums are checked, without decoding it. */
export function containerInfo(core, bytes) {
  const methods = {};
  const parts = [];
  const counts = { elements: 0, blocks: 0, data: 0 };
  for (const { block, part } of readBytes(core, bytes, { ...reading(), decodes: false })) {
    if (part) parts.push(part);
    else {
      counts.elements += block.size;
      counts.blocks++;
      counts.data += block.bytes;
      methods[block.method] = (methods[block.method] ?? 0) + 1;
    }
  }
  const { element, shape, axis } = parts.at(-1);
  const { kind, dtype } = kindOf(element);
  const hasBytes = parts.some((part) => part.element === elements.BYTES);
  const coders = parts.flatMap((part) => part.name ?? part.fingerprint ?? []);
  return {
    kind: "container",
    holds: hasBytes ? "bytes" : kind,
    ...(dtype && { dtype, shape: elements.shapeFromFront(shape, axis) }),
    elements: counts.elements,
    parts: parts.length,
    blocks: counts.blocks,
    methods,
    bytes: bytes.length,
    overhead: bytes.length - counts.data,
    ...(coders.length > 0 && { coders: [...new Set(coders)] }),
  };
}
