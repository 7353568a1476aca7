"""The rules of src/STYLE that are about the form of C code: columns, braces, sizeof, NULL, includes, names, comments."""
import re

from functions import blank_out, c_functions

# Files that are not converted yet.
WAITING = ()

COLUMNS_MAX = 160
BANNED = re.compile(r"\b(whoever|whence|hence|thereof|thereby|therein|wherein|anew|heed|amiss|lest|whereupon|hitherto|meanwhile)\b", re.I)


def product(names):
    """(path, text) of the C files that the rules hold for: the product and the load generator."""
    for name in names:
        path = str(name)
        if name.suffix in (".c", ".h") and any(part in path for part in ("/src/", "/include/", "/bench/loadgen/")):
            if not any(part in path for part in WAITING):
                yield name, name.read_text()


def found_in(names, pattern, message):
    """Complaints about every match of the pattern in code; comments and strings do not count."""
    for name, text in product(names):
        bare = blank_out(text)
        for match in re.finditer(pattern, bare):
            yield f"{name}:{bare.count(chr(10), 0, match.start()) + 1}: {message}"


def sizeofs(names):
    return found_in(names, r"\bsizeof (?!\()|\bsizeof \(", "write sizeof(x)")


def braces(names):
    """{0} and {.a = 1} in initialisers; bodies of enums, structs and functions that fit on a line have blanks."""
    for name, text in product(names):
        bare = blank_out(text)
        for number, (line, code) in enumerate(zip(text.split("\n"), bare.split("\n")), 1):
            opening = re.search(r"[=)\]{,(] ?\{ +[^ ;][^;]*\}", code)
            if opening and line[code.index("{", opening.start()) + 1] == " " and not re.search(r"\b(enum|struct|union)\b \w*\s*\{ ", code):
                yield f"{name}:{number}: no blanks inside the braces of an initialiser"


def function_braces(names):
    return found_in(names, r"(?m)^[a-z][^;{}]*\) \{$", "a function's brace stands on a line of its own")


def nulls(names):
    """Conditions test !p or p. What is assigned in a condition, or made a bool of, is compared with NULL."""
    yield from found_in(names, r"== ?NULL\b", "write !pointer")
    yield from found_in(names, r"(?:\b(?:if|while) \(|&& |\|\| |assert\()(?:[\w.\[\]*]|->)+ != ?NULL\b|\w != NULL \?", "write the pointer alone")


def includes(names):
    """A source's own header, the system's, the project's: three groups, a blank line between them, each in alphabetical order."""
    for name, text in product(names):
        if "loadgen" in name.parts:  # its folder is the include path: the part's own header is that of the program
            continue
        block = re.search(r"(?:^#include [^\n]*\n\n*)+", text, re.M)
        lines = re.findall(r"^#include (.*)", block[0], re.M) if block else []
        own = [line for line in lines if name.suffix == ".c" and line.endswith(f"/{name.stem}.h\"")]
        system = sorted(line for line in lines if line.startswith("<"))
        project = sorted(line for line in lines if line.startswith('"') and line not in own)
        groups = ["".join(f"#include {line}\n" for line in group) for group in (own, system, project) if group]
        if block and block[0].rstrip("\n") + "\n" != "\n".join(groups):
            yield f"{name}:{text.count(chr(10), 0, block.start()) + 1}: includes are the own header, the system's, the project's, each sorted"


def two_words(names):
    """A backtrace or a profile shows the function's name alone: `serve` says nothing there."""
    for name, text in product(names):
        for function, line, _ in c_functions(text):
            if "_" not in function and function != "main":
                yield f"{name}:{line}: {function}() needs a second word"


def columns(names):
    for name, text in product(names):
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > COLUMNS_MAX:
                yield f"{name}:{number}: {len(line)} columns, the wall is {COLUMNS_MAX}"


def words(names):
    """Words of a literary voice: each has a plain one that a reader need not read twice."""
    for name, text in product(names):
        for comment in re.finditer(r"/\*.*?\*/", text, re.S):
            found = BANNED.search(comment[0])
            if found:
                yield f"{name}:{text.count(chr(10), 0, comment.start() + found.start()) + 1}: \"{found[0]}\" in a comment: use the plain word"
