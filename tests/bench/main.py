"""The benchmark's command line: which rows, how often, and where the results go."""

import argparse
import fnmatch
import os
import pathlib
import signal
import sys
import time

import place as places
import porter
import rivals
import rows
import table
import trees
from bench import Bench

SOURCE = pathlib.Path(__file__).resolve().parents[2]
QUICK_SECONDS, FULL_SECONDS = 270, 5400


def arguments(words):
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the important rows only, at most %d s" % QUICK_SECONDS)
    parser.add_argument("--rows", default="", help="names or patterns, with commas: first, 'nothing/*', far-first/T1")
    parser.add_argument("--tree", default="", help="only rows of these trees, with commas: T1,T4")
    parser.add_argument("--with", dest="contestants", default="", help="only these: porter,'porter none',rsync")
    parser.add_argument("--runs", type=int, help="how often each is measured, instead of the row's own number")
    parser.add_argument("--seconds", type=int, help="no new round begins after that; %d without" % FULL_SECONDS)
    parser.add_argument("--seed", type=int, default=1, help="of orders and changes")
    parser.add_argument("--out", default=str(SOURCE / "docs/benchmarks"), help="folder for table, plots and raw numbers")
    parser.add_argument("--target-folder", default=str(SOURCE / "build/bench/targets"), help="where targets lie")
    parser.add_argument("--trees-folder", default=str(SOURCE / "build/bench/trees"), help="where trees are kept")
    parser.add_argument("--proxy", default=str(porter.BUILD / "tests/delay_proxy"), help=argparse.SUPPRESS)
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    return parser.parse_args(words)


def chosen(wanted):
    """Rows by name or pattern; a name without its tree means all trees."""
    found = rows.all_rows()
    if wanted.rows:
        patterns = [part for word in wanted.rows.split(",") for part in (word, word + "/*")]
        found = [row for row in found if any(fnmatch.fnmatchcase(row.name, each) for each in patterns)]
    elif wanted.quick:
        found = [row for row in found if row.quick]
    if wanted.tree:
        found = [row for row in found if row.tree in wanted.tree.split(",")]
    if not found:
        sys.exit("no row is called that; --list names them")
    return found


def rounds_of(row, wanted):
    return wanted.runs or (row.quick if wanted.quick and row.quick else row.rounds)


def say(text):
    print(text, flush=True)


def measure(bench, everybody, chosen_rows, wanted):
    for row in chosen_rows:
        if bench.out_of_time():
            say("NOT MEASURED: %s: out of time" % row.name)
            continue
        taking_part = [each for each in row.contestants(everybody)
                       if not wanted.contestants or each.name in wanted.contestants.split(",")]
        say("%s: %s" % (row.name, row.title))
        row.measure(bench, taking_part, rounds_of(row, wanted))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # clears up on the way out
    wanted = arguments(sys.argv[1:])
    chosen_rows = chosen(wanted)
    if wanted.list:
        return say("\n".join("%-18s %s" % (row.name, row.title) for row in chosen_rows))
    names = sorted({row.tree for row in chosen_rows})
    folder = pathlib.Path(wanted.trees_folder)
    all_trees = [trees.Tree(name, trees.make(folder, name, 1, say)) for name in names]
    deadline = time.monotonic() + (wanted.seconds or (QUICK_SECONDS if wanted.quick else FULL_SECONDS))
    place = places.Place(wanted.target_folder, wanted.proxy)
    try:
        bench = Bench(place, all_trees, wanted.seed, deadline, say)
        everybody = rivals.everybody(place, all_trees, list(places.LINKS))
        measure(bench, everybody, chosen_rows, wanted)
        result = table.result(bench, chosen_rows, all_trees, wanted)
    finally:
        place.close()
    table.write(pathlib.Path(wanted.out), result)
    say(table.text(result))
    return 1 if bench.faults else 0


if __name__ == "__main__":
    if not os.access(porter.ADMIN, os.X_OK):
        sys.exit("no porter-admin at %s" % porter.ADMIN)
    sys.exit(main())
