"""Arrays of symbols to and from a message: any buffer, no copies, little overhead.

The C functions are those that cffi compiled, called by address: `bind`. A call from
cffi costs a microsecond for its conversions; bits back makes several a symbol.
"""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release,
    PyObject_CheckBuffer, PyObject_GetBuffer,
)
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t

from operator import index

import numpy as np

from bbans._arguments import as_array, empty_message, no_value, not_integers
from bbans._lib import as_uint32, blame, check, ffi, lib
from bbans.errors import MessageError, SymbolError
from bbans.distributions.family import (as_shape, blame_weights, joint_shape, located_parameters,
                          spread, to_real, without_mass)


cdef extern from "bbans.h":
    ctypedef struct bbans_message:
        uint64_t *head
        uint32_t *tail
        size_t lanes, tail_len, tail_cap
    ctypedef struct bbans_table:
        size_t rows, symbols
    ctypedef struct bbans_shape:
        unsigned octaves
    ctypedef struct bbans_distribution:
        size_t words
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
        BBANS_U32
        BBANS_U64
        BBANS_I32
        BBANS_I64
        BBANS_F32
        BBANS_F64
        BBANS_ERR_INTERVAL
        BBANS_ERR_SYMBOL
        BBANS_ERR_TOTAL

ctypedef int (*init_message)(bbans_message *, uint64_t *, size_t, uint32_t *,
                             size_t) noexcept nogil
ctypedef int (*init_symbols)(bbans_distribution *, const bbans_table *, const void *,
                             int) noexcept nogil
ctypedef int (*init_uniform)(bbans_distribution *, uint32_t) noexcept nogil
ctypedef int (*init_bernoulli)(bbans_distribution *, unsigned,
                               const uint32_t *) noexcept nogil
ctypedef int (*init_weighted)(bbans_distribution *, const void *, int,
                              size_t) noexcept nogil
ctypedef int (*init_located)(bbans_distribution *, const bbans_shape *, const void *, int,
                             const void *, int) noexcept nogil
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
cdef init_symbols c_symbols = <init_symbols>address("distribution_init_symbols")
cdef init_uniform c_uniform = <init_uniform>address("distribution_init_uniform")
cdef init_bernoulli c_bernoulli = <init_bernoulli>address("distribution_init_bernoulli")
cdef init_weighted c_weighted = <init_weighted>address("distribution_init_weighted")
cdef init_located c_located = <init_located>address("distribution_init_located")
cdef push_to_message c_push = <push_to_message>address("message_push_array")
cdef pop_from_message c_pop = <pop_from_message>address("message_pop_array")
cdef pop_from_decoder c_decode = <pop_from_decoder>address("range_decode_array")
cdef list_values c_list = <list_values>address("distribution_list")
cdef init_encoder c_init_encoder = <init_encoder>address("range_encoder_init")
cdef encode_one c_encode = <encode_one>address("range_encode")

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


cdef Array integers(object values, str what):
    cdef Array array = opened(values, 0)
    if array is None or array.type >= BBANS_F32:
        array = aligned(as_uint32(values, what))
    return array


cdef Array weights_of(object values, bint probabilities):
    """Rows of weights: integers become uint32, probabilities float32 or float64."""
    cdef Array array = opened(values, 0)
    if probabilities:
        if array is None or array.type < BBANS_F32:
            array = aligned(to_real(values))
    elif array is None or array.type != BBANS_U32:
        array = aligned(as_uint32(values, "weight"))
    if array.view.ndim < 1:
        raise SymbolError("weights must have an axis of symbols")
    return array


cdef Array output(object out, shape):
    """Where to pop to: `out`, or a new array of the shape."""
    cdef Array array
    if out is None:
        return opened(np.empty(shape, np.uint32), PyBUF_WRITABLE)
    array = opened(out, PyBUF_WRITABLE)
    if array is None or array.type >= BBANS_F32:
        raise SymbolError("out must be a writable, contiguous array of integers")
    if shape is not None and array.shape() != np.empty(shape, np.bool_).shape:
        raise SymbolError(f"out has shape {array.shape()}, not {shape}")
    return array


