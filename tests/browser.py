"""Headless Chromium for tests, by its DevTools protocol over a pipe, and a server
of static files for it. Nothing is installed for it but Chromium."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import functools
import http.server
import json
import os
import select
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

SECONDS = 60  # for an answer; a machine under load may need some to start
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-background-networking", "--disable-sync",
    "--disable-extensions", "--disable-component-update", "--hide-scrollbars",
    "--force-color-profile=srgb", "--remote-debugging-pipe",
)  # fmt: skip
# As strict as a page of files of its own can ask for, and run WebAssembly.
STRICT = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none';"
    " form-action 'none'"
)


class JavaScriptError(Exception):
    """An exception that the page threw; its text has the stack."""


def find() -> str | None:
    """The path of a Chromium, or None."""
    found = map(shutil.which, (os.environ.get("CHROMIUM", ""), *NAMES))
    return next(filter(None, found), None)


@contextlib.contextmanager
def serve(folder: str | Path, headers: dict[str, str] | None = None) -> Iterator[str]:
    """Serve the files of a folder on this machine.

    Parameters
    ----------
    folder : path
    headers : dict, optional
        To send with each of them, as a content security policy.

    Yields
    ------
    str
        The address of the folder, without a slash behind.
    """

    class Handler(http.server.SimpleHTTPRequestHandler):
        extensions_map = {  # noqa: RUF012 - as in the base class
            **http.server.SimpleHTTPRequestHandler.extensions_map,
            ".js": "text/javascript",
            ".mjs": "text/javascript",
            ".wasm": "application/wasm",
        }

        def end_headers(self) -> None:
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # as where a worker that was ended did not wait for its file

    handler = functools.partial(Handler, directory=str(folder))
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Chromium:
    """A browser with a profile of its own, which ends with the `with` block."""

    def __init__(self) -> None:
        program = find()
        if program is None:
            raise FileNotFoundError("no Chromium: install it, or set CHROMIUM")
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.downloads = Path(self._profile.name, "downloads")
        self.downloads.mkdir()
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def plug() -> None:  # it reads from 3 and writes to 4
            ends = [
                fcntl.fcntl(end, fcntl.F_DUPFD, 5) for end in (to_browser, from_browser)
            ]
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self._process = subprocess.Popen(
            [program, *OPTIONS, f"--user-data-dir={self._profile.name}"],
            preexec_fn=plug, pass_fds=(3, 4), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._number = 0
        self._tabs: dict[str, Tab] = {}

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            self.call("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)
        self._profile.cleanup()

    def open(self, url: str) -> Tab:
        """A tab with this page, once all that it names is loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)
        tab = Tab(self, session["sessionId"], target)
        self._tabs[session["sessionId"]] = tab
        self.call(
            "Browser.setDownloadBehavior",
            behavior="allow",
            downloadPath=str(self.downloads),
        )
        tab.start(url)
        return tab

    def call(self, method: str, session: str | None = None, **params: Any) -> Any:
        """Send a command, and wait for its result."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        # In pieces: the pipe holds 64 KiB, and the browser reads it in turns.
        data = memoryview(json.dumps(message).encode() + b"\0")
        while data:
            data = data[os.write(self._write, data) :]
        answer = self.wait(lambda answer: answer.get("id") == number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next message that is wanted; tabs keep what they want of the others."""
        end = time.monotonic() + SECONDS
        while True:
            text, found, rest = self._buffer.partition(b"\0")
            if found:
                self._buffer = rest
                message: dict[str, Any] = json.loads(text)
                if tab := self._tabs.get(message.get("sessionId", "")):
                    tab.notice(message)
                if wanted(message):
                    return message
                continue
            if not select.select([self._read], [], [], end - time.monotonic())[0]:
                raise TimeoutError(f"Chromium is silent for {SECONDS} s")
            piece = os.read(self._read, 1 << 20)
            if not piece:
                raise OSError("Chromium has ended")
            self._buffer += piece


class Tab:
    """A page: `Chromium.open`.

    Attributes
    ----------
    console : list of str
        Errors and warnings: exceptions, of promises too, what the page wrote to
        its console, and what the browser did, as files that are missing.
    """

    def __init__(self, browser: Chromium, session: str, target: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target
        self.console: list[str] = []

    def call(self, method: str, **params: Any) -> Any:
        """A command of the protocol, for what has no method here."""
        return self._browser.call(method, self._session, **params)

    def start(self, url: str) -> None:
        """Go to a page."""
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)
        self._browser.wait(
            lambda message: (
                message.get("sessionId") == self._session
                and message.get("method") == "Page.loadEventFired"
            )
        )

    def close(self) -> None:
        """End the page, and free what it has."""
        self._browser.call("Target.closeTarget", targetId=self._target)

    def notice(self, message: dict[str, Any]) -> None:
        """Keep what went wrong."""
        params = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.console.append(_thrown(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                if params["type"] in ("error", "warning", "assert"):
                    words = (str(a.get("value", a)) for a in params["args"])
                    self.console.append(" ".join(words))
            case "Log.entryAdded":
                entry = params["entry"]
                if entry["level"] in ("error", "warning"):
                    self.console.append(f"{entry['text']} {entry.get('url', '')}")

    def evaluate(self, body: str) -> Any:
        """The value of an expression, which may `await`, as JSON has it.

        Raises
        ------
        JavaScriptError
            What the expression throws.
        """
        result = self.call(
            "Runtime.evaluate", expression=f"(async () => ({body}\n))()",
            awaitPromise=True, returnByValue=True, userGesture=True,
        )  # fmt: skip
        if "exceptionDetails" in result:
            raise JavaScriptError(_thrown(result["exceptionDetails"]))
        return result["result"].get("value")

    def until(self, body: str, seconds: float = SECONDS) -> Any:
        """Evaluate until it is true, and return that value."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(body)):
            if time.monotonic() > end:
                text = f"not true after {seconds} s: {body}"
                raise TimeoutError("\n".join([text, *self.console]))
            time.sleep(0.02)
        return value

    def files(self, selector: str, paths: list[Path]) -> None:
        """Choose files in an <input type="file">, as the user's dialog does."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)
        self.call(
            "DOM.setFileInputFiles",
            files=[str(path) for path in paths],
            nodeId=node["nodeId"],
        )

    def press(self, key: str, code: int = 0, modifiers: int = 0) -> None:
        """Press a key: "Tab" with 9, "Enter" with 13, and so on."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key,
                windowsVirtualKeyCode=code, modifiers=modifiers,
                **({"text": text} if text and kind == "keyDown" else {}),
            )  # fmt: skip

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        """Take the size, and the colours, of a device."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: str | Path, whole: bool = True) -> None:
        """Write a PNG of the page, or of what of it is in the window."""
        shot = self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=whole
        )
        Path(path).write_bytes(base64.b64decode(shot["data"]))


def _thrown(details: dict[str, Any]) -> str:
    exception = details.get("exception", {})
    return str(exception.get("description") or exception.get("value", details["text"]))
