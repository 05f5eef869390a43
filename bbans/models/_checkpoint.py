"""The state of a fit in a file, so that one that was killed goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from errno import EISDIR
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_instance
from bbans._float_file import Arrays, read_model, write_model
from bbans.errors import BbansError, CorruptError, FormatError, ModelError, VersionError
from bbans.frozen.alphabet import Alphabet
from bbans.models.base import CHECKPOINT, FloatModel

__all__ = ["Checkpoint", "data_fact", "digest_of", "floats", "opened"]

_VERSION = 1
_FACTS, _STATE = "facts", "state"
# Writing takes at most one part in so many of the time.
_SHARE = 10

Entry = TypeVar("Entry")


class Checkpoint(os.PathLike[str]):
    """Where one fit keeps its state: a path, for fits that other fits are made of.

    Parameters
    ----------
    path : path
        An existing file is replaced at the first `write`, or read with `resume`.
    resume : bool
    fit : str
        The class that is fitted.

    Attributes
    ----------
    found : bool
        Whether there is a state to go on from.
    done : bool
        Whether it is that of a fit that has ended.
    state : dict
        What was written with the models, such as the history.

    Raises
    ------
    FormatError
        If the file is no checkpoint, damaged, or of another version.
    ModelError
        If it is of another class.
    OSError
        If it cannot be read, or is in no folder.
    """

    def __init__(self, path: str | os.PathLike[str], resume: bool, fit: str) -> None:
        self._path = os.fspath(path)
        self._facts: dict[str, Any] = {}
        self._kept: dict[str, FloatModel] = {}
        self._written = self._cost = 0.0
        self.state: dict[str, Any] = {}
        self._arrays: Arrays = {}
        self._known: dict[str, Any] = {}
        if os.path.isdir(self._path):  # or an hour later
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR), self._path)
        os.stat(os.path.dirname(os.path.abspath(self._path)))
        self.found = bool(resume) and _exists(self._path)
        if self.found:
            self._read()
        self.require(fit=fit)

    def __fspath__(self) -> str:
        return self._path

    def _read(self) -> None:
        name, arrays = read_model(self._path, "a checkpoint")
        if name != CHECKPOINT:
            raise FormatError(
                f"not a checkpoint: {self._path} holds a model that {name}.load reads"
            )
        try:
            self.state = dict(json.loads(arrays.pop(_STATE).item()))
            if self.state["version"] != _VERSION:
                raise VersionError(
                    f"checkpoint has version {self.state['version']}, this reads "
                    f"{_VERSION}: {self._path}"
                )
            self._known = dict(json.loads(arrays.pop(_FACTS).item()))
        except FormatError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._damaged(error) from error
        self._arrays = arrays

    def _damaged(self, error: Exception) -> CorruptError:
        return CorruptError(f"damaged file: {self._path}: {error}")

    @property
    def done(self) -> bool:
        return self.found and bool(self.state.get("done"))

    def require(self, **facts: Any) -> None:
        """Say what decides the result of the fit; what was found must say the same.

        Raises
        ------
        ModelError
            If it does not; the text says what differs.
        """
        described = {name: _described(value) for name, value in facts.items()}
        self._facts |= described
        if not self.found:
            return
        differ = [
            f"{name} was {self._known.get(name)} there, and is {value}"
            for name, value in described.items()
            if self._known.get(name) != value
        ]
        if differ:
            raise ModelError(
                f"{self._path} is a checkpoint of another fit: {'; '.join(differ)}: "
                "pass the same, or another path"
            )

    def model(self, name: str, *, needed: bool = False) -> Any:
        """A model that was found, or None.

        Raises
        ------
        CorruptError
            If it is damaged, or is needed and not there.
        """
        models = self.state.get("models", {})
        kind = models.get(name) if isinstance(models, dict) else None
        if kind is None and needed:
            raise self._damaged(KeyError(name))
        if kind is None:
            return None
        start = f"{name}."
        arrays = {
            key.removeprefix(start): array
            for key, array in self._arrays.items()
            if key.startswith(start)
        }
        try:
            return FloatModel._classes[kind]._from_arrays(arrays)
        except (BbansError, KeyError, TypeError, ValueError) as error:
            raise self._damaged(error) from error

    def entry(self, name: str, make: Callable[[Any], Entry]) -> Entry:
        """What the state that was found says, made a value of its type.

        Raises
        ------
        CorruptError
            If it says nothing, or nothing of that type.
        """
        try:
            return make(self.state[name])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self._damaged(error) from error

    def array(self, name: str) -> NDArray[Any]:
        """An array that was found.

        Raises
        ------
        CorruptError
            If it is not there.
        """
        try:
            found: NDArray[Any] = self._arrays[name]
        except KeyError as error:
            raise self._damaged(error) from error
        return found

    def keep(self, **models: FloatModel) -> None:
        """Write these models, unless they were found, and with all that is written."""
        self._kept |= models
        if not self.found:
            self.write({}, {}, last=True)

    def write(
        self,
        models: Mapping[str, FloatModel],
        state: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]] | None = None,
        *,
        last: bool = False,
    ) -> None:
        """Replace the file at once, unless writing takes too much of the time.

        Parameters
        ----------
        models, state, arrays
            What `model`, `state` and `array` find; `state` as JSON has it.
        last : bool
            Write in any case.
        """
        begun = time.monotonic()
        if not last and begun - self._written < _SHARE * self._cost:
            return
        models = self._kept | dict(models)
        content: Arrays = dict(arrays or {})
        for name, model in models.items():
            for key, array in model._arrays().items():
                content[f"{name}.{key}"] = array
        kinds = {name: type(model).__name__ for name, model in models.items()}
        whole = {**state, "version": _VERSION, "models": kinds}
        for key, value in ((_FACTS, self._facts), (_STATE, whole)):
            content[key] = np.array(json.dumps(value, default=_jsonable).encode())
        write_model(self._path, CHECKPOINT, content)
        self._written = time.monotonic()
        self._cost = self._written - begun


def opened(
    checkpoint: str | os.PathLike[str] | None,
    resume: bool,
    fit: str,
    **facts: Any,
) -> Checkpoint | None:
    """The checkpoint of a fit, if it has one.

    Parameters
    ----------
    checkpoint : path, optional
        What a fit was given, by another fit its own `Checkpoint`.
    resume : bool
    fit : str
        The class that is fitted.
    **facts
        As for `Checkpoint.require`, of how the fit starts: who opened it has said that.

    Raises
    ------
    ModelError, FormatError
        As `Checkpoint`.
    """
    if checkpoint is None:
        if resume:
            raise ModelError("resume needs a checkpoint: the file to go on from")
        return None
    if isinstance(checkpoint, Checkpoint):
        return checkpoint
    as_instance(checkpoint, (str, os.PathLike), "checkpoint", "a path")
    found = Checkpoint(checkpoint, resume, fit)
    found.require(**facts)
    return found


def _exists(path: str) -> bool:
    """Whether there is such a file; what cannot be known is an error, since a fit that
    begins anew replaces it."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    return True


