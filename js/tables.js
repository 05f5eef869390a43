/**
 * Tables of text: lines of cells, coded by column (docs/format.md, "Tables").
 *
 * SPDX-License-Identifier: MIT
 */
import { Cursor, decodeBytes, decodeSignal } from "./blocks.js";
import { CorruptError } from "./errors.js";

/** Limits of a table; its bytes are those of the piece that it is. */
const BYTES_MAX = 1 << 22;
const LINES_MAX = 1 << 18;
const COLUMNS_MAX = 1 << 10;
const CHANNELS_BYTES_MAX = 1 << 24;
const DEPTH = 3;
const LISTED_MAX = 64;
const VALUE_MAX = 1n << 62n;
const DIGITS_MAX = 18;
const NUMBER_BYTES_MAX = 40;
const FIELDS_MAX = 32;
const YEARS = 10000;
const DAY_MS = 86400000;

const INT64 = 23;
const LINE_FEED = 10;
const ENDS = [new Uint8Array([10]), new Uint8Array([13, 10])];

/** Forms of integers, and of columns with their flags. */
const SIGNAL = 0;
const OCTETS = 1;
const RUNS = 2;
const PERIOD = 3;
const LISTED = 4;
const TEXT = 0;
const WORDS = 1;
const NUMBERS = 2;
const PATTERN = 3;
const JOINT = 0x80;
const EXPLICIT = 0x40;

/** Cells, one behind the other. */
class Cells {
  #bytes = new Uint8Array(256);
  #ends;
  #n = 0;
  #at = 0;

  /** n cells that will be appended, of at most `limit` bytes together. */
  constructor(n, limit) {
    this.#ends = new Uint32Array(n);
    this.limit = limit;
  }

  get bytes() {
    return this.#at;
  }

