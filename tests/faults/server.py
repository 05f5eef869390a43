"""Runs acts of bbans under faults: one process for each, forked, so that it starts at
once. Reads jobs from stdin and answers on stdout, a line of JSON each."""

import ctypes
import json
import os
import resource
import signal
import sys
import time
import traceback

import numpy as np
from acts import record

import bbans
from bbans import api
from bbans._files import write_full

# What commands load when they need it is there before the first fault.
from bbans.cli import compress, decompress, info, listing, pack, train, unpack  # noqa: F401
from bbans.cli.main import main
from bbans.models import HMM, _checkpoint

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER = 1, 2, 3


def command_line(*words):
    try:
        return main(words)
    except SystemExit as end:
        return end.code


def acknowledge(what):
    """Say that something was promised: the log of calls has it in its place."""
    with open("ack", "ab", buffering=0) as file:
        write_full(file, f"{what}\n".encode())


def append(path, start, *sizes):
    """Append records in parts of these sizes, and acknowledge each."""
    n = int(start)
    with bbans.Records(path, threads=1) as records:
        for size in map(int, sizes):
            records.extend([record(k) for k in range(n, n + size)])
            n += size
            acknowledge(n)
    return 0


def store(path, value):
    """Write all chunks of an array of a zarr store, one after another."""
    import zarr

    zarr.config.set({"async.concurrency": 1, "threading.max_workers": 1})
    zarr.open_array(path, mode="r+")[:] = int(value)
    return 0


def compact(path):
    with bbans.Records(path, threads=1) as records:
        records.compact()
    return 0


def read_records(path):
    with bbans.Records(path, threads=1) as records:
        for text in records:
            write_full(sys.stdout.buffer, text.encode() + b"\n")
    return 0


def fit(path, checkpoint):
    _checkpoint._SHARE = 0  # after each update, however long that takes
    x = np.random.default_rng(0).integers(0, 4, 400)
    model = HMM.fit(
        x, 3, n_iter=4, tol=0, threads=1, checkpoint=checkpoint, resume=True
    )
    model.save(path)
    return 0


def save(path):
    HMM.random(3, 4, seed=1).save(path)
    return 0


def freeze(path):
    HMM.random(3, 4, seed=1).freeze().save(path)
    return 0


def compress_file(name):
    with open(name, "rb") as source:
        api.compress_file(source, sys.stdout.buffer, threads=1)
    return 0


def decompress_file(name):
    with open(name, "rb") as source:
        api.decompress_file(source, sys.stdout.buffer, threads=1)
    return 0


def drop_rights():
    """Let permissions hold for root too."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3
    data = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None)
    if libc.capget(header, data) != 0:
        raise OSError("capget")
    for right in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER):
        data[0] &= ~(1 << right)
    if libc.capset(header, data) != 0:
        raise OSError("capset")


ACTS = {
    act.__name__: act
    for act in (
        command_line, append, store, compact, read_records, fit, save, freeze,
        compress_file, decompress_file,
    )
}  # fmt: skip


def child(job):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(job["folder"])
    for number, name in enumerate(job["streams"]):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        opened = os.open(name, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    if job["fsize"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["fsize"],) * 2)
    if job["drop"]:
        drop_rights()
    if job["umask"] is not None:
        os.umask(job["umask"])
    os.environ.update(job["environment"])
    if "FAULTS_ROOT" in job["environment"]:
        ctypes.CDLL(None).faults_begin()
    try:
        status = ACTS[job["act"]](*job["words"])
        sys.stdout.flush()
    except (bbans.BbansError, OSError, MemoryError) as error:
        os.write(2, f"bbans: {type(error).__name__}: {error}\n".encode())
        status = 1
    except BaseException:
        os.write(2, traceback.format_exc().encode())
        status = 70
    os._exit(status)


def serve():
    bbans.default_model()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as a shell's background jobs have it
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            child(job)
        if job["signal"]:
            number, seconds = job["signal"]
            time.sleep(seconds)
            os.kill(pid, number)
        end = time.monotonic() + 30
        while (found := os.waitpid(pid, os.WNOHANG))[0] == 0:
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                break
            time.sleep(0.001)
        code = None if found[0] == 0 else os.waitstatus_to_exitcode(found[1])
        print(json.dumps(code), flush=True)


serve()
