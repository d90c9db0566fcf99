"""The experiment on associative retrieval."""

from __future__ import annotations

from pathlib import Path

from fastweights.experiments.experiment import (
    Experiment,
    PageContents,
    Pictures,
    Questions,
    RunPage,
    Work,
)
from fastweights.experiments.retrieval.options import RetrievalOptions, RetrievalTest, defaults
from fastweights.experiments.retrieval.plan import RetrievalPlan


def _work() -> Work[RetrievalPlan, RetrievalTest]:
    from fastweights.experiments.retrieval import predict, report, study

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
    from fastweights.experiments.retrieval import figures

    return Pictures(draw=figures.draw, compare=figures.compare, animate=figures.animate)


def _page(folder: Path) -> PageContents:
    from fastweights.experiments.retrieval import page

    return page.contents(folder)


RETRIEVAL = Experiment(
    name="retrieval",
    summary="Train on associative retrieval: c9k8j3f1??c → 9.",
    options=RetrievalOptions,
    plan_type=RetrievalPlan,
    defaults=defaults,
    test_options=RetrievalTest,
    questions=Questions("sequences", "c9k8j3f1??c", "lines"),
    sequence="a sequence (c9k8j3f1??c)",
    animated="the fast weights and the hidden state over a sequence",
    page=RunPage(("fast-weights", "fast-weights-flat"), _page),
    load_work=_work,
    load_pictures=_pictures,
)
