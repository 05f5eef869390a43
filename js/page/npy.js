// Restored arrays as .npy files, which numpy loads.

const TYPES = {
  bool: "b1", int8: "i1", uint8: "u1", int16: "i2", uint16: "u2", int32: "i4", uint32: "u4",
  int64: "i8", uint64: "u8", float16: "f2", float32: "f4", float64: "f8",
  datetime64: "M8", timedelta64: "m8",
};

/** The file of what `decompress` has restored; undefined for what numpy has no name for. */
export function npy({ data, dtype, shape, bigEndian, unit, multiplier }) {
  const type = TYPES[dtype];
  if (!type) return undefined;
  const size = data.BYTES_PER_ELEMENT;
  const order = size === 1 ? "|" : bigEndian ? ">" : "<";
  const every = multiplier > 1 ? multiplier : "";
  const dates = multiplier && unit !== "generic" ? `[${every}${unit}]` : "";
  const lengths = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const descr = `'descr': '${order}${type}${dates}'`;
  // Magic, version and length take 10 bytes; the elements begin at a multiple of 64.
  const head = `{${descr}, 'fortran_order': False, 'shape': (${lengths}), }`;
  const pad = 63 - ((10 + head.length) % 64);
  const start = 11 + head.length + pad;
  const file = new Uint8Array(start + data.byteLength);
  const ascii = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));
  file.set(ascii("\x93NUMPY\x01\x00"));
  new DataView(file.buffer).setUint16(8, start - 10, true);
  file.set(ascii(`${head}${" ".repeat(pad)}\n`), 10);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  for (let at = 0; bigEndian && at < bytes.length; at += size) {
    bytes.subarray(at, at + size).reverse();
  }
  file.set(bytes, start);
  return file;
}
