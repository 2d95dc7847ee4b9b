"""The callback of a trainer that renews its weights, and keeps the order with checkpoints."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from assay.integrations import ranks
from assay.integrations.live import Every, LiveWeights
from assay.integrations.sampler_file import load_order, save_order

POLL_STEPS = 10  # with several ranks, asking whether there are new weights takes a message
END_WAIT_S = 10.0  # for a refresh that still runs when the training is over
logger = logging.getLogger("assay")


class RefreshCallback(TrainerCallback):  # type: ignore[misc] # transformers has no types
    """Renews weights each epoch or every N steps, and logs their figures as `assay/…`."""

    def __init__(self, live: LiveWeights, trainer: Any, every: Every, wait_s: float) -> None:
        self._live = live
        self._trainer = trainer
        self._every = every
        self._wait_s = wait_s

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Restores the order of the checkpoint from which the training goes on."""
        if state.global_step == 0:
            return
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        order = load_order(folder)
        if order is None:
            logger.warning("%s has no order of draws: this epoch gets another one.", folder)
        else:
            self._live.sampler.load_state_dict(order)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Accelerate tells the sampler too, but not after a resume on several ranks."""
        self._live.sampler.set_epoch(int(state.epoch or 0))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Swaps weights between steps."""
        step = state.global_step
        if self._every != "epoch" and step % self._every == 0:
            self._begin(state)
        elif ranks.ranks() == 1 or step % POLL_STEPS == 0:
            self._take_up(0.0)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Renews weights between epochs."""
        if self._every == "epoch":
            self._begin(state)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Keeps the order with the checkpoint."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if ranks.rank() == 0 and folder.is_dir():
            save_order(self._live.sampler.state_dict(), folder)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Posts the last outputs, and waits a little until they are there.

        It logs nothing: TensorBoard is closed by now.
        """
        self._live.take_up(END_WAIT_S)
        if self._live.observes and self._begin_refresh(state):
            self._live.take_up(END_WAIT_S)

    def _begin(self, state: Any) -> None:
        self._take_up(0.0)
        if self._begin_refresh(state):
            self._take_up(self._wait_s)

    def _begin_refresh(self, state: Any) -> bool:
        steps = state.max_steps / max(state.num_train_epochs, 1)
        if self._every != "epoch":
            steps = self._every
        done = state.global_step / max(state.max_steps, 1)
        return self._live.begin_refresh(
            state.global_step, done, round(steps * self._live.step), self._trainer.model
        )

    def _take_up(self, wait_s: float) -> None:
        figures = self._live.take_up(wait_s)
        if figures is not None:
            # The trainer hands it to TensorBoard, Weights & Biases or what else it reports to.
            self._trainer.log({f"assay/{name}": value for name, value in figures.items()})
