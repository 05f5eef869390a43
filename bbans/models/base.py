"""What float models share: they are trained, analysed, saved, and frozen to code."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import Any, BinaryIO, ClassVar, TypeVar

from bbans._float_file import Arrays, read_model, write_model
from bbans.errors import BbansError, CorruptError, FormatError, VersionError
from bbans.frozen.base import FrozenModel, Kind

__all__ = ["CHECKPOINT", "FloatModel"]

#: What files of fits that go on name in place of a model.
CHECKPOINT = "checkpoint"

_Model = TypeVar("_Model", bound="FloatModel")


class FloatModel(ABC):
    """A model in floating point: an HMM, LGSSM, LatentTree, VAE, or another kind.

    Nothing here decides a coded bit: `freeze` makes the model that codes.
    """

    __slots__ = ("_history",)

    _history: tuple[Any, ...]
    _classes: ClassVar[dict[str, type[FloatModel]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        FloatModel._classes[cls.__name__] = cls

    @property
    def history(self) -> tuple[Any, ...]:
        """The course of training: entry n after n updates, the last for this model.

        Empty if the model does not come from `fit`.
        """
        return self._history

    @property
    @abstractmethod
    def kind(self) -> Kind:
        """What the frozen model encodes: integers, bytes or text."""

    @abstractmethod
    def information_content(self, x: Any) -> float:
        """Compute -log2 P(x) in bits."""

    def elbo(self, x: Any, *, samples: int = 8, seed: int = 0) -> float:
        """Compute what bits back pays in the mean, in bits: the negative evidence lower
        bound, which is -log2 P(x) where the posterior is exact.

        Parameters
        ----------
        x : object
            As of `information_content`.
        samples : int
            Draws of the latents, where it is estimated.
        seed : int
            Of these draws.
        """
        return self.information_content(x)

    @abstractmethod
    def freeze(self, *arguments: Any, **options: Any) -> FrozenModel:
        """Turn the parameters into integers, with which sequences are coded.

        Parameters
        ----------
        predictive : bool
            The mode of the frozen model: "predictive" codes each observation by its
            distribution given those before it, "iconoclasm" by bits back.
        """

    # ---- files and copies

    @abstractmethod
    def _arrays(self) -> Arrays:
        """The parameters: of float64, int64, uint32 or bytes."""

    @classmethod
    @abstractmethod
    def _from_arrays(cls: type[_Model], arrays: Arrays) -> _Model:
        """The model of these parameters; any error says that they are of none."""

    def save(self, path: str | os.PathLike[str] | BinaryIO) -> None:
        """Write the parameters to a .npz file; an existing file is replaced at once.

        Parameters
        ----------
        path : path, or binary file that is open for writing

        Notes
        -----
        Besides the parameters, by their names here, the arrays are ``format_version``
        and ``model``, the name of the class. The history is not kept.
        """
        write_model(path, type(self).__name__, self._arrays())

    @classmethod
    def load(cls: type[_Model], path: str | os.PathLike[str]) -> _Model:
        """Read a model that `save` wrote.

        Returns
        -------
        model
            Of the class that was saved, which is this one or a kind of it.

        Raises
        ------
        TruncatedError
            If the file ends too early.
        VersionError
            If another release wrote it, in a form that this one does not read.
        CorruptError
            If it was damaged.
        FormatError
            If it is something else, or a model of another class; the text says what.
        OSError
            If it cannot be read.
        """
        name, arrays = read_model(path, f"a saved {cls.__name__}")
        if name == CHECKPOINT:
            raise FormatError(
                f"not a saved {cls.__name__}: {path} is a checkpoint, from which fit "
                "goes on with resume=True"
            )
        found = FloatModel._classes.get(name)
        if found is None:
            raise VersionError(f"saved model of a class {name!r}, unknown here: {path}")
        if not issubclass(found, cls):
            raise FormatError(
                f"not a saved {cls.__name__}: {path} holds a model that "
                f"{name}.load reads"
            )
        try:
            return found._from_arrays(arrays)
        except (BbansError, KeyError, TypeError, ValueError) as error:
            raise CorruptError(f"damaged file: {path}: {error}") from error

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self._arrays(), self._history)


def _restored(cls: type[_Model], arrays: Arrays, history: tuple[Any, ...]) -> _Model:
    model = cls._from_arrays(arrays)
    model._history = history
    return model
