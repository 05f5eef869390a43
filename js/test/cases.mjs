/**
 * The tests, for node and for browsers alike: each takes the library and a function that
 * reads one of the files that tests/javascript.py makes.
 *
 * SPDX-License-Identifier: MIT
 */
import { bytes, equal, fail, hex, octets, ok, throws, utf8 } from "./check.mjs";
import { readers } from "./stored.mjs";

const ERRORS = {
  truncated: "TruncatedError",
  corrupt: "CorruptError",
  version: "VersionError",
  format: "FormatError",
};

/** Stored files without a call here: headers for devices, messages of single laws and codecs,
 * streams of indexed tables, networks, and float models. */
const UNREAD = ["bbn", "h", "message", "npz", "stream"];

/** How a container of the stored vectors is written. */
function writing({ element, shape, unit, multiplier, axis, write }, models) {
  const names = {
    16: "uint8", 17: "int8", 18: "uint16", 19: "int16", 20: "uint32", 21: "int32",
    22: "uint64", 23: "int64", 24: "bool", 25: "datetime64", 26: "timedelta64",
  }; // prettier-ignore
  const units = ["generic", "Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"];
  const options = { blockSize: write, model: models[0] };
  if (element < 16) return options;
  Object.assign(options, { dtype: names[element], shape: moved(shape, axis), axis, channels: 0 });
  if (multiplier) Object.assign(options, { unit: units[unit], multiplier });
  return options;
}

/** A shape, or an index, whose first axis becomes another. */
function moved(index, axis) {
  return axis === 0 ? index : [...index.slice(1, axis + 1), index[0], ...index.slice(axis + 1)];
}

/** The array of elements that the stored vectors have as bytes, with the axis of time first. */
function typed(data, { data: { constructor: Type } }, shape, axis) {
  const first = new Type(data.buffer, 0, data.length / Type.BYTES_PER_ELEMENT);
  if (axis === 0) return first;
  const wanted = new Type(first.length);
  const at = (index, lengths) => index.reduce((sum, i, k) => sum * lengths[k] + i, 0);
  first.forEach((value, n) => {
    const index = [];
    for (let k = shape.length - 1, rest = n; k >= 0; k--) {
      index.unshift(rest % shape[k]);
      rest = Math.floor(rest / shape[k]);
    }
    wanted[at(moved(index, axis), moved(shape, axis))] = value;
  });
  return wanted;
}

function endingOf(name) {
  return name.slice(name.lastIndexOf(".") + 1);
}

