"""The pictures of the documentation show what the library does.

Numbers are compared with computations of their own; a drawing is checked for what
makes it readable: colours that have a dark twin, contrast, and words in its place.
"""

import importlib
import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import bbans

pytest.importorskip("matplotlib", reason="the pictures are drawn by matplotlib")

DOCS = Path(__file__).resolve().parents[1] / "docs"
sys.path.insert(0, str(DOCS))
pictures = importlib.import_module("pictures")
style = importlib.import_module("pictures.style")
NAMES = pictures.names()
REFERENCE = re.compile(r"!\[([^]]*)\]\(([^)]*pictures/(\w+)\.svg)\)")
REFERENCES = [
    (page, *found)
    for page in sorted(DOCS.rglob("*.md"))
    for found in REFERENCE.findall(page.read_text(encoding="utf-8"))
]


def data(name):
    return importlib.import_module(f"pictures.{name}").data()


# ---- pages and pictures


def test_each_picture_is_on_a_page_and_drawn_by_a_file():
    assert {name for *_, name in REFERENCES} == {*NAMES}
    for page, _, path, name in REFERENCES:
        assert (page.parent / path).resolve() == DOCS / "pictures" / f"{name}.svg"


@pytest.mark.parametrize(
    ("page", "alt", "path", "name"), REFERENCES, ids=[name for *_, name in REFERENCES]
)
def test_pages_say_what_a_picture_shows(page, alt, path, name):
    assert len(alt.split()) >= 25, f"{page.name}: {name}"


