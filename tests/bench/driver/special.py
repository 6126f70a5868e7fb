# SPDX-License-Identifier: Apache-2.0
"""The rows that time no step: each is a class as Step is, with measure(), table(), lines(), record()."""
import os
import pty
import re
import shutil
import statistics
import subprocess
import threading
import time

from ours import Failure
from steps import say


class Special:
    def __init__(self, name, row, lthost, servers, options):
        self.name, self.row, self.lthost, self.servers, self.options = name, row, lthost, servers, options
        self.source = os.path.abspath(os.path.join(lthost.rows, "../../.."))
        self.found, self.wrong = {}, []

    def goal(self, key="goal"):
        return float(self.row[key]) if key in self.row else None

    def record(self):
        return self.found

    def demo_command(self, *settings):
        return [self.lthost.program, "run", "--plugin-dir", self.lthost.plugins,
                os.path.join(self.source, "plugins/models/mlp/run.ini"), f"run.dir={self.lthost.scratch}/runs", *settings]


class Startup(Special):
    """From the command to the end of the first training step, files in the cache."""

    def measure(self):
        path = f"{self.lthost.scratch}/clock"
        command = self.demo_command(f"callback.bench_clock.path={path}", "trainer.max_steps=1")
        times = []
        for _ in range(6 if self.options.quick else 21):
            start = time.monotonic_ns()
            self.lthost.call(command)
            with open(path) as file:
                end = int(re.search(r"^ends (\d+)", file.read(), re.M).group(1))
            times.append((end - start) / 1e6)
        self.found["milliseconds"] = times[1:]

    def table(self):
        times = self.found["milliseconds"]
        yield f"command to the end of the first step: {statistics.median(times):.1f} ms ({min(times):.1f} to {max(times):.1f})"

    def lines(self):
        return [(self.name, "milliseconds", statistics.median(self.found["milliseconds"]), self.goal(), "most")]


class Demo(Special):
    """The whole command of packaging/demo.sh's run, and the same by Lightning in a process of its own."""

    def once(self, command):
        shutil.rmtree(f"{self.lthost.scratch}/runs", ignore_errors=True)
        start = time.monotonic()
        with open(f"{self.lthost.scratch}/demo.log", "w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.lthost.scratch)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            with open(f"{self.lthost.scratch}/demo.log") as log:
                raise Failure(f"{' '.join(command)}: {log.read()[-600:]}")
        return time.monotonic() - start, usage.ru_maxrss * 1024

    def measure(self):
        digits = os.path.join(self.source, "plugins/datamodules/digits/digits.csv.gz")
        script = os.path.join(self.servers.folder, "demo_lightning.py")
        for _ in range(1 if self.options.quick else 3):
            for threads in self.options.threads:
                self.found.setdefault(f"lthost {threads}", []).append(self.once(self.demo_command(f"run.threads={threads}")))
                peer = [self.servers.python, script, digits, self.lthost.scratch, str(threads)]
                try:
                    self.found.setdefault(f"lightning {threads}", []).append(self.once(peer))
                except Failure as e:
                    say(f"  {e}")

    def best(self, who):
        """The least median over the numbers of threads: seconds, bytes."""
        medians = [tuple(statistics.median(column) for column in zip(*runs)) for key, runs in self.found.items()
                   if key.startswith(who) and runs]
        return min(medians) if medians else None

    def table(self):
        for key, runs in self.found.items():
            seconds, held = zip(*runs) if runs else ((float("nan"),), (float("nan"),))
            yield f"{key:14} threads: {statistics.median(seconds):8.3f} s, {statistics.median(held) / 1e6:6.0f} MB"

    def lines(self):
        ours, theirs = self.best("lthost"), self.best("lightning")
        if not theirs:
            return [(self.name, "lightning", None, self.goal("goal.lightning"), "least")]
        return [(self.name, "lightning", theirs[0] / ours[0], self.goal("goal.lightning"), "least"),
                (self.name, "memory/lightning", ours[1] / theirs[1], self.goal("goal.memory"), "most")]


class Trainer(Special):
    """The trainer around the plan: time, and instructions."""

    def command(self, steps, *settings):
        laid_over = os.path.join(os.path.dirname(self.lthost.rows), "trainer.ini")
        return [self.lthost.program, "run", "--plugin-dir", self.lthost.plugins, self.lthost.file(self.row), laid_over,
                f"run.dir={self.lthost.scratch}/runs", "run.threads=1", f"trainer.max_steps={steps}", *settings]

    def on_a_terminal(self, command):
        """As a user sees it, progress bar and all."""
        shutil.rmtree(f"{self.lthost.scratch}/runs", ignore_errors=True)
        ours, theirs = pty.openpty()
        seen = []

        def read():
            try:
                while piece := os.read(ours, 65536):
                    seen.append(piece)
            except OSError:
                pass
        reader = threading.Thread(target=read)
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        reader.start()
        process.wait()
        reader.join()
        os.close(ours)
        if process.returncode:
            raise Failure(f"{' '.join(command)}: {b''.join(seen).decode(errors='replace')[-600:]}")

    def times(self):
        pairs, steps, warm = (6, 100, 100) if self.options.quick else (30, 200, 200)
        path = f"{self.lthost.scratch}/pairs"
        self.on_a_terminal(self.command(warm + pairs * steps, f"accelerator.pairs={pairs}", f"accelerator.steps={steps}",
                                        f"accelerator.warm={warm}", f"accelerator.output={path}"))
        with open(path) as file:
            found = [[int(n) / steps / 1e3 for n in line.split()[1:]] for line in file]
        if len(found) != pairs:
            raise Failure(f"{len(found)} pairs of {pairs} were timed")
        self.found["pairs"] = found

    def count(self, steps):
        """Instructions of a run of so many steps: in all, in the plan, in the datamodule's fetch."""
        out = f"{self.lthost.scratch}/callgrind"
        # What is counted lies outside the plan; in it valgrind shall be spared fused multiply-adds, which it is slow with.
        plain = {"LTHOST_CPU_ISA": "baseline", "OPENBLAS_CORETYPE": "Nehalem", "ONEDNN_MAX_CPU_ISA": "SSE41"}
        self.lthost.call(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *self.command(
            steps, "callback.bench_clock.enabled=false")], plain)
        annotate = ["callgrind_annotate", "--inclusive=yes", "--threshold=100", "--auto=no", out]
        text = subprocess.run(annotate, capture_output=True, text=True).stdout

        def of(pattern):
            match = re.search(r"^\s*([0-9,]+) \([^)]*\)\s+" + pattern, text, re.M)
            if not match:
                raise Failure(f"callgrind_annotate tells nothing of {pattern}: {text[:400]}")
            return int(match.group(1).replace(",", ""))
        return [of("PROGRAM TOTALS"), of(r".*:bench_tap_run\b"), of(r".*:bench_data_fetch\b")]

    def instructions(self):
        short, long = 50, 150
        less, more = self.count(short), self.count(long)
        self.found["instructions"] = [(b - a) / (long - short) for a, b in zip(less, more)]

    def measure(self):
        self.times()
        if shutil.which("valgrind"):
            self.instructions()
        else:
            say("  valgrind is not installed: no instructions are counted")

    def ratio(self):
        return statistics.median(trainer / bare for trainer, bare in self.found["pairs"])

    def table(self):
        trainer, bare = zip(*self.found["pairs"])
        yield (f"{statistics.median(trainer):.1f} us a step under the trainer, {statistics.median(bare):.1f} us in a bare loop, "
               f"{len(bare)} pairs, 1 thread")
        if "instructions" in self.found:
            whole, plan, fetch = self.found["instructions"]
            yield (f"{whole:,.0f} instructions a step: {plan:,.0f} in the plan, {fetch:,.0f} in the datamodule's fetch, "
                   f"{whole - plan - fetch:,.0f} outside both")

    def lines(self):
        lines = [(self.name, "bare loop", self.ratio(), self.goal("goal.time"), "most")]
        if "instructions" in self.found:
            whole, plan, fetch = self.found["instructions"]
            lines.append((self.name, "instructions", whole - plan - fetch, self.goal("goal.instructions"), "most"))
        return lines


