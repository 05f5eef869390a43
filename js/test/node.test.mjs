/** Runs the tests in node: FILES is the folder of what they read. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { load } from "../bbans.js";
import { cases } from "./cases.mjs";

async function read(name) {
  const data = await readFile(path.join(process.env.FILES, name));
  return name.endsWith(".json") ? JSON.parse(data) : new Uint8Array(data);
}

const context = { load, read, bbans: await load() };
for (const [name, run] of Object.entries(cases)) test(name, () => run(context));
