"""Particle filters on public randomness, in C: docs/maths.md, "Particle filters"."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer
from bbans._lib import check, ffi, lib
from bbans.distributions.base import Distribution
from bbans.distributions.location_scale import LocationScale
from bbans.errors import BbansError, SymbolError
from bbans.frozen.alphabet import Alphabet, Rows, as_integers
from bbans.frozen.engine import EngineModel, Mode, one_of
from bbans.frozen.hmm import FrozenHMM
from bbans.message.message import Message
from bbans.particles.model import check_methods, law_of, size_of
from bbans.particles.public import as_key, sample
from bbans.particles.steps import FiniteSteps, ParticleSteps

__all__ = ["ParticleFilter"]

Method: TypeAlias = Literal["bootstrap", "adapted"]
METHODS: tuple[Method, ...] = ("bootstrap", "adapted")
# Where nothing is borrowed, a start costs nothing; else each observation of it costs
# the bits that choose a particle.
START_LENGTH, BORROWED_START_LENGTH = 64, 16


class ParticleFilter(EngineModel):
    """A state space model coded by a particle filter that both sides run.

    Parameters
    ----------
    model : ParticleModel or FrozenHMM
        Its laws; or a finite model, which has a filter of its own, to compare with.
    n : int
        Particles, 1 to 65536. The rate tends to the information content as 1 / n.
    key : int
        Of the public random numbers, 64 bits; both sides have the same.
    method : {"bootstrap", "adapted"}
        Whether particles move blindly, or look at the observation first: a FrozenHMM
        sums their transitions, another model has `lookahead` and `proposal`.
    mode : {"iconoclasm", "predictive"}, optional
        As of frozen models. By default predictive, but where a step borrows: a state,
        of an adapted FrozenHMM, or a particle, where the laws of observations are none
        of symbols, nor of a location and a scale.
    start_length : int, optional
        Observations at the end of a sequence that start its message, 1 to 65535; by
        default 64, 16 where a step borrows a particle, or those of the FrozenHMM.

    Raises
    ------
    ModelError
        If an argument is none of these.

    Notes
    -----
    docs/maths.md, "Particle filters". Coded in C, which asks a model in Python for its
    laws once or twice a step. The laws have to be the same on every machine that reads
    the messages: parameters that are integers in fixed point are.
    """

    _DTYPE: Any = np.int64
    _alphabet: Alphabet | Rows

    def __init__(
        self,
        model: Any,
        n: int,
        key: int = 0,
        *,
        method: Method = "bootstrap",
        mode: Mode | None = None,
        start_length: int | None = None,
    ) -> None:
        self._model, self._key = model, as_key(key)
        self._n = as_integer(n, "n", 1, lib.BBANS_PARTICLES_MAX)
        self._adapted = one_of(method, METHODS, "method") == METHODS[1]
        c = ffi.new("bbans_particles *")
        self._laws: _Laws | None = None
        if isinstance(model, FrozenHMM):
            self._init_finite(c, start_length)
        else:
            self._init_laws(c, start_length)
        borrows = self._adapted if self._laws is None else self._laws.borrows
        if mode is None:
            mode = "iconoclasm" if borrows else "predictive"
        super().__init__(c, mode)

    def _init_finite(self, c: Any, start_length: int | None) -> None:
        model = self._model
        self._DTYPE = np.uint32
        self._width, self._alphabet = 1, model.alphabet
        length = model.start_length if start_length is None else _length(start_length)
        check(
            lib.bbans_particles_init_hmm(
                c, model.c, self._n, self._key, self._adapted, length
            )
        )

    def _init_laws(self, c: Any, start_length: int | None) -> None:
        model = self._model
        self._laws = laws = _Laws(model, self._n, self._adapted)
        self._width, self._alphabet = laws.observed, Rows(laws.observed)
        self._handle = ffi.new_handle(laws)  # as long as C may ask
        given = ffi.new("bbans_particle_model *")
        given.user = self._handle
        given.latents, given.observed = laws.latents, laws.observed
        given.symbols, given.borrows = laws.symbols, laws.borrows
        given.prior, given.likelihood = lib.python_prior, lib.python_likelihood
        if self._adapted:
            given.lookahead, given.proposal = lib.python_lookahead, lib.python_proposal
        usual = BORROWED_START_LENGTH if laws.borrows else START_LENGTH
        length = usual if start_length is None else _length(start_length)
        check(lib.bbans_particles_init(c, given, self._n, self._key, length))

    def __repr__(self) -> str:
        given = f"{self._model!r}, {self._n}, {self._key}, method={self.method!r}"
        return f"ParticleFilter({given})"

    def __reduce__(self) -> tuple[Any, ...]:
        made = partial(
            ParticleFilter,
            method=self.method,
            mode=self.mode,
            start_length=self.start_length,
        )
        return made, (self._model, self._n, self._key)

    # ---- what it is

    @property
    def n(self) -> int:
        """Number of particles."""
        return self._n

    @property
    def key(self) -> int:
        """Of the public random numbers."""
        return self._key

    @property
    def method(self) -> Method:
        """How particles move: "bootstrap" or "adapted"."""
        return "adapted" if self._adapted else "bootstrap"

    @property
    def alphabet(self) -> Alphabet | Rows:
        """What it codes."""
        return self._alphabet

    @property
    def width(self) -> int:
        """Integers of an observation."""
        return self._width

    @property
    def exact_predictive(self) -> bool:
        """Whether the predictive mode codes what the particles say of x_t, or by more
        bits."""
        return self._laws is None or not self._laws.borrows

    def state_space(self) -> ParticleSteps | FiniteSteps:
        """Return the model step by step; observations as `observations` gives them.

        Raises
        ------
        ModelError
            While coding, if there are more than 64 particles whose laws have a location
            and a scale.
        """
        made = (self._n, self._key, self._adapted, self.start_length)
        if self._laws is None:
            return FiniteSteps(self._model, *made)
        return ParticleSteps(self._model, *made, borrows=self._laws.borrows)

    def observations(self, x: Any) -> NDArray[Any]:
        """Return the observations of a sequence as `state_space` takes them: numbers,
        or rows of several.

        Raises
        ------
        SymbolError
            If one cannot be coded.
        """
        return self._observations(x)

    # ---- coding

    def _observations(self, x: Any) -> NDArray[Any]:
        if self._laws is None:
            symbols: NDArray[Any] = self._model._observations(x)
            return symbols
        array = as_integers(x)
        if array.ndim == 1 and (self._width == 1 or array.size == 0):
            array = array.reshape(-1, self._width)
        if array.ndim != 2 or array.shape[1] != self._width:
            raise SymbolError(
                f"observations have shape {array.shape}, not (T, {self._width})"
            )
        return self._shaped(self.alphabet.encode(array))

    def _call(self, message: Message, function: str, *given: Any, words: int) -> None:
        laws = self._laws
        if laws is None:
            super()._call(message, function, *given, words=words)
            return
        laws.now.error = None
        try:
            super()._call(message, function, *given, words=words)
        except BbansError as error:
            if laws.now.error is not None:
                raise laws.now.error from None
            if error.status == lib.BBANS_ERR_SYMBOL:
                raise SymbolError(
                    f"observation at position {laws.now.t} cannot be coded: it has no "
                    "mass under any particle, or a particle has left 64 bits, as draws "
                    "from a law with a leak may",
                    error.status,
                ) from None
            raise


def _length(value: int) -> int:
    return as_integer(value, "start_length", 1, lib.BBANS_START_MAX)


class _Now(threading.local):
    """Of the call that this thread makes."""

    error: BaseException | None = None
    law: Distribution | None = None  # C reads its arrays until it asks for another
    t = 0


class _Laws:
    """The laws of a model in Python, as C asks for them."""

    def __init__(self, model: Any, n: int, adapted: bool) -> None:
        adapts = ["lookahead", "proposal"] if adapted else []
        check_methods(model, ["prior", "likelihood", *adapts])
        self.model, self.n, self.now = model, n, _Now()
        self.latents = size_of(model, "latents")
        self.observed = size_of(model, "observed")
        law = self._first_observed(adapted)
        symbols = int(law._c.limit)
        #: The most symbols that a law may have; 0: it has a location and a scale.
        self.symbols = symbols if symbols <= lib.BBANS_SYMBOLS_MAX else 0
        #: Whether its laws have no mean that the library has.
        self.borrows = not self.symbols and not isinstance(law, LocationScale)

    def _first_observed(self, adapted: bool) -> Distribution:
        """A law of an observation: they are all of one kind."""
        if adapted:
            return law_of(self.model, "lookahead", None)
        law = law_of(self.model, "prior", None).broadcast((self.latents, self.n))
        return law_of(self.model, "likelihood", sample(0, 0, law))

    def give(self, law: Any, name: str, rows: int, t: int, *arrays: Any) -> int:
        """Fill the struct of C; returns its status."""
        try:
            made = law_of(self.model, name, *arrays)
            self.now.t, self.now.law = t, made.broadcast((rows, self.n))
            law[0] = self.now.law._c[0]
        except BaseException as error:  # for the caller of C
            self.now.error = error
            return int(lib.BBANS_ERR_STATE)
        return int(lib.BBANS_OK)

    def particles(self, z: Any) -> NDArray[np.int64] | None:
        """A copy of C's, or None."""
        if z == ffi.NULL:
            return None
        shape = self.latents, self.n
        memory = ffi.buffer(z, 8 * shape[0] * shape[1])
        return np.frombuffer(memory, np.int64).reshape(shape).copy()


