"""The metrics that penstock-metrics(7) lists, the samples of a scrape, and what an expression of PromQL names. test_metrics_manual compares that page with the
program's own table."""
import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MANUAL = ROOT / "etc/man/penstock-metrics.7"
SUBJECTS = {"The process": (), "Workers": ("worker",), "Listeners": ("listener",), "Pools": ("pool",), "Backends": ("pool", "backend")}
GIVEN = {"instance", "job"}  # Prometheus adds these labels


@dataclass
class Metric:
    kind: str
    labels: set
    values: dict = field(default_factory=dict)  # the words that a label may have, if the page lists them


def table():
    """{name: Metric}, with the names that each histogram has in a scrape."""
    metrics, subject = {}, None
    for item in re.split(r"^\.(?=Ss |It Ic )", MANUAL.read_text().split("\n.Sh METRICS\n")[1], flags=re.M)[1:]:
        head, _, text = item.partition("\n")
        if head.startswith("Ss "):
            subject = SUBJECTS[head[3:]]
            continue
        kind, label = re.match(r"\.Pq Cm (\w+)(?: ; label Ic (\w+))?\n", text).groups()
        metric = Metric(kind, {*subject, *([label] if label else [])})
        values = re.search(r"Values: ([^.]*)\.", text.replace("\n", " "))
        if values:
            metric.values[label] = set(values[1].split(", "))
        name = head[len("It Ic "):]
        if kind == "histogram":
            metrics.update({f"{name}_sum": metric, f"{name}_count": metric, f"{name}_bucket": Metric(kind, metric.labels | {"le"})})
        else:
            metrics[name] = metric
    return metrics


def complaints(expression, metrics, also=()):
    """What an expression of PromQL names and the table does not have. `also`: names of other metrics that are known."""
    known = set(GIVEN)
    for name, selector in re.findall(r"\b((?:penstock|process)_\w+|up)\b(?:\{([^}]*)\})?", expression):
        if name in also:
            continue
        if name not in metrics:
            yield f"there is no metric {name}"
            continue
        metric = metrics[name]
        known |= metric.labels
        for label, operator, value in re.findall(r'(\w+) *(=~|!~|!=|=) *"([^"]*)"', selector):
            if label not in metric.labels | GIVEN:
                yield f"{name} has no label {label}"
            for word in value.split("|") if label in metric.values and not value.startswith("$") else ():
                if word not in metric.values[label]:
                    yield f"{name}: {label} is never {word}"
    for labels in re.findall(r"\b(?:by|without|on|ignoring|group_left|group_right) *\(([^)]*)\)", expression):
        for label in re.findall(r"\w+", labels):
            if label not in known:
                yield f"no metric of the expression has the label {label}"


def labels_of(expression, metrics):
    """The labels that the metrics of an expression have."""
    return GIVEN.union(*(metrics[name].labels for name in re.findall(r"\b(?:penstock|process)_\w+", expression) if name in metrics))


def samples(text):
    """{(name, (label, value), ...): number} of a text of Prometheus; labels in the order of the text."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, number = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
            key = (name, *re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""))
            assert key not in found, f"{line}: this series is there twice"
            found[key] = float(number)
    return found