cdef int apart(Array out, Array given, str what) except -1:
    """C reads what it is given while it writes."""
    cdef uintptr_t a = <uintptr_t>out.view.buf, b = <uintptr_t>given.view.buf
    if a < b + <size_t>given.view.len and b < a + <size_t>out.view.len:
        raise SymbolError(f"out overlaps the {what}")
    return 0


cdef bint as_word(object value, uint32_t *word) except -1:
    """Whether `value` is an int of 32 bits, the case to be quick about."""
    if type(value) is not int or not 0 <= value <= 0xFFFFFFFF:
        return False
    word[0] = value
    return True


cdef int ok(int status) except -1:
    """`check`, without a call of Python where all is well."""
    if status != BBANS_OK:
        check(status)
    return 0


cdef bint pops(const bbans_distribution *d, size_t n) except -1:
    """Whether n values can be popped, from a message of one lane that has nothing:
    without a leak they can, if their parameters are valid."""
    cdef bbans_message one
    cdef uint64_t head
    cdef uint32_t tail[1]
    cdef Array values = opened(np.empty(n, np.int64), PyBUF_WRITABLE)
    c_init(&one, &head, 1, tail, 1)
    return c_pop(&one, d, values.view.buf, BBANS_I64, n) == BBANS_OK


cdef int raise_refused(const bbans_distribution *d, Array values, str cause, int status,
                       bint leakless=False) except -1:
    """Raise what a push was refused for; name the first value at fault."""
    cdef size_t n, at = 0
    c_list(d, values.view.buf, values.type, values.size, NULL, 0, &n, &at)
    value = np.asarray(values.view.obj).flat[at]
    if leakless and pops(d, at + 1):
        raise SymbolError(without_mass(value, at), status)
    raise SymbolError(f"value {value} at position {at} cannot be coded: {cause}", status)


