/**
 * The tests, for node and for browsers alike: each takes the library and a function that
 * reads a file of fixtures, which tests/test_javascript.py makes.
 */
import { bytes, equal, fail, hex, ok, throws, utf8 } from "./check.mjs";

const ERRORS = {
  truncated: "TruncatedError",
  corrupt: "CorruptError",
  version: "VersionError",
  format: "FormatError",
};

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
    for (let k = shape.length - 1, rest = n; k >= 0; rest = Math.floor(rest / shape[k--])) index.unshift(rest % shape[k]);
    wanted[at(moved(index, axis), moved(shape, axis))] = value;
  });
  return wanted;
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
    equal(bbans.memory.used, used, "memory that errors leave");
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
      for (const message of refused) await throws(() => codec.decode(bytes(message)), "CorruptError");
    }
  },
};
