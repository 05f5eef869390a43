"""What the tests of the npm package compare with, made by the library in Python.

js/test/cases.mjs says what becomes of each file.
"""

import io
import json
import shutil

import numpy as np
from decades import FOLDER, PACKETS, VECTORS, chained
from shared import in_mode, too_long_a_table

import bbans
from bbans._records import uvarint
from bbans.errors import CorruptError
from bbans.formats import SignalCoder, container
from bbans.formats.container import ContainerWriter, Header
from bbans.frozen import FrozenHMM, FrozenLGSSM, FrozenModel, shipped_model
from bbans.records import chain, encode_batch, packets


def stored(name):
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def in_a_container(header, blocks, shape):
    """The bytes of a container whose checksums hold, whatever its blocks are."""
    file = io.BytesIO()
    writer = ContainerWriter(file, header)
    for block in blocks:
        writer.write(*block)
    writer.finish(shape)
    return file.getvalue()


def in_json(model, message, length):
    """What a message decodes to, as cases.mjs compares it."""
    try:
        value = model.decode(message, length)
    except CorruptError:  # a model of UTF-8, and bytes that are none
        return {"error": "CorruptError"}
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    return {"integers": [str(x) for x in np.ravel(value)]}


def stored_models():
    """Names, models and messages of all vectors with sequences, in both modes."""
    for vectors in ("hmm_v1", "lgssm_v1"):
        content = stored(vectors)
        models = []
        for case in content["models"]:
            start = case["tail_length"]
            if vectors == "hmm_v1":
                tables = (case[name] for name in ("initial", "transition", "emission"))
                model = FrozenHMM(*tables, prec=case["prec"], start_length=start)
            else:
                model = FrozenLGSSM(
                    case["n"], case["p"], case["offsets"], case["words"],
                    noise=case["noise"], start_length=start,
                    start_bits=case["start_bits"],
                )  # fmt: skip
            models.append((case["name"], model, []))
        for case in content["cases"]:
            models[case["model"]][2].append(case)
        yield from models
    for vectors in (
        "vae_v1",
        "deep_ssm_v1",
        "tree_v1",
        "gaussian_hmm_v1",
        "hierarchy_v1",
        "factorial_v1",
    ):
        for case in stored(vectors)["cases"]:
            model = FrozenModel.from_bytes(bytes.fromhex(case["file"]))
            yield f"{vectors} {case['name']}", model, case["sequences"]


def sequences():
    for name, model, cases in stored_models():
        for predictive in (False, True):
            member = "encode_predictive" if predictive else "encode"
            messages = [(len(case["xs"]), case[member]) for case in cases]
            yield name, in_mode(model, predictive).to_bytes(), messages
    for case in stored("model_v3")["cases"]:
        message = [(len(case["xs"]), case["message"])]
        yield f"model {case['name']}", bytes.fromhex(case["file"]), message
    for case in stored("context_mixer_v1")["cases"]:
        for form in ("file", "packed")[: 2 if case["packed"] else 1]:
            message = [(len(case["xs"]), case["message"])]
            yield f"mixer {case['name']}, {form}", bytes.fromhex(case[form]), message


def sequences_in_json():
    for name, file, messages in sequences():
        model = FrozenModel.from_bytes(file)
        yield {
            "name": name,
            "file": file.hex(),
            "fingerprint": model.fingerprint.hex(),
            "mode": model.mode,
            "messages": [
                {
                    "length": length,
                    "message": message,
                    **in_json(model, bytes.fromhex(message), length),
                }
                for length, message in messages
            ],
        }


def blocks():
    """Stored blocks of each coder, as containers: name, header, method, data, block."""
    for case in stored("bytes_v1")["cases"]:
        for k, block in enumerate(case["blocks"]):
            size = case["block_size"]
            data = bytes.fromhex(case["data"])[k * size : (k + 1) * size]
            yield (
                f"bytes {case['name']}",
                Header(container.BYTES),
                container.BYTE_BLOCK,
                data,
                block,
            )
    for case in stored("mixing_v1")["cases"]:
        data = bytes.fromhex(case["data"])
        yield (
            f"mixing {case['name']}",
            Header(container.BYTES),
            container.MIXING,
            data,
            case["block"],
        )
    for vectors, method in (
        ("signal_v3", container.SIGNAL),
        ("grid_v1", container.GRID),
    ):
        for case in stored(vectors)["cases"]:
            line = case.get("line")
            header = Header(case["element"], line=None if line is None else (*line,))
            yield (
                f"{vectors} {case['name']}",
                header,
                method,
                bytes.fromhex(case["data"]),
                case["block"],
            )
    names = {name: element for element, name in container.FLOAT_NAMES.items()}
    names["float8_e4m3"] = names["float8_e4m3fn"]
    for case in stored("float_v1")["cases"]:
        header = Header(names[case["type"]])
        yield (
            f"float {case['name']}",
            header,
            container.FLOATS,
            bytes.fromhex(case["data"]),
            case["block"],
        )


