"""porter-admin against rsync and others, over a throw-away SSH server on this machine.

Ends with 1 when a target was not the source after a run, or a run failed. The form --quick ends within 5 minutes, the
full one within 100, with the machine's build and the first making of trees (some minutes, 2 GB) left out; what there was
no time for is reported as skipped.
"""

import argparse
import fcntl
import fnmatch
import json
import os
import pathlib
import signal
import sys
import time

import facts
import micro
import place as places
import plot
import results
import rivals
import rows
import table
import trees
from bench import Bench
from shared import porter

SOURCE = pathlib.Path(__file__).resolve().parents[2]
QUICK_SECONDS, FULL_SECONDS = 250, 5700


def arguments(words):
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the important rows, and fewer rounds of each")
    parser.add_argument("--rows", default="", help="names or patterns, with commas: first,'nothing/*',far-first/T1,micro")
    parser.add_argument("--tree", default="", help="only rows of these trees, with commas: T1,T4")
    parser.add_argument("--with", dest="who", default="", help="only these: porter,'porter none',rsync")
    parser.add_argument("--runs", type=int, help="how often each is measured, instead of the row's own number")
    parser.add_argument("--seconds", type=int, help="no round begins after that (quick: %d, full: %d)" % (
        QUICK_SECONDS, FULL_SECONDS))
    parser.add_argument("--seed", type=int, default=1, help="of orders and changes")
    parser.add_argument("--out", help="folder for page, pictures and raw numbers; default: docs/benchmarks for a "
                        "whole form, build/bench/last for single rows")
    parser.add_argument("--target-folder", help="where targets lie; default: build/bench/targets")
    parser.add_argument("--own-disk", action="store_true", help="targets lie on an ext4 of their own, with a journal and "
                        "without discard, in an image in that folder; needs root, which is when scripts/bench asks for it")
    parser.add_argument("--trees-folder", default=str(SOURCE / "build/bench/trees"), help="where trees are kept")
    parser.add_argument("--smoke", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    return parser.parse_args(words)


def chosen(wanted):
    """Rows by name or pattern; a name without its tree means all trees."""
    found = rows.smoke_rows() if wanted.smoke else rows.all_rows()
    if wanted.rows:
        patterns = [part for word in wanted.rows.split(",") for part in (word, word + "/*")]
        found = [row for row in found if any(fnmatch.fnmatchcase(row.name, each) for each in patterns)]
    elif wanted.quick:
        found = sorted((row for row in found if row.quick), key=lambda row: row.tree == "T4")  # what takes long: last
    if wanted.tree:
        found = [row for row in found if row.tree in wanted.tree.split(",")]
    if not found and not micro.wanted(wanted.rows):
        sys.exit("no row is called that; --list names them")
    return found


def say(text):
    print(text, flush=True)


def measure(bench, known, missing, chosen_rows, wanted):
    for row in chosen_rows:
        if bench.out_of_time():
            bench.skip(row.name, "out of time")
            continue
        who = [name for name in row.who if not wanted.who or name in wanted.who.split(",")]
        for name in who:
            if name in missing:
                bench.skip("%s, %s" % (row.name, name), missing[name])
        say("%s: %s, %s" % (row.name, row.title, row.link.words))
        rounds = wanted.runs or (row.quick if wanted.quick and row.quick else row.rounds)
        row.run(bench, [known[name] for name in who if name in known], rounds)


def write(folder, stem, found):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / (stem + ".json")).write_text(json.dumps(found, indent=1) + "\n")
    (folder / (stem + ".md")).write_text(table.page(found))
    for name, picture in (("ratios", plot.ratios(found)), ("seconds", plot.seconds(found))):
        if picture:
            (folder / ("%s-%s.svg" % (stem, name))).write_text(picture)


def lock(folder):
    """Held until the program ends: two benchmarks would change each other's trees."""
    folder.mkdir(parents=True, exist_ok=True)
    held = open(folder / "lock", "w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("another benchmark uses these trees; wait for its end, or name others with --trees-folder")
    return held


def run(wanted, chosen_rows):
    names = sorted({row.tree for row in chosen_rows if row.tree})
    all_trees = [trees.Tree(name, trees.make(pathlib.Path(wanted.trees_folder), name, 1, say)) for name in names]
    deadline = time.monotonic() + (wanted.seconds or (QUICK_SECONDS if wanted.quick else FULL_SECONDS))
    place = places.Place(wanted.target_folder or SOURCE / "build/bench/targets", wanted.own_disk,
                         str(porter.BUILD / "tests/delay_proxy"))
    try:
        bench = Bench(place, all_trees, wanted.seed, deadline, say)
        machine = facts.all_facts(place)
        measure(bench, *rivals.everybody(place, all_trees), chosen_rows, wanted)
    finally:
        place.close()
    parts = micro.measure(bench) if micro.wanted(wanted.rows) and not wanted.smoke else []
    return results.all_results(bench, chosen_rows, all_trees, machine, parts)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # clears up on the way out
    wanted = arguments(sys.argv[1:])
    chosen_rows = chosen(wanted)
    if wanted.list:
        return say("\n".join("%-20s %s, %s" % (row.name, row.title, row.link.words) for row in chosen_rows))
    if not os.access(porter.ADMIN, os.X_OK):
        sys.exit("no porter-admin at %s" % porter.ADMIN)
    with lock(pathlib.Path(wanted.trees_folder)):
        found = run(wanted, chosen_rows)
    whole = not (wanted.rows or wanted.tree or wanted.who or wanted.smoke)
    folder = pathlib.Path(wanted.out or SOURCE / ("docs/benchmarks" if whole else "build/bench/last"))
    write(folder, "quick" if wanted.quick else "full", found)
    say("\n" + table.page(found))
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
