"""The results: a value that is written as JSON, and a Markdown table made from it."""

import json

from measure import median

COLUMNS = ["porter", "porter none", "rsync", "rsync curve", "rsync strong", "rsync z", "scp -r", "tar over ssh"]


def result(bench, rows, trees, wanted):
    return {"seed": wanted.seed, "faults": bench.faults, "trees": {tree.name: tree.facts() for tree in trees},
            "rows": [row_values(row, bench.runs.get(row.name, {})) for row in rows]}


def row_values(row, runs):
    medians = {name: round(median([run.seconds for run in each]), 4) for name, each in runs.items()}
    ratios = {name: round(medians["porter"] / value, 3) for name, value in medians.items()
              if "porter" in medians and name.startswith("rsync")}
    return {"row": row.name, "title": row.title, "link": row.link, "tree": row.tree, "must": row.must, "aim": row.aim,
            "baseline": row.baseline, "medians": medians, "ratios": ratios, "verdict": verdict(row, runs, ratios),
            "runs": {name: [run.values() for run in each] for name, each in runs.items()}}


def verdict(row, runs, ratios):
    if any(run.fault for each in runs.values() for run in each):
        return "WRONG"
    ratio = ratios.get(row.baseline)
    if ratio is None:
        return "not measured"
    if row.must is None:
        return "shown"
    return "aim met" if ratio <= row.aim else "must met" if ratio <= row.must else "MISSED"


def number(value, form="%.3f"):
    return "–" if value is None else form % value


def text(found):
    names = [name for name in COLUMNS if any(name in row["runs"] for row in found["rows"])]
    lines = ["| row | n | %s | ratio | to strong | must | aim | verdict |" % " | ".join(names),
             "|%s" % ("---|" * (len(names) + 7))]
    for row in found["rows"]:
        n = min([len(runs) for runs in row["runs"].values()] or [0])
        cells = [cell(row, name) for name in names]
        ratios = [number(row["ratios"].get(name), "%.2f") for name in (row["baseline"], "rsync strong")]
        bar = [number(row["must"], "%.2f"), number(row["aim"], "%.2f")]
        lines.append("| %s |" % " | ".join([row["row"], str(n)] + cells + ratios + bar + [row["verdict"]]))
    return "\n".join(lines)


def cell(row, name):
    wrong = any(run["fault"] for run in row["runs"].get(name, []))
    return number(row["medians"].get(name)) + (" WRONG" if wrong else "")


def write(folder, found):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_text(json.dumps(found, indent=1) + "\n")
    (folder / "bench.md").write_text(text(found) + "\n")
