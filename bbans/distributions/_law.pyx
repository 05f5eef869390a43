"""The struct of C of a distribution, in the memory of its Python object.

Coders find it there at once, and the distribution of one symbol is made in one call:
codecs of a user's own make several at each step.
"""

from libc.stdint cimport uint32_t, uintptr_t

cimport cython
import numpy as np

from bbans._arguments import as_message
from bbans._lib import check, ffi, lib
from bbans.errors import SymbolError

cdef extern from "bbans.h":
    ctypedef struct bbans_array:
        const void *data
        int type

ctypedef int (*init_symbols)(bbans_distribution *, const void *, bbans_array) noexcept nogil

cdef init_symbols c_init_symbols = <init_symbols><uintptr_t>int(
    ffi.cast("uintptr_t", ffi.addressof(lib, "bbans_distribution_init_symbols")))

UINT32 = np.dtype(np.uint32)


@cython.auto_pickle(False)
cdef class Law:
    """What coders read of a distribution."""

    def __cinit__(self):
        self.shape = self._row = self._parameters = self._arrays = ()

    @property
    def _c(self):
        """The C struct for cffi."""
        if self.cdata is None:
            self.cdata = ffi.cast("bbans_distribution *", <uintptr_t>&self.c)
        return self.cdata

    def _one_row(self, Rows table not None, row):
        """Become the law of symbols under one row of a table."""
        cdef bbans_array none = bbans_array(NULL, 0)
        if not 0 <= row < table.c_table.rows:
            raise SymbolError(f"row {row} is not 0 to {table.c_table.rows - 1}")
        if table.c_table.rows > 1:
            table = table.row(row)
        self.form, self.dtype = table, UINT32
        check(c_init_symbols(&self.c, &table.c_table, none))

    def _like(self):
        """A law of the same struct, and the same attributes."""
        cdef Law law = type(self).__new__(type(self))
        law.c, law.form = self.c, self.form
        law.shape, law.dtype = self.shape, self.dtype
        law._parameters, law._row, law._arrays = self._parameters, self._row, self._arrays
        vars(law).update(vars(self))
        return law

    def push(self, message, value):
        """Push values; a refused push changes nothing.

        Raises
        ------
        SymbolError
            If they are no integers of `shape`, or one cannot be coded.
        ModelError
            If `message` is neither a message nor an end of the range coder.
        """
        if type(value) is not int or self.shape:
            value = self._fitting(value)
        if isinstance(message, Law):    # which would push this one in turn, for ever
            as_message(message)
        try:
            message.push(self, value)
        except AttributeError:
            as_message(message)
            raise

    def pop(self, message):
        """Pop an int, or an array of `shape` and `dtype`."""
        if isinstance(message, Law):
            as_message(message)
        try:
            return message.pop(self)
        except (AttributeError, KeyError):    # the last of a dict
            as_message(message)
            raise
