"""Arrays of symbols to and from a message: any buffer, no copies, little overhead.

The C functions are those that cffi compiled, called by address: `bind`. A call from
cffi costs a microsecond for its conversions; bits back makes several a symbol.
"""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release,
    PyObject_CheckBuffer, PyObject_GetBuffer,
)
from cpython.type cimport PyType_IsSubtype
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t, uintptr_t

import numpy as np

from bbans._arguments import as_array, as_instance, exported, not_integers
from bbans._lib import check, ffi, lib
from bbans.distributions._law cimport Law, bbans_distribution
from bbans.distributions.base import Distribution
from bbans.distributions.fixed_point import as_shape
from bbans.errors import MessageError, ModelError, SymbolError


cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object, int *)

cdef extern from *:
    """
    /* A flag that one thread at a time sets: whether this one has, and its end. */
    #ifndef Py_GIL_DISABLED
    #define BBANS_SET(flag) (!(flag) && ((flag) = 1))
    #define BBANS_CLEAR(flag) ((void)((flag) = 0))
    #elif defined(_MSC_VER)
    #include <intrin.h>
    #define BBANS_SET(flag) (!_InterlockedExchange8(&(flag), 1))
    #define BBANS_CLEAR(flag) ((void)_InterlockedExchange8(&(flag), 0))
    #else
    #define BBANS_SET(flag) (!__atomic_exchange_n(&(flag), 1, __ATOMIC_ACQUIRE))
    #define BBANS_CLEAR(flag) __atomic_store_n(&(flag), 0, __ATOMIC_RELEASE)
    #endif
    """
    bint BBANS_SET(char flag) noexcept nogil
    void BBANS_CLEAR(char flag) noexcept nogil

cdef extern from "bbans.h":
    ctypedef struct bbans_message:
        uint64_t *head
        uint32_t *tail
        size_t lanes, tail_len, tail_cap
    ctypedef struct bbans_interval:
        uint32_t start, freq, total
    ctypedef struct bbans_range_encoder:
        uint8_t *bytes
        size_t len, cap
        uint64_t range
    ctypedef struct bbans_range_decoder:
        pass
    enum:
        BBANS_OK
        BBANS_U8
        BBANS_U64
        BBANS_I64
        BBANS_F32
        BBANS_F64
        BBANS_ERR_INTERVAL
        BBANS_ERR_SYMBOL
        BBANS_ERR_TOTAL
        BBANS_ERR_TYPE

ctypedef int (*init_message)(bbans_message *, uint64_t *, size_t, uint32_t *,
                             size_t) noexcept nogil
ctypedef int (*push_to_message)(bbans_message *, const bbans_distribution *,
                                const void *, int, size_t) noexcept nogil
ctypedef int (*pop_from_message)(bbans_message *, const bbans_distribution *, void *, int,
                                 size_t) noexcept nogil
ctypedef int (*pop_from_decoder)(bbans_range_decoder *, const bbans_distribution *,
                                 void *, int, size_t) noexcept nogil
ctypedef int (*list_values)(const bbans_distribution *, const void *, int, size_t,
                            bbans_interval *, size_t, size_t *, size_t *) noexcept nogil
ctypedef int (*init_encoder)(bbans_range_encoder *, uint8_t *, size_t) noexcept nogil
ctypedef int (*encode_one)(bbans_range_encoder *, uint32_t, uint32_t,
                           uint32_t) noexcept nogil


cdef uintptr_t address(str name) except 0:
    return int(ffi.cast("uintptr_t", ffi.addressof(lib, "bbans_" + name)))


cdef init_message c_init = <init_message>address("message_init")
cdef push_to_message c_push = <push_to_message>address("message_push")
cdef pop_from_message c_pop = <pop_from_message>address("message_pop")
cdef pop_from_decoder c_decode = <pop_from_decoder>address("range_decode")
cdef list_values c_list = <list_values>address("distribution_list")
cdef init_encoder c_init_encoder = <init_encoder>address("range_encoder_init")
cdef encode_one c_encode = <encode_one>address("range_encode_interval")

# Where every message starts: there is no room, so nothing is written.
NO_WORDS = np.empty(0, np.uint32)

# Symbols from which on a call gives up the GIL; less would cost more than it frees.
cdef size_t LONG_CALL = 1024


