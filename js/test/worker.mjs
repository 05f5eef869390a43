import { runAll } from "./run.mjs";

postMessage(await runAll());
