"""The experiment on catbAbI."""

from __future__ import annotations

from pathlib import Path

from fastweights.experiments.catbabi.options import CatBAbIOptions, CatBAbITest
from fastweights.experiments.catbabi.plan import CatBAbIPlan
from fastweights.experiments.catbabi.presets import defaults
from fastweights.experiments.experiment import (
    Experiment,
    PageContents,
    Pictures,
    Questions,
    RunPage,
    Work,
)
from fastweights.experiments.records import StoriesRecord


def _work() -> Work[CatBAbIPlan, CatBAbITest]:
    from fastweights.experiments.catbabi import predict, report, study, testing

    return Work(
        evaluate=testing.evaluate,
        test=predict.test,
        ask=predict.ask,
        report=report.report,
        report_test=report.report_test,
        report_answer=report.report_answer,
        studies=study.studies,
    )


def _pictures() -> Pictures:
    from fastweights.experiments.catbabi import figures

    return Pictures(draw=figures.draw, compare=figures.compare)


def _page(folder: Path) -> PageContents:
    from fastweights.experiments.catbabi import page

    return page.contents(folder)


CATBABI = Experiment(
    name="catbabi",
    summary="Train on catbAbI: questions in an endless text of bAbI stories.",
    options=CatBAbIOptions,
    plan_type=CatBAbIPlan,
    task_record=StoriesRecord,
    defaults=defaults,
    test_options=CatBAbITest,
    questions=Questions("stories", "Mary went to the kitchen. Where is Mary?", "lines"),
    sequence="a story with a question",
    page=RunPage(("fwm",), _page),
    load_work=_work,
    load_pictures=_pictures,
)
