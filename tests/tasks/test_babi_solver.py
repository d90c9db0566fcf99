"""The reader of the 20 tasks: the right answer with its supports, no answer where none is told, clear refusals."""

from __future__ import annotations

import pytest

from babi_told import NOT_TOLD, STORIES
from fastweights.errors import UserError
from fastweights.tasks.babi.reading import as_cut
from fastweights.tasks.babi.solver import Reader, solve, solve_all
from fastweights.tasks.babi.templates import (
    QUESTIONS,
    STATEMENTS,
    known_words,
    match,
)


@pytest.mark.parametrize("name", STORIES)
def test_every_kind_of_question_is_answered_with_its_supports(name):
    story, word, supports = STORIES[name]
    answer = solve(story)
    assert answer.word == word
    assert [sentence.number for sentence in answer.supports] == supports
    assert all(sentence.text in story for sentence in answer.supports)
    assert not answer.others


def test_every_template_stands_in_a_story():
    asked = {
        match(f"{piece}?", asked=True)
        for story, *_ in STORIES.values()
        for piece in story.split("?")
    }
    last = {solve(story).question.text for story, *_ in STORIES.values()}
    asked = {found.action for found in (match(question, asked=True) for question in last) if found}
    assert asked == set(QUESTIONS.values())
    told = " ".join(story for story, *_ in STORIES.values()).replace("?", ".").split(".")
    actions = {
        found.action for found in (match(sentence, asked=False) for sentence in told) if found
    }
    assert actions == set(STATEMENTS.values())


@pytest.mark.parametrize("story", NOT_TOLD)
def test_says_that_the_story_does_not_tell(story):
    assert solve(story)._replace(question=None) == (None, None, (), (), None)


def test_what_is_known_of_one_is_known_of_who_meets_him():
    told = "John went to the park. John dropped the milk. Mary got the milk there."
    assert solve(f"{told} Where is Mary?").word == "park"
    assert solve("Bill went to the park. Fred gave the milk to Bill. Where is Fred?").word == "park"
    assert solve("Bill went to the park. Bill gave the milk to Fred. Where is Fred?").word == "park"


def test_not_being_elsewhere_leaves_a_person_where_he_is():
    assert solve("Mary went to the park. Mary is not in the school. Where is Mary?").word == "park"


def test_ambiguous_gifts_name_what_fits_as_well():
    story = "Fred gave the milk to Jeff. Fred gave the apple to Jeff. What did Fred give to Jeff?"
    answer = solve(story)
    assert (answer.word, answer.others) == ("apple", ("milk",))
    # The one given most often lately; the last gift of all where none is recent, wherever the thing went since.
    often = "Jeff gave the milk to Fred. Fred gave the milk to Jeff. Fred gave the apple to Jeff."
    assert solve(f"{often} What did Fred give to Jeff?").word == "milk"
    returned = "Fred gave the milk to Jeff. Jeff gave the milk to Fred. What did Fred give to Jeff?"
    assert solve(returned)[1:4] == ("milk", solve(returned).supports, ())
    # Other gifts of a thing, however many lately, say nothing of this one.
    before = f"{often} Jeff gave the milk to Bill. Bill gave the milk to Jeff. Jeff gave the apple to Bill."
    before += " Bill gave the milk to Jeff. Jeff gave the milk to Bill."
    assert solve(f"{before} What did Fred give to Jeff?")[1:4:2] == ("apple", ())
    long_ago = often + 5 * " Bill went to the park. Bill went to the school."
    assert solve(f"{long_ago} What did Fred give to Jeff?")[1:4:2] == ("apple", ())


def test_two_on_one_side_are_both_named():
    story = "The park is north of the school. The cinema is north of the school. What is north of the school?"
    assert (solve(story).word, solve(story).others) == ("cinema", ("park",))


@pytest.mark.parametrize("name", STORIES)
def test_case_spaces_marks_and_tokens_change_nothing(name):
    story, word, supports = STORIES[name]
    tokens = story.lower().replace(".", " .").replace("?", " ?").split()
    for form in (
        story.upper(),
        story.replace(" ", " \n "),
        tokens,
        f"  {story}  ",
        "\ufeff"[1:] + story,
    ):
        answer = solve(form)
        assert (answer.word, [each.number for each in answer.supports]) == (word, supports)


@pytest.mark.parametrize("answer", [" park", " park.", " park .", "\npark\n", " Park"])
def test_answers_behind_questions_are_kept_beside(answer):
    story = f"Mary went to the park. Where is Mary?{answer} Mary moved to the school. Where is Mary?{answer}"
    first, second = solve_all(story)
    assert (first.word, first.given) == ("park", "park")
    assert (second.word, second.given) == ("school", "park")
    assert second.supports[0] == (3, "Mary moved to the school.")


