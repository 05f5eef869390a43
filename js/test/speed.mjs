/**
 * Speeds through the package's own functions, the copies in and out included:
 *
 *     node js/test/speed.mjs FILE [MODULE.wasm]
 *
 * Each is the best of five runs, by CPU time, and what is restored is compared.
 *
 * SPDX-License-Identifier: MIT
 */
import { readFile } from "node:fs/promises";
import { load } from "../bbans.js";
import { equal } from "./check.mjs";

const [file, module = new URL("../bbans.wasm", import.meta.url)] = process.argv.slice(2);
const bbans = await load(await readFile(module));
const data = new Uint8Array(await readFile(file));
const english = new URL("../../bbans/data/english.bbm", import.meta.url);
const model = bbans.Model.load(await readFile(english));

/** Seconds of the best run, and what it returns. */
function best(work) {
  let least = Infinity;
  let result;
  for (let k = 0; k < 5; k++) {
    const start = process.cpuUsage();
    result = work();
    const { user, system } = process.cpuUsage(start);
    least = Math.min(least, (user + system) / 1e6);
  }
  return [least, result];
}

function show(name, part, encode, decode) {
  const [there, coded] = best(() => encode(part));
  const [back, restored] = best(() => decode(coded));
  equal(restored, part, name);
  const rates = [there, back].map((seconds) => (part.length / 1e6 / seconds).toFixed(2));
  console.log(`${name}: ${coded.length} bytes; ${rates[0]} and ${rates[1]} million bytes/s`);
}

for (const [level, size] of [[1, 1 << 23], [5, 1 << 18]]) { // prettier-ignore
  const compress = (part) => bbans.compress(part, { level });
  const decompress = (blob) => bbans.decompress(blob).data;
  show(`level ${level}, ${size} bytes`, data.slice(0, size), compress, decompress);
}
const part = data.slice(0, 1 << 16);
const encode = (x) => model.encode(x);
show(`HMM of 64 states, ${part.length} bytes`, part, encode, (x) => model.decode(x, part.length));
