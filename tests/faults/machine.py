"""A machine with faults: bbans in Python and C under shim.c, and what they called."""

import errno
import json
import os
import select
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
SHORT, KILLED, TORN = 0, -1, -2

#: What may go wrong with each call, that a program can know of.
FAULTS = {
    "open": [errno.EIO, errno.ENOSPC, errno.EACCES, errno.EMFILE, errno.EINTR],
    "read": [errno.EIO, SHORT, errno.EINTR],
    "write": [errno.ENOSPC, SHORT, errno.EIO, errno.EINTR, errno.EAGAIN],
    "fsync": [errno.EIO, errno.ENOSPC, errno.EINTR],
    "rename": [errno.EIO, errno.ENOSPC],
    "link": [errno.EPERM, errno.EIO, errno.ENOSPC],
    "unlink": [errno.EIO],
    "close": [errno.EIO, errno.EINTR],
    "lseek": [errno.EIO],
    "stat": [errno.EIO, errno.EACCES],
    "ftruncate": [errno.ENOSPC],
    "fchmod": [errno.EPERM],
    "fchown": [errno.EPERM],
    "futimens": [errno.EPERM],
    "flock": [errno.ENOLCK],
    "mmap": [errno.ENOMEM],
    "mkdir": [errno.ENOSPC],
}


class Event(NamedTuple):
    """A call, or what it changed."""

    what: str
    words: list[str]
    data: bytes


def events_of(log: Path) -> list[Event]:
    """What the shim has written down."""
    content, found, at = log.read_bytes(), [], 0
    while at < len(content):
        end = content.index(b"\n", at)
        what, *words = content[at:end].decode().split("\t")
        at = end + 1
        n = int(words[2]) if what == "write" else 0
        found.append(Event(what, words, content[at : at + n]))
        at += n
    return found


def calls_of(log: Path) -> list[str]:
    """The names of the calls, in order."""
    return [event.words[0] for event in events_of(log) if event.what == "call"]


class Machine:
    """Runs acts of server.py, and programs, in a folder under faults.

    Parameters
    ----------
    build : Path
        Where the shim is built.
    """

    def __init__(self, build: Path) -> None:
        self.shim = build / "shim.so"
        command = ["cc", "-O1", "-shared", "-fPIC", "-o", self.shim, HERE / "shim.c"]
        subprocess.run([*command, "-ldl"], check=True)
        self._environment = {
            **os.environ,
            "LD_PRELOAD": str(self.shim),
            # Threads would make the calls in any order.
            "OPENBLAS_NUM_THREADS": "1",
        }
        self.server = subprocess.Popen(
            [sys.executable, HERE / "server.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
        )

    def close(self) -> None:
        self.server.stdin.close()
        self.server.stdout.close()
        self.server.wait()

    def act(
        self,
        folder: Path,
        act: str,
        *words: Any,
        streams: tuple[str, ...] = ("/dev/null", "out", "err"),
        signal: tuple[int, float] | None = None,
        fsize: int = 0,
        umask: int | None = None,
        drop: bool = False,
        **faults: Any,
    ) -> int | None:
        """Run an act in a folder; the exit status, -n if signal n ended it, None if
        nothing did."""
        job = {
            "act": act,
            "words": [str(word) for word in words],
            "folder": str(folder),
            "streams": streams,
            "signal": signal,
            "fsize": fsize,
            "umask": umask,
            "drop": drop,
            "environment": _environment(folder, faults),
        }
        self.server.stdin.write(json.dumps(job).encode() + b"\n")
        self.server.stdin.flush()
        if not select.select([self.server.stdout], [], [], 60)[0]:
            raise TimeoutError("the server is stuck")
        return json.loads(self.server.stdout.readline())

    def program(
        self,
        folder: Path,
        *command: Any,
        streams: tuple[str, ...] = ("/dev/null", "out", "err"),
        **faults: Any,
    ) -> int | None:
        """The same of a program."""
        with ExitStack() as stack:
            files = [
                stack.enter_context(open(folder / name, "rb" if number == 0 else "ab"))
                for number, name in enumerate(streams)
            ]
            try:
                return subprocess.run(
                    command,
                    cwd=folder,
                    env=self._environment | _environment(folder, faults),
                    stdin=files[0], stdout=files[1], stderr=files[2],
                    timeout=30,
                ).returncode  # fmt: skip
            except subprocess.TimeoutExpired:
                return None


def _environment(folder: Path, faults: dict[str, Any]) -> dict[str, str]:
    """log, at, fault and clock as the shim takes them."""
    names = {f"FAULTS_{name.upper()}": str(value) for name, value in faults.items()}
    return names and {"FAULTS_ROOT": str(folder), **names}
