"""Records, one by one and in files; sequences in batches, in a chain, in packets."""

from bbans.records import packets
from bbans.records.batch import chain, decode_batch, encode_batch, unchain
from bbans.records.codec import RecordCodec
from bbans.records.file import Records, SalvagedRecord

__all__ = [
    "RecordCodec",
    "Records",
    "SalvagedRecord",
    "chain",
    "decode_batch",
    "encode_batch",
    "packets",
    "unchain",
]
