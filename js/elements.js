/**
 * The elements that containers hold, and the typed arrays that JavaScript has for them.
 *
 * SPDX-License-Identifier: MIT
 */
import { ModelError, SymbolError } from "./errors.js";

export const BYTES = 0;
export const UTF8 = 1;
export const CHARACTERS = 2;

/** Arrays by their names in numpy: code, and the array of JavaScript. Floats that it lacks,
 * or that some engines lack, are unsigned integers of their bits. */
const ARRAYS = {
  uint8: { code: 16, Type: Uint8Array },
  int8: { code: 17, Type: Int8Array },
  uint16: { code: 18, Type: Uint16Array },
  int16: { code: 19, Type: Int16Array },
  uint32: { code: 20, Type: Uint32Array },
  int32: { code: 21, Type: Int32Array },
  uint64: { code: 22, Type: BigUint64Array },
  int64: { code: 23, Type: BigInt64Array },
  bool: { code: 24, Type: Uint8Array },
  datetime64: { code: 25, Type: BigInt64Array },
  timedelta64: { code: 26, Type: BigInt64Array },
  float16: { code: 27, Type: Uint16Array },
  float32: { code: 28, Type: Float32Array },
  float64: { code: 29, Type: Float64Array },
  bfloat16: { code: 30, Type: Uint16Array },
  float8_e4m3fn: { code: 31, Type: Uint8Array },
  float8_e5m2: { code: 32, Type: Uint8Array },
};

/** The most units that an element counts, as in numpy. */
const MULTIPLIER_MAX = 2 ** 31 - 1;
const UNITS = ["generic", "Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"];

const BY_CODE = new Map(
  Object.entries(ARRAYS).map(([name, { code, Type }]) => [code, { name, Type }]),
);

/** The arrays whose type alone says what they hold. */
// prettier-ignore
const PLAIN = [
  "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32",
  "float64",
].map((name) => ARRAYS[name]);

/** The array of an element's code. */
export function typeOf(element) {
  if (element === CHARACTERS) return Uint32Array;
  return BY_CODE.get(element)?.Type ?? Uint8Array;
}

/** What numpy calls an element of arrays; undefined for text and bytes. */
export function nameOf(element) {
  return BY_CODE.get(element)?.name;
}

export function isFloat(element) {
  return element >= ARRAYS.float16.code && element <= ARRAYS.float8_e5m2.code;
}

/** The integers that elements of arrays are for coders: those of bool, dates and durations. */
export function integerOf(element) {
  if (element === ARRAYS.bool.code) return ARRAYS.uint8.code;
  return isTime(element) ? ARRAYS.int64.code : element;
}

function isTime(element) {
  return element === ARRAYS.datetime64.code || element === ARRAYS.timedelta64.code;
}

/** Whether it is of the floats that are coded as bytes unless something is said. */
export function isWeight(element) {
  return element >= ARRAYS.bfloat16.code;
}

export function unitName(unit) {
  return UNITS[unit];
}

/** The unit's code and multiplier of an array of dates or durations, zeros of others. */
export function unitOf(element, unit, multiplier = 1) {
  if (!isTime(element)) {
    if (unit !== undefined) throw new ModelError("unit is for dates and durations");
    return { unit: 0, multiplier: 0 };
  }
  const code = UNITS.indexOf(unit ?? "generic");
  if (code < 0) throw new ModelError(`unit must be one of ${UNITS.join(", ")}, not ${unit}`);
  const most = code > 0 ? MULTIPLIER_MAX : 1; // what no unit is said of is not counted
  if (!Number.isInteger(multiplier) || multiplier < 1 || multiplier > most) {
    throw new ModelError(`multiplier must be an integer from 1 to ${most}, not ${multiplier}`);
  }
  return { unit: code, multiplier };
}

/** The code of an array: by its type, or by the name of what its bits are. */
export function codeOf(array, dtype) {
  if (dtype === undefined) {
    if (array instanceof Uint8ClampedArray) return ARRAYS.uint8.code;
    if (globalThis.Float16Array && array instanceof Float16Array) return ARRAYS.float16.code;
    for (const { code, Type } of PLAIN) if (array instanceof Type) return code;
    throw new SymbolError("data must be text, bytes or a typed array of numbers");
  }
  const known = Object.hasOwn(ARRAYS, dtype) ? ARRAYS[dtype] : undefined;
  if (!known) {
    throw new ModelError(`dtype must be one of ${Object.keys(ARRAYS).join(", ")}, not ${dtype}`);
  }
  const { name, BYTES_PER_ELEMENT: bytes } = known.Type;
  if (array.BYTES_PER_ELEMENT !== bytes) {
    throw new SymbolError(
      `${dtype} takes elements of ${bytes} bytes, as of ${name}, not of ${array.constructor.name}`,
    );
  }
  return known.code;
}

/** Whether a string has no lone surrogates, which UTF-8 lacks. */
export function isWellFormed(text) {
  return text.isWellFormed?.() ?? !/\p{Surrogate}/u.test(text);
}

/** The code points of a string, lone surrogates among them. */
export function codePoints(text) {
  const points = new Uint32Array(text.length);
  let n = 0;
  for (const character of text) points[n++] = character.codePointAt(0);
  return points.subarray(0, n);
}

/** The string of code points. */
export function fromCodePoints(points) {
  let text = "";
  for (let i = 0; i < points.length; i += 8192) {
    text += String.fromCodePoint(...points.subarray(i, i + 8192));
  }
  return text;
}

/** A shape whose first axis moves to `axis`. */
export function shapeFromFront(shape, axis) {
  if (axis === 0) return shape;
  return [...shape.slice(1, axis + 1), shape[0], ...shape.slice(axis + 1)];
}

/** An array whose first axis, of `shape`, moves to `axis`: elements in C order. */
export function fromFront(array, shape, axis) {
  if (axis === 0 || array.length === 0) return array;
  const before = product(shape.slice(1, axis + 1));
  const behind = product(shape.slice(axis + 1));
  const moved = new array.constructor(array.length);
  each(shape[0], before, behind, (front, inside) => {
    moved.set(array.subarray(front, front + behind), inside);
  });
  return moved;
}

/** An array whose axis `axis`, of `shape`, moves to the front: the inverse. */
export function toFront(array, shape, axis) {
  if (array.length === 0) return array; // though an axis may be endless
  const before = product(shape.slice(0, axis));
  const behind = product(shape.slice(axis + 1));
  const moved = new array.constructor(array.length);
  each(shape[axis], before, behind, (front, inside) => {
    moved.set(array.subarray(inside, inside + behind), front);
  });
  return moved;
}

/** Where runs of `behind` elements lie, with an axis of n in front and inside. */
function each(n, before, behind, call) {
  for (let i = 0; i < n; i++)
    for (let b = 0; b < before; b++) call((i * before + b) * behind, (b * n + i) * behind);
}

export function product(lengths) {
  return lengths.reduce((a, b) => a * b, 1);
}