  append(bytes) {
    this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Append text of ASCII. */
  write(text) {
    this.#grow(text.length);
    for (let i = 0; i < text.length; i++) this.#bytes[this.#at++] = text.charCodeAt(i);
  }

  #grow(n) {
    if (this.#at + n > this.limit) throw new CorruptError("a column is longer than the table");
    if (this.#at + n <= this.#bytes.length) return;
    const old = this.#bytes;
    this.#bytes = new Uint8Array(Math.min(2 * (this.#at + n), this.limit));
    this.#bytes.set(old);
  }

  /** The cell is complete. */
  end() {
    this.#ends[this.#n++] = this.#at;
  }

  /** All bytes. */
  all() {
    return this.#bytes.slice(0, this.#at);
  }

  at(k) {
    return this.#bytes.subarray(k === 0 ? 0 : this.#ends[k - 1], this.#ends[k]);
  }
}

/** Restore the `size` bytes of a table. */
export function decodeTable(core, data, size) {
  const cursor = new Cursor(data, "a table");
  const [lines, columns] = [cursor.uvarint(), cursor.uvarint()];
  const delimiter = cursor.take(1);
  const end = ENDS[cursor.byte()];
  const others = cursor.uvarint();
  const rows = lines - others;
  const possible =
    size <= BYTES_MAX &&
    end !== undefined &&
    columns >= 1 &&
    columns <= COLUMNS_MAX &&
    rows >= 1 &&
    lines <= LINES_MAX &&
    lines + rows * (columns - 1) <= size;
  if (!possible) cursor.fail("has impossible lengths");
  const table = new Table(core, cursor, rows, size);
  const places = others > 0 ? placesOf(table.integers(others), lines, cursor) : [];
  const irregular = others > 0 ? table.strings(others) : undefined;
  table.readChannels(columns);
  const cells = Array.from({ length: columns }, () => table.column());
  if (!cursor.isAtEnd || table.hasChannels) cursor.fail("has more than its columns");
  const out = new Cells(0, size);
  for (let line = 0, row = 0, other = 0; line < lines; line++) {
    if (places[other] === line) {
      out.append(irregular.at(other++));
      out.append(ENDS[0]);
      continue;
    }
    for (let k = 0; k < columns; k++) {
      if (k > 0) out.append(delimiter);
      out.append(cells[k].at(row));
    }
    out.append(end);
    row++;
  }
  if (out.bytes !== size) cursor.fail(`has ${out.bytes} bytes and not ${size}`);
  return out.all();
}

/** The numbers of lines, of which all but the first are counted from the one before. */
function placesOf(steps, lines, cursor) {
  const places = [];
  let place = 0n;
  for (const step of steps) {
    place += step;
    if (place < 0n || place >= BigInt(lines) || (places.length > 0 && step < 1n)) {
      cursor.fail("has lines out of place");
    }
    places.push(Number(place));
  }
  return places;
}

/** A table whose parts are read from front to back. */
class Table {
  #core;
  #cursor;
  #rows;
  #limit;
  #left; // bytes, for the cells of all columns that are still to come
  #channels = [];

  constructor(core, cursor, rows, limit) {
    this.#core = core;
    this.#cursor = cursor;
    this.#rows = rows;
    this.#limit = limit;
    this.#left = limit;
  }

  get hasChannels() {
    return this.#channels.length > 0;
  }

  // ---- integers and strings

  /** n bytes, as they are or as a block. */
  #coded(n) {
    const size = this.#cursor.uvarint();
    if (size > n) this.#cursor.fail("is longer than what it holds");
    const data = this.#cursor.take(size);
    return size === n ? data : decodeBytes(this.#core, data, n);
  }

  /** n strings that each end in a line feed. */
  strings(n, limit = this.#limit) {
    const size = this.#cursor.uvarint();
    if (size > limit + n) this.#cursor.fail("has strings that are too long");
    const text = this.#coded(size);
    const cells = new Cells(n, limit);
    let start = 0;
    for (let k = 0; k < n; k++) {
      const end = text.indexOf(LINE_FEED, start);
      if (end < 0) this.#cursor.fail("has too few strings");
      cells.append(text.subarray(start, end));
      cells.end();
      start = end + 1;
    }
    if (start !== text.length) this.#cursor.fail("has too many strings");
    return cells;
  }

  /** n integers, a BigInt64Array. */
  integers(n, depth = DEPTH) {
    if (n === 0) return new BigInt64Array();
    const values = this.#integers(n, depth);
    if (values.some((value) => value >= VALUE_MAX || value <= -VALUE_MAX)) {
      this.#cursor.fail("has a number that is too large");
    }
    return values;
  }

  #integers(n, depth) {
    const cursor = this.#cursor;
    const form = cursor.byte();
    if (form === SIGNAL) return this.#signal(n);
    if (form === OCTETS) {
      const low = this.#signed();
      return BigInt64Array.from(this.#coded(n), (byte) => BigInt(byte) + low);
    }
    if (form === LISTED && n <= LISTED_MAX) {
      return BigInt64Array.from({ length: n }, () => this.#signed());
    }
    if (form === RUNS && depth > 0) {
      const runs = cursor.uvarint();
      if (runs >= 1 && runs <= n) {
        const values = this.integers(runs, depth - 1);
        return this.#repeated(values, this.integers(runs, depth - 1), n);
      }
    }
    if (form === PERIOD && depth > 0) {
      const period = cursor.uvarint();
      if (period >= 1 && period < n) {
        const values = this.integers(period, depth - 1);
        return BigInt64Array.from({ length: n }, (_, i) => values[i % period]);
      }
    }
    return cursor.fail("has integers in a form that is not known");
  }

  #signal(n) {
    const data = this.#cursor.take(this.#cursor.uvarint());
    return decodeSignal(this.#core, INT64, BigInt64Array, data, n);
  }

  #signed() {
    const code = this.#cursor.bigUvarint();
    return code & 1n ? -(code >> 1n) - 1n : code >> 1n;
  }

  #repeated(values, lengths, n) {
    const out = new BigInt64Array(n);
    let at = 0n;
    values.forEach((value, k) => {
      const end = at + lengths[k];
      if (lengths[k] < 1n || end > BigInt(n)) this.#cursor.fail("has runs of impossible lengths");
      out.fill(value, Number(at), Number(end));
      at = end;
    });
    if (at !== BigInt(n)) this.#cursor.fail("has runs of impossible lengths");
    return out;
  }

  // ---- columns

  /** Read the joint signal. */
  readChannels(columns) {
    const n = this.#cursor.uvarint();
    if (n > columns || 8 * this.#rows * n > CHANNELS_BYTES_MAX) {
      this.#cursor.fail("has an impossible number of channels");
    }
    if (n === 0) return;
    const values = this.#signal(this.#rows * n);
    if (values.some((value) => value >= VALUE_MAX || value <= -VALUE_MAX)) {
      this.#cursor.fail("has a number that is too large");
    }
    for (let k = 0; k < n; k++) {
      this.#channels.push(BigInt64Array.from({ length: this.#rows }, (_, t) => values[t * n + k]));
    }
  }

  /** The cells of the next column. */
  column() {
    const cells = this.#column();
    this.#left -= cells.bytes;
    return cells;
  }

  #column() {
    const flags = this.#cursor.byte();
    const form = flags & ~(JOINT | EXPLICIT);
    const hasJoint = form >= NUMBERS || !(flags & JOINT);
    const hasPlaces = form === NUMBERS || !(flags & EXPLICIT);
    if (form > PATTERN || !hasJoint || !hasPlaces) {
      this.#cursor.fail("has a column of a form that is not known");
    }
    if (form === TEXT) return this.strings(this.#rows, this.#left);
    if (form === WORDS) return this.#words();
    return this.#written(form === NUMBERS ? this.#decimal(flags) : this.#pattern(), flags);
  }

  #words() {
    const n = this.#cursor.uvarint();
    if (n < 1 || n > this.#rows) this.#cursor.fail("has an impossible number of words");
    const words = this.strings(n);
    const cells = new Cells(this.#rows, this.#left);
    for (const k of this.integers(this.#rows)) {
      if (k < 0n || k >= BigInt(n)) this.#cursor.fail("has a word that is not listed");
      cells.append(words.at(Number(k)));
      cells.end();
    }
    return cells;
  }

  /** Cells that a form writes from integers, and exceptions between them. */
  #written({ series: count, write }, flags) {
    const rows = this.#rows;
    const wrong = this.#exceptions();
    const n = wrong.regular;
    const series = [];
    if (flags & JOINT) {
      const channel = this.#channels.shift();
      if (!channel) this.#cursor.fail("has too few channels");
      series.push(channel.filter((_, row) => !wrong.has(row)));
    }
    while (series.length < count) series.push(this.integers(n));
    const cells = new Cells(rows, this.#left);
    for (let row = 0, k = 0, other = 0; row < rows; row++) {
      if (wrong.has(row)) cells.append(wrong.cells.at(other++));
      else {
        write(cells, series, k);
        k++;
      }
      cells.end();
    }
    return cells;
  }

  /** Which rows are exceptions, and their cells. */
  #exceptions() {
    const rows = this.#rows;
    const n = this.#cursor.uvarint();
    if (n === 0) return { regular: rows, has: () => false };
    if (n > rows + 1) this.#cursor.fail("has too many exceptions");
    const mask = new Uint8Array(rows);
    let at = 0n;
    this.integers(n).forEach((length, k) => {
      const end = at + length;
      if (length < 0n || end > BigInt(rows)) this.#cursor.fail("has exceptions out of place");
      mask.fill(k % 2, Number(at), Number(end));
      at = end;
    });
    if (at !== BigInt(rows)) this.#cursor.fail("has exceptions out of place");
    const some = mask.reduce((sum, bit) => sum + bit, 0);
    return { regular: rows - some, has: (row) => mask[row] === 1, cells: this.strings(some) };
  }

  // ---- forms of cells

  #decimal(flags) {
    const cursor = this.#cursor;
    const before = cursor.take(cursor.byte());
    const after = cursor.take(cursor.byte());
    const [scale, least, digits, width] = cursor.take(4);
    if (least > scale || scale > DIGITS_MAX || digits > DIGITS_MAX || width > NUMBER_BYTES_MAX) {
      cursor.fail("has numbers in an impossible form");
    }
    const write = (cells, [values, places], k) => {
      const shown = places === undefined ? undefined : Number(places[k]);
      if (shown < 0 || shown > scale) cursor.fail("has an impossible number of decimals");
      cells.append(before);
      cells.write(decimalOf(values[k], { scale, least, digits, width }, shown));
      cells.append(after);
    };
    return { series: flags & EXPLICIT ? 2 : 1, write };
  }

  #pattern() {
    const cursor = this.#cursor;
    const n = cursor.uvarint();
    if (n > 2 * FIELDS_MAX) cursor.fail("has a pattern that is too long");
    const tokens = [];
    for (let k = 0; k < n; k++) {
      const letter = cursor.byte();
      const size = cursor.uvarint();
      if (letter === 0) tokens.push({ bytes: cursor.take(size) });
      else tokens.push({ letter: String.fromCharCode(letter), width: size });
    }
    const pattern = new Pattern(tokens, cursor);
    return { series: pattern.series, write: (...args) => pattern.write(...args) };
  }
}