cdef class ArrayCoder:
    """What pushes and pops arrays under distributions, to and from any coder.

    Subclasses define `push` and `pop`: a message, and the two ends of the range coder.
    """

    cdef int push(self, const bbans_distribution *d, const void *values, int type,
                  size_t n) except? 1:
        """Push n values; the status of the C library, never 1."""
        raise MessageError(FIRST_IN_FIRST_OUT)

    cdef int pop(self, const bbans_distribution *d, void *values, int type,
                 size_t n) except? 1:
        raise MessageError(FIRST_IN_FIRST_OUT)

    cdef int push_all(self, const bbans_distribution *d, Array values, str cause,
                      bint leakless=False) except -1:
        """Push an array, or say what was refused, and where."""
        cdef int status = self.push(d, values.view.buf, values.type, values.size)
        if status == BBANS_ERR_SYMBOL:
            raise_refused(d, values, cause, status, leakless)
        ok(status)
        return 0

    def _push(self, distribution, values, cause, leakless=False):
        """Push a numpy array under a distribution of cffi."""
        self.push_all(distribution_of(distribution), opened(values, 0), cause, leakless)

    def _pop(self, distribution, values):
        """Pop to a numpy array; the status of the C library."""
        cdef Array array = opened(values, PyBUF_WRITABLE)
        return self.pop(distribution_of(distribution), array.view.buf, array.type,
                        array.size)

    def _refuse_empty(self):
        """Say of a pop that failed that there was nothing to pop."""

    # ---- under a table

    def push_symbols(self, table, symbols, rows=None):
        """Push symbols under the rows of a table.

        Parameters
        ----------
        table : Table
        symbols : array_like of int
            Any shape, taken in C order. Contiguous buffers of uint8 to uint64 and
            int8 to int64 are read where they are.
        rows : array_like of int, optional
            Row of the table for each symbol, same shape; row 0 if left out.

        Raises
        ------
        SymbolError
            If a symbol or row is outside the table; the message is unchanged.
        """
        cdef uint32_t word, line = 0
        cdef bbans_distribution d
        cdef Array values, lines
        cdef int status
        if (rows is None or as_word(rows, &line)) and as_word(symbols, &word):
            c_symbols(&d, table_of(table), NULL if line == 0 else &line, BBANS_U32)
            if self.push(&d, &word, BBANS_U32, 1) == BBANS_OK:
                return
        values = integers(symbols, "symbol")
        lines = rows_of(rows, values)
        ok(under_table(&d, table, lines))
        status = self.push(&d, values.view.buf, values.type, values.size)
        if status == BBANS_ERR_SYMBOL:
            blame(rows, "row", table.n_rows)
            blame(symbols, "symbol", table.n_symbols)
        ok(status)

    def pop_symbols(self, table, shape=None, rows=None, *, out=None):
        """Pop an array of symbols; inverse of `push_symbols`.

        Parameters
        ----------
        table : Table
        shape : int or tuple of int, optional
            Without it and without `out`, one symbol is popped, an int.
        rows : array_like of int, optional
            Row of the table for each symbol, of that shape.
        out : writable buffer of integers, optional
            Where to put the symbols; of any type that holds them.

        Returns
        -------
        int or ndarray of uint32
            Or `out`.

        Raises
        ------
        MessageError
            If the message holds too few bits; it is unchanged.
        """
        cdef uint32_t word, line = 0
        cdef bbans_distribution d
        cdef Array values, lines
        cdef int status
        if (shape is None and out is None) and (rows is None or as_word(rows, &line)):
            c_symbols(&d, table_of(table), NULL if line == 0 else &line, BBANS_U32)
            if self.pop(&d, &word, BBANS_U32, 1) == BBANS_OK:
                return word
        values = output(out, () if shape is None and out is None else shape)
        lines = rows_of(rows, values)
        if lines is not None:
            apart(values, lines, "rows")
        ok(under_table(&d, table, lines))
        status = self.pop(&d, values.view.buf, values.type, values.size)
        if status == BBANS_ERR_SYMBOL:
            blame(rows, "row", table.n_rows)
        ok(status)
        return values.view.obj

    # ---- uniform

    def push_uniform(self, total, values):
        """Push values that are equally likely, each ``log2(total)`` bits.

        Raises
        ------
        SymbolError
            If a value is not below `total`; the message is unchanged.
        """
        cdef uint32_t word
        cdef bbans_distribution d
        cdef Array array
        cdef int status
        ok(c_uniform(&d, total_of(total)))
        if as_word(values, &word) and self.push(&d, &word, BBANS_U32, 1) == BBANS_OK:
            return
        array = integers(values, "value")
        status = self.push(&d, array.view.buf, array.type, array.size)
        if status == BBANS_ERR_SYMBOL:
            blame(values, "symbol", total)
        ok(status)

    def pop_uniform(self, total, shape=None, *, out=None):
        """Pop an array of values; inverse of `push_uniform`. See `pop_symbols`."""
        cdef uint32_t word
        cdef bbans_distribution d
        cdef Array array
        ok(c_uniform(&d, total_of(total)))
        if shape is None and out is None:
            ok(self.pop(&d, &word, BBANS_U32, 1))
            return word
        array = output(out, shape)
        ok(self.pop(&d, array.view.buf, array.type, array.size))
        return array.view.obj

    # ---- bits

    def push_bernoulli(self, ones, prec, bits):
        """Push bits, each with a probability of its own.

        Parameters
        ----------
        ones : array_like of int
            Mass of bit 1 in slots of width ``2**-prec``, 1 to ``2**prec - 1``.
        prec : int
            Precision r, 1 to 28 bits.
        bits : array_like of int
            0 or 1, of the same shape.

        Raises
        ------
        SymbolError
            If a bit is neither, or a mass is out of range; the message is unchanged.
        """
        cdef Array array = integers(bits, "bit"), masses
        cdef bbans_distribution d
        cdef int status
        masses = masses_of(ones, array)
        ok(c_bernoulli(&d, prec_of(prec), <const uint32_t *>masses.view.buf))
        status = self.push(&d, array.view.buf, array.type, array.size)
        if status == BBANS_ERR_SYMBOL:
            blame(bits, "bit", 2)
            raise SymbolError(f"a mass of bit 1 is outside 1 to 2**{prec} - 1", status)
        ok(status)

    def pop_bernoulli(self, ones, prec, *, out=None):
        """Pop one bit for each mass; inverse of `push_bernoulli`."""
        cdef Array masses = aligned(as_uint32(ones, "mass"))
        cdef Array array = output(out, masses.shape())
        cdef bbans_distribution d
        cdef int status
        apart(array, masses, "masses")
        ok(c_bernoulli(&d, prec_of(prec), <const uint32_t *>masses.view.buf))
        status = self.pop(&d, array.view.buf, array.type, array.size)
        if status == BBANS_ERR_SYMBOL:
            raise SymbolError(f"a mass of bit 1 is outside 1 to 2**{prec} - 1", status)
        ok(status)
        return array.view.obj

    # ---- a row for each symbol

    def push_weighted(self, weights, symbols):
        """Push symbols, each under weights of its own.

        Parameters
        ----------
        weights : array_like of int, shape (..., K)
            Non-negative; each row sums to 1 .. 2**28, and is not normalised.
        symbols : array_like of int, shape (...)

        Raises
        ------
        ModelError
            If a row's sum is out of range.
        SymbolError
            If a symbol is K or more, or its weight is 0. The message is unchanged.
        """
        self._push_rows(weights_of(weights, False), symbols)

    def pop_weighted(self, weights, *, out=None):
        """Pop one symbol for each row of weights, an int for a single row; inverse of
        `push_weighted`."""
        return self._pop_rows(weights_of(weights, False), out)

    def push_probabilities(self, probabilities, symbols):
        """Push symbols, each under probabilities of its own.

        Parameters
        ----------
        probabilities : array_like of float, shape (..., K)
            float32 and float64 are read where they are. Each row sums to about 1,
            between 1/2 and 2 - K 2**-27; it is not normalised.
        symbols : array_like of int, shape (...)

        Raises
        ------
        ModelError
            If a row is no such distribution.
        SymbolError
            If a symbol is K or more. The message is unchanged.

        Notes
        -----
        Symbol k has the integer weight ``1 + floor(p[k] * 2**27)``: exact, and the same
        everywhere for the same floats. Whether two machines compute the same floats
        is another matter; where they do not, freeze a `Table`.
        """
        self._push_rows(weights_of(probabilities, True), symbols)

    def pop_probabilities(self, probabilities, *, out=None):
        """Pop one symbol for each row, an int for a single row; inverse of
        `push_probabilities`."""
        return self._pop_rows(weights_of(probabilities, True), out)

    cdef _push_rows(self, Array rows, object symbols):
        cdef size_t K = rows.view.shape[rows.view.ndim - 1]
        cdef bbans_distribution d
        cdef Array values
        cdef uint32_t word
        cdef int status
        ok(c_weighted(&d, rows.view.buf, rows.type, K))
        if rows.view.ndim == 1 and as_word(symbols, &word):
            if self.push(&d, &word, BBANS_U32, 1) == BBANS_OK:
                return
        values = integers(symbols, "symbol")
        if rows.shape()[:-1] != values.shape():
            raise SymbolError(f"{values.shape()} symbols need weights of as many rows")
        status = self.push(&d, values.view.buf, values.type, values.size)
        if status == BBANS_ERR_SYMBOL:
            blame(symbols, "symbol", K)
        if status == BBANS_ERR_INTERVAL:
            raise_refused(&d, values, "its weight is 0", status)
        self.check_rows(status, rows)

    cdef int check_rows(self, int status, Array rows) except -1:
        if status == BBANS_ERR_TOTAL:
            blame_weights(np.asarray(rows.view.obj))
        return ok(status)

    cdef _pop_rows(self, Array rows, object out):
        cdef size_t K = rows.view.shape[rows.view.ndim - 1]
        cdef bbans_distribution d
        cdef Array values
        cdef uint32_t word
        ok(c_weighted(&d, rows.view.buf, rows.type, K))
        if rows.view.ndim == 1 and out is None:
            self.check_rows(self.pop(&d, &word, BBANS_U32, 1), rows)
            return word
        values = output(out, rows.shape()[:-1])
        apart(values, rows, "weights")
        self.check_rows(self.pop(&d, values.view.buf, values.type, values.size), rows)
        return values.view.obj

    # ---- a location and a scale for each value

    def push_located(self, shape, location, scale, values):
        """Push integers, each with a location and a scale of its own.

        Parameters
        ----------
        shape : Shape
        location : array_like
            Less than ``2**46`` either side of 0, or what `fixed_locations` returns.
        scale : array_like
            From ``2**-12`` to just below ``2**47``, or what `fixed_scales` returns.
        values : array_like of int
            Of any type but uint64. Locations and scales are broadcast to it.

        Raises
        ------
        SymbolError
            If a location or scale is out of range, or of integers that are not fixed
            point, or if a value has no mass, for want of a leak; the message is
            unchanged.
        """
        cdef const bbans_shape *c_shape = shape_of(shape)
        cdef Array array = signed_integers(values), at, by
        cdef tuple form = array.shape()
        cdef bbans_distribution d
        at, by = locations_and_scales(location, scale, form)
        ok(c_located(&d, c_shape, at.view.buf, at.type, by.view.buf, by.type))
        self.push_all(&d, array, PARAMETERS, not shape.leak)

    def pop_located(self, shape, location, scale, *, dtype=np.int64, out=None):
        """Pop integers; inverse of `push_located`.

        Parameters
        ----------
        dtype : data-type
            Of the integers, unless `out` is given.

        Raises
        ------
        SymbolError
            If a location or scale is out of range, or the data type does not hold a
            value: no such value was pushed.
        MessageError
            If the message holds too few bits. The message is unchanged.
        """
        cdef const bbans_shape *c_shape = shape_of(shape)
        cdef tuple form = joint_shape(as_array(location, "parameters"),
                                      as_array(scale, "parameters"))
        cdef Array array = output(np.empty(form, dtype) if out is None else out, form)
        cdef Array at, by
        cdef bbans_distribution d
        cdef int status
        at, by = locations_and_scales(location, scale, form)
        apart(array, at, "locations")
        apart(array, by, "scales")
        ok(c_located(&d, c_shape, at.view.buf, at.type, by.view.buf, by.type))
        status = self.pop(&d, array.view.buf, array.type, array.size)
        if status == BBANS_ERR_SYMBOL:
            self._refuse_empty()
            raise no_value(PARAMETERS, status)
        ok(status)
        return array.view.obj if form else int(array.view.obj)


