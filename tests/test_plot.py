"""Pictures: what is drawn are the numbers of messages, files and models."""

import importlib.util
import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from shared import (
    HEADS,
    in_mode,
    random_deep_ssm,
    random_hierarchy,
    random_hmm,
    random_lgssm,
    random_mixer,
    random_observations,
    random_tree,
    random_vae,
    random_vectors,
)

import bbans
from bbans import HMM, CorruptError, FormatError, ModelError, Records, SymbolError, plot
from bbans.cli import main
from bbans.formats import ByteCoder, MixingCoder
from bbans.particles import ParticleFilter

if importlib.util.find_spec("matplotlib") is None:
    pytest.skip("needs matplotlib", allow_module_level=True)

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot

IMAGES = random_observations(HEADS[0], 60, seed=2)
FLOAT = HMM.random(4, 6, concentration=0.4, seed=1)
SMALL = FLOAT.freeze(prec=16)
X = FLOAT.sample(300, seed=5)[0]
TEXT = "the same input gives the same bytes; " * 12


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


# ---- what steps take


def test_steps_are_the_conditionals_of_the_path():
    taken = plot.steps(X, SMALL)
    z, n = np.array(taken.states), len(X) - SMALL.start_length
    assert len(z) == n
    total = 2.0**SMALL.prec
    emitted = -np.log2(SMALL.emission[z, X[:n]] / total)
    moved = -np.log2(SMALL.transition[z[:-1], z[1:]] / total)
    # A head of 31 bits or more rounds what 16 bits of precision have to 2^-15.
    assert taken.likelihood == pytest.approx(emitted, abs=1e-3)
    assert taken.prior[1:] == pytest.approx(moved, abs=1e-3)
    assert taken.likelihood.sum() == pytest.approx(emitted.sum(), abs=1e-2)
    assert taken.prior[1:].sum() == pytest.approx(moved.sum(), abs=1e-2)
    first = -np.log2(SMALL.initial[z[0]] / total)
    assert taken.prior[0] == pytest.approx(first, abs=1e-3)
    weights = SMALL.forward(X)
    for t in (0, 7, n - 1):
        given = SMALL.posterior(weights[t], z[t + 1] if t + 1 < n else None)
        expected = -np.log2(given[z[t]] / given.sum())
        # Of totals of 26 bits: to 2^-5.
        assert taken.posterior[t] == pytest.approx(expected, abs=0.03)


MODELS = {
    "hmm": (SMALL, X),
    "linear": (random_lgssm(2, 2, seed=1).freeze(), X[:240].reshape(-1, 2)),
    "vectors": (random_vectors(3, 2, seed=1).freeze(), X[:240].reshape(-1, 2)),
    "hierarchy": (random_hierarchy([3, 2], 6, seed=0), X),
    "tree": (
        random_tree(9, 3, [6, 6, 6], seed=0, start_length=30),
        X[:240].reshape(-1, 3),
    ),
    "VAE": (random_vae(HEADS[0], [3], seed=0).freeze(IMAGES), IMAGES),
    "deep": (random_deep_ssm(HEADS[0], 3, 4, seed=0).freeze(IMAGES), IMAGES),
    "adapted": (ParticleFilter(SMALL, 8, key=1, method="adapted"), X),
}


@pytest.mark.parametrize("name", MODELS)
def test_they_add_up_to_the_message(name):
    model, x = MODELS[name]
    integer = int.from_bytes(model.encode(x), "little")
    whole = plot.steps(x, model)
    assert int(whole.bits + 1e-9) + 1 == integer.bit_length()
    assert whole.length == len(x)
    assert len(whole.states) > 0
    # The first ones alone: the same, and the others in one.
    some = plot.steps(x, model, most=5)
    assert some.grown == pytest.approx(whole.grown[:5], abs=1e-9)
    assert some.bits == pytest.approx(whole.bits, abs=1e-6)


def test_a_range_code_alone_has_no_steps():
    for model, x in [
        (in_mode(SMALL, True), X),
        (SMALL, X[: SMALL.start_length]),
        (random_mixer(kind="bytes"), b"one two"),
        (random_hmm(2, 1, seed=0), np.zeros(500, int)),  # nothing to start from
    ]:
        taken = plot.steps(x, model)
        assert taken.states == []
        assert taken.grown.size == 0
        integer = int.from_bytes(model.encode(x), "little")
        assert int(taken.bits + 1e-9) + 1 == integer.bit_length()
    assert 4 <= taken.flag < 5


