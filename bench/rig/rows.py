"""What is measured: a row of the table (contenders, metrics, bars), or a curve (lines over a range of x)."""
import statistics


class Bar:
    """`metric` of ours against the better (lowest) of the peers', or of the contender `against`: at most `ratio`; or at most a constant. Neither: for information."""

    def __init__(self, metric, ratio=None, unit="", scale=1, at_most=None, against=None):
        self.metric, self.ratio, self.unit, self.scale, self.at_most, self.against = metric, ratio, unit, scale, at_most, against


class Contender:
    def __init__(self, name, kind, **settings):
        self.name, self.kind, self.settings = name, kind, settings


def usual(**ours):
    """Penstock, with settings of its own, and both peers."""
    return [Contender("penstock", "penstock", **ours), Contender("haproxy", "haproxy"), Contender("nginx", "nginx")]


class Row:
    """`measure(rig, contender)` returns {metric: value}; the first contender is the one that is judged.

    With `standing`, `measure` is a context manager that sets up and yields what measures once: all contenders then stand side by side, and many short
    measurements in turn meet the same moods of the machine, which last some seconds."""

    def __init__(self, name, title, contenders, measure, bars, seconds=None, standing=False, times=1):
        self.name, self.title, self.contenders, self.measure, self.bars = name, title, contenders, measure, bars
        self.seconds = seconds  # of one measurement, where the usual is not right
        self.standing = standing
        self.times = times      # as many repetitions as usual


class Curve:
    """`measure(rig, line, x)` returns {metric: value}, or is `standing` as with a row; one picture and one table for each metric of `metrics`
    ({metric: label of the axis}). A point is the median of so many `turns`."""

    def __init__(self, name, title, x_label, xs, lines, measure, metrics, seconds=None, standing=False, turns=1):
        self.name, self.title, self.x_label, self.xs, self.lines, self.measure, self.metrics = name, title, x_label, xs, lines, measure, metrics
        self.seconds, self.standing, self.turns = seconds, standing, turns


def quartiles(values):
    return statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3


def spread(values):
    """Median, and half the distance between the quartiles, in percent of it."""
    first, median, third = quartiles(values)
    return median, (third - first) / 2 / median * 100 if median else 0.0
