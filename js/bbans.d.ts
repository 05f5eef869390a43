/**
 * bbans in JavaScript: lossless compression with latent variable and state space models.
 *
 * The same data, model and options give the same bytes as in Python and C. All functions
 * work in pages, workers and Node.js, and throw a `BbansError` for data that are
 * damaged, hostile or of another kind; the instance goes on working.
 */

/** What bytes come as. */
export type Bytes = ArrayBufferView | ArrayBuffer;

/** Arrays of numbers. */
export type NumericArray =
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** Elements of arrays, as numpy calls them. Those of float16 and bfloat16 are the bits, in a
 * Uint16Array, and of bool and float8 in a Uint8Array; dates and durations are whole numbers
 * of their unit, in a BigInt64Array, of which -(2n ** 63n) is none. */
export type Dtype =
  | "uint8"
  | "int8"
  | "uint16"
  | "int16"
  | "uint32"
  | "int32"
  | "uint64"
  | "int64"
  | "bool"
  | "datetime64"
  | "timedelta64"
  | "float16"
  | "float32"
  | "float64"
  | "bfloat16"
  | "float8_e4m3fn"
  | "float8_e5m2";

/** Units of dates and durations, as numpy calls them; "generic": not said. */
export type Unit =
  | "generic"
  | "Y"
  | "M"
  | "W"
  | "D"
  | "h"
  | "m"
  | "s"
  | "ms"
  | "us"
  | "ns"
  | "ps"
  | "fs"
  | "as";

export interface CompressOptions {
  /** From 1, fast, to 9, small; 5 by default. */
  level?: number;
  /** What codes the blocks; the reader needs it too. */
  model?: Model;
  /** Elements of a block, rounded down to whole steps. */
  blockSize?: number;
}

export interface ArrayOptions extends CompressOptions {
  /** What the elements are, if the array's type does not tell. */
  dtype?: Dtype;
  /** The array's axes, in C order; by default one. */
  shape?: readonly number[];
  /** The axis of time; 0 by default. */
  axis?: number;
  /** Elements that are sampled together; 0: there is no order in the elements. */
  channels?: number;
  /** Of dates and durations. */
  unit?: Unit;
  /** How many of the unit an element counts. */
  multiplier?: number;
}

/** Decodes a block of `size` elements of a codec of your own. */
export type BlockCodec = (
  data: Uint8Array,
  size: number,
  about: { fingerprint: string; Type: Function },
) => NumericArray;

export interface DecompressOptions {
  /** The model that the data name, or several to choose from. */
  model?: Model | readonly Model[];
  /** The most bytes that all elements may take: give it to data from strangers, since a
   * few bytes may decompress to many. */
  maxSize?: number;
  /** Codecs by name, for containers that were written by such. */
  codecs?: Record<string, BlockCodec>;
}

export type Restored =
  | { kind: "bytes"; data: Uint8Array }
  | { kind: "text"; data: string }
  | RestoredArray;

export interface RestoredArray {
  kind: "array";
  /** The elements in C order. */
  data: NumericArray;
  dtype: Dtype;
  shape: number[];
  /** Whether the array was big-endian. `data` is in the machine's order all the same. */
  bigEndian: boolean;
  /** Of dates and durations alone. */
  unit?: Unit;
  multiplier?: number;
}

/** What a stream of blocks yields: text in pieces, and elements of arrays in C order with
 * the axis of time first. */
export type Block =
  | { kind: "bytes"; data: Uint8Array }
  | { kind: "text"; data: string }
  | { kind: "array"; data: NumericArray; dtype: Dtype };

/** Where bytes come from, piece by piece. */
export type Source = ReadableStream<Bytes> | AsyncIterable<Bytes> | Iterable<Bytes>;

export interface DecodeOptions {
  /** One symbol, at the end of the sequence and nowhere else: the length need not be
   * known, and is the most that is looked through. The model's mode is predictive. */
  until?: string | Bytes | number | bigint;
  maxSize?: number;
}

/** What a model codes: bytes, text, or integers. */
export type Sequence = string | Bytes | NumericArray | readonly (number | bigint)[];
export type Decoded = string | Uint8Array | Int32Array | BigInt64Array;

