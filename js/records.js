/**
 * Records, one by one, and files of them.
 *
 * SPDX-License-Identifier: MIT
 */
import { bytesOf } from "./core.js";
import { isWellFormed } from "./elements.js";
import {
  BbansError,
  CorruptError,
  LimitError,
  ModelError,
  Status,
  SymbolError,
  WrongModelError,
} from "./errors.js";
import { joined, limitOf, Owner, Scratch } from "./memory.js";
import { Model } from "./models.js";

/** The longest record that is decoded if nothing is said. */
const MAX_SIZE = 1 << 20;
const FIRST_SIZE = 1 << 12;

/** What codes records under a model: its workspace, and room for a record. */
class Coding extends Owner {
  #room;

  constructor(core, model) {
    super(core);
    this.model = Model.checked(core, model);
    this.size = core.raw("record_work_bytes", model.at) >>> 0;
    if (this.size === 0) throw new ModelError("records need a model of bytes or text");
    this.work = this.own(core.take(this.size));
    this.count = this.own(core.take(4));
    this.#room = new Scratch(core);
    this.#room.room(FIRST_SIZE);
  }

  free() {
    super.free();
    this.#room.free();
  }

  /** Decode by a call that is given room: the record, a string if it `isText`. */
  decode(call, maxSize, isText) {
    const { core } = this;
    const limit = limitOf(maxSize);
    for (;;) {
      const cap = Math.min(this.#room.cap, limit);
      const at = this.#room.room(cap);
      const status = call(at, cap, this.count);
      const n = core.number(this.count);
      if (status === Status.OK) return valueOf(core.bytes.slice(at, at + n), isText);
      if (status !== Status.CAPACITY) throw core.error(status);
      if (cap >= limit) {
        throw new LimitError(`it takes ${n} bytes or more, and maxSize is ${maxSize}`);
      }
      this.#room.room(Math.min(Math.max(n, 4 * cap), limit));
    }
  }

  encode(bytes) {
    const { core, model, count, work, size } = this;
    const cap = core.sizeOf("record_bound", bytes.length);
    return core.scope(({ take, put }) => {
      const at = put(bytes);
      const to = take(cap);
      core.call("record_encode", model.at, at, bytes.length, to, cap, count, work, size);
      return core.bytes.slice(to, to + core.number(count));
    });
  }
}

function valueOf(bytes, isText) {
  if (!isText) return bytes;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CorruptError("a record of text is no UTF-8");
  }
}

/** The bytes of a record, of text in UTF-8. */
function octetsOf(record) {
  if (typeof record !== "string") return bytesOf(record, "record");
  if (isWellFormed(record)) return new TextEncoder().encode(record);
  throw new SymbolError("a record has a lone surrogate, which UTF-8 lacks");
}

/** Codes short records, each as a message of its own. */
export class RecordCodec {
  #coding;

  constructor(core, model) {
    this.#coding = new Coding(core, model);
    this.model = model;
  }

  encode(record) {
    this.#check();
    if (this.model.kind === "text" && typeof record !== "string") {
      throw new SymbolError("records of this model are strings");
    }
    return this.#coding.encode(octetsOf(record));
  }

  decode(message, { maxSize = MAX_SIZE } = {}) {
    this.#check();
    const bytes = bytesOf(message, "message");
    const coding = this.#coding;
    const { core, model, work, size } = coding;
    return core.scope(({ put }) => {
      const at = put(bytes);
      return coding.decode(
        (record, cap, count) =>
          core.raw("record_decode", model.at, at, bytes.length, record, cap, count, work, size),
        maxSize,
        model.kind === "text",
      );
    });
  }

  #check() {
    if (this.#coding.freed) throw new ModelError("the codec has been freed");
    this.model.check();
  }

  /** Free the workspace; the model is the caller's. */
  free() {
    this.#coding.free();
  }
}

/** A file of records, each read by its number. */
export class Records extends Owner {
  #file;
  #coding;
  #own;

