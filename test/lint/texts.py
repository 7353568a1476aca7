"""Checks lengths, blanks, first comments and leftovers of all text files."""
import re

FILE_LINES_MAX = 500
UNBOUNDED = ("COPYING", "penstock.ini", "penstock.ini.5", "openapi.yaml")
CODE = (".c", ".h", ".py", ".sh", "")
# The words are split so that this file does not match itself.
LEFTOVERS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b")


def shebang(name):
    with open(name, "rb") as file:
        first = file.readline(100)
    return first.decode(errors="replace").strip() if first.startswith(b"#!") else ""


def texts(names):
    for name in names:
        data = name.read_bytes()
        if b"\0" not in data[:4000]:
            yield name, data.decode(errors="replace")


def file_lengths(names):
    for name, text in texts(names):
        count = text.count("\n")
        if name.name not in UNBOUNDED and name.suffix != ".json" and count > FILE_LINES_MAX:
            yield f"{name}:{count}: the wall is {FILE_LINES_MAX} lines"


def first_comments(names):
    for name, text in texts(names):
        start = text.lstrip()
        if name.suffix in (".c", ".h") and not start.startswith("/*"):
            yield f"{name}:1: no first comment that says what it is"
        elif name.suffix == ".py" or "python" in shebang(name):
            if not re.match(r'(#![^\n]*\n)?(#[^\n]*\n)*"""', text):
                yield f"{name}:1: no first docstring that says what it is"
        elif shebang(name) and not re.match(r"#![^\n]*\n#", text):
            yield f"{name}:1: no first comment that says what it is"


def blanks(names):
    for name, text in texts(names):
        if name.name == "COPYING":
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                yield f"{name}:{number}: blank at the end of the line"
            if "\t" in line and name.suffix in (".c", ".h", ".py"):
                yield f"{name}:{number}: tab"
        if text and not text.endswith("\n"):
            yield f"{name}:{text.count(chr(10)) + 1}: no newline at the end"


def leftovers(names):
    for name, text in texts(names):
        for number, line in enumerate(text.split("\n"), 1):
            if LEFTOVERS.search(line):
                yield f"{name}:{number}: {LEFTOVERS.search(line)[0]}"