@ffi.def_extern()  # type: ignore[untyped-decorator]
def python_prior(user: Any, t: int, z: Any, n: int, work: Any, law: Any) -> int:
    laws: _Laws = ffi.from_handle(user)
    return laws.give(law, "prior", laws.latents, t, laws.particles(z))


@ffi.def_extern()  # type: ignore[untyped-decorator]
def python_likelihood(user: Any, t: int, z: Any, n: int, work: Any, law: Any) -> int:
    laws: _Laws = ffi.from_handle(user)
    return laws.give(law, "likelihood", laws.observed, t, laws.particles(z))


@ffi.def_extern()  # type: ignore[untyped-decorator]
def python_lookahead(user: Any, t: int, z: Any, n: int, work: Any, law: Any) -> int:
    laws: _Laws = ffi.from_handle(user)
    return laws.give(law, "lookahead", laws.observed, t, laws.particles(z))


@ffi.def_extern()  # type: ignore[untyped-decorator]
def python_proposal(
    user: Any, t: int, z: Any, x: Any, n: int, work: Any, law: Any
) -> int:
    laws: _Laws = ffi.from_handle(user)
    seen = np.frombuffer(ffi.buffer(x, 8 * laws.observed), np.int64).copy()
    return laws.give(law, "proposal", laws.latents, t, laws.particles(z), seen)
