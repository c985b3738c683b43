"""The Grafana dashboards of the chart, generated: `python -m hack.dashboards` writes charts/heartops/dashboards/*.json.

Built with Grafana's own SDK of types, so that they follow its schema; `--check` compares, as `make lint` does.
"""
