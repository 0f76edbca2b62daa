"""test/chart/look.py - what must be true of the chart's objects: look.py DIR <objects; leaves the
configuration that the nodes would read in DIR."""
import sys
from pathlib import Path

import yaml

objects = [one for one in yaml.safe_load_all(sys.stdin) if one]
by_kind = {one["kind"]: one for one in objects}
for kind in ("StatefulSet", "Service", "ConfigMap", "PodDisruptionBudget", "NetworkPolicy"):
    assert kind in by_kind, kind

pod = by_kind["StatefulSet"]["spec"]["template"]
selector = by_kind["StatefulSet"]["spec"]["selector"]["matchLabels"]
for one in objects:
    wanted = one["spec"].get("selector", {}) if one["kind"] == "Service" else None
    if one["kind"] == "PodDisruptionBudget":
        wanted = one["spec"]["selector"]["matchLabels"]
    if one["kind"] == "NetworkPolicy":
        wanted = one["spec"]["podSelector"]["matchLabels"]
        # A rule that names nobody lets everybody in.
        assert all(rule["from"] and rule["ports"] for rule in one["spec"]["ingress"]), one
    assert wanted is None or wanted == selector, one
assert selector.items() <= pod["metadata"]["labels"].items()

node = pod["spec"]["containers"][0]
names = {port["name"] for port in node["ports"]}
assert all(port["targetPort"] in names for one in objects if one["kind"] == "Service" for port in one["spec"]["ports"])
assert node["readinessProbe"]["httpGet"]["path"] == "/readyz" and node["livenessProbe"]["httpGet"]["path"] == "/healthz"
assert node["securityContext"]["readOnlyRootFilesystem"] and pod["spec"]["securityContext"]["runAsNonRoot"]
volumes = {volume["name"] for volume in pod["spec"]["volumes"]} | {
    claim["metadata"]["name"] for claim in by_kind["StatefulSet"]["spec"]["volumeClaimTemplates"]}
assert {mount["name"] for mount in node["volumeMounts"]} == volumes
for name, text in by_kind["ConfigMap"]["data"].items():
    (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
