"""A text from the command line: bbans with two models, gzip and bzip2, in one run.

    python benchmarks/text.py TEXT TRAINING_TEXT

Prints a Markdown table of sizes and wall times, whole processes counted. Every
result is decompressed and compared.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def timed(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - start


def main() -> None:
    text, training = (Path(name).resolve() for name in sys.argv[1:3])
    bbans = shutil.which("bbans", path=str(Path(sys.executable).parent))
    assert bbans is not None, "install bbans first"
    with tempfile.TemporaryDirectory() as folder:
        data, packed = Path(folder, "text"), Path(folder, "packed")
        model, back = str(Path(folder, "model.bbm")), str(Path(folder, "back"))
        shutil.copyfile(text, data)
        seconds = timed(bbans, "train", "-q", str(training), "-o", model)
        rows = {
            "bbans, default model": ([bbans, "compress", "-q"], ["decompress", "-q"]),
            f"bbans, trained on {training.name}": (
                [bbans, "compress", "-q", "-m", model],
                ["decompress", "-q", "-m", model],
            ),
        }
        print("| | bytes | bits/byte | compress, s | decompress, s |")
        print("|---|---:|---:|---:|---:|")
        for name, (pack, unpack) in rows.items():
            there = timed(*pack, str(data), "-o", str(packed), "-f")
            again = timed(bbans, *unpack, str(packed), "-o", back, "-f")
            assert Path(back).read_bytes() == data.read_bytes()
            report(name, data, packed, there, again)
        for tool in ("gzip", "bzip2"):
            with packed.open("wb") as out:
                start = time.perf_counter()
                subprocess.run([tool, "-9", "-c", str(data)], stdout=out, check=True)
                there = time.perf_counter() - start
            start = time.perf_counter()
            restored = subprocess.run(
                [tool, "-dc", str(packed)], stdout=subprocess.PIPE, check=True
            ).stdout
            again = time.perf_counter() - start
            assert restored == data.read_bytes()
            report(f"{tool} -9", data, packed, there, again)
        print(f"\n{text.name}, {data.stat().st_size} bytes; training {seconds:.1f} s")


def report(name: str, data: Path, packed: Path, there: float, again: float) -> None:
    size = packed.stat().st_size
    rate = 8 * size / data.stat().st_size
    print(f"| {name} | {size} | {rate:.3f} | {there:.2f} | {again:.2f} |")


if __name__ == "__main__":
    main()
