#!/usr/bin/env python3
"""Holds the documents against the code: tables, named tests, links and line lengths; and hints against the program.

    check_docs.py                 checks this checkout
    check_docs.py --self-check    checks that the checks notice mistakes

Prints one line a fault and ends with 1; without faults it ends with 0.
"""

import importlib.util
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST_LINE = 120
# Whose lines are held to that; others have tables that are made from the code.
NARROW = {"README.md", "docs/architecture.md", "docs/command-line.md", "docs/decisions/README.md", "docs/errors.md",
          "docs/events.md", "docs/exit-codes.md", "docs/faults.md", "docs/glossary.md", "docs/hosts-and-ssh.md",
          "docs/porter-faults.md", "docs/releases.md", "docs/security.md", "docs/sources.md"}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def rows(text, columns):
    """The cells of all table rows with that many columns, headings and rulers left out."""
    found = []
    for line in text.splitlines():
        if not line.startswith("|") or re.match(r"^\|[\s|:-]+\|$", line):
            continue
        cells = [cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if len(cells) == columns:
            found.append(cells)
    return found[1:]


def compare(where, documented, real):
    faults = []
    for key, value in real.items():
        if key not in documented:
            faults.append(f"{where}: {key} is missing")
        elif documented[key] != value:
            faults.append(f"{where}: {key} is documented as {documented[key]!r}, and is {value!r}")
    return faults + [f"{where}: {key} does not exist" for key in documented if key not in real]


def enum_values(header, name):
    body = re.search(rf"enum class {name}[^{{]*{{(.*?)}};", header, re.S)[1]
    return {number: word for word, number in re.findall(r"(\w+) = (\d+)", body)}


# --- exit codes ---


def exit_codes(document, header, arguments, uses):
    """Rows: code | name | what --help says | meaning. A meaning that begins with "Kept" is of a code nobody gives."""
    table = rows(document, 4)
    faults = compare("docs/exit-codes.md", {row[0]: row[1] for row in table}, enum_values(header, "ExitCode"))
    help_text = "".join(re.findall(r'"([^"]*)"', re.search(r"kExitCodes\s*=(.*?);", arguments, re.S)[1]))
    help_text = help_text.replace("\\n", " ").split(":", 1)[1].rstrip(".")
    said = {piece.split(" ", 1)[0]: piece.split(" ", 1)[1] for piece in re.split(r",\s+", help_text.strip())}
    documented = {row[0]: row[2] for row in table if row[2] != "–"}
    faults += compare("docs/exit-codes.md and --help", documented, said)
    for code, name, _, meaning in table:
        if meaning.startswith("Kept") == (name in uses):
            faults.append(f"docs/exit-codes.md: {code} is {'given' if name in uses else 'never given'} by the code")
    return faults


def given_exit_codes():
    found = set()
    for path in (ROOT / "core").rglob("*.cc"):
        found |= set(re.findall(r"ExitCode::(\w+)", path.read_text(encoding="utf-8")))
    return found


# --- error numbers ---


def error_numbers(document, header, exit_source, exit_header):
    """Rows: number | name | exit code | meaning."""
    table = rows(document, 4)
    faults = compare("docs/errors.md", {row[0].lstrip("P"): row[1] for row in table}, enum_values(header, "Code"))
    codes = {word: number for number, word in enum_values(exit_header, "ExitCode").items()}
    real = {}
    for cases, result in re.findall(r"((?:\s*case Code::\w+:)+)\s*return ExitCode::(\w+);", exit_source):
        for case in re.findall(r"Code::(\w+)", cases):
            real[case] = codes[result]
    return faults + compare("docs/errors.md, exit codes", {row[1]: row[2] for row in table}, real)


# --- events ---


def events(document, codec):
    """One section `### `name`` an event, its fields in a table field | type | meaning."""
    names = re.findall(r'"(\w+)"', re.search(r"kNames = \{(.*?)\};", codec, re.S)[1])
    lists = re.findall(r"DEFINE_TYPE_NON_INTRUSIVE\((\w+),([^)]*)\)", codec)
    real = {name: re.findall(r"\w+", fields) for name, (_, fields) in zip(names, lists)}
    sections = re.split(r"^### `(\w+)`", document, flags=re.M)[1:]
    documented = {name: [row[0] for row in rows(text, 3)] for name, text in zip(sections[::2], sections[1::2])}
    faults = compare("docs/events.md", documented, real)
    for enum, words in re.findall(r"SERIALIZE_ENUM\((\w+),(.*?)\}\)", codec, re.S):
        for word in re.findall(r'"([^"]+)"', words):
            if f"`{word}`" not in document:
                faults.append(f"docs/events.md: the {enum} `{word}` is missing")
    return faults


# --- floors ---


def floors(document, plan):
    """Rows: floor | rooms | what they do."""
    documented = {}
    for floor, rooms, _ in rows(document, 3):
        if re.fullmatch(r"F\d", floor):
            documented[floor] = sorted(re.findall(r"\w+", rooms))
    return compare("docs/architecture.md", documented, {f"F{at}": sorted(rooms) for at, rooms in enumerate(plan)})


def plan_of_floors():
    spec = importlib.util.spec_from_file_location("check_layers", ROOT / "scripts/check-layers.py")
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module.FLOORS


# --- named tests ---


def known_tests():
    found = set()
    for path in (ROOT / "tests").rglob("*.cc"):
        text = path.read_text(encoding="utf-8")
        for pieces in re.findall(r'TEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', text):
            found.add("".join(re.findall(r'"((?:[^"\\]|\\.)*)"', pieces)))
    for path in (ROOT / "tests").rglob("CMakeLists.txt"):
        found |= set(re.findall(r"add_test\(NAME (\S+)", path.read_text(encoding="utf-8")))
    return found


def named_tests(document, known):
    """`Test:` items name tests in double quotes, one or several, over any number of indented lines."""
    faults = []
    items = re.findall(r"^\s*Test: (.*?)(?=^\s*(?:- |$)|\Z)", document, re.S | re.M)
    entries = len(re.findall(r"^- porter: ", document, re.M))
    if len(items) != entries:
        faults.append(f"docs/porter-faults.md: {entries} faults and {len(items)} of them with a test")
    for item in items:
        names = re.findall(r'"([^"]+)"', re.sub(r"\s+", " ", item))
        if not names:
            faults.append(f"docs/porter-faults.md: no test is named in: {item.strip()}")
        faults += [f'docs/porter-faults.md: there is no test "{name}"' for name in names if name not in known]
    return faults


# --- hints ---


def hints(name, text, commands, flags):
    """What a hint tells to type exists: `porter-admin COMMAND`, at its start or in backquotes, and --flags."""
    faults = []
    for found in re.finditer(r"\.hint\(((?:[^()]|\([^()]*\))*)\)", text):
        place = f"{name}:{text.count(chr(10), 0, found.start()) + 1}"
        for literal in re.findall(r'"((?:[^"\\\n]|\\.)*)"', found[1]):
            said = re.findall(r"(?:^|`)porter-admin ([a-z][a-z_-]*)", literal)
            faults += [f"{place}: there is no command {word}" for word in said if word not in commands]
            if "cmake" not in literal:
                used = re.findall(r"--[a-z][a-z-]*", literal)
                faults += [f"{place}: there is no flag {flag}" for flag in used if flag not in flags]
    return faults


def all_hints():
    arguments = read("core/cli/flags.cc")
    commands = set(re.findall(r'(?:command|action)\(\s*"([a-z-]+)"', arguments))
    flags = set(re.findall(r"--[a-z][a-z-]*", arguments))
    return [fault for path in sorted((ROOT / "core").rglob("*.cc"))
            for fault in hints(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"), commands, flags)]


# --- flags ---


def flags(document, arguments):
    """Every flag and command that the program declares is in the document, and no other flag of its tables."""
    declared = set()
    for names in re.findall(r'add_(?:option|flag|mark)\(\s*"([^"]*-[^"]*)"', arguments):
        declared |= {name for name in names.split(",") if name.startswith("--")}
    commands = set(re.findall(r'(?:command|action)\(\s*"([a-z-]+)"', arguments))
    shown = set(re.findall(r"`[^`]*?(--[a-z][a-z-]*)", document)) | set(re.findall(r", `(--[a-z][a-z-]*)", document))
    faults = [f"docs/command-line.md: {flag} is missing" for flag in sorted(declared) if flag not in document]
    faults += [f"docs/command-line.md: there is no {flag}" for flag in sorted(shown - declared - {"--help"})]
    return faults + [f"docs/command-line.md: the command {name} is missing" for name in sorted(commands)
                     if not re.search(rf"\b{name}\b", document)]


# --- the demo ---


def demo_headings(readme, demo):
    """The headings of the README's transcript are those that scripts/demo prints."""
    said = re.findall(r'^say "(.*)"$', demo, re.M)
    printed = [".*".join(re.escape(piece) for piece in re.split(r"\$\([^)]*\)", text)) for text in said]
    shown = re.findall(r"^== (.*)$", readme, re.M)
    faults = [f"README.md: scripts/demo does not print: {text}" for text in shown
              if not any(re.fullmatch(pattern, text) for pattern in printed)]
    return faults if shown else ["README.md: the demo's transcript is missing"]


# --- links and lines ---


def index_of_decisions(index, names):
    return [f"docs/decisions/README.md: {name} is missing" for name in names if f"({name})" not in index]


def links(name, text, exists):
    faults = []
    bare = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    for target in re.findall(r"\]\(([^)\s]+)\)", bare):
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            continue
        path = (ROOT / name).parent / target.split("#")[0]
        if not exists(path):
            faults.append(f"{name}: the link to {target} leads nowhere")
    return faults


def long_lines(name, text):
    return [f"{name}:{number}: {len(line)} characters, {LONGEST_LINE} are allowed"
            for number, line in enumerate(text.splitlines(), 1) if len(line) > LONGEST_LINE]


def check():
    faults = exit_codes(read("docs/exit-codes.md"), read("core/base/exit_code.h"), read("core/cli/flags.cc"),
                        given_exit_codes())
    faults += error_numbers(read("docs/errors.md"), read("core/base/error.h"), read("core/base/exit_code.cc"),
                            read("core/base/exit_code.h"))
    faults += events(read("docs/events.md"), read("core/event/codec.cc"))
    faults += floors(read("docs/architecture.md"), plan_of_floors())
    faults += named_tests(read("docs/porter-faults.md"), known_tests())
    faults += all_hints()
    faults += flags(read("docs/command-line.md"), read("core/cli/flags.cc") + read("core/cli/arguments.cc"))
    faults += demo_headings(read("README.md"), read("scripts/demo"))
    faults += index_of_decisions(read("docs/decisions/README.md"),
                                 [path.name for path in (ROOT / "docs/decisions").glob("0*.md")])
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        name = str(path.relative_to(ROOT))
        text = path.read_text(encoding="utf-8")
        faults += links(name, text, Path.exists)
        if name in NARROW:
            faults += long_lines(name, text)
    return faults


# --- the checks themselves ---


def self_check():
    header = "enum class ExitCode : int {\n  ok = 0,\n  usage = 2,\n};"
    errors = "enum class Code : int {\n  usage = 200,\n};"
    source = "    case Code::usage:\n      return ExitCode::usage;"
    arguments = 'constexpr const char* kExitCodes =\n    "Exit codes: 0 ok, "\n    "2 usage.";'
    head = "| code | name | help | meaning |\n|---|---|---|---|\n"
    codec = ('NLOHMANN_JSON_SERIALIZE_ENUM(Level, {{Level::info, "info"}})\n'
             'NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Talk, level, text)\nkNames = {"talk"};')
    event = "### `talk`\n\n| field | type | meaning |\n|---|---|---|\n| `level` | `info` | x |\n"
    floor = "| floor | rooms | x |\n|---|---|---|\n| F0 | sdk | y |\n"
    fault = '- porter: it fails.\n  Here: it works.\n  Test: "it\n  works"\n'
    good = head + "| 0 | ok | ok | fine |\n| 2 | usage | usage | wrong |\n"
    right = [
        exit_codes(good, header, arguments, {"ok", "usage"}),
        error_numbers(head + "| P200 | usage | 2 | wrong |\n", errors, source, header),
        events(event + "| `text` | text | y |\n", codec),
        floors(floor, [{"sdk"}]),
        named_tests(fault, {"it works"}),
        links("README.md", "[a](docs/a.md) [b](https://example.org)", lambda path: path == ROOT / "docs/a.md"),
        long_lines("README.md", "x" * LONGEST_LINE),
        hints("a.cc", 'Error(x).hint("`porter-admin run --yes`");', {"run"}, {"--yes"}),
        demo_headings("== it has 3 bytes\n", 'say "it has $(stat x) bytes"\n'),
        flags("`run` has `-y`, `--yes`", 'command("run", add_flag("-y,--yes", x)'),
    ]
    wrong = [
        exit_codes(good.replace("| 2 |", "| 3 |"), header, arguments, {"ok", "usage"}),
        exit_codes(good.replace("usage | wrong", "other | wrong"), header, arguments, {"ok", "usage"}),
        exit_codes(good, header, arguments, {"ok"}),
        exit_codes(good.replace("wrong", "Kept for later"), header, arguments, {"ok", "usage"}),
        error_numbers(head + "| P201 | usage | 2 | wrong |\n", errors, source, header),
        error_numbers(head + "| P200 | usage | 5 | wrong |\n", errors, source, header),
        events(event, codec),
        events(event.replace("`info`", "x") + "| `text` | text | y |\n", codec),
        floors(floor, [{"sdk", "base"}]),
        named_tests(fault, {"it fails"}),
        named_tests("- porter: it fails.\n  Here: it works.\n", {"it works"}),
        links("README.md", "[a](docs/a.md)", lambda _: False),
        long_lines("README.md", "x" * (LONGEST_LINE + 1)),
        hints("a.cc", 'Error(x).hint("porter-admin fly");', {"run"}, {"--yes"}),
        hints("a.cc", 'Error(x).hint("--no");', {"run"}, {"--yes"}),
        index_of_decisions("(0001-a.md)", ["0002-b.md"]),
        demo_headings("== it has 3 bytes\n", 'say "it is there"\n'),
        flags("`run`", 'command("run", add_flag("-y,--yes", x)'),
        flags("`--yes`", 'command("run", add_flag("-y,--yes", x)'),
        flags("`run --yes` `--no`", 'command("run", add_flag("-y,--yes", x)'),
    ]
    faults = [f"a right document is refused: {text}" for found in right for text in found]
    return faults + [f"wrong document {number} is not noticed" for number, found in enumerate(wrong) if not found]


def main():
    faults = self_check() if "--self-check" in sys.argv[1:] else check()
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
