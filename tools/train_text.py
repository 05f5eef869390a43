"""Train the prior for short texts, bbans/data/text.bbm, on text that comes with Python.

    python tools/train_text.py bbans/data/text.bbm

The training text is paragraphs of pydoc's help topics and of the docstrings of the
standard library, under the licence of Python, each on one line. Other versions of
Python have others, and so give another model: the file in the package is not made
again.
"""

import ast
import random
import sys
import sysconfig
from pathlib import Path
from pydoc_data.topics import topics

from bbans import ContextMixer

MAX_BYTES = 1 << 18
N_BYTES = 400_000
LONGEST = 600  # bytes of a paragraph
LEFT_OUT = {"site-packages", "test", "tests", "idlelib", "lib2to3", "pydoc_data"}


def docstrings() -> list[str]:
    """Those of modules, classes and functions."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    found = []
    for path in sorted(folder.rglob("*.py")):
        if LEFT_OUT.intersection(path.relative_to(folder).parts):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                found.append(ast.get_docstring(node) or "")
    return found


def paragraphs(text: str) -> list[bytes]:
    """Each on one line."""
    lines = (" ".join(part.split()).encode() for part in text.split("\n\n"))
    return [line for line in lines if 20 <= len(line) <= LONGEST]


def main() -> None:
    texts = [topics[name] for name in sorted(topics)] + docstrings()
    records = sorted({line for text in texts for line in paragraphs(text)})
    random.Random(0).shuffle(records)
    left, some = N_BYTES, []
    for record in records:
        left -= len(record)
        some += [record] * (left >= 0)
    model = ContextMixer.fit(some, max_bytes=MAX_BYTES)
    frozen = model.freeze()
    frozen.save(sys.argv[1])
    print(frozen, f"{model.history[-1].information_content:.4f} bits/byte")


if __name__ == "__main__":
    main()
