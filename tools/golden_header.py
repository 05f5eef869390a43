"""Write tests/vectors/*.json as a C header for csrc/tests/golden.c.

    python tools/golden_header.py HEADER [--tiny]

--tiny leaves out what bbans_tiny.h cannot read.
"""

from __future__ import annotations

import argparse
import json
from itertools import accumulate
from pathlib import Path

VECTORS = Path(__file__).parent.parent / "tests" / "vectors"
FILES = ["hmm_v1.json", "stream_v1.json"]
TINY = {"prec": 15, "states": 16, "symbols": 256}


def array(ctype: str, name: str, values: list[int]) -> str:
    rows = [values[i : i + 16] for i in range(0, len(values), 16)] or [[0]]
    text = ",\n    ".join(", ".join(map(str, row)) for row in rows)
    return f"static const {ctype} {name}[] = {{\n    {text}}};\n"


def edges(rows: list[list[int]]) -> list[int]:
    return [edge for row in rows for edge in accumulate(row, initial=0)]


def is_tiny(model: dict) -> bool:
    sizes = {
        "prec": model["prec"],
        "states": len(model["initial"]),
        "symbols": len(model["emission"][0]),
    }
    return all(sizes[key] <= TINY[key] for key in TINY)


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
            tables = {
                "initial": [model["initial"]],
                "transition": model["transition"],
                "emission": model["emission"],
            }
            for name, rows in tables.items():
                parts.append(array(ctype, f"golden_{name}_{n}", edges(rows)))
            models.append(
                f"{{golden_initial_{n}, golden_transition_{n}, golden_emission_{n}, "
                f"{len(model['initial'])}, {len(model['emission'][0])}, "
                f"{model['tail_length']}, {model['prec']}}}"
            )
        for case in content["cases"]:
            if case["model"] not in numbers:
                continue
            n = len(cases)
            encoded = [bytes.fromhex(case[k]) for k in ("encode", "encode_predictive")]
            parts.append(array("uint8_t", f"golden_x_{n}", case["xs"]))
            for kind, data in enumerate(encoded):
                parts.append(array("uint8_t", f"golden_{kind}_{n}", list(data)))
            cases.append(
                f"{{{numbers[case['model']]}, golden_x_{n}, {len(case['xs'])}, "
                f"{{golden_0_{n}, golden_1_{n}}}, "
                f"{{{len(encoded[0])}, {len(encoded[1])}}}}}"
            )
    parts += [
        "static const golden_model golden_models[] = {\n    "
        + ",\n    ".join(models)
        + "};\n",
        "static const golden_case golden_cases[] = {\n    "
        + ",\n    ".join(cases)
        + "};\n",
    ]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("header", type=Path)
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    options.header.write_text(header(options.tiny))


if __name__ == "__main__":
    main()