cdef int type_of(const char *letter, Py_ssize_t size) noexcept:
    """The bbans_type of the buffer protocol's letter in native order, 0 if none."""
    if letter == NULL:
        return BBANS_U8
    if letter[0] == 0 or letter[1] != 0:
        return 0
    if letter[0] in b"BHILQN":
        return <int>size
    if letter[0] in b"bhilqn":
        return -<int>size
    if letter[0] == b"f":
        return BBANS_F32
    return BBANS_F64 if letter[0] == b"d" else 0


cdef class Array:
    """A contiguous buffer of numbers as C sees it."""

    cdef Py_buffer view
    cdef bint held
    cdef int type
    cdef size_t size

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)

    cdef tuple shape(self):
        cdef int i
        return tuple([self.view.shape[i] for i in range(self.view.ndim)])


cdef Array opened(object values, int flags):
    """The array of a buffer of numbers, None of anything else."""
    cdef Array array = Array.__new__(Array)
    if not PyObject_CheckBuffer(values) or (
            type(values) is not np.ndarray and isinstance(values, np.ma.MaskedArray)):
        return None
    try:
        PyObject_GetBuffer(values, &array.view,
                           PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | flags)
    except (BufferError, ValueError):    # not contiguous, or a type without a letter
        return None
    array.held = True
    array.type = type_of(array.view.format, array.view.itemsize)
    if array.type == 0 or <uintptr_t>array.view.buf % array.view.itemsize != 0:
        return None
    array.size = array.view.len // array.view.itemsize
    return array


cdef Array aligned(object values):
    """A numpy array, copied if numbers do not lie where C may read them."""
    return opened(np.require(values, requirements="CA"), 0)


cdef Array integers(object values):
    """Integers where they are, if C can read them there."""
    cdef Array array = opened(values, 0)
    if array is not None and array.type < BBANS_F32:
        return array
    given = as_array(values, "values")
    if given.size == 0:
        given = np.zeros(given.shape, np.int64)
    if given.dtype.kind not in "iu":
        raise not_integers("values", given)
    return aligned(given.astype(given.dtype.newbyteorder("="), copy=False))


cdef Array below_2_63(Array array):
    """Integers of uint64 as int64."""
    values = np.asarray(memoryview(array.view.obj))
    outside = values >> 63 != 0
    if outside.any():
        at = int(np.flatnonzero(outside)[0])
        raise SymbolError(f"value {values.flat[at]} at position {at} is not below 2**63")
    return aligned(values.astype(np.int64))


cdef Array output(object out, object shape):
    """Where to pop to."""
    cdef Array array = opened(exported(out, "out"), PyBUF_WRITABLE)
    if array is None or array.type >= BBANS_F32:
        raise SymbolError(
            "out must be a writable, contiguous, aligned array of integers")
    if shape is not None and array.shape() != as_shape(shape):
        raise SymbolError(f"out has shape {array.shape()}, not {shape}")
    return array


cdef int check_apart(Array out, tuple arrays) except -1:
    """C reads parameters while it writes."""
    cdef uintptr_t a = <uintptr_t>out.view.buf, b
    cdef Array given
    for array in arrays:
        given = opened(array, 0)
        b = <uintptr_t>given.view.buf
        if a < b + <size_t>given.view.len and b < a + <size_t>out.view.len:
            raise SymbolError("out overlaps the parameters")
    return 0


cdef bint as_int64(object value, int64_t *number) noexcept:
    """Whether `value` is an int of 64 bits, the case to be quick about."""
    cdef int overflow = 1
    if type(value) is int:
        number[0] = PyLong_AsLongLongAndOverflow(value, &overflow)
    return overflow == 0


cdef int ok(int status) except -1:
    """`check`, without a call of Python where all is well."""
    if status != BBANS_OK:
        check(status)
    return 0


cdef const bbans_distribution *single(object distribution) noexcept:
    """The struct of a distribution of one value; NULL of anything else."""
    if isinstance(distribution, Law) and not (<Law>distribution).shape:
        return &(<Law>distribution).c if (<Law>distribution).c.code != NULL else NULL
    return NULL