def test_the_gap_is_what_the_state_says_of_the_next():
    taken, content = plot.steps(X, SMALL), bbans.costs(X, SMALL)
    gap = np.cumsum(taken.grown - content[: taken.grown.size])
    A = SMALL.transition / 2.0**SMALL.prec
    weights = SMALL.forward(X).astype(float)
    weights /= weights.sum(axis=1, keepdims=True)
    z = np.array(taken.states)
    for t in range(len(z) - 1):
        expected = np.log2(A[z[t], z[t + 1]] / (weights[t] @ A)[z[t + 1]])
        assert gap[t] == pytest.approx(expected, abs=0.05)
    assert gap[-1] == pytest.approx(0, abs=0.05)


# ---- rates


def test_a_rate_is_the_mean_of_a_window():
    bits = bbans.costs(X, SMALL)
    ax = plot.rate(X, SMALL, window=70)
    means, so_far = ax.lines
    assert means.get_ydata() == pytest.approx(
        [bits[at : at + 70].mean() for at in range(0, 300, 70)]
    )
    assert means.get_xdata().tolist() == [34.5, 104.5, 174.5, 244.5, 289.5]
    assert so_far.get_ydata()[-1] == pytest.approx(8 * len(SMALL.encode(X)) / 300)
    overhead = 8 * len(SMALL.encode(X)) - bits.sum()
    assert so_far.get_ydata()[0] == pytest.approx((overhead + bits[:70].sum()) / 70)
    assert "FrozenHMM" in ax.get_legend().get_texts()[0].get_text()


def test_several_coders_in_the_same_axes():
    ax = plot.rate(TEXT, label="learns")
    assert plot.rate(TEXT, MixingCoder(9), ax=ax) is ax
    assert plot.rate(TEXT.encode(), bbans.default_model(), label="English", ax=ax) is ax
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert [name.split(":")[0] for name in names] == [
        "learns", "MixingCoder(level=9)", "English",
    ]  # fmt: skip
    size = len(bbans.compress(TEXT))
    assert ax.lines[1].get_ydata()[-1] == pytest.approx(8 * size / len(TEXT))
    assert len({line.get_color() for line in ax.lines}) == 3


def test_a_rate_by_steps_where_p_is_not_exact():
    model, x = MODELS["VAE"]
    taken = plot.steps(x, model)
    ax = plot.rate(x, model, window=1)
    drawn = ax.lines[0].get_ydata()
    assert drawn[: taken.grown.size] == pytest.approx(taken.grown)
    assert drawn.sum() == pytest.approx(taken.bits)


def test_bits_by_steps_and_the_gap():
    ax = plot.bits(X[:150], SMALL)
    grown, content, gap = (line.get_ydata() for line in ax.lines[:3])
    taken, costs = plot.steps(X[:150], SMALL), bbans.costs(X[:150], SMALL)
    assert content == pytest.approx(costs)
    n = taken.grown.size
    assert grown[:n] == pytest.approx(taken.grown)
    assert grown[n:] == pytest.approx(costs[n:])
    assert gap[-1] == pytest.approx(taken.bits - costs.sum())
    assert gap[:n] == pytest.approx(np.cumsum(taken.grown - costs[:n]))
    many = plot.bits(np.tile(X, 3), SMALL)
    assert len(many.lines[0].get_ydata()) == 180  # means of five
    assert plot.bits(X, in_mode(SMALL, True)).lines  # a gap of the end alone


# ---- states


def image_of(ax):
    """The values of its heat map: an image, or shapes where they are few."""
    return np.asarray((ax.images or ax.collections)[0].get_array())


def test_posteriors_are_forward_messages_or_those_of_all_data():
    ax = plot.posterior(X, SMALL)
    weights = SMALL.forward(X).astype(float)
    assert image_of(ax) == pytest.approx((weights / weights.sum(1, keepdims=True)).T)
    smooth = image_of(plot.posterior(X, SMALL, given="all"))
    assert smooth == pytest.approx(HMM.from_frozen(SMALL).posterior(X).T, abs=1e-3)


def test_columns_of_a_long_posterior_are_means():
    x = np.tile(X, 10)
    drawn = image_of(plot.posterior(x, SMALL))
    assert drawn.shape == (4, 1500)
    weights = SMALL.forward(x).astype(float)
    weights /= weights.sum(axis=1, keepdims=True)
    assert drawn[:, 7] == pytest.approx(weights[14:16].mean(axis=0))


def test_the_sequence_stands_below():
    model = HMM.fit(TEXT, 3, n_iter=2, seed=0).freeze()
    ax = plot.posterior(
        "the same in$", HMM.fit(TEXT + "$", 3, n_iter=2, seed=0).freeze()
    )
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels == [*"the␣same␣in", r"\$"]
    ax.figure.canvas.draw()  # no mathematics between dollars
    assert plot.posterior(TEXT, model).get_xlabel() == "position"
    english = plot.trellis(b"a\n\xff", bbans.default_model())
    assert [label.get_text() for label in english.get_xticklabels()] == ["a", "⏎", "ff"]


