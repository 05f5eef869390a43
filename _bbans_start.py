"""Where the program `bbans` starts: the package takes a while to import, and an
interrupt in that time should end the program without a traceback."""

import _signal as signal  # built in: `signal` itself takes a while too

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> int:
    """Run the command line; return the exit code."""
    from bbans.cli import main

    return main()
