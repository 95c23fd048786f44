"""Grafana dashboards as code: a module for each; `python -m dev.dashboards` writes their JSON into the chart.

Queries say RELEASE for the release that the viewer has chosen, NAMESPACE for its namespace and RATE for the interval of
a rate, which Grafana fills in.
"""
