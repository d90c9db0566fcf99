"""The experiment on the metro maps."""

from __future__ import annotations

from fastweights.experiments.experiment import Experiment, Goal, Pictures, Work
from fastweights.experiments.metro_map.options import MetroMapOptions, MetroMapTest, defaults
from fastweights.experiments.metro_map.plan import MetroMapPlan


def _work() -> Work[MetroMapPlan, MetroMapTest]:
    from fastweights.experiments.metro_map import predict, study

    return Work(
        evaluate=predict.evaluate,
        test=predict.test,
        report=predict.report,
        report_test=predict.report_test,
        studies=study.studies,
    )


def _pictures() -> Pictures:
    from fastweights.experiments.metro_map import figures

    return Pictures(draw=figures.draw, compare=figures.compare)


METRO_MAP = Experiment(
    name="metro-map",
    summary="Train agents on metro maps that only riding reveals (meta-RL).",
    options=MetroMapOptions,
    plan_type=MetroMapPlan,
    defaults=defaults,
    test_options=MetroMapTest,
    sequence="the number of a test map",
    goal=Goal("reward", "maximize"),
    load_work=_work,
    load_pictures=_pictures,
)