@pytest.mark.parametrize("name", STORIES)
def test_a_story_cut_into_lines_is_the_same_story(name):
    story = STORIES[name][0].replace("?", "? no. ")
    assert solve_all(as_cut(story)) == solve_all(story)


def test_lists_behind_questions_are_one_answer():
    told = "Mary got the milk. Mary got the apple. What is Mary carrying?"
    for listed in ("milk,apple", "milk, apple", "milk , apple."):
        first, _ = solve_all(f"{told} {listed} Mary went to the park. Where is Mary?")
        assert first.given == first.word == "milk,apple"


@pytest.mark.parametrize("name", STORIES)
def test_a_reader_asked_at_any_time_agrees(name):
    story, word, _ = STORIES[name]
    whole = solve_all(story)[-1]
    reader = Reader()
    *before, _ = story.replace("?", "?|").replace(".", ".|").split("|")
    for sentence in before:
        answer = reader.ask(sentence) if sentence.endswith("?") else reader.tell(sentence)
    assert answer == whole
    again = reader.ask(before[-1])
    assert (again.word, again.supports) == (word, whole.supports)


@pytest.mark.parametrize("name", sorted({*STORIES} - {"3"}))
def test_supports_suffice(name):
    """Task 3's alone do not: that the thing was carried is told elsewhere."""
    story, word, _ = STORIES[name]
    answer = solve(story)
    told = " ".join(each.text for each in sorted(answer.supports))
    assert solve(f"{told} {answer.question.text}").word == word


@pytest.mark.parametrize(
    ("story", "message"),
    [
        ("Mary went to the park.", "the story asks nothing: add a question, such as 'Where is Mary?'"),
        ("", "the story asks nothing"),
        (" . ? ", "the story asks nothing"),
        (
            "John is bored. Mary walked to the park. Where is Mary?",
            "sentence 2, 'mary walked to the park.', fits no template; the nearest is 'PERSON went to the PLACE.';"
            " 'walked' is no known word",
        ),
        ("Marry went to the park. Where is Mary?", "'marry' is no known word, the nearest is 'mary'"),
        ("Mary went to the park. Where is the mary?", "sentence 2, 'where is the mary?', fits no template"),
        ("Mary went to the milk. Where is Mary?", "the nearest is 'PERSON went to the PLACE.'"),
        ("Mary went to the park? Where is Mary?", "1, 'mary went to the park?', is no question: end it in '.'"),
        ("Mary went to the park. Where is Mary. Where is Bill?", "2, 'where is mary.', is a question: end it in '?'"),
        ("Then she went to the park. Where is Mary?", "sentence 1: 'she' stands for one, but the sentence before"),
        ("Mary and John went to the park. Then she went to the office. Where is Mary?", "names mary and john"),
        ("Mary went to the park. Then they went to the office. Where is Mary?", "'they' stands for 2"),
        ("Mary went to the park. Where is Mary? park bench John went home. Where is Mary?", "sentence 3, 'park bench"),
    ],
)  # fmt: skip
def test_refuses_in_a_clear_line(story, message):
    with pytest.raises(UserError) as refused:
        solve(story)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_refusal_is_short():
    """Also of a file that has no full stops, or no spaces."""
    for text in ("Mary went to the park " * 500, "a" * 50_000, "tür " * 9):
        with pytest.raises(UserError) as refused:
            solve(f"{text}. Where is Mary?")
        assert len(str(refused.value)) < 350


def test_what_is_refused_leaves_the_reader_as_it_was():
    reader = Reader()
    reader.tell("Mary went to the park.")
    for wrong in ("Mary flew to the school.", "Then they went to the school."):
        with pytest.raises(UserError, match="sentence 2"):
            reader.tell(wrong)
    with pytest.raises(UserError, match="sentence 2"):
        reader.ask("Where is the park?")
    reader.tell("Then she went to the school.")
    assert reader.ask("Where is Mary?")[1:3] == (
        "school",
        ((1, "Mary went to the park."), (2, "Then she went to the school.")),
    )


def test_known_words_are_the_releases():
    """All but what only answers hold, as "n,w", "nothing", "yes", and words that stand alone in them."""
    assert {
        "mary",
        "went",
        "back",
        "longer",
        "chocolates",
        "pajamas",
        "she",
        "they",
    } <= known_words()
    assert not {"PERSON", "there]", "yes", "?"} & known_words()
    assert all(word == word.lower() and word.isalpha() for word in known_words())
