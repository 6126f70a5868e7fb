# SPDX-License-Identifier: Apache-2.0
"""--profile: where lthost's time goes, by op, against what the machine can do at most, measured before."""
import json
import os
import re
import subprocess

from ours import Failure

OPS = 16  # that are shown


def peaks(build, threads):
    """Matrix products in GFLOP/s and memory in GB/s, by number of threads, and the lines that tell them."""
    found, lines = {}, []
    for n in threads:
        done = subprocess.run([os.path.join(build, "bin/bench_peak"), str(n)], capture_output=True, text=True)
        match = re.search(r"gemm ([0-9.]+) .*copy ([0-9.]+) .*triad ([0-9.]+)", done.stdout)
        if done.returncode or not match:
            raise Failure(f"bench_peak: {done.stdout} {done.stderr}")
        gemm, copy, triad = (float(v) for v in match.groups())
        found[n] = gemm, max(copy, triad)
        lines.append("peak: " + done.stdout.strip())
    return found, lines


def by_op(ops):
    """An op of all hooks and plans together: name -> [seconds, calls, GFLOP, GB]."""
    found = {}
    for o in ops:
        sum_ = found.setdefault(o["op"], [0, 0, 0, 0])
        for i, v in enumerate((o["seconds"], o["calls"], o["gflops"] * o["seconds"], o["gbytes"] * o["seconds"])):
            sum_[i] += v
    return sorted(found.items(), key=lambda item: -item[1][0])


def table(lthost, row, threads, steps, peak):
    """Lines for a reader."""
    lthost.call(lthost.command(row, threads, steps, "--profile"))
    with open(f"{lthost.scratch}/runs/{row['file']}/version_0/profile.json") as file:
        profile = json.load(file)
    seconds = sum(plan["seconds"] for plan in profile["plans"])
    yield (f"{threads} threads, {steps} steps: {seconds / steps * 1e3:.4g} ms a step in plans; "
           f"{profile['bottleneck']}: {profile['advice']}")
    yield f"  {'op':44}{'ms a step':>10}{'%':>7}{'calls':>7}{'GFLOP/s':>9}{'% peak':>8}{'GB/s':>8}{'% peak':>8}"
    rows = by_op(profile["ops"])
    for name, (time, calls, flops, moved) in rows[:OPS]:
        rates = (flops / time, moved / time) if time else (0, 0)
        yield (f"  {name[:43]:44}{time / steps * 1e3:>10.4g}{100 * time / seconds:>7.1f}{calls / steps:>7.0f}{rates[0]:>9.1f}"
               f"{100 * rates[0] / peak[0]:>8.0f}{rates[1]:>8.1f}{100 * rates[1] / peak[1]:>8.0f}")
    rest = sum(values[0] for _, values in rows[OPS:])
    if rest:
        yield f"  {'the rest':44}{rest / steps * 1e3:>10.4g}{100 * rest / seconds:>7.1f}"


def report(lthost, names, options, tell):
    found, lines = peaks(options.build, options.threads)
    tell(*lines)
    for name in names:
        row = options.table[name]
        if row["kind"] != "step":
            continue
        tell("", name)
        for threads in options.threads:
            few = 2 if row["heavy"] == "true" else 10
            time = lthost.step(row, threads, few, 2)
            steps = int(min(2000, max(few, (3 if options.quick else 10) * options.seconds * 1e3 / time)))
            for line in table(lthost, row, threads, steps, found[threads]):
                tell("  " + line)