def blocks_in_json():
    for name, header, method, data, block in blocks():
        n = len(data) // header.dtype.itemsize
        if n == 0 or len(block) > 2 * len(data):
            continue  # a container has no such blocks
        file = in_a_container(header, [(n, method, bytes.fromhex(block))], (n,))
        yield {"name": name, "file": file.hex(), "data": data.hex()}


def arrays():
    """Arrays of every element, and of shapes that are coded in different ways."""
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.integers(-9, 10, 5000))
    for name in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"):
        dtype = np.dtype(name)
        yield walk.astype(dtype), {}
    yield walk > 100, {"dtype": "bool"}
    yield walk.astype("f2").view("u2"), {"dtype": "float16"}
    times = np.datetime64("2026-11-30", "s") + np.arange(5000) * 60
    yield times, {"dtype": "datetime64", "unit": "s"}
    yield (
        walk.astype("m8[25us]"),
        {"dtype": "timedelta64", "unit": "us", "multiplier": 25},
    )
    weights = rng.normal(size=4000).astype("f4")
    yield (weights.view("u4") >> 16).astype("u2"), {"dtype": "bfloat16"}
    for name in ("float8_e4m3fn", "float8_e5m2"):
        yield rng.integers(0, 120, 3000).astype("u1"), {"dtype": name}
    yield walk[:4998].reshape(-1, 3).astype("i2"), {}
    yield walk.reshape(50, 100).T.astype("i4").copy(), {"axis": 1}
    y, x = np.mgrid[:90, :130]
    image = (
        40 * np.sin(y / 9) + 30 * np.cos(x / 7) + 128 + rng.normal(size=y.shape)
    ).astype("u1")
    yield image, {}
    yield image.astype("f4"), {}
    yield np.stack([image, image + 3, 255 - image], axis=-1), {}
    yield np.stack([image + t for t in range(6)]).astype("u2"), {}
    yield np.stack([image[:20, :30] + t for t in range(24)]).reshape(4, 6, 20, 30), {}
    yield rng.integers(0, 9, (30, 784)).cumsum(axis=1).astype("i4"), {}
    rows = rng.integers(0, 10**6, 64)[:, None] + rng.integers(0, 9, 1024).cumsum()
    yield rows.astype("i4"), {}  # series, though by its shape it might be a grid
    yield rows.astype("f4"), {"level": 1}
    yield np.zeros((0, 5), "i4"), {}
    yield np.array(7, "i2"), {}
    yield 10**18 + 10**9 * np.arange(600_000), {}  # two blocks along a line


def arrays_in_json(folder):
    for k, (array, options) in enumerate(arrays()):
        coder = SignalCoder(axis=options["axis"]) if "axis" in options else None
        known = options.get("dtype", "") in ("bfloat16", "float8_e4m3fn", "float8_e5m2")
        given = array.view("f2") if options.get("dtype") == "float16" else array
        dtype = options["dtype"] if known else None
        made = bbans.compress(given, coder, level=options.get("level"), dtype=dtype)
        (folder / f"array{k}.bbz").write_bytes(made)
        (folder / f"array{k}.raw").write_bytes(np.ascontiguousarray(array).tobytes())
        yield {
            "name": f"{k}: {array.dtype} {array.shape} {options}",
            "shape": array.shape,
            "dtype": options.get("dtype", array.dtype.name),
            "options": options,
        }


