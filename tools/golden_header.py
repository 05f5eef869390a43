"""Write tests/vectors/*.json as a C header for csrc/tests/golden.c.

    python tools/golden_header.py HEADER [--tiny | --containers]

--tiny leaves out what bbans_tiny.h cannot read.  --containers writes those of
containers, for csrc/tests/test_container.c.
"""

from __future__ import annotations

import argparse
import json
from itertools import accumulate
from pathlib import Path

VECTORS = Path(__file__).parent.parent / "tests" / "vectors"
FILES = ["hmm_v1.json", "stream_v1.json"]
MIXERS = "context_mixer_v1.json"
NOISES = ["gaussian", "logistic", "laplace"]  # bbans_family
KEYS = ["encode", "encode_predictive"]
LINEAR = ["move", "first", "step", "emit", "noise", "ahead", "ahead_noise"]
LINEAR += ["pull", "pull_noise"]
# Codecs of the user, and tables of text.
NOT_IN_C = ["base.bbz", "codec.bbz", "csv.bbz"]
TINY = {"prec": 15, "states": 16, "symbols": 256}


def literal(value: int) -> str:
    """The least number of its type has no literal of its own."""
    if value == -(2**63):
        return "-9223372036854775807 - 1"
    return "-2147483647 - 1" if value == -(2**31) else str(value)


def array(ctype: str, name: str, values: list[int]) -> str:
    rows = [values[i : i + 16] for i in range(0, len(values), 16)] or [[0]]
    text = ",\n    ".join(", ".join(map(literal, row)) for row in rows)
    return f"static const {ctype} {name}[] = {{\n    {text}}};\n"


def flat(rows: list[list[int]]) -> list[int]:
    return [value for row in rows for value in row]


def cases_of(file: str) -> list[dict]:
    return json.loads((VECTORS / file).read_text())["cases"]


def numbers_of(xs: list) -> list[int]:
    """Observations, which are numbers or rows of these."""
    return flat(xs) if xs and isinstance(xs[0], list) else xs


def edges(rows: list[list[int]]) -> list[int]:
    return [edge for row in rows for edge in accumulate(row, initial=0)]


def is_tiny(model: dict) -> bool:
    sizes = {
        "prec": model["prec"],
        "states": len(model["initial"]),
        "symbols": len(model["emission"][0]),
    }
    return all(sizes[key] <= TINY[key] for key in TINY)


def has_tiny_records(file: bytes) -> bool:
    """Of an autoregressive model of bytes, or of text by its UTF-8."""
    kind, listed = file[7], file[9]
    return file[5] == 2 and (kind == 1 or not listed)


def header(tiny: bool) -> str:
    ctype = "uint16_t" if tiny else "uint32_t"
    parts, models, cases = [], [], []
    for file in FILES:
        content = json.loads((VECTORS / file).read_text())
        numbers = {}
        for index, model in enumerate(content["models"]):
            if tiny and not is_tiny(model):
                continue
            numbers[index] = n = len(models)
            models.append(finite_model(str(n), model, ctype, parts))
        for case in content["cases"]:
            if case["model"] not in numbers:
                continue
            name = f"golden_{len(cases)}"
            parts.append(array("uint8_t", name + "_x", case["xs"]))
            parts += encoded(name, case)
            cases.append(entry(name, case, numbers[case["model"]]))
    parts += [struct_array("model", models), struct_array("case", cases)]
    return "\n".join([*parts, *records(tiny)] if tiny else [*parts, *lgssms()])


def finite_model(n: str, model: dict, ctype: str, parts: list[str]) -> str:
    """Put the edges of a hidden Markov model into `parts`; return its golden_model."""
    tables = {
        "initial": [model["initial"]],
        "transition": model["transition"],
        "emission": model["emission"],
    }
    for name, rows in tables.items():
        parts.append(array(ctype, f"golden_{name}_{n}", edges(rows)))
    return (
        f"{{golden_initial_{n}, golden_transition_{n}, golden_emission_{n}, "
        f"{len(model['initial'])}, {len(model['emission'][0])}, "
        f"{model['tail_length']}, {model['prec']}}}"
    )


