"""Schedules over graphs: bits over the information content, start-up, speed; sets.

Discrete graphs of several kinds under several orders; hierarchies in time by number of
levels, and a two-level one on text and on lines of a log against one HMM; numbers
whose order does not matter. Rates are exact, of integers, on any machine; times are of
one thread. A few minutes without --quick.
"""

from __future__ import annotations

from report import Report, parser


def graphs(rows: Report) -> None:
    """Bits over the information content, by graph, order and length."""


def startup(rows: Report) -> None:
    """Start-up by number of levels, aligned and staircase."""


def hierarchies(rows: Report) -> None:
    """Two levels against one of as many states, and of as many bytes; the engine."""


def sets(rows: Report) -> None:
    """Numbers whose order does not matter."""


def main() -> None:
    with Report(parser(__doc__).parse_args()) as rows:
        for section in (graphs, startup, hierarchies, sets):
            section(rows)


if __name__ == "__main__":
    main()