/** An integer as a decimal number. */
function decimalOf(value, { scale, least, digits, width }, places) {
  const all = String(value < 0n ? -value : value).padStart(scale, "0");
  const point = all.length - scale;
  const rest = all.slice(point);
  let shown = places;
  if (shown === undefined) {
    shown = scale;
    while (shown > least && rest[shown - 1] === "0") shown--;
  }
  const whole = all.slice(0, point).replace(/^0+/, "").padStart(digits, "0");
  const decimals = shown > 0 ? `.${rest.slice(0, shown)}` : "";
  return `${value < 0n ? "-" : ""}${whole}${decimals}`.padStart(width, " ");
}

/** Cells of one form, as 2026-11-29 12:00 or id-0017. */
class Pattern {
  #tokens;
  #cursor;
  #stamp;
  #clock;

  constructor(tokens, cursor) {
    this.#tokens = tokens;
    this.#cursor = cursor;
    const fields = tokens.filter(({ letter }) => letter);
    const letters = fields.map(({ letter }) => letter);
    this.#stamp = [..."YMDhmsf"].filter((letter) => letters.includes(letter)).join("");
    const clock = this.#stamp.replace(/^[YMD]*/, "");
    const days = this.#stamp.slice(0, this.#stamp.length - clock.length);
    const isValid =
      fields.length >= 1 &&
      fields.length <= FIELDS_MAX &&
      fields.every(isField) &&
      [...this.#stamp].every((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter)) &&
      (days === "" || days === "YMD") &&
      "hmsf".startsWith(clock);
    if (!isValid) cursor.fail("has a pattern with fields that are not known");
    const widths = Object.fromEntries(fields.map(({ letter, width }) => [letter, width]));
    const units = { h: 24n, m: 60n, s: 60n, f: 10n ** BigInt(widths.f ?? 0) };
    this.#clock = [...clock].map((letter) => [letter, units[letter]]);
    if (days === "" && clock !== "") this.#clock[0][1] = 10n ** 6n; // hours go on
    this.series = letters.filter((letter) => letter === "n").length + (this.#stamp ? 1 : 0);
  }

  write(cells, series, k) {
    let next = 0;
    const found = this.#stamp ? this.#unstamped(series[next++][k]) : {};
    for (const { letter, width, bytes } of this.#tokens) {
      if (bytes) {
        cells.append(bytes);
        continue;
      }
      const value = letter === "n" ? series[next++][k] : found[letter];
      if (value < 0n) this.#cursor.fail("has a field of a pattern that is negative");
      cells.write(String(value).padStart(width, "0"));
    }
  }

  /** The fields of a date and a time. */
  #unstamped(value) {
    const found = {};
    let rest = value;
    for (const [letter, unit] of [...this.#clock].reverse()) {
      found[letter] = ((rest % unit) + unit) % unit;
      rest = (rest - found[letter]) / unit;
    }
    if (!this.#stamp.startsWith("Y")) {
      if (rest !== 0n) this.#cursor.fail("has a time of a pattern that is out of range");
      return found;
    }
    const most = BigInt(366 * YEARS);
    const date = new Date(rest > most || rest < -most ? NaN : Number(rest) * DAY_MS);
    const year = date.getUTCFullYear();
    if (!(year >= 0 && year < YEARS)) this.#cursor.fail("has a date that is out of range");
    return { ...found, Y: year, M: date.getUTCMonth() + 1, D: date.getUTCDate() };
  }
}

function isField({ letter, width }) {
  if (letter === "f") return width >= 1 && width <= 9;
  return "YMDhmsn".includes(letter) && width <= DIGITS_MAX;
}
