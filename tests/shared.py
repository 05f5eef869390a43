"""What test files share: the kernels of this machine, models and messages at random,
and frozen models as the reference has them."""

import numpy as np
import reference as ref

from bbans import LGSSM, Alphabet, Message
from bbans._lib import ffi, lib
from bbans.models import HMM
from bbans.models.freeze_hmm import frozen_hmm

# The instruction sets that this machine and build have.
ISAS = {
    ffi.string(name).decode(): isa
    for isa in range(lib.BBANS_ISA_BEST)
    if (name := lib.bbans_isa_name(isa))
}


def random_parameters(K, M, concentration=1.0, seed=0):
    """The initial, transition and emission probabilities of an HMM."""
    hmm = HMM.random(K, M, concentration=concentration, seed=seed)
    return hmm.initial, hmm.transition, hmm.emission


ALL_BYTES = Alphabet(256, kind="bytes")


def byte_hmm(K, seed=0):
    """A float HMM of bytes."""
    return HMM(*random_parameters(K, 256, seed=seed), alphabet=ALL_BYTES)


def random_hmm(K, symbols, *, concentration=1.0, seed=0, prec=16):
    """A frozen HMM; `symbols` is all that `Alphabet` takes: how many, or which."""
    alphabet = symbols if isinstance(symbols, Alphabet) else Alphabet(symbols)
    return frozen_hmm(
        *random_parameters(K, alphabet.size, concentration, seed),
        prec=prec,
        alphabet=alphabet,
    )


def random_lgssm(n, p, seed, steps=None, scale=3.0):
    rng = np.random.default_rng(seed)

    def each(make):
        return make() if steps is None else np.array([make() for _ in range(steps)])

    def covariance(size):
        root = rng.normal(size=(size, size))
        return root @ root.T + 0.1 * np.eye(size)

    def transition():
        A = rng.normal(size=(n, n))
        return A * (0.95 / np.abs(np.linalg.eigvals(A)).max())

    return LGSSM(
        each(transition),
        each(lambda: rng.normal(size=(p, n)) * scale),
        each(lambda: covariance(n)),
        each(lambda: covariance(p) * scale**2),
        rng.normal(size=n),
        covariance(n),
        each(lambda: rng.normal(size=n)),
        each(lambda: rng.normal(size=p) * 10),
    )


def in_mode(model, predictive):
    """A frozen model in one of its two modes."""
    return model.with_mode("predictive" if predictive else "iconoclasm")


def reference_of(model):
    """A frozen HMM as the reference has it."""
    tables = (model.initial, model.transition, model.emission)
    return ref.HMM(*(t.tolist() for t in tables), model.prec, model.start_length)


def random_message(lanes, seed, words=1000):
    rng = np.random.default_rng(seed)
    heads = rng.integers(1 << 31, 1 << 63, lanes, np.uint64)
    return Message.from_state(heads, rng.integers(0, 1 << 32, words, np.uint64))
