"""Training and files on many machines, by Dask: ``pip install 'bbans[dask]'``.

`fit` trains a model by EM whose E steps run on the workers of a Dask client; `sample`
draws what other models are trained on. `compress_tree` and `decompress_tree` are for
folders of files. All of them take None in place of a client, and then do the same here,
without Dask, to the same bits.

docs/guide/scale.md says when that is worth it.
"""

from bbans.distributed.files import FileResult, compress_tree, decompress_tree
from bbans.distributed.shards import sample
from bbans.distributed.training import Progress, fit

__all__ = [
    "FileResult",
    "Progress",
    "compress_tree",
    "decompress_tree",
    "fit",
    "sample",
]
