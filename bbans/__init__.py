"""Lossless compression with latent variable and state space models.

>>> import bbans
>>> bbans.decompress(bbans.compress(b"The same input gives the same bytes."))
b'The same input gives the same bytes.'
"""

import sys
from importlib import import_module

if sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)] in ("bbans", "-mbbans"):
    import _bbans_start as _bbans_start  # as the program: before what takes a while

__version__ = "0.1.0"

# Where the public names are defined. Each is loaded when it is first used, so that
# what decodes does not load what trains; __init__.pyi has the same for type checkers.
_HOMES = {
    "bbans.api": (
        "compress",
        "compress_file",
        "costs",
        "decode",
        "decompress",
        "decompress_file",
        "encode",
        "load",
        "open",
        "save",
    ),
    "bbans.codecs.check": ("check_codec", "check_model"),
    "bbans.errors": (
        "BbansError",
        "CorruptError",
        "FormatError",
        "LimitError",
        "ModelError",
        "SymbolError",
        "WrongModelError",
    ),
    "bbans.frozen.alphabet": ("Alphabet",),
    "bbans.frozen.context_mixer": ("FrozenContextMixer",),
    "bbans.frozen.deep_ssm": ("FrozenDeepSSM",),
    "bbans.frozen.gaussian_hmm": ("FrozenGaussianHMM",),
    "bbans.frozen.model_file": ("default_model", "load_model", "text_model"),
    "bbans.frozen.network": ("FrozenNetwork",),
    "bbans.frozen.tree": ("FrozenTree",),
    "bbans.frozen.vae": ("FrozenVAE",),
    "bbans.message.message": ("Message",),
    "bbans.models.arhmm": ("ARHMM",),
    "bbans.models.context_mixer": ("ContextMixer",),
    "bbans.models.deep_ssm": ("DeepSSM",),
    "bbans.models.factorial_hmm": ("FactorialHMM",),
    "bbans.models.gaussian_hmm": ("GaussianHMM",),
    "bbans.models.hierarchical_hmm": ("HierarchicalHMM",),
    "bbans.models.hmm": ("HMM",),
    "bbans.models.latent_tree": ("LatentTree",),
    "bbans.models.lgssm": ("LGSSM",),
    "bbans.models.multivariate_gaussian_hmm": ("MultivariateGaussianHMM",),
    "bbans.models.poisson_hmm": ("PoissonHMM",),
    "bbans.models.vae": ("VAE",),
    "bbans.records.codec": ("RecordCodec",),
    "bbans.records.file": ("Records",),
}
_ROOMS = (
    "codecs",
    "compressai",
    "distributions",
    "errors",
    "formats",
    "frozen",
    "integrations",
    "message",
    "models",
    "networks",
    "particles",
    "plot",
    "records",
)
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME, *_ROOMS])


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        value: object = import_module(f"bbans.{name}")
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'bbans' has no attribute {name!r}")
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
