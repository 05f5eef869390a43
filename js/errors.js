/**
 * The errors that bbans throws on purpose: one family, named as in Python.
 *
 * SPDX-License-Identifier: MIT
 */

/** Base of all errors thrown on purpose; `status` is the C library's code, or null. */
export class BbansError extends Error {
  constructor(text, status = null) {
    super(text);
    this.name = new.target.name;
    this.status = status;
  }
}

/** Arguments, settings or models that no code can be built from. */
export class ModelError extends BbansError {}
/** Data that the model cannot code: a symbol outside its alphabet. */
export class SymbolError extends ModelError {}
/** Too few bits in the message for a pop, or no room for a push. */
export class MessageError extends BbansError {}
/** Data that would decode to more bytes than the caller, or this machine, allows. */
export class LimitError extends BbansError {}
/** Bytes that are not what they should be; the subclasses say how. */
export class FormatError extends BbansError {}
/** A format version, or a code, that this release cannot read. */
export class VersionError extends FormatError {}
/** Data that another model wrote. */
export class WrongModelError extends FormatError {}
/** Data that ends too early. */
export class TruncatedError extends FormatError {}
/** Data that no encoder wrote: damaged, or decoded with another model or length. */
export class CorruptError extends FormatError {}

/** The status codes of csrc/bbans.h. */
export const Status = Object.freeze({
  OK: 0,
  NULL: -1,
  PRECISION: -2,
  INTERVAL: -3,
  CAPACITY: -4,
  UNDERFLOW: -5,
  TOTAL: -6,
  STATE: -7,
  TABLE: -8,
  SYMBOL: -9,
  CORRUPT: -10,
  SIZE: -11,
  TRUNCATED: -12,
  FORMAT: -13,
  VERSION: -14,
  WRONG_MODEL: -15,
  TYPE: -16,
});

const CLASSES = new Map([
  [Status.PRECISION, ModelError],
  [Status.INTERVAL, ModelError],
  [Status.CAPACITY, MessageError],
  [Status.UNDERFLOW, MessageError],
  [Status.TOTAL, ModelError],
  [Status.STATE, MessageError],
  [Status.TABLE, ModelError],
  [Status.SYMBOL, SymbolError],
  [Status.CORRUPT, CorruptError],
  [Status.SIZE, ModelError],
  [Status.TRUNCATED, TruncatedError],
  [Status.FORMAT, FormatError],
  [Status.VERSION, VersionError],
  [Status.WRONG_MODEL, WrongModelError],
  [Status.TYPE, SymbolError],
]);

/** The error of a status code. */
export function errorOf(status, text) {
  return new (CLASSES.get(status) ?? BbansError)(text, status);
}
