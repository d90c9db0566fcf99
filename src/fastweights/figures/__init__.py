"""Figures: a run's numbers or a trace in, a matplotlib figure or an animated GIF out.

Nothing here trains, shows a window or touches pyplot's global state; `save` writes a figure to disk.
"""

from fastweights.errors import UserError

try:
    import matplotlib as _matplotlib  # noqa: F401
except ImportError as _missing:
    raise UserError('figures need matplotlib: pip install "fastweights[viz]"') from _missing

from fastweights.figures.animation import animate
from fastweights.figures.attention import attention
from fastweights.figures.bindings import bindings
from fastweights.figures.by_step import score_by_step
from fastweights.figures.comparison import comparison
from fastweights.figures.confusion import confusion_matrix
from fastweights.figures.curves import training_curves
from fastweights.figures.episode import Played, animate_episode, film_strip
from fastweights.figures.errors import error_curves
from fastweights.figures.files import save
from fastweights.figures.glimpses import glimpse_path
from fastweights.figures.growth import growth
from fastweights.figures.hidden import hidden_trace
from fastweights.figures.memory import memory_evolution
from fastweights.figures.modes import mode_table
from fastweights.figures.passage import passage
from fastweights.figures.per_task import task_accuracy
from fastweights.figures.perplexity import perplexity_curves
from fastweights.figures.rewards import reward_by_step, reward_curves
from fastweights.figures.saturation import saturation
from fastweights.figures.scores import score_table
from fastweights.figures.seeds import seeds, setting_map
from fastweights.figures.slots import slot_accuracy
from fastweights.figures.story import read_grid
from fastweights.figures.streams import stream_curves
from fastweights.figures.surprise import surprise
from fastweights.figures.table import error_table
from fastweights.figures.task_curves import task_curves
from fastweights.figures.walk import Walk, walk_strip

__all__ = [
    "Played",
    "Walk",
    "animate",
    "animate_episode",
    "attention",
    "bindings",
    "comparison",
    "confusion_matrix",
    "error_curves",
    "error_table",
    "film_strip",
    "glimpse_path",
    "growth",
    "hidden_trace",
    "memory_evolution",
    "mode_table",
    "passage",
    "perplexity_curves",
    "read_grid",
    "reward_by_step",
    "reward_curves",
    "saturation",
    "save",
    "score_by_step",
    "score_table",
    "seeds",
    "setting_map",
    "slot_accuracy",
    "stream_curves",
    "surprise",
    "task_accuracy",
    "task_curves",
    "training_curves",
    "walk_strip",
]
