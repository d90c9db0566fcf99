"""The tools around a model of `transformers`: its trainer and its pipeline."""

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    DataCollatorForSeq2Seq,
    Trainer,
    TrainingArguments,
    pipeline,
)

from fastweights.hf import FastWeightConfig, FastWeightForCausalLM, pretrained_tokenizer

LINES = ("the cat sees <unk> again", "a dog likes her bird today")
VOCABULARY = ["<unk>", "<eos>", *dict.fromkeys(" ".join(LINES).replace("<unk>", "").split())]


@pytest.fixture(scope="module")
def tokenizer():
    return pretrained_tokenizer({"kind": "words", "vocabulary": VOCABULARY})


@pytest.fixture(scope="module")
def trainer(tokenizer, tmp_path_factory):
    """One that has taught a model two lines by heart, in batches that are padded and come in two parts."""
    torch.manual_seed(0)
    config = FastWeightConfig(
        vocab_size=len(tokenizer),
        backbone="awd-fwm",
        hidden_size=16,
        embedding_size=16,
        tie_word_embeddings=True,
        options={
            "memory_size": 4,
            "layers": 2,
            "recurrent_dropout": 0.1,
            "hidden_dropout": 0.0,
            "output_dropout": 0.0,
        },
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )

    def batch(lines):
        made = tokenizer([line + "\n" for line in lines], padding=True, return_tensors="pt")
        labels = made["input_ids"].masked_fill(made["attention_mask"] == 0, -100)
        return {**made, "labels": labels}

    arguments = TrainingArguments(
        str(tmp_path_factory.mktemp("trainer")),
        max_steps=60,
        per_device_train_batch_size=2,
        per_device_eval_batch_size=2,
        gradient_accumulation_steps=2,
        learning_rate=0.03,
        save_steps=60,
        logging_steps=20,
        remove_unused_columns=False,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Trainer(
        model=FastWeightForCausalLM(config),
        args=arguments,
        train_dataset=list(LINES) * 4,
        eval_dataset=list(LINES),
        data_collator=batch,
        processing_class=tokenizer,
    )
    trainer.train()
    return trainer


def test_labels_of_ones_own_keep_the_ends_of_lines(tokenizer):
    made = [tokenizer(line + "\n") for line in ("the cat", "a dog likes")]
    rows = [{**row, "labels": row["input_ids"]} for row in made]
    batch = DataCollatorForSeq2Seq(tokenizer)(rows)
    assert batch["labels"].tolist() == [
        [-100, *made[0]["input_ids"]],
        made[1]["input_ids"],
    ]
    assert batch["labels"][:, -1].tolist() == [tokenizer.eos_token_id] * 2


@pytest.fixture(scope="module")
def folder(trainer):
    return f"{trainer.args.output_dir}/checkpoint-60"


def test_a_trainer_teaches(trainer):
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert len(losses) == 3 and losses[-1] < losses[0]


def test_a_trainer_evaluates_what_the_model_says(trainer, tokenizer):
    told = trainer.evaluate()["eval_loss"]
    rows = trainer.data_collator(LINES)
    with torch.no_grad():
        loss = trainer.model.eval()(**rows).loss
    assert told == pytest.approx(float(loss), rel=1e-5)
    predicted = trainer.predict(list(LINES)).predictions
    assert predicted.shape == (*rows["input_ids"].shape, len(tokenizer))


def test_a_trainers_checkpoint_is_a_model(trainer, folder, tokenizer):
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    tokens = tokenizer(LINES[0], return_tensors="pt")
    expected = trainer.model.eval()(**tokens).logits
    torch.testing.assert_close(loaded(**tokens).logits, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("options", [{}, {"num_beams": 2}])
def test_a_pipeline_tells_lines_to_their_end(folder, options):
    tell = pipeline("text-generation", model=folder)
    prompts = ["the", "a dog likes"]
    told = tell(prompts, batch_size=2, do_sample=False, max_new_tokens=20, **options)
    assert [row[0]["generated_text"] for row in told] == list(LINES)
