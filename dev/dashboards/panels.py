"""The panels and the frame that all dashboards share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    VariableHide,
    VariableRefresh,
    VariableSort,
)

WIDTH = 24
TAG = "eshop"
_DATA_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_WORDS = {"RELEASE": 'release="$release"', "NAMESPACE": 'namespace="$namespace"', "RATE": "$__rate_interval"}

Queries = Mapping[str, str]  # expressions by legend


@dataclass(frozen=True)
class Graph:
    """Lines over time. `unit` is Grafana's; `width` of 24 columns."""

    title: str
    queries: Queries
    unit: str = "short"
    width: int = 8
    stacked: bool = False
    description: str = ""

    def panel(self) -> timeseries.Panel:
        made = (
            timeseries.Panel()
            .title(self.title)
            .description(self.description)
            .datasource(_DATA_SOURCE)
            .unit(self.unit)
            .min(0)
            .span(self.width)
            .height(8)
            .line_width(2)
            .fill_opacity(30 if self.stacked else 8)
            .legend(
                common.VizLegendOptions()
                .display_mode(LegendDisplayMode.LIST)
                .placement(LegendPlacement.BOTTOM)
                .show_legend(True)
            )
            .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        )
        if self.stacked:
            made.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
        for query in _targets(self.queries):
            made.with_target(query)
        return made


@dataclass(frozen=True)
class Number:
    """One figure, as it is now."""

    title: str
    query: str
    unit: str = "short"
    width: int = 4
    description: str = ""

    def panel(self) -> stat.Panel:
        [query] = _targets({self.title: self.query})
        return (
            stat.Panel()
            .title(self.title)
            .description(self.description)
            .datasource(_DATA_SOURCE)
            .unit(self.unit)
            .span(self.width)
            .height(4)
            .color_mode(BigValueColorMode.NONE)
            .graph_mode(BigValueGraphMode.AREA)
            .no_value("-")
            .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
            .with_target(query)
        )


@dataclass(frozen=True)
class Row:
    """A heading with panels below it."""

    title: str
    panels: Sequence[Graph | Number]


def quantile(share: float, histogram: str, by: str = "", where: str = "RELEASE") -> str:
    """The expression of a quantile of a histogram, for each of the labels `by`."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{{{where}}}[RATE])))"


def frame(name: str, title: str, description: str, rows: Sequence[Row], minutes: int = 60) -> dashboard.Dashboard:
    """A dashboard of rows, with the variables that choose the data source and the release."""
    made = (
        dashboard.Dashboard(title)
        .uid(f"eshop-{name}")
        .description(description)
        .tags([TAG])
        .readonly()
        .refresh("10s")
        .time(f"now-{minutes}m", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("The shop's dashboards")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .keep_time(True)
            .include_vars(True)
        )
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_chosen("release", "label_values(eshop_build_info, release)", VariableHide.DONT_HIDE))
        .with_variable(
            _chosen(
                "namespace", 'label_values(eshop_build_info{release="$release"}, namespace)', VariableHide.HIDE_VARIABLE
            )
        )
    )
    for row in rows:
        made.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            made.with_panel(panel.panel())
    return made


def _chosen(name: str, query: str, hide: VariableHide) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .datasource(_DATA_SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .hide(hide)
    )


def _targets(queries: Queries) -> list[prometheus.Dataquery]:
    found = []
    for letter, (legend, expression) in zip("ABCDEFGHIJ", queries.items(), strict=False):
        for word, meaning in _WORDS.items():
            expression = expression.replace(word, meaning)
        found.append(
            prometheus.Dataquery()
            .ref_id(letter)
            .expr(expression)
            .legend_format(legend)
            .range()
            .exemplar("histogram_quantile" in expression)
        )
    return found