export const cases = {
  async "containers of the stored vectors, both ways"({ bbans, read }) {
    const vectors = await read("container_v3.json");
    const models = vectors.models.map(({ file }) => bbans.Model.load(bytes(file)));
    let written = 0;
    for (const file of vectors.files) {
      const data = bytes(file.data);
      const reversed = (block, size, { Type }) => new Type(block.buffer).reverse();
      const codecs = { "reversed π": reversed, ["x".repeat(255)]: reversed };
      const needed = file.models.map((i) => models[i]);
      const found = bbans.decompress(bytes(file.file), { model: models, codecs });
      const { element } = file;
      if (found.kind === "array") {
        equal(found.bigEndian, element >= 128, file.name);
        equal(found.shape, moved(file.shape, file.axis), file.name);
        equal(found.data, typed(data, found, file.shape, file.axis), file.name);
        if (file.multiplier) equal(found.multiplier, file.multiplier, file.name);
      } else if (found.kind === "text") {
        const points = Array.from(found.data, (c) => c.codePointAt(0));
        if (element === 2) equal(hex(Uint32Array.from(points)), file.data, file.name);
        else if (file.blocks.length === 1) equal(utf8(found.data), data, file.name);
      } else equal(found.data, data, file.name);
      // JavaScript has no big-endian arrays, and does not name the coder of bytes.
      if (file.write === null || element >= 128 || (element < 16 && needed.length === 0)) continue;
      const given = found.kind === "array" || element !== 0 ? found.data : data;
      equal(hex(bbans.compress(given, writing(file, needed))), file.file, `${file.name}, written`);
      written++;
    }
    equal([vectors.files.length, written], [72, 21], "files");
    for (const model of models) model.free();
  },

  async "damaged containers of the stored vectors are refused"({ bbans, read }) {
    const vectors = await read("container_v3.json");
    const model = vectors.models.map(({ file }) => bbans.Model.load(bytes(file)));
    const { used } = bbans.memory;
    for (const { name, file, error } of vectors.damaged) {
      const thrown = await throws(() => bbans.decompress(bytes(file), { model }), ERRORS[error]);
      ok(thrown.message.length > 10, name);
    }
    ok(bbans.memory.used <= used, "memory that errors leave");
  },

  async "stored files of each kind"({ load, bbans, read }) {
    const { files, lengths, packets } = await read("kept.json");
    const names = Object.keys(files);
    const stored = await Promise.all(names.map((name) => read(`kept/${name}`)));
    const decoder = await load(new URL("../bbans-decoder.wasm", import.meta.url));
    for (const library of [bbans, decoder]) {
      const models = names.filter((name) => endingOf(name) === "bbm");
      const model = models.map((name) => library.Model.load(stored[names.indexOf(name)]));
      const device = model[models.indexOf("device.bbm")];
      const unread = new Set();
      for (const [k, name] of names.entries()) {
        const { axis, crc32, ...facts } = files[name];
        const reader = readers[endingOf(name)];
        const given = { ...facts, model, device, lengths, packet: packets[name] };
        if (!reader) {
          unread.add(endingOf(name));
          await throws(() => library.info(stored[k]), "FormatError", /not a bbans container/);
        } else if (name === "base.bbz") {
          await throws(() => reader(library, stored[k], given), "WrongModelError", /codec "base"/);
        } else equal(await reader(library, stored[k], given), facts, name);
      }
      equal([...unread].sort(), UNREAD, "endings that are not read");
      const byCodec = stored[names.indexOf("codec.bbz")];
      await throws(() => library.decompress(byCodec), "WrongModelError", /codec "reversed"/);
    }
    const forms = { plain: 0, packed: 0 };
    for (const [k, name] of names.entries()) {
      if (endingOf(name) !== "bbm") continue;
      const packed = stored[k][10] === 1;
      equal(bbans.Model.load(stored[k]).toBytes({ packed }), stored[k], `${name}, written`);
      forms[packed ? "packed" : "plain"]++;
    }
    ok(forms.plain > 15 && forms.packed > 4, JSON.stringify(forms));
  },

  async "records of the stored vectors, both ways"({ bbans, read }) {
    const vectors = await read("records_v1.json");
    for (const { name, file, records, refused } of vectors.cases) {
      const codec = bbans.RecordCodec.load(bytes(file));
      const isText = codec.model.kind === "text";
      for (const [record, message] of records) {
        const value = isText ? new TextDecoder().decode(bytes(record)) : bytes(record);
        if (isText && hex(utf8(value)) !== record) {
          await throws(() => codec.decode(bytes(message)), "CorruptError", /UTF-8/);
          continue;
        }
        equal(hex(codec.encode(value)), message, name);
        equal(codec.decode(bytes(message)), value, name);
      }
      for (const message of refused) {
        await throws(() => codec.decode(bytes(message)), "CorruptError");
      }
      codec.free();
      codec.model.free();
    }
  },

  async "models and messages of all stored vectors, both ways"({ bbans, read }) {
    const all = await read("sequences.json");
    let messages = 0;
    for (const { name, file, fingerprint, mode, messages: stored } of all) {
      const model = bbans.Model.load(bytes(file));
      equal([model.fingerprint, model.mode], [fingerprint, mode], name);
      for (const { length, message, ...value } of stored) {
        if (value.error) {
          await throws(() => bbans.decode(bytes(message), model, length), value.error);
          continue;
        }
        const found = bbans.decode(bytes(message), model, length);
        const inJson =
          typeof found === "string"
            ? { text: found }
            : found instanceof Uint8Array
              ? { bytes: hex(found) }
              : { integers: Array.from(found, String) };
        equal(inJson, value, name);
        equal(hex(bbans.encode(found, model)), message, name);
        messages++;
      }
      model.free();
    }
    ok(all.length > 250 && messages > 2400, `${all.length} models, ${messages} messages`);
  },

  async "blocks of all coders of the stored vectors"({ bbans, read }) {
    const all = await read("blocks.json");
    for (const { name, file, data } of all) {
      const found = bbans.decompress(bytes(file)).data;
      equal(hex(found), data, name);
    }
    ok(all.length > 250, `${all.length} blocks`);
  },

  async "arrays as Python compresses them, both ways"({ bbans, read }) {
    const all = await read("arrays.json");
    for (const [k, { name, shape, dtype, options }] of all.entries()) {
      const file = await read(`array${k}.bbz`);
      const found = bbans.decompress(file);
      equal([found.kind, found.shape, found.dtype], ["array", shape, dtype.split("[")[0]], name);
      equal(octets(found.data), await read(`array${k}.raw`), name);
      equal(found.unit, options.unit, name);
      const given = { ...options, dtype: found.dtype, shape };
      equal(bbans.compress(found.data, given), file, `${name}, written`);
    }
    ok(all.length > 25, `${all.length} arrays`);
  },

  async "text and bytes as Python compresses them, both ways"({ bbans, read }) {
    const text = await read("book.txt");
    const book = new TextDecoder().decode(text);
    equal(bbans.decompress(await read("book.bbz")), { kind: "text", data: book });
    equal(bbans.decompress(await read("bytes.bbz")), { kind: "bytes", data: text });
    equal(bbans.compress(book), await read("book.bbz"), "text");
    for (let level = 1; level <= 9; level++) {
      equal(bbans.compress(text, { level }), await read(`level${level}.bbz`), `level ${level}`);
    }
    const surrogate = await read("surrogate.bbz");
    equal(bbans.decompress(surrogate), { kind: "text", data: "a\ud800b" });
    equal(bbans.compress("a\ud800b"), surrogate, "a lone surrogate");
    const both = bbans.decompress(await read("joined.bbz"));
    equal(both.kind, "bytes", "bytes and text");
    equal(hex(both.data), `${hex(text.subarray(0, 9))}65eda080f09f9880`, "UTF-8 of text");
  },

  async "containers of models, and what they need"({ bbans, read }) {
    const model = bbans.Model.load(await read("english.bbm"));
    const text = await read("book.txt");
    const file = await read("english.bbz");
    equal([model.type, model.kind, model.symbols, model.width], ["HMM", "bytes", 256, 1]);
    equal(bbans.decompress(file, { model }).data, text, "decompressed");
    equal(bbans.compress(text, { model }), file, "compressed");
    await throws(() => bbans.decompress(file), "WrongModelError", /pass it as model/);
    const digits = bbans.Model.load(await read("digits.bbm"));
    await throws(() => bbans.decompress(file, { model: digits }), "WrongModelError");
    const images = bbans.decompress(await read("digits.bbz"), { model: [model, digits] });
    equal([images.shape, images.dtype], [[20, 784], "uint8"]);
    equal(images.data, await read("digits.raw"), "images");
    const shaped = { model: digits, shape: [20, 784] };
    equal(bbans.compress(images.data, shaped), await read("digits.bbz"));
    equal(bbans.Model.load(digits.toBytes()).fingerprint, digits.fingerprint);
    const lines = bbans.Model.load(await read("lines.bbm"));
    equal(lines.toBytes({ packed: true }), await read("lines.bbm"), "packed");
    equal(digits.toBytes({ packed: true }), digits.toBytes(), "which has no packed form");
    model.free();
    await throws(() => bbans.decompress(file, { model }), "ModelError", /freed/);
    await throws(() => model.encode(text), "ModelError", /freed/);
    await throws(() => bbans.compress(text, { model }), "ModelError", /freed/);
  },

  async "a table of text, as Python compresses a CSV file"({ bbans, read }) {
    const table = await read("table.bbz");
    equal(bbans.info(table).methods, { pieces: 1 });
    equal(bbans.decompress(table).data, await read("table.csv"), "table");
  },

  async "streams, in pieces of any length"({ bbans, read }) {
    const text = await read("book.txt");
    const file = await read("bytes.bbz");
    for (const size of [1, 7, 1000, 1 << 20]) {
      const pieces = [];
      for await (const piece of bbans.compressStream(cut(text, size))) pieces.push(piece);
      equal(joined(pieces), file, `compressed by ${size}`);
      const blocks = [];
      for await (const { kind, data } of bbans.decompressStream(cut(file, size))) {
        equal(kind, "bytes");
        blocks.push(data);
      }
      equal(joined(blocks), text, `decompressed by ${size}`);
    }
    const blocks = [];
    const blockSize = 999;
    const pieces = [];
    for await (const piece of bbans.compressStream(cut(text, 700), { blockSize, level: 1 })) {
      pieces.push(piece);
    }
    equal(joined(pieces), bbans.compress(text, { blockSize, level: 1 }), "short blocks");
    equal(pieces.length, Math.ceil(text.length / blockSize) + 2);
    const book = bbans.compress(new TextDecoder().decode(text), { blockSize });
    const stream = new Response(book).body; // a ReadableStream
    for await (const { kind, data } of bbans.decompressStream(stream)) {
      equal(kind, "text");
      blocks.push(data);
    }
    ok(blocks.length > 5, "blocks that cut characters");
    equal(utf8(blocks.join("")), text, "text by a stream");
    const both = [file, book].map((each) => bbans.decompressStream(cut(each, 60)));
    const held = [[], []];
    for (let ended = 0; ended < 2; ) {
      ended = 0;
      for (const [k, each] of both.entries()) {
        const { done, value } = await each.next();
        if (done) ended++;
        else held[k].push(typeof value.data === "string" ? utf8(value.data) : value.data);
      }
    }
    equal(held.map((each) => joined(each)), [text, text], "two streams at once");
    const { used } = bbans.memory;
    const cutShort = bbans.decompressStream(cut(file.subarray(0, -9), 50));
    await throws(async () => {
      for await (const block of cutShort) ok(block);
    }, "TruncatedError", /ends early/);
    ok(bbans.memory.used <= used, "memory that a stream leaves");
  },

  async "streams that fail as they are cancelled, and why they were"({ bbans }) {
    const source = new ReadableStream({
      start: (controller) => controller.enqueue(new Uint8Array(100)),
      cancel: () => fail("cancelled"),
    });
    const all = async () => {
      for await (const _ of bbans.decompressStream(source)) fail("a block");
    };
    await throws(all, "FormatError", /not a bbans container/);
  },

  async "files of records"({ bbans, read }) {
    const lines = await read("lines.json");
    const records = bbans.Records.open(await read("lines.bbr"));
    equal([...records], lines, "all");
    equal([records.length, records.get(17), records.get(-1)], [1500, lines[17], lines.at(-1)]);
    equal(bbans.info(await read("lines.bbr")).length, 1500);
    await throws(() => records.get(1500), "RangeError");
    await throws(() => records.get(0.5), "RangeError");
    await throws(() => records.get(0, { maxSize: 3 }), "LimitError", /record 0/);
    const apart = await read("apart.bbr");
    await throws(() => bbans.Records.open(apart), "WrongModelError");
    const codec = bbans.RecordCodec.load(await read("lines.bbm"));
    const { model } = codec;
    equal(bbans.Records.open(apart, { model }).get(3), lines[3]);
    for (const [k, message] of (await read("messages.json")).entries()) {
      equal(hex(codec.encode(lines[k])), message, lines[k]);
      equal(codec.decode(bytes(message)), lines[k]);
    }
    equal(codec.decode(codec.encode("é — not like the others")), "é — not like the others");
    records.free();
    await throws(() => records.get(0), "ModelError", /freed/);
    codec.free();
  },

  async "files of records, as Python writes them"({ bbans, read }) {
    const lines = await read("lines.json");
    const model = bbans.Model.load(await read("lines.bbm"));
    equal(bbans.Records.write(lines, model), await read("lines.bbr"), "with its model");
    equal(bbans.Records.write(lines, model, { embed: false }), await read("apart.bbr"), "without");
    const english = bbans.Model.load(await read("english.bbm"));
    const checked = bbans.Records.write(lines, english, { checksums: true, terminator: "" });
    equal(checked, await read("checked.bbr"), "text under a model of bytes");
    equal([...bbans.Records.open(checked)], lines);
    const octets = [...lines.slice(0, 300).map(utf8), bytes("ff00fe"), new Uint8Array(70000)];
    const mixed = bbans.Records.write(octets, model);
    equal(mixed, await read("octets.bbr"), "bytes under a model of text");
    equal([...bbans.Records.open(mixed)], octets);
    equal(bbans.Records.open(mixed).info.groups, 2);
    equal([...bbans.Records.open(bbans.Records.write([], model))], []);
    await throws(() => bbans.Records.write(["a", utf8("b")], model), "SymbolError", /record 1/);
  },

  async "batches, chains and packets, as Python writes them"({ bbans, read }) {
    const text = await read("book.txt");
    const model = bbans.Model.load(await read("english.bbm"));
    const many = await read("many.json");
    const parts = [text.subarray(0, 100), new Uint8Array(), text.subarray(50, 400)];
    const lengths = parts.map((part) => part.length);
    const { data, offsets } = bbans.encodeBatch(parts, model);
    equal({ data: hex(data), offsets }, { data: many.data, offsets: many.offsets }, "batch");
    equal(bbans.decodeBatch(data, offsets, lengths, model), parts);
    await throws(() => bbans.decodeBatch(data, [0], lengths, model), "ModelError");
    const chain = bbans.chain(parts, model);
    equal(hex(chain), many.chain, "chain");
    equal(bbans.unchain(chain, lengths, model), parts);
    await throws(() => bbans.unchain(chain, [100, -1], model), "ModelError");
    await throws(() => bbans.unchain(chain, lengths, model, { maxSize: 9 }), "LimitError");
    await throws(() => bbans.encodeBatch(["text"], model), "SymbolError", /sequence 0/);
    for (const [checksum, packets] of many.packets.entries()) {
      const found = packets.map((packet) => bbans.decodePacket(bytes(packet), model, { checksum }));
      equal(joined(found), text.subarray(0, 300), `packets with ${checksum} bytes of checksum`);
    }
    const packet = bytes(many.packets[2][0]);
    packet[3] ^= 1;
    await throws(() => bbans.decodePacket(packet, model, { checksum: 2 }), "CorruptError");
    equal(model.decode(model.encode(text), text.length), text, "the mode is as it was");
    equal(bbans.chain([], model), model.encode(new Uint8Array()), "a chain of nothing");
  },

  async "messages that end with a symbol"({ bbans, read }) {
    const { file, message, line } = (await read("many.json")).until;
    const model = bbans.Model.load(bytes(file));
    equal(bbans.decode(bytes(message), model, undefined, { until: bytes("0a") }), utf8(line));
    const until = bytes("00");
    const limits = { until, maxSize: 20 };
    await throws(() => bbans.decode(bytes(message), model, 1000, limits), "LimitError");
    await throws(() => bbans.decode(bytes(message), model, 20, { until }), "CorruptError");
    for (const length of [-5, 1.5, NaN, "7"]) {
      await throws(() => model.decode(bytes(message), length, { until }), "ModelError", /number/);
    }
    const english = bbans.Model.load(await read("english.bbm"));
    await throws(() => english.decode(bytes("01"), 9, { until }), "ModelError", /predictive/);
  },

  async "what files hold"({ bbans, read }) {
    const info = bbans.info(await read("english.bbz"));
    equal([info.kind, info.holds, info.methods], ["container", "bytes", { model: 1 }]);
    equal(info.elements, (await read("book.txt")).length);
    equal(bbans.info(await read("english.bbm")).type, "HMM");
    await throws(() => bbans.info(bytes("1f8b0800")), "FormatError");
    await throws(() => bbans.info(bytes("89")), "TruncatedError");
  },

  async "limits, and what is refused"({ bbans, read }) {
    const zeros = bbans.compress(new Uint8Array(1 << 24), { level: 1 });
    ok(zeros.length < 1000, "a few bytes that hold many");
    await throws(() => bbans.decompress(zeros, { maxSize: 1e6 }), "LimitError", /maxSize/);
    equal(bbans.decompress(zeros).data.length, 1 << 24);
    await throws(() => bbans.decompress(zeros, { maxSize: -1 }), "ModelError");
    await throws(() => bbans.compress("x", { level: 10 }), "ModelError", /level/);
    await throws(() => bbans.compress([1, 2]), "SymbolError", /typed/);
    await throws(() => bbans.compress(7), "TypeError");
    const six = new Int16Array(6);
    await throws(() => bbans.compress(six, { shape: [2, 2] }), "SymbolError", /shape/);
    await throws(() => bbans.compress(six, { dtype: "int8" }), "SymbolError");
    await throws(() => bbans.compress(six, { dtype: "complex64" }), "ModelError");
    await throws(() => bbans.compress(new Uint8Array([0, 2]), { dtype: "bool" }), "SymbolError");
    const english = bbans.Model.load(await read("english.bbm"));
    await throws(() => english.decode(bytes("0102"), -1), "ModelError", /number of symbols/);
    await throws(() => english.decode(bytes("0102"), 1e9, { maxSize: 1e6 }), "LimitError");
    await throws(() => english.encode("text"), "SymbolError", /bytes/);
    await throws(() => bbans.encode(utf8("x"), {}), "ModelError");
    const error = await throws(() => bbans.Model.load(bytes("8962626d03")), "TruncatedError");
    equal(error.status, -12);
    ok(error instanceof Error && "name" in error, "an Error");
  },

  async "arguments that are out of range, by which no memory is overwritten"({ bbans, read }) {
    const english = bbans.Model.load(await read("english.bbm"));
    const codec = bbans.RecordCodec.load(await read("lines.bbm"));
    const [line] = await read("lines.json");
    const record = bytes((await read("messages.json"))[0]);
    const records = bbans.Records.open(await read("lines.bbr"));
    const message = english.encode(utf8("as they are"));
    for (const maxSize of [-1, NaN, null, "9"]) {
      await throws(() => codec.decode(record, { maxSize }), "ModelError", /maxSize/);
      await throws(() => records.get(0, { maxSize }), "ModelError", /maxSize/);
      await throws(() => english.decode(message, 11, { maxSize }), "ModelError", /maxSize/);
      await throws(() => bbans.decompress(bytes(""), { maxSize }), "ModelError", /maxSize/);
    }
    for (const length of [-5, 1.5, NaN, null, "7"]) {
      await throws(() => english.decode(message, length), "ModelError", /number of symbols/);
    }
    for (const offsets of [[-9, 2], [5, 2], [NaN, 2], [0, 1e9], [0n, 2n]]) {
      await throws(() => bbans.decodeBatch(message, offsets, [3], english), "ModelError", /offsets/);
    }
    for (const from of [-3, NaN, 1.5]) {
      await throws(() => bbans.posterior(utf8("text"), english, { from }), "ModelError", /from/);
    }
    const time = new BigInt64Array(2);
    for (const multiplier of [0, -1, 1.5, 1e10, "a"]) {
      const options = { dtype: "datetime64", unit: "s", multiplier };
      await throws(() => bbans.compress(time, options), "ModelError", /multiplier/);
    }
    for (const dtype of ["__proto__", "toString"]) {
      await throws(() => bbans.compress(time, { dtype }), "ModelError", /dtype/);
    }
    await throws(() => bbans.compress(time, { shape: [1, 2], axis: NaN }), "ModelError", /axis/);
    await throws(() => english.encode(Uint16Array.of(97)), "SymbolError", /Uint16Array/);
    equal(codec.decode(record), line);
  },

  async "what has been freed, or is of another instance, is refused"({ load, bbans, read }) {
    const file = await read("english.bbm");
    const other = (await load()).Model.load(file);
    const text = await read("book.txt");
    const works = [
      () => bbans.compress(text, { model: other }),
      () => bbans.costs(utf8(text), { model: other }),
      () => new bbans.RecordCodec(other),
      () => bbans.Records.write(["a"], other),
      () => bbans.encode(utf8(text), other),
    ];
    for (const work of works) await throws(work, "ModelError", /another instance/);
    const coded = await read("english.bbz");
    await throws(() => bbans.decompress(coded, { model: other }), "ModelError", /another instance/);
    await throws(() => bbans.compress(text, { model: "english" }), "ModelError", /a bbans.Model/);
    const codec = bbans.RecordCodec.load(await read("lines.bbm"));
    codec.free();
    await throws(() => codec.encode("a"), "ModelError", /freed/);
    await throws(() => codec.decode(bytes("00")), "ModelError", /freed/);
    const records = bbans.Records.open(await read("lines.bbr"));
    records.free();
    await throws(() => records.get(0), "ModelError", /freed/);
    await throws(() => records.text(), "ModelError", /freed/);
  },

  async "containers whose axes and columns are longer than all memory"({ bbans, read }) {
    const endless = await read("endless.bbz");
    const { data, shape } = bbans.decompress(endless);
    equal([data.length, ...shape], [0, 0, 2 ** 40]);
    equal(bbans.compress(data, { shape, axis: 1, channels: 1 }), endless);
    const long = await read("long.bbz");
    await throws(() => bbans.decompress(long), "CorruptError", /a column is longer/);
  },

  async "damage is an error, and the instance goes on"({ bbans, read }) {
    const names = ["bytes.bbz", "array18.bbz", "array20.bbz", "array14.bbz", "table.bbz"];
    const random = generator(1);
    const { used } = bbans.memory;
    let caught = 0;
    for (const name of names) {
      const file = await read(name);
      for (let k = 0; k < 25; k++) {
        const damaged = file.slice(0, k % 5 === 0 ? random(file.length) : file.length);
        if (damaged.length > 0) damaged[random(damaged.length)] ^= 1 << random(8);
        try {
          bbans.decompress(damaged);
          fail(`${name}: no checksum finds damage ${k}`);
        } catch (error) {
          if (!("status" in error)) throw error;
          caught++;
        }
      }
    }
    equal(caught, 25 * names.length, "errors");
    ok(bbans.memory.used <= used, "memory that errors leave");
    // Without checksums: damage decodes to something else, or is an error.
    const codec = bbans.RecordCodec.load(await read("lines.bbm"));
    const english = bbans.Model.load(await read("english.bbm"));
    for (let k = 0; k < 400; k++) {
      const message = Uint8Array.from({ length: random(40) }, () => random(256));
      const works = [
        () => codec.decode(message, { maxSize: 300 }),
        () => english.decode(message, 50),
      ];
      for (const work of works) {
        try {
          work();
        } catch (error) {
          if (!("status" in error)) throw error;
        }
      }
    }
    equal(codec.decode(codec.encode("still here")), "still here");
  },

  async "damaged blocks whose checksums are right"({ bbans, read }) {
    const random = generator(2);
    for (const { name, file, data } of (await read("blocks.json")).slice(0, 400)) {
      const damaged = bytes(file);
      if (damaged.length > 2000 || data.length > 20000) continue;
      damaged[random(damaged.length)] ^= 1 << random(8);
      try {
        bbans.decompress(repaired(damaged));
      } catch (error) {
        if (!("status" in error)) fail(`${name}: ${error.stack}`);
      }
    }
  },

  async "the smaller modules decode, and say what they lack"({ load, bbans, read }) {
    const decoder = await load(new URL("../bbans-decoder.wasm", import.meta.url));
    const text = await read("book.txt");
    const model = decoder.Model.load(await read("english.bbm"));
    equal(decoder.decompress(await read("english.bbz"), { model }).data, text);
    equal(decoder.decompress(await read("table.bbz")).data, await read("table.csv"));
    equal(decoder.Records.open(await read("lines.bbr")).length, 1500);
    await throws(() => decoder.compress(text), "ModelError", /load bbans.wasm/);
    const hmm = await load(new URL("../bbans-hmm.wasm", import.meta.url));
    const small = hmm.Model.load(await read("english.bbm"));
    const message = bbans.encode(text, bbans.Model.load(await read("english.bbm")));
    equal(hmm.decode(message, small, text.length), text, "by the HMM decoder");
    const codec = hmm.RecordCodec.load(await read("lines.bbm"));
    const [line] = await read("lines.json");
    equal(codec.decode(bytes((await read("messages.json"))[0])), line);
    const digits = await read("digits.bbm");
    await throws(() => hmm.Model.load(digits), "VersionError");
    await throws(() => hmm.decompress(message), "ModelError", /load bbans.wasm/);
  },

  async "memory is used again"({ load, read }) {
    const bbans = await load(); // in which nothing waits for the garbage collector
    const text = await read("book.txt");
    const file = await read("english.bbm");
    const lines = await read("lines.bbr");
    let before;
    for (let k = 0; k < 30; k++) {
      const model = bbans.Model.load(file);
      bbans.decompress(bbans.compress(text, { model }), { model });
      bbans.Records.open(lines).free();
      model.free();
      if (k === 4) before = bbans.memory;
    }
    equal(bbans.memory, before);
  },
};