def lgssms() -> list[str]:
    """Those of linear Gaussian models."""
    content = json.loads((VECTORS / "lgssm_v1.json").read_text())
    parts, models, cases = [], [], []
    for i, model in enumerate(content["models"]):
        name = f"golden_lgssm_{i}"
        parts.append(array("int64_t", name + "_offset", flat(model["offsets"])))
        parts.append(array("int32_t", name + "_word", flat(model["words"])))
        models.append(
            f"{{{name}_offset, {name}_word, {model['n']}, {model['p']}, "
            f"{len(model['words'])}, {model['tail_length']}, {model['start_bits']}, "
            f"{NOISES.index(model['noise'])}}}"
        )
    for i, case in enumerate(content["cases"]):
        name = f"golden_lgssm_case_{i}"
        parts.append(array("int64_t", name + "_x", flat(case["xs"])))
        parts += encoded(name, case)
        cases.append(entry(name, case, case["model"]))
    parts += [struct_array("lgssm", models), struct_array("lgssm_case", cases)]
    return parts + files()


def files() -> list[str]:
    """Model files, and a sequence under each."""
    parts, cases = [], []
    for i, case in enumerate(cases_of("model_v3.json") + cases_of(MIXERS)):
        name, xs = f"golden_model_file_{i}", case["xs"]
        parts.append(array("int64_t", name + "_x", numbers_of(xs)))
        file = bytes_of(name, case["file"], parts)
        message = bytes_of(name + "_message", case["message"], parts)
        cases.append(f"{{{file}, {name}_x, {len(xs)}, {message}}}")
    return [*parts, struct_array("model_file", cases), *networks()]


def networks() -> list[str]:
    """Network files, and what they make of some items."""
    content = json.loads((VECTORS / "network_v1.json").read_text())
    parts, cases = [], []
    for i, case in enumerate(content["cases"]):
        name = f"golden_network_{i}"
        for kind in ("inputs", "outputs"):  # all items of one, then of the next
            tensors = [flat(items) for items in zip(*case[kind], strict=True)]
            parts.append(array("int32_t", f"{name}_{kind}", flat(tensors)))
        file = bytes_of(name, case["file"], parts)
        items = len(case["inputs"])
        cases.append(f"{{{file}, {name}_inputs, {name}_outputs, {items}}}")
    return [*parts, struct_array("network", cases), *latents()]


def latents() -> list[str]:
    """Files of models that are read from these, and sequences under each."""
    parts, models, cases = [], [], []
    for file in (
        "vae_v1.json",
        "deep_ssm_v1.json",
        "hierarchy_v1.json",
        "factorial_v1.json",
        "tree_v1.json",
        "gaussian_hmm_v1.json",
    ):
        ctype = "int64_t" if file == "gaussian_hmm_v1.json" else "int32_t"
        for model in json.loads((VECTORS / file).read_text())["cases"]:
            for case in model["sequences"]:
                name = f"golden_latent_case_{len(cases)}"
                parts.append(array(ctype, name + "_x", numbers_of(case["xs"])))
                parts += encoded(name, case)
                cases.append(entry(name, case, len(models)))
            name = f"golden_latent_{len(models)}"
            models.append(bytes_of(name, model["file"], parts))
    parts.append(struct_array("bytes", models, "latents"))
    return [*parts, struct_array("latent_case", cases), *particles()]


def particles() -> list[str]:
    """Particle filters of finite models, and of laws of a location and a scale."""
    content = json.loads((VECTORS / "particles_v1.json").read_text())
    parts, models, finite, linear = [], [], [], []
    for i, model in enumerate(content["models"]):
        models.append(finite_model(f"particles_{i}", model, "uint32_t", parts))
    for i, case in enumerate(content["finite"]):
        name = f"golden_finite_case_{i}"
        parts.append(array("uint8_t", name + "_x", case["xs"]))
        finite.append(particle_entry(name, case, case["model"], parts))
    for i, case in enumerate(content["linear"]):
        name = f"golden_linear_case_{i}"
        parts.append(array("int64_t", name + "_x", flat(case["xs"])))
        whole = particle_entry(name, case, 0, parts)
        arrays = []
        for key in LINEAR:
            parts.append(
                array("int32_t", f"{name}_{key}", numbers_of(case.get(key, [])))
            )
            arrays.append(f"{name}_{key}")
        sizes = f"{case['latents']}, {case['observed']}, {case['tail_length']}"
        linear.append(f"{{{whole}, {sizes}, {', '.join(arrays)}}}")
    parts.append(struct_array("model", models, "finite_models"))
    parts += [struct_array("finite_case", finite), struct_array("linear_case", linear)]
    return parts + records(tiny=False)


