"""The experiment on Catch."""

from __future__ import annotations

from fastweights.experiments.actor_critic import AgentTest
from fastweights.experiments.catch.options import CatchOptions, defaults
from fastweights.experiments.catch.plan import CatchPlan
from fastweights.experiments.experiment import Experiment, Goal, Pictures, Work


def _work() -> Work[CatchPlan, AgentTest]:
    from fastweights.experiments.catch import predict, study

    return Work(
        evaluate=predict.evaluate,
        test=predict.test,
        report=predict.report,
        report_test=predict.report_test,
        studies=study.studies,
    )


def _pictures() -> Pictures:
    from fastweights.experiments.catch import figures

    return Pictures(draw=figures.draw, compare=figures.compare, animate=figures.animate)


CATCH = Experiment(
    name="catch",
    summary="Train agents on Catch: a ball that falls on when the screen is blank.",
    options=CatchOptions,
    plan_type=CatchPlan,
    defaults=defaults,
    test_options=AgentTest,
    sequence="the number of an episode",
    animated="an episode and the fast weights",
    goal=Goal("reward", "maximize"),
    load_work=_work,
    load_pictures=_pictures,
)
