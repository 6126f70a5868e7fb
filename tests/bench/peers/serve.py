# SPDX-License-Identifier: Apache-2.0
"""serve.py PEER: imports a peer's library once; each job that stdin brings, a line of JSON, is a process of its own, forked from
this one, which connects to the job's socket and answers the driver's requests there, a line each. So importing costs once, and
every measurement has a fresh process whose peak of memory is its own."""
import importlib
import json
import os
import signal
import socket
import sys
import traceback


def resident():
    """The most memory that the process has held, in bytes."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def answer(peer, request):
    if request["do"] == "losses":
        return peer.losses(request["steps"])
    if request["do"] == "run":
        return peer.run(request["steps"])
    return resident()


def serve(peers, job):
    os.environ.update(job["environment"])
    line = socket.socket(socket.AF_UNIX)
    line.connect(job["socket"])
    stream = line.makefile("rw")
    try:
        peer = peers.Peer(job)
        for text in stream:
            stream.write(json.dumps({"value": answer(peer, json.loads(text))}) + "\n")
            stream.flush()
    except BrokenPipeError:
        pass
    except Exception as e:
        words = traceback.format_exc() if os.environ.get("LTHOST_BENCH_TRACE") else f"{type(e).__name__}: {e}"
        stream.write(json.dumps({"error": words[:4000]}) + "\n")
        stream.flush()


def main():
    peers = importlib.import_module(sys.argv[1] + "_peer")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    for text in sys.stdin:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            sys.stdin = open(os.devnull)
            serve(peers, json.loads(text))
            os._exit(0)


main()
