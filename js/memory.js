/**
 * Who owns memory of the module, and how bytes get in and out of it.
 *
 * SPDX-License-Identifier: MIT
 */
import { LimitError, ModelError } from "./errors.js";

/** Bytes of a block's elements at the most. */
export const BLOCK_BYTES_MAX = 1 << 24;
/** Bytes that are moved at a time, where there is a choice. */
export const CHUNK = 1 << 16;

/** Memory of objects that were forgotten without `free`. */
const forgotten = new FinalizationRegistry(({ core, held }) => {
  for (const at of held) core.free(at);
});

/** What owns memory of a module, until it is freed. */
export class Owner {
  #held = [];

  constructor(core) {
    this.core = core;
    forgotten.register(this, { core, held: this.#held }, this);
  }

  /** Keep memory as long as this object. */
  own(at) {
    this.#held.push(at);
    return at;
  }

  /** Give up memory that is owned. */
  disown(at) {
    this.#held.splice(this.#held.indexOf(at), 1);
    this.core.free(at);
  }

  get freed() {
    return this.#held.length === 0;
  }

  /** Free the memory now; the object is of no use then. */
  free() {
    forgotten.unregister(this);
    for (const at of this.#held.splice(0)) this.core.free(at);
  }
}
if (Symbol.dispose) Owner.prototype[Symbol.dispose] = Owner.prototype.free;

/** Memory that grows as it must; what it held is lost then. */
export class Scratch extends Owner {
  #cap = 0;
  #at = 0;

  /** Room for n bytes. */
  room(n) {
    if (n <= this.#cap) return this.#at;
    if (this.#cap > 0) this.disown(this.#at);
    this.#cap = 0;
    this.#at = this.own(this.core.take(n));
    this.#cap = n;
    return this.#at;
  }

  get cap() {
    return this.#cap;
  }
}

/** Bytes on their way into the module, of which those in front are taken away. */
export class Input extends Owner {
  #at;
  #cap = CHUNK;
  #start = 0;
  #end = 0;

  constructor(core) {
    super(core);
    this.ended = false; // whether no more will come
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
    if (this.#end + bytes.length > this.#cap) this.#move(this.length + bytes.length);
    this.core.bytes.set(bytes, this.#at + this.#end);
    this.#end += bytes.length;
  }

  /** Move what is left to the front of room for n bytes. */
  #move(n) {
    const { at, length, core } = this;
    const old = this.#at;
    if (n > this.#cap) {
      this.#cap = Math.max(n, Math.min(2 * this.#cap, BLOCK_BYTES_MAX));
      this.#at = this.own(core.take(this.#cap));
    }
    core.bytes.copyWithin(this.#at, at, at + length);
    if (this.#at !== old) this.disown(old);
    this.#start = 0;
    this.#end = length;
  }
}

/** The whole bytes of a `maxSize`. */
export function limitOf(maxSize) {
  if (typeof maxSize === "number" && maxSize >= 0) return Math.floor(maxSize);
  throw new ModelError(`maxSize must be a number of bytes, not ${maxSize}`);
}

/** Iterate over a ReadableStream, which not all engines can, or over anything else. */
export function iterated(source) {
  if (source?.[Symbol.asyncIterator]) return source[Symbol.asyncIterator]();
  if (source?.[Symbol.iterator]) return source[Symbol.iterator]();
  if (!source?.getReader) throw new TypeError("source must be a ReadableStream or iterable");
  const reader = source.getReader();
  return {
    next: () => reader.read(),
    return: async () => {
      await reader.cancel();
      reader.releaseLock();
    },
  };
}

/** Leave what is iterated over before its end. */
export async function leave(chunks) {
  try {
    await chunks.return?.();
  } catch {
    // which would hide why it was left
  }
}

/** Arrays one behind the other. */
export function joined(arrays, Type) {
  if (arrays.length === 1) return arrays[0];
  let n = 0;
  for (const array of arrays) n += array.length;
  const all = allocated(Type, n);
  n = 0;
  for (const array of arrays) {
    all.set(array, n);
    n += array.length;
  }
  return all;
}

/** An array of n elements outside of the module. */
export function allocated(Type, n) {
  try {
    return new Type(n);
  } catch {
    throw new LimitError(`there is no memory for ${n} elements`);
  }
}
