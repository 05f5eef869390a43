/**
 * Blocks of files in pieces: bytes, numbers and tables (docs/format.md, "Pieces").
 *
 * The C library decodes all of them but those with tables, for which this file is.
 *
 * SPDX-License-Identifier: MIT
 */
import { Cursor, decodeBytes, decodeFloats, decodeSignal } from "./blocks.js";
import * as elements from "./elements.js";
import { decodeTable } from "./tables.js";

const PLAIN = 0;
const CODED = 1;
const TABLE = 2;
const INT24 = 8;
const INT32 = 21;
const FIRST_INTEGER = 16;
const LAST_INTEGER = 23;
const BIG_ENDIAN = 0x80;
const PLANAR = 0x40;

/** Restore the `size` bytes of a block. */
export function decodePieces(core, block, size) {
  const out = new Uint8Array(size);
  const cursor = new Cursor(block, "a piece");
  let at = 0;
  while (!cursor.isAtEnd) {
    const code = cursor.byte();
    const n = cursor.uvarint();
    const piece = cursor.take(cursor.uvarint());
    const bytes = n * bytesOfElement(code, cursor);
    if (bytes === 0 || bytes > size - at) cursor.fail("is longer than its block");
    out.set(decodePiece(core, code, piece, n), at);
    at += bytes;
  }
  if (at !== size) cursor.fail("is missing in its block");
  return out;
}

function bytesOfElement(code, cursor) {
  if (code <= TABLE) return 1;
  const element = code & ~(BIG_ENDIAN | PLANAR);
  if (element === INT24) return 3;
  const isInteger = element >= FIRST_INTEGER && element <= LAST_INTEGER;
  if (!isInteger && !elements.isFloat(element)) cursor.fail("has a code that is not known");
  return elements.typeOf(element).BYTES_PER_ELEMENT;
}

function decodePiece(core, code, piece, n) {
  if (code === PLAIN) {
    if (piece.length !== n) new Cursor(piece, "a piece").fail("has an impossible length");
    return piece;
  }
  if (code === CODED) return decodeBytes(core, piece, n);
  if (code === TABLE) return decodeTable(core, piece, n);
  return decodeNumbers(core, code, piece, n);
}

function decodeNumbers(core, code, piece, n) {
  const element = code & ~(BIG_ENDIAN | PLANAR);
  const cursor = new Cursor(piece, "a piece of numbers");
  let channels = 1;
  let block = piece;
  if (code & PLANAR) {
    channels = cursor.uvarint();
    if (channels === 0 || n % channels !== 0) cursor.fail("has an impossible number of channels");
    block = cursor.rest();
  }
  const Type = element === INT24 ? Int32Array : elements.typeOf(element);
  let values;
  if (elements.isFloat(element)) values = decodeFloats(core, element, Type, block, n);
  else values = decodeSignal(core, element === INT24 ? INT32 : element, Type, block, n);
  if (channels > 1) values = byChannel(values, channels);
  const width = element === INT24 ? 3 : Type.BYTES_PER_ELEMENT;
  if (element === INT24 && values.some((value) => value !== (value << 8) >> 8)) {
    cursor.fail("has a value beyond 24 bits");
  }
  return ordered(values, width, (code & BIG_ENDIAN) !== 0);
}

/** The first values of all steps, then the second ones, and so on. */
function byChannel(values, channels) {
  const steps = values.length / channels;
  const out = new values.constructor(values.length);
  for (let t = 0, i = 0; t < steps; t++)
    for (let c = 0; c < channels; c++) out[c * steps + t] = values[i++];
  return out;
}

/** The lower bytes of each element, in one byte order or the other. */
function ordered(values, width, bigEndian) {
  const itemsize = values.BYTES_PER_ELEMENT;
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (itemsize === width && !bigEndian) return bytes;
  const out = new Uint8Array(width * values.length);
  for (let i = 0; i < values.length; i++)
    for (let k = 0; k < width; k++) {
      out[i * width + (bigEndian ? width - 1 - k : k)] = bytes[i * itemsize + k];
    }
  return out;
}
