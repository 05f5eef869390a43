"""Forward messages of a frozen HMM, exact: numpy arrays in, the C library's kernels.

`hmm` is the address of a bbans_hmm.  docs/maths.md, sections 5 and 6.
"""

from libc.stdint cimport uint32_t, uintptr_t

from bbans.errors import ModelError, SymbolError

cdef extern from "bbans.h" nogil:
    ctypedef struct bbans_hmm:
        size_t states, symbols, stride
    int bbans_hmm_filter(const bbans_hmm *, uint32_t *, const uint32_t *, size_t,
                         uint32_t *)
    int bbans_hmm_posterior(const bbans_hmm *, const uint32_t *, size_t, uint32_t *)
    int bbans_hmm_predict(const bbans_hmm *, const uint32_t *, size_t, uint32_t *,
                          uint32_t *)


def filter_exact(uintptr_t hmm, uint32_t[::1] predicted not None,
                 const uint32_t[::1] symbols not None,
                 uint32_t[:, ::1] filtered not None):
    """Run T filter steps: fill `filtered`, shape (T, stride), and move `predicted`,
    shape (stride,)."""
    cdef const bbans_hmm *model = <const bbans_hmm *>hmm
    cdef size_t T = symbols.shape[0]
    cdef int status = 0
    if (<size_t>predicted.shape[0] != model.stride
            or <size_t>filtered.shape[0] != T
            or <size_t>filtered.shape[1] != model.stride):
        raise ModelError("arrays of filter_exact have wrong shapes")
    if T > 0:
        with nogil:
            status = bbans_hmm_filter(model, &predicted[0], &symbols[0], T,
                                      &filtered[0, 0])
    if status != 0:
        raise SymbolError("a symbol is outside the alphabet", status)


def posterior_exact(uintptr_t hmm, const uint32_t[::1] filtered not None,
                    size_t next_state, uint32_t[::1] weight not None):
    """Posterior weights, shape (K,), of a filtered row; next_state K: without one."""
    cdef const bbans_hmm *model = <const bbans_hmm *>hmm
    cdef int status
    if (<size_t>filtered.shape[0] != model.states
            or <size_t>weight.shape[0] != model.states):
        raise ModelError("arrays of posterior_exact have wrong shapes")
    with nogil:
        status = bbans_hmm_posterior(model, &filtered[0], next_state, &weight[0])
    if status != 0:
        raise SymbolError(f"state {next_state} is outside the model", status)


def predictive_exact(uintptr_t hmm, const uint32_t[::1] predicted not None,
                     uint32_t[::1] cdf not None):
    """Edges, shape (M + 1,), of the next symbol under weights of shape (K,)."""
    cdef const bbans_hmm *model = <const bbans_hmm *>hmm
    cdef size_t x = 0
    cdef uint32_t freq = 0
    if (<size_t>predicted.shape[0] != model.states
            or <size_t>cdf.shape[0] != model.symbols + 1):
        raise ModelError("arrays of predictive_exact have wrong shapes")
    with nogil:
        for x in range(model.symbols):
            bbans_hmm_predict(model, &predicted[0], x, &cdf[x], &freq)
        cdf[model.symbols] = cdf[model.symbols - 1] + freq
