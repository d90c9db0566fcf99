"""The experiment on MNIST glimpses."""

from __future__ import annotations

from fastweights.experiments.experiment import Experiment, Pictures, Questions, Work
from fastweights.experiments.glimpses.options import GlimpsesOptions, GlimpsesTest, defaults
from fastweights.experiments.glimpses.plan import GlimpsesPlan


def _work() -> Work[GlimpsesPlan, GlimpsesTest]:
    from fastweights.experiments.glimpses import predict, report, study

    return Work(
        evaluate=predict.evaluate,
        test=predict.test,
        ask=predict.ask,
        report=report.report,
        report_test=report.report_test,
        report_answer=report.report_answer,
        studies=study.studies,
    )


def _pictures() -> Pictures:
    from fastweights.experiments.glimpses import figures

    return Pictures(draw=figures.draw, compare=figures.compare)


GLIMPSES = Experiment(
    name="glimpses",
    summary="Train on MNIST seen as 24 small glimpses, fine and coarse.",
    options=GlimpsesOptions,
    plan_type=GlimpsesPlan,
    defaults=defaults,
    test_options=GlimpsesTest,
    questions=Questions("images", "7", None),
    sequence="the number of a test image",
    load_work=_work,
    load_pictures=_pictures,
)
