/**
 * Frozen models, and sequences as bare messages.
 *
 * SPDX-License-Identifier: MIT
 */
import { bytesOf } from "./core.js";
import { codePoints, fromCodePoints, isWellFormed } from "./elements.js";
import {
  CorruptError,
  LimitError,
  ModelError,
  Status,
  SymbolError,
} from "./errors.js";
import { limitOf, Owner } from "./memory.js";

const TYPES = [
  undefined,
  "HMM",
  "ARHMM",
  "LGSSM",
  "VAE",
  "DeepSSM",
  "HierarchicalHMM",
  "LatentTree",
  "ContextMixer",
  "MultivariateGaussianHMM",
  "FactorialHMM",
];
const KINDS = ["integers", "bytes", "text"];
/** Types that are a bbans_hmm. */
const CHAINS = new Set(["HMM", "ARHMM"]);
/** Types whose observations are integers of 64 bits, and of 32; others have symbols. */
const WIDE = new Set(["LGSSM", "MultivariateGaussianHMM"]);
const NARROW = new Set(["VAE", "DeepSSM", "LatentTree"]);

/** Workspace up to which all records of a sequence are kept, which is fastest. */
const KEPT_BYTES = 1 << 26;
/** Symbols that `until` looks through by default. */
const UNTIL_DEFAULT = 1 << 20;
const FIRST_SIZE = 1 << 12;

const DIFFER = "the message is damaged, or its length or model is another";

export class Model extends Owner {
  #values; // of symbols, or undefined where they stand for themselves
  #numbers; // of values

  constructor(core, bytes) {
    super(core);
    try {
      this.#read(bytesOf(bytes, "a model file"));
    } catch (error) {
      this.free();
      throw error;
    }
    Object.freeze(this);
  }

