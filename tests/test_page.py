"""The page that runs the library in the browser, in headless Chromium."""

import base64
import importlib.util
import json
import re
from collections import Counter
from pathlib import Path

import browser
import numpy as np
import pytest

import bbans
from bbans.frozen import shipped_model

PAGE = Path(__file__).parents[1] / "js" / "page"
POLICY = {"Content-Security-Policy": browser.STRICT}
TEXT = (
    "It is a truth universally acknowledged, that a single man in possession of a good"
    " fortune, must be in want of a wife. — Ça alors: 1 £, 2 €, 3 𝄞!\n"
) * 4
BINARY = bytes(np.random.default_rng(5).integers(0, 40, 3000, np.uint8) ** 2 % 251)

pytestmark = pytest.mark.skipif(browser.find() is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files of the page."""
    spec = importlib.util.spec_from_file_location("build_page", PAGE / "build.py")
    build_page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build_page)
    if not build_page.can_build():
        pytest.skip("needs js/bbans.wasm, or ziglang: pip install 'bbans[wasm]'")
    folder = tmp_path_factory.mktemp("page")
    build_page.build(folder)
    return folder


@pytest.fixture(scope="module")
def site(folder):
    """The address of the page, served under a strict policy."""
    with browser.serve(folder, POLICY) as url:
        yield url


@pytest.fixture(scope="module")
def chromium(site):
    with browser.Chromium() as running:
        yield running


class Page:
    """A tab with the page, and what a user does there."""

    def __init__(self, running, site):
        self.downloads = running.downloads
        self.tab = running.open(f"{site}/index.html")
        self.tab.evaluate(
            "import('./page.js').then(m => { window.page = m; return 0 })"
        )
        self.shown(0)

    def shown(self, before):
        """Wait for what is shown after that."""
        try:
            self.tab.until(f"page.state.ready > {before}", 20)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.text('#status')}") from None

    def after(self, act):
        """Do something, and wait until the page has answered."""
        before = self.tab.evaluate("page.state.ready")
        act()
        self.shown(before)

    def element(self, selector):
        return f"document.querySelector({json.dumps(selector)})"

    def text(self, selector):
        return self.tab.evaluate(f"{self.element(selector)}.innerText")

    def shows(self, selector):
        return self.tab.evaluate(f"{self.element(selector)}.checkVisibility()")

    def click(self, selector):
        self.after(lambda: self.tab.evaluate(f"{self.element(selector)}.click()"))

    def type(self, text):
        def act():
            area = self.element("#text")
            self.tab.evaluate(
                f"({area}.value = {json.dumps(text)},"
                f" {area}.dispatchEvent(new Event('input')), 0)"
            )

        self.after(act)

    def choose(self, path, selector="#file"):
        self.after(lambda: self.tab.files(selector, [path]))

    def level(self, level):
        def act():
            slide = self.element("#level")
            self.tab.evaluate(
                f"({slide}.value = {level},"
                f" {slide}.dispatchEvent(new Event('input')), 0)"
            )

        self.after(act)

    def saved(self, selector):
        """Click a link that saves a file; its name and its bytes."""
        name = self.tab.evaluate(f"{self.element(selector)}.download")
        path = self.downloads / name
        path.unlink(missing_ok=True)
        self.tab.evaluate(f"{self.element(selector)}.click()")
        self.tab.until("true")
        for _ in range(500):
            if path.exists():
                break
            self.tab.evaluate("new Promise(done => setTimeout(done, 10))")
        return name, path.read_bytes()

    def array(self, expression, dtype):
        """A typed array of the page."""
        text = self.tab.evaluate(
            f"(() => {{ const a = {expression}; let s = '';"
            " for (const b of new Uint8Array(a.buffer, a.byteOffset, a.byteLength))"
            " s += String.fromCharCode(b); return btoa(s) })()"
        )
        return np.frombuffer(base64.b64decode(text), dtype)


@pytest.fixture(scope="module")
def opened(chromium, site):
    """One page for all tests: to begin, it compiles half a megabyte."""
    return Page(chromium, site)


@pytest.fixture
def page(opened):
    """A page as it begins, but for what came before; at the end it has no complaint."""
    opened.tab.resize(1200, 900)
    opened.after(
        lambda: opened.tab.evaluate(
            "(document.querySelector('#level').value = 5,"
            " document.querySelector('input[name=model]').click(),"
            " document.querySelector('[data-example=prose]').click())"
        )
    )
    yield opened
    assert opened.tab.console == []


ENGLISH = "input[value=english]"


def test_what_is_missing_is_said(chromium, folder, tmp_path):
    for path in folder.iterdir():
        if path.name not in ("bbans.wasm", "english.bbm"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    said = "document.querySelector('#status-text').innerText"
    with browser.serve(tmp_path, POLICY) as url:
        tab = chromium.open(f"{url}/index.html")
        tab.until(f"{said}.includes('bbans.wasm cannot be loaded: HTTP status 404')")
        (tmp_path / "bbans.wasm").write_bytes((folder / "bbans.wasm").read_bytes())
        tab = chromium.open(f"{url}/index.html")
        tab.until(f"{said}.includes('less.')")
        tab.evaluate(f"document.querySelector('{ENGLISH}').click()")
        tab.until(f"{said}.includes('english.bbm: 404')")


def example(page, name):
    page.click(f"[data-example={name}]")
    return page.tab.evaluate("page.state.data")


@pytest.mark.parametrize("level", [1, 3, 5, 9])
def test_text_becomes_the_bytes_of_python(page, level):
    page.type(TEXT)
    if level != 5:
        page.level(level)
    name, blob = page.saved("#download")
    assert name == "text.txt.bbz"
    assert blob == bbans.compress(TEXT, level=level)
    assert f"{len(blob):,}" in page.text("#sizes")


@pytest.mark.parametrize("name", ["prose", "log", "table", "noise"])
def test_examples_become_the_bytes_of_python(page, name):
    text = example(page, name)
    assert page.saved("#download")[1] == bbans.compress(text)
    page.click(ENGLISH)
    assert page.saved("#download")[1] == bbans.compress(text, shipped_model("english"))


@pytest.mark.parametrize("data", [BINARY, b"", b"\0", TEXT.encode()], ids=len)
def test_files_become_the_bytes_of_python(page, tmp_path, data):
    path = tmp_path / "some file.bin"
    path.write_bytes(data)
    page.choose(path)
    name, blob = page.saved("#download")
    assert name == "some file.bin.bbz"
    assert blob == bbans.compress(data)
    page.click(ENGLISH)
    assert page.saved("#download")[1] == bbans.compress(data, shipped_model("english"))


def test_a_file_can_be_dropped(page):
    def act():
        page.tab.evaluate(
            "(() => { const dataTransfer = new DataTransfer();"
            " dataTransfer.items.add(new File(['dropped '.repeat(99)], 'd.log'));"
            " document.querySelector('#text').dispatchEvent(new DragEvent('drop',"
            " { dataTransfer, bubbles: true, cancelable: true })) })()"
        )

    page.after(act)
    assert page.saved("#download") == ("d.log.bbz", bbans.compress(b"dropped " * 99))


def test_what_runs_can_be_stopped(page):
    """Four megabytes of noise take seconds: they end at once, and the page goes on."""
    noise = "crypto.getRandomValues(new Uint8Array(65536))"
    page.tab.evaluate(
        "(() => { const dataTransfer = new DataTransfer();"
        f" const parts = Array.from({{ length: 64 }}, () => {noise});"
        " dataTransfer.items.add(new File(parts, 'noise'));"
        " document.dispatchEvent(new DragEvent('drop', { dataTransfer })) })()"
    )
    page.tab.until("!document.querySelector('#cancel').hidden")
    page.tab.evaluate("document.querySelector('#cancel').click()")
    assert page.text("#status-text") == "Stopped."
    assert not page.shows("#download")
    page.type("On.")
    assert page.saved("#download")[1] == bbans.compress("On.")


def own_models():
    letters = bbans.HMM.fit(TEXT, 3, seed=1).freeze()
    return {
        "text": letters,
        "contexts": bbans.ARHMM.fit(TEXT, 2, order=2, seed=1).freeze(),
        "mixer": shipped_model("text"),
        "utf8": bbans.RecordCodec.train([TEXT] * 30, max_bytes=9000).model,
    }


@pytest.mark.parametrize("name", ["text", "contexts", "mixer", "utf8"])
def test_a_model_of_ones_own(page, tmp_path, name):
    model = own_models()[name]
    model.save(tmp_path / "own.bbm")
    page.type(TEXT)
    page.choose(tmp_path / "own.bbm", "#model-file")
    assert page.saved("#download")[1] == bbans.compress(TEXT, model)
    bits = page.array("page.state.analysis.bits", float)
    data = TEXT.encode() if model.kind == "bytes" else TEXT
    np.testing.assert_allclose(bits, bbans.costs(data, model), atol=1e-9)
    assert "own.bbm" in page.text("#own-label")


def test_colours_add_up_to_the_information_content(page):
    """Of the mixing coder to what its block takes, and as Python counts."""
    page.type(TEXT)
    bits = page.array("page.state.analysis.bits", float)
    np.testing.assert_allclose(bits, bbans.costs(TEXT, level=5), atol=1e-9)
    block = len(bbans.compress(TEXT)) - len(bbans.compress(""))
    assert abs(bits.sum() / 8 - block) < 16
    page.click(ENGLISH)
    model = shipped_model("english")
    bits = page.array("page.state.analysis.bits", float)
    np.testing.assert_allclose(bits, bbans.costs(TEXT.encode(), model), atol=1e-9)
    message = 8 * len(bbans.encode(TEXT.encode(), model))
    assert 0 < message - bits.sum() < 16
    assert f"{bits.sum():,.1f}" in page.text("#account")


def test_each_character_has_the_colour_of_its_bits(page):
    page.type(TEXT)
    bits = page.array("page.state.analysis.bits", float)
    shown = page.tab.evaluate(
        "[...document.querySelectorAll('#coloured span')].map(s =>"
        " [s.textContent, s.style.getPropertyValue('--share')])"
    )
    assert [text for text, _ in shown] == list(TEXT.replace("\n", "↵"))
    at = 0
    for (_, share), character in zip(shown, TEXT, strict=True):
        n = len(character.encode())
        wanted = min(1, bits[at : at + n].sum() / (8 * n))
        assert abs(float(share.rstrip("%")) - 100 * wanted) <= 0.51
        at += n


def smoothed(model, weights):
    """P(z_t | x_1 .. x_T), backward in floats from the weights of the filter."""
    A = model.transition / model.transition.sum(1, keepdims=True)
    chances = weights / weights.sum(1, keepdims=True)
    for t in range(len(chances) - 2, -1, -1):
        chances[t] *= A @ (chances[t + 1] / (chances[t] @ A))
    return chances


def test_characters_without_a_shape(page):
    page.type("\ufeffa\u0301\0\u200b.")
    shown = page.tab.evaluate(
        "[...document.querySelectorAll('#coloured span')].map(s => s.textContent)"
    )
    assert shown == ["·", "a", "\u0301", "␀", "·", "."]
    page.type("half \ud83d of one")
    assert page.saved("#download")[1] == bbans.compress("half \ud83d of one")
    assert "halves of characters" in page.text("#account")
    assert not page.shows("#symbols")


def test_the_posterior_is_that_of_the_tables(page):
    page.type(TEXT)
    page.click(ENGLISH)
    model, x = shipped_model("english"), np.frombuffer(TEXT.encode(), np.uint8)
    chances = smoothed(model, model.filter(x)[0])
    page.tab.until("page.symbols.chances !== null")
    shown = page.array("page.symbols.chances", np.float32).reshape(-1, 64)
    np.testing.assert_allclose(shown, chances, atol=1e-6)
    np.testing.assert_allclose(shown.sum(1), 1, atol=1e-4)
    likely = chances[0].argmax()
    assert f"state {likely}: {100 * chances[0, likely]:.1f} %" in page.text("#readout")
    written, at = Counter(), 0
    for character in TEXT:
        end = at + len(character.encode())
        written[character] += chances[at:end, likely].sum()
        at = end
    said = page.text("#readout").rpartition("mostly of ")[2].split()
    assert said == [character for character, _ in written.most_common(len(said))]


def test_containers_are_restored(page, tmp_path):
    model = shipped_model("english")
    table = np.arange(600, dtype=np.int16).reshape(200, 3) ** 2
    cases = [
        ("a.txt.bbz", bbans.compress(TEXT), ("a.txt", TEXT.encode())),
        ("b.bin.bbz", bbans.compress(BINARY), ("b.bin", BINARY)),
        ("c.bbz", bbans.compress(TEXT, model), ("c.txt", TEXT.encode())),
    ]
    for name, blob, wanted in cases:
        (tmp_path / name).write_bytes(blob)
        page.choose(tmp_path / name)
        assert page.saved("#save") == wanted
    for array in (table, table.astype(">i4"), table / 7, table > 9):
        bbans.save(tmp_path / "d.bbz", array)
        page.choose(tmp_path / "d.bbz")
        name, data = page.saved("#save")
        (tmp_path / name).write_bytes(data)
        back = np.load(tmp_path / name)
        assert name == "d.npy"
        assert back.dtype == array.dtype
        assert back.tolist() == array.tolist()
        assert "200 \N{MULTIPLICATION SIGN} 3" in page.text("#facts")


def test_what_needs_another_model_says_so(page, tmp_path):
    page.type(TEXT)
    other = bbans.HMM.fit(TEXT, 2, seed=2).freeze()
    (tmp_path / "o.bbz").write_bytes(bbans.compress(TEXT, other))
    page.choose(tmp_path / "o.bbz")
    assert other.fingerprint.hex() in page.text("#facts")
    assert "not restored" in page.text("#facts")
    assert not page.shows("#save")
    other.save(tmp_path / "o.bbm")
    page.choose(tmp_path / "o.bbm", "#model-file")  # opens the file again
    assert page.saved("#save") == ("o.txt", TEXT.encode())


def test_models_of_vectors_have_no_colours(page, tmp_path):
    vectors = np.frombuffer(BINARY, np.uint8).reshape(-1, 4)
    model = bbans.LatentTree.fit(vectors, 2).freeze()
    model.save(tmp_path / "v.bbm")
    (tmp_path / "v.bin").write_bytes(BINARY)
    page.choose(tmp_path / "v.bin")
    page.choose(tmp_path / "v.bbm", "#model-file")
    assert page.saved("#download")[1] == bbans.compress(BINARY, model)
    assert "4 numbers together" in page.text("#account")
    assert not page.shows("#symbols")


def test_records_are_read_by_number(page, tmp_path):
    lines = [f"user {i} has logged in from {i % 7}" for i in range(700)]
    codec = bbans.RecordCodec.train(lines, max_bytes=20_000)
    bbans.Records.write(tmp_path / "log.bbr", lines, codec)
    page.choose(tmp_path / "log.bbr")
    assert "700" in page.text("#facts")
    assert page.text("#preview") == lines[0]
    assert page.saved("#save") == ("log", "".join(f"{x}\n" for x in lines).encode())
    field = page.element("#record")
    page.tab.evaluate(
        f"({field}.value = 613, {field}.dispatchEvent(new Event('change')), 0)"
    )
    page.tab.until(f"document.querySelector('#preview').innerText === '{lines[613]}'")


def test_a_model_says_what_it_is(page, tmp_path):
    model = shipped_model("english")
    model.save(tmp_path / "m.bbm")
    page.choose(tmp_path / "m.bbm")
    facts = page.text("#facts")
    assert model.fingerprint.hex() in facts
    assert re.search(r"states\s+64\b", facts)


def test_damage_is_said_and_leaves_the_page_whole(page, tmp_path):
    blob = bytearray(bbans.compress(TEXT))
    blob[len(blob) // 2] ^= 4
    (tmp_path / "bad.bbz").write_bytes(blob)
    page.tab.files("#file", [tmp_path / "bad.bbz"])
    page.tab.until("document.querySelector('#status-text').className === 'error'")
    assert "bad.bbz" in page.text("#status")
    page.type("It goes on.")
    assert page.saved("#download")[1] == bbans.compress("It goes on.")
    (tmp_path / "no.bbm").write_bytes(b"no model")
    page.tab.files("#model-file", [tmp_path / "no.bbm"])
    page.tab.until("document.querySelector('#status-text').className === 'error'")
    page.type("And on.")
    assert page.saved("#download")[1] == bbans.compress("And on.")


def test_long_texts_are_shown_in_pages(page):
    text = "".join(f"line {i * i % 997} of many, é\n" for i in range(400))
    page.type(text)
    page.tab.evaluate("document.querySelector('#later').click()")
    shown = page.text("#coloured").replace("↵", "")
    first = len(text.encode()[:4096].decode("utf-8", "ignore"))
    assert shown.startswith(text[first : first + 50].strip("\n"))
    assert "4,096 to 8,191" in page.text("#range")


def test_the_posterior_follows_the_page(page, tmp_path):
    """Of turns one behind the other, the last one's; later blocks begin afresh."""
    text = "".join(f"Of {i * i} things he said {i % 7}.\n" for i in range(2600))
    assert 65536 + 2 * 4096 < len(text) < 80_000
    (tmp_path / "long.txt").write_text(text)
    page.click(ENGLISH)
    page.choose(tmp_path / "long.txt")
    for position in (10_000, 71_000):
        page.tab.evaluate(
            "import('./charts.js').then(({ rateScale }) => {"
            " const at = document.querySelector('#rate').getBoundingClientRect();"
            f" const {{ x }} = rateScale(at.width, {len(text)});"
            f" const clientX = at.left + x({position});"
            " document.querySelector('#rate')"
            ".dispatchEvent(new MouseEvent('click', { clientX })) })"
        )
    page.tab.until("page.symbols.chances !== null")
    assert "69,632 to 73,727" in page.text("#range")
    model, data = shipped_model("english"), text.encode()
    bits = [bbans.costs(data[at : at + 65536], model) for at in (0, 65536)]
    shown = page.array("page.state.analysis.bits", float)
    np.testing.assert_array_equal(shown, np.concatenate(bits))
    block = np.frombuffer(text[65536 : 65536 + 2 * 4096 + 256].encode(), np.uint8)
    shown = page.array("page.symbols.chances", np.float32).reshape(-1, 64)
    chances = smoothed(model, model.filter(block)[0])[4096 : 2 * 4096]
    np.testing.assert_allclose(shown, chances, atol=1e-6)


def test_the_keyboard_reaches_all_and_moves_in_the_text(page):
    page.type("Keys.")
    seen = []
    page.tab.evaluate("(document.activeElement.blur(), window.focus(), 0)")
    for _ in range(40):
        page.tab.press("Tab", 9)
        seen.append(page.tab.evaluate("document.activeElement.id"))
    assert {"text", "file", "model-file", "level", "download", "coloured"} <= set(seen)
    page.tab.evaluate("document.querySelector('#coloured').focus()")
    page.tab.press("ArrowRight", 39)
    assert page.text("#readout").startswith("byte 1: “e”, ")
    page.tab.press("End", 35)
    assert page.text("#readout").startswith("byte 4: “.”, ")


def test_all_that_takes_the_focus_has_a_name(page):
    page.tab.call("Accessibility.enable")
    nodes = page.tab.call("Accessibility.getFullAXTree")["nodes"]
    reached = 0
    for node in nodes:
        properties = {
            p["name"]: p["value"].get("value") for p in node.get("properties", [])
        }
        if node.get("ignored") or not properties.get("focusable"):
            continue
        if node["role"]["value"] == "RootWebArea":
            continue
        reached += 1
        assert node["name"]["value"], node
    assert reached >= 12


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_contrast(page, dark):
    """WCAG 2, level AA: 4.5 for text, on what it is painted on."""
    page.tab.resize(1000, 800, dark)
    colours = page.tab.evaluate(
        "Object.fromEntries(['ground', 'raised', 'ink', 'faint', 'accent',"
        " 'on-accent', 'cost', 'error'].map(n => [n, getComputedStyle("
        "document.documentElement).getPropertyValue('--' + n).trim()]))"
    )

    def luminance(name):
        c = np.array([int(colours[name][i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    pairs = [("ink", g) for g in ("ground", "raised", "cost")]
    pairs += [(f, g) for f in ("faint", "error") for g in ("ground", "raised")]
    pairs += [("on-accent", "accent")]
    for text, ground in pairs:
        low, high = sorted([luminance(text), luminance(ground)])
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


@pytest.mark.parametrize("width", [320, 390, 1400])
def test_nothing_is_wider_than_the_window(page, width):
    page.tab.resize(width, 800)
    page.click(ENGLISH)
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= width
