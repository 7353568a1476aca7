"""Checks the length of functions in C and in Python."""
import ast
import re

C_LINES_MAX = 70
PYTHON_LINES_MAX = 70


def blank_out(text):
    """Returns C code with comments, strings and directives replaced by blanks, so that line numbers stay the same."""
    def spaces(found):
        return re.sub(r"[^\n]", " ", found[0])
    text = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', spaces, text, flags=re.S)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", spaces, text, flags=re.M)


def c_functions(text):
    """Yields (name, first line, last line) of every function."""
    bare, depth, start, name = blank_out(text), 0, 0, None
    for found in re.finditer(r"[{}]", bare):
        if found[0] == "{":
            if depth == 0:
                start = max(start, bare.rfind(";", start, found.start()) + 1)  # declarations before the function are not part of it
                head = re.sub(r"__attribute__\s*\(\(.*?\)\)\s", "", bare[start:found.start()])
                # The head of a function ends with its arguments; that of a type, an array or a list of values does not.
                opened = re.search(r"(\w+)\s*\(", head) if head.rstrip().endswith(")") else None
                name = opened and opened[1]
                first = bare.count("\n", 0, start + len(head) - len(head.lstrip())) + 1
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                if name:
                    yield name, first, bare.count("\n", 0, found.start()) + 1
                start = found.end()
        if depth == 0 and name is None:
            start = found.end()


def lengths(names):
    for name in names:
        if name.suffix in (".c", ".h"):
            for function, first, last in c_functions(name.read_text()):
                if last - first + 1 > C_LINES_MAX:
                    yield f"{name}:{first}: {function}() has {last - first + 1} lines, the wall is {C_LINES_MAX}"
        elif name.suffix == ".py" or (name.suffix == "" and b"python" in name.read_bytes()[:60]):
            for node in ast.walk(ast.parse(name.read_text())):
                if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > PYTHON_LINES_MAX:
                    yield f"{name}:{node.lineno}: {node.name}() has {node.end_lineno - node.lineno + 1} lines"
