"""Many sequences under one model: in batches, in a chain, in packets."""

from bbans.records import packets
from bbans.records.batch import chain, decode_batch, encode_batch, unchain

__all__ = ["chain", "decode_batch", "encode_batch", "packets", "unchain"]
