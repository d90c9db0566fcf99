"""Results for a terminal: language models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastweights.experiments.plan import Record
from fastweights.experiments.terminal import (
    Notice,
    Shown,
    TextTable,
    counted,
    figure_table,
    training_rows,
)


def report(result: Record, samples: Sequence[Record]) -> Iterator[Shown]:
    """Show what came of training; there are no sample questions."""
    reading = f"{result['test_words']:,} words; {counted(result['test_rows'], 'row')}, {result['test_seconds']:.1f} s"
    tuned = f"{result['temperature']:.2f}, chosen by validation"
    unit = result.get("unit", "word")
    (name, steps), *machine = training_rows(result)
    rows = [
        (f"test perplexity of a {unit}", f"{result['test_perplexity']:.2f}  ({reading})"),
        ("at a temperature", f"{result['test_perplexity_tuned']:.2f}  ({tuned})"),
        ("test bits per word", f"{result['test_bits_per_word']:.3f}"),
        ("validation perplexity", f"{result['validation_perplexity']:.2f}"),
        (name, f"{result['epochs']:.3g} epochs, {steps}"),
        ("pace", f"{result['words_per_second']:,.0f} {unit}s a second"),
        *machine,
        *[("data", note) for note in result["notes"]],
    ]  # fmt: skip
    yield figure_table(f"{result['model']}, {result['data']}, preset {result['preset']}", rows)


def report_answer(answer: Record) -> Iterator[Shown]:
    """Show how likely each word was, and which was likeliest in its place."""
    yield from unknown_words(answer["unknown"])
    rows = [
        (word["word"], f"{word['probability']:.4f}", f"{word['bits']:.2f}", _likeliest(word))
        for word in answer["words"]
    ]
    after = answer["next"]
    ahead = f"next: {after['word']} ({after['probability']:.4f})"
    perplexity = f"perplexity of a {answer['unit']} {answer['perplexity']:.2f}"
    note = f"{perplexity}, {answer['bits_per_word']:.3f} bits a word; {ahead}"
    yield TextTable("", (answer["unit"], "probability", "bits", "likeliest"), rows, note)


def report_test(tested: Record) -> Iterator[Shown]:
    """Show a test on a split or a file."""
    unknown = tested.get("unknown_share")
    rows = [
        (f"perplexity of a {tested['unit']}", f"{tested['perplexity']:.2f}"),
        ("bits per word", f"{tested['bits_per_word']:.3f}"),
        ("words", f"{tested['words']:,}  (read in {counted(tested['rows'], 'row')})"),
        *([] if unknown is None else [("unknown words", f"{100 * unknown:.2f} %")]),
    ]
    where = tested["file"] if "file" in tested else f"{tested['split']} split"
    yield figure_table(f"{tested['model']}, {where}", rows)


def unknown_words(words: Sequence[str]) -> list[Shown]:
    """Return a notice of the words that a model reads as <unk>, if there are any."""
    return [Notice(f"not in the vocabulary, read as <unk>: {', '.join(words)}")] if words else []


def _likeliest(word: Record) -> str:
    same = word["likeliest"] == word["word"]
    return "the word itself" if same else f"{word['likeliest']} ({word['highest']:.4f})"