function* cut(data, size) {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

function joined(pieces) {
  const all = new Uint8Array(pieces.reduce((n, piece) => n + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Random numbers below n, the same in each run (xorshift). */
function generator(seed) {
  let x = seed;
  return (n) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % n;
  };
}

/** A container of one block whose checksums hold, whatever its bytes are. */
function repaired(file) {
  const crc = (parts) => {
    let value = ~0;
    for (const part of parts)
      for (const byte of part) {
        value ^= byte;
        for (let k = 0; k < 8; k++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
      }
    return Uint32Array.of(~value);
  };
  const header = { 1: 11, 2: 8 }[file[6] & 3] ?? 7;
  const at = file[6] === 3 ? 23 : header; // of the checksum: a line takes 16 bytes
  file.set(new Uint8Array(crc([file.subarray(0, at)]).buffer), at);
  let next = at + 4;
  const begin = next;
  const uvarint = () => {
    let value = 0;
    for (let shift = 0; next < file.length; shift += 7) {
      value += (file[next] & 0x7f) * 2 ** shift;
      if (file[next++] < 0x80) break;
    }
    return value;
  };
  uvarint();
  next++;
  const n = uvarint();
  const end = next + n;
  if (end + 4 > file.length) return file;
  const index = new Uint8Array(8);
  file.set(new Uint8Array(crc([index, file.subarray(begin, end)]).buffer), end);
  return file;
}
