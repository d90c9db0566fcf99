"""What a person reads of language models."""

from __future__ import annotations

from typing import Any

from fastweights.cli.console import print_table, say

QUESTIONS = "texts"
EXAMPLE = "the company said it will sell"


def show_result(result: dict[str, Any], samples: list[dict[str, Any]]) -> None:
    """Print what came of training."""
    seconds = f"{result['train_seconds']:.1f} s (+ {result['compile_seconds']:.1f} s compiling)"
    reading = f"{result['test_words']:,} words; {_rows(result['test_rows'])}, {result['test_seconds']:.1f} s"
    tuned = f"{result['temperature']:.2f}, chosen by validation"
    unit = result.get("unit", "word")
    rows = [
        (f"test perplexity of a {unit}", f"{result['test_perplexity']:.2f}  ({reading})"),
        ("at a temperature", f"{result['test_perplexity_tuned']:.2f}  ({tuned})"),
        ("test bits per word", f"{result['test_bits_per_word']:.3f}"),
        ("validation perplexity", f"{result['validation_perplexity']:.2f}"),
        ("training", f"{result['epochs']:.3g} epochs, {result['steps']:,} steps in {seconds}"),
        ("pace", f"{result['words_per_second']:,.0f} {unit}s a second"),
        ("backend", f"{result['backend']}, {result['threads']} threads"),
        ("weights", f"{result['parameters']:,}"),
        *[("data", note) for note in result["notes"]],
    ]  # fmt: skip
    title = f"{result['model']}, {result['data']}, preset {result['preset']}"
    print_table(title, ("", ""), rows)


def show_answer(answer: dict[str, Any]) -> None:
    """Print how likely each word was, and which was likeliest in its place."""
    say_unknown(answer["unknown"])
    rows = [
        (word["word"], f"{word['probability']:.4f}", f"{word['bits']:.2f}", _likeliest(word))
        for word in answer["words"]
    ]
    after = answer["next"]
    ahead = f"next: {after['word']} ({after['probability']:.4f})"
    perplexity = f"perplexity of a {answer['unit']} {answer['perplexity']:.2f}"
    whole = f"{perplexity}, {answer['bits_per_word']:.3f} bits a word; {ahead}"
    print_table("", (answer["unit"], "probability", "bits", "likeliest"), rows, note=whole)


def show_test(tested: dict[str, Any]) -> None:
    """Print a test on a split or a file."""
    unknown = tested.get("unknown_share")
    rows = [
        (f"perplexity of a {tested['unit']}", f"{tested['perplexity']:.2f}"),
        ("bits per word", f"{tested['bits_per_word']:.3f}"),
        ("words", f"{tested['words']:,}  (read in {_rows(tested['rows'])})"),
        *([] if unknown is None else [("unknown words", f"{100 * unknown:.2f} %")]),
    ]
    where = tested["file"] if "file" in tested else f"{tested['split']} split"
    print_table(f"{tested['model']}, {where}", ("", ""), rows)


def say_unknown(words: list[str]) -> None:
    """Say on stderr which words a model reads as <unk>."""
    if words:
        say(f"not in the vocabulary, read as <unk>: {', '.join(words)}")


def _likeliest(word: dict[str, Any]) -> str:
    same = word["likeliest"] == word["word"]
    return "the word itself" if same else f"{word['likeliest']} ({word['highest']:.4f})"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
