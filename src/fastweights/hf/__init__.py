"""The door to `transformers`: fast weight language models as a `PreTrainedModel`."""
