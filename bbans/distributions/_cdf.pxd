from libc.stdint cimport uint16_t, uint32_t


cdef extern from "bbans.h":
    ctypedef struct bbans_table:
        const uint32_t *cdf
        size_t rows, symbols
        unsigned prec, index_bits
        const uint16_t *index


cdef class Rows:
    cdef bbans_table c_table
    cdef object memory    # bytes: the edges, and behind them the index
    cdef object cdata

    cdef int fill(self, const double *mass, Py_ssize_t n, Py_ssize_t K, int prec) except -1
    cdef uint32_t *room(self, size_t rows, size_t symbols, unsigned prec) except NULL
    cdef int index(self) except -1
    cdef Rows row(self, size_t k)