class Allocations(Special):
    """Heap allocations a step of host and plugins, over all rows; the computing libraries' own are left out."""

    def measure(self):
        library = os.path.join(self.options.build, "tests/integration/allocations/count_allocations.so")
        if not os.path.exists(library):
            raise Failure("there is no count_allocations.so: it is built with the tests")
        out = f"{self.lthost.scratch}/allocations"
        for name, row in self.options.table.items():
            if row.get("kind") != "step" or name == "DEFAULT":
                continue
            say(f"  {name}")
            # The first row of the log opens its file, and may come late: hence `settled`.
            first, every = int(row["settled"]), 4 if row["heavy"] == "true" else 50
            last = first + (8 if row["heavy"] == "true" else 50)
            self.lthost.run(row, max(self.options.threads), last + 2, f"callback.bench_clock.count_from={first}",
                            f"callback.bench_clock.count_to={last}", f"trainer.log_every_n_steps={every}",
                            environment={"LD_PRELOAD": library, "COUNT_FILE": out})
            with open(out) as file:
                *callers, total = file.read().splitlines()
            own, others = (int(n) for n in re.search(r"own (\d+) library (\d+)", total).groups())
            computing = re.compile("libdnnl|libstdc|libopenblas|libgomp|libblas")
            self.found[name] = {"own": own, "libraries": others, "steps": last - first,
                                "callers": [c for c in callers if not computing.search(c)]}

    def table(self):
        for name, found in self.found.items():
            yield f"{name:16} {found['own']:6} in {found['steps']} steps ({found['libraries']} of oneDNN, OpenBLAS and libgomp)"
            for caller in found["callers"][:6]:
                yield f"    {caller}"

    def lines(self):
        return [(self.name, "a step", sum(f["own"] / f["steps"] for f in self.found.values()), self.goal(), "most")]


KINDS = {"startup": Startup, "demo": Demo, "trainer": Trainer, "allocations": Allocations}