BOOK = "It is a truth universally acknowledged — 普遍 — that 😀.\n" * 90
WINDS = "north", "south", "east", "west"
# Numbers of each kind, dates, words, and cells that are none of these.
TABLE = "".join(
    f"{k},{k % 7 - 3}.{k % 100:02d},item-{k % 30:04d},"
    f"2026-11-{1 + k % 28:02d} 12:{k % 60:02d}:00.{k:06d},"
    f"{WINDS[k * k % 4]},{k * 7919 % 1000 / 8},{'' if k % 50 else 'odd'}\n"
    for k in range(4000)
)


def many(text, model):
    """Batches, chains, packets, and a message that ends with a symbol."""
    parts = [text[:100], b"", text[50:400]]
    data, offsets = encode_batch(parts, model)
    line, predictive = text[: text.index(b"\n") + 1], model.with_mode("predictive")
    return {
        "data": data.hex(),
        "offsets": offsets.tolist(),
        "chain": chain(parts, model).hex(),
        "packets": [
            [x.hex() for x in packets.encode(text[:300], model, size=40, checksum=n)]
            for n in range(3)
        ],
        "until": {
            "file": predictive.to_bytes().hex(),
            "message": predictive.encode(line).hex(),
            "line": line.decode(),
        },
    }


def write_files(folder):
    """Containers, records and models that the library in Python makes."""
    text = BOOK.encode()
    english, digits = shipped_model("english"), shipped_model("digits")
    files = {
        "book.txt": text,
        "english.bbm": english.to_bytes(),
        "digits.bbm": digits.to_bytes(),
        "book.bbz": bbans.compress(BOOK),
        "bytes.bbz": bbans.compress(text),
        "surrogate.bbz": bbans.compress("a\ud800b"),
        "joined.bbz": bbans.compress(text[:9]) + bbans.compress("e\ud800\U0001f600"),
        "english.bbz": bbans.compress(text, english),
    }
    for level in range(1, 10):
        files[f"level{level}.bbz"] = bbans.compress(text, level=level)
    bits = bbans.Message.seeded(np.random.default_rng(0).bytes(20_000))
    images = digits.sample(bits, 20)
    files["digits.raw"] = images.astype("u1").tobytes()
    files["digits.bbz"] = bbans.compress(images.astype("u1"), digits)
    lines = [
        f"GET /images/{k % 40}.png HTTP/1.1 {200 if k % 3 else 404}"
        for k in range(1500)
    ]
    codec = bbans.RecordCodec.train(lines, max_bytes=20_000)
    files["lines.json"] = json.dumps(lines).encode()
    files["lines.bbm"] = codec.model.to_bytes(packed=True)
    files["messages.json"] = json.dumps(
        [codec.encode(x).hex() for x in lines[:50]]
    ).encode()
    for name, embed in (("lines", True), ("apart", False)):
        bbans.Records.write(folder / f"{name}.bbr", lines, codec, embed=embed)
    bbans.Records.write(
        folder / "checked.bbr", lines, english, checksums=True, terminator=b""
    )
    octets = [*map(str.encode, lines[:300]), b"\xff\0\xfe", bytes(70_000)]
    bbans.Records.write(folder / "octets.bbr", octets, codec)
    files["many.json"] = json.dumps(many(text, english)).encode()
    sink = io.BytesIO()
    bbans.compress_file(io.BytesIO(TABLE.encode()), sink, kind="csv")
    files |= {"table.csv": TABLE.encode(), "table.bbz": sink.getvalue()}
    size, long = too_long_a_table()
    piece = b"\2" + uvarint(size) + uvarint(len(long)) + long
    files["long.bbz"] = in_a_container(Header(0), [(size, 5, piece)], (size,))
    # Axes of any length, of no elements.
    files["endless.bbz"] = in_a_container(Header(17, axis=1), [], (2**40, 0))
    for name in ("container_v3", "records_v1"):
        shutil.copy(VECTORS / f"{name}.json", folder)
    shutil.copytree(FOLDER, folder / "kept")
    kept = {
        "files": stored("kept")["files"],
        "packets": {f"{name}.packets": how for name, how in PACKETS.items()},
        "lengths": [len(xs) for xs in chained()],
    }
    files["kept.json"] = json.dumps(kept).encode()
    for name, content in (
        ("sequences", sequences_in_json()),
        ("blocks", blocks_in_json()),
        ("arrays", arrays_in_json(folder)),
    ):
        files[f"{name}.json"] = json.dumps([*content]).encode()
    for name, data in files.items():
        (folder / name).write_bytes(data)
