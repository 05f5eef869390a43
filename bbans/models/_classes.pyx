"""Classes of symbols, or of contexts, that follow each other regularly.

The exchange algorithm of Kneser and Ney, Improved clustering techniques for
class-based statistical language modelling (1993): one item after the other moves to
the class in which the classes' sequence and the symbols are most likely, given the
classes of all others.  With counts C of pairs of classes and E of symbols in a class,
that log-likelihood is, with L(n) = n ln n,

    sum_ab L(C_ab) + sum_as L(E_as) - sum_a (L(sum_b C_ab) + L(sum_s E_as)).

Where each item is a symbol, the sum of L(E_as) is always the same.
"""

from libc.stdint cimport int32_t


def exchange(const int32_t[::1] order not None, const int32_t[:, ::1] follows not None,
             const int32_t[:, ::1] leads not None, const int32_t[::1] first_follows not None,
             const int32_t[::1] first_leads not None, const int32_t[::1] weight not None,
             const int32_t[::1] symbol not None, const double[::1] L not None,
             int32_t[::1] of_item not None, int32_t[:, ::1] C not None,
             int32_t[:, ::1] E not None, int32_t[:, ::1] work not None):
    """Move each item of `order` once; return how many are in another class then.

    Rows of follows from first_follows[i] on are (item, count) of what comes after item
    i, those of leads of what comes before it. work has two rows of zeros, one number
    for each class, and two that are not used yet.
    """
    cdef Py_ssize_t V = of_item.shape[0], K = C.shape[0], M = E.shape[1]
    cdef Py_ssize_t k, i, j, a, b, d, n, row, best, moved = 0
    cdef int32_t *after = &work[0, 0]
    cdef int32_t *before = &work[1, 0]
    cdef int32_t *left = &work[2, 0]
    cdef int32_t *members = &work[3, 0]
    cdef int32_t *touched_after = &work[4, 0]
    cdef int32_t *touched_before = &work[5, 0]
    cdef Py_ssize_t n_after, n_before
    cdef int32_t own, leaves, count
    cdef double gain, top
    if (C.shape[1] != K or E.shape[0] != K or work.shape[0] != 6 or work.shape[1] != K
            or first_follows.shape[0] != V + 1 or first_leads.shape[0] != V + 1
            or follows.shape[1] != 2 or leads.shape[1] != 2 or K < 1
            or follows.shape[0] != first_follows[V] or leads.shape[0] != first_leads[V]
            or weight.shape[0] != V or symbol.shape[0] != V):
        raise ValueError("shapes of exchange() do not agree")
    with nogil:
        for a in range(K):
            after[a] = before[a] = left[a] = members[a] = 0
            for b in range(K):
                left[a] += C[a, b]
        for i in range(V):
            members[of_item[i]] += weight[i]
        for k in range(order.shape[0]):
            i = order[k]
            a = of_item[i]
            n = weight[i]
            n_after, n_before, own, leaves = 0, 0, 0, 0
            for row in range(first_follows[i], first_follows[i + 1]):
                j, count = follows[row, 0], follows[row, 1]
                leaves += count
                if j == i:
                    own = count
                    continue
                d = of_item[j]
                if after[d] == 0:
                    touched_after[n_after] = <int32_t>d
                    n_after += 1
                after[d] += count
            for row in range(first_leads[i], first_leads[i + 1]):
                j, count = leads[row, 0], leads[row, 1]
                if j == i:
                    continue
                d = of_item[j]
                if before[d] == 0:
                    touched_before[n_before] = <int32_t>d
                    n_before += 1
                before[d] += count
            # Out of its class
            for j in range(n_after):
                C[a, touched_after[j]] -= after[touched_after[j]]
            for j in range(n_before):
                C[touched_before[j], a] -= before[touched_before[j]]
            C[a, a] -= own
            left[a] -= leaves
            members[a] -= <int32_t>n
            if M > 0:
                E[a, symbol[i]] -= <int32_t>n
            best, top = a, 0
            for b in range(K):
                gain = 0
                for j in range(n_after):
                    d = touched_after[j]
                    if d != b:
                        gain += L[C[b, d] + after[d]] - L[C[b, d]]
                for j in range(n_before):
                    d = touched_before[j]
                    if d != b:
                        gain += L[C[d, b] + before[d]] - L[C[d, b]]
                gain += L[C[b, b] + after[b] + before[b] + own] - L[C[b, b]]
                gain -= L[left[b] + leaves] - L[left[b]]
                gain -= L[members[b] + n] - L[members[b]]
                if M > 0:
                    gain += L[E[b, symbol[i]] + n] - L[E[b, symbol[i]]]
                if b == 0 or gain > top:
                    best, top = b, gain
            for j in range(n_after):
                C[best, touched_after[j]] += after[touched_after[j]]
                after[touched_after[j]] = 0
            for j in range(n_before):
                C[touched_before[j], best] += before[touched_before[j]]
                before[touched_before[j]] = 0
            C[best, best] += own
            left[best] += leaves
            members[best] += <int32_t>n
            if M > 0:
                E[best, symbol[i]] += <int32_t>n
            of_item[i] = <int32_t>best
            moved += best != a
    return moved