cdef const bbans_distribution *struct_of(Law distribution) except NULL:
    if distribution.c.code == NULL:
        raise ModelError("Distribution.__init__ has not been called")
    return &distribution.c


cdef bint is_refusal(int status) noexcept:
    return (status == BBANS_ERR_SYMBOL or status == BBANS_ERR_INTERVAL
            or status == BBANS_ERR_TOTAL)


cdef int check_distribution(object distribution) except -1:
    if not PyType_IsSubtype(type(distribution), Distribution):    # quicker than isinstance
        as_instance(distribution, Distribution, "distribution",
                    "a Distribution, such as Gaussian(0.0, 1.0); a codec takes the "
                    "message, as codec.push(message, value) and codec.pop(message)")
    return 0


cdef object broadcast(object distribution, tuple shape):
    return distribution if shape == distribution.shape else distribution.broadcast(shape)


cdef class ArrayCoder:
    """What pushes and pops under distributions, to and from any coder.

    Subclasses define `put` and `take`: a message, and the two ends of the range coder.
    Each holds the coder, so that of two threads by mistake at one, one gets an error:
    without the GIL, or where a long call gives it up, arrays that C uses must stay.
    """

    cdef char busy

    cdef int hold(self) except -1:
        if not BBANS_SET(self.busy):
            raise MessageError(f"the {self._what} is in use by another thread")
        return 0

    cdef void leave(self) noexcept:
        BBANS_CLEAR(self.busy)

    cdef int put(self, const bbans_distribution *d, const void *values, int type,
                 size_t n) except? 1:
        """Push n values; the status of the C library, never 1."""
        raise MessageError(FIRST_IN_FIRST_OUT)

    cdef int take(self, const bbans_distribution *d, void *values, int type,
                  size_t n) except? 1:
        raise MessageError(FIRST_IN_FIRST_OUT)

    def push(self, distribution, values):
        """Push integers under a distribution.

        Parameters
        ----------
        distribution : Distribution
            Its parameters are broadcast to the values.
        values : array_like of int
            Any shape, taken in C order. Contiguous buffers of uint8 to uint64 and int8
            to int64 are read where they are.

        Raises
        ------
        SymbolError
            If a value cannot be coded, or a parameter is out of range; the text names
            it and its position.
        ModelError
            If weights have no valid sum, or `distribution` is none. The message is
            unchanged.
        """
        cdef const bbans_distribution *d = single(distribution)
        cdef int64_t number
        cdef size_t n, at = 0
        cdef Array array
        cdef int status
        if d != NULL and as_int64(values, &number):
            if self.put(d, &number, BBANS_I64, 1) == BBANS_OK:
                return
        check_distribution(distribution)
        array = integers(values)
        whole = broadcast(distribution, array.shape())
        d = struct_of(whole)
        if array.type == BBANS_U64 and d.limit == 0:
            array = below_2_63(array)
        status = self.put(d, array.view.buf, array.type, array.size)
        if is_refusal(status):
            c_list(d, array.view.buf, array.type, array.size, NULL, 0, &n, &at)
            value = np.asarray(memoryview(array.view.obj)).flat[at]
            whole._refuse_push(value, at, status)
        ok(status)

    def pop(self, distribution, shape=None, *, out=None):
        """Pop integers; inverse of `push`.

        Parameters
        ----------
        distribution : Distribution
        shape : int or tuple of int, optional
            To which its parameters are broadcast; by default their own.
        out : writable buffer or DLPack array of integers, optional
            Where to put the values, of that shape; of any type that holds them.

        Returns
        -------
        int or ndarray
            An int for shape (), else an array of the distribution's dtype, or `out`.

        Raises
        ------
        SymbolError
            If a parameter is out of range, or the type does not hold a value: no such
            value was pushed.
        ModelError
            If weights have no valid sum, or `distribution` is none.
        MessageError
            If the message holds too few bits. It is unchanged.
        """
        cdef const bbans_distribution *d = NULL
        cdef int64_t number
        cdef Array array
        cdef int status
        if shape is None and out is None:
            d = single(distribution)
            if d != NULL and self.take(d, &number, BBANS_I64, 1) == BBANS_OK:
                return number
        check_distribution(distribution)
        if out is not None:
            array = output(out, shape)
            shape = array.shape()
        whole = distribution if shape is None else distribution.broadcast(shape)
        if out is None:
            array = opened(np.empty(whole.shape, whole.dtype), PyBUF_WRITABLE)
        else:
            check_apart(array, whole._arrays)
        status = self.take(struct_of(whole), array.view.buf, array.type, array.size)
        if status == BBANS_ERR_TYPE:
            raise SymbolError("out is of a type that does not hold every value", status)
        if is_refusal(status):
            whole._refuse_pop(getattr(self, "is_empty", False), status)
        ok(status)
        if out is not None:
            return out
        return array.view.obj if whole.shape else int(array.view.obj)


