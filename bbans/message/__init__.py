"""The message, a stack of bits, and the range coder, a queue."""

from bbans.message.message import Message
from bbans.message.range_coder import RangeDecoder, RangeEncoder

__all__ = ["Message", "RangeDecoder", "RangeEncoder"]
