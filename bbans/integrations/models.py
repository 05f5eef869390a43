"""The models that chunks name: inside the metadata of a store, or by fingerprint."""

from __future__ import annotations

import base64
import binascii
import os
import re
from functools import cache, lru_cache
from pathlib import Path

from bbans.errors import BbansError, ModelError, WrongModelError
from bbans.formats.container import FINGERPRINT_BYTES
from bbans.frozen.base import FrozenModel, as_model
from bbans.frozen.model_file import SHIPPED, load_model, model_facts, shipped_model

__all__ = ["ENVIRONMENT", "as_reference", "find_model", "is_fingerprint", "register"]

ENVIRONMENT = "BBANS_MODELS"
"""Names model files, and folders of them, to the readers of a process."""

_registered: dict[str, FrozenModel] = {}
_FINGERPRINT = re.compile(f"[0-9a-f]{{{2 * FINGERPRINT_BYTES}}}")


def register(model: FrozenModel) -> str:
    """Let the codecs of array stores find a model by its fingerprint.

    Parameters
    ----------
    model : FrozenModel

    Returns
    -------
    str
        The fingerprint, 16 hexadecimal digits, which a codec takes as its `model`.

    Raises
    ------
    ModelError
        If `model` is none.

    Notes
    -----
    This is for the process at hand. The environment variable BBANS_MODELS does the same
    for any: paths of model files, or of folders that hold them, as PATH has them.

    Examples
    --------
    >>> import bbans
    >>> len(register(bbans.default_model()))
    16
    """
    name = as_model(model).fingerprint.hex()
    _registered[name] = model
    return name


def as_reference(model: FrozenModel | str | None) -> str | None:
    """What a store's metadata say of a model.

    Parameters
    ----------
    model : FrozenModel, str or None
        A model goes inside, as base64 of its file. A str is that, or a fingerprint.

    Raises
    ------
    ModelError
        If it is none of these.
    """
    if model is None:
        return None
    if not isinstance(model, str):
        return base64.b64encode(as_model(model).to_bytes()).decode("ascii")
    if not is_fingerprint(model):
        _inside(model)
    return model


def is_fingerprint(reference: str) -> bool:
    """Whether a reference names a model, and does not hold it."""
    return _FINGERPRINT.fullmatch(reference) is not None


def find_model(reference: str | None, wanted: str | None = None) -> FrozenModel:
    """The model of a reference, or the one of the fingerprint that a chunk names.

    Raises
    ------
    WrongModelError
        If it is not there; the text says how to supply it.
    """
    if reference is not None and not is_fingerprint(reference):
        model = _inside(reference)
        if wanted in (None, model.fingerprint.hex()):
            return model
    name = wanted or reference
    assert name is not None
    found = _registered.get(name) or _shipped().get(name) or _in_environment(name)
    if found is None:
        raise WrongModelError(
            f"a chunk needs the model {name}, which is not at hand: call "
            "bbans.integrations.register(bbans.load_model(path)) before, or put the "
            f"path of its file into the environment variable {ENVIRONMENT}"
        )
    return found


@lru_cache(maxsize=32)
def _inside(text: str) -> FrozenModel:
    """The model whose file this is, in base64."""
    try:
        return FrozenModel.from_bytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        shown = text if len(text) <= 32 else f"{text[:32]}..."
        raise ModelError(
            "model must be a frozen model, the 16 hexadecimal digits of a fingerprint, "
            f"or a model file in base64, not {shown!r}: {error}"
        ) from error


@cache
def _shipped() -> dict[str, FrozenModel]:
    models = map(shipped_model, SHIPPED)
    return {model.fingerprint.hex(): model for model in models}


def _in_environment(name: str) -> FrozenModel | None:
    """The model of this fingerprint among the files that the environment names."""
    for entry in filter(None, os.environ.get(ENVIRONMENT, "").split(os.pathsep)):
        path = Path(entry)
        for file in sorted(path.glob("*.bbm")) if path.is_dir() else [path]:
            try:
                with file.open("rb") as stream:
                    found = model_facts(stream)["fingerprint"]
            except (OSError, BbansError) as error:
                raise WrongModelError(
                    f"a chunk needs the model {name}, and {file}, which {ENVIRONMENT} "
                    f"names, cannot be read: {error}"
                ) from error
            if found == name:
                register(load_model(file))
                return _registered[name]
    return None
