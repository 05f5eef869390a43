"""Write the C library as one source file and its header: bbans.c, bbans.h.

    python tools/amalgamate.py FOLDER              # everything
    python tools/amalgamate.py --decoder FOLDER    # without what only encodes

Add both files to a project and compile bbans.c as C99; no flags are needed.
-DBBANS_PORTABLE leaves out the kernels for particular processors and getenv.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CSRC = ROOT / "csrc"
# All but device/: its files are used as they are.
FOLDERS = ["message", "distributions", "models", "bytes", "files", "records"]
FOLDERS += ["signals", "grids", "floats", "mixing", "kernels"]
NOTE = "/* Made by tools/amalgamate.py from csrc/{}: edit that, not this.\n *\n{} */\n"
CONDITION = re.compile(r"#(if|ifdef|ifndef|else|endif)\b(?: (BBANS_DECODER_ONLY)\b)?")
GUARD = re.compile(r"^#ifndef \w+_H$", re.MULTILINE)
LOCAL_INCLUDE = re.compile(r'^#include "(?:[\w.]+/)*(\w+\.h)"\n', re.MULTILINE)
COMMENT_OR_STRING = re.compile(r"/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", re.DOTALL)
# What is not inside of anything starts a line: static functions and arrays, and the
# names of types.
NAMES = re.compile(
    r"^(?:[A-Z]\w* )?static [^;={}()]*?(\w+)\s*[\[(=;]"
    r"|^typedef [^;{}]*?(\w+);"
    r"|^\} (\w+);",
    re.MULTILINE,
)
ENUMS = re.compile(r"^enum \{([^{}]*)\};", re.MULTILINE)
MACROS = re.compile(r"^#define (\w+)", re.MULTILINE)


def names_of(text: str) -> set[str]:
    """What a source file defines for itself, except macros."""
    code = COMMENT_OR_STRING.sub(" ", text)
    constants = ",".join(ENUMS.findall(code)).split(",")
    return {
        *(next(filter(None, groups)) for groups in NAMES.findall(code)),
        *(constant.split("=")[0].strip() for constant in constants if constant.strip()),
    }


def renamed(text: str, names: set[str], suffix: str) -> str:
    """Append `suffix` to names, except to members of that name."""
    if not names:
        return text
    word = re.compile(rf"(?<![\w.])(?<!->)({'|'.join(sorted(names))})\b")
    parts, end = [], 0
    for match in COMMENT_OR_STRING.finditer(text):
        parts.append(word.sub(rf"\1_{suffix}", text[end : match.start()]))
        parts.append(match[0])
        end = match.end()
    return "".join([*parts, word.sub(rf"\1_{suffix}", text[end:])])


def resolved(text: str, decoder: bool) -> str:
    """Only what there is with BBANS_DECODER_ONLY, or without."""
    lines, open_ones = [], []  # of each condition: is it on that, and does it hold?
    for line in text.splitlines(keepends=True):
        condition = CONDITION.match(line)
        kind, known = condition.groups() if condition else ("", None)
        if kind.startswith("if"):
            known = known and kind != "if"
            open_ones.append((known, not known or decoder == (kind == "ifdef")))
        elif kind == "else" and open_ones[-1][0]:
            open_ones[-1] = (True, not open_ones[-1][1])
        is_guard = bool(kind) and bool(open_ones[-1][0])
        if not is_guard and all(holds for _, holds in open_ones):
            lines.append(line)
        if kind == "endif":
            open_ones.pop()
    return "".join(lines)


def amalgamate(decoder: bool) -> tuple[str, str]:
    """Return the text of bbans.c and of bbans.h."""

    def read(path: Path) -> str:
        return resolved(path.read_text(encoding="ascii"), decoder)

    sources = [
        path for folder in FOLDERS for path in sorted((CSRC / folder).glob("*.c"))
    ]
    headers = {
        path.name: read(path)
        for folder in (".", *FOLDERS)
        for path in (CSRC / folder).glob("*.h")
        if path.name != "bbans.h"
    }
    # A header without a guard is a template: each includer has its own copy.
    templates = {name for name, text in headers.items() if not GUARD.search(text)}

    def expanded(text: str) -> str:
        return LOCAL_INCLUDE.sub(
            lambda m: expanded(headers[m[1]]) if m[1] in templates else m[0], text
        )

    texts = {path: expanded(read(path)) for path in sources}
    shared = [text for name, text in headers.items() if name not in templates]
    uses = Counter(
        name for text in [*texts.values(), *shared] for name in names_of(text)
    )
    clashes = {name for name, n in uses.items() if n > 1}
    lines = (ROOT / "LICENSE").read_text(encoding="ascii").splitlines()
    license_text = "".join(f" * {line}".rstrip() + "\n" for line in lines)
    included = {"bbans.h"}
    out = [NOTE.format("", license_text), '#include "bbans.h"\n']
    if decoder:  # for what encoding and decoding share
        out.insert(
            1, "#ifndef BBANS_DECODER_ONLY\n#define BBANS_DECODER_ONLY\n#endif\n"
        )

    def inline(text: str) -> str:
        def header(match: re.Match[str]) -> str:
            name = match[1]
            if name in included:
                return ""
            included.add(name)
            return inline(headers[name])

        return LOCAL_INCLUDE.sub(header, text)

    for path, text in texts.items():
        macros = sorted(set(MACROS.findall(text)))
        text = renamed(text, names_of(text) & clashes, path.stem.removeprefix("bbans_"))
        out.append(f"\n/* ==== {path.relative_to(CSRC).as_posix()} */\n")
        out.append(inline(text))
        out.extend(f"#undef {name}\n" for name in macros)
    header = read(CSRC / "bbans.h")
    return "".join(out), NOTE.format("bbans.h", license_text) + header


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--decoder", action="store_true", help="leave out what only encodes"
    )
    options = parser.parse_args()
    source, header = amalgamate(options.decoder)
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("bbans.c", source), ("bbans.h", header)):
        (options.folder / name).write_text(text, encoding="ascii", newline="\n")


if __name__ == "__main__":
    main()