def says(name, *facts):
    """That the text in a picture's place has these, which its data say."""
    (alt,) = (found for _, found, _, other in REFERENCES if other == name)
    words = " ".join(alt.split())
    for fact in facts:
        assert fact in words, name


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    pictures.draw(folder)
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_all_are_drawn(drawn):
    assert {*drawn} == {*NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_is_small_and_fit_for_dark_pages(drawn, name):
    text = drawn[name]
    assert len(text) < 120_000
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title").text
    assert not [*root.iter(f"{space}image")]
    shown = text.replace(root.find(f"{space}style").text, "")
    colours = re.findall(r"#[0-9a-f]{3}(?:[0-9a-f]{3})?\b", shown, re.IGNORECASE)
    assert {colour.lower() for colour in colours} <= {*style.DARK}
    parent = {child: element for element in root.iter() for child in element}
    for element in root.iter(f"{space}text"):  # one without a colour would be black
        around = [element, parent[element]]
        assert any("#" in e.get("style", "") + e.get("fill", "") for e in around)


def test_the_same_picture_is_the_same_file(drawn, tmp_path):
    pictures.draw(tmp_path, ["lattice"])
    assert (tmp_path / "lattice.svg").read_text(encoding="utf-8") == drawn["lattice"]


def luminance(colour):
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    low, high = sorted(luminance(colour) + 0.05 for colour in (one, other))
    return high / low


@pytest.mark.parametrize("twin", [lambda c: c, style.DARK.get], ids=["light", "dark"])
def test_contrast(twin):
    """As WCAG 2.2 asks: 4.5 for text, 3 for what else carries meaning."""
    for ink in (style.INK, style.FAINT, style.BLUE, style.GREEN, style.PURPLE):
        assert contrast(twin(ink), twin(style.BACK)) >= 4.5
    assert contrast(twin(style.ORANGE), twin(style.BACK)) >= 3
    assert contrast(twin(style.INK), twin(style.GRID)) >= 4.5


def test_those_who_want_no_motion_see_a_picture_that_stands_still(drawn):
    text = drawn["stack_animation"]
    assert "@media (prefers-reduced-motion:reduce){g{animation:none}" in text
    assert text.count('class="frame still"') == 1
    assert "push a" in text[text.index("frame still") :].split("</g>")[0]


# ---- what they show


def push(x, start, freq, total):
    """docs/maths.md, "The message", while there is no tail."""
    return x // freq * total + x % freq + start


def test_stack():
    stack = importlib.import_module("pictures.stack")
    starts = dict(
        zip(stack.COUNTS, np.cumsum([0, *stack.COUNTS.values()]), strict=False)
    )
    total, integers = sum(stack.COUNTS.values()), [1]
    for letter in reversed(stack.WORD):
        integers.append(
            push(integers[-1], int(starts[letter]), stack.COUNTS[letter], total)
        )
    word = [*integers]
    flips = []
    for _ in range(stack.N_FLIPS):
        flips.append(str(integers[-1] % 2))
        integers.append(integers[-1] // 2)
    integers += integers[-2 : -2 - stack.N_FLIPS : -1] + word[-2::-1]
    steps = stack.data()
    assert [step.bits for step in steps] == pytest.approx(np.log2(integers[1:]))
    values = [*reversed(stack.WORD), *flips, *reversed(flips), *stack.WORD]
    assert [step.value for step in steps] == values
    assert integers[11] == 5173729
    top, low = steps[10].bits, steps[16].bits
    says("stack", f"{top:.1f} bits", f"each to {low:.1f}", f"again to {top:.1f}")


def test_stack_animation():
    animation = importlib.import_module("pictures.stack_animation")
    start = {"a": 0, "n": 8, "s": 13}
    integers = [animation.BELOW]
    for letter in reversed(animation.WORD):
        freq = animation.WEIGHTS[letter]
        integers.append(push(integers[-1], start[letter], freq, 16))
    frames = animation.data()
    assert [frame.message for frame in frames] == integers + integers[-2::-1]
    assert [frame.received for frame in frames[-3:]] == ["a", "an", "ans"]
    grown = "from {} to {}, {} and {}".format(*integers)
    contents = {s: f"{4 - np.log2(f):.2f}" for s, f in animation.WEIGHTS.items()}
    high = f"first s, {contents['s']} bits high, then n, {contents['n']} bits"
    says("stack_animation", grown, high)


def test_interval():
    interval = importlib.import_module("pictures.interval")
    shown = interval.data()
    assert shown.edges.tolist() == [0, 8, 11, 15, 16]
    assert shown.symbols == list(3 * ("a" * 8 + "b" * 3 + "c" * 4 + "d"))
    assert shown.results == [push(j, 8, 3, 16) for j in range(9)]
    places = [x for x, symbol in enumerate(shown.symbols) if symbol == "b"]
    assert shown.results == places
    says("interval", ", ".join(map(str, places)), "push b onto 7 gives 41")


def test_precision():
    measured = data("precision")
    for cost, bound in zip(
        measured.cost.values(), measured.bound.values(), strict=True
    ):
        assert (np.array(cost) <= bound).all()
        assert (np.diff(cost) < 0).all()
    assert measured.cost[256][-3] < 1e-8  # at the default of 24 bits
    assert measured.cost[16][0] == pytest.approx(2e-3, rel=0.2)
    ends = [
        f"{cost:.0e}" for cost in (*measured.cost[16][::18], measured.cost[256][-1])
    ]
    says("precision", *(end.replace("e-0", "e-") for end in ends))


def test_bits_back():
    bits_back = importlib.import_module("pictures.bits_back")
    run = bits_back.data()
    prior = bits_back.PRIOR / bits_back.PRIOR.sum()
    rows = bits_back.LIKELIHOOD / bits_back.LIKELIHOOD.sum(axis=1, keepdims=True)
    assert run.contents == pytest.approx(
        [-np.log2(prior @ rows[:, x]) for x in bits_back.X]
    )
    assert [step.action for step in run.steps] == [*bits_back.ACTIONS] * len(
        bits_back.X
    )
    ends = np.array([run.start, *(step.bits for step in run.steps[2::3])])
    assert np.diff(ends) == pytest.approx(run.contents, abs=1e-6)
    thrice = [k for k, x in enumerate(bits_back.X) if x == 1]
    assert {run.steps[3 * k].value for k in thrice} == {0, 1, 2}
    assert run.is_restored
    lent = [run.steps[3 * k - 1].bits - run.steps[3 * k].bits for k in thrice]
    says("bits_back", f"ends {run.contents[thrice[0]]:.2f} bits higher")
    says("bits_back", f"from {min(lent):.1f} bits lent to {max(lent):.1f}")


def test_growth():
    """The rows that the picture shows have the exponents that they say."""
    growth = importlib.import_module("pictures.growth")
    rows = json.loads((DOCS / "pictures/growth.json").read_text("utf-8"))
    series, checked = growth.data(), 0
    for row in rows:
        work, found, axis = row["what"].partition(": exponent over ")
        if found:
            sizes, values = (np.log(numbers) for numbers in series[work, axis])
            part = slice(-max(3, (len(sizes) + 1) // 2), None)
            slope = np.polyfit(sizes[part], values[part], 1)[0]
            assert row["value"] == pytest.approx(slope)
            checked += 1
    assert checked > 20
    for axis, _, exponent, works in growth.PANELS:
        for work in works:
            name = f"{work}: exponent over {axis}"
            (row,) = (row for row in rows if row["what"] == name)
            assert row["target"] == exponent + 0.25


def test_schedule():
    schedule = importlib.import_module("pictures.schedule")
    runs, n = schedule.data(), schedule.SHOWN
    model = schedule.HMM.random(64, 64, seed=0)
    x, _ = model.sample(schedule.LENGTHS[-1], seed=1)
    value = {("x", t): int(x[t]) for t in range(n)}
    for name, order in schedule.schedules(model.freeze().state_space(), n).items():
        bits, lent = runs.traces[name], bytes(range(1, 201))
        assert len(bits) == 3 * n + 1
        # The message of the same run is as long as the curve says.
        sent = len(order.encode(value, initial_bits=lent))
        assert 8 * (sent - len(lent)) == pytest.approx(bits[-1], abs=8)
        assert bits[-1] == pytest.approx(runs.content, abs=0.1)
        assert -min(bits) == pytest.approx(order.startup(value), rel=0.3, abs=5)
    naive, interleaved = runs.startups.values()
    rates = np.array(naive) / schedule.LENGTHS
    assert ((rates > 4) & (rates < 6)).all()
    assert max(interleaved) < 12
    deep, flat = (min(bits) for bits in runs.traces.values())
    says("schedule", f"falls to {deep:.0f} bits", f"falls to {flat:.0f} bits")
    says("schedule", f"{runs.content:.0f} bits")


def test_figure1():
    figure1 = importlib.import_module("pictures.figure1")
    naive, interleaved, started = figure1.data().ratios.values()
    assert len(started) == len(figure1.LENGTHS)
    assert min(naive) > 1.6  # at every length
    assert interleaved[-1] < 1.003
    assert started[2] < 1.02
    assert 1 < started[-1] < 1.0002
    says("figure1", f"from {started[0]:.2f} at 4 to {started[2]:.2f} at 16")
    says("figure1", f"between {min(naive):.1f} and {max(naive):.1f}")
    says(
        "figure1", f"falls from {interleaved[0]:.1f} at 4 to {interleaved[4]:.2f} at 64"
    )


def test_lattice():
    lattice = importlib.import_module("pictures.lattice")
    run = lattice.data()
    A, B = np.array(lattice.TRANSITION), np.array(lattice.EMISSION)
    predicted, content = np.array(lattice.INITIAL), 0.0
    for t, x in enumerate(run.x):
        alpha = predicted * B[:, x]
        content -= np.log2(alpha.sum())
        alpha /= alpha.sum()
        assert run.forward[t] == pytest.approx(alpha, abs=1e-3)
        back = alpha * A[:, run.path[t + 1]] if t + 1 < len(run.x) else alpha
        assert run.backward[t] == pytest.approx(back / back.sum(), abs=1e-3)
        predicted = alpha @ A
    assert run.content == pytest.approx(content)
    assert run.grown == pytest.approx([content, content], abs=0.02)
    assert run.path != run.other
    says("lattice", " ".join(lattice.SYMBOLS[x] for x in run.x))


def test_staircase():
    staircase = importlib.import_module("pictures.staircase")
    shown, L, T = staircase.data(), staircase.LEVELS, staircase.LENGTH
    levels, times = np.mgrid[1 : L + 1, 1 : T + 1]
    wave = {"aligned": T + 1 - times, "staircase": T + 1 - times + levels - 1}
    for name, waves in wave.items():
        assert (shown.waves[name] == np.minimum(waves, T)).all()
        # Those of the next wave are popped when a wave is over.
        state = np.select(
            [waves <= staircase.PUSHED, waves == staircase.PUSHED + 1], [2, 1]
        )
        assert (shown.grids[name] == state).all()
    aligned, stairs = shown.traces.values()
    assert aligned[-1] == pytest.approx(stairs[-1], abs=0.1)
    assert -min(aligned) > 5
    assert -min(stairs) < 2
    says("staircase", f"falls to {min(aligned):.1f} bits", f"to {min(stairs):.1f}")


def test_freeze():
    right = data("freeze").right
    assert right["floats, same order"].all()
    assert right["integers, same order"].all()
    assert right["integers, reverse order"].all()
    floats = right["floats, reverse order"]
    assert not floats.all()
    assert floats[floats.argmin() :].mean() < 0.1  # noise after the first mistake
    assert (floats.argmin(), floats.sum()) == (1, 6)  # as the page says


def test_plots():
    """What bbans.plot draws, tests/test_plot.py looks at: here, of what."""
    text = data("plot_rate")
    assert text.startswith(b"# ")
    blocks = importlib.import_module("pictures.plot_blocks")
    restored = bbans.decompress(blocks.data())
    assert restored[:8000] + restored[8000 + 2 * blocks.BLOCK :] == text
    shown, model = data("plot_states")
    states = importlib.import_module("pictures.plot_states")
    assert len(shown) - model.start_length > states.LENGTH  # there is a path
    line = data("plot_bits")
    assert 0 < len(line) - bbans.default_model().start_length < len(line) - 20


# ---- in a site


def test_sphinx_finds_the_pictures(tmp_path, monkeypatch):
    application = pytest.importorskip(
        "sphinx.application", reason="Sphinx builds the documentation"
    )
    pytest.importorskip("myst_parser", reason="the documentation is Markdown")
    docs, out = tmp_path / "docs", tmp_path / "out"
    (docs / "concepts").mkdir(parents=True)
    (docs / "conf.py").write_text('extensions = ["myst_parser", "pictures"]\n')
    (docs / "index.md").write_text("# One\n\n```{toctree}\nconcepts/stack\n```\n")
    (docs / "concepts/stack.md").write_text("# Two\n\n![seen](../pictures/stack.svg)\n")

    def draw(folder):
        Path(folder).mkdir(parents=True)
        Path(folder, "stack.svg").write_text("<svg/>", encoding="utf-8")

    monkeypatch.setattr(pictures, "draw", draw)
    monkeypatch.setattr(pictures, "HERE", docs / "pictures")
    app = application.Sphinx(
        docs, docs, out, tmp_path / "doctrees", "html", status=None, warningiserror=True
    )
    app.build()
    assert (out / "_images/stack.svg").read_text(encoding="utf-8") == "<svg/>"
    page = (out / "concepts/stack.html").read_text(encoding="utf-8")
    assert '<img alt="seen" src="../_images/stack.svg" />' in page
    assert not (docs / "pictures").exists()
