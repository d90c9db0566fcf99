"""Any backbone as a causal language model of `transformers`, its recurrent state as the cache."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Integer, Shaped
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from fastweights import models
from fastweights.errors import UserError
from fastweights.hf import inputs
from fastweights.hf.cache import RecurrentCache
from fastweights.hf.config import FastWeightConfig
from fastweights.hf.loading import check_placed, check_weights, restore_constants
from fastweights.hf.packing import Packed
from fastweights.nn.parts.auxiliary_loss import auxiliary_loss
from fastweights.ops.tracing import is_open, recorded

# transformers 5 has had both names for the cache: forward takes either, what comes out is called by the version's own.
CACHE = "cache" if "cache" in CausalLMOutputWithPast.__dataclass_fields__ else "past_key_values"


class FastWeightForCausalLM(PreTrainedModel, GenerationMixin):
    """A `SequenceModel` that predicts the next token, with the interface of `transformers`.

    `generate` takes constant memory and time for each token. Rows may be padded in front or behind; each gets what
    it would get alone. The loss in training has the backbone's own objectives in it (`config.auxiliary_weight`).

    Args:
        config: what to build.

    Attributes:
        model: the `models.SequenceModel`.

    Raises:
        UserError: for an option that the backbone does not have.

    Example:
        >>> config = FastWeightConfig(vocab_size=10, backbone="fwm", hidden_size=8, embedding_size=4)
        >>> model = FastWeightForCausalLM(config).eval()
        >>> model.generate(torch.tensor([[1, 2, 3]]), max_new_tokens=5, do_sample=False).shape
        torch.Size([1, 8])
    """

    config_class = FastWeightConfig
    main_input_name = "input_ids"
    _tied_weights_keys = {"model.head.weight": "model.encoder.weight"}  # noqa: RUF012  (transformers' own form)
    _is_stateful = True

    def __init__(self, config: FastWeightConfig) -> None:
        super().__init__(config)
        self.model = models.from_config(config.describe())
        self.post_init()

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """Load a saved model; the arguments are those of `transformers.PreTrainedModel.from_pretrained`.

        Raises:
            UserError: if the weights are not those of the model that its configuration describes, or `device_map`
                leaves some on a disk that nothing would fetch (`loading.check_placed`).
        """
        wanted = kwargs.pop("output_loading_info", False)
        lenient = kwargs.pop("ignore_mismatched_sizes", False)
        loaded: Any = super().from_pretrained(
            *args, output_loading_info=True, ignore_mismatched_sizes=True, **kwargs
        )
        model, found = loaded
        if not lenient:
            check_weights(model, found)
        check_placed(model, model.model, model.config.tie_word_embeddings)
        restore_constants(model.model)
        return (model, found) if wanted else model

    @classmethod
    def register_for_auto_class(cls, auto_class: Any = "AutoModel") -> None:
        """Do nothing, as `FastWeightConfig.register_for_auto_class`."""

    def forward(
        self,
        input_ids: Integer[Tensor, "batch time"] | None = None,
        attention_mask: Integer[Tensor, "batch all"] | Bool[Tensor, "batch all"] | None = None,
        labels: Integer[Tensor, "batch time"] | None = None,
        cache: RecurrentCache | None = None,
        past_key_values: RecurrentCache | None = None,
        use_cache: bool | None = None,
        return_dict: bool | None = None,
        logits_to_keep: int | Integer[Tensor, " kept"] = 0,
        position_ids: Integer[Tensor, "rows time"] | None = None,
        seq_idx: Integer[Tensor, "rows time"] | None = None,
        cu_seq_lens_q: Integer[Tensor, " cuts"] | None = None,
        cu_seq_lens_k: Integer[Tensor, " cuts"] | None = None,
        num_items_in_batch: float | Shaped[Tensor, ""] | None = None,
        **kwargs: object,
    ) -> CausalLMOutputWithPast | tuple[object, ...]:
        """Run a batch of token sequences.

        Args:
            input_ids: [batch, time].
            attention_mask: [batch, time], 1 = a real token; with a cache [batch, what it has read + time] does too.
                Padding is a prefix or a suffix of a row; the first token behind a prefix is no label.
            labels: [batch, time], what `input_ids` holds where it is to be predicted, and −100 elsewhere; they are
                shifted here.
            cache: what to go on from; it is changed to the state after these tokens.
            past_key_values: the same under its older name.
            use_cache: whether to return the state; None: `config.use_cache`, and not in training.
            return_dict: False: a tuple of what there is.
            logits_to_keep: how many last steps to give logits of, or which; 0: all.
            position_ids, seq_idx, cu_seq_lens_q, cu_seq_lens_k: where texts packed into one row begin (`packing.find`).
                Each gets what it would get alone: its first token is no label, and a cache goes to a row's first text
                and comes from its last.
            num_items_in_batch: labels of the whole batch, of which these are a part: the loss is its share of the
                batch's mean. None: the mean over these labels.
            kwargs: what other models know and changes nothing here (`inputs.WITHOUT_MEANING`), None or False.

        Returns:
            loss (if there are labels), logits [batch, time, vocab_size] and the cache (if it is used).

        Raises:
            UserError: without `input_ids` (vectors in their place, `inputs_embeds`, are not read), for tokens outside
                the vocabulary, padding between real tokens, a cache of another model, a mask of another shape, or an
                argument that would be passed over.
        """
        inputs.check_tokens(input_ids, self.config.vocab_size)
        inputs.check_others(kwargs)
        check_placed(self, self.model, self.config.tie_word_embeddings)
        assert input_ids is not None
        cache = past_key_values if cache is None else cache
        inputs.check_cache(cache)
        if use_cache is None:
            use_cache = self.config.use_cache and not self.training
        if use_cache and cache is None:
            cache = RecurrentCache()
        state = None if cache is None else cache.state
        mask = inputs.real_steps(input_ids, attention_mask)
        marks = (position_ids, seq_idx, cu_seq_lens_q, cu_seq_lens_k)
        packed = inputs.packed_texts(input_ids, mask, *marks)
        if packed is None:
            logits, state = self._logits(input_ids, state, mask, logits_to_keep)
        else:
            logits, state = self._packed_logits(input_ids, state, packed, logits_to_keep)
        predicted = inputs.predicted_labels(labels, mask, packed)
        if cache is not None:
            cache.advance(state, input_ids.shape[1])
        carried: dict[str, Any] = {CACHE: cache if use_cache else None}
        loss = None
        if labels is not None and predicted is not None:
            whole = inputs.predicted_of(num_items_in_batch, labels, predicted)
            loss = self._loss(logits, predicted, whole)
        output = CausalLMOutputWithPast(loss=loss, logits=logits, **carried)
        plain = self.config.return_dict if return_dict is None else return_dict
        return output if plain else output.to_tuple()

    def _logits(
        self,
        tokens: Integer[Tensor, "batch time"],
        state: object,
        mask: Bool[Tensor, "batch time"] | None,
        kept: int | Tensor,
    ) -> tuple[Float[Tensor, "batch kept classes"], object]:
        one = not is_open(tokens.shape[1]) and tokens.shape[1] == 1
        if one and mask is None and not self.training:
            logits, state = self.model.step(tokens[:, 0], state)
            return logits[:, None], state
        if isinstance(kept, Tensor) or not kept:
            logits, state = self.model(tokens, state, mask=mask)
            return logits[:, kept] if isinstance(kept, Tensor) else logits, state
        if recorded():  # a graph has no number of steps that a mask marks
            y, state = self.model(tokens, state, mask=mask, apply_head=False)
            return self.model.head(y[:, -kept:]), state
        last = torch.zeros_like(tokens, dtype=torch.bool)
        last[:, -kept:] = True
        logits, state = self.model(tokens, state, mask=mask, at=last)
        return logits.unflatten(0, (tokens.shape[0], -1)), state

    def _packed_logits(
        self,
        tokens: Integer[Tensor, "batch time"],
        state: object,
        packed: Packed,
        kept: int | Tensor,
    ) -> tuple[Float[Tensor, "batch kept classes"], object]:
        before, mask = packed.before(state), packed.mask
        made, after = self.model(packed.tokens(tokens), before, mask=mask, at=mask)
        logits = packed.put_back(made)
        return logits[:, kept if isinstance(kept, Tensor) else slice(-kept, None)], packed.after(
            after
        )

    def _loss(self, logits: Tensor, labels: Tensor, whole: Tensor | None) -> Float[Tensor, ""]:
        """The mean cross-entropy of the labels and, in training, the backbone's own objectives in the same share."""
        loss = self.loss_function(
            logits=logits,
            labels=labels,
            vocab_size=self.config.vocab_size,
            num_items_in_batch=whole,
        )
        extra = auxiliary_loss(self.model) if self.training else None
        if extra is None or not self.config.auxiliary_weight:
            return loss
        share = 1.0 if whole is None else (labels[:, 1:] != -100).sum() / whole
        return loss + self.config.auxiliary_weight * share * extra

    def _prepare_cache_for_generation(
        self, generation_config: Any, model_kwargs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Start from an empty state where `generate` is not given one."""
        if generation_config.use_cache and model_kwargs.get(CACHE) is None:
            model_kwargs[CACHE] = RecurrentCache()

    def _init_weights(self, module: nn.Module) -> None:
        """Leave the start to the layers; what a larger embedding gains starts as the rest of it did."""
        bound = self.config.embedding_range
        if (
            bound is not None
            and isinstance(module, nn.Embedding)
            and module is not self.model.encoder
        ):
            nn.init.uniform_(module.weight, -bound, bound)

    def get_input_embeddings(self) -> nn.Module:
        return self.model.encoder

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.model.encoder = value

    def get_output_embeddings(self) -> nn.Module:
        head = self.model.head
        return head[-1] if isinstance(head, nn.Sequential) else head

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        if isinstance(self.model.head, nn.Sequential):
            self.model.head[-1] = new_embeddings
        else:
            self.model.head = new_embeddings

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> nn.Embedding:
        """Resize the vocabulary; the arguments are those of `transformers.PreTrainedModel`.

        Raises:
            UserError: for a model that reads one-hot vectors.
        """
        if not isinstance(self.model.encoder, nn.Embedding):
            raise UserError("a model without an embedding cannot have its vocabulary resized")
        embedding = super().resize_token_embeddings(*args, **kwargs)
        self.model.config = self.config.describe()
        return embedding


AutoConfig.register(FastWeightConfig.model_type, FastWeightConfig, exist_ok=True)
AutoModelForCausalLM.register(FastWeightConfig, FastWeightForCausalLM, exist_ok=True)
