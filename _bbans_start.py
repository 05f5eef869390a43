"""Where the program `bbans` starts: the package takes a while to import, and an
interrupt in that time should end the program without a traceback."""

# Built in: `signal` itself takes a while too.
import _signal as signal  # type: ignore[import-not-found]

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> int:
    """Run the command line; return the exit code."""
    from bbans.cli.main import main

    return main()