def records(tiny: bool) -> list[str]:
    """Model files, records and their messages, and messages that are refused."""
    parts, cases = [], []
    for i, case in enumerate(cases_of("records_v1.json") + cases_of(MIXERS)):
        if tiny and not has_tiny_records(bytes.fromhex(case["file"])):
            continue
        name = f"golden_record_case_{i}"
        file = bytes_of(name, case["file"], parts)
        pairs = [text for pair in case["records"] for text in pair]
        for what, texts in (("records", pairs), ("refused", case["refused"])):
            found = [
                bytes_of(f"{name}_{what}_{k}", text, parts)
                for k, text in enumerate(texts)
            ]
            parts.append(
                f"static const golden_bytes {name}_{what}[] = {{{', '.join(found)}}};"
            )
        sizes = f"{len(pairs) // 2}, {len(case['refused'])}"
        cases.append(f"{{{file}, {name}_records, {name}_refused, {sizes}}}")
    parts.append(struct_array("record_case", cases))
    return parts if tiny else parts + blocks()


def blocks() -> list[str]:
    """Blocks of bytes under mixed contexts, the bytes, and the levels of either."""
    parts, cases = [], []
    for i, case in enumerate(cases_of("mixing_v1.json")):
        name = f"golden_block_{i}"
        block = bytes_of(name, case["block"], parts)
        data = bytes_of(name + "_data", case["data"], parts)
        levels = case["levels"] or [1, 0]  # none
        cases.append(f"{{{block}, {data}, {case['line']}, {levels[0]}, {levels[-1]}}}")
    return [*parts, struct_array("block", cases), *ragged()]


def ragged() -> list[str]:
    """Ragged tables, and values on messages."""
    parts, cases = [], []
    for i, case in enumerate(cases_of("ragged_v1.json")):
        name = f"golden_ragged_{i}"
        symbols = [len(row) - 1 for row in case["rows"]]
        parts.append(array("uint32_t", name + "_cdf", flat(case["rows"])))
        parts.append(array("uint32_t", name + "_symbols", symbols))
        parts.append(array("int64_t", name + "_offset", case["offsets"]))
        parts.append(array("uint8_t", name + "_row", case["indexes"]))
        parts.append(array("int64_t", name + "_value", case["values"]))
        message = bytes_of(name + "_message", case["message"], parts)
        cases.append(
            f"{{{name}_cdf, {name}_symbols, {name}_offset, {len(symbols)}, "
            f"{case['prec']}, {case['escape']}, {case['lanes']}, {name}_row, "
            f"{name}_value, {len(case['values'])}, {message}}}"
        )
    return [*parts, struct_array("ragged_case", cases)]


def particle_entry(name: str, case: dict, model: int, parts: list[str]) -> str:
    parts += encoded(name, case)
    given = f"{case['n']}, UINT64_C({case['key']}), {int(case['adapted'])}"
    return f"{{{entry(name, case, model)}, {given}}}"


def encoded(name: str, case: dict) -> list[str]:
    return [
        array("uint8_t", f"{name}_{kind}", list(bytes.fromhex(case[key])))
        for kind, key in enumerate(KEYS)
    ]


