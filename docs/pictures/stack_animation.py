"""A moving picture: symbols are pushed onto a message and popped off again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bbans.distributions import Weighted

from . import style
from .interval import as_integer, as_message

WEIGHTS = {"a": 8, "n": 5, "s": 3}
WORD = "ans"
BELOW = 200  # the message at first
SECONDS = 1.6  # for each step
WIDTH, HEIGHT, UNIT = 460, 320, 20  # pixels; UNIT of them for a bit
LEFT, BROAD, FLOOR = 20, 180, 310  # of the stack
COLOURS = dict(zip(WEIGHTS, style.COLOURS[: len(WEIGHTS)], strict=True))


class Frame(NamedTuple):
    """What is seen during a step."""

    action: str  # "start", "push" or "pop"
    symbol: str
    message: int
    received: str


def data() -> list[Frame]:
    """Push a word from its end, and pop it."""
    law, symbols = Weighted([*WEIGHTS.values()]), [*WEIGHTS]
    message = as_message(BELOW)
    frames = [Frame("start", "", BELOW, "")]
    for symbol in reversed(WORD):
        law.push(message, symbols.index(symbol))
        frames.append(Frame("push", symbol, as_integer(message), ""))
    received = ""
    for _ in WORD:
        symbol = symbols[int(law.pop(message))]
        received += symbol
        frames.append(Frame("pop", symbol, as_integer(message), received))
    return frames


def draw(frames: list[Frame]) -> str:
    """SVG that CSS moves; those who want no motion see the whole word on the stack."""
    total, n = sum(WEIGHTS.values()), len(frames)
    top = FLOOR - UNIT * np.log2(BELOW)
    shapes = [_block(top, FLOOR, style.GRID, style.INK, "what was there before")]
    rules = []
    for symbol in reversed(WORD):
        bits = np.log2(total / WEIGHTS[symbol])
        bottom, top = top, top - UNIT * bits
        label = f"{symbol}: {bits:.2f} bits"
        block = _block(top, bottom - 2, COLOURS[symbol], style.BACK, label)
        shapes.append(f'<g class="block" style="animation-name:{symbol}">{block}</g>')
        pushed, popped = (
            [(frame.action, frame.symbol) for frame in frames].index((action, symbol))
            for action in ("push", "pop")
        )
        away = "{transform:translateY(-60px);opacity:0}"
        here = "{transform:none;opacity:1}"
        rules.append(
            f"@keyframes {symbol}{{0%,{_percent(pushed, n)}{away}"
            f"{_percent(pushed + 0.4, n)},{_percent(popped, n)}{here}"
            f"{_percent(popped + 0.4, n)},100%{away}}}"
        )
    for i, frame in enumerate(frames):
        lines = [
            f"{frame.action} {frame.symbol}",
            f"message = {frame.message}",
            f"{np.log2(frame.message):.2f} bits",
        ]
        if frame.received:
            lines.append(f"received: {frame.received}")
        text = "".join(
            f'<text x="{LEFT + BROAD + 40}" y="{170 + 30 * k}" fill="{style.INK}">'
            f"{line}</text>"
            for k, line in enumerate(lines)
        )
        # Where nothing moves, the frame in which the word is on the stack is seen.
        name = "frame still" if i == len(WORD) else "frame"
        shapes.append(f'<g class="{name}" style="animation-name:f{i}">{text}</g>')
        rules.append(
            f"@keyframes f{i}{{0%{{opacity:{int(i == 0)}}}"
            f"{_percent(i, n)}{{opacity:1}}{_percent(i + 1, n)},100%{{opacity:0}}}}"
        )
    css = (
        f"text{{font:15px sans-serif}}g{{animation:{SECONDS * n:.1f}s infinite}}"
        ".frame{animation-timing-function:step-end}"
        + "".join(rules)
        + "@media (prefers-reduced-motion:reduce){g{animation:none}"
        ".frame:not(.still){display:none}}" + style.style_sheet()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}"><title>Pushes and pops of a word</title>'
        f"<style>{css}</style>{''.join(shapes)}</svg>\n"
    )


def _block(top: float, bottom: float, colour: str, ink: str, label: str) -> str:
    return (
        f'<rect x="{LEFT}" y="{top:.1f}" width="{BROAD}" '
        f'height="{bottom - top:.1f}" fill="{colour}"/>'
        f'<text x="{LEFT + BROAD / 2:.0f}" y="{(top + bottom) / 2 + 5:.1f}" '
        f'text-anchor="middle" fill="{ink}">{label}</text>'
    )


def _percent(step: float, of: int) -> str:
    return f"{100 * step / of:.2f}%"
