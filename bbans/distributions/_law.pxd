from bbans.distributions._cdf cimport Rows


cdef extern from "bbans.h":
    ctypedef struct bbans_distribution:
        const void *code    # a function; NULL before the law is made
        size_t words
        unsigned limit


cdef class Law:
    cdef bbans_distribution c
    cdef object cdata, form
    cdef public tuple shape, _row, _parameters, _arrays
    cdef public object dtype
