/** What single symbols take, and which states they are from; tests/test_page.py compares
 * the same numbers with Python's. */
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { load } from "../bbans.js";
import { equal, ok, throws, utf8 } from "./check.mjs";

const bbans = await load();
const ENGLISH = new URL("../../bbans/data/english.bbm", import.meta.url);
const english = bbans.Model.load(await readFile(ENGLISH));
const TEXT = "The cat sat on the mat, and the dog sat on the cat.\n".repeat(9);
const DATA = utf8(TEXT);
const sum = (values) => values.reduce((a, b) => a + b, 0);

test("costs under a model add up to a message", () => {
  const bits = bbans.costs(DATA, { model: english });
  equal(bits.length, TEXT.length);
  const more = 8 * bbans.encode(DATA, english).length - sum(bits);
  ok(more > 0 && more < 16, `a message has ${more} bits more`);
});

test("costs without a model add up to a block", () => {
  for (const level of [3, 5, 9]) {
    const bits = bbans.costs(DATA, { level });
    equal(bits, bbans.costs(TEXT, { level }));
    const block = bbans.compress(TEXT, { level }).length - bbans.compress("", { level }).length;
    ok(Math.abs(block - sum(bits) / 8) < 20, `${block} bytes of ${sum(bits)} bits`);
  }
});

test("costs of nothing", () => {
  equal(bbans.costs(""), new Float64Array());
  equal(bbans.costs(utf8(""), { model: english }), new Float64Array());
});

test("levels that count bytes together have no costs", async () => {
  await throws(() => bbans.costs(TEXT, { level: 1 }), "ModelError", /level/);
});

test("a posterior is a distribution, and its part that of the whole", () => {
  const { states, chances } = bbans.posterior(DATA, english);
  equal(states, 64);
  equal(chances.length, 64 * TEXT.length);
  for (let t = 0; t < TEXT.length; t++) {
    ok(Math.abs(sum(chances.subarray(64 * t, 64 * (t + 1))) - 1) < 1e-5, `row ${t}`);
  }
  const part = bbans.posterior(DATA, english, { from: 7, to: 19 });
  equal(part.chances, chances.slice(64 * 7, 64 * 19));
});

test("memory is given back", () => {
  const { used } = bbans.memory;
  bbans.costs(TEXT);
  bbans.costs(DATA, { model: english });
  bbans.posterior(DATA, english);
  equal(bbans.memory.used, used);
});
