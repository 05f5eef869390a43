"""Write the man page of bbans, and its completions for bash, zsh and fish, to share/.

    python tools/shell_files.py

All come from the parsers of bbans.cli; tests/test_shell_files.py compares.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bbans import __version__
from bbans.cli.arrays import FLOATS, TYPES
from bbans.cli.main import parser
from bbans.cli.shell import COMMANDS, EXAMPLES, NOTES
from bbans.frozen.model_file import SHIPPED

SHARE = Path(__file__).parent.parent / "share"
FIRST_LINE = "made by tools/shell_files.py from the parsers in bbans/cli"
# What a value of this name in --help is.
FILES = {"FILE", "OUT", "MODEL", "PNG", "NPZ", "TEXT"}
FOLDERS = {"DIR"}


class Option(NamedTuple):
    """An option, or an argument that stands by itself."""

    flags: list[str]
    value: str
    """What --help calls its value; empty if it takes none."""
    help: str
    choices: list[str]
    """Values that it may have, of all or of many."""
    nargs: str | int | None

    @property
    def usage(self) -> str:
        """How an argument stands in a command."""
        forms = {"?": "[{}]", "*": "[{} ...]", "+": "{} ..."}
        return forms.get(str(self.nargs), "{}").format(self.value)

    @property
    def summary(self) -> str:
        """What it does, in a phrase."""
        return re.split(r"; | \(|, the default|\. ", self.help)[0]


def options_of(command: str | None) -> list[Option]:
    """The options and arguments of a command, in the order of --help."""
    found = parser(command)
    return [_option(action, found) for action in found._actions]


def _option(action: argparse.Action, of: argparse.ArgumentParser) -> Option:
    text = "" if action.help in (None, argparse.SUPPRESS) else action.help
    text = text % {**vars(action), "prog": of.prog} if text else ""
    value = ""
    if action.nargs != 0:
        name = action.metavar or action.dest
        if action.choices is not None and action.metavar is None:
            name = "|".join(map(str, action.choices))
        value = str(name)
    choices = [str(choice) for choice in action.choices or ()]
    if action.dest == "model" and action.option_strings:
        choices = [*SHIPPED]
    elif action.dest == "type" and not choices:
        choices = [*TYPES, *FLOATS, "bool"]
    return Option(list(action.option_strings), value, text, choices, action.nargs)


def shown(options: list[Option]) -> list[Option]:
    """Those that --help shows; of -1 to -9 it is two."""
    return [option for option in options if option.help]


# ---- the man page


def man_page() -> str:
    """The page, in the language of man(7)."""
    about, _, rest = (parser().description or "").partition(". ")
    lines = [
        f'.\\" {FIRST_LINE}',
        f'.TH BBANS 1 "" "bbans {__version__}" "User Commands"',
        ".SH NAME",
        r"bbans \- compress and restore files, losslessly",
        ".SH SYNOPSIS",
        ".B bbans",
        "[OPTION ...] [FILE ...]",
        ".br",
        ".B bbans",
        "COMMAND [OPTION ...] [ARGUMENT ...]",
        ".SH DESCRIPTION",
        roff(f"{about}. {rest}"),
        ".PP",
        roff(
            "A first word that is the name of a command below runs it; `--` or `./` "
            "precedes a FILE of such a name. Short options may be combined, as in "
            "-dcf or -9k. Files one behind the other, as cat writes them, are restored "
            "one behind the other."
        ),
        ".SH OPTIONS",
        *_paragraphs(shown(options_of(None))),
        ".SH COMMANDS",
    ]
    for name in COMMANDS:
        found = parser(name)
        names = [o.usage for o in options_of(name) if not o.flags]
        usage = roff(" ".join(["[OPTION ...]", *names]))
        lines += [f".SS {name}", f".B bbans {name}", usage, ".PP"]
        lines.append(roff(found.description or ""))
        lines += _paragraphs(
            [o for o in shown(options_of(name)) if "-h" not in o.flags]
        )
    codes, outputs = NOTES.strip().split("\n\n")
    lines += [
        ".SH EXAMPLES",
        ".nf",
        *(roff(line.removeprefix("  ")) for line in EXAMPLES.splitlines()),
        ".fi",
        ".SH EXIT STATUS",
        roff(codes.removeprefix("exit codes: ").replace("\n", " ")),
        ".SH FILES",
        roff(outputs.replace("\n", " ")),
        ".SH ENVIRONMENT",
        ".TP",
        ".B BBANS_MODEL",
        roff("the model of -m, where -m is not given, of bbans without a command"),
        ".TP",
        ".B BBANS_CPU",
        roff("kernels to use instead of the best: portable, avx2, avx512 or neon"),
        ".SH SEE ALSO",
        ".BR gzip (1),",
        ".BR zstd (1),",
        ".BR tar (1)",
    ]
    return "\n".join(lines) + "\n"


def _paragraphs(options: list[Option]) -> Iterator[str]:
    for option in options:
        yield ".TP"
        value = f" \\fI{roff(option.value)}\\fR" if option.value else ""
        if option.flags:
            yield ", ".join(f"\\fB{roff(flag)}\\fR{value}" for flag in option.flags)
        else:
            yield value.strip()
        yield roff(option.help)


def roff(text: str) -> str:
    """Text as it is, for roff."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


