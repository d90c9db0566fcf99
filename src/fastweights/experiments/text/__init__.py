"""The experiment on word language models."""

from __future__ import annotations

from fastweights.experiments.experiment import Experiment, Goal, Pictures, Questions, Work
from fastweights.experiments.records import TextRecord
from fastweights.experiments.text.options import TextOptions, TextTest
from fastweights.experiments.text.plan import TextPlan
from fastweights.experiments.text.presets import defaults


def _work() -> Work[TextPlan, TextTest]:
    from fastweights.experiments.text import predict, report, study, testing

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
    from fastweights.experiments.text import figures

    return Pictures(
        open=figures.open_to_draw,
        draw=figures.draw,
        compare=figures.compare,
        compare_on=figures.compare,
    )


TEXT = Experiment(
    name="text",
    summary="Train on words: Penn Treebank, WikiText-2 or text files of your own.",
    options=TextOptions,
    plan_type=TextPlan,
    task_record=TextRecord,
    defaults=defaults,
    test_options=TextTest,
    questions=Questions("texts", "the company said it will sell", "whole"),
    sequence="a text, for one run or two models",
    goal=Goal("validation_cross_entropy", "minimize"),
    load_work=_work,
    load_pictures=_pictures,
)
