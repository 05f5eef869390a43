"""Write the files of files/ and kept.json beside this file, with the installed library.

Run when a format gets a new version, or a kind of file is added, from the root of the
checkout:

    python tests/vectors/make_files.py

As make.py, this never overwrites a file: what is stored stays, and its digest in
kept.json, which is what readers are held to.

files/
    tests/decades.py says what they hold; float models and checkpoints are made here.
kept.json
    formats: the version of each section of docs/format.md, and where it is stored.
    stored: the SHA-256 of each file of vectors, of either kind.
    files: what is in each file of files/: type and shape, and the SHA-256 of the
        elements in C order, little-endian, how many these are and their CRC-32; of
        records each behind its length (8 bytes); of models their fingerprint.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import decades  # noqa: E402
import reference_files  # noqa: E402

import bbans  # noqa: E402

KEPT = HERE / "kept.json"
#: Where each format of docs/format.md is stored, by names or patterns.
STORED = {
    "Message": [
        "message_v1.json",
        "hmm_v1.json",
        "stream_v1.json",
        "files/*.message",
        "files/*.chain",
    ],
    "Model file": ["model_v3.json", "files/*.bbm"],
    "Network file": ["network_v1.json", "files/*.bbn"],
    "Container": ["container_v3.json", "files/*.bbz"],
    "Differences from a base": ["files/base.bbz"],
    "Chunks of array stores": ["files/*.chunk"],
    "Bytes": ["bytes_v1.json", "files/order-*.bbz"],
    "Mixing": ["mixing_v1.json", "files/mixing-*.bbz"],
    "Packet": ["files/*.packets"],
    "Streams of indexed tables": ["ragged_v1.json", "files/*.stream"],
    "Record": ["records_v1.json"],
    "Record file": ["files/*.bbr"],
    "Signal": ["signal_v3.json", "files/series-*.bbz"],
    "Grid": ["grid_v1.json", "files/grid-*.bbz"],
    "Floats": ["float_v1.json"],
    "Pieces": ["files/pieces.bbz"],
    "Tables": ["files/csv*.bbz"],
    "Float model": ["files/*.npz"],
    "Checkpoint": ["files/checkpoint.npz"],
}


def float_models():
    """A model of each class. Their numbers are sums of powers of two, or what a fit
    gave on some machine: they are only read."""
    halves = np.full((2, 2), 0.5)
    rows = np.array([[0.75, 0.25], [0.125, 0.875]])
    text = "so it is in words, in lines, in words of words. " * 8
    yield bbans.HMM([0.5, 0.5], rows, rows, alphabet=bbans.Alphabet("ab"))
    yield bbans.GaussianHMM([0.5, 0.5], rows, [0.0, 8.0], [1.0, 2.0], -9, 20)
    yield bbans.PoissonHMM([0.5, 0.5], rows, [1.0, 8.0], 30)
    yield bbans.MultivariateGaussianHMM(
        [0.5, 0.5], rows, halves, np.array([np.eye(2), 4 * np.eye(2)])
    )
    yield bbans.LGSSM(rows / 2, rows, np.eye(2), np.eye(2))
    yield bbans.ARHMM.fit(text, 2, n_iter=2)
    yield bbans.FactorialHMM.fit([0, 1, 2, 1] * 20, (2, 2), n_iter=2, seed=0)
    yield bbans.HierarchicalHMM.fit([0, 1, 2, 1] * 20, (2, 2), n_iter=2, seed=0)
    data = np.array([[i % 2, i % 3, i // 2 % 2] for i in range(60)])
    yield bbans.LatentTree.fit(data, 2, epochs=2)
    yield bbans.ContextMixer.fit([text[:24]])
    from shared import HEADS, random_deep_ssm, random_vae

    yield random_vae(HEADS[0], (2,), seed=1)
    yield random_deep_ssm(HEADS[0], 2, 2, seed=1)


def float_files():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.npz")
        for model in float_models():
            model.save(path)
            yield f"{type(model).__name__}.npz", path.read_bytes()
        bbans.HMM.fit([0, 1, 1] * 30, 2, n_iter=2, seed=1, checkpoint=path)
        yield "checkpoint.npz", path.read_bytes()


def versions():
    """The version of each section of docs/format.md."""
    text = (HERE.parent.parent / "docs" / "format.md").read_text("utf-8")
    found = re.findall(r"^## (.*) \(version (\d+)\)", text, flags=re.MULTILINE)
    return {name: int(version) for name, version in found}


def main():
    decades.FOLDER.mkdir(exist_ok=True)
    kept = (
        json.loads(KEPT.read_text()) if KEPT.exists() else {"stored": {}, "files": {}}
    )
    for name, file in decades.files().items():
        if file.write and not (decades.FOLDER / name).exists():
            (decades.FOLDER / name).write_bytes(file.write())
            kept["files"][name] = decades.described(file.content)
            if getattr(file.coder, "axis", None) or name == "grid-axes.bbz":
                kept["files"][name]["axis"] = "not the first"
    for name, data in float_files():
        if not (decades.FOLDER / name).exists():
            (decades.FOLDER / name).write_bytes(data)
            arrays = reference_files.read_arrays(data)
            kept["files"][name] = decades.described(arrays)
    for path in sorted([*HERE.glob("*_v*.*"), *decades.FOLDER.iterdir()]):
        name = path.relative_to(HERE).as_posix()
        kept["stored"].setdefault(name, decades.digest(path.read_bytes()))
    kept["formats"] = {
        name: {"version": version, "stored": STORED[name]}
        for name, version in versions().items()
    }
    KEPT.write_text(as_text(kept))


def as_text(kept):
    """JSON with a line for each entry."""
    parts = []
    for key in ("formats", "stored", "files"):
        rows = ",\n".join(
            f"  {json.dumps(name)}: {json.dumps(value)}"
            for name, value in sorted(kept[key].items())
        )
        parts.append(f" {json.dumps(key)}: {{\n{rows}\n }}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main()
