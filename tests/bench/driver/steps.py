# SPDX-License-Identifier: Apache-2.0
"""A row of kind `step`: lthost and its peers train the same model on the same batches; losses first, then rounds of all of them."""
import math
import statistics
import sys

from ours import Failure
from peers import Missing

PYTORCH = ("eager", "compile")


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def has_matrix_unit():
    with open("/proc/cpuinfo") as file:
        return " amx_bf16" in file.read()


def difference(ours, theirs):
    """The greatest difference of two lists of losses, relative to the size of each; a loss that is no number is as far off as can be."""
    apart = [abs(a - b) / max(abs(b), 1e-6) for a, b in zip(ours, theirs, strict=True)]
    return max(d if math.isfinite(d) else math.inf for d in apart)


class Step:
    def __init__(self, name, row, lthost, servers, options):
        self.name, self.row, self.lthost, self.servers, self.options = name, row, lthost, servers, options
        self.heavy = row["heavy"] == "true"
        self.peers, self.times, self.memory, self.wrong, self.missing = {}, {}, {}, [], {}

    def check(self, who, losses):
        """Whether they agree with lthost's first ones; if not, it is told."""
        apart = difference(self.losses, losses)
        agree = apart <= float(self.row["tolerance"])
        if agree:
            say(f"  {who}: losses agree to {apart:.1e}")
        else:
            self.wrong.append(f"{self.name} {who}: losses differ by {apart:.2g}, more than {self.row['tolerance']}: "
                              f"lthost {[f'{v:.6g}' for v in self.losses]}, {who} {[f'{v:.6g}' for v in losses]}")
            say("  WRONG", self.wrong[-1])
        return agree

    def start(self, variant, threads):
        job = {"variant": variant, "threads": threads, "precision": self.row["precision"], "weights": self.weights,
               "file": self.lthost.file(self.row), "channels_last": self.row["channels_last"] == "true"}
        who = f"{variant} threads={threads}"
        try:
            peer = self.servers.start(job, self.options.cache)
            try:
                if self.check(who, peer.ask(do="losses", steps=len(self.losses))):
                    self.peers[variant, threads] = peer, self.steps(peer.ask(do="run", steps=self.few()))
            finally:
                if (variant, threads) not in self.peers:
                    peer.close()
        except Missing as e:
            self.missing[variant, threads] = str(e)
            say(f"  {who}: {e}")

    def few(self):
        return 1 if self.heavy else 5

    def steps(self, milliseconds):
        """So many steps that a round takes about as long as it shall."""
        return int(min(2000, max(1 if self.heavy else 5, self.options.seconds * 1e3 / milliseconds)))

    def begin(self):
        count = int(self.row["losses"])
        for threads in self.options.threads:
            losses, self.weights = self.lthost.begin(self.row, threads, count)
            if threads == self.options.threads[0]:
                self.losses = losses
            elif not self.check(f"lthost threads={threads}", losses):
                continue
            steps = self.steps(self.lthost.step(self.row, threads, self.few(), 2))
            self.peers["lthost", threads] = None, steps
            found = self.lthost.run(self.row, threads, int(self.row["losses"]))
            self.memory["lthost", threads] = found["resident"]
            self.memory["planned", threads] = self.lthost.planned(self.row, threads)
        for variant in [v.strip() for v in self.row["peers"].split(",")]:
            if self.options.peers and variant not in self.options.peers:
                continue
            for threads in self.options.threads:
                if variant == "eager" or not self.heavy or threads == max(self.options.threads):
                    self.start(variant, threads)

    def round(self):
        for (who, threads), (peer, steps) in list(self.peers.items()):
            try:
                if who == "lthost":
                    warm = min(50, max(2, steps // 5))
                    time = self.lthost.step(self.row, threads, steps, warm)
                else:
                    time = peer.ask(do="run", steps=steps)
                self.times.setdefault((who, threads), []).append(time)
            except (Missing, Failure) as e:
                say(f"  {who} threads={threads}: {e}")
                self.missing[who, threads] = str(e)
                del self.peers[who, threads]

    def finish(self):
        for (who, threads), (peer, _) in self.peers.items():
            try:
                if peer:
                    self.memory[who, threads] = peer.ask(do="resident")
                    peer.close()
            except Missing as e:
                say(f"  {who} threads={threads}: {e}")

    def best(self, *who):
        """The least median among them: (milliseconds, who, threads), or None."""
        found = [(statistics.median(t), *key) for key, t in self.times.items() if key[0] in who]
        return min(found) if found else None

    def measure(self):
        rounds = self.options.rounds if not self.heavy else min(self.options.rounds, 3)
        try:
            self.begin()
            for i in range(rounds):
                self.round()
        finally:
            self.finish()

    def lines(self):
        """(name, peer, ratio, goal, what is met: at least or at most)"""
        ours, lines = self.best("lthost"), []
        for peer, who in (("pytorch", PYTORCH), ("lightning", ("lightning",)), ("jax", ("jax",))):
            best = self.best(*who)
            goal = has_matrix_unit() and self.row.get(f"goal.{peer}.amx") or self.row.get(f"goal.{peer}")
            if best and ours:
                lines.append((self.name, peer, best[0] / ours[0], goal and float(goal), "least"))
            elif goal:
                lines.append((self.name, peer, None, float(goal), "least"))
        if "goal.memory" in self.row and ours:
            pytorch = self.best(*PYTORCH)
            held, planned = self.memory["lthost", ours[2]], self.memory["planned", ours[2]]
            if pytorch and pytorch[1:] in self.memory:
                lines.append((self.name, "memory/pytorch", held / self.memory[pytorch[1:]], float(self.row["goal.memory"]), "most"))
            lines.append((self.name, "memory/planned", held / planned, float(self.row["goal.planned"]), "most"))
        return lines

    def table(self):
        """Lines for a reader: who, threads, ms a step, spread, peak memory."""
        yield f"{'':14}{'threads':>8}{'ms a step':>12}{'least':>10}{'most':>10}{'peak MB':>10}"
        for (who, threads), times in self.times.items():
            memory = self.memory.get((who, threads))
            yield (f"{who:14}{threads:>8}{statistics.median(times):>12.4g}{min(times):>10.4g}{max(times):>10.4g}"
                   f"{memory / 1e6 if memory else float('nan'):>10.0f}")
        for (who, threads), words in self.missing.items():
            yield f"{who:14}{threads:>8}  {words.strip().splitlines()[-1][:150] if words.strip() else 'failed'}"
        for threads in self.options.threads:
            if ("planned", threads) in self.memory:
                yield f"planned memory, {threads} threads: {self.memory['planned', threads] / 1e6:.1f} MB"

    def record(self):
        return {"times": {f"{w} {t}": v for (w, t), v in self.times.items()},
                "memory": {f"{w} {t}": v for (w, t), v in self.memory.items()},
                "missing": {f"{w} {t}": v for (w, t), v in self.missing.items()}, "wrong": self.wrong}