cdef class MessageArrays(ArrayCoder):
    """The state of a message."""

    cdef bbans_message c
    cdef object cdata
    cdef readonly object _head, _tail
    cdef uint64_t head

    _what = "message"

    def __cinit__(self):
        # An empty message of one lane, should __init__ not be called.
        self.head = 1
        self.c.head, self.c.lanes = &self.head, 1

    @property
    def _c(self):
        """The C struct for cffi; cast when asked for, as a cast takes as long as all else
        that makes a message."""
        if self.cdata is None:
            self.cdata = ffi.cast("bbans_message *", <uintptr_t>&self.c)
        return self.cdata

    def _init(self, lanes):
        """Make this the empty message."""
        self._own(np.empty(lanes, np.uint64), NO_WORDS)
        ok(c_init(&self.c, self.c.head, self.c.lanes, self.c.tail, self.c.tail_cap))

    def _own(self, head, tail):
        """Take over the arrays that the C struct is to point to: uint64, uint32."""
        cdef Py_buffer view
        self._head, self._tail = head, tail
        PyObject_GetBuffer(head, &view, PyBUF_WRITABLE)
        self.c.head, self.c.lanes = <uint64_t *>view.buf, view.len // sizeof(uint64_t)
        PyBuffer_Release(&view)
        PyObject_GetBuffer(tail, &view, PyBUF_WRITABLE)
        self.c.tail, self.c.tail_cap = <uint32_t *>view.buf, view.len // sizeof(uint32_t)
        PyBuffer_Release(&view)

    def _reserve(self, n_words):
        self._begin(n_words)
        self.leave()

    def _begin(self, n_words):
        """Reserve, and keep other threads out until `_end`."""
        self.hold()
        try:
            self.reserve(n_words)
        except BaseException:
            self.leave()
            raise

    def _end(self):
        self.leave()

    cdef int reserve(self, size_t n_words) except -1:
        cdef size_t used = self.c.tail_len
        if self._tail is None:
            raise MessageError("Message.__init__ has not been called")
        if self.c.tail_cap - used < n_words:
            tail = np.empty(max(used + n_words, 2 * self.c.tail_cap, 16), np.uint32)
            tail[:used] = self._tail[:used]
            self._own(self._head, tail)
        return 0

    cdef int put(self, const bbans_distribution *d, const void *values, int type,
                 size_t n) except? 1:
        self.hold()
        try:
            self.reserve(d.words * n)
            if n < LONG_CALL:
                return c_push(&self.c, d, values, type, n)
            with nogil:
                return c_push(&self.c, d, values, type, n)
        finally:
            self.leave()

    cdef int take(self, const bbans_distribution *d, void *values, int type,
                  size_t n) except? 1:
        self.hold()
        try:
            self.reserve(1)
            if n < LONG_CALL:
                return c_pop(&self.c, d, values, type, n)
            with nogil:
                return c_pop(&self.c, d, values, type, n)
        finally:
            self.leave()


