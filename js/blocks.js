/**
 * Parts of blocks: numbers and bytes in an order, and the C library's coders of blocks.
 *
 * SPDX-License-Identifier: MIT
 */
import { CorruptError } from "./errors.js";

/** Bytes of a number at the most: it is below 2**63. */
const UVARINT_BYTES = 9;

/** Reads bytes from front to back; what errors call them is `name`. */
export class Cursor {
  #bytes;
  #at = 0;

  constructor(bytes, name) {
    this.#bytes = bytes;
    this.name = name;
  }

  fail(text) {
    throw new CorruptError(`${this.name} ${text}`);
  }

  get isAtEnd() {
    return this.#at === this.#bytes.length;
  }

  byte() {
    return this.take(1)[0];
  }

  take(n) {
    if (n > this.#bytes.length - this.#at) this.fail("ends early");
    this.#at += n;
    return this.#bytes.subarray(this.#at - n, this.#at);
  }

  /** All that is left. */
  rest() {
    return this.#bytes.subarray(this.#at);
  }

  /** An unsigned number in its shortest form, as a BigInt. */
  bigUvarint() {
    let value = 0n;
    for (let i = 0; i < UVARINT_BYTES; i++) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte >= 0x80) continue;
      if (byte === 0 && i > 0) break; // there is a shorter form
      return value;
    }
    return this.fail("has a number that no writer made");
  }

  /** An unsigned number that counts something. */
  uvarint() {
    const value = this.bigUvarint();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) this.fail("has an impossible length");
    return Number(value);
  }
}

/** Decode a block of section Bytes that holds n bytes. */
export function decodeBytes(core, block, n) {
  return core.scope(({ take, put }) => {
    const at = put(block);
    const count = take(4);
    core.call("bytes_size", at, block.length, count);
    if (core.number(count) !== n) throw new CorruptError("a block of bytes has another length");
    const size = core.raw("bytes_work_bytes", n) >>> 0;
    const work = take(size);
    const to = take(n);
    core.call("bytes_decompress", at, block.length, to, n, count, work, size);
    return core.bytes.slice(to, to + n);
  });
}

/** Decode a block of section Signal that holds n elements. */
export function decodeSignal(core, element, Type, block, n) {
  return core.scope(({ take, put }) => {
    const at = put(block);
    const size = core.sizeOf("signal_decoder_bytes", n);
    const to = take(n * Type.BYTES_PER_ELEMENT);
    core.call("signal_decompress", element, 0, at, block.length, to, n, take(size), size);
    return core.view(Type, to, n).slice();
  });
}

/** Decode a block of section Floats that holds n elements. */
export function decodeFloats(core, element, Type, block, n) {
  return core.scope(({ take, put }) => {
    const at = put(block);
    const size = core.sizeOf("float_decoder_bytes", element, n);
    const to = take(n * Type.BYTES_PER_ELEMENT);
    core.call("float_decompress", element, at, block.length, to, n, take(size), size);
    return core.view(Type, to, n).slice();
  });
}