# ---- completions


def bash() -> str:
    """Completion for bash."""
    cases = []
    for command in (None, *COMMANDS):
        options = options_of(command)
        flags = " ".join(flag for option in options for flag in option.flags)
        values: dict[str, list[str]] = {}  # by what completes them
        for option in options:
            if option.flags and option.value:
                values.setdefault(_bash_act(option), []).extend(option.flags)
        words = [c for option in options if not option.flags for c in option.choices]
        then = f"_bbans_words '{' '.join(words)}'" if words else "_bbans_files"
        if command is None:
            then = (
                f"[[ $COMP_CWORD == 1 ]] && _bbans_words '{' '.join(COMMANDS)}'\n"
                "        _bbans_files"
            )
        cases += [
            f"    {command or '*'})",
            "        case $before in",
            *(f"        {'|'.join(of)}) {act}return ;;" for act, of in values.items()),
            "        esac",
            f"        [[ $word == -* ]] && _bbans_words '{flags}' && return",
            f"        {then} ;;",
        ]
    # The case of all others comes last.
    first = cases.index("    *)")
    other = cases.index("    demo)")
    cases = cases[other:] + cases[first:other]
    return (
        f"# bash completion of bbans: {FIRST_LINE}\n"
        + textwrap.dedent(
            """
            _bbans_words() {
                local found
                while IFS= read -r found; do
                    COMPREPLY+=("$found")
                done < <(compgen -W "$1" -- "$word")
            }

            _bbans_files() {
                local found
                compopt -o filenames 2>/dev/null
                while IFS= read -r found; do
                    COMPREPLY+=("$found")
                done < <(compgen -f -- "$word")
            }

            _bbans_folders() {
                local found
                compopt -o filenames 2>/dev/null
                while IFS= read -r found; do
                    COMPREPLY+=("$found")
                done < <(compgen -d -- "$word")
            }

            _bbans() {
                local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
                local command=
                COMPREPLY=()
                # --option=VALUE is three words.
                [[ $word == = ]] && word=
                [[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD-2]}
                (( COMP_CWORD > 1 )) && command=${COMP_WORDS[1]}
                case $command in
            """
        )
        + "\n".join(cases)
        + "\n    esac\n}\n\ncomplete -F _bbans bbans\n"
    )


def _bash_act(option: Option) -> str:
    """What completes the value of an option."""
    act = ""
    if option.choices:
        act = f"_bbans_words '{' '.join(option.choices)}'; "
    if option.value in FILES:
        act += "_bbans_files; "
    if option.value in FOLDERS:
        act += "_bbans_folders; "
    return act


