"""`kubectl heart doctor`: what is printed, and the exit code."""

import click
from rich.text import Text

from heart_cli.client import Client
from heart_cli.doctor.examine import examine
from heart_cli.doctor.findings import Finding, has_problems
from heart_cli.listing import plain_table, print_table
from heart_cli.options import SYSTEM_NAMESPACE, on_cluster
from heart_cli.output import STRUCTURED, installed_version, print_data
from heart_cli.text import clean

STYLES = {"ok": "green", "note": "cyan", "unknown": "yellow", "problem": "red"}


@click.command()
@SYSTEM_NAMESPACE
@STRUCTURED
@on_cluster
def doctor(client: Client, system_namespace: str, output: str | None) -> None:
    """Check the installation and a namespace.

    Says what is missing, and how to correct it.

    Reads CRDs, operator, MLflow, database, Jobs, storage, images, Secret, API keys, permissions, Prometheus,
    autoscaling, Gateways, models and federation sites; changes nothing. Exit code 1 if there is a problem.
    """
    findings = examine(client, system_namespace, installed_version())
    if output:
        print_data(output, {"findings": [finding.dump() for finding in findings]})
    else:
        print_findings(findings)
    if has_problems(findings):
        click.get_current_context().exit(1)


def print_findings(findings: list[Finding]) -> None:
    """One line for each finding; below it, indented, what to do."""
    table = plain_table("LEVEL", "AREA", "FINDING")
    for finding in findings:
        level = Text(finding.level, STYLES[finding.level])
        table.add_row(level, Text(clean(finding.area)), Text(clean(finding.message)))
        if finding.fix and finding.level != "ok":
            table.add_row("", "", Text(f"→ {clean(finding.fix)}"))
    print_table(table)
