/**
 * Reads the files of tests/vectors/files: each reader returns what kept.json says of what it
 * has read.
 *
 * SPDX-License-Identifier: MIT
 */
import { hex, octets, utf8 } from "./check.mjs";

/** What reads a file, by its ending. */
export const readers = {
  /** With a codec of the user, which has the elements from last to first. */
  async bbz(bbans, file, { model }) {
    const codecs = { reversed: (block, size, { Type }) => new Type(block.buffer).reverse() };
    const { kind, data, ...array } = bbans.decompress(file, { model, codecs });
    if (kind === "array") {
      const { shape } = array;
      return { type: nameOf(array), shape, elements: data.length, ...(await digest(data)) };
    }
    const bytes = kind === "text" ? utf8(data) : data;
    const type = kind === "text" ? "str" : "bytes";
    return { type, elements: bytes.length, ...(await digest(bytes)) };
  },

  /** Its bytes alone: what they are stands in the metadata of an array store. */
  async chunk(bbans, file, { type, shape, elements }) {
    const found = bbans.decompress(file);
    const bytes = octets(found.data);
    const arePlanes = found.dtype === "uint8" && found.shape[0] === 1 && found.shape.length === 3;
    const facts = { type, shape, elements };
    return { ...facts, ...(await digest(arePlanes ? joined(bytes, found.shape[2]) : bytes)) };
  },

  async bbm(bbans, file) {
    const { fingerprint } = bbans.Model.load(file);
    return { fingerprint };
  },

  async bbr(bbans, file, { model }) {
    return recordFacts([...bbans.Records.open(file, { model })]);
  },

  async chain(bbans, file, { device, lengths }) {
    const sequences = bbans.unchain(file, lengths, device);
    return recordFacts(sequences.map((symbols) => `[${Array.from(symbols).join(", ")}]`));
  },

  async packets(bbans, file, { device, packet: [size, checksum] }) {
    const symbols = [];
    for (let at = 0; at < file.length; at += size) {
      const packet = file.subarray(at, at + size);
      symbols.push(...bbans.decodePacket(packet, device, { checksum }));
    }
    const data = BigInt64Array.from(symbols, BigInt);
    return { type: "int64", shape: [data.length], elements: data.length, ...(await digest(data)) };
  },
};

/** What numpy calls the elements of an array. */
function nameOf({ dtype, bigEndian, unit, multiplier }) {
  const counted = multiplier > 1 ? multiplier : "";
  return `${bigEndian ? "big-endian " : ""}${dtype}${unit ? `[${counted}${unit}]` : ""}`;
}

/** Elements of n that lie apart: the first byte of each, then the second of each, and so on. */
function joined(planes, n) {
  const width = planes.length / n;
  return planes.map((_, i) => planes[(i % width) * n + Math.floor(i / width)]);
}

async function recordFacts(records) {
  const parts = records.flatMap((record) => {
    const bytes = typeof record === "string" ? utf8(record) : record;
    return [octets(BigUint64Array.of(BigInt(bytes.length))), bytes];
  });
  const all = new Uint8Array(await new Blob(parts).arrayBuffer());
  return { records: records.length, ...(await digest(all)) };
}

async function digest(data) {
  return { sha256: hex(new Uint8Array(await crypto.subtle.digest("SHA-256", data))) };
}
