/** Runs the tests where files come by fetch. */
import { load } from "../bbans.js";
import { cases } from "./cases.mjs";

async function read(name) {
  const response = await fetch(new URL(`../../files/${name}`, import.meta.url));
  if (name.endsWith(".json")) return response.json();
  return new Uint8Array(await response.arrayBuffer());
}

/** The name of each test, and its error or null. */
export async function runAll() {
  const context = { load, read, bbans: await load() };
  const results = [];
  for (const [name, run] of Object.entries(cases)) {
    let error = null;
    try {
      await run(context);
    } catch (thrown) {
      error = `${thrown.name}: ${thrown.message}\n${thrown.stack}`;
    }
    results.push({ name, error });
  }
  return results;
}