def test_states_of_several_levels_and_of_vectors():
    hierarchy, x = MODELS["hierarchy"]
    assert image_of(plot.posterior(x, hierarchy)).shape == (6, len(x))
    with pytest.raises(ModelError, match="no single table of transitions"):
        plot.posterior(x, hierarchy, given="all")
    vectors, x = MODELS["vectors"]
    for given in ("past", "all"):
        drawn = image_of(plot.posterior(x, vectors, given=given))
        assert drawn.sum(axis=0) == pytest.approx(1)


def test_the_path_of_a_trellis_is_that_of_the_message():
    ax = plot.trellis(X, SMALL, length=25)
    assert ax.lines[0].get_ydata().tolist() == plot.steps(X, SMALL).states[:25]
    nodes, edges = ax.collections[1], ax.collections[0]
    weights = SMALL.forward(X[:25]).astype(float)
    weights /= weights.sum(axis=1, keepdims=True)
    at = nodes.get_offsets().astype(int)
    assert nodes.get_sizes() == pytest.approx(130 * weights[at[:, 0], at[:, 1]])
    assert (weights[at[:, 0], at[:, 1]] > 0.01).all()
    assert len(edges.get_segments()) >= 24
    assert plot.trellis(X[:3], SMALL).lines[0].get_ydata().size == 0  # range coded
    assert len(plot.trellis(X[:1], SMALL).collections) == 1  # a step, and no edges
    assert len(plot.trellis(np.uint8(3), SMALL).collections) == 1


# ---- files


def bars_of(ax):
    """Width and height of each bar."""
    shapes = [path.vertices for group in ax.collections for path in group.get_paths()]
    return [(np.ptp(at[:, 0]), at[:, 1].max()) for at in shapes]


def test_blocks_of_a_container_are_as_wide_and_as_high_as_they_are(tmp_path):
    noise = np.random.default_rng(0).bytes(3000)
    blob = bbans.compress(TEXT.encode() * 20, block_size=4000)
    blob += bbans.compress(noise, ByteCoder())
    ax = plot.blocks(blob)
    bars, n = bars_of(ax), 20 * len(TEXT) + 3000
    assert len(bars) == 4
    assert sum(width for width, _ in bars) == n
    held = sum(width * height / 8 for width, height in bars)
    assert len(blob) - 200 < held < len(blob)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert any(name.startswith("mixing: 3 blocks") for name in names)
    assert any(name.startswith("stored: 1 block, 3 KB") for name in names)
    assert ax.lines[0].get_ydata()[0] == pytest.approx(8 * len(blob) / n)
    path = tmp_path / "x.bbz"
    path.write_bytes(blob)
    assert plot.blocks(path).get_xlim() == (0, n)


def test_hundreds_of_blocks_are_drawn_together():
    blob = bbans.compress(
        bytes(3000) + bytes(range(256)) * 8, ByteCoder(), block_size=2
    )
    ax = plot.blocks(blob)
    bars = bars_of(ax)
    assert 2 <= len(bars) <= 600
    assert sum(width for width, _ in bars) == 5048
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert (
        sum(int(re.search(r": (\d+) blocks", name)[1]) for name in names[:-1]) == 2524
    )


def test_records_by_group(tmp_path):
    codec = bbans.RecordCodec(bbans.text_model())
    records = [f"line {i} of many" for i in range(600)]
    Records.write(tmp_path / "x.bbr", records, codec)
    ax = plot.blocks(tmp_path / "x.bbr")
    bars = bars_of(ax)
    assert [width for width, _ in bars] == [256, 256, 88]
    size = sum(len(codec.encode(record)) for record in records)
    held = sum(width * height / 8 for width, height in bars)
    assert held == pytest.approx(size)
    data = bytearray((tmp_path / "x.bbr").read_bytes())
    data[-40] ^= 1
    with pytest.raises(CorruptError):
        plot.blocks(bytes(data))


def test_tables_of_models():
    figure = plot.tables(SMALL)
    named = {ax.get_title(): ax for ax in figure.axes if ax.get_title()}
    assert list(named) == ["initial", "transition", "emission"]
    assert image_of(named["transition"]) == pytest.approx(
        SMALL.transition / 2.0**SMALL.prec
    )
    bars = named["initial"].containers[0]
    assert [bar.get_width() for bar in bars] == pytest.approx(
        SMALL.initial / 2.0**SMALL.prec
    )
    vectors = MODELS["vectors"][0]
    drawn = {ax.get_title(): ax for ax in plot.tables(vectors).axes}
    assert image_of(drawn["location"]) == pytest.approx(vectors.location / 2**16)
    assert image_of(drawn["scale"]) == pytest.approx(2.0 ** (vectors.scale / 256))
    levels = plot.tables(MODELS["hierarchy"][0])
    assert sum(bool(ax.get_title()) for ax in levels.axes) == 5
    large = plot.tables(bbans.default_model())
    assert image_of(large.axes[2]).shape == (64, 256)


