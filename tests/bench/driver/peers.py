# SPDX-License-Identifier: Apache-2.0
"""Peers: a server of each library (peers/serve.py) makes a process for each job, which lives as long as its Peer."""
import json
import os
import socket
import subprocess

LIBRARY = {"eager": "torch", "compile": "torch", "lightning": "lightning", "jax": "jax"}
PATIENCE = 900  # seconds: torch.compile


class Missing(Exception):
    """The peer cannot be had, or failed."""


class Servers:
    def __init__(self, python, folder, scratch):
        self.python, self.folder, self.scratch, self.open, self.count = python, folder, scratch, {}, 0

    def server(self, library):
        if library not in self.open:
            environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1", "JAX_PLATFORMS": "cpu"}
            with open(f"{self.scratch}/{library}.log", "w") as log:
                process = subprocess.Popen([self.python, os.path.join(self.folder, "serve.py"), library], text=True,
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment)
            self.open[library] = process if process.stdout.readline() == "ready\n" else None
        if not self.open[library]:
            with open(f"{self.scratch}/{library}.log") as log:
                raise Missing(f"{library} cannot be imported: {log.read().strip()[-300:]}")
        return self.open[library]

    def start(self, job, cache):
        server = self.server(LIBRARY[job["variant"]])
        self.count += 1
        path = f"{self.scratch}/{self.count}.socket"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(60)
        # What torch compiled for one number of threads does not fit another, though its cache does not tell them apart.
        n = str(job["threads"])
        environment = {"OMP_NUM_THREADS": n, "MKL_NUM_THREADS": n, "NPROC": n, "TORCHINDUCTOR_CACHE_DIR": f"{cache}/torch-{n}"}
        if job["variant"] == "jax":
            environment["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={str(n != '1').lower()} intra_op_parallelism_threads={n}"
        server.stdin.write(json.dumps({**job, "socket": path, "environment": environment}) + "\n")
        server.stdin.flush()
        try:
            line, _ = listener.accept()
        except TimeoutError:
            raise Missing(f"{job['variant']} did not start")
        finally:
            listener.close()
        return Peer(line)

    def close(self):
        for process in self.open.values():
            if process:
                process.stdin.close()
                process.wait()


class Peer:
    def __init__(self, line):
        line.settimeout(PATIENCE)
        self.line, self.stream = line, line.makefile("rw")

    def ask(self, **request):
        try:
            self.stream.write(json.dumps(request) + "\n")
            self.stream.flush()
            text = self.stream.readline()
        except OSError as e:
            raise Missing(f"gave no answer: {e}")
        if not text:
            raise Missing("ended without an answer")
        reply = json.loads(text)
        if "error" in reply:
            raise Missing(reply["error"])
        return reply["value"]

    def close(self):
        try:
            self.stream.close()
        except OSError:
            pass
        self.line.close()