export interface Model {
  readonly type:
    | "HMM"
    | "ARHMM"
    | "LGSSM"
    | "VAE"
    | "DeepSSM"
    | "HierarchicalHMM"
    | "FactorialHMM"
    | "LatentTree"
    | "ContextMixer"
    | "MultivariateGaussianHMM";
  /** What it codes. */
  readonly kind: "integers" | "bytes" | "text";
  readonly mode: "iconoclasm" | "predictive";
  /** Whether the last symbol is the end of a record. */
  readonly ends: boolean;
  /** Integers of an observation. */
  readonly width: number;
  /** Number of symbols; 0 for models without an alphabet. */
  readonly symbols: number;
  /** Number of states of an HMM or ARHMM; 0 of others. */
  readonly states: number;
  /** What names it in containers, 16 hexadecimal digits. */
  readonly fingerprint: string;
  /** Whether its symbols are the bytes of UTF-8. */
  readonly isUtf8: boolean;
  /** Code one sequence as a bare message: no header, no length, no checksum. */
  encode(data: Sequence): Uint8Array;
  /** Decode a bare message of `length` symbols, bytes of UTF-8, or rows. */
  decode(message: Bytes, length?: number, options?: DecodeOptions): Decoded;
  /** The model file, plain, or packed where that is shorter. */
  toBytes(options?: { packed?: boolean }): Uint8Array;
  /** Free its memory now, and not when it is collected. */
  free(): void;
}

export interface RecordCodec {
  readonly model: Model;
  /** Code one record: at most a byte longer than it. */
  encode(record: string | Bytes): Uint8Array;
  /** Decode one: a string under a model of text. maxSize is 2**20 by default. */
  decode(message: Bytes, options?: { maxSize?: number }): string | Uint8Array;
  free(): void;
}

export interface Records extends Iterable<string | Uint8Array> {
  readonly length: number;
  readonly model: Model;
  readonly info: RecordsInfo;
  /** Record k, or from the last for k < 0. */
  get(k: number, options?: { maxSize?: number }): string | Uint8Array;
  /** All records as the bytes of one text, as they were before they were packed. */
  text(options?: { maxSize?: number }): Uint8Array;
  free(): void;
}

export interface RecordsOptions {
  /** Whether each record has a checksum of its own. */
  checksums?: boolean;
  /** Whether the model is put into the file, as it is by default. */
  embed?: boolean;
  /** What follows each record where all are written as one text: a line feed by default. */
  terminator?: string | Bytes;
}

export interface ContainerInfo {
  kind: "container";
  holds: "bytes" | "text" | "array";
  dtype?: Dtype;
  shape?: number[];
  elements: number;
  parts: number;
  blocks: number;
  /** How many blocks there are of each method. */
  methods: Record<string, number>;
  bytes: number;
  /** Bytes that are not data of blocks. */
  overhead: number;
  /** Fingerprints of models, and names of codecs, that are needed. */
  coders?: string[];
}

export interface RecordsInfo {
  kind: "records";
  holds: "bytes" | "text";
  length: number;
  /** Records of groups with damaged headers. */
  lost: number;
  groups: number;
  /** Whether an append was interrupted. */
  cut: boolean;
  checksums: boolean;
  fingerprint: string;
  /** Bytes of the model in the file, or 0. */
  modelBytes: number;
  /** What follows each record where all are written as one text. */
  terminator: Uint8Array;
}

export interface ModelInfo
  extends Pick<Model, "type" | "mode" | "ends" | "width" | "symbols" | "fingerprint"> {
  kind: "model";
  codes: Model["kind"];
}

