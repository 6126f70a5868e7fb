# SPDX-License-Identifier: Apache-2.0
"""`lthost run` as a user runs it, watched by the callback bench_clock."""
import os
import re
import shutil
import subprocess

UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}


class Failure(Exception):
    pass


class Lthost:
    """rows: the folder of run files; scratch: one for what runs leave."""

    def __init__(self, build, rows, scratch):
        self.program, self.plugins = os.path.join(build, "bin/lthost"), os.path.join(build, "bench/plugins")
        self.rows, self.scratch = rows, scratch

    def file(self, row):
        return os.path.join(self.rows, row["file"] + ".ini")

    def command(self, row, threads, steps, *settings):
        return [self.program, "run", "--plugin-dir", self.plugins, self.file(row), f"trainer.max_steps={steps}",
                f"trainer.precision={row['precision']}", f"run.threads={threads}", f"run.dir={self.scratch}/runs", *settings]

    def call(self, command, environment=None):
        shutil.rmtree(f"{self.scratch}/runs", ignore_errors=True)
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})})
        if done.returncode:
            raise Failure(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
        return done

    def run(self, row, threads, steps, *settings, environment=None):
        """What the clock wrote: losses, resident (bytes), ends (nanoseconds)."""
        path = f"{self.scratch}/clock"
        self.call(self.command(row, threads, steps, f"callback.bench_clock.path={path}", *settings), environment)
        found = {"loss": [], "resident": 0, "ends": []}
        with open(path) as file:
            for line in file:
                key, *values = line.split()
                if key == "loss":
                    found["loss"].append(float(values[0]))
                else:
                    found[key] = [int(v) for v in values]
        return {"losses": found["loss"], "resident": found["resident"][0], "ends": found["ends"]}

    def step(self, row, threads, steps, warm):
        """Milliseconds a step, of `steps` steps after `warm` ones."""
        ends = self.run(row, threads, steps + warm)["ends"]
        return (ends[-1] - ends[warm - 1]) / steps / 1e6

    def begin(self, row, threads, losses):
        """The first losses, and where the weights are that they began with."""
        found = self.run(row, threads, losses, f"callback.bench_clock.losses={losses}", "callback.bench_clock.save=true",
                         "trainer.enable_checkpointing=true")
        weights = f"{self.scratch}/{row['file']}.safetensors"
        shutil.copy(f"{self.scratch}/runs/{row['file']}/version_0/checkpoints/initial/model.safetensors", weights)
        return found["losses"], weights

    def planned(self, row, threads):
        """Bytes of the training step's plan: working memory, and parameters with what the optimizer keeps of them."""
        text = self.call([self.program, "plan", "--plugin-dir", self.plugins, self.file(row),
                          f"trainer.precision={row['precision']}", f"run.threads={threads}"]).stdout
        sizes = []
        for what in (r"working memory", r"state"):
            number, unit = re.search(what + r" ([0-9.]+) (B|kB|MB|GB)\b", text).groups()
            sizes.append(float(number) * UNITS[unit])
        return sum(sizes)
