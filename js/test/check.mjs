/** What tests need that both node and browsers lack. */

export class Failure extends Error {}

export function fail(text) {
  throw new Failure(text);
}

export function ok(value, text = "it is not so") {
  if (!value) fail(text);
}

/** Whether two values are the same, typed arrays by type and elements. */
export function equal(found, wanted, text = "") {
  if (!same(found, wanted)) fail(`${text}: ${show(found)}, not ${show(wanted)}`);
}

function same(a, b) {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a.constructor !== b.constructor) return false;
  if (ArrayBuffer.isView(a)) {
    const [x, y] = [octets(a), octets(b)];
    return x.length === y.length && x.every((byte, i) => byte === y[i]);
  }
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => same(a[key], b[key]));
}

function show(value) {
  if (ArrayBuffer.isView(value)) {
    return `${value.constructor.name}(${value.length}) ${hex(octets(value).subarray(0, 40))}`;
  }
  const text = typeof value === "bigint" ? `${value}n` : JSON.stringify(value);
  return String(text).slice(0, 200);
}

/** That `work` throws an error of this name, whose text matches. */
export async function throws(work, name, pattern = /./) {
  try {
    await work();
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (error.name === name && pattern.test(error.message)) return error;
    fail(`threw ${error.name}: ${error.message}, not ${name} ${pattern}\n${error.stack}`);
  }
  return fail(`threw nothing, not ${name} ${pattern}`);
}

export function bytes(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** The bytes of an array. */
export function octets(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

export function hex(view) {
  return Array.from(octets(view), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function utf8(text) {
  return new TextEncoder().encode(text);
}
