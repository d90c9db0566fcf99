"""From a run of the task text to a pretrained model and its tokenizer."""

from __future__ import annotations

import os

from transformers import PreTrainedTokenizerFast

from fastweights import runs
from fastweights.errors import UserError
from fastweights.hf.config import FastWeightConfig
from fastweights.hf.model import FastWeightForCausalLM
from fastweights.hf.tokenizer import pretrained_tokenizer
from fastweights.runs import Run


def from_run(
    folder: str | os.PathLike[str],
) -> tuple[FastWeightForCausalLM, PreTrainedTokenizerFast]:
    """Load a run of `fastweights train text` as a model and a tokenizer of `transformers`; its data is not needed.

    Both have `save_pretrained`; perplexities are those of the run.

    Args:
        folder: a run folder.

    Returns:
        the model, in evaluation mode, on the CPU, in the dtype it was trained in; and the tokenizer.

    Raises:
        UserError: if it is not a run folder, or has no whole checkpoint, or is a run of another task.

    Example:
        model, tokenizer = fastweights.hf.from_run("runs/text-awd-fwm")
        prompt = tokenizer("the company said", return_tensors="pt")
        print(tokenizer.decode(model.generate(**prompt, do_sample=True, max_new_tokens=20)[0]))
    """
    tokenizer = pretrained_tokenizer(_record(folder))
    trained = runs.load(folder)
    assert trained.config is not None
    end = tokenizer.eos_token_id
    config = FastWeightConfig.of(
        trained.config, bos_token_id=end, eos_token_id=end, pad_token_id=end
    )
    if len(tokenizer) != config.vocab_size:
        raise UserError(
            f"run {folder} has a tokenizer of {len(tokenizer)} tokens and a model of {config.vocab_size}"
        )
    model = FastWeightForCausalLM(config)
    model.model.to(next(trained.parameters()).dtype).load_state_dict(trained.state_dict())
    return model.eval(), tokenizer


def _record(folder: str | os.PathLike[str]) -> dict[str, object]:
    """Read what a run keeps of its tokenizer."""
    task = Run.open(folder).config.get("task")
    record = task.get("tokenizer") if isinstance(task, dict) else None
    if not isinstance(record, dict):
        raise UserError(f"{folder} is not a run of the task text: it records no tokenizer")
    return record
