"""Many files, compressed and restored on many machines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

from bbans import api
from bbans._arguments import as_integer
from bbans._files import is_plain, replacing
from bbans.distributed.workers import workers_of
from bbans.errors import BbansError, ModelError, WrongModelError
from bbans.formats.coders import LEVEL_DEFAULT, LEVEL_MAX
from bbans.frozen.base import FrozenModel
from bbans.frozen.model_file import SHIPPED, shipped_model
from bbans.models._training import progress_bar

__all__ = ["FileResult", "compress_tree", "decompress_tree"]

Path = str | os.PathLike[str]

# Files of one task, at most: a task takes a millisecond of the scheduler's time.
_TASK_FILES, _TASK_BYTES = 64, 1 << 24


class FileResult(NamedTuple):
    """What became of a file.

    Attributes
    ----------
    path, output : str
    status : {"done", "skipped", "failed"}
        "skipped": the output was there, whole, of this model, and no older than the
        file, as after a worker died that had begun it.
    n_bytes, n_output_bytes : int
        Sizes of the file and its output; 0 where they are not known.
    error : str
        Why it failed.
    """

    path: str
    output: str
    status: Literal["done", "skipped", "failed"]
    n_bytes: int
    n_output_bytes: int
    error: str = ""


class _Job(NamedTuple):
    """What is done with each file."""

    compress: bool
    model: FrozenModel | None
    level: int | None
    threads: int
    keep: bool
    force: bool


def compress_tree(
    paths: Path | Iterable[Path],
    client: Any = None,
    *,
    model: FrozenModel | Path | None = None,
    level: int | None = None,
    suffix: str = ".bbz",
    threads: int = 1,
    keep: bool = True,
    force: bool = False,
    recursive: bool = True,
    progress: bool | Callable[[FileResult], object] | None = None,
) -> list[FileResult]:
    """Compress files on the workers of a Dask client, each to one beside it.

    Parameters
    ----------
    paths : path or iterable of paths
        Files and folders that all workers see under these names. In folders, names that
        end in `suffix` are left out, and so are symbolic links, and what is no regular
        file.
    client : dask.distributed.Client, optional
        Without one, the same is done in this process.
    model : FrozenModel, path or name, optional
        A model, its file, read here, or one that comes with bbans. It travels once to a
        worker. By default each file is coded by what is in it, as by `compress_file`.
    level : int, optional
        As for `compress`.
    suffix : str
        Added to a file's name for its output.
    threads : int
        Of a file.
    keep : bool
        Otherwise a file is removed when its output is whole and on disk.
    force : bool
        Compress all, and replace outputs that exist. By default outputs that are whole
        and no older than their file stay, so that a call that was interrupted can be
        repeated; one that is not is an error.
    recursive : bool
        Whether folders in folders are searched.
    progress : bool or callable, optional
        A bar on standard error, as for `HMM.fit`; or what is called with each
        `FileResult`, as they come.

    Returns
    -------
    list of FileResult
        Of each file, in the order of paths and of names in folders. A file that fails
        is one of them, and does not end the work.

    Raises
    ------
    ModelError, FormatError, OSError
        If an argument, the model or one of `paths` is not what it should be: before any
        work.

    Notes
    -----
    An output appears only when it is whole, with the permissions and times of its file.
    Small files go up to 64 to a task. An interrupt cancels all tasks; files whose
    compression runs are done.
    """
    if level is not None:
        level = as_integer(level, "level", 1, LEVEL_MAX)
    if model is not None:
        model, level = _model(model), LEVEL_DEFAULT if level is None else level
    job = _Job(True, model, level, as_integer(threads, "threads", 1), keep, force)
    files = [
        (path, path + suffix)
        for path in _files(paths, recursive)
        if not path.endswith(_suffix(suffix))
    ]
    return _run(files, job, client, progress)


def decompress_tree(
    paths: Path | Iterable[Path],
    client: Any = None,
    *,
    model: FrozenModel | Path | None = None,
    suffix: str = ".bbz",
    threads: int = 1,
    keep: bool = True,
    force: bool = False,
    recursive: bool = True,
    progress: bool | Callable[[FileResult], object] | None = None,
) -> list[FileResult]:
    """Restore files on the workers of a Dask client, each to one beside it.

    Parameters
    ----------
    paths, client, threads, keep, force, recursive, progress
        As for `compress_tree`, of files whose names end in `suffix`; others are left
        out.
    model : FrozenModel, path or name, optional
        That files were compressed with.
    suffix : str
        Removed from a file's name for its output.

    Returns
    -------
    list of FileResult
        Outputs that exist and are no older than their file are skipped.

    Raises
    ------
    ModelError, FormatError, OSError
        As `compress_tree`.
    """
    model = None if model is None else _model(model)
    job = _Job(False, model, None, as_integer(threads, "threads", 1), keep, force)
    files = [
        (path, path.removesuffix(suffix))
        for path in _files(paths, recursive)
        if path.endswith(_suffix(suffix)) and os.path.basename(path) != suffix
    ]
    return _run(files, job, client, progress)


def _suffix(suffix: str) -> str:
    if not (isinstance(suffix, str) and suffix and "/" not in suffix):
        raise ModelError(f"suffix must be the end of a name, not {suffix!r}")
    return suffix


def _model(model: FrozenModel | Path) -> FrozenModel:
    if isinstance(model, FrozenModel):
        return model
    if isinstance(model, str) and model in SHIPPED:
        return shipped_model(model)
    if isinstance(model, str | os.PathLike):
        return FrozenModel.load(model)
    raise ModelError(
        f"model must be frozen, or the path of its file, not {model!r}: float models "
        "are frozen by their freeze()"
    )


def _files(paths: Path | Iterable[Path], recursive: bool) -> list[str]:
    """Regular files, each once."""
    several = [paths] if isinstance(paths, str | os.PathLike) else paths
    found: dict[str, str] = {}  # by where they are
    for path in several:
        name = os.fspath(path)
        if os.path.isdir(name):
            names = list(_walked(name, recursive))
        elif is_plain(name):
            names = [name]
        else:
            os.stat(name)  # is there one?
            raise ModelError(f"{name} is no regular file")
        for one in names:
            found.setdefault(os.path.realpath(one), one)
    return [*found.values()]


def _walked(folder: str, recursive: bool) -> Iterator[str]:
    """Regular files in a folder, in the order of their names."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                if recursive:
                    yield from _walked(entry.path, recursive)
            elif entry.is_file(follow_symlinks=False) and not entry.name.startswith(
                ".bbans-"  # somebody writes it
            ):
                yield entry.path


