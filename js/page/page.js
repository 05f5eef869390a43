// The page's controls. What takes time is done by worker.js; what is known of a
// text's symbols is shown by symbols.js.

import { examples } from "./examples.js";
import { Symbols } from "./symbols.js";

const WAIT = 200; // ms without a key before what was typed is compressed
const LEVEL_MIXING = 3; // below, the byte coder, which has no costs by symbol

const $ = (id) => document.getElementById(id);
const count = (n) => n.toLocaleString("en");

/** The worker: `call` runs one of its tasks, `stop` ends whatever runs. */
class Remote {
  #worker = null;
  #number = 0;
  #waiting = new Map();

  call(task, ...values) {
    this.#worker ??= this.#start();
    const number = this.#number++;
    this.#worker.postMessage({ number, task, values });
    return new Promise((done, fail) => this.#waiting.set(number, { done, fail }));
  }

  get busy() {
    return this.#waiting.size > 0;
  }

  stop() {
    this.#worker?.terminate();
    this.#worker = null;
    for (const { fail } of this.#waiting.values()) fail(new Stopped());
    this.#waiting.clear();
  }

  #start() {
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data: { number, value, error } }) => {
      const { done, fail } = this.#waiting.get(number);
      this.#waiting.delete(number);
      if (error === undefined) done(value);
      else fail(new Error(error));
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      const error = new Error(event.message || "worker.js did not load: serve the folder by http");
      for (const { fail } of this.#waiting.values()) fail(error);
      this.#waiting.clear();
      this.#worker = null;
    });
    return worker;
  }
}

class Stopped extends Error {}

const remote = new Remote();

/** What is compressed and what came of it; tests read it. */
export const state = {
  data: "", // text that was typed, or the bytes of a file
  name: "text.txt",
  opened: null, // in place of data: bytes, name and kind of a file of ours
  own: null, // the bytes of a model file
  blob: null, // the container
  analysis: null, // symbols, bits, unit, states
  ready: 0, // how often all was shown
};

export const symbols = new Symbols(async (...of) => {
  try {
    return await remote.call("posterior", ...of);
  } catch (error) {
    report(error);
    return null;
  }
});

const model = () => {
  const chosen = document.querySelector("input[name=model]:checked").value;
  return chosen === "own" ? state.own : chosen || null;
};

function say(text, { error = false, busy = false } = {}) {
  $("status-text").textContent = text;
  $("status-text").className = error ? "error" : "";
  $("cancel").hidden = !busy;
}

/** Say what went wrong, but not that the user, or other input, stopped it. */
function report(error, where = "") {
  if (!(error instanceof Stopped)) say(where + error.message, { error: true });
}

/** Let a link save bytes under a name. */
function offer(link, name, bytes, words) {
  if (link.href) URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  link.download = name;
  link.textContent = words;
  link.hidden = false;
}

function rowOf(name, { bytes, seconds }, size) {
  const row = $("sizes").tBodies[0].insertRow();
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  row.append(head);
  const time = seconds === null ? "" : `${(1000 * seconds).toFixed(seconds < 0.1 ? 1 : 0)} ms`;
  const ratio = size ? [(size / bytes).toFixed(2), ((8 * bytes) / size).toFixed(3)] : ["", ""];
  for (const words of [count(bytes), ...ratio, time]) row.insertCell().textContent = words;
}

function showSizes(sizes) {
  const { size } = sizes;
  $("sizes").tBodies[0].replaceChildren();
  rowOf("as it is", { bytes: size, seconds: null }, size);
  rowOf("gzip", sizes.gzip, size);
  rowOf("bbans", { bytes: sizes.blob.length, seconds: sizes.seconds }, size);
  $("sizes").hidden = false;
  offer($("download"), `${state.name}.bbz`, sizes.blob, `Download ${state.name}.bbz`);
  const option = model() === null ? "" : ` -m ${model() === "english" ? "english" : "MODEL.bbm"}`;
  const quoted = `'${state.name.replaceAll("'", "'\\''")}.bbz'`;
  $("restore").textContent =
    `Restored here in ${(1000 * sizes.restoring).toFixed(0)} ms, and equal. ` +
    `In the shell: bbans -d${option} ${quoted}`;
}

/** How the size of the file comes about: the sum of what the symbols take, and the rest. */
function showAccount({ bits, unit, whole, message, bitsBack }, methods, bytes) {
  const total = bits.reduce((sum, b) => sum + b, 0);
  const part = whole ? "" : `The first ${count(bits.length)} ${unit}s: `;
  const content = Math.ceil(total / 8);
  let words =
    `${part}Information content: ${count(+total.toFixed(1))} bits, so ${count(content)} bytes. `;
  if (message !== null) {
    const more = (8 * message - total).toFixed(1);
    const how = bitsBack ? ", by bits back" : "";
    words += `A message by itself takes ${more} bits more${how}: ${count(message)} bytes. `;
  }
  const expected = model() === null ? "mixing" : "model";
  if (methods.some((method) => method !== expected)) {
    words += "Another coder took fewer bytes for some of it: the colours show what this one takes.";
  } else if (whole) {
    words += `The file has ${count(bytes - content)} bytes besides: header, checksums, index.`;
  }
  $("account").textContent = words;
}

let timer;

/** Compress what there is, now or when nobody types. */
function compress(wait = 0) {
  clearTimeout(timer);
  timer = setTimeout(run, wait);
}

/** End what runs or would: it is out of date. */
function abandon() {
  clearTimeout(timer);
  if (remote.busy) remote.stop();
}

