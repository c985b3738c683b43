"""Panels, variables and the frame that all dashboards share."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH = 24
"""Columns of Grafana's grid; each line of panels fills it."""


@dataclass(frozen=True)
class Series:
    """A query and how its series are named."""

    expression: str
    legend: str


def lines(title: str, text: str, unit: str, *series: Series, span: int = 8, most: float | None = None) -> Any:
    """Values over time, none of which is below 0."""
    panel = signed(title, text, unit, *series, span=span).min(0)
    return panel if most is None else panel.max(most)


def signed(title: str, text: str, unit: str, *series: Series, span: int = 8) -> Any:
    """Values over time, on either side of 0."""
    legend = (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs([])
    )
    panel = timeseries.Panel().fill_opacity(10).show_points(VisibilityMode.NEVER).legend(legend)
    return _with(panel, title, text, unit, series, span, 8)


def stacked(title: str, text: str, unit: str, *series: Series, span: int = 8) -> Any:
    """Values over time whose sum says something."""
    stacking = common.StackingConfig().mode(StackingMode.NORMAL).group("A")
    return lines(title, text, unit, *series, span=span).stacking(stacking).fill_opacity(40)


def numbers(title: str, text: str, unit: str, *series: Series, span: int = 8, only_names: bool = False) -> Any:
    """The latest values; only_names: of series whose labels are what matters."""
    panel = (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .text_mode(BigValueTextMode.NAME if only_names else BigValueTextMode.VALUE_AND_NAME)
        .color_mode(BigValueColorMode.NONE)
        .graph_mode(BigValueGraphMode.NONE)
    )
    return _with(panel, title, text, unit, series, span, 5, instant=True)


def bars(title: str, text: str, unit: str, *series: Series, span: int = 8, buckets: bool = False) -> Any:
    """The latest values side by side; buckets: those of a histogram, each without the ones below it."""
    panel = (
        bargauge.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .orientation(VizOrientation.HORIZONTAL)
        .min(0)
    )
    return _with(panel, title, text, unit, series, span, 10, instant=True, buckets=buckets)


def _with(
    panel: Any,
    title: str,
    text: str,
    unit: str,
    series: Iterable[Series],
    span: int,
    height: int,
    instant: bool = False,
    buckets: bool = False,
) -> Any:
    panel = panel.title(title).description(text).unit(unit).span(span).height(height).datasource(SOURCE)
    for position, each in enumerate(series):
        query = prometheus.Dataquery().expr(each.expression).legend_format(each.legend).datasource(SOURCE)
        query = query.ref_id(chr(ord("A") + position))
        query = query.instant() if instant else query.range()
        panel = panel.with_target(query.format(PromQueryFormat.HEATMAP) if buckets else query)
    return panel


def label_values(name: str, label: str, series: str, every: bool = False) -> Any:
    """A variable with the values of a label of some series; every: several may be chosen, and at first all are."""
    query = f"label_values({series}, {label})"
    variable = (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query({"query": query, "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(every)
        .include_all(every)
    )
    return variable.all_value(".+") if every else variable


def frame(name: str, text: str, since: str = "now-1h") -> Any:
    """A dashboard without variables and panels. Its uid is what links refer to."""
    return (
        dashboard.Dashboard(f"HeartOps / {name}")
        .uid(f"heartops-{name.lower().split()[0]}")
        .description(text)
        .tags(["heartops"])
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time(since, "now")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )


def with_row(target: Any, title: str, *panels: Any) -> Any:
    """A titled row; its panels fill whole lines of the grid."""
    target = target.with_row(dashboard.Row(title))
    for panel in panels:
        target = target.with_panel(panel)
    return target