cdef class EncoderArrays(ArrayCoder):
    """The state of a range encoder, and the intervals that wait to be encoded.

    A codec pushes what is popped first last: its intervals wait on a stack until all
    are there.
    """

    cdef bbans_range_encoder c
    cdef object cdata, memory
    cdef bbans_interval *waiting    # of numpy's array `intervals`
    cdef size_t n_waiting, n_room
    cdef object intervals
    cdef bint opened

    _what = "encoder"

    def __cinit__(self):
        self.memory = np.empty(256, np.uint8)
        c_init_encoder(&self.c, <uint8_t *><uintptr_t>self.memory.ctypes.data, 256)

    @property
    def _c(self):
        """The C struct for cffi."""
        if self.cdata is None:
            self.cdata = ffi.cast("bbans_range_encoder *", <uintptr_t>&self.c)
        return self.cdata

    def _open(self):
        """Let intervals wait."""
        self.hold()
        try:
            if self.opened:
                raise MessageError("the encoder is in use: encode(codec, value) is not done")
            if self.c.range == 0:
                raise MessageError("the encoder is spent: finish() has been called")
            self.opened, self.n_waiting = True, 0
        finally:
            self.leave()

    def _drop(self):
        """Forget the intervals that wait."""
        self.opened = False

    def _encode(self):
        """Encode the intervals that wait."""
        self.hold()
        try:
            self.encode_all()
        finally:
            self.leave()

    cdef int encode_all(self) except -1:
        cdef size_t used = self.c.len, n = 4 * self.n_waiting
        cdef bbans_interval *interval
        cdef int status = BBANS_OK
        if self.c.cap - used < n:
            grown = np.empty(max(used + n, 2 * self.c.cap), np.uint8)
            grown[:used] = self.memory[:used]
            self.memory, self.c.cap = grown, grown.size
            self.c.bytes = <uint8_t *><uintptr_t>grown.ctypes.data
        while status == BBANS_OK and self.n_waiting > 0:
            self.n_waiting -= 1
            interval = self.waiting + self.n_waiting
            status = c_encode(&self.c, interval.start, interval.freq, interval.total)
        ok(status)    # cannot fail: the intervals are valid, and there is room
        return 0

    cdef int reserve(self, size_t n) except -1:
        cdef size_t used = self.n_waiting
        if not self.opened:
            raise MessageError("a codec is encoded by encode(codec, value)")
        if self.n_room - used < n:
            grown = np.empty((max(used + n, 2 * self.n_room, 16), 3), np.uint32)
            if used > 0:
                grown[:used] = self.intervals[:used]
            self.intervals, self.n_room = grown, grown.shape[0]
            self.waiting = <bbans_interval *><uintptr_t>grown.ctypes.data
        return 0

    def _push_interval(self, start, freq, total):
        cdef bbans_interval interval = bbans_interval(start, freq, total)
        self.hold()
        try:
            self.reserve(1)
            self.waiting[self.n_waiting] = interval
            self.n_waiting += 1
        finally:
            self.leave()

    cdef int put(self, const bbans_distribution *d, const void *values, int type,
                 size_t n) except? 1:
        self.hold()
        try:
            return self.list_all(d, values, type, n)
        finally:
            self.leave()

    cdef int list_all(self, const bbans_distribution *d, const void *values, int type,
                      size_t n) except? 1:
        cdef size_t listed = 0, at, i
        cdef bbans_interval *first
        cdef int status
        self.reserve(d.words * n)
        first = self.waiting + self.n_waiting
        status = c_list(d, values, type, n, first, d.words * n, &listed, &at)
        if status != BBANS_OK:
            return status
        for i in range(listed // 2):    # what is popped first goes on top
            first[i], first[listed - 1 - i] = first[listed - 1 - i], first[i]
        self.n_waiting += listed
        return BBANS_OK


cdef class DecoderArrays(ArrayCoder):
    """The state of a range decoder."""

    cdef bbans_range_decoder c
    cdef object cdata, message

    _what = "decoder"

    def _init(self, message):
        """Read this message, which must not change."""
        self.cdata = ffi.cast("bbans_range_decoder *", <uintptr_t>&self.c)
        check(lib.bbans_range_decoder_init(self.cdata, message._c))
        self.message = message

    @property
    def _c(self):
        """The C struct for cffi."""
        if self.message is None:
            raise MessageError("RangeDecoder.__init__ has not been called")
        return self.cdata

    cdef int take(self, const bbans_distribution *d, void *values, int type,
                  size_t n) except? 1:
        if self.message is None:
            raise MessageError("RangeDecoder.__init__ has not been called")
        self.hold()
        try:
            return c_decode(&self.c, d, values, type, n)
        finally:
            self.leave()


FIRST_IN_FIRST_OUT = (
    "the range coder is first in, first out: a codec that pops while it pushes, as bits "
    "back does, needs a Message"
)
