from typing import Any, TypeVar

from numpy.typing import ArrayLike

from bbans.distributions._cdf import Rows

Kind = TypeVar("Kind", bound="Law")

class Law:
    shape: tuple[int, ...]
    dtype: Any
    _row: tuple[int, ...]
    _parameters: tuple[Any, ...]
    _arrays: tuple[Any, ...]
    @property
    def _c(self) -> Any: ...
    def _one_row(self, table: Rows, row: int) -> None: ...
    def _like(self: Kind) -> Kind: ...
    def push(self, message: Any, value: ArrayLike) -> None: ...
    def pop(self, message: Any) -> Any: ...
