"""Checks which module includes which, and where memory that threads share is accessed."""
import re

# The modules that each module may include. Its own folder and the C library are always allowed. Every module except base may include `log` and `base`.
MAY_INCLUDE = {
    "base": set(),
    "log": {"base"},
    "config": {"base", "log"},
    "table": {"config", "base", "log"},
    "select": {"table", "config", "base", "log"},
    "io": {"base", "log"},
    "health": {"select", "table", "config", "base", "log"},
    "worker": {"io", "select", "table", "config", "base", "log"},
    "admin": {"select", "table", "config", "base", "log"},
    "control": {"io", "select", "table", "config", "base", "log"},
    "cli": {"control", "admin", "config", "io", "base", "log"},
}
# The headers with which control starts, stops, mails and serves the threads.
DOORS = {"control": {"worker/worker.h", "health/health.h", "admin/admin.h", "admin/links.h"}}
# The files that may use atomics: the table, the rings, and the log, which any thread may call.
ATOMICS = ("src/table/", "include/table/", "src/base/ring.c", "include/base/ring.h", "src/log/log.c", "src/log/thread.c")
# Headers about two small subjects that belong together.
SECOND_NOUNS = {"base/duration.h": ("size",), "base/hash.h": ("random",)}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
DECLARED = re.compile(r"^(?!#|static|typedef|extern|_Static_assert|struct \w+ \{|enum|union|/|\s|\}|\*)[\w\s\*]*?\b(\w+)\(", re.M)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def modules(names):
    """Yields (path, module, text) of all C files and headers of the product."""
    for name in names:
        if name.suffix in (".c", ".h") and name.parts[-3] in ("src", "include"):
            yield name, name.parts[-2], name.read_text()


def directions(names):
    for name, module, text in modules(names):
        if module not in MAY_INCLUDE:
            yield f"{name}:1: the layers do not know the module {module}"
            continue
        for found in INCLUDE.finditer(text):
            target = found[1].split("/")[0]
            where = f"{name}:{line_of(text, found.start())}"
            if "/" not in found[1]:
                yield f"{where}: include \"{found[1]}\" by its folder"
            elif target != module and target not in MAY_INCLUDE[module] and found[1] not in DOORS.get(module, ()):
                yield f"{where}: {module} may not include {found[1]}"


def places(all_names):
    """A header that only its own module includes lies beside its source; any other lies in include/."""
    texts = {name: (module, text) for name, module, text in modules(all_names)}
    headers = {f"{name.parts[-2]}/{name.name}": name for name in texts if name.suffix == ".h"}
    exported = {found for module, text in texts.values() for found in INCLUDE.findall(text) if found.split("/")[0] != module}
    waiting = [target for target in exported if target in headers]
    while waiting:  # a header that an exported header includes is exported too
        for found in INCLUDE.findall(texts[headers[waiting.pop()]][1]):
            if found in headers and found not in exported:
                exported.add(found)
                waiting.append(found)
    for target, name in sorted(headers.items()):
        folder = "include" if target in exported or target.startswith("base/") else "src"
        if name.parts[-3] != folder:
            yield f"{name}:1: belongs in {folder}/{target.split('/')[0]}/"


def atomics(names):
    for name, _, text in modules(names):
        inside = any(part in str(name) for part in ATOMICS)
        for found in re.finditer(r"stdatomic\.h|\batomic_thread_fence\b|\b__(?:atomic|sync)_\w+", text):
            if not inside or found[0] != "stdatomic.h":
                yield f"{name}:{line_of(text, found.start())}: {found[0]} does not belong here"


def names(all_names):
    """A function in a header M/F.h starts with F, with M, with a struct of that header or with a source file of M that holds it."""
    for name, module, text in modules(all_names):
        if name.suffix != ".h":
            continue
        bare = re.sub(r"/\*.*?\*/", lambda found: re.sub(r"[^\n]", " ", found[0]), text, flags=re.S)
        sources = {path.stem for path in all_names if path.suffix == ".c" and path.parts[-3:-1] == ("src", module)}
        allowed = {name.stem, module} | sources | set(re.findall(r"struct (\w+)", bare)) | set(SECOND_NOUNS.get(f"{module}/{name.name}", ()))
        for found in DECLARED.finditer(bare):
            if not any(found[1] == noun or found[1].startswith(f"{noun}_") for noun in allowed) and not found[1].startswith("__"):
                yield f"{name}:{line_of(bare, found.start(1))}: {found[1]}() does not start with {name.stem}_ or {module}_"


def guards(all_names):
    for name, module, text in modules(all_names):
        guard = f"{module}_{name.stem}_H".upper()
        if name.suffix == ".h" and f"#ifndef {guard}\n#define {guard}\n" not in text:
            yield f"{name}:1: the guard is not {guard}"
