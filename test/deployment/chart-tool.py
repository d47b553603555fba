"""Helm and the Kubernetes schemas for the tests: one JSON request on standard input, one JSON answer."""
import json
import sys

import helm_python as helm
import kubernetes_validate
import yaml


def main(request):
    action = request["action"]
    if action == "lint":
        return helm.lint(request["chart"], request["values"], strict=True, kube_version=request["kubeVersion"])
    if action == "render":
        try:
            with helm.Chart.load(request["chart"]) as chart:
                files = chart.render(request["values"], name=request["name"], namespace=request["namespace"])
            return {"files": files}
        except helm.HelmError as error:
            return {"error": str(error)}
    if action == "validate":
        return {"findings": [finding for text in request["texts"] for finding in validate(text, request["versions"])]}
    raise ValueError(action)


def validate(text, versions):
    manifests = [manifest for manifest in yaml.safe_load_all(text) if manifest is not None]
    if not manifests:
        return ["no manifest"]
    findings = []
    for manifest in manifests:
        for version in versions:
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                findings.append(f"{manifest.get('kind')} {version}: {str(error)[:300]}")
    return findings


json.dump(main(json.load(sys.stdin)), sys.stdout)
