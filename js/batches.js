/**
 * Many sequences under a model: each on its own, or chained into one message; and packets.
 *
 * SPDX-License-Identifier: MIT
 */
import { bytesOf } from "./core.js";
import { BbansError, CorruptError, LimitError, ModelError } from "./errors.js";
import { joined } from "./memory.js";

/** Code sequences, each as a message of its own: the messages, end to end, and where. */
export function encodeBatch(sequences, model) {
  const messages = Array.from(sequences, (sequence, k) => named(k, () => model.encode(sequence)));
  const offsets = [0];
  for (const message of messages) offsets.push(offsets.at(-1) + message.length);
  return { data: messages.length > 0 ? joined(messages, Uint8Array) : new Uint8Array(), offsets };
}

/** Decode sequences of these lengths. */
export function decodeBatch(data, offsets, lengths, model, options) {
  const bytes = bytesOf(data);
  const isOffset = (at, k) => Number.isInteger(at) && at >= (k > 0 ? offsets[k - 1] : 0);
  const rise = offsets.every(isOffset) && offsets.at(-1) <= bytes.length;
  if (offsets.length !== lengths.length + 1 || !rise) {
    throw new ModelError(
      `${lengths.length} sequences need ${lengths.length + 1} rising offsets within ${bytes.length} bytes`,
    );
  }
  return Array.from(lengths, (length, k) =>
    named(k, () => model.decode(bytes.subarray(offsets[k], offsets[k + 1]), length, options)),
  );
}

/** Name the sequence that an error is about. */
function named(k, work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof BbansError) error.message = `sequence ${k}: ${error.message}`;
    throw error;
  }
}

/** Code sequences as one message, with the least overhead. */
export function chain(sequences, model) {
  const all = Array.from(sequences, (sequence, k) => named(k, () => model.observations(sequence)));
  if (all.length === 0) all.push(model.observations(model.kind === "text" ? "" : new Uint8Array()));
  const x = joined(all, all[0].constructor);
  const starts = startsOf(all.map((part) => model.stepsOf(part)));
  return model.encodeBy("packed_encode", x, (put) => [
    put(BigUint64Array.from(starts, BigInt)),
    starts.length - 1,
  ]);
}

/** Decode a chain of sequences of these lengths. */
export function unchain(message, lengths, model, options) {
  const starts = startsOf(lengths);
  return model.decodeBy("packed_decode", message, starts.at(-1), options, {
    given: (put) => [put(BigUint64Array.from(starts, BigInt)), starts.length - 1],
    result: (x) =>
      Array.from(lengths, (length, k) => named(k, () => model.values(x, length, starts[k]))),
  });
}

function startsOf(lengths) {
  const starts = [0];
  for (const length of lengths) {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new ModelError(`lengths must be integers, none negative, not ${length}`);
    }
    starts.push(starts.at(-1) + length);
  }
  return starts;
}

const PACKET_BYTES = 64;

/** Decode a packet (docs/format.md, "Packet"), which `checksum` bytes end. */
export function decodePacket(packet, model, { checksum = 0, maxSize } = {}) {
  const all = bytesOf(packet, "packet");
  if (![0, 1, 2].includes(checksum) || all.length < 2 + checksum || all.length > PACKET_BYTES) {
    throw new ModelError(`there is no packet of ${all.length} bytes, ${checksum} of a checksum`);
  }
  const end = all.length - checksum;
  if (crcOf(all, checksum) !== 0) {
    throw new CorruptError("packet is damaged: its checksum does not match");
  }
  let last = end;
  while (last > 1 && all[last - 1] === 0) last--;
  try {
    return model.inPredictive(() => model.decode(all.subarray(1, last), all[0], { maxSize }));
  } catch (error) {
    if (error instanceof LimitError || error.status === null) throw error;
    throw new CorruptError("packet is damaged, or of another model or checksum", error.status);
  }
}

/** The CRC of a packet with its own, which is 0. */
function crcOf(bytes, size) {
  const polynomial = { 1: 0x07, 2: 0x1021 }[size];
  if (polynomial === undefined) return 0;
  const bits = 8 * size;
  const mask = 2 ** bits - 1;
  let value = mask;
  for (const byte of bytes) {
    value ^= byte << (bits - 8);
    for (let k = 0; k < 8; k++) {
      value = ((value << 1) ^ (value >> (bits - 1) ? polynomial : 0)) & mask;
    }
  }
  return value;
}
