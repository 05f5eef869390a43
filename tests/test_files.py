"""Files that are whole or not there, and streams that give and take in parts."""

import errno
import io
import os
import stat
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import bbans
from bbans import _files
from bbans._files import (
    Patient,
    discard_unfinished,
    is_plain,
    permissions,
    read_all,
    read_full,
    replacing,
    write_file,
    write_full,
)

DATA = os.urandom(300_000)  # several times what a pipe holds
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture(autouse=True)
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


# ---- non-blocking streams


@pytest.fixture
def pipe():
    """Both ends of a pipe, raw, neither of which blocks."""
    ends = [os.fdopen(n, m, 0) for n, m in zip(os.pipe(), ("rb", "wb"), strict=True)]
    for end in ends:
        os.set_blocking(end.fileno(), False)
    yield ends
    for end in ends:
        end.close()


def feed(file, data):
    """Write in parts, each when the one before has been read, and close."""

    def run():
        for start in range(0, len(data), 40_000):
            time.sleep(0.02)  # the reader finds nothing
            write_full(file, data[start : start + 40_000])
        file.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def drain(file):
    """Read slowly to the end: the writer finds the pipe full."""
    parts = []

    def run():
        time.sleep(0.05)
        while part := read_full(file, 50_000):
            parts.append(part)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, parts


@pytest.mark.parametrize("wrap", [lambda raw: raw, io.BufferedReader])
def test_a_non_blocking_pipe_is_read_to_its_end(pipe, wrap):
    thread = feed(pipe[1], DATA)
    file = wrap(pipe[0])
    assert read_full(file, 100_001) == DATA[:100_001]
    assert read_all(file) == DATA[100_001:]
    assert read_full(file, 1) == b""
    thread.join()


def test_a_patient_file_reads_as_one_that_blocks(pipe):
    thread = feed(pipe[1], DATA)
    file = io.BufferedReader(Patient(pipe[0], "pipe"))
    assert file.read(10) == DATA[:10]
    assert file.read() == DATA[10:]
    thread.join()


@pytest.mark.parametrize("wrap", [lambda raw: raw, io.BufferedWriter])
def test_a_non_blocking_pipe_gets_everything(pipe, wrap):
    thread, parts = drain(pipe[0])
    file = wrap(pipe[1])
    write_full(file, DATA)
    os.set_blocking(pipe[1].fileno(), True)  # for the buffer's last bytes
    file.close()
    thread.join()
    assert b"".join(parts) == DATA


def test_a_patient_file_writes_as_one_that_blocks(pipe):
    thread, parts = drain(pipe[0])
    assert Patient(pipe[1], "pipe").write(DATA) == len(DATA)
    pipe[1].close()
    thread.join()
    assert b"".join(parts) == DATA


def test_containers_through_non_blocking_pipes(pipe):
    thread, parts = drain(pipe[0])
    bbans.compress_file(io.BytesIO(DATA), pipe[1])
    pipe[1].close()
    thread.join()
    assert b"".join(parts) == bbans.compress(DATA)


@pytest.mark.parametrize("alphabet", [256, "abc"])
def test_containers_from_non_blocking_pipes(pipe, alphabet):
    model = bbans.HMM.random(2, 256 if alphabet == 256 else 3, seed=0)
    model = bbans.HMM(
        model.initial, model.transition, model.emission, alphabet=alphabet
    ).freeze()
    data = DATA[:90_000] if alphabet == 256 else b"abcab" * 18_000
    thread, packed = feed(pipe[1], data), io.BytesIO()
    bbans.compress_file(pipe[0], packed, model)
    thread.join()
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    back = io.BytesIO()
    with open(reader, "rb", 0) as source:
        thread = feed(os.fdopen(writer, "wb", 0), packed.getvalue())
        bbans.decompress_file(source, back, model)
    thread.join()
    assert back.getvalue() == data


class Sloppy(io.BytesIO):
    """Its results say nothing, and it has no descriptor."""

    def read(self, size=-1):
        return None

    def write(self, data):
        super().write(data)


def test_no_result_is_neither_the_end_nor_all():
    for call in (
        lambda: read_full(Sloppy(), 1),
        lambda: read_all(Sloppy()),
        lambda: write_full(Sloppy(), b"x"),
        lambda: bbans.compress_file(Sloppy(), io.BytesIO()),
        lambda: bbans.compress_file(io.BytesIO(b"x"), Sloppy()),
    ):
        with pytest.raises(BlockingIOError, match=r"of Sloppy has no result.*pass"):
            call()


def test_no_result_of_a_file_that_blocks_is_an_error(tmp_path):
    """To write again would write twice."""
    with open(tmp_path / "x", "wb", 0) as file:
        silent = Sloppy()
        silent.fileno = file.fileno
        with pytest.raises(BlockingIOError):
            write_full(silent, b"x")