async function run() {
  abandon();
  const { data } = state;
  const options = { model: model(), level: Number($("level").value) };
  try {
    say("Compressing …", { busy: true });
    const sizes = await remote.call("compress", data, options);
    state.blob = sizes.blob;
    showSizes(sizes);
    say("Counting bits …", { busy: true });
    state.analysis = await analysis(data, options);
    if (state.analysis) showAccount(state.analysis, sizes.methods, sizes.blob.length);
    symbols.show(state.analysis);
    const saved = 1 - sizes.blob.length / sizes.size;
    say(sizes.size === 0 ? "Nothing to compress yet."
      : `${count(sizes.size)} bytes became ${count(sizes.blob.length)}` +
        (saved > 0 ? `: ${(100 * saved).toFixed(1)} % less.` : ": it cannot be made smaller."));
    state.ready++;
  } catch (error) {
    if (!(error instanceof Stopped)) clear();
    report(error);
  }
}

/** The bits of symbols; null, and the page says why, where they have none of their own. */
async function analysis(data, options) {
  try {
    if (options.model !== null || options.level >= LEVEL_MIXING) {
      return await remote.call("analyse", data, options);
    }
    $("account").textContent =
      `Levels below ${LEVEL_MIXING} count the bytes of a block together: ` +
      "no byte has bits of its own.";
  } catch (error) {
    if (error instanceof Stopped) throw error;
    $("account").textContent = error.message;
  }
  return null;
}

/** Show no result, as after an error. */
function clear() {
  state.blob = state.analysis = null;
  for (const id of ["sizes", "download"]) $(id).hidden = true;
  for (const id of ["account", "restore"]) $(id).textContent = "";
  symbols.show(null);
}

function setData(data, name) {
  state.data = data;
  state.name = name;
  state.opened = null;
  $("opened").hidden = true;
}

// ---- files

/** Which of our kinds of files these bytes begin, or null. */
function kindOf(bytes) {
  const letter = /^\x89bb([zrm])/.exec(String.fromCharCode(...bytes.subarray(0, 4)))?.[1];
  return { z: "container", r: "records", m: "model" }[letter] ?? null;
}

async function take(file) {
  try {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const kind = kindOf(bytes);
    $("file-name").textContent = `${file.name}, ${count(bytes.length)} bytes`;
    if (kind === null) {
      $("text").value = "";
      setData(bytes, file.name);
      compress();
    } else {
      state.opened = { bytes, name: file.name, kind };
      await open();
    }
  } catch (error) {
    report(error, `${file.name}: `);
  }
}

async function takeModel(file) {
  try {
    const bytes = new Uint8Array(await file.arrayBuffer());
    abandon();
    const facts = await remote.call("describe", bytes, "model", null);
    state.own = bytes;
    $("own-name").textContent = `${file.name}: ${facts.kind}`;
    $("own-label").hidden = false;
    $("own-label").querySelector("input").checked = true;
    choose();
  } catch (error) {
    report(error, `${file.name}: `);
  }
}

/** Say what a file of ours holds, and restore it. */
async function open() {
  const { name } = state.opened;
  try {
    await show(state.opened);
    say(`Opened ${name}.`);
    state.ready++;
  } catch (error) {
    report(error, `${name}: `);
  }
}

async function show({ bytes, name, kind }) {
  abandon();
  clear();
  $("opened").hidden = true;
  say("Opening …", { busy: true });
  const facts = await remote.call("describe", bytes, kind, state.own);
  const { preview = null, saves = null, records = null, ...lines } = facts;
  $("facts").replaceChildren(
    ...Object.entries(lines).flatMap(([fact, value]) => {
      const [term, words] = [document.createElement("dt"), document.createElement("dd")];
      [term.textContent, words.textContent] = [fact, value];
      return [term, words];
    }),
  );
  $("record-row").hidden = records === null;
  if (records !== null) {
    $("record").max = Math.max(0, records - 1);
    $("record").value = 0;
    $("record-size").textContent = `of ${count(records)}`;
  }
  showPreview(preview);
  $("save").hidden = saves === null;
  if (saves) {
    const from = name.replace(/\.bb[zr]$/, "");
    const to = saves.suffix === ".txt" && /.\./.test(from) ? from : from + saves.suffix;
    offer($("save"), to, saves.bytes, `Save ${to}`);
  }
  $("opened").hidden = false;
  $("opened").scrollIntoView({ block: "nearest" });
}

function showPreview(text) {
  $("preview").hidden = text === null;
  $("preview").textContent = text ?? "";
}

// ---- controls

/** Take up the choice of a model. */
function choose() {
  $("level-row").hidden = model() !== null;
  $("level-text").textContent = $("level").value;
  if (state.opened) open();
  else compress();
}

$("text").addEventListener("input", () => {
  setData($("text").value, "text.txt");
  compress(WAIT);
});
$("examples").addEventListener("click", ({ target }) => {
  const example = examples[target.dataset.example];
  if (!example) return;
  $("text").value = example();
  setData($("text").value, `${target.dataset.example}.txt`);
  compress();
});
for (const [id, use] of [["file", take], ["model-file", takeModel]]) {
  $(id).addEventListener("change", ({ target }) => {
    if (target.files.length) use(target.files[0]);
    target.value = ""; // so that the same file can be chosen again
  });
}
$("models").addEventListener("change", ({ target }) => {
  if (target.name === "model") choose();
});
$("level").addEventListener("input", () => {
  $("level-text").textContent = $("level").value;
  compress(WAIT);
});
$("record").addEventListener("change", async ({ target }) => {
  try {
    showPreview(await remote.call("record", Number(target.value)));
  } catch (error) {
    report(error);
  }
});
$("cancel").addEventListener("click", () => {
  abandon();
  clear();
  say("Stopped.");
});

for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
}

$("text").value = examples.prose();
setData($("text").value, "prose.txt");
choose();