# ---- mistakes


def test_what_cannot_be_drawn():
    for draw in (plot.rate, plot.bits, plot.posterior, plot.trellis):
        with pytest.raises(SymbolError, match="nothing to draw"):
            draw([], SMALL)
        with pytest.raises(ModelError):
            draw(X, FLOAT)
        with pytest.raises(SymbolError):
            draw("text", SMALL)
    for name in ("linear", "VAE", "tree"):
        model, x = MODELS[name]
        for draw in (plot.posterior, plot.trellis):
            with pytest.raises(ModelError, match="no finite number of states"):
                draw(x, model)
    with pytest.raises(ModelError, match="no exact"):
        plot.bits(IMAGES, MODELS["VAE"][0])
    with pytest.raises(ModelError, match="no tables to draw"):
        plot.tables(bbans.text_model())
    with pytest.raises(ModelError, match='"past" or "all"'):
        plot.posterior(X, SMALL, given="future")
    with pytest.raises(ModelError, match="most"):
        plot.steps(X, SMALL, most=-1)
    with pytest.raises(ModelError, match="empty"):
        plot.blocks(bbans.compress(b""))
    for draw in (plot.rate, plot.bits, plot.posterior, plot.trellis):
        with pytest.raises(ModelError, match="ax must be axes of matplotlib, not 3"):
            draw(X, SMALL, ax=3)
    with pytest.raises(ModelError, match="ax must be axes of matplotlib, not 3"):
        plot.blocks(bbans.compress(b"abc"), ax=3)
    with pytest.raises(ModelError, match="figure must be a figure of matplotlib"):
        plot.tables(SMALL, figure=pyplot)
    with pytest.raises(FormatError):
        plot.blocks(SMALL.to_bytes())
    with pytest.raises(ModelError, match=r"plot\.rate|MixingCoder"):
        plot.rate(np.arange(40))


def test_without_matplotlib_the_error_says_what_to_install(tmp_path):
    code = """
import sys
sys.modules["matplotlib"] = None
import bbans
taken = bbans.plot.steps(b"It is a truth " * 9, bbans.default_model())
try:
    bbans.plot.rate(b"abc")
except ImportError as error:
    assert "pip install 'bbans[plot]'" in str(error)
    print(len(taken.states))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert int(done.stdout) > 0


# ---- in the shell


STARTS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("x.bbz", ".png"), ("x.bbz", ".svg"), ("x.bbr", ".pdf"), ("x.bbm", ".png")],
)
def test_info_plots_files_of_all_kinds(tmp_path, monkeypatch, capsys, name, suffix):
    monkeypatch.chdir(tmp_path)
    Path("x.bbz").write_bytes(bbans.compress(TEXT))
    SMALL.save("x.bbm", packed=True)
    Records.write("x.bbr", ["one", "two"], bbans.RecordCodec(bbans.text_model()))
    out = Path(f"drawn{suffix}")
    assert main.main(["info", "--plot", str(out), name]) == 0
    drawn = out.read_bytes()
    assert drawn.startswith(STARTS[suffix])
    assert "kind:" in capsys.readouterr().out
    out.write_bytes(b"kept")
    assert main.main(["info", "--plot", str(out), name]) == 1
    assert "-f replaces it" in capsys.readouterr().err
    assert out.read_bytes() == b"kept"


def test_info_plot_replaces_with_force(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("x.bbz").write_bytes(bbans.compress(TEXT))
    Path("x.svg").write_bytes(b"old")
    assert main.main(["info", "-f", "--plot", "x.svg", "x.bbz"]) == 0
    assert Path("x.svg").read_bytes().startswith(STARTS[".svg"])


def test_info_plot_reads_stdin_and_says_what_is_wrong(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    stdin = io.TextIOWrapper(io.BytesIO(bbans.compress(TEXT)))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main.main(["info", "--plot", "x.png", "-"]) == 0
    assert Path("x.png").stat().st_size > 1000
    Path("x.bbz").write_bytes(bbans.compress(b""))
    Path("x.bbm").write_bytes(bbans.text_model().to_bytes())
    for arguments, error in (
        (["--plot", "x.jpg", "x.bbz"], ".png, .svg or .pdf"),
        (["--plot", "y.png", "x.bbz"], "nothing to draw"),
        (["--plot", "y.png", "x.bbm"], "no tables to draw"),
        (["--plot", "y.png", "none.bbz"], "none.bbz"),
    ):
        assert main.main(["info", *arguments]) == 1
        assert error in capsys.readouterr().err
    assert not Path("y.png").exists()
