"""What a file holds, known by its first bytes, and where: arrays, sound, tables."""

from bbans.files.recognise import KINDS, file_coder
from bbans.files.samples import Samples

__all__ = ["KINDS", "Samples", "file_coder"]
