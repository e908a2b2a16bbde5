#!/usr/bin/env python3
"""The property of the sync engine: whatever the source is and was, the target is the source after each deploy. Random
trees, random edits; first copies, increments, recycled releases, sends that were killed; both layouts.

    sync.py                100 rounds, always the same (CTest: property-sync)
    sync.py --long         2,000 rounds, others each time
    sync.py --seed N       round N again, with the rounds of its series before it, which made what it found
    sync.py --with hardlinks,sparse,owners,xattrs     has these kept as well (CTest: property-attributes)

When root runs it, half of the series are run as nobody, to whom the modes of files and folders mean something.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import pwd
import subprocess
import sys
import tempfile
import time
import traceback
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import kills  # noqa: E402
import porter  # noqa: E402
import rounds  # noqa: E402

FEATURES = ("hardlinks", "sparse", "owners", "xattrs")
WAYS = ("first copy", "incremental", "recycled", "resumed", rounds.TAKEN, *rounds.LAYOUTS)
ROUNDS, LONG_ROUNDS = 100, 2000


# --- one series ---

def wants_nobody(number):
    return os.geteuid() == 0 and number // 2 % 2 == 1


def become_nobody():
    """False when nobody could not do anything here."""
    nobody = pwd.getpwnam("nobody")
    ids = dict(user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
    tried = subprocess.run(["sh", "-c", 'test -w "$0" && exec "$1" --version', tempfile.gettempdir(), porter.ADMIN],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **ids)
    if tried.returncode:
        return False
    os.chdir("/")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    return True


def run_series(seed, features):
    """The rounds of a series up to this one. Gives back counts, and the seed that failed."""
    number, last = divmod(seed, rounds.ROUNDS)
    kills.adopt_orphans()
    counts = collections.Counter()
    nobody = wants_nobody(number) and become_nobody()
    if wants_nobody(number) and not nobody:
        counts["SKIPPED: nobody cannot reach the programs or the temporary folder"] += 1
    far = not nobody and porter.sshd_program() is not None
    if not nobody and not far:
        counts["SKIPPED: series without SSH, since there is no sshd"] += 1
    series = rounds.Series(number, far, features)
    failed = None
    try:
        for place in range(last + 1):
            failed = number * rounds.ROUNDS + place
            series.round(place)
        if last == rounds.ROUNDS - 1:
            series.end()
        failed = None
    except (AssertionError, OSError, subprocess.TimeoutExpired, unittest.SkipTest):
        tell_failure(series, failed, features)
    finally:
        series.close(keep=failed is not None)
    return {"counts": counts + series.counts, "failed": failed}


def tell_failure(series, seed, features):
    told = ["FAILED seed %d (%s, as user %d)" % (seed, series.traits, os.geteuid())]
    told += ["  " + line for line in series.told]
    told += ["  " + line for line in traceback.format_exc(limit=-2).splitlines()]
    told += ["  kept: %s" % series.folder, "  again: %s" % command_for(seed, features)]
    print("\n".join(told), file=sys.stderr, flush=True)


def command_for(seed, features):
    return "tests/property/sync.py --seed %d" % seed + (" --with " + ",".join(features) if features else "")


# --- many series ---

def run_in_child(number, features):
    """A process a series: it may become somebody else."""
    last = number * rounds.ROUNDS + rounds.ROUNDS - 1
    command = [sys.executable, "-B", os.path.abspath(__file__), "--seed", str(last), "--json"]
    done = subprocess.run(command + (["--with", ",".join(features)] if features else []), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    told = done.stderr.decode("utf-8", "replace")
    if told:
        print(told, file=sys.stderr, end="", flush=True)
    try:
        return json.loads(done.stdout)
    except ValueError:
        print("FAILED: the series of seed %d ended with %d and no result" % (last, done.returncode), file=sys.stderr)
        return {"counts": {}, "failed": last}


def run_many(first, count, features, jobs):
    counts, failed = collections.Counter(), []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for result in pool.map(lambda number: run_in_child(number, features), range(first, first + count)):
            counts.update(result["counts"])
            failed += [] if result["failed"] is None else [result["failed"]]
    return counts, failed


def print_counts(counts, failed, seconds):
    for name, count in sorted(counts.items()):
        if name != "rounds":
            print("%6d %s" % (count, name))
    print("%6d rounds, %d failed, %.0f s" % (counts["rounds"], len(failed), seconds))
    if failed:
        print("failed seeds: %s" % " ".join(map(str, failed)))


def one(arguments):
    result = run_series(arguments.seed, arguments.features)
    failed = [] if result["failed"] is None else [result["failed"]]
    if arguments.json:
        print(json.dumps(result))
    else:
        print_counts(collections.Counter(result["counts"]), failed, time.monotonic() - arguments.began)
    return not failed


def many(arguments):
    count = -(-(arguments.rounds or (LONG_ROUNDS if arguments.long else ROUNDS)) // rounds.ROUNDS)
    first = int(time.time()) if arguments.long else 0
    if arguments.first is not None:
        first = arguments.first // rounds.ROUNDS
    print("rounds %d to %d, %d jobs, %s" % (
        first * rounds.ROUNDS, (first + count) * rounds.ROUNDS - 1, arguments.jobs, porter.ADMIN), flush=True)
    counts, failed = run_many(first, count, arguments.features, arguments.jobs)
    print_counts(counts, failed, time.monotonic() - arguments.began)
    missing = [way for way in WAYS if not counts[way]]
    if missing:
        print("FAILED: no round was: %s" % ", ".join(missing))
    return not failed and not missing


def features_of(text):
    """What --with takes."""
    features = tuple(text.split(","))
    if set(features) - set(FEATURES):
        raise argparse.ArgumentTypeError("takes %s" % ", ".join(FEATURES))
    return features


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--rounds", type=int, help="so many, instead of %d or %d" % (ROUNDS, LONG_ROUNDS))
    parser.add_argument("--first", type=int, metavar="SEED", help="begin with the series of this seed")
    parser.add_argument("--seed", type=int, metavar="N")
    parser.add_argument("--with", dest="features", type=features_of, default=(), metavar="WHAT")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.began = time.monotonic()
    sys.exit(0 if (many if arguments.seed is None else one)(arguments) else 1)


if __name__ == "__main__":
    main()
