"""What a power cut may leave of a disk: every change that was not synchronised may be
there or not, whatever came before or after it, and a write may be there in part."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from faults.machine import Event

SECTOR = 512
ACK = "ack"  # the file that a program says in what it has promised


class State(NamedTuple):
    """A disk after a power cut.

    Attributes
    ----------
    at : int
        How many events there had been.
    files : dict
        Contents by names.
    promised : list of str
        What had been acknowledged.
    """

    at: int
    files: dict[str, bytes]
    promised: list[str]


class _Kept:
    """Changes of one thing, in order, and how many of them are there in any case."""

    def __init__(self) -> None:
        self.changes: list[tuple[Any, ...]] = []
        self.n_synchronised = 0

    def synchronise(self) -> None:
        self.n_synchronised = len(self.changes)

    def survivors(self, chance: random.Random, share: float) -> list[tuple[Any, ...]]:
        sure = self.changes[: self.n_synchronised]
        rest = self.changes[self.n_synchronised :]
        return sure + [change for change in rest if chance.random() < share]


class _File(_Kept):
    def __init__(self, content: bytes = b"") -> None:
        super().__init__()
        self.changes.append(("write", 0, content))
        self.synchronise()

    def content(self, chance: random.Random, share: float) -> bytes:
        found = bytearray()
        sure = self.n_synchronised
        for k, change in enumerate(self.survivors(chance, share)):
            if change[0] == "truncate":
                found[change[1] :] = bytes(max(change[1] - len(found), 0))
                continue
            _, at, data = change
            end = at + len(data)
            found += bytes(max(end - len(found), 0))
            if k >= sure and share < 1 and chance.random() < 0.5:
                # The length is there, of the sectors only some.
                for start in range(at - at % SECTOR, end, SECTOR):
                    if chance.random() < 0.5:
                        a, b = max(start, at), min(start + SECTOR, end)
                        found[a:b] = data[a - at : b - at]
            else:
                found[at:end] = data
        return bytes(found)


class Disk:
    """A folder whose changes are replayed.

    Parameters
    ----------
    folder : Path
        As it is before they begin.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._names: dict[str, _File] = {}
        self._inodes: dict[str, _File] = {}
        self._order = _Kept()
        self._promised: list[str] = []
        for path in folder.iterdir():
            file = self._names[path.name] = _File(path.read_bytes())
            self._inodes[str(path.stat().st_ino)] = file
        self._first = dict(self._names)

    def _name(self, path: str) -> str:
        return path.removeprefix(self._folder + "/")

    def replay(self, event: Event) -> bool:
        """Do what a program did; return whether that changed anything."""
        what, words = event.what, event.words
        names = [self._name(word) for word in words]
        if what == "create":
            file = self._inodes[words[0]] = _File()
            self._rename("add", names[1], file)
        elif what in ("link", "rename"):
            self._rename("add", names[1], self._names[names[0]])
            if what == "rename":
                self._order.changes[-1] += (names[0],)
                del self._names[names[0]]
        elif what == "unlink":
            self._rename("remove", names[0])
        elif what == "write":
            file = self._inodes[words[0]]
            if file is self._names.get(ACK):
                self._promised.append(event.data.decode().strip())
            file.changes.append(("write", int(words[1]), event.data))
        elif what == "truncate":
            self._inodes[words[0]].changes.append(("truncate", int(words[1])))
        elif what == "sync":
            self._inodes[words[0]].synchronise()
        elif what == "syncdir":
            self._order.synchronise()
        else:
            return False
        return True

    def _rename(self, what: str, name: str, file: _File | None = None) -> None:
        self._order.changes.append((what, name, file))
        if file is None:
            del self._names[name]
        else:
            self._names[name] = file

    def after(self, chance: random.Random, share: float) -> dict[str, bytes]:
        """The files, if this share of what is not synchronised is there."""
        names = dict(self._first)
        for what, name, file, *before in self._order.survivors(chance, share):
            if what == "add":
                names[name] = file
                if before:
                    names.pop(before[0], None)
            else:
                names.pop(name, None)
        return {name: file.content(chance, share) for name, file in names.items()}

    def promised(self) -> list[str]:
        return list(self._promised)


def states(
    disk: Disk, events: list[Event], chance: random.Random, draws: int
) -> Iterator[State]:
    """Each different state that a power cut after any of the events may leave: with
    nothing that was not synchronised, with all, and with `draws` choices of it."""
    for at, event in enumerate([Event("begin", [], b""), *events]):
        if at > 0 and not disk.replay(event):
            continue
        seen = []
        for share in (0.0, 1.0, *[0.5] * draws):
            files = disk.after(chance, share)
            if files not in seen:
                seen.append(files)
                yield State(at, files, disk.promised())
