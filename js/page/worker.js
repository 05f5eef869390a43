// What takes time, beside the page: the work of bbans.wasm. A task gets values and
// returns one; what it throws reaches the page as the text of an error.

import { load } from "./bbans.js";
import { npy } from "./npy.js";

const ANALYSED = 1 << 20; // symbols whose bits are counted
const MODEL_BLOCK = 65536; // symbols after which a model begins afresh, in a container
const STATES_SHOWN = 256; // of a model whose posterior is shown, at most
const PREVIEW = 20_000; // characters of what was restored
const RECORDS_SAVED = 200_000; // of longer files only single records are shown
const MAX_SIZE = 1 << 29; // bytes that a file may restore to

const ready = load(); // not awaited here: messages must find their listener
ready.catch(() => {}); // tasks say it
const models = new Map();
let own = null; // of the user, and the bytes of its file
let records = null; // the record file that is open

const bytesOf = (data) => (typeof data === "string" ? new TextEncoder().encode(data) : data);
const textOf = (data) => (typeof data === "string" ? data : new TextDecoder().decode(data));
const equal = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);
const isUtf8 = (text) => !/\p{Surrogate}/u.test(text);
const count = (n) => n.toLocaleString("en");

/** A model by its name, or by the bytes of its file. */
async function modelOf(named) {
  const { Model } = await ready;
  if (named === null) return undefined;
  if (typeof named !== "string") {
    if (own === null || !equal(own.bytes, named)) {
      own?.model.free();
      own = null;
      own = { model: Model.load(named), bytes: named };
    }
    return own.model;
  }
  if (!models.has(named)) {
    const answer = await fetch(new URL(`${named}.bbm`, import.meta.url));
    if (!answer.ok) throw new Error(`${named}.bbm: ${answer.status} ${answer.statusText}`);
    models.set(named, Model.load(new Uint8Array(await answer.arrayBuffer())));
  }
  return models.get(named);
}

async function timed(work) {
  const start = performance.now();
  const value = await work();
  return [value, (performance.now() - start) / 1000];
}

async function gzip(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** What a model codes: of text characters, not the bytes of a file. */
function dataFor(model, data) {
  if (model?.kind !== "text" || typeof data === "string") return data;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new Error("this model codes text, and the file is no UTF-8");
  }
}

/** Symbols as what bbans takes: code points as a string. */
function asData(symbols) {
  if (symbols instanceof Uint8Array) return symbols;
  let text = "";
  for (let at = 0; at < symbols.length; at += 8192) {
    text += String.fromCodePoint(...symbols.subarray(at, at + 8192));
  }
  return text;
}

/** How a model file is called in a sentence. */
function modelKind({ type, states }) {
  const names = {
    HMM: "hidden Markov model", ARHMM: "autoregressive hidden Markov model",
    LGSSM: "linear Gaussian state space model", DeepSSM: "deep state space model",
    HierarchicalHMM: "hierarchical hidden Markov model",
    FactorialHMM: "factorial hidden Markov model", LatentTree: "latent tree",
    ContextMixer: "context mixer", MultivariateGaussianHMM: "hidden Markov model of vectors",
  };
  return (names[type] ?? type) + (states ? ` of ${states} states` : "");
}

/** The bits of each of the first symbols, block by block as they are coded. */
function bitsOf(bbans, model, level, symbols) {
  if (!model) return bbans.costs(symbols, { level });
  const bits = new Float64Array(symbols.length);
  for (let at = 0; at < symbols.length; at += MODEL_BLOCK) {
    const block = asData(symbols.subarray(at, at + MODEL_BLOCK));
    bits.set(bbans.costs(block, { model }), at);
  }
  return bits;
}

// ---- what a file holds

async function describeContainer(bytes, named) {
  const bbans = await ready;
  const { holds, dtype, shape, elements, parts, methods, coders, overhead } = bbans.info(bytes);
  const blocks = Object.entries(methods).map(([method, n]) => `${count(n)} by ${method}`);
  const facts = {
    file: "container",
    holds: dtype ? `array of ${dtype}, ${shape.join(" × ")}` : holds,
    elements: count(elements),
    blocks: blocks.join(", ") || "none",
    ...(parts > 1 && { parts: count(parts) }),
    ...(coders && { "model or codec": coders.join(", ") }),
    bytes: `${count(bytes.length)}, of them ${count(overhead)} of headers, checksums and index`,
  };
  const known = [await modelOf("english"), ...(named ? [await modelOf(named)] : [])];
  const options = { model: known, maxSize: MAX_SIZE };
  try {
    const [restored, seconds] = await timed(() => bbans.decompress(bytes, options));
    return { ...facts, "restored in": `${(1000 * seconds).toFixed(0)} ms`, ...shown(restored) };
  } catch (error) {
    return { ...facts, "not restored": error.message };
  }
}

