"""Quantised tables: the one door from float masses to integers, and where tables lie.

A model in Python may make a table of one row at each of its steps, so that is one call,
and takes a microsecond: edges and index lie in one object of bytes.
"""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport uint16_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy

import numpy as np

from bbans._lib import check, ffi, lib
from bbans.errors import ModelError

ctypedef int (*check_table)(const bbans_table *) noexcept nogil
ctypedef size_t (*words_of_index)(const bbans_table *, unsigned) noexcept nogil
ctypedef int (*make_index)(bbans_table *, unsigned, uint16_t *, size_t) noexcept nogil


cdef uintptr_t address(str name) except 0:
    return int(ffi.cast("uintptr_t", ffi.addressof(lib, "bbans_table_" + name)))


cdef check_table c_check = <check_table>address("check")
cdef words_of_index c_words = <words_of_index>address("index_words")
cdef make_index c_index = <make_index>address("index")

# Webster's apportionment of 2^r slots with one slot guaranteed:
#     f_k = max(1, floor(p_k / q + 1/2)),
# where the sum n(q) of all f_k is 2^r (docs/maths.md, "From float masses to tables").
# Sums run left to right and only IEEE operations occur.  Each of them is monotone, so
# every f_k, and n, falls as q rises: all q with n(q) = 2^r give the same f, and where
# there is none, two neighbouring floats are the only ones around the jump.  However q
# is searched for, the same masses give the same table everywhere.

cdef enum:
    STEPS = 8    # of the quick search


cdef inline double seats(double mass, double quota) noexcept nogil:
    # Below 2^31 while quota >= 2^-30, where a cast is the floor.
    cdef double f = <double><uint32_t>(mass / quota + 0.5)
    return f if f > 1.0 else 1.0


cdef double n_seats(const double *mass, Py_ssize_t K, double quota) noexcept nogil:
    # Each summand is an integer below 2^53 while quota >= 2^-30: exact.
    cdef double n = 0.0
    cdef Py_ssize_t k
    for k in range(K):
        n += seats(mass[k], quota)
    return n


cdef int fill_row(const double *mass, Py_ssize_t K, int prec, uint32_t *freq,
                  double *share) noexcept nogil:
    cdef Py_ssize_t k
    cdef double total = 0.0, slots = <double>(<uint64_t>1 << prec)
    cdef double lo, hi, n, quota, spare
    cdef int step = 0
    for k in range(K):
        if not 0.0 <= mass[k] < 1e300:    # also refuses NaN
            return -1
        total += mass[k]
    if not 1e-290 < total < 1e300:
        return -1
    for k in range(K):
        share[k] = mass[k] / total
    # n(lo) > slots >= n(hi): at lo it is above 4 slots - K, at hi each symbol has its
    # one slot, and K <= slots.  Where few symbols have one slot, n is about 1 / quota.
    lo, hi, quota = 0.25 / slots, 2.0, 1.0 / slots
    while True:
        n = n_seats(share, K, quota)
        if n > slots:
            lo = quota
        else:
            hi = quota
            if n == slots:
                break
        quota *= n / slots
        step += 1
        if step > STEPS or quota <= lo or quota >= hi:
            quota = 0.5 * (lo + hi)
            if quota <= lo or quota >= hi:
                break
    spare = slots
    for k in range(K):
        freq[k] = <uint32_t>seats(share[k], hi)
        spare -= freq[k]
    for k in range(K):    # ties at the quota, in index order
        if spare > 0.0 and seats(share[k], lo) > freq[k]:
            freq[k] += 1
            spare -= 1.0
    return 0 if spare == 0.0 else -1


cdef void sum_up(uint32_t *edge, Py_ssize_t K) noexcept nogil:
    """Masses, behind a place for 0, as edges."""
    cdef Py_ssize_t k
    edge[0] = 0
    for k in range(K):
        edge[k + 1] += edge[k]


