"""The alert rules and the dashboard in etc/: Prometheus takes them, and every metric and label that they name exists."""
import json
import re
import shutil
import subprocess

import metrics
from case import ONCE, Case
from metrics import ROOT
from rig import Skip, require

RULES = ROOT / "etc/prometheus/penstock.rules.yml"
RULES_TEST = ROOT / "test/prometheus/rules_test.yml"
DASHBOARD = ROOT / "etc/grafana/penstock.json"
PANELS = {"row", "stat", "timeseries", "table", "state-timeline"}
PLACEHOLDERS = {"$__rate_interval": "1m", "$__range": "1h", "$instance": "a", "$pool": "b"}


def promtool(*arguments):
    if not shutil.which("promtool"):
        raise Skip("promtool is not installed")
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    require(done.returncode == 0, f"promtool {' '.join(arguments)}: {done.stdout}{done.stderr}")


def rules():
    try:
        import yaml
    except ImportError:
        raise Skip("python3-yaml is not installed") from None
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def rules_hold(_rig, _case):
    promtool("check", "rules", str(RULES))
    promtool("test", "rules", str(RULES_TEST))


def rules_name_what_exists(_rig, _case):
    table = metrics.table()
    tested = RULES_TEST.read_text()
    for rule in rules():
        wrong = list(metrics.complaints(rule["expr"], table, also=("up",)))
        shown = " ".join(rule["annotations"].values())
        for query in re.findall(r'printf "(.*?)"', shown):
            wrong += metrics.complaints(query.replace("%q", '""'), table)
        wrong += [f"its labels do not include {label}" for label in re.findall(r"\$labels\.(\w+)", shown)
                  if label not in metrics.labels_of(rule["expr"], table)]
        require(not wrong, f"{rule['alert']}: {'; '.join(wrong)}")
        require(re.search(rf"alertname: {rule['alert']}, exp_alerts: \[\{{|alertname: {rule['alert']}\n", tested), f"no test lets {rule['alert']} fire")


def expressions(dashboard):
    """(where, expression, legend) of everything that the dashboard asks Prometheus."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], target["legendFormat"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            expression, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
            yield variable["name"], expression, f"{{{{{label}}}}}"


def dashboard_names_what_exists(rig, _case):
    table = metrics.table()
    dashboard = json.loads(DASHBOARD.read_text())
    records = []
    for where, expression, legend in expressions(dashboard):
        wrong = list(metrics.complaints(expression, table))
        wrong += [f"no label {label} for the legend" for label in re.findall(r"\{\{(\w+)\}\}", legend) if label not in metrics.labels_of(expression, table)]
        wrong += [f"{name} is not narrowed to $pool" for name, selector in re.findall(r"(penstock_\w+)(?:\{([^}]*)\})?", expression)
                  if where != "pool" and {"pool"} <= table[name].labels and 'pool=~"$pool"' not in selector]
        require(not wrong, f"dashboard, {where}: {'; '.join(wrong)}")
        for placeholder, value in PLACEHOLDERS.items():
            expression = expression.replace(placeholder, value)
        records.append({"record": f"dashboard:{len(records)}", "expr": expression})
    promtool("check", "rules", rig.write("dashboard.yml", json.dumps({"groups": [{"name": "dashboard", "rules": records}]})))


def dashboard_is_well_formed(_rig, _case):
    dashboard = json.loads(DASHBOARD.read_text())
    require(isinstance(dashboard["schemaVersion"], int) and dashboard["title"] == "Penstock" and dashboard["uid"], "no title, uid or schemaVersion")
    require([variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource", "instance", "pool"], "other variables")
    identifiers, taken = set(), set()
    for panel in dashboard["panels"]:
        where, place = panel["title"], panel["gridPos"]
        require(panel["type"] in PANELS and panel["id"] not in identifiers, f"{where}: unknown type, or its id is used twice")
        identifiers.add(panel["id"])
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        require(place["x"] + place["w"] <= 24 and not cells & taken, f"{where}: beyond the right edge, or over another panel")
        taken |= cells
        sources = [panel.get("datasource"), *(target["datasource"] for target in panel.get("targets", ()))]
        require(panel["type"] == "row" or all(source["uid"] == "${datasource}" for source in sources), f"{where}: another data source")
        letters = [target["refId"] for target in panel.get("targets", ())]
        require(len(letters) == len(set(letters)), f"{where}: a refId is used twice")


CASES = tuple(Case(name, what, body=body, ways=ONCE) for name, what, body in (
    ("metrics-rules", "Prometheus takes the alert rules, and each fires when it should and not before", rules_hold),
    ("metrics-rules-names", "every metric and label in the alert rules exists, and a test lets each alert fire", rules_name_what_exists),
    ("metrics-dashboard-names", "every metric and label in the dashboard exists, and every expression is valid", dashboard_names_what_exists),
    ("metrics-dashboard", "the dashboard is well formed", dashboard_is_well_formed),
))