def test_errors_of_a_patient_file_have_its_name(tmp_path):
    (tmp_path / "x").touch()
    with open(tmp_path / "x", "wb", 0) as file:
        os.set_blocking(file.fileno(), True)
        number = os.open(tmp_path / "x", os.O_RDONLY)
        os.dup2(number, file.fileno())  # now it cannot be written to
        os.close(number)
        with pytest.raises(OSError, match="somewhere") as error:
            Patient(file, "somewhere").write(b"x")
    assert (error.value.errno, error.value.filename) == (errno.EBADF, "somewhere")


# ---- durability


@pytest.fixture
def calls(monkeypatch):
    """What is synchronised, and when names change: by inode, in order."""
    made = []

    def record(name, of):
        original = getattr(os, name)

        def call(first, *rest, **options):
            made.append((name, of(first).st_ino))
            return original(first, *rest, **options)

        monkeypatch.setattr(os, name, call)

    record("fsync", os.fstat)
    record("replace", os.stat)
    record("link", os.stat)
    return made


@posix
@pytest.mark.parametrize(("force", "change"), [(True, "replace"), (False, "link")])
def test_file_then_name_then_directory_are_synchronised(tmp_path, calls, force, change):
    path = tmp_path / "x"
    with replacing(path, force=force) as file:
        file.write(DATA)
    inode = path.stat().st_ino
    assert calls == [
        ("fsync", inode),
        (change, inode),
        ("fsync", tmp_path.stat().st_ino),
    ]


@posix
def test_all_that_writes_files_synchronises_them(tmp_path, calls):
    hmm = bbans.HMM.random(2, 2, seed=0)
    for save in (hmm.save, hmm.freeze().save, lambda path: write_file(path, b"x")):
        calls.clear()
        save(tmp_path / "x")
        assert [name for name, _ in calls] == ["fsync", "replace", "fsync"]


@posix
def test_data_are_in_the_file_when_it_is_synchronised(tmp_path, monkeypatch):
    sizes = []
    monkeypatch.setattr(os, "fsync", lambda number: sizes.append(os.fstat(number)))
    write_file(tmp_path / "x", b"12345")
    assert sizes[0].st_size == 5


@posix
def test_a_directory_that_cannot_be_synchronised(tmp_path, monkeypatch):
    fsync, wrong = os.fsync, errno.EINVAL

    def refuse(number):
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(wrong, os.strerror(wrong))
        fsync(number)

    monkeypatch.setattr(os, "fsync", refuse)
    write_file(tmp_path / "x", b"there is no such service")
    wrong = errno.EIO
    with pytest.raises(OSError, match="x"):
        write_file(tmp_path / "x", b"the disk is broken")


# ---- one of several writers


@pytest.mark.parametrize("links", [True, False])
def test_without_force_one_writer_wins(tmp_path, monkeypatch, links):
    if not links:

        def refuse(*_):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "x"

    def both():
        with replacing(path, force=False) as slow:
            slow.write(b"slow")
            with replacing(path, force=False) as fast:
                fast.write(b"fast")

    with pytest.raises(FileExistsError) as error:
        both()
    assert error.value.filename == str(path)
    assert path.read_bytes() == b"fast"
    assert os.listdir(tmp_path) == ["x"]


def test_without_force_what_exists_is_refused_at_once(tmp_path):
    write_file(tmp_path / "x", b"old")
    with pytest.raises(FileExistsError), replacing(tmp_path / "x", force=False):
        pytest.fail("too late")
    assert (tmp_path / "x").read_bytes() == b"old"


def test_a_failure_leaves_all_as_it_was(tmp_path):
    write_file(tmp_path / "x", b"old")
    with pytest.raises(TypeError), replacing(tmp_path / "x") as file:
        file.write("no bytes")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_what_is_unfinished_can_be_discarded(tmp_path):
    """As before a signal ends the process."""
    with replacing(tmp_path / "x") as file:
        file.write(b"done")
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "y"):
        discard_unfinished()
    assert os.listdir(tmp_path) == ["x"]


# ---- what cannot be asked


@pytest.fixture
def blind(monkeypatch):
    """After so many calls, a name cannot be asked what it is: an I/O error, once."""

    def fail(call, after):
        def once(path, *rest, **options):
            nonlocal after
            if os.fspath(path).endswith("x"):
                after -= 1
                if after == -1:
                    raise OSError(errno.EIO, os.strerror(errno.EIO), path)
            return original(path, *rest, **options)

        original = getattr(os, call)
        monkeypatch.setattr(os, call, once)

    return fail


