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

# What commands load when they need it is there before the first fault.
from bbans.cli import compress, decompress, info, listing, pack, train, unpack  # noqa: F401
from bbans.cli.main import main
from bbans.models import HMM

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER = 1, 2, 3


def command_line(*words):
    try:
        return main(words)
    except SystemExit as end:
        return end.code


def acknowledge(what):
    """Say that something was promised: the log of calls has it in its place."""
    number = os.open("ack", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(number, f"{what}\n".encode())
    os.close(number)


def append(path, start, *sizes):
    """Append records in parts of these sizes, and acknowledge each."""
    n = int(start)
    with bbans.Records(path, threads=1) as records:
        for size in map(int, sizes):
            records.extend([record(k) for k in range(n, n + size)])
            n += size
            acknowledge(n)
    return 0


def compact(path):
    with bbans.Records(path, threads=1) as records:
        records.compact()
    return 0


def read_records(path):
    with bbans.Records(path, threads=1) as records:
        for text in records:
            print(text)
    return 0


def fit(path, checkpoint):
    x = np.random.default_rng(0).integers(0, 4, 400)
    model = HMM.fit(
        x, 3, n_iter=6, tol=0, threads=1, checkpoint=checkpoint, resume=True
    )
    model.save(path)
    return 0


def save(path):
    HMM.random(3, 4, seed=1).save(path)
    return 0


def freeze(path):
    HMM.random(3, 4, seed=1).freeze().save(path)
    return 0


def compress_file(source, sink):
    api.compress_file(source, sink, threads=1)
    return 0


def decompress_file(source, sink):
    api.decompress_file(source, sink, threads=1)
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
        command_line, append, compact, read_records, fit, save, freeze, compress_file,
        decompress_file,
    )
}  # fmt: skip


def child(job):
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