def entry(name: str, case: dict, model: int) -> str:
    sizes = [len(case[key]) // 2 for key in KEYS]
    return (
        f"{{{model}, {name}_x, {len(case['xs'])}, {{{name}_0, {name}_1}}, "
        f"{{{sizes[0]}, {sizes[1]}}}}}"
    )


def bytes_of(name: str, text: str, parts: list[str]) -> str:
    """Put an array into `parts`; return its golden_bytes."""
    parts.append(array("uint8_t", name, list(bytes.fromhex(text))))
    return f"{{{name}, {len(text) // 2}}}"


def containers() -> str:
    content = json.loads((VECTORS / "container_v3.json").read_text())
    parts: list[str] = []
    models = [
        bytes_of(f"golden_model_{i}", model["file"], parts)
        for i, model in enumerate(content["models"])
    ]
    files = []
    for i, file in enumerate(content["files"]):
        name = f"golden_file_{i}"
        data = bytes_of(name + "_data", file["data"], parts)
        (model,) = file["models"] or [-1]
        shape = file["shape"]
        if shape is None:
            shape = [sum(n for part in file["blocks"] for n, _ in part)]
        lengths = ", ".join(map(str, shape or [0]))
        files.append(
            f"{{{json.dumps(file['name'])}, {bytes_of(name, file['file'], parts)}, "
            f"{data}, {file['element']}, {file['unit']}, {file['multiplier']}, "
            f"{file['axis']}, {model}, {len(file['codecs'])}, "
            f"{len(shape)}, {file['write'] or 0}, {{{lengths}}}}}"
        )
    damaged = [
        f"{{{json.dumps(file['name'])}, "
        f"{bytes_of(f'golden_damaged_{i}', file['file'], parts)}, "
        f"BBANS_ERR_{file['error'].upper()}}}"
        for i, file in enumerate(content["damaged"])
    ]
    parts += [struct_array("bytes", models, "models")]
    parts += [struct_array("file", files), struct_array("damaged", damaged)]
    return "\n".join([*parts, *kept()])


def kept() -> list[str]:
    """The containers of files/, but those whose first axis was another, and models that
    they name."""
    listed = json.loads((VECTORS / "kept.json").read_text())["files"]
    parts: list[str] = []
    files, models = [], []
    for i, (name, facts) in enumerate(sorted(listed.items())):
        if not name.endswith(".bbz") or "axis" in facts:
            continue
        path = VECTORS / "files" / name
        model = -1
        if path.with_suffix(".bbm").exists():
            model = len(models)
            file = path.with_suffix(".bbm").read_bytes().hex()
            models.append(bytes_of(f"golden_kept_model_{i}", file, parts))
        file = bytes_of(f"golden_kept_{i}", path.read_bytes().hex(), parts)
        files.append(
            f"{{{json.dumps(name)}, {file}, {facts['elements']}, "
            f"UINT32_C({facts['crc32']}), {model}, {int(name in NOT_IN_C)}}}"
        )
    parts.append(struct_array("bytes", models, "kept_models"))
    parts.append(struct_array("kept", files))
    return [*parts, *kept_packed(), *kept_records(listed)]


def kept_packed() -> list[str]:
    """Model files in both forms."""
    parts: list[str] = []
    pairs = []
    for i, path in enumerate(sorted((VECTORS / "files").glob("*-packed.bbm"))):
        plain = path.with_name(path.name.replace("-packed", ""))
        names = (f"golden_packed_{i}", f"golden_plain_{i}")
        files = zip(names, (path, plain), strict=True)
        both = [bytes_of(name, file.read_bytes().hex(), parts) for name, file in files]
        pairs.append(f"{{{both[0]}, {both[1]}}}")
    return [*parts, struct_array("packed", pairs)]


def kept_records(listed: dict) -> list[str]:
    """Record files, and the model of those that have none in them."""
    parts: list[str] = []
    folder, files = VECTORS / "files", []
    model = bytes_of(
        "golden_record_model", (folder / "text-records.bbm").read_bytes().hex(), parts
    )
    for i, path in enumerate(sorted(folder.glob("*.bbr"))):
        facts = listed[path.name]
        file = bytes_of(f"golden_records_{i}", path.read_bytes().hex(), parts)
        files.append(f"{{{file}, {facts['records']}, UINT32_C({facts['crc32']})}}")
    parts.append(struct_array("bytes", [model], "records_models"))
    return [*parts, struct_array("records", files, "record_files")]


def struct_array(kind: str, entries: list[str], name: str | None = None) -> str:
    text = ",\n    ".join(entries)
    name = name or f"{kind}s"
    return f"static const golden_{kind} golden_{name}[] = {{\n    {text}}};\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("header", type=Path)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--containers", action="store_true")
    options = parser.parse_args()
    text = containers() if options.containers else header(options.tiny)
    options.header.write_text(text)


if __name__ == "__main__":
    main()