  #read(bytes) {
    const { core } = this;
    let at = this.own(core.put(bytes));
    let n = bytes.length;
    this.at = this.own(core.struct("bbans_model"));
    let status = core.raw("model_parse", this.at, at, n);
    if (status === Status.STATE) {
      const plain = unpacked(core, at, n);
      this.disown(at);
      at = this.own(plain.at);
      n = plain.n;
      status = core.raw("model_parse", this.at, at, n);
    }
    if (status !== Status.OK) throw core.error(status, "model file: ");
    const size = core.sizeOf("model_bytes", this.at);
    const memory = this.own(core.take(size));
    status = core.raw("model_build", this.at, memory, size);
    if (status !== Status.OK) throw core.error(status, "model file: ");
    core.call("model_name", this.at);
    const member = (name) => core.get(this.at, `bbans_model.${name}`);
    this.space = member("frozen"); // a bbans_frozen begins with its state space
    this.file = { at, n };
    this.type = TYPES[member("type")];
    this.kind = KINDS[member("kind")];
    this.mode = member("predictive") ? "predictive" : "iconoclasm";
    this.ends = member("ends") !== 0;
    this.width = member("width");
    this.symbols = member("symbols");
    this.states = CHAINS.has(this.type) ? core.get(this.space, "bbans_hmm.states") : 0;
    this.fingerprint = core.hex(core.at(this.at, "bbans_model.fingerprint"), 8);
    this.isUtf8 = this.kind === "text" && member("values") === 0;
    if (member("values") !== 0) this.#list();
  }

  /** Read the values that symbols stand for. */
  #list() {
    const n = this.symbols - (this.ends ? 1 : 0);
    const values = [];
    for (let k = 0; k < n; k++) values.push(this.core.raw("model_value", this.at, k));
    const wide = values[0] < -(2n ** 31n) || values.at(-1) >= 2n ** 31n;
    this.#values = wide ? BigInt64Array.from(values) : Int32Array.from(values, Number);
    this.#numbers = new Map(values.map((value, k) => [String(value), k])); // of any type
  }

  /** Throw if the model has been freed. */
  check() {
    if (this.freed) throw new ModelError("the model has been freed");
    return this;
  }

  /** What was passed as a model: checked that it is one, of an instance, and not freed. */
  static checked(core, model) {
    if (!(model instanceof Model)) throw new ModelError("model must be a bbans.Model");
    if (model.core !== core) {
      throw new ModelError("the model is in another instance of bbans: load it in this one");
    }
    return model.check();
  }

  /** The model file, plain, or packed where that is shorter. */
  toBytes({ packed = false } = {}) {
    this.check();
    const { core } = this;
    const { at, n } = this.file;
    const plain = core.bytes.slice(at, at + n);
    return packed ? packedOf(core, at, n) ?? plain : plain;
  }

  /** Code a sequence as a bare message: see `bbans.encode`. */
  encode(data) {
    this.check();
    const x = this.observations(data);
    return this.encodeBy("sequence_encode", x, () => [this.stepsOf(x)]);
  }

  /** Code observations by a function of C, which is `given` something before its workspace. */
  encodeBy(name, x, given) {
    const { core } = this;
    const n = this.stepsOf(x);
    return core.scope(({ take, put, struct }) => {
      const words = core.sizeOf("sequence_tail_words", this.space, n);
      const message = emptyMessage(core, { take, struct }, words);
      const size = workBytes(core, this.space, n);
      const work = take(size);
      core.call(name, this.space, put(x), ...given(put), work, size, message);
      return written(core, message, take);
    });
  }

  /** Decode a bare message: see `bbans.decode`. */
  decode(message, length, options = {}) {
    this.check();
    if (options.until !== undefined) return this.#decodeUntil(message, length, options);
    return this.decodeBy("sequence_decode", message, length, options, {
      given: () => [length],
      result: (x) => this.values(x, length),
    });
  }

  /** Decode by a function of C, which is `given` something before its workspace. */
  decodeBy(name, message, length, { maxSize = Infinity } = {}, { given, result }) {
    this.#checkLength(length);
    const most = length * this.#itemsize;
    if (most > limitOf(maxSize)) {
      throw new LimitError(
        `length ${length} takes up to ${most} bytes, more than maxSize, ${maxSize}`,
      );
    }
    const bytes = bytesOf(message, "message");
    const { core } = this;
    return core.scope(({ take, put, struct }) => {
      const words = length * core.get(this.space, "bbans_state_space.pop_words");
      const read = readMessage(core, { take, put, struct }, bytes, words);
      const x = take(length * this.#stepBytes);
      const size = core.sizeOf("sequence_work_bytes", this.space, 1, 1);
      const work = take(size);
      core.call(name, this.space, read, x, ...given(put), work, size);
      return result(x);
    });
  }

  #checkLength(length) {
    if (Number.isSafeInteger(length) && length >= 0) return;
    const which = this.isUtf8 ? ", bytes of UTF-8," : "";
    throw new ModelError(
      `decoding needs the number of symbols${which} or the last of them, not ${length}`,
    );
  }

  #decodeUntil(message, length = UNTIL_DEFAULT, { until, maxSize = Infinity }) {
    if (this.mode !== "predictive") {
      throw new ModelError("until needs a model whose mode is predictive");
    }
    this.#checkLength(length);
    const last = this.observations(this.kind === "integers" ? [until] : until);
    if (last.length !== 1) throw new SymbolError("until is one symbol");
    const bytes = bytesOf(message, "message");
    const { core } = this;
    const room = Math.min(length, Math.floor(limitOf(maxSize) / this.#itemsize));
    for (let cap = Math.min(room, FIRST_SIZE); ; cap = Math.min(room, 8 * cap)) {
      const found = core.scope(({ take, put, struct }) => {
        const read = readMessage(core, { take, put, struct }, bytes, 0);
        const x = take(cap * this.#stepBytes);
        const size = core.sizeOf("sequence_work_bytes", this.space, 1, 1);
        const work = take(size);
        const n = take(4);
        const status = core.raw(
          "sequence_decode_until", this.space, read, x, cap, put(last), n, work, size,
        ); // prettier-ignore
        if (status === Status.CAPACITY) return undefined;
        if (status !== Status.OK) throw core.error(status);
        return this.values(x, core.number(n));
      });
      if (found !== undefined) return found;
      if (cap < room) continue;
      if (room < length) throw new LimitError(`it takes more bytes than maxSize, ${maxSize}`);
      throw new CorruptError(`no such symbol is among the first ${length}: ${DIFFER}`);
    }
  }

  /** Do something in the predictive mode, whatever the model's is. */
  inPredictive(work) {
    const { core, space } = this.check();
    const member = "bbans_state_space.predictive";
    const before = core.get(space, member);
    core.set(space, member, 1);
    try {
      return work();
    } finally {
      core.set(space, member, before);
    }
  }

  /** The most bytes of an observation where it is decoded to. */
  get #itemsize() {
    return { bytes: 1, text: this.isUtf8 ? 1 : 4, integers: 8 }[this.kind] * this.width;
  }

  /** How many steps an array of observations has. */
  stepsOf(x) {
    return x.length / this.#perStep;
  }

  /** Integers that C has for an observation. */
  get #perStep() {
    return this.symbols > 0 ? 1 : this.width;
  }

  get #stepBytes() {
    return this.core.get(this.space, "bbans_state_space.observation_bytes");
  }

  /** What `encode` takes as the array that C reads. */
  observations(data) {
    const units = this.#units(data);
    if (WIDE.has(this.type)) return this.#rows(exactly(BigInt64Array, units, BigInt));
    if (NARROW.has(this.type)) return this.#rows(exactly(Int32Array, units, Number));
    return this.symbolsOf(units);
  }

  /** The numbers of data of the model's kind. */
  #units(data) {
    const isText = typeof data === "string";
    if (this.kind === "text") {
      if (!isText) throw new SymbolError("a model of text codes strings: decode bytes first");
      if (!this.isUtf8) return codePoints(data);
      if (!isWellFormed(data)) {
        throw new SymbolError("text has a lone surrogate, which UTF-8 lacks");
      }
      return new TextEncoder().encode(data);
    }
    if (this.kind === "bytes") {
      if (isText) throw new SymbolError("a model of bytes codes bytes: encode the string first");
      if (data?.BYTES_PER_ELEMENT > 1) {
        const { name } = data.constructor;
        throw new SymbolError(`a model of bytes codes bytes, not ${name}: pass a Uint8Array`);
      }
      return bytesOf(data);
    }
    if (isText) throw new SymbolError("a model of integers codes numbers, not a string");
    if (!Array.isArray(data) && !ArrayBuffer.isView(data)) {
      throw new SymbolError("a model of integers codes a typed array of them");
    }
    if (Array.isArray(data) && !data.every(isNumber)) {
      throw new SymbolError("a model of integers codes numbers, and the Array has others");
    }
    if (data instanceof Float32Array || data instanceof Float64Array) {
      throw new SymbolError("a model codes integers: round floats first");
    }
    return data;
  }

  #rows(array) {
    if (array.length % this.width !== 0) {
      throw new SymbolError(`${array.length} integers are no rows of ${this.width}`);
    }
    return array;
  }

  /** The numbers of symbols. */
  symbolsOf(units) {
    const symbols = new Uint32Array(units.length);
    const n = this.symbols - (this.ends ? 1 : 0);
    for (let i = 0; i < units.length; i++) {
      const k = this.#numbers ? this.#numbers.get(String(units[i])) : Number(units[i]);
      if (!(k >= 0 && k < n && Number.isInteger(k))) {
        const isCharacter = this.kind === "text" && !this.isUtf8;
        const unit = isCharacter ? `"${String.fromCodePoint(units[i])}"` : units[i];
        throw new SymbolError(
          `symbol ${unit} at position ${i} is not in the model's alphabet of ${n} ` +
            (isCharacter ? "characters" : "symbols"),
        );
      }
      symbols[i] = k;
    }
    return symbols;
  }

  /** What n observations in memory stand for, from number `start` on. */
  values(array, n, start = 0) {
    const { core } = this;
    const x = array + start * this.#stepBytes;
    if (WIDE.has(this.type)) return core.view(BigInt64Array, x, n * this.width).slice();
    if (NARROW.has(this.type)) {
      const array = core.view(Int32Array, x, n * this.width).slice();
      return this.kind === "bytes" ? Uint8Array.from(array) : array;
    }
    const symbols = core.view(Uint32Array, x, n);
    if (this.ends && symbols.includes(this.symbols - 1)) {
      throw new CorruptError(`it has the end of a record: ${DIFFER}`);
    }
    const listed = this.#values;
    const units = listed ? listed.constructor.from(symbols, (k) => listed[k]) : symbols;
    if (this.kind === "integers") return listed ? units : Int32Array.from(units);
    if (this.kind === "bytes") return Uint8Array.from(units);
    return this.isUtf8 ? decodedText(Uint8Array.from(units)) : fromCodePoints(units);
  }
}