cdef class MessageArrays(ArrayCoder):
    """The state of a message."""

    cdef bbans_message c
    cdef object cdata
    cdef readonly object _head, _tail
    cdef bint busy
    cdef uint64_t head

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
        check(c_init(&self.c, self.c.head, self.c.lanes, self.c.tail, self.c.tail_cap))

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
        self.reserve(n_words)

    def _refuse_empty(self):
        if self.is_empty:
            raise empty_message()

    def _begin(self, n_words):
        """Reserve, and keep other threads out until `_end`."""
        self.reserve(n_words)
        self.busy = True

    def _end(self):
        self.busy = False

    cdef int refuse_if_busy(self) except -1:
        # While C codes without the GIL, the arrays that it uses must stay.
        if self.busy:
            raise MessageError("the message is in use by another thread")
        if self._tail is None:
            raise MessageError("Message.__init__ has not been called")
        return 0

    cdef int take(self) except -1:
        self.refuse_if_busy()
        self.busy = True
        return 0

    cdef int reserve(self, size_t n_words) except -1:
        cdef size_t used = self.c.tail_len
        self.refuse_if_busy()
        if self.c.tail_cap - used < n_words:
            self.busy = True    # numpy gives up the GIL for long copies
            try:
                tail = np.empty(max(used + n_words, 2 * self.c.tail_cap, 16), np.uint32)
                tail[:used] = self._tail[:used]
            finally:
                self.busy = False
            self._own(self._head, tail)
        return 0

    cdef int push(self, const bbans_distribution *d, const void *values, int type,
                  size_t n) except? 1:
        cdef int status
        self.reserve(d.words * n)
        if n < LONG_CALL:
            return c_push(&self.c, d, values, type, n)
        self.take()
        with nogil:
            status = c_push(&self.c, d, values, type, n)
        self.busy = False
        return status

    cdef int pop(self, const bbans_distribution *d, void *values, int type,
                 size_t n) except? 1:
        cdef int status
        self.reserve(1)
        if n < LONG_CALL:
            return c_pop(&self.c, d, values, type, n)
        self.take()
        with nogil:
            status = c_pop(&self.c, d, values, type, n)
        self.busy = False
        return status


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
        if self.opened:
            raise MessageError("the encoder is in use: encode(codec, value) is not done")
        if self.c.range == 0:
            raise MessageError("the encoder is spent: finish() has been called")
        self.opened, self.n_waiting = True, 0

    def _drop(self):
        """Forget the intervals that wait."""
        self.opened = False

    def _encode(self):
        """Encode the intervals that wait."""
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
        self.reserve(1)
        self.waiting[self.n_waiting] = bbans_interval(start, freq, total)
        self.n_waiting += 1

    cdef int push(self, const bbans_distribution *d, const void *values, int type,
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

    cdef int pop(self, const bbans_distribution *d, void *values, int type,
                 size_t n) except? 1:
        if self.message is None:
            raise MessageError("RangeDecoder.__init__ has not been called")
        return c_decode(&self.c, d, values, type, n)


FIRST_IN_FIRST_OUT = (
    "the range coder is first in, first out: a codec that pops while it pushes, as bits "
    "back does, needs a Message"
)

PARAMETERS = ("a location is not a number between -2**46 and 2**46, or a scale not one "
              "from 2**-12 to 2**47")


cdef Array signed_integers(object values):
    """Integers of any type but uint64, which become int64."""
    cdef Array array = opened(values, 0)
    if array is not None and array.type < BBANS_F32 and array.type != BBANS_U64:
        return array
    given = as_array(values, "values")
    if given.size == 0:
        return aligned(np.zeros(given.shape, np.int64))
    if given.dtype.kind not in "iu":
        raise not_integers("values", given)
    if given.dtype == np.uint64 and int(given.max()) >> 63:
        raise SymbolError("a value is not below 2**63")
    return aligned(given.astype(np.int64))


cdef const bbans_distribution *distribution_of(object distribution) except NULL:
    return <const bbans_distribution *><uintptr_t>int(
        ffi.cast("uintptr_t", distribution))


cdef const bbans_table *table_of(object table) except NULL:
    return <const bbans_table *><uintptr_t>table._table_address


cdef int under_table(bbans_distribution *d, object table, Array lines) except? 1:
    if lines is None:
        return c_symbols(d, table_of(table), NULL, 0)
    return c_symbols(d, table_of(table), lines.view.buf, lines.type)


cdef const bbans_shape *shape_of(object shape) except NULL:
    return <const bbans_shape *><uintptr_t>as_shape(shape)._address


cdef Array readable(object given, tuple shape):
    """An array of parameters as it is, if C can read it."""
    cdef Array array = opened(given, 0) if isinstance(given, np.ndarray) else None
    return array if array is not None and array.shape() == shape else None


cdef tuple locations_and_scales(object location, object scale, tuple shape):
    """Both of floats, or both in fixed point."""
    cdef Array at = readable(location, shape), by = readable(scale, shape)
    if at is not None and by is not None and (
            (at.type >= BBANS_F32 and by.type >= BBANS_F32)
            or (at.type == BBANS_I64 and by.type == BBANS_I32)):
        return at, by
    locations, scales = located_parameters(location, scale)
    return aligned(spread(locations, shape)), aligned(spread(scales, shape))


cdef uint32_t total_of(object total) except? 0xFFFFFFFF:
    # 0 makes the C library name the cause.
    total = index(total)
    return total if 0 <= total <= 0xFFFFFFFE else 0


cdef unsigned prec_of(object prec) except? 0xFFFFFFFF:
    prec = index(prec)
    return prec if 0 <= prec <= 28 else 0


cdef Array rows_of(object rows, Array values):
    cdef Array lines
    if rows is None:
        return None
    lines = integers(rows, "row")
    if lines.shape() != values.shape():
        raise SymbolError(f"rows have shape {lines.shape()}, symbols {values.shape()}")
    return lines


cdef Array masses_of(object ones, Array bits):
    cdef Array masses = aligned(as_uint32(ones, "mass"))
    if masses.shape() != bits.shape():
        raise SymbolError(f"masses have shape {masses.shape()}, bits {bits.shape()}")
    return masses
