"""Reads the first comment of a program in test/kernel, which states a fact and who relies on it (test/kernel/fact.h)."""
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "kernel"


def described(name):
    """Returns the fact and who relies on it, as texts of the comment, or None if the comment does not have the required form."""
    comment = re.match(r"/\* (.*?)\*/", (FOLDER / f"{name}.c").read_text(), re.S)
    text = re.sub(r"\n \* ?", "\n", comment[1]).strip() if comment else ""
    parts = re.fullmatch(rf"{name}: (.+?)\n\nSeen: .+?\nRelied on by: (.+)", text, re.S)
    return tuple(" ".join(part.split()) for part in parts.groups()) if parts else None
