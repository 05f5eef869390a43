/**
 * The WebAssembly module: its memory, its structs, and calls of the C library.
 *
 * The C library allocates nothing, so memory is handed out here, outside of the module's
 * reach: whatever a call does to its memory, who owns which bytes stays known.
 *
 * SPDX-License-Identifier: MIT
 */
import { BbansError, errorOf, LimitError, ModelError, Status } from "./errors.js";

const PAGE = 65536;
const ALIGNMENT = 16;

/** Memory of a module, first fit. Free ranges lie in order, and never side by side. */
class Heap {
  #memory;
  #free;
  #sizes = new Map();

  constructor(memory, base) {
    this.#memory = memory;
    const start = Math.ceil(base / ALIGNMENT) * ALIGNMENT;
    this.#free = [{ at: start, size: memory.buffer.byteLength - start }];
  }

  /** Bytes that are in use. */
  get used() {
    let n = 0;
    for (const size of this.#sizes.values()) n += size;
    return n;
  }

  /** Take n bytes: their address, which is never 0. */
  take(n) {
    const size = Math.max(Math.ceil(n / ALIGNMENT), 1) * ALIGNMENT;
    let i = this.#free.findIndex((range) => range.size >= size);
    if (i < 0) i = this.#grow(size);
    const range = this.#free[i];
    const { at } = range;
    range.at += size;
    range.size -= size;
    if (range.size === 0) this.#free.splice(i, 1);
    this.#sizes.set(at, size);
    return at;
  }

  give(at) {
    const size = this.#sizes.get(at);
    this.#sizes.delete(at);
    this.#insert(at, size);
  }

  #insert(at, size) {
    const free = this.#free;
    let i = free.findIndex((range) => range.at > at);
    if (i < 0) i = free.length;
    free.splice(i, 0, { at, size });
    for (const k of [i, i - 1]) {
      if (k >= 0 && k + 1 < free.length && free[k].at + free[k].size === free[k + 1].at) {
        free[k].size += free[k + 1].size;
        free.splice(k + 1, 1);
      }
    }
  }

  #grow(size) {
    const end = this.#memory.buffer.byteLength;
    const last = this.#free.at(-1);
    const more = last && last.at + last.size === end ? size - last.size : size;
    const pages = Math.ceil(more / PAGE);
    try {
      if (!(pages <= PAGE)) throw new RangeError("more than 4 GiB");
      this.#memory.grow(pages);
    } catch {
      throw new LimitError(`there is no memory for ${size} bytes more`);
    }
    this.#insert(end, pages * PAGE);
    return this.#free.length - 1;
  }
}

/** What is read from a module's table of members. */
function readLayout(buffer, at) {
  const members = new Map();
  const view = new DataView(buffer);
  for (; ; at += 12) {
    const name = view.getUint32(at, true);
    if (name === 0) return members;
    members.set(textAt(buffer, name), {
      offset: view.getUint32(at + 4, true),
      size: view.getUint32(at + 8, true),
    });
  }
}

function textAt(buffer, at) {
  const bytes = new Uint8Array(buffer, at);
  return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
}

export class Core {
  #exports;
  #layout;
  #heap;
  #bytes;

  constructor(instance) {
    this.#exports = instance.exports;
    this.#exports._initialize?.();
    const { memory } = this.#exports;
    this.#layout = readLayout(memory.buffer, this.#exports.bbans_js_layout());
    this.#heap = new Heap(memory, this.#exports.__heap_base.value);
    this.#bytes = new Uint8Array(memory.buffer);
    this.#exports.bbans_isa_use?.(100); // BBANS_ISA_BEST
  }

  /** Whether this module has a function of the C library. */
  has(name) {
    return `bbans_${name}` in this.#exports;
  }

  /** Bytes that are allocated in the module's memory. */
  get used() {
    return this.#heap.used;
  }

  /** Bytes of the module's memory, which never shrinks. */
  get size() {
    return this.bytes.length;
  }

  /** Call a function of the C library; what it returns. */
  raw(name, ...args) {
    const call = this.#exports[`bbans_${name}`] ?? lacking(`bbans_${name}`);
    const pointer = this.#exports.__stack_pointer;
    const stack = pointer.value;
    try {
      return call(...args);
    } catch (error) {
      pointer.value = stack; // or the next call would have less of it
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      throw new BbansError(`bbans_${name} failed: ${error.message}. Please report this`);
    }
  }

  /** Call a function that returns a size, of which 0 says that there is none. */
  sizeOf(name, ...args) {
    const n = this.raw(name, ...args) >>> 0;
    if (n === 0) throw new LimitError(`${name.replaceAll("_", " ")} would not fit in memory`);
    return n;
  }

  /** Call a function that returns a status, which is thrown if it is an error. */
  call(name, ...args) {
    const status = this.raw(name, ...args);
    if (status !== Status.OK) throw this.error(status);
  }

