/** Runs the tests in node: FIXTURES is the folder of their files. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { load } from "../bbans.js";
import { cases } from "./cases.mjs";

const read = async (name) => {
  const data = await readFile(path.join(process.env.FIXTURES, name));
  return name.endsWith(".json") ? JSON.parse(data) : new Uint8Array(data);
};
const bbans = await load();
for (const [name, run] of Object.entries(cases)) test(name, () => run({ bbans, read }));
