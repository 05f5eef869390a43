"""Functions that make codecs, and nodes, as arguments."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from bbans.errors import ModelError, SymbolError

__all__ = ["STEPS_MAX", "as_function", "as_nodes", "node_of", "value_of"]

#: Steps of an order, levels, or codecs: no machine's memory has room for more.
STEPS_MAX = 1 << 32

F = TypeVar("F", bound=Callable[..., Any])
Node = TypeVar("Node")


def as_function(function: F, name: str) -> F:
    """The function that was given, if it can be called.

    Raises
    ------
    ModelError
        If it cannot.
    """
    if not callable(function):
        raise ModelError(
            f"{name} must be a function that makes a codec, not {function!r}"
        )
    return function


def as_nodes(nodes: Any, what: str) -> tuple[Any, ...]:
    """The nodes of a graph that were given, each of which can be a key.

    Raises
    ------
    ModelError
        If they are none.
    """
    try:
        given = tuple(nodes)
        hash(given)
    except TypeError as error:
        raise ModelError(
            f"{what} must be nodes, each a key such as 'x' or ('z', 3), not "
            f"{reprlib.repr(nodes)}: {error}"
        ) from None
    return given


def node_of(node: Any, nodes: Mapping[Any, Node]) -> Node:
    """What a graph has of a node.

    Raises
    ------
    ModelError
        If there is no such node.
    """
    try:
        return nodes[node]
    except KeyError:
        raise ModelError(f"the graph has no node {node!r}") from None


def value_of(node: Any, values: Mapping[Any, Any]) -> Any:
    """What is known of a node.

    Raises
    ------
    SymbolError
        If nothing is.
    """
    try:
        return values[node]
    except LookupError:
        raise SymbolError(f"there is no value of {node!r}") from None