  /** The error of a status. */
  error(status, before = "") {
    const text = textAt(this.#exports.memory.buffer, this.#exports.bbans_status_text(status));
    return errorOf(status, before + text);
  }

  /** All of the memory, valid until something is allocated. */
  get bytes() {
    if (this.#bytes.length === 0) this.#bytes = new Uint8Array(this.#exports.memory.buffer);
    return this.#bytes;
  }

  /** A view of n elements at an address, valid until something is allocated. */
  view(Type, at, n) {
    return new Type(this.#exports.memory.buffer, at, n);
  }

  /** Allocate n bytes until they are freed. */
  take(n) {
    return this.#heap.take(n);
  }

  free(at) {
    this.#heap.give(at);
  }

  /** Allocate and fill with the bytes of an array. */
  put(array, more = 0) {
    const at = this.take(array.byteLength + more);
    this.bytes.set(bytesOf(array), at);
    return at;
  }

  /** Call `work` with an allocator whose memory is freed when it returns. */
  scope(work) {
    const held = [];
    const hold = (at) => {
      held.push(at);
      return at;
    };
    try {
      return work({
        take: (n) => hold(this.take(n)),
        put: (array, more) => hold(this.put(array, more)),
        struct: (type) => hold(this.struct(type)),
      });
    } finally {
      for (const at of held) this.free(at);
    }
  }

  /** Allocate a struct of zeros. */
  struct(type) {
    const size = this.sizeof(type);
    const at = this.take(size);
    this.bytes.fill(0, at, at + size);
    return at;
  }

  sizeof(type) {
    return (this.#layout.get(type) ?? lacking(type)).size;
  }

  /** A member of a struct, of an array element i: a number, exact below 2**53. */
  get(at, member, i = 0) {
    const { offset, size } = this.#layout.get(member);
    const view = new DataView(this.#exports.memory.buffer, at + offset + i * size, size);
    if (size === 8) return Number(view.getBigUint64(0, true));
    return size === 4 ? view.getUint32(0, true) : view.getUint8(0);
  }

  set(at, member, value) {
    const { offset, size } = this.#layout.get(member);
    const view = new DataView(this.#exports.memory.buffer, at + offset, size);
    if (size === 8) view.setBigUint64(0, BigInt(value), true);
    else view.setUint32(0, value, true);
  }

  /** The address of a member. */
  at(struct, member) {
    return struct + this.#layout.get(member).offset;
  }

  /** A size_t at an address. */
  number(at) {
    return new DataView(this.#exports.memory.buffer, at, 4).getUint32(0, true);
  }

  hex(at, n) {
    const bytes = this.bytes.subarray(at, at + n);
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  text(at) {
    return textAt(this.#exports.memory.buffer, at);
  }
}

function lacking(name) {
  throw new ModelError(`this module lacks ${name}: load bbans.wasm, which has all`);
}

/** The bytes of any view or buffer. */
export function bytesOf(data, name = "data") {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  const Shared = globalThis.SharedArrayBuffer; // pages may lack it
  if (Shared && data instanceof Shared) return new Uint8Array(data);
  throw new TypeError(`${name} must be a Uint8Array or other view of bytes, not ${typeof data}`);
}

const imports = {}; // the modules need nothing from their host

/** Make an instance of a module, from wherever it is. */
export async function instantiate(source) {
  const instance = await instanceOf(await source);
  return new Core(instance);
}

async function instanceOf(source) {
  if (source instanceof WebAssembly.Module) return WebAssembly.instantiate(source, imports);
  if (ArrayBuffer.isView(source) || source instanceof ArrayBuffer) {
    return (await WebAssembly.instantiate(source, imports)).instance;
  }
  if (typeof Response !== "undefined" && source instanceof Response) return fromResponse(source);
  const url = source instanceof URL ? source : new URL(source, globalThis.location?.href);
  if (url.protocol === "file:" && globalThis.process?.versions?.node) {
    const module = "node:fs/promises"; // a name that bundlers for browsers do not follow
    const { readFile } = await import(/* webpackIgnore: true */ /* @vite-ignore */ module);
    return (await WebAssembly.instantiate(await readFile(url), imports)).instance;
  }
  return fromResponse(await fetch(url));
}

async function fromResponse(response) {
  if (!response.ok) {
    throw new BbansError(`${response.url} cannot be loaded: HTTP status ${response.status}`);
  }
  const type = response.headers.get("Content-Type") ?? "";
  if (WebAssembly.instantiateStreaming && type.startsWith("application/wasm")) {
    return (await WebAssembly.instantiateStreaming(response, imports)).instance;
  }
  return (await WebAssembly.instantiate(await response.arrayBuffer(), imports)).instance;
}
