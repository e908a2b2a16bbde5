"""The parts by themselves: walk, digest, delta and bus, by Google Benchmark."""

import json
import subprocess

from shared import porter


SECONDS = 0.2  # that each is repeated for
UNITS = {"bytes_per_second": ("GB/s", 1e9), "items_per_second": ("million/s", 1e6)}


def wanted(rows):
    return not rows or "micro" in rows.split(",")


def measure(bench):
    program = porter.BUILD / "tests/microbench"
    if not program.exists():
        bench.skip("micro", "libbenchmark-dev was not there when this was built")
        return []
    done = subprocess.run([str(program), "--benchmark_format=json", "--benchmark_min_time=%g" % SECONDS],
                          stdout=subprocess.PIPE, check=True)
    return [part(each) for each in json.loads(done.stdout)["benchmarks"]]


def part(found):
    rates = ["%.2f %s" % (found[key] / by, unit) for key, (unit, by) in UNITS.items() if key in found]
    return {"name": found["name"], "time": "%.4g %s" % (found["real_time"], found["time_unit"]), "rate": ", ".join(rates)}