cdef class Rows:
    """Rows of a table: the struct of C, and the memory that it points to."""

    def _quantise(self, masses, prec, bint indexed=True):
        """Quantise rows of masses, if they are a float64 array of shape (N, K) or (K,),
        contiguous and not empty, and `prec` an int; return whether they are."""
        cdef Py_buffer view
        if type(masses) is not np.ndarray or type(prec) is not int or not 1 <= prec <= 28:
            return False
        try:
            PyObject_GetBuffer(masses, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
        except (BufferError, ValueError):
            return False
        try:
            if view.ndim not in (1, 2) or view.len == 0 or view.format[0] != b"d":
                return False
            self.fill(<const double *>view.buf, view.len // view.itemsize,
                      view.shape[view.ndim - 1], prec)
        finally:
            PyBuffer_Release(&view)
        if indexed:
            self.index()
        return True

    cdef int fill(self, const double *mass, Py_ssize_t n, Py_ssize_t K, int prec) except -1:
        cdef Py_ssize_t row = 0, N = n // K
        cdef uint32_t *edge
        cdef double *share
        if K > <Py_ssize_t>1 << prec:
            raise ModelError(f"cannot put {K} symbols in 2**{prec} slots")
        edge = self.room(N, K, prec)
        share = <double *>PyMem_Malloc(K * sizeof(double))
        if share == NULL:
            raise MemoryError
        with nogil:
            while row < N and fill_row(mass, K, prec, edge + 1, share) == 0:
                sum_up(edge, K)
                row, mass, edge = row + 1, mass + K, edge + K + 1
        PyMem_Free(share)
        if row < N:
            masses = np.asarray(<const double[:K]>mass)
            raise ModelError(
                f"row {row}: masses must be finite and >= 0, their sum in (1e-290, "
                f"1e300): the least is {masses.min()}, the sum {masses.sum()}")
        return 0

    cdef uint32_t *room(self, size_t rows, size_t symbols, unsigned prec) except NULL:
        """Make room for edges, and behind them for the index; return where it is."""
        cdef bbans_table *table = &self.c_table
        cdef size_t edges = rows * (symbols + 1)
        table.rows, table.symbols, table.prec = rows, symbols, prec
        self.memory = PyBytes_FromStringAndSize(
            NULL, edges * sizeof(uint32_t) + c_words(table, 0) * sizeof(uint16_t))
        table.cdf = <uint32_t *>PyBytes_AS_STRING(self.memory)
        return <uint32_t *>table.cdf

    cdef int index(self) except -1:
        cdef bbans_table *table = &self.c_table
        cdef size_t words = c_words(table, 0)
        if words > 0:
            check(c_index(
                table, 0, <uint16_t *>(table.cdf + table.rows * (table.symbols + 1)),
                words))
        return 0

    def _copy(self, const uint32_t[:, ::1] edges not None, int prec):
        """Copy edges, shape (N, M + 1), and check them."""
        memcpy(self.room(edges.shape[0], edges.shape[1] - 1, prec), &edges[0, 0],
               edges.shape[0] * edges.shape[1] * sizeof(uint32_t))
        check(c_check(&self.c_table))
        self.index()

    cdef Rows row(self, size_t k):
        """Row k as rows of their own, in the same memory."""
        cdef Rows one = Rows.__new__(Rows)
        one.memory, one.c_table = self.memory, self.c_table
        one.c_table.rows = 1
        one.c_table.cdf += k * (self.c_table.symbols + 1)
        if self.c_table.index != NULL:
            one.c_table.index += k << self.c_table.index_bits
        return one

    def _edges(self):
        """Edges, shape (N, M + 1); read only."""
        cdef size_t width = self.c_table.symbols + 1
        edges = np.frombuffer(self.memory, np.uint32, self.c_table.rows * width)
        return edges.reshape(-1, width)

    @property
    def c(self):
        """The C struct for cffi."""
        if self.cdata is None:
            self.cdata = ffi.cast("bbans_table *", <uintptr_t>&self.c_table)
        return self.cdata
