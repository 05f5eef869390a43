/**
 * bbans in JavaScript: lossless compression with latent variable and state space models.
 *
 * Types and the meaning of arguments are in bbans.d.ts, how-tos in docs/guide/browser.md.
 *
 * SPDX-License-Identifier: MIT
 */
import * as analysis from "./analysis.js";
import * as batches from "./batches.js";
import { bytesOf, instantiate } from "./core.js";
import { FormatError, TruncatedError } from "./errors.js";
import { Model } from "./models.js";
import * as reader from "./reader.js";
import { RecordCodec, Records, writeRecords } from "./records.js";
import * as writer from "./writer.js";

export * from "./errors.js";

/** Load the library: all of it, or another of its modules, or from elsewhere. */
export async function load(source = new URL("./bbans.wasm", import.meta.url)) {
  return new Bbans(await instantiate(source));
}

const START = 4;
const MAGIC = { container: "\x89bbz", model: "\x89bbm", records: "\x89bbr", network: "\x89bbn" };

class Bbans {
  #core;

  constructor(core) {
    this.#core = core;
    this.Model = class extends Model {
      constructor(bytes) {
        super(core, bytes);
      }

      static load(bytes) {
        return new this(bytes);
      }
    };
    this.RecordCodec = class extends RecordCodec {
      constructor(model) {
        super(core, model);
      }

      static load(bytes) {
        return new this(new Model(core, bytes));
      }
    };
    this.Records = class extends Records {
      constructor(bytes, options) {
        super(core, bytes, options);
      }

      static open(bytes, options) {
        return new this(bytes, options);
      }

      static write(records, model, options) {
        return writeRecords(core, records, Model.checked(core, model?.model ?? model), options);
      }
    };
  }

  /** Bytes of the module's memory: in use, and in all. */
  get memory() {
    return { used: this.#core.used, size: this.#core.size };
  }

  compress(data, options) {
    return writer.compress(this.#core, data, options);
  }

  decompress(bytes, options) {
    return reader.decompress(this.#core, bytes, options);
  }

  compressStream(source, options) {
    return writer.compressStream(this.#core, source, options);
  }

  decompressStream(source, options) {
    return reader.decompressStream(this.#core, source, options);
  }

  encode(data, model) {
    return this.#model(model).encode(data);
  }

  decode(message, model, length, options) {
    return this.#model(model).decode(message, length, options);
  }

  encodeBatch(sequences, model) {
    return batches.encodeBatch(sequences, this.#model(model));
  }

  decodeBatch(data, offsets, lengths, model, options) {
    return batches.decodeBatch(data, offsets, lengths, this.#model(model), options);
  }

  chain(sequences, model) {
    return batches.chain(sequences, this.#model(model));
  }

  unchain(message, lengths, model, options) {
    return batches.unchain(message, lengths, this.#model(model), options);
  }

  decodePacket(packet, model, options) {
    return batches.decodePacket(packet, this.#model(model), options);
  }

  costs(data, options) {
    return analysis.costs(this.#core, data, options);
  }

  posterior(data, model, options) {
    return analysis.posterior(this.#core, data, this.#model(model), options);
  }

  /** What a file holds, without decoding it. */
  info(data) {
    const bytes = bytesOf(data);
    const magic = String.fromCharCode(...bytes.subarray(0, START));
    const kind = Object.keys(MAGIC).find((name) => MAGIC[name] === magic);
    if (kind === "container") return reader.containerInfo(this.#core, bytes);
    if (kind === "records") return this.#using(new this.Records(bytes), ({ info }) => info);
    if (kind === "model") return this.#using(new this.Model(bytes), modelInfo);
    if (bytes.length < START) throw new TruncatedError("the file ends early, in its magic");
    throw new FormatError("not a bbans container, record file or model file");
  }

  #model(model) {
    return Model.checked(this.#core, model);
  }

  #using(object, work) {
    try {
      return work(object);
    } finally {
      object.free();
    }
  }
}

function modelInfo({ type, kind: codes, mode, ends, width, symbols, fingerprint }) {
  return { kind: "model", type, codes, mode, ends, width, symbols, fingerprint };
}
