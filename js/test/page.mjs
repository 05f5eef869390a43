/** Runs the tests in a page, or in a worker, for tests/test_javascript.py. */
import { runAll } from "./run.mjs";

globalThis.runIn = (where) => (where === "page" ? runAll() : inWorker());

function inWorker() {
  const worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = reject;
  }).finally(() => worker.terminate());
}