  constructor(core, bytes, { model } = {}) {
    super(core);
    try {
      this.#open(bytesOf(bytes, "a record file"));
      this.#choose(model);
    } catch (error) {
      this.free();
      throw error;
    }
  }

  #open(bytes) {
    const { core } = this;
    const at = this.own(core.put(bytes));
    this.#file = this.own(core.struct("bbans_records"));
    const status = core.raw("records_open", this.#file, at, bytes.length);
    if (status !== Status.OK) throw core.error(status, "record file: ");
    const itemsize = core.sizeof("bbans_record_group");
    let groups = core.take(64 * itemsize);
    this.own(groups);
    for (let cap = 64; ; ) {
      const scanned = core.raw("records_scan", this.#file, at, bytes.length, groups, cap);
      if (scanned === Status.OK) break;
      if (scanned !== Status.CAPACITY) throw core.error(scanned, "record file: ");
      const more = this.own(core.take(4 * cap * itemsize));
      core.bytes.copyWithin(more, groups, groups + cap * itemsize);
      this.disown(groups);
      groups = more;
      cap *= 4;
    }
  }

  #member(name) {
    return this.core.get(this.#file, `bbans_records.${name}`);
  }

  /** Take the model in the file, or the caller's. */
  #choose(model) {
    const { core } = this;
    const fingerprint = core.hex(core.at(this.#file, "bbans_records.fingerprint"), 8);
    const at = this.#member("model");
    const given = [model ?? []].flat().find((each) => each.fingerprint === fingerprint);
    if (!given && at === 0) {
      throw new WrongModelError(`records were coded with model ${fingerprint}: pass it as model`);
    }
    if (!given) {
      this.#own = new Model(core, core.bytes.slice(at, at + this.#member("model_bytes")));
      if (this.#own.fingerprint !== fingerprint) {
        throw new CorruptError("the model in the file is another than it names");
      }
    }
    this.model = given ?? this.#own;
    this.#coding = new Coding(core, this.model);
    const terminator = this.#member("terminator");
    this.info = Object.freeze({
      kind: "records",
      holds: this.#member("kind") === 2 ? "text" : "bytes",
      length: this.#member("records"),
      lost: this.#member("lost"),
      groups: this.#member("groups"),
      cut: this.#member("cut") !== 0,
      checksums: this.#member("checksums") !== 0,
      fingerprint,
      modelBytes: this.#member("model_bytes"),
      terminator: core.bytes.slice(terminator, terminator + this.#member("terminator_bytes")),
    });
  }

  /** How many records there are. */
  get length() {
    return this.info.length;
  }

  /** Record k; from the last for k < 0. */
  get(k, { maxSize = MAX_SIZE } = {}) {
    this.#check();
    const at = k < 0 ? this.length + k : k;
    if (!Number.isInteger(k) || at < 0 || at >= this.length) {
      throw new RangeError(`there is no record ${k} among ${this.length}`);
    }
    this.model.check();
    const { core } = this;
    const { work, size } = this.#coding;
    try {
      return this.#coding.decode(
        (record, cap, count) =>
          core.raw(
            "records_get", this.#file, BigInt(at), this.model.at, record, cap, count, work, size,
          ), // prettier-ignore
        maxSize,
        this.info.holds === "text",
      );
    } catch (error) {
      if (error instanceof BbansError) error.message = `record ${k}: ${error.message}`;
      throw error;
    }
  }

  #check() {
    if (this.freed) throw new ModelError("the records have been freed");
  }

  /** All records as the bytes of one text, as they were before they were packed. */
  text(options) {
    this.#check();
    const { core } = this;
    const { terminator, groups } = this.info;
    const parts = [];
    core.scope(({ struct }) => {
      const group = struct("bbans_record_place");
      const member = (name) => core.get(group, `bbans_record_place.${name}`);
      for (let g = 0; g < groups; g++) {
        core.call("records_group", this.#file, g, group);
        const first = member("first");
        const end = first + member("records");
        for (let k = first; k < end; k++) {
          const record = this.get(k, options);
          const bytes = typeof record === "string" ? new TextEncoder().encode(record) : record;
          parts.push(bytes, terminator);
        }
        if (member("unterminated") !== 0) parts.pop();
      }
    });
    return joined(parts, Uint8Array);
  }

  *[Symbol.iterator]() {
    for (let k = 0; k < this.length; k++) yield this.get(k);
  }

  free() {
    super.free();
    this.#coding?.free();
    this.#own?.free();
  }
}

/** Records of a group at the most, and bytes of its messages from which on it ends. */
const GROUP_RECORDS = 256;
const GROUP_BYTES = 1 << 16;
const TERMINATOR_MAX = 16;
const KIND_BYTES = 1;
const KIND_TEXT = 2;
const STORED = 255;

/** Write a file of records: see bbans.d.ts. */
export function writeRecords(core, records, model, options = {}) {
  const { checksums = false, embed = true, terminator = "\n" } = options;
  const all = Array.from(records);
  const isText = all.length > 0 ? typeof all[0] === "string" : model.kind === "text";
  const odd = all.findIndex((record) => (typeof record === "string") !== isText);
  if (odd >= 0) throw new SymbolError(`record ${odd} is of another type than the first`);
  const coding = new Coding(core, model);
  try {
    const parts = [headerOf(core, model, { isText, checksums, embed, terminator })];
    let at = parts[0].length;
    let first = 0;
    for (const group of groupsOf(all, (record) => messageOf(coding, octetsOf(record), isText))) {
      parts.push(groupOf(core, group, at, first, checksums));
      at += parts.at(-1).length;
      first += group.length;
    }
    return joined(parts, Uint8Array);
  } finally {
    coding.free();
  }
}

/** The message of a record; of bytes under a model of text, if they are text. */
function messageOf(coding, bytes, isText) {
  if (!isText && coding.model.kind === "text") {
    try {
      valueOf(bytes, true);
    } catch {
      return Uint8Array.of(STORED, ...bytes);
    }
  }
  return coding.encode(bytes);
}

function headerOf(core, model, { isText, checksums, embed, terminator }) {
  const end = octetsOf(terminator);
  if (end.length > TERMINATOR_MAX) {
    throw new ModelError(`terminator has ${end.length} bytes, and may have ${TERMINATOR_MAX}`);
  }
  const file = embed ? model.toBytes({ packed: true }) : new Uint8Array();
  const kind = isText ? KIND_TEXT : KIND_BYTES;
  return core.scope(({ take, put }) => {
    const cap = core.sizeOf("records_header_bytes", end.length, file.length);
    const fingerprint = core.at(model.at, "bbans_model.fingerprint");
    const [to, count] = [take(cap), take(4)];
    core.call(
      "records_put_header", kind, checksums ? 1 : 0, fingerprint, put(end), end.length,
      embed ? put(file) : 0, file.length, to, cap, count,
    ); // prettier-ignore
    return core.bytes.slice(to, to + core.number(count));
  });
}

/** Yield the messages of each group. */
function* groupsOf(records, encode) {
  let group = [];
  let size = 0;
  for (const record of records) {
    if (group.length === GROUP_RECORDS || size >= GROUP_BYTES) {
      yield group;
      group = [];
      size = 0;
    }
    group.push(encode(record));
    size += group.at(-1).length;
  }
  if (group.length > 0) yield group;
}

function groupOf(core, messages, at, first, checksums) {
  const ends = [];
  for (const message of messages) ends.push((ends.at(-1) ?? 0) + message.length);
  return core.scope(({ take, put }) => {
    const n = messages.length;
    const has = checksums ? 1 : 0;
    const cap = core.sizeOf("records_group_bytes", n, ends.at(-1), has);
    const [to, count] = [take(cap), take(4)];
    const all = put(joined(messages, Uint8Array));
    core.call(
      "records_put_group", BigInt(at), BigInt(first), all, put(Uint32Array.from(ends)), n, has,
      0, to, cap, count,
    ); // prettier-ignore
    return core.bytes.slice(to, to + core.number(count));
  });
}
