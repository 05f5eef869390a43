"""Records to and from messages, one by one or many: little overhead, no copies.

The C functions are those that cffi compiled, called by address, as in
bbans/message/_message.pyx.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t, uintptr_t
from libc.string cimport memset

from bbans._arguments import as_bytes, as_integer
from bbans._lib import check, ffi, lib
from bbans.errors import CorruptError, LimitError, SymbolError


cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    long long PyLong_AsLongLongAndOverflow(object, int *)

cdef extern from "bbans.h":
    ctypedef union bbans_frozen:
        pass
    ctypedef struct bbans_model:
        int type, kind, ends
        size_t width, symbols
        const uint8_t *values
        const bbans_frozen *frozen
    enum:
        BBANS_OK
        BBANS_ERR_CAPACITY
        BBANS_ERR_CORRUPT
        BBANS_KIND_TEXT

ctypedef size_t (*count_bytes)(const bbans_model *) noexcept nogil
ctypedef size_t (*bound_bytes)(size_t) noexcept nogil
ctypedef int (*code_record)(const bbans_model *, const uint8_t *, size_t, uint8_t *, size_t,
                            size_t *, void *, size_t) noexcept nogil


cdef uintptr_t address(str name) except 0:
    return int(ffi.cast("uintptr_t", ffi.addressof(lib, "bbans_record_" + name)))


cdef count_bytes c_work_bytes = <count_bytes>address("work_bytes")
cdef bound_bytes c_bound = <bound_bytes>address("bound")
cdef code_record c_encode = <code_record>address("encode")
cdef code_record c_decode = <code_record>address("decode")

# Bytes of a record from which on a call gives up the GIL.
cdef size_t LONG_CALL = 1024

# Room for a record at first, or so many bytes for each of its message, beyond which a
# call gives up the GIL; and what a workspace that is kept may grow to.
cdef size_t FIRST_ROOM = 4096, EXPECTED = 8, MOST_KEPT = 1 << 20

# What one thread codes at a time.
cdef size_t PART_BYTES = 1 << 16, PART_ITEMS = 1 << 11

NOT_RECORD = (
    "it is what no encoder writes under this model: damaged, or coded with another model"
)


cdef class Room:
    """A workspace, and bytes to code to."""

    cdef void *work
    cdef uint8_t *bytes
    cdef size_t work_bytes, size

    def __dealloc__(self):
        PyMem_RawFree(self.work)
        PyMem_RawFree(self.bytes)

    cdef int grow(self, size_t size) except -1:
        """Make room for `size` bytes, whose content is lost."""
        if size <= self.size:
            return 0
        PyMem_RawFree(self.bytes)
        self.size = 0
        self.bytes = <uint8_t *>PyMem_RawMalloc(size)
        if self.bytes == NULL:
            raise MemoryError
        self.size = size
        return 0

    cdef int extend(self, size_t used, size_t size) except -1:
        """Make room for `size` bytes; the first `used` stay."""
        cdef uint8_t *grown
        if size <= self.size:
            return 0
        if size < 2 * self.size:
            size = 2 * self.size
        grown = <uint8_t *>PyMem_RawRealloc(self.bytes, size)
        if grown == NULL:
            raise MemoryError
        self.bytes, self.size = grown, size
        return 0


cdef class RecordCalls:
    """What codes records under one model.

    Parameters
    ----------
    model : EngineModel
        Of bytes or of text, with an alphabet. What it holds is only read.
    kind, symbols : int
        The number of its kind, and of its symbols.
    values : bytes or None
        What the symbols stand for, as model files have it.
    ends : bool
        Whether the last symbol is the end of a record.

    Notes
    -----
    May be shared between threads: each call takes a workspace from a list, or makes one.
    """

    cdef bbans_model c
    cdef object model, values
    cdef list rooms
    cdef readonly bint text

    def __init__(self, model, int kind, size_t symbols, bytes values, bint ends):
        memset(&self.c, 0, sizeof(self.c))
        self.model, self.values = model, values
        self.c.kind, self.c.symbols, self.c.width = kind, symbols, 1
        self.c.ends = ends
        if values is not None:
            self.c.values = <const uint8_t *>PyBytes_AS_STRING(values)
        self.c.frozen = <const bbans_frozen *><uintptr_t>int(
            ffi.cast("uintptr_t", model.c))
        self.text = kind == BBANS_KIND_TEXT
        self.rooms = []
        if c_work_bytes(&self.c) == 0:
            raise SymbolError("it is no model of bytes or text")

    cdef Room take_room(self):
        cdef Room room
        try:
            return self.rooms.pop()
        except IndexError:
            pass
        room = Room.__new__(Room)
        room.work_bytes = c_work_bytes(&self.c)
        room.work = PyMem_RawMalloc(room.work_bytes)
        if room.work == NULL:
            raise MemoryError
        return room

    cdef int leave_room(self, Room room) except -1:
        if room.size <= MOST_KEPT:
            self.rooms.append(room)
        return 0

    cdef bytes bytes_of(self, object record):
        """A record in bytes, text as UTF-8."""
        if type(record) is bytes:
            if not self.text:
                return record
        elif isinstance(record, str):
            return (<str>record).encode("utf-8", "surrogatepass")
        elif not self.text:
            try:
                return as_bytes(record, "record")
            except TypeError as error:
                raise SymbolError(str(error)) from None
        raise SymbolError(
            f"a model of text codes str, not {type(record).__name__}: decode it first, or "
            "take a model of bytes")

    cdef object record_of(self, const uint8_t *record, size_t n):
        """What a record of these bytes is to the caller."""
        if not self.text:
            return PyBytes_FromStringAndSize(<const char *>record, n)
        try:
            return PyUnicode_DecodeUTF8(<const char *>record, n, "surrogatepass")
        except UnicodeDecodeError:
            raise CorruptError(f"message decodes to no text: {NOT_RECORD}",
                               BBANS_ERR_CORRUPT) from None

    def encode(self, record):
        """Return the message of a record."""
        cdef const uint8_t *data
        cdef Py_ssize_t n = 0
        cdef size_t n_bytes = 0
        cdef int status
        cdef bytes held
        cdef Room room
        if type(record) is str and PyUnicode_IS_ASCII(record):
            data = <const uint8_t *>PyUnicode_AsUTF8AndSize(record, &n)
        else:
            held = self.bytes_of(record)
            data, n = <const uint8_t *>PyBytes_AS_STRING(held), PyBytes_GET_SIZE(held)
        room = self.take_room()
        room.grow(c_bound(n))
        if <size_t>n < LONG_CALL:
            status = c_encode(&self.c, data, n, room.bytes, room.size, &n_bytes, room.work,
                              room.work_bytes)
        else:
            with nogil:
                status = c_encode(&self.c, data, n, room.bytes, room.size, &n_bytes,
                                  room.work, room.work_bytes)
        if status != BBANS_OK:
            check(status)
        message = PyBytes_FromStringAndSize(<const char *>room.bytes, n_bytes)
        self.leave_room(room)
        return message

    def decode(self, message, limit):
        """Return the record of a message; `limit` is None or the most bytes."""
        cdef bytes held = message if type(message) is bytes else as_bytes(message,
                                                                           "message")
        cdef const uint8_t *data = <const uint8_t *>PyBytes_AS_STRING(held)
        cdef size_t n_bytes = PyBytes_GET_SIZE(held), n = 0
        cdef size_t most = limit_of(limit)
        cdef Room room = self.take_room()
        cdef int status
        cdef size_t cap
        cap = min(max(FIRST_ROOM, EXPECTED * n_bytes), most)
        while True:
            room.grow(cap)
            if cap <= FIRST_ROOM:
                status = c_decode(&self.c, data, n_bytes, room.bytes, cap, &n, room.work,
                                  room.work_bytes)
            else:
                with nogil:
                    status = c_decode(&self.c, data, n_bytes, room.bytes, cap, &n,
                                      room.work, room.work_bytes)
            if status != BBANS_ERR_CAPACITY:
                break
            if n > most:
                self.leave_room(room)
                raise too_long(limit)
            cap = min(max(n, 2 * cap), most)
        if status != BBANS_OK:
            self.leave_room(room)
            raise refusal(status)
        record = self.record_of(room.bytes, n)
        self.leave_room(room)
        return record

    def parts(self, list items):
        """Cut a list of records or messages in runs, each a unit of work of a thread:
        pairs of the first and the end."""
        cdef list parts = []
        cdef size_t first = 0, end = 0, n = len(items), size = 0
        cdef object item
        for end in range(n):
            item = items[end]
            if type(item) is bytes:
                size += PyBytes_GET_SIZE(item)
            elif type(item) is str:
                size += PyUnicode_GET_LENGTH(item)
            if size >= PART_BYTES or end - first == PART_ITEMS:
                parts.append((first, end + 1))
                first, size = end + 1, 0
        if first < n:
            parts.append((first, n))
        return parts

    def encode_part(self, list records, size_t first, size_t end):
        """Return the messages of records first .. end - 1, in a list.

        A `SymbolError` has the number of the record as its `number`."""
        cdef size_t n = end - first, i, total = 0, used = 0, size = 0
        cdef list held = [None] * n, messages = [None] * n
        cdef Py_ssize_t length = 0
        cdef int status = BBANS_OK
        cdef Room room = self.take_room()
        cdef Plan plan = Plan.__new__(Plan)
        cdef object record
        plan.make(n)
        for i in range(n):
            record = records[first + i]
            if type(record) is str and PyUnicode_IS_ASCII(record):
                held[i] = record
                plan.data[i] = <const uint8_t *>PyUnicode_AsUTF8AndSize(record, &length)
            else:
                try:
                    record = held[i] = self.bytes_of(record)
                except SymbolError as error:
                    self.leave_room(room)
                    raise SymbolError(f"record {first + i}: {error}") from None
                plan.data[i] = <const uint8_t *>PyBytes_AS_STRING(record)
                length = PyBytes_GET_SIZE(record)
            plan.size[i] = length
            total += c_bound(length)
        room.grow(total)
        with nogil:
            for i in range(n):
                status = c_encode(&self.c, plan.data[i], plan.size[i], room.bytes + used,
                                  room.size - used, &size, room.work, room.work_bytes)
                if status != BBANS_OK:
                    break
                plan.size[i] = size
                used += size
        if status != BBANS_OK:
            check(status)
        used = 0
        for i in range(n):
            messages[i] = PyBytes_FromStringAndSize(<const char *>room.bytes + used,
                                                    plan.size[i])
            used += plan.size[i]
        self.leave_room(room)
        return messages

    def decode_part(self, list messages, size_t first, size_t end, limit):
        """Return the records of messages first .. end - 1, in a list."""
        cdef size_t n = end - first, i, used = 0, size = 0, most = limit_of(limit), cap
        cdef size_t done = 0
        cdef list held = [None] * n, records = [None] * n
        cdef bytes message
        cdef int status = BBANS_OK
        cdef Room room = self.take_room()
        cdef Plan plan = Plan.__new__(Plan)
        plan.make(n)
        for i in range(n):
            given = messages[first + i]
            message = held[i] = given if type(given) is bytes else as_bytes(given, "message")
            plan.data[i] = <const uint8_t *>PyBytes_AS_STRING(message)
            plan.size[i] = PyBytes_GET_SIZE(message)
        room.grow(FIRST_ROOM)
        while done < n:
            with nogil:
                for i in range(done, n):
                    cap = min(room.size - used, most)
                    status = c_decode(&self.c, plan.data[i], plan.size[i],
                                      room.bytes + used, cap, &size, room.work,
                                      room.work_bytes)
                    if status != BBANS_OK:
                        break
                    plan.size[i] = size
                    used += size
                else:
                    i = n
            done = i
            if status == BBANS_ERR_CAPACITY and size <= most:
                room.extend(used, used + size)
            elif status != BBANS_OK:
                self.leave_room(room)
                error = too_long(limit) if status == BBANS_ERR_CAPACITY else refusal(status)
                raise type(error)(f"record {first + done}: {error}", error.status)
        used = 0
        for i in range(n):
            try:
                records[i] = self.record_of(room.bytes + used, plan.size[i])
            except CorruptError as error:
                self.leave_room(room)
                raise CorruptError(f"record {first + i}: {error}", error.status) from None
            used += plan.size[i]
        self.leave_room(room)
        return records


cdef class Plan:
    """Where the bytes of some records are, and how many."""

    cdef const uint8_t **data
    cdef size_t *size

    cdef int make(self, size_t n) except -1:
        self.data = <const uint8_t **>PyMem_RawMalloc(n * sizeof(uint8_t *) + 1)
        self.size = <size_t *>PyMem_RawMalloc(n * sizeof(size_t) + 1)
        if self.data == NULL or self.size == NULL:
            raise MemoryError
        return 0

    def __dealloc__(self):
        PyMem_RawFree(self.data)
        PyMem_RawFree(self.size)


cdef size_t limit_of(object limit) except? 0:
    cdef int overflow = 0
    cdef long long most
    if limit is None:
        return <size_t>-1
    if type(limit) is not int or limit < 0:
        limit = as_integer(limit, "max_bytes", 0)
    most = PyLong_AsLongLongAndOverflow(limit, &overflow)
    return <size_t>-1 if overflow else most


cdef object too_long(object limit):
    return LimitError(
        f"a record is longer than max_bytes={limit}: pass a larger one if you trust the "
        "message, which may be short and stand for much", BBANS_ERR_CAPACITY)


cdef object refusal(int status):
    if status == BBANS_ERR_CORRUPT:
        return CorruptError(f"message is corrupt: {NOT_RECORD}", status)
    try:
        check(status)
    except Exception as error:
        return error
