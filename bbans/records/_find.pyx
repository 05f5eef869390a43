"""Messages of a record file by their number, with little overhead.

The C functions are those that cffi compiled, called by address, as in
bbans/message/_message.pyx.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint64_t, uintptr_t

from bbans._lib import ffi, lib


cdef extern from "bbans.h":
    ctypedef struct bbans_records:
        int checksums
        const uint8_t *bytes
    enum:
        BBANS_OK

ctypedef int (*find_record)(const bbans_records *, uint64_t, size_t *, size_t *,
                            size_t *) noexcept nogil
ctypedef int (*check_record)(const bbans_records *, uint64_t) noexcept nogil


cdef uintptr_t address(str name) except 0:
    return int(ffi.cast("uintptr_t", ffi.addressof(lib, "bbans_records_" + name)))


cdef find_record c_find = <find_record>address("find")
cdef check_record c_check = <check_record>address("check_record")


cdef class Finder:
    """What finds messages.

    Parameters
    ----------
    c : cdata
        The C library's ``bbans_records *``, whose bytes stay while this does.
    checked : bytearray
        Of each group, whether it is as its checksum says. It keeps its length.
    """

    cdef const bbans_records *c
    cdef object owner
    cdef bytearray checked

    def __init__(self, c, bytearray checked not None):
        self.owner, self.checked = c, checked
        self.c = <const bbans_records *><uintptr_t>int(ffi.cast("uintptr_t", c))

    def find(self, uint64_t k):
        """Return the message of record k, if it is there and known to be right, or
        None."""
        cdef size_t group = 0, at = 0, n_bytes = 0
        if c_find(self.c, k, &group, &at, &n_bytes) != BBANS_OK:
            return None
        if self.c.checksums:
            if c_check(self.c, k) != BBANS_OK:
                return None
        elif not PyByteArray_AS_STRING(self.checked)[group]:
            return None
        return PyBytes_FromStringAndSize(<const char *>self.c.bytes + at, n_bytes)
