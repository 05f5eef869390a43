"""Pictures of what models and files do: where the bits go, and which states there were.

Each function draws into the axes that it is given, or into new ones, and returns them;
matplotlib is imported when it is needed: ``pip install 'bbans[plot]'``. `steps` has the
numbers of a message without a picture.

>>> import bbans
>>> taken = bbans.plot.steps(b"It is a truth " * 8, bbans.default_model())
>>> len(taken.states) + bbans.default_model().start_length
112
"""

from bbans.plot.files import blocks, tables
from bbans.plot.schedule import Steps, steps
from bbans.plot.sequences import bits, posterior, rate, trellis

__all__ = ["Steps", "bits", "blocks", "posterior", "rate", "steps", "tables", "trellis"]
