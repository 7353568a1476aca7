"""SVG pictures of rows (a bar for each contender) and curves (a line for each), by gnuplot."""
import re
import shutil
import subprocess


def quoted(text):
    return '"' + text.replace("\\", "").replace('"', "'") + '"'


def gnuplot(script):
    return subprocess.run(["gnuplot"], input=script, text=True, capture_output=True, check=False).returncode == 0


def head(path, title):
    return (f"set terminal svg size 720,420 font 'sans,13' background rgb 'white'\nset output {quoted(str(path))}\nset title {quoted(title)} noenhanced\n"
            "set grid ytics lc rgb '#dddddd'\nset border 3\nset tics nomirror out\nset key outside bottom center horizontal noenhanced\n")


def row_picture(out, row):
    bar = row["bars"][0]
    if not bar["medians"]:
        return False
    rows = "\n".join(f"{quoted(name)} {value} {value * (1 - bar['spread_percent'][name] / 100)} {value * (1 + bar['spread_percent'][name] / 100)}"
                     for name, value in bar["medians"].items())
    required = f", bar {bar['bar']:g}" if bar["bar"] is not None else ""  # some rows have none when two builds are compared
    ratio = f" (ratio {bar['ratio']:.2f}{required})" if bar["ratio"] else ""
    return gnuplot(head(out / f"{row['row']}.svg", row["title"] + ratio) + f"set ylabel {quoted(bar['unit'])} noenhanced\nset yrange [0:*]\nset boxwidth 0.5\n"
                   f"set style fill solid 0.7\nset xtics noenhanced\nset key off\n$data << END\n{rows}\nEND\n"
                   "plot $data using 0:2:xtic(1) with boxes lc rgb '#2b6cb0', $data using 0:2:3:4 with yerrorbars lc rgb '#333333' pt 7 ps 0.3\n")


def curve_picture(out, curve, metric, label):
    blocks, plots = [], []
    for index, (name, points) in enumerate(curve["points"].items()):
        if points:
            blocks.append(f"$d{index} << END\n" + "\n".join(f"{x} {values[metric]}" for x, values in points.items()) + "\nEND")
            plots.append(f"$d{index} using 1:2 with linespoints lw 2 pt 7 ps 0.6 title {quoted(name)}")
    if not plots:
        return False
    xs = [float(x) for points in curve["points"].values() for x in points]
    wide = max(xs) > 20 * max(min(xs), 1)
    return gnuplot(head(out / f"{curve['curve']}-{re.sub('[^a-z0-9]+', '-', metric)}.svg", curve["title"]) +
                   f"set xlabel {quoted(curve['x_label'])} noenhanced\nset ylabel {quoted(label)} noenhanced\nset yrange [0:*]\n" +
                   ("set logscale x\n" if wide else "") + "\n".join(blocks) + "\nplot " + ", ".join(plots) + "\n")


def draw(out, rows, curves):
    """The number of pictures written; 0 without gnuplot."""
    if not shutil.which("gnuplot"):
        return 0
    return sum(row_picture(out, row) for row in rows) + sum(curve_picture(out, curve, metric, label)
                                                            for curve in curves for metric, label in curve["metrics"].items())