def floats(entries: Iterable[Any]) -> list[float]:
    """The history of a fit, for `Checkpoint.entry`."""
    return [float(entry) for entry in entries]


# ---- facts


def data_fact(sequences: Iterable[NDArray[Any]]) -> str:
    """What data are, in words: how much, and a digest of all."""
    digest = hashlib.sha256()
    n = size = 0
    for x in sequences:
        digest.update(repr((x.shape, x.dtype.str)).encode())
        digest.update(np.ascontiguousarray(x).data)
        n, size = n + 1, size + x.size
    return f"{size} symbols in {n} sequences, SHA-256 {digest.hexdigest()[:32]}"


def digest_of(arrays: Mapping[str, NDArray[Any]]) -> str:
    """A short digest of named arrays."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        digest.update(repr((name, array.shape, array.dtype.str)).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]


def _described(value: Any) -> Any:
    """A value as JSON has it, equal where the values are."""
    if isinstance(value, FloatModel):
        return f"{value!r}, SHA-256 {digest_of(value._arrays())}"
    if isinstance(value, Alphabet):
        listed = {} if value.values is None else {"values": value.values}
        return f"{value!r}, SHA-256 {digest_of(listed)}"
    if isinstance(value, np.random.Generator):
        state = json.dumps(value.bit_generator.state, default=_jsonable)
        return f"a Generator of state {hashlib.sha256(state.encode()).hexdigest()[:32]}"
    if isinstance(value, np.ndarray) and value.size > 16:
        return f"an array of shape {value.shape}, SHA-256 {digest_of({'': value})}"
    if isinstance(value, np.ndarray | np.generic):
        return _described(value.tolist())
    if isinstance(value, set | frozenset):
        return sorted(_described(item) for item in value)
    if isinstance(value, tuple | list):
        return [_described(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return repr(value)


def _jsonable(value: Any) -> Any:
    """Arrays in the states of generators, as lists."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON")
