"""Where arrays live already: what other libraries load to store them.

`bbans.integrations.numcodecs` has the codec of numcodecs and zarr 2,
`bbans.integrations.zarr` that of zarr 3. Both libraries find them by themselves,
so nothing needs to import them in order to read.
"""

from bbans.integrations.models import register

__all__ = ["register"]