function isNumber(unit) {
  return typeof unit === "number" || typeof unit === "bigint";
}

/** Numbers as an array of integers, nothing lost. */
function exactly(Type, units, convert) {
  return Type.from(units, (unit, i) => {
    const lost = () => new SymbolError(`${unit} at position ${i} is no integer of this model`);
    let value;
    try {
      value = convert(unit);
    } catch {
      throw lost();
    }
    if (Type.of(value)[0] !== value) throw lost();
    return value;
  });
}

function decodedText(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CorruptError(`it is no UTF-8: ${DIFFER}`);
  }
}

/** The plain form of a packed model file. */
function unpacked(core, at, n) {
  const count = core.take(4);
  let room = 0;
  try {
    let status = core.raw("model_unpack", at, n, 0, 0, count);
    if (status !== Status.CAPACITY) throw core.error(status, "packed model file: ");
    const cap = core.number(count);
    room = core.take(cap);
    status = core.raw("model_unpack", at, n, room, cap, count);
    if (status !== Status.OK) throw core.error(status, "packed model file: ");
    const size = core.number(count);
    const plain = core.take(size); // `room` has a workspace too
    core.bytes.copyWithin(plain, room, room + size);
    return { at: plain, n: size };
  } finally {
    core.free(count);
    if (room !== 0) core.free(room);
  }
}