/** The start of what was restored, and the file to save. */
function shown(restored) {
  const { kind, data } = restored;
  if (kind === "array") {
    const start = Array.from(data.subarray(0, 1000), String).join(" ");
    const file = npy(restored);
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return { preview: start, saves: { suffix: file ? ".npy" : ".bin", bytes: file ?? raw } };
  }
  return {
    preview: textOf(data.slice(0, PREVIEW)),
    saves: { suffix: kind === "text" ? ".txt" : "", bytes: bytesOf(data) },
  };
}

async function describeRecords(bytes, named) {
  const bbans = await ready;
  records?.free();
  records = null;
  const known = [await modelOf("english"), ...(named ? [await modelOf(named)] : [])];
  records = bbans.Records.open(bytes, { model: known });
  const { holds, length, lost, groups, cut, modelBytes, fingerprint } = records.info;
  return {
    file: "records",
    holds: `${count(length)} records of ${holds}`,
    groups: count(groups),
    model: fingerprint + (modelBytes ? `, ${count(modelBytes)} bytes of the file` : ", not in it"),
    ...(lost && { lost: count(lost) }),
    ...(cut && { end: "cut off in a group" }),
    bytes: count(bytes.length),
    records: length,
    preview: length > 0 ? textOf(records.get(0)) : "",
    saves: length <= RECORDS_SAVED ? { suffix: "", bytes: records.text() } : null,
  };
}

async function describeModel(bytes) {
  const bbans = await ready;
  const model = bbans.Model.load(bytes);
  const { states } = model;
  try {
    return {
      file: "model",
      kind: modelKind(model),
      ...(states && { states: count(states) }),
      codes: model.width > 1 ? `vectors of ${model.width} ${model.kind}` : model.kind,
      ...(model.symbols && { symbols: count(model.symbols) }),
      mode: model.mode,
      fingerprint: model.fingerprint,
      bytes: count(bytes.length),
    };
  } finally {
    model.free();
  }
}

const DESCRIBE = { container: describeContainer, records: describeRecords, model: describeModel };

// ---- tasks

const tasks = {
  /** The container, checked by restoring it, beside gzip's. */
  async compress(data, { model: named, level }) {
    const bbans = await ready;
    const model = await modelOf(named);
    const given = dataFor(model, data);
    const [blob, seconds] = await timed(() => bbans.compress(given, { model, level }));
    const [back, restoring] = await timed(() => bbans.decompress(blob, { model }));
    const bytes = bytesOf(data);
    const same = typeof given === "string" ? back.data === given : equal(back.data, given);
    if (!same) {
      throw new Error("what was restored differs: please report this");
    }
    const [zipped, zipping] = await timed(() => gzip(bytes));
    return {
      blob, seconds, restoring, size: bytes.length,
      gzip: { bytes: zipped.length, seconds: zipping },
      methods: Object.keys(bbans.info(blob).methods),
    };
  },

  /** The bits of each symbol. */
  async analyse(data, { model: named, level }) {
    const bbans = await ready;
    const model = await modelOf(named);
    if (model?.width > 1) {
      const several = `The model codes ${model.width} numbers together`;
      throw new Error(`${several}: a byte has no bits of its own.`);
    }
    const given = dataFor(model, data);
    const characters = model?.kind === "text" && !model.isUtf8;
    if (!characters && typeof given === "string" && !isUtf8(given)) {
      throw new Error("The text has halves of characters: it is not coded as the bytes of UTF-8.");
    }
    const all = characters ? Uint32Array.from(given, (c) => c.codePointAt(0)) : bytesOf(given);
    const symbols = all.slice(0, ANALYSED);
    const states = model?.type === "HMM" ? model.states : 0;
    const alone = model && all.length <= MODEL_BLOCK;
    return {
      symbols, bits: bitsOf(bbans, model, level, symbols),
      unit: characters ? "character" : "byte",
      whole: symbols.length === all.length,
      block: model ? MODEL_BLOCK : Infinity,
      model: named,
      states: states <= STATES_SHOWN ? states : 0,
      bitsBack: model?.mode === "iconoclasm",
      message: alone ? bbans.encode(model.kind === "text" ? given : all, model).length : null,
    };
  },

  /** The chances of states at n symbols from number `from` on, of those of a block. */
  async posterior(named, symbols, from, n) {
    const bbans = await ready;
    const model = await modelOf(named);
    return bbans.posterior(asData(symbols), model, { from, to: from + n }).chances;
  },

  /** What a file of ours holds; under the model of the user, if there is one. */
  describe(bytes, kind, named) {
    return DESCRIBE[kind](bytes, named);
  },

  record(k) {
    if (records === null) throw new Error("no record file is open: choose it again");
    return textOf(records.get(k));
  },
};

self.addEventListener("message", async ({ data: { number, task, values } }) => {
  try {
    self.postMessage({ number, value: await tasks[task](...values) });
  } catch (error) {
    self.postMessage({ number, error: error.message });
  }
});
