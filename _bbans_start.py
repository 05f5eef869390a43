"""Where the program `bbans` starts: the package takes a while to import, and an
interrupt in that time should end the program without a traceback."""

# Built in: `signal` itself takes a while too.
import _signal as signal  # type: ignore[import-not-found]
import os

# The program's products of matrices are small ones: on busy cores the threads of BLAS
# mostly wait for each other, and `train --latents` takes several times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> int:
    """Run the command line; return the exit code."""
    from bbans.cli.main import main

    return main()