export interface Bbans {
  readonly Model: { load(bytes: Bytes): Model };
  readonly RecordCodec: { new (model: Model): RecordCodec; load(bytes: Bytes): RecordCodec };
  readonly Records: {
    open(bytes: Bytes, options?: { model?: Model | readonly Model[] }): Records;
    /** The bytes of a file of records, all strings or all bytes. */
    write(
      records: Iterable<string> | Iterable<Bytes>,
      model: Model | RecordCodec,
      options?: RecordsOptions,
    ): Uint8Array;
  };
  /** Compress text, bytes, or an array: other views, or with a dtype or shape. */
  compress(data: string | Bytes, options?: CompressOptions): Uint8Array;
  compress(data: NumericArray, options: ArrayOptions): Uint8Array;
  /** Restore what was compressed. */
  decompress(bytes: Bytes, options?: DecompressOptions): Restored;
  /** Compress a stream of bytes, piece by piece. */
  compressStream(source: Source, options?: CompressOptions): AsyncGenerator<Uint8Array>;
  /** Decompress a stream, block by block. */
  decompressStream(source: Source, options?: DecompressOptions): AsyncGenerator<Block>;
  /** Code one sequence as a bare message. */
  encode(data: Sequence, model: Model): Uint8Array;
  /** Decode one. */
  decode(message: Bytes, model: Model, length?: number, options?: DecodeOptions): Decoded;
  /** Code sequences, each as a message of its own: message k is data[offsets[k]], .., up to
   * offsets[k + 1]. */
  encodeBatch(
    sequences: Iterable<Sequence>,
    model: Model,
  ): { data: Uint8Array; offsets: number[] };
  /** Decode sequences of these lengths. */
  decodeBatch(
    data: Bytes,
    offsets: readonly number[],
    lengths: readonly number[],
    model: Model,
    options?: { maxSize?: number },
  ): Decoded[];
  /** Code sequences as one message, with the least overhead. */
  chain(sequences: Iterable<Sequence>, model: Model): Uint8Array;
  /** Decode a chain of sequences of these lengths. */
  unchain(
    message: Bytes,
    lengths: readonly number[],
    model: Model,
    options?: { maxSize?: number },
  ): Decoded[];
  /** Decode a packet, which ends in `checksum` bytes of one: 0, 1 or 2. */
  decodePacket(
    packet: Bytes,
    model: Model,
    options?: { checksum?: 0 | 1 | 2; maxSize?: number },
  ): Decoded;
  /** The bits that each symbol takes, given those before it: under a model, as one
   * sequence; else of each byte, as `compress` codes them at levels 3 to 9. */
  costs(data: Sequence, options?: { model?: Model; level?: number }): Float64Array;
  /** How likely each state of an HMM is at each symbol, given all of them: `chances` has
   * the symbols from number `from` up to `to`, a row of `states` for each. */
  posterior(
    data: Sequence,
    model: Model,
    options?: { from?: number; to?: number },
  ): { states: number; chances: Float32Array };
  /** What a container, a record file or a model file holds; containers are checked, and not
   * decoded. */
  info(bytes: Bytes): ContainerInfo | RecordsInfo | ModelInfo;
  /** Bytes of the module's memory: in use, and in all. It never shrinks. */
  readonly memory: { used: number; size: number };
}

/** Load the library: by default `bbans.wasm` beside this file. */
export function load(
  source?: string | URL | Response | Promise<Response> | BufferSource | WebAssembly.Module,
): Promise<Bbans>;

/** Base of all errors thrown on purpose. */
export class BbansError extends Error {
  /** The code that the C library returned, or null. */
  readonly status: number | null;
}
/** Arguments, settings or models that no code can be built from. */
export class ModelError extends BbansError {}
/** Data that the model cannot code: a symbol outside its alphabet. */
export class SymbolError extends ModelError {}
/** Too few bits in the message for a pop, or no room for a push. */
export class MessageError extends BbansError {}
/** Data that would decode to more bytes than the caller, or this machine, allows. */
export class LimitError extends BbansError {}
/** Bytes that are not what they should be; the subclasses say how. */
export class FormatError extends BbansError {}
/** A format version, or a code, that this release cannot read. */
export class VersionError extends FormatError {}
/** Data that another model wrote. */
export class WrongModelError extends FormatError {}
/** Data that ends too early. */
export class TruncatedError extends FormatError {}
/** Data that no encoder wrote: damaged, or decoded with another model or length. */
export class CorruptError extends FormatError {}

/** The status codes of csrc/bbans.h. */
export const Status: Readonly<Record<string, number>>;
