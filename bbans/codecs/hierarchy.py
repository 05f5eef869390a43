"""Hierarchies in time, and orders for them: docs/maths.md, "Hierarchies in time"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bbans._arguments import as_instance, as_integer
from bbans.codecs.base import STEPS_MAX, as_function, value_of
from bbans.errors import ModelError
from bbans.message.codec import Codec

__all__ = ["Hierarchy", "aligned", "staircase"]

Step = tuple[str, Any]


def aligned(levels: int, length: int) -> list[Step]:
    """Order of pops and pushes that goes step by step, from the last to the first.

    Parameters
    ----------
    levels, length : int
        L >= 1 levels in T >= 0 steps: latents ``("z", l, t)``, l = 1 (next to the data)
        .. L, and observations ``("x", t)``, t = 1 .. T.

    Returns
    -------
    list of (str, node)
        For `Schedule`. Levels may depend on all higher ones of their step, and on their
        own and lower ones of the step before.

    Notes
    -----
    An observation is pushed when all latents of its step are popped, so that all of
    their posteriors may look at it. L + 1 latents are outstanding, and start-up is that
    of one step, whatever T is. ``Schedule.eager`` with these pops has less start-up.

    Examples
    --------
    >>> [f"{action} {'.'.join(map(str, node))}" for action, node in aligned(1, 2)]
    ['pop z.1.2', 'push x.2', 'pop z.1.1', 'push z.1.2', 'push x.1', 'push z.1.1']
    """
    levels, length = _as_sizes(levels, length)
    ups = range(1, levels + 1)
    order: list[Step] = [("pop", ("z", level, length)) for level in ups if length]
    for t in range(length, 0, -1):
        order.append(("push", ("x", t)))
        for level in ups:
            if t > 1:
                order.append(("pop", ("z", level, t - 1)))
            order.append(("push", ("z", level, t)))
    return order


def staircase(levels: int, length: int) -> list[Step]:
    """Order of pops and pushes in which each level is one step behind that below it.

    Parameters
    ----------
    levels, length : int
        As of `aligned`.

    Returns
    -------
    list of (str, node)
        For `Schedule`. Levels may depend on the next higher one of their step, and on
        their own of the step before.

    Notes
    -----
    A latent is popped when something is to be pushed that needs it. No more than L + 2
    are outstanding, and each pop is paid by what was pushed before: start-up does not
    depend on T, nor, where an observation says more than one latent can, on L.
    docs/maths.md, "Hierarchies in time".

    Examples
    --------
    >>> [f"{action} {'.'.join(map(str, node))}" for action, node in staircase(2, 2)]
    ... # doctest: +NORMALIZE_WHITESPACE
    ['pop z.1.2', 'push x.2', 'pop z.2.2', 'pop z.1.1', 'push z.1.2', 'push x.1',
     'pop z.2.1', 'push z.1.1', 'push z.2.2', 'push z.2.1']
    """
    levels, length = _as_sizes(levels, length)
    order: list[Step] = []
    popped: set[Any] = set()

    def push(node: Any, *needed: Any) -> None:
        for latent in needed:
            if latent not in popped:
                popped.add(latent)
                order.append(("pop", latent))
        order.append(("push", node))

    for wave in range(length, 1 - levels, -1):
        for level in range(1, levels + 1):
            t = wave + level - 1
            if not 1 <= t <= length:
                continue
            z = ("z", level, t)
            if level == 1:
                push(("x", t), z)
            above = [("z", level + 1, t)] if level < levels else []
            before = [("z", level, t - 1)] if t > 1 else []
            push(z, z, *above, *before)
    return order


def _as_sizes(levels: int, length: int) -> tuple[int, int]:
    return (
        as_integer(levels, "levels", 1, STEPS_MAX),
        as_integer(length, "length", 0, STEPS_MAX),
    )


class Hierarchy:
    """Levels of latents in time, by laws of the user's.

    A `GraphModel` with the nodes of `aligned` and `staircase`: each latent depends on
    the one above it and on the one of its level before, an observation on the lowest.

    Parameters
    ----------
    levels : int
        L >= 1.
    prior : callable
        ``prior(level, above, before)`` is the codec of z_t^l, from the values of
        z_t^l+1 (None for the highest) and z_t-1^l (None for t = 1).
    likelihood : callable
        ``likelihood(z)`` is the codec of x_t, from the value of z_t^1.
    posterior : callable
        ``posterior(level, t, known)`` is the codec of z_t^l, exact or approximate, from
        a mapping of what is known then: observations that are not pushed yet, and
        outstanding latents.

    Examples
    --------
    >>> from bbans.codecs import Schedule
    >>> from bbans.distributions import Gaussian
    >>> def prior(level, above, before):
    ...     known = [z for z in (above, before) if z is not None]
    ...     return Gaussian(sum(known) / 2, 30.0)
    >>> model = Hierarchy(
    ...     2,
    ...     prior,
    ...     lambda z: Gaussian(z, 4.0),
    ...     lambda level, t, known: Gaussian(
    ...         known["x", t] if level == 1 else known["z", 1, t], 9.0, leak=False
    ...     ),
    ... )
    >>> schedule = Schedule(model, aligned(2, 3))
    >>> value = {("x", 1): 25, ("x", 2): 60, ("x", 3): 44}
    >>> schedule.decode(schedule.encode(value)) == value
    True
    """

    def __init__(
        self,
        levels: int,
        prior: Callable[[int, Any, Any], Codec[Any]],
        likelihood: Callable[[Any], Codec[Any]],
        posterior: Callable[[int, int, Mapping[Any, Any]], Codec[Any]],
    ) -> None:
        self.levels = as_integer(levels, "levels", 1)
        self._prior = as_function(prior, "prior")
        self._likelihood = as_function(likelihood, "likelihood")
        self._posterior = as_function(posterior, "posterior")

    def parents(self, node: Any) -> list[Any]:
        """The latent above and the one before; the lowest of an observation.

        Raises
        ------
        ModelError
            If it is no such node.
        """
        level, t = _place(node)
        if level == 0:
            return [("z", 1, t)]
        above = [("z", level + 1, t)] if level < self.levels else []
        return above + ([("z", level, t - 1)] if t > 1 else [])

    def conditional(self, node: Any, values: Mapping[Any, Any]) -> Codec[Any]:
        """Codec of a node from the values of its parents.

        Raises
        ------
        ModelError
            If it is no such node, or `values` are no mapping.
        SymbolError
            If there is no value of the latent that an observation depends on.
        """
        level, t = _place(node)
        as_instance(values, Mapping, "values", "a mapping from nodes to their values")
        if level == 0:
            return self._likelihood(value_of(("z", 1, t), values))
        above, before = values.get(("z", level + 1, t)), values.get(("z", level, t - 1))
        return self._prior(level, above, before)

    def posterior(self, node: Any, known: Mapping[Any, Any]) -> Codec[Any]:
        """Codec of a latent from what is known.

        Raises
        ------
        ModelError
            If it is no such node.
        """
        level, t = _place(node)
        return self._posterior(level, t, known)

    def __repr__(self) -> str:
        return f"<Hierarchy of {self.levels} levels>"


def _place(node: Any) -> tuple[Any, Any]:
    """The level and the step of a node; those of observations are on level 0.

    Raises
    ------
    ModelError
        If it is none.
    """
    match node:
        case ("x", t):
            return 0, t
        case ("z", level, t) if level != 0:
            return level, t
    raise ModelError(
        f'a node of a Hierarchy is ("z", level, t) or ("x", t), not {node!r}'
    )
