# SPDX-License-Identifier: Apache-2.0
"""packaging/bench.sh, once all is built: measures the rows of rows.ini and says which goals are met."""
import argparse
import configparser
import datetime
import importlib.metadata
import json
import os
import re
import signal
import sys
import tempfile
import time

import where
from ours import Failure, Lthost
from peers import Servers
from special import KINDS
from steps import Step, say

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KINDS["step"] = Step


def arguments():
    a = argparse.ArgumentParser(prog="packaging/bench.sh", description="Times lthost's training beside that of its peers.")
    a.add_argument("rows", nargs="*", metavar="ROW", help="sections of tests/bench/rows.ini; default: all")
    a.add_argument("--quick", action="store_true", help="few and short rounds, for a look")
    a.add_argument("--profile", action="store_true", help="instead: where lthost's time goes, by op, against this machine's peaks")
    a.add_argument("--threads", default="1,2", help="numbers of threads to try (default 1,2)")
    a.add_argument("--peers", help="of eager, compile, lightning, jax, those to compare with (default: the row's)")
    a.add_argument("--build", required=True, help=argparse.SUPPRESS)
    options = a.parse_args()
    options.threads = [int(n) for n in re.split(r"[ ,]+", options.threads.strip())]
    options.peers = options.peers and re.split(r"[ ,]+", options.peers.strip())
    options.rounds, options.seconds = (2, 0.2) if options.quick else (7, 0.4)
    options.cache = os.path.join(options.build, "bench/cache")
    return options


def processor():
    with open("/proc/cpuinfo") as file:
        text = file.read()
    model = re.search(r"model name\s*: (.*)", text)
    flags = set(re.search(r"flags\s*: (.*)", text).group(1).split()) if "flags" in text else set()
    isa = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    return model.group(1) if model else "unknown", isa, os.cpu_count()


def verdict(ratio, goal, kind):
    if goal is None:
        return "-"
    if ratio is None:
        return "missed"
    return "met" if (ratio >= goal if kind == "least" else ratio <= goal) else "missed"


def main():
    options = arguments()
    table = configparser.ConfigParser()
    table.read(os.path.join(HERE, "rows.ini"))
    options.table = table
    unknown = set(options.rows) - set(table.sections())
    if unknown:
        sys.exit(f"no row {', '.join(sorted(unknown))}; there are {', '.join(table.sections())}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(dir=os.path.join(options.build, "bench")) as scratch:
        measure(options, table, scratch)


class Report:
    """What is printed stands in results.txt, too."""

    def __init__(self, path):
        self.file = open(path, "w")

    def __call__(self, *lines):
        for line in lines:
            print(line, flush=True)
            print(line, file=self.file, flush=True)


def versions():
    """Of the peers, where this interpreter has them."""
    for name in ("torch", "lightning", "jax", "optax"):
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"{name} is not installed"


def measure(options, table, scratch):
    lthost = Lthost(options.build, os.path.join(HERE, "rows"), scratch)
    servers = Servers(sys.executable, os.path.join(HERE, "peers"), scratch)
    tell = Report(os.path.join(options.build, "bench/results.txt"))
    model, isa, processors = processor()
    chosen = os.environ.get("LTHOST_CPU_ISA")
    tell(f"{datetime.date.today()}, {model}, {processors} processors, {' '.join(isa)}{f', LTHOST_CPU_ISA={chosen}' if chosen else ''}",
         ", ".join(versions()))
    if options.profile:
        where.report(lthost, options.rows or table.sections(), options, tell)
        return
    lines, wrong, records, started = [], [], {}, time.monotonic()
    for name in options.rows or table.sections():
        say(f"{name} ({time.monotonic() - started:.0f} s so far)")
        row = KINDS[table[name]["kind"]](name, table[name], lthost, servers, options)
        try:
            row.measure()
        except Failure as e:
            wrong.append(f"{name}: {e}")
            say(f"  {e}")
            continue
        tell("", name, *("  " + line for line in row.table()))
        lines += row.lines()
        wrong += row.wrong
        records[name] = row.record()
    servers.close()
    tell("", f"{'NAME':16}{'PEER':24}{'RATIO':>10}{'GOAL':>10}")
    for name, peer, ratio, goal, kind in lines:
        tell(f"{name:16}{peer:24}{'-' if ratio is None else f'{ratio:.4g}':>10}{'-' if goal is None else f'{goal:g}':>10}  "
             f"{verdict(ratio, goal, kind)}")
    tell(*("WRONG " + text for text in wrong))
    with open(os.path.join(options.build, "bench/results.json"), "w") as file:
        json.dump({"date": str(datetime.date.today()), "processor": model, "isa": isa, "lines": lines, "rows": records}, file, indent=1)
    say(f"{time.monotonic() - started:.0f} s")
    sys.exit(1 if wrong else 0)


main()