def zsh() -> str:
    """Completion for zsh."""
    models = f"'models:model:({' '.join(SHIPPED)})' 'files:file:_files'"
    lines = [f"#compdef bbans\n# {FIRST_LINE}", "", "_bbans_models() {"]
    lines += [f"  _alternative {models}", "}", "", "_bbans() {"]
    lines += ["  local -a commands", "  commands=("]
    lines += [f"    {quoted(f'{name}:{about}')}" for name, about in COMMANDS.items()]
    lines += ["  )", "  if (( CURRENT > 2 )); then", "    case $words[2] in"]
    for name in COMMANDS:
        lines.append(f"      {name})")
        lines.append("        shift words; (( CURRENT-- ))")
        lines += _zsh_arguments(options_of(name), " " * 8)
        lines.append("        return ;;")
    lines += ["    esac", "  fi"]
    lines.append("  (( CURRENT == 2 )) && _describe -t commands command commands")
    lines += _zsh_arguments(options_of(None), "  ")
    lines += ["}", "", '_bbans "$@"']
    return "\n".join(lines) + "\n"


def _zsh_arguments(options: list[Option], indent: str) -> Iterator[str]:
    yield f"{indent}_arguments -s -S \\"
    specs = []
    for option in options:
        act = "_files" if option.value in FILES else ""
        act = "_files -/" if option.value in FOLDERS else act
        if option.choices:
            act = f"({' '.join(option.choices)})"
            if option.value in FILES:
                act = "_bbans_models"
        value = re.sub(r"[^\w]+", " ", option.value).strip().lower() or "value"
        if len(option.choices) > 1 and option.value not in FILES:
            value = "value"
        if not option.flags:
            number = "*" if option.nargs in ("*", "+") else ""
            specs.append(f"'{number}:{value}:{act.replace(chr(39), chr(34))}'")
            continue
        text = re.sub(r"([][:\\])", r"\\\1", option.summary)
        tail = f"[{text}]" + (f":{value}:{act}" if option.value else "")
        tail = tail.replace("'", "'\\''")
        if len(option.flags) == 1:
            (flag,) = option.flags
            specs.append(f"'{flag}{tail}'")
        else:
            flags = " ".join(option.flags)
            forms = [
                flag + ("=" if option.value and flag.startswith("--") else
                        "+" if option.value else "")
                for flag in option.flags
            ]  # fmt: skip
            specs.append(f"'({flags})'{{{','.join(forms)}}}'{tail}'")
    yield from (f"{indent}  {spec} \\" for spec in specs[:-1])
    yield f"{indent}  {specs[-1]}"


def fish() -> str:
    """Completion for fish."""
    names = " ".join(COMMANDS)
    lines = [
        f"# fish completion of bbans: {FIRST_LINE}",
        "",
        "function __bbans_runs",
        "    set -l words (commandline -opc)",
        '    test (count $words) -gt 1; and test "$words[2]" = $argv[1]',
        "end",
        "",
        "function __bbans_runs_none",
        "    set -l words (commandline -opc)",
        f'    test (count $words) -eq 1; or not contains -- "$words[2]" {names}',
        "end",
        "",
    ]
    for name, about in COMMANDS.items():
        lines.append(
            "complete -c bbans -n 'test (count (commandline -opc)) -eq 1' "
            f"-a {name} -d {quoted(about)}"
        )
    for command in (None, *COMMANDS):
        when = f"'__bbans_runs {command}'" if command else "__bbans_runs_none"
        for option in options_of(command):
            line = f"complete -c bbans -n {when}"
            for flag in option.flags:
                if flag.startswith("--"):
                    line += f" -l {flag[2:]}"
                else:
                    line += f" -s {flag[1:]}"
            if option.value and option.flags:
                line += " -r"
                line += " -F" if option.value in FILES | FOLDERS else " -f"
            elif not option.choices and not option.flags:
                continue  # files, which fish offers by itself
            if option.choices:
                line += f" -a {quoted(' '.join(option.choices))}"
            if option.summary:
                line += f" -d {quoted(option.summary)}"
            lines.append(line)
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Text in quotes, for zsh and fish."""
    return "'" + text.replace("'", "'\\''") + "'"


FILES_OF = {
    "man/man1/bbans.1": man_page,
    "bash-completion/completions/bbans": bash,
    "zsh/site-functions/_bbans": zsh,
    "fish/vendor_completions.d/bbans.fish": fish,
}


def main() -> None:
    for name, make in FILES_OF.items():
        path = SHARE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
