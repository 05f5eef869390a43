"""Float recursions of linear Gaussian state space models, over steps.

Letters are those of docs/maths.md. Of matrices and offsets that vary in time row t
serves step t, the last one all steps after it too: that of a time-invariant model is
the only one. All matrices come transposed, so that a product is a sum of their rows,
which the compiler has in vectors.
"""

from libc.math cimport fabs, sqrt
from libc.string cimport memcpy


cdef inline void add_product(const double *M, const double *v, Py_ssize_t rows,
                             Py_ssize_t columns, double *out) noexcept nogil:
    # out += v M, of M [rows][columns].
    cdef Py_ssize_t i, j
    cdef double scale
    for i in range(rows):
        scale = v[i]
        for j in range(columns):
            out[j] += scale * M[i * columns + j]


cdef inline Py_ssize_t upto(Py_ssize_t t, Py_ssize_t steps) noexcept nogil:
    return t if t < steps else steps - 1


def filter(const double[:, ::1] x not None, const double[:, :, ::1] A not None,
           const double[:, ::1] b not None, const double[:, :, ::1] C not None,
           const double[:, ::1] d not None, const double[:, :, ::1] gain not None,
           double[:, ::1] predicted not None, double[:, ::1] filtered not None,
           double[:, ::1] errors not None):
    """Fill predicted[1:], filtered and errors; predicted[0] is the initial mean.

    A has shape (S, n, n), C (S, n, p) and the gain (G, p, n): transposed.
    """
    cdef Py_ssize_t T = x.shape[0], p = x.shape[1], n = predicted.shape[1]
    cdef Py_ssize_t S = A.shape[0], G = gain.shape[0], t, i, now, then
    if (S < 1 or G < 1 or A.shape[1] != n or A.shape[2] != n or b.shape[0] != S
            or b.shape[1] != n or C.shape[0] != S or C.shape[1] != n or C.shape[2] != p
            or d.shape[0] != S or d.shape[1] != p or gain.shape[1] != p
            or gain.shape[2] != n or predicted.shape[0] != T + 1
            or filtered.shape[0] != T or filtered.shape[1] != n
            or errors.shape[0] != T or errors.shape[1] != p):
        raise ValueError("shapes of filter() do not agree")
    with nogil:
        for t in range(T):
            now, then = upto(t, S), upto(t + 1, S)
            # e_t = x_t - d - C m_t, then m_t + K e_t, then A of that, + b.
            for i in range(p):
                errors[t, i] = d[now, i] - x[t, i]
            add_product(&C[now, 0, 0], &predicted[t, 0], n, p, &errors[t, 0])
            for i in range(p):
                errors[t, i] = -errors[t, i]
            memcpy(&filtered[t, 0], &predicted[t, 0], n * sizeof(double))
            add_product(&gain[upto(t, G), 0, 0], &errors[t, 0], p, n, &filtered[t, 0])
            memcpy(&predicted[t + 1, 0], &b[then, 0], n * sizeof(double))
            add_product(&A[then, 0, 0], &filtered[t, 0], n, n, &predicted[t + 1, 0])


def smooth(const double[:, ::1] predicted not None, const double[:, :, ::1] back not None,
           double[:, ::1] means not None):
    """Turn filtered means into those given whole sequences; `back` has J, transposed."""
    cdef Py_ssize_t T = means.shape[0], n = means.shape[1], G = back.shape[0], t, i
    cdef double v
    if (G < 1 or back.shape[1] != n or back.shape[2] != n
            or predicted.shape[0] != T + 1 or predicted.shape[1] != n):
        raise ValueError("shapes of smooth() do not agree")
    with nogil:
        for t in range(T - 2, -1, -1):
            for i in range(n):
                v = means[t + 1, i] - predicted[t + 1, i]
                add_product(&back[upto(t, G), i, 0], &v, 1, n, &means[t, 0])


def smooth_covs(const double[:, :, ::1] filtered not None,
                const double[:, :, ::1] posterior not None,
                const double[:, :, ::1] back not None, Py_ssize_t T, double close,
                double[:, ::1] total not None, double[:, ::1] lag not None,
                double[:, :, ::1] ends not None, double[:, :, ::1] covs):
    """Add the covariances of z_t given all of T steps to `total`, and those of z_t+1
    with z_t to `lag`; ends[0] and ends[1] become those of z_1 and z_T.

    If `covs` has room for them, they all go there. Where gains are constant and a
    covariance differs by `close` or less from the one after it, so do all before it,
    for which it then stands. Covariances are symmetric; J is `back`, transposed.
    """
    cdef Py_ssize_t n = total.shape[0], G = back.shape[0], t = T - 2, i, j, k, g
    cdef Py_ssize_t steps
    cdef double v
    cdef double *cov = &ends[0, 0, 0]    # of z_t+1
    cdef double *before = &ends[2, 0, 0]    # of z_t
    cdef double *lagged = &ends[3, 0, 0]    # cov J', of z_t+1 with z_t
    if (T < 1 or G < 1 or n < 1 or total.shape[1] != n or filtered.shape[0] != G
            or filtered.shape[1] != n or filtered.shape[2] != n
            or posterior.shape[0] != G or posterior.shape[1] != n
            or posterior.shape[2] != n or back.shape[1] != n or back.shape[2] != n
            or lag.shape[0] != n or lag.shape[1] != n or ends.shape[0] != 4
            or ends.shape[1] != n or ends.shape[2] != n
            or covs is not None and (covs.shape[0] != T or covs.shape[1] != n
                                     or covs.shape[2] != n)):
        raise ValueError("shapes of smooth_covs() do not agree")
    g = upto(T - 1, G)
    memcpy(cov, &filtered[g, 0, 0], n * n * sizeof(double))
    memcpy(&ends[1, 0, 0], cov, n * n * sizeof(double))
    for i in range(n):
        for j in range(n):
            total[i, j] += cov[i * n + j]
    if covs is not None:
        memcpy(&covs[T - 1, 0, 0], cov, n * n * sizeof(double))
    with nogil:
        while t >= 0:
            g = upto(t, G)
            for i in range(n * n):
                lagged[i] = 0
            for i in range(n):
                add_product(&back[g, 0, 0], cov + i * n, n, n, lagged + i * n)
            memcpy(before, &posterior[g, 0, 0], n * n * sizeof(double))
            for i in range(n):    # + J cov J'
                for k in range(n):
                    add_product(lagged + k * n, &back[g, k, i], 1, n, before + i * n)
            for i in range(n):
                for j in range(i):
                    v = 0.5 * (before[i * n + j] + before[j * n + i])
                    before[i * n + j] = before[j * n + i] = v
            steps = 1
            if g == G - 1 and distance(before, cov, n) <= close:
                steps = t - g + 1
            for i in range(n):
                for j in range(n):
                    lag[i, j] += <double>steps * lagged[i * n + j]
                    total[i, j] += <double>steps * before[i * n + j]
            if covs is not None:
                for k in range(t - steps + 1, t + 1):
                    memcpy(&covs[k, 0, 0], before, n * n * sizeof(double))
            memcpy(cov, before, n * n * sizeof(double))
            t -= steps


cdef double distance(const double *a, const double *b, Py_ssize_t n) noexcept nogil:
    # The largest difference, relative to the deviations of b.
    cdef double largest = 0, v
    cdef Py_ssize_t i, j
    for i in range(n):
        for j in range(n):
            v = fabs(a[i * n + j] - b[i * n + j])
            v /= sqrt(b[i * n + i] * b[j * n + j])
            if not v <= largest:    # NaN stays
                largest = v
    return largest
