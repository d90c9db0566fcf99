"""The embedding that loses words and elements in training, and what a model makes of it."""

import pytest
import torch

from fastweights import nn
from fastweights.errors import UserError
from fastweights.models import DroppedEmbedding, SequenceModel
from fastweights.models.encoders import is_lookup

TOKENS = torch.tensor([[0, 1, 2, 3, 0, 1], [3, 3, 2, 0, 1, 2]])


def test_a_dropped_word_is_dropped_wherever_it_occurs():
    embedding = DroppedEmbedding(4, 8, words=0.5)
    seen = set()
    for _ in range(20):
        vectors = embedding(TOKENS)
        for word in range(4):
            these = vectors[word == TOKENS]
            assert (these == 0).all() or torch.equal(
                these, 2 * embedding.weight[word].expand_as(these)
            )
            seen.add((word, bool((these == 0).all())))
    assert len(seen) == 8


def test_a_dropped_element_is_dropped_at_all_steps_of_a_row():
    embedding = DroppedEmbedding(4, 50, elements=0.5)
    vectors = embedding(TOKENS)
    kept = vectors != 0
    assert (kept == kept[:, :1]).all() and (kept[0] != kept[1]).any()
    torch.testing.assert_close(vectors[kept], 2 * embedding.weight[TOKENS][kept])


def test_gradients_reach_what_was_kept_alone():
    embedding = DroppedEmbedding(40, 3, words=0.5)
    vectors = embedding(torch.arange(40)[None])
    vectors.sum().backward()
    kept = (vectors[0] != 0).double()
    torch.testing.assert_close(embedding.weight.grad.double(), 2 * kept)


def test_outside_training_it_is_an_embedding():
    embedding = DroppedEmbedding(4, 5, words=0.9, elements=0.9).eval()
    peer = torch.nn.Embedding(4, 5)
    peer.load_state_dict(embedding.state_dict())
    assert torch.equal(embedding(TOKENS), peer(TOKENS))


def test_backbones_look_up_by_themselves_when_nothing_is_dropped():
    embedding = DroppedEmbedding(4, 5, words=0.1)
    assert not is_lookup(embedding) and is_lookup(embedding.eval())
    assert is_lookup(DroppedEmbedding(4, 5)) and not is_lookup(DroppedEmbedding(4, 5, elements=0.1))
    hooked = DroppedEmbedding(4, 5).eval()
    hooked.elements.register_forward_hook(lambda module, given, found: found + 1)
    assert not is_lookup(hooked)
    model = SequenceModel(embedding, nn.LSTM(5, 6), torch.nn.Linear(6, 4))
    logits, _ = model.eval()(TOKENS)
    expected = model.head(model.backbone(embedding.weight[TOKENS])[0])
    torch.testing.assert_close(logits, expected)
    assert not torch.allclose(model.train()(TOKENS)[0], logits)


@pytest.mark.usefixtures("unchecked")
def test_slips():
    with pytest.raises(UserError, match=r"words is 1\.5"):
        DroppedEmbedding(4, 5, words=1.5)
    with pytest.raises(UserError, match="elements is -1"):
        DroppedEmbedding(4, 5, elements=-1)
    with pytest.raises(UserError, match="4 features"):
        SequenceModel(DroppedEmbedding(3, 4), nn.LSTM(5, 6), torch.nn.Linear(6, 4))
