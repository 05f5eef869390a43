/** Uses every function with its types: `tsc --strict` checks this file, nothing runs it. */
import {
  BbansError,
  CorruptError,
  load,
  type Bbans,
  type Block,
  type ContainerInfo,
  type Model,
  type ModelInfo,
  type RecordCodec,
  type Records,
  type RecordsInfo,
  type Restored,
} from "../bbans.js";

async function everything(bytes: Uint8Array, stream: ReadableStream<Uint8Array>): Promise<void> {
  const bbans: Bbans = await load();
  await load("bbans-decoder.wasm");
  await load(fetch("bbans-hmm.wasm"));
  await load(await WebAssembly.compile(bytes));

  const model: Model = bbans.Model.load(bytes);
  const facts: [string, string, number, number, boolean] = [
    model.type,
    model.fingerprint,
    model.width,
    model.symbols,
    model.ends && model.isUtf8,
  ];
  const file: Uint8Array = bbans.compress("text", { level: 9 });
  bbans.compress(bytes.buffer, { model, blockSize: 1000 });
  bbans.compress(new Float32Array(6), { shape: [2, 3], channels: 3 });
  bbans.compress(new BigInt64Array(6), { dtype: "datetime64", unit: "ns", multiplier: 25 });
  bbans.compress(new Uint16Array(6), { dtype: "bfloat16", axis: 0 });

  const restored: Restored = bbans.decompress(file, {
    model: [model],
    maxSize: 1e9,
    codecs: { mine: (data, size) => new Int16Array(data.buffer, 0, size) },
  });
  if (restored.kind === "text") restored.data.toUpperCase();
  else if (restored.kind === "bytes") restored.data.subarray(1);
  else if (restored.dtype === "timedelta64") restored.unit?.padEnd(restored.shape.length);

  const pieces: Uint8Array[] = [];
  for await (const piece of bbans.compressStream(stream, { level: 1 })) pieces.push(piece);
  for await (const block of bbans.decompressStream(pieces)) {
    const each: Block = block;
    if (each.kind === "array") each.dtype.padEnd(each.data.length);
  }

  const message: Uint8Array = bbans.encode([1, 2n], model);
  bbans.decode(message, model, 2, { maxSize: 100 });
  bbans.decode(message, model, undefined, { until: "\n" });
  model.decode(model.encode(bytes), bytes.length);
  bbans.costs(bytes, { model }).subarray(1);
  bbans.posterior(bytes, model, { from: 1 }).chances.subarray(model.states);

  const { data, offsets } = bbans.encodeBatch([bytes, bytes], model);
  bbans.decodeBatch(data, offsets, [bytes.length, bytes.length], model);
  bbans.unchain(bbans.chain([bytes], model), [bytes.length], model, { maxSize: 100 });
  bbans.decodePacket(bytes, model, { checksum: 2 });

  const codec: RecordCodec = new bbans.RecordCodec(bbans.RecordCodec.load(bytes).model);
  const record: string | Uint8Array = codec.decode(codec.encode("record"), { maxSize: 100 });
  const records: Records = bbans.Records.open(bytes, { model });
  for (const each of records) if (typeof each === "string") each.concat(String(record));
  bbans.Records.write(["a", "b"], codec, { checksums: true, terminator: "" });
  bbans.Records.write([bytes], model, { embed: false });
  records.get(-1, { maxSize: records.length });
  records.text().subarray(records.info.groups, records.model.width);

  const info: ContainerInfo | RecordsInfo | ModelInfo = bbans.info(bytes);
  if (info.kind === "container") info.coders?.join(info.holds);
  else if (info.kind === "records") info.terminator.subarray(info.lost);
  else info.codes.concat(info.mode);
  if (bbans.memory.used > bbans.memory.size) model.toBytes({ packed: true });

  try {
    for (const each of [model, codec, records]) each.free();
  } catch (error) {
    if (error instanceof CorruptError || error instanceof BbansError) error.status?.toFixed();
  }
  facts.reverse();
  // What must be refused:
  // @ts-expect-error there is no such level
  bbans.compress("text", { level: "fast" });
  // @ts-expect-error text has no elements
  bbans.compress("text", { dtype: "int16" });
  // @ts-expect-error a model is needed
  bbans.encode("text");
}

export { everything };