@pytest.mark.parametrize("after", [0, 1])
def test_a_file_that_cannot_be_looked_at_is_not_appended_to(tmp_path, blind, after):
    write_file(tmp_path / "x", b"old")
    blind("stat", after)
    with pytest.raises(OSError, match="x"):
        write_file(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"


@posix
def test_a_link_that_cannot_be_looked_at_stays(tmp_path, blind):
    write_file(tmp_path / "target", b"old")
    (tmp_path / "x").symlink_to("target")
    blind("lstat", 0)
    with pytest.raises(OSError, match="x"):
        write_file(tmp_path / "x", b"new")
    assert (tmp_path / "x").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"old"


# ---- names


def test_a_loop_of_links_is_an_error(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match=r"a'$") as error:
        write_file(tmp_path / "a", b"")
    assert error.value.errno == errno.ELOOP
    assert (tmp_path / "a").is_symlink()


@pytest.mark.parametrize("force", [True, False])
def test_a_link_to_nothing_is_followed(tmp_path, force):
    (tmp_path / "link").symlink_to("target")
    with replacing(tmp_path / "link", force=force) as file:
        file.write(b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["", "new/", "new/.", "new/..", "missing/x", "."])
def test_names_that_no_file_can_have(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError) as error:  # noqa: PT011 - its name is looked at
        write_file(name, b"x")
    assert error.value.filename == name
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_name_for_an_open_file_is_written_to(tmp_path):
    """Replaced, what others write to the file would be lost, and what they wrote."""
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    with open(path, "ab", 0) as log:
        name = f"/proc/self/fd/{log.fileno()}"
        assert not is_plain(name)
        write_file(name, b"two\n")
        log.write(b"three\n")
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    assert is_plain(path)
    assert not is_plain("/dev/null")
    assert not is_plain(tmp_path)


def test_an_open_file_is_written_to(tmp_path):
    file = io.BytesIO()
    model = bbans.HMM.random(2, 3, seed=0)
    model.save(file)
    (tmp_path / "m.npz").write_bytes(file.getvalue())
    assert (bbans.HMM.load(tmp_path / "m.npz").emission == model.emission).all()


# ---- permissions and times


@posix
def test_a_file_is_like_its_source_when_it_is_done(tmp_path):
    source = tmp_path / "source"
    source.touch()
    source.chmod(0o4640)
    os.utime(source, ns=(10**18, 10**18 + 123_456_000))
    with replacing(tmp_path / "x", source=source.stat()) as file:
        (unfinished,) = {p.name for p in tmp_path.iterdir()} - {"source"}
        assert mode_of(tmp_path / unfinished) == 0o600
        file.write(DATA)
    assert mode_of(tmp_path / "x") == 0o640
    assert (tmp_path / "x").stat().st_mtime_ns == source.stat().st_mtime_ns


@posix
@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_without_a_source_a_file_is_like_the_one_before(tmp_path, mode):
    path = tmp_path / "x"
    path.touch()
    path.chmod(mode)
    with replacing(path):
        (unfinished,) = {p.name for p in tmp_path.iterdir()} - {"x"}
        assert mode_of(tmp_path / unfinished) == 0o600
    assert mode_of(path) == mode


@posix
def test_a_new_file_has_the_usual_permissions_or_fewer(tmp_path):
    write_file(tmp_path / "x", b"")
    assert mode_of(tmp_path / "x") == 0o644
    for name in ("new", "x"):
        with replacing(tmp_path / name, mode=0o700):
            pass
        assert mode_of(tmp_path / name) == 0o600


@posix
@pytest.mark.parametrize(
    ("mode", "same", "other"),
    [
        (0o640, 0o640, 0o600),
        (0o644, 0o644, 0o644),
        (0o604, 0o604, 0o600),
        (0o6775, 0o775, 0o755),
    ],
)
def test_another_group_gains_nothing(tmp_path, mode, same, other):
    path = tmp_path / "x"
    path.touch()
    path.chmod(mode)
    status = path.stat()
    assert permissions(status, status.st_gid) == same
    assert permissions(status, status.st_gid + 1) == other


@posix
def test_owner_and_group_are_kept_where_allowed(tmp_path):
    source = tmp_path / "source"
    source.touch()
    source.chmod(0o640)
    try:
        os.chown(source, 4321, 1234)
    except PermissionError:
        pytest.skip("only root gives files away")
    with replacing(tmp_path / "x", source=source.stat()):
        pass
    status = (tmp_path / "x").stat()
    assert (status.st_uid, status.st_gid, mode_of(tmp_path / "x")) == (
        4321,
        1234,
        0o640,
    )


@posix
def test_a_file_is_more_private_where_its_group_is_another(tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.touch()
    source.chmod(0o640)
    status = source.stat()
    fields = {name: getattr(status, name) for name in dir(status) if name[:3] == "st_"}
    fields["st_gid"] += 1

    def refuse(*_):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "fchown", refuse)
    with replacing(tmp_path / "x", source=SimpleNamespace(**fields)):
        pass
    assert mode_of(tmp_path / "x") == 0o600


@posix
def test_a_file_system_without_permissions(tmp_path, monkeypatch):
    """What cannot be set does not stop the file."""

    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    for name in ("fchown", "fchmod", "utime"):
        monkeypatch.setattr(_files.os, name, refuse)
    source = tmp_path / "source"
    source.touch()
    with replacing(tmp_path / "x", source=source.stat()) as file:
        file.write(b"x")
    assert (tmp_path / "x").read_bytes() == b"x"
