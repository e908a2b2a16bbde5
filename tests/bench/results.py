"""From runs to results: plain values with medians, ratios and verdicts, as they are written to JSON."""

from measure import median

WRONG, MISSED, MUST, AIM, SHOWN, NONE = "WRONG", "MISSED", "must met", "aim met", "shown", "not measured"


def all_results(bench, rows, trees, facts, micro):
    return {"facts": facts, "seed": bench.seed, "trees": {tree.name: tree.facts() for tree in trees},
            "rows": [row_values(row, bench.runs.get(row.name, {}), bench.notes.get(row.name, [])) for row in rows],
            "faults": bench.faults, "skipped": bench.skipped, "micro": micro}


def row_values(row, runs, notes):
    values = {"row": row.name, "title": row.title, "link": row.link.words, "tree": row.tree, "section": row.section,
              "us": row.us, "baseline": row.baseline, "strong": row.strong, "must": row.must, "aim": row.aim,
              "notes": notes, "runs": {name: [run.values() for run in each] for name, each in runs.items()},
              "wrong": sorted(name for name, each in runs.items() if any(run.fault for run in each))}
    if row.section == "memory":
        values["peaks"] = {name: peaks(each) for name, each in runs.items()}
        found = memory_found(values["peaks"].get(row.us), len(row.must))
    else:
        values["medians"] = {name: round(median([run.seconds for run in each]), 4) for name, each in runs.items()}
        values["ratios"] = ratios(values["medians"], row)
        found = [values["ratios"].get("baseline")]
    values["verdict"] = verdict(values, found)
    return values


def ratios(medians, row):
    """`none` is that of the contestant which, as the baseline does, leaves writing back to the system."""
    pairs = (("baseline", row.us, row.baseline), ("strong", row.us, row.strong), ("none", "porter none", row.baseline),
             ("floor", "floor", row.baseline), ("floor none", "floor none", row.baseline))
    return {name: round(medians[us] / medians[other], 3) for name, us, other in pairs if us in medians and other in medians}


def peaks(runs):
    """The highest of each role over all runs of a contestant, in MiB."""
    found = {}
    for run in runs:
        for role, one in run.memory.items():
            before = found.get(role, {"largest": 0, "sum": 0, "processes": 0})
            found[role] = {key: max(before[key], one[key]) for key in before}
    return found


# Contestants in the order of columns and colours.
ORDER = ("porter", "porter none", "porter run", "rsync", "rsync curve", "rsync strong", "rsync z", "link-dest",
         "link-dest strong", "scp -r", "tar over ssh", "ansible synchronize", "ansible command", "ssh at once",
         "floor", "floor none")
OPERATOR = ("supervisor", "worker", "client")


def operator(found, what):
    """The operator's side: its largest process, or all of it together."""
    values = [found[role][what] for role in OPERATOR if role in found]
    return (max if what == "largest" else sum)(values) if values else 0


def memory_found(found, bounds):
    """What the bar is about: the largest process of either side, or, when it has one bound, the operator's sum."""
    if not found:
        return [None]
    return [operator(found, "sum")] if bounds == 1 else [operator(found, "largest"), found.get("agent", {}).get("largest")]


def verdict(values, found):
    if values["wrong"]:
        return WRONG
    if values["must"] is None:
        return SHOWN if values["runs"] else NONE
    if not values["runs"] or None in found:
        return NONE
    must, aim = (bound if isinstance(bound, tuple) else (bound,) for bound in (values["must"], values["aim"]))
    if all(value <= bound for value, bound in zip(found, aim)):
        return AIM
    return MUST if all(value <= bound for value, bound in zip(found, must)) else MISSED
