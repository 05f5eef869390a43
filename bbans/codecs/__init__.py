"""Codecs: objects with ``push(message, value)`` and ``pop(message)``."""

from bbans.codecs.bits_back import BitsBack
from bbans.codecs.check import CodecReport, ModelReport, check_codec, check_model
from bbans.codecs.compose import Dependent, Repeat, Serial
from bbans.codecs.finite_graph import FiniteGraph
from bbans.codecs.gaussian_graph import GaussianGraph
from bbans.codecs.hierarchy import Hierarchy, aligned, staircase
from bbans.codecs.iconoclasm import Iconoclasm
from bbans.codecs.iid import decode_iid, encode_iid
from bbans.codecs.importance import ImportanceSampling
from bbans.codecs.multiset import Multiset, Permutation
from bbans.codecs.schedule import GraphModel, PredictiveGraph, Schedule
from bbans.codecs.sequence import decode_sequence, encode_sequence
from bbans.codecs.state_space import PredictiveModel, SequenceModel, StateSpaceModel
from bbans.message.codec import Codec

__all__ = [
    "BitsBack",
    "Codec",
    "CodecReport",
    "Dependent",
    "FiniteGraph",
    "GaussianGraph",
    "GraphModel",
    "Hierarchy",
    "Iconoclasm",
    "ImportanceSampling",
    "ModelReport",
    "Multiset",
    "Permutation",
    "PredictiveGraph",
    "PredictiveModel",
    "Repeat",
    "Schedule",
    "SequenceModel",
    "Serial",
    "StateSpaceModel",
    "aligned",
    "check_codec",
    "check_model",
    "decode_iid",
    "decode_sequence",
    "encode_iid",
    "encode_sequence",
    "staircase",
]
