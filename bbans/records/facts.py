"""What a record file holds."""

from __future__ import annotations

import io
import mmap
from contextlib import suppress
from typing import Any, BinaryIO

from bbans._files import read_all
from bbans.errors import CorruptError
from bbans.frozen.model_file import model_facts
from bbans.records.groups import RecordBytes

__all__ = ["record_file_facts"]


def record_file_facts(file: BinaryIO) -> dict[str, Any]:
    """Say what a record file holds, and check every checksum of a group.

    Raises
    ------
    FormatError, VersionError, TruncatedError, CorruptError
        If it is none, or damaged.
    """
    data: bytes | mmap.mmap = b""
    with suppress(OSError, ValueError):  # no file, or one that cannot be mapped
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    held = RecordBytes(data or read_all(file), "record file")
    n_messages = 0
    for group in range(held.n_groups):
        if not held.matches(group):
            numbers = held.numbers(group)
            raise CorruptError(
                f"record file is damaged: group {group}, of records {numbers.start} to "
                f"{numbers.stop - 1}, does not match its checksum"
            )
        n_messages += held.message_bytes(group)
    if held.n_lost:
        raise CorruptError(
            f"record file is damaged: {held.n_lost} records are lost, because the "
            "headers of their groups are"
        )
    facts: dict[str, Any] = {
        "kind": f"bbans record file of {held.kind}",
        "records": held.n_records,
        "groups": held.n_groups,
        "terminator": repr(held.terminator)[1:],
        "checksums": "of groups" + " and records" * held.checksums,
        "model": held.fingerprint.hex(),
    }
    model = held.model
    if model:
        inside = model_facts(io.BytesIO(model))
        facts["model"] += f", in the file: {inside['kind']}, {len(model)} bytes"
    else:
        facts["model"] += ", not in the file"
    if held.end < held.n_bytes:
        facts["unfinished"] = f"{held.n_bytes - held.end} bytes of an append"
    facts["bytes"] = held.n_bytes
    if held.n_records:
        overhead = held.n_bytes - n_messages - len(model)
        facts["rate"] = (
            f"{n_messages / held.n_records:.2f} bytes/record, and "
            f"{overhead / held.n_records:.2f} of index and checksums"
        )
    return facts
