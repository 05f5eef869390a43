#include "x86.h"
#ifdef BBANS_HAVE_X86
uint32_t *bbans_k_push_avx512(uint64_t *head, const bbans_span *span,
                                 size_t n, unsigned prec, uint32_t *top){return bbans_k_push_portable(head,span,n,prec,top);}
const uint32_t *bbans_k_advance_avx512(uint64_t *head, const bbans_span *span,
                                 size_t n, unsigned prec, const uint32_t *top){return bbans_k_advance_portable(head,span,n,prec,top);}
uint32_t bbans_k_edges_avx512(const void *weight, int type, size_t n,
                                uint32_t *edge){return bbans_k_edges_portable(weight,type,n,edge);}
#endif
