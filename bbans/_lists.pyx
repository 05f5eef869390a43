"""Lists of Python's integers as arrays, and back: what numpy takes five times as long
for."""

from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE, PyList_New, PyList_SET_ITEM
from cpython.long cimport PyLong_FromLong
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int32_t, int64_t

import reprlib

import numpy as np

from bbans.errors import SymbolError


cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object, int *) except? -1


cdef int fill(list values, Py_ssize_t n, int64_t *out, str what) except -1:
    cdef Py_ssize_t i
    cdef int overflow = 0
    cdef object value
    for i in range(n):
        value = <object>PyList_GET_ITEM(values, i)
        try:
            out[i] = PyLong_AsLongLongAndOverflow(value, &overflow)
        except TypeError:
            raise SymbolError(f"{what} {reprlib.repr(value)} at position {i} is no integer"
                              ) from None
        if overflow != 0:
            raise SymbolError(f"{what} {value} at position {i} is beyond 64 bits")
    return 0


def integers(list values not None, str what):
    """Integers as an int64 array.

    Raises
    ------
    SymbolError
        If one is none, or beyond 64 bits; the text names it.
    """
    cdef Py_ssize_t n = PyList_GET_SIZE(values)
    array = np.empty(n, np.int64)
    cdef int64_t[::1] view = array
    if n > 0:
        fill(values, n, &view[0], what)
    return array


def joined(list rows not None, const int64_t[::1] sizes not None, str what):
    """The first ``sizes[i]`` integers of row i, a list, end to end as an int64 array.

    Raises
    ------
    SymbolError
        As of `integers`; if a row is no list, or too short.
    """
    cdef Py_ssize_t i, n = 0, N = PyList_GET_SIZE(rows)
    cdef list row
    if sizes.shape[0] != N:
        raise SymbolError(f"{N} rows of {what}s need as many sizes, not {sizes.shape[0]}")
    for i in range(N):
        held = rows[i]
        if not isinstance(held, list) or not 0 <= sizes[i] <= len(<list>held):
            raise SymbolError(f"row {i} of {what}s is no list of {sizes[i]} or more")
        n += sizes[i]
    array = np.empty(n, np.int64)
    cdef int64_t[::1] view = array
    n = 0
    for i in range(N):
        row = <list>PyList_GET_ITEM(rows, i)
        if sizes[i] > 0:
            fill(row, sizes[i], &view[n], f"row {i}: {what}")
        n += sizes[i]
    return array


def listed(const int32_t[::1] array not None):
    """An int32 array as a list."""
    cdef Py_ssize_t i, n = array.shape[0]
    cdef list out = PyList_New(n)
    cdef object value
    for i in range(n):
        value = PyLong_FromLong(array[i])
        Py_INCREF(value)
        PyList_SET_ITEM(out, i, value)
    return out