def _run(
    files: list[tuple[str, str]],
    job: _Job,
    client: Any,
    progress: bool | Callable[[FileResult], object] | None,
) -> list[FileResult]:
    """Do a job on each file and its output."""
    found: dict[str, FileResult] = {}
    bar = progress_bar(len(files), False if callable(progress) else progress)
    bar.unit = "file"
    bar.set_description("compressing" if job.compress else "restoring")

    def tell(results: list[FileResult]) -> None:
        for one in results:
            found[one.path] = one
            bar.update()
            if callable(progress):
                progress(one)

    with bar, workers_of(client) as workers:
        shared = workers.share(job)
        alone: list[list[tuple[str, str]]] = []  # of those that ended their workers
        tasks = [*_grouped(files)]
        for number, result in workers.each(_done, [(shared, task) for task in tasks]):
            if isinstance(result, Exception):
                alone += [[file] for file in tasks[number]]
            else:
                tell(result)
        for number, result in workers.each(_done, [(shared, task) for task in alone]):
            if isinstance(result, Exception):
                ((path, output),) = alone[number]
                result = [FileResult(path, output, "failed", 0, 0, str(result))]
            tell(result)
    return [found[path] for path, _ in files]


def _grouped(files: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """The files of each task."""
    task: list[tuple[str, str]] = []
    size = 0
    for path, output in files:
        more = os.path.getsize(path)
        if task and (len(task) == _TASK_FILES or size + more > _TASK_BYTES):
            yield task
            task, size = [], 0
        task.append((path, output))
        size += more
    if task:
        yield task


# ---- what runs on workers


def _done(job: _Job, task: list[tuple[str, str]]) -> list[FileResult]:
    return [_result(job, path, output) for path, output in task]


def _result(job: _Job, path: str, output: str) -> FileResult:
    n = 0
    status: Literal["done", "skipped"] = "skipped"
    try:
        if not (job.keep or os.path.lexists(path)):  # a worker that died had done it
            return FileResult(path, output, status, n, os.path.getsize(output))
        found = os.stat(path)
        n = found.st_size
        if not job.force and os.path.lexists(output):
            _check_whole(job, found, output)
        else:
            _write(job, path, output)
            status = "done"
        size = os.path.getsize(output)
        if not job.keep:
            os.unlink(path)
        return FileResult(path, output, status, n, size)
    except (BbansError, OSError, MemoryError) as error:
        text = str(error) or type(error).__name__
        return FileResult(path, output, "failed", n, 0, text)


def _check_whole(job: _Job, source: os.stat_result, output: str) -> None:
    """Refuse an output that exists, unless it is what would be written."""
    again = "pass force=True to replace it"
    if os.stat(output).st_mtime_ns < source.st_mtime_ns:
        raise ModelError(f"{output} exists, and is older: {again}")
    if not job.compress:
        return
    try:
        api.open(output, job.model).close()
    except WrongModelError:
        raise ModelError(f"{output} exists, of another model: {again}") from None
    except BbansError as error:
        raise ModelError(
            f"{output} exists, and is not whole: {error}: {again}"
        ) from None


def _write(job: _Job, path: str, output: str) -> None:
    with open(path, "rb") as source:
        like = os.fstat(source.fileno())
        with replacing(output, force=job.force, source=like) as sink:
            if job.compress:
                api.compress_file(
                    source, sink, job.model, level=job.level, threads=job.threads
                )
            else:
                api.decompress_file(source, sink, job.model, threads=job.threads)
