"""A file in memory that becomes bytes without a copy."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF
from libc.string cimport memcpy


cdef extern from "Python.h":
    PyObject *new_bytes "PyBytes_FromStringAndSize"(const char *, Py_ssize_t) except NULL
    char *content "PyBytes_AS_STRING"(PyObject *)
    int resize_bytes "_PyBytes_Resize"(PyObject **, Py_ssize_t) except -1

cdef extern from *:
    """
    #ifdef __linux__
    #include <sys/mman.h>
    #endif

    /* Pages that are touched for the first time are most of what writing takes: ask
       for large ones, as numpy does for its arrays. Whole pages, as parts of a mapping
       could not grow. */
    static void use_large_pages(char *memory, Py_ssize_t n)
    {
    #if defined(__linux__) && defined(MADV_HUGEPAGE)
        const size_t page = 4096, past = (size_t)memory % page;

        (void)madvise(memory - past, past + (size_t)n, MADV_HUGEPAGE);
    #else
        (void)memory;
        (void)n;
    #endif
    }
    """
    void use_large_pages(char *memory, Py_ssize_t n)

cdef enum:
    LEAST = 1 << 12
    LARGE = 1 << 22  # bytes from which pages matter


cdef class BytesSink:
    """What is written, one part behind the other."""

    cdef PyObject *held
    cdef Py_ssize_t size, room

    def __dealloc__(self):
        Py_XDECREF(self.held)

    cdef int reserve(self, Py_ssize_t size) except -1:
        if size <= self.room:
            return 0
        room = max(size, 2 * self.room, LEAST)
        if self.held is NULL:
            self.held = new_bytes(NULL, room)
        else:
            self.room = 0  # after an error nothing is held
            resize_bytes(&self.held, room)
        self.room = room
        if room >= LARGE:
            use_large_pages(content(self.held), room)
        return 0

    def expect(self, Py_ssize_t size):
        """Make room for so many bytes, if there is: pages that are not written are
        none."""
        try:
            self.reserve(size)
        except MemoryError:
            pass

    def write(self, data):
        """Append a contiguous buffer; returns how many bytes it has."""
        cdef Py_buffer view
        cdef Py_ssize_t n

        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            n = view.len
            self.reserve(self.size + n)
            memcpy(content(self.held) + self.size, view.buf, n)
        finally:
            PyBuffer_Release(&view)
        self.size += n
        return n

    def getvalue(self):
        """Return all of it, and begin anew."""
        cdef object value

        if self.held is NULL:
            return b""
        self.room = 0
        resize_bytes(&self.held, self.size)
        value = <object>self.held  # one reference more
        Py_XDECREF(self.held)
        self.held, self.size = NULL, 0
        return value