/** The packed form of a model file, or undefined. */
function packedOf(core, at, n) {
  return core.scope(({ take }) => {
    const count = take(4);
    let status = core.raw("model_pack", at, n, 0, 0, count);
    if (status === Status.SIZE) return undefined; // there is none
    if (status !== Status.CAPACITY) throw core.error(status);
    const cap = core.number(count);
    const room = take(cap);
    status = core.raw("model_pack", at, n, room, cap, count);
    if (status === Status.SIZE) return undefined; // or it is longer
    if (status !== Status.OK) throw core.error(status);
    return core.bytes.slice(room, room + core.number(count));
  });
}

/** Workspace for n observations. */
function workBytes(core, space, n) {
  const all = core.raw("sequence_work_bytes", space, n, n) >>> 0;
  if (all > 0 && all <= KEPT_BYTES) return all;
  return core.sizeOf("sequence_work_bytes", space, n, Math.ceil(Math.sqrt(n)));
}

/** A message of one lane with room for this many words. */
function messageOf(core, { take, struct }, words) {
  const message = struct("bbans_message");
  core.set(message, "bbans_message.head", take(8));
  core.set(message, "bbans_message.tail", take(4 * words));
  core.set(message, "bbans_message.lanes", 1);
  core.set(message, "bbans_message.tail_cap", words);
  return message;
}

function emptyMessage(core, memory, words) {
  const message = messageOf(core, memory, words);
  const [head, tail] = ["head", "tail"].map((name) => core.get(message, `bbans_message.${name}`));
  core.call("message_init", message, head, 1, tail, words);
  return message;
}

function readMessage(core, { take, put, struct }, bytes, more) {
  const message = messageOf(core, { take, struct }, Math.ceil(bytes.length / 4) + more + 1);
  core.call("message_read", message, put(bytes), bytes.length);
  return message;
}

function written(core, message, take) {
  const count = take(4);
  core.call("message_size", message, count);
  const n = core.number(count);
  const to = take(n);
  core.call("message_write", message, to, n, count);
  return core.bytes.slice(to, to + n);
}
