"""The results as a page of Markdown."""

from results import OPERATOR, ORDER, operator

COLUMNS = """- **porter**: median wall time in seconds of `porter-admin deploy`, `layout = releases`, `durability = full`:
  success is said when files, switch and record are on disk. **ratio** and **verdict** are of this column.
- **porter none**: the same with `durability = none`, which leaves writing back to the system, as rsync and the others do;
  **not durable** is its ratio to the baseline.
- **baseline**: what the bar names: `rsync -a --delete` over ssh as people type it, unless the cell says another.
- **strong**: rsync by somebody who knows it: `--no-inc-recursive` over a connection that is open already
  (ControlMaster, curve25519), and `-z --zc=zstd` where bandwidth is limited. porter-admin connects anew each time.
- **floor**: no rival, but what machine and file system ask of anybody: the tree is read and written by all cores, with
  modes and times, without a connection, a digest or a second look; on disk at the end / left to the system. As a ratio
  to the baseline.
- **n**: how often each was measured. All take turns in one run, in an order that the seed shuffles.
- **must**, **aim**: the bar, for the ratio of porter to the baseline; **verdict** holds it against that.
- After every run rsync (by checksum) and find compare the target with the source: content, modes, times, links. WRONG
  is a target that differs, or a run that failed; its time counts for nothing.
- Before a first copy the targets are empty, porter-admin's caches on the operator's side as well; its agent is there
  already. Before every run `sync` has ended. Steady state: so many deploys came before that an old release went.
- A link with a round trip is a proxy on this machine. It models delay, rate and one bandwidth-delay product of queue;
  it has no handshake round trip for TCP, no slow start and no loss, which would cost all contestants more."""


def page(found):
    parts = ["# Benchmark", facts(found), times(found), memory(found), everybody(found), micro(found), remarks(found),
             "## Columns\n\n" + COLUMNS]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head, rows):
    lines = ["| %s |" % " | ".join(head), "|%s" % ("---|" * len(head))]
    return "\n".join(lines + ["| %s |" % " | ".join(map(str, row)) for row in rows])


def facts(found):
    lines = ["%s: %s" % item for item in found["facts"].items()] + ["seed: %d" % found["seed"]]
    trees = [(name, each["files"], each["folders"], each["links"], "%.1f" % (each["bytes"] / 1e6))
             for name, each in found["trees"].items()]
    return "\n".join("- " + line for line in lines) + "\n\n" + table(["tree", "files", "folders", "links", "MB"], trees)


def number(value, form="%.3f"):
    return "–" if value is None else form % value


def cell(row, name, usual=None):
    """A median; who it is, when it is not the column's own; and whether it counts."""
    value = number(row["medians"].get(name))
    return value + (" (%s)" % name if usual not in (None, name) else "") + (" WRONG" if name in row["wrong"] else "")


def label(row):
    return "%s%s, %s" % (row["title"], ", " + row["tree"] if row["tree"] else "", row["link"])


def count(row):
    numbers = {len(runs) for runs in row["runs"].values()} or {0}
    return "–".join(map(str, sorted({min(numbers), max(numbers)})))


def times(found):
    rows = [row for row in found["rows"] if row["section"] == "time"]
    lines = [[label(row), "`%s`" % row["row"], count(row), cell(row, row["us"], "porter"), cell(row, "porter none"),
              cell(row, row["baseline"], "rsync"), cell(row, row["strong"], "rsync strong"),
              number(row["ratios"].get("baseline"), "%.2f"), number(row["ratios"].get("none"), "%.2f"),
              number(row["ratios"].get("strong"), "%.2f"), floors(row), number(row["must"], "%.2f"), number(row["aim"], "%.2f"),
              row["verdict"]] for row in rows]
    return rows and "## Times\n\n" + table(
        ["case", "row", "n", "porter", "porter none", "baseline", "strong", "ratio", "not durable", "to strong",
         "floor", "must", "aim", "verdict"], lines)


def floors(row):
    return " / ".join(number(row["ratios"].get(name), "%.2f") for name in ("floor", "floor none"))


def memory(found):
    """Peaks in MiB."""
    lines = []
    for row in found["rows"]:
        if row["section"] != "memory":
            continue
        for name, peaks in row["peaks"].items():
            far = [peaks[role]["largest"] for role in peaks if role not in OPERATOR]
            ours = name == row["us"]
            lines.append([label(row), "`%s`" % row["row"], name, operator(peaks, "largest"), round(operator(peaks, "sum"), 1),
                          max(far or [0]), bounds(row["must"]) if ours else "", bounds(row["aim"]) if ours else "",
                          row["verdict"] if ours else ""])
    return lines and "## Peak memory, MiB\n\n" + table(
        ["case", "row", "who", "operator's largest process", "operator's side together", "target's largest process",
         "must", "aim", "verdict"], lines)


def bounds(values):
    return " / ".join(map(str, values))


def everybody(found):
    """All medians; the columns are those who took part in anything."""
    rows = [row for row in found["rows"] if row["section"] == "time" and row["runs"]]
    names = [name for name in ORDER if any(name in row["medians"] for row in rows)]
    lines = [["`%s`" % row["row"]] + [cell(row, name) for name in names] for row in rows]
    return rows and "## Everybody, seconds\n\n" + table(["row"] + names, lines)


def micro(found):
    return found["micro"] and "## Parts\n\n" + table(
        ["part", "time", "rate"], [(each["name"], each["time"], each["rate"]) for each in found["micro"]])


def remarks(found):
    """The first fault of each contestant in each row; all are in the raw numbers."""
    first = {each["where"]: each for each in reversed(found["faults"])}
    lines = ["- FAULT: %(where)s: %(what)s" % first[where] for where in reversed(first)]
    lines += ["- SKIPPED: %(what)s: %(why)s" % each for each in found["skipped"]]
    lines += ["- `%s`: %s" % (row["row"], note) for row in found["rows"] for note in row["notes"]]
    head = "## Remarks: %d faults, %d skipped" % (len(found["faults"]), len(found["skipped"]))
    return "\n\n".join(filter(None, [head, "\n".join(lines)]))
