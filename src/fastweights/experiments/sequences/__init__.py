"""The experiments on the field's tests of sequence models, all trained and tested in the same way."""

from __future__ import annotations

from typing import Any

from fastweights.experiments.experiment import (
    LOSS,
    Experiment,
    Goal,
    Pictures,
    Questions,
    Work,
)
from fastweights.experiments.sequences.options import (
    InContextRegressionOptions,
    MADOptions,
    MQAROptions,
    SelectiveCopyingOptions,
    SequenceOptions,
    SequenceTest,
    StateTrackingOptions,
    defaults,
)
from fastweights.experiments.sequences.plan import (
    InContextRegressionPlan,
    MADPlan,
    MQARPlan,
    SelectiveCopyingPlan,
    SequencePlan,
    StateTrackingPlan,
)


def _work(asked: bool) -> Work[Any, SequenceTest]:
    from fastweights.experiments.sequences import predict, study

    return Work(
        evaluate=predict.evaluate,
        test=predict.test,
        ask=predict.ask if asked else None,
        report=predict.report,
        report_test=predict.report_test,
        report_answer=predict.report_answer if asked else None,
        studies=study.studies,
    )


def _pictures() -> Pictures:
    from fastweights.experiments.sequences import figures

    return Pictures(draw=figures.draw, compare=figures.compare)


def _experiment(
    options: type[SequenceOptions],
    plan_type: type[SequencePlan],
    summary: str,
    *,
    goal: Goal = LOSS,
    questions: Questions | None = None,
    sequence: str = "",
) -> Experiment[Any, Any, SequenceTest]:
    return Experiment(
        name=options.task,
        summary=summary,
        options=options,
        plan_type=plan_type,
        defaults=defaults,
        test_options=SequenceTest,
        questions=questions,
        sequence=sequence,
        goal=goal,
        load_work=lambda: _work(questions is not None),
        load_pictures=_pictures,
    )


STATE_TRACKING = _experiment(
    StateTrackingOptions,
    StateTrackingPlan,
    "Train on state tracking: parity, arithmetic, S3, A5, S5.",
    questions=Questions("sequences", "1 0 1 1", "lines"),
    sequence="a sequence (1 0 1 1)",
)
MQAR = _experiment(
    MQAROptions, MQARPlan, "Train on multi-query associative recall: pairs, then all keys."
)
MAD = _experiment(
    MADOptions, MADPlan, "Train on a test of MAD: recall, copying, compression, memorisation."
)
SELECTIVE_COPYING = _experiment(
    SelectiveCopyingOptions,
    SelectiveCopyingPlan,
    "Train to copy symbols that stand among blanks.",
)
IN_CONTEXT_REGRESSION = _experiment(
    InContextRegressionOptions,
    InContextRegressionPlan,
    "Train on linear regression in context, beside ridge regression.",
    goal=Goal("squared_error", "minimize"),
)

EXPERIMENTS = (STATE_TRACKING, MQAR, MAD, SELECTIVE_COPYING, IN_CONTEXT_REGRESSION)
"""In the registry's order."""
