"""mmengine's histories of logged values, in arrays that grow, read from the device when needed.

``HistoryBuffer`` copies the whole history for each new value, which takes 1.5 ms after 125 000
iterations, and ``MessageHub`` waits for the device at every value. Here a value costs the same at
every iteration, and tensors stay on the device until a history is read: for a line of the log, a
check of the loss or a checkpoint. Checkpoints hold mmengine's own class, as before.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.optim import OptimWrapper
from torch import Tensor
from torch.distributed.tensor import DTensor

MOST_UNREAD = 2048
"""Tensors that may wait on the device; a tensor of one number takes 512 bytes of a GPU."""


class Unread:
    """Logged tensors that no history has read yet; all are read at once."""

    def __init__(self) -> None:
        self.waiting: list[tuple[GrowingHistory, int, Tensor]] = []

    def add(self, history: GrowingHistory, place: int, value: Tensor) -> None:
        """Remember the value of ``history`` at ``place``."""
        self.waiting.append((history, place, value))
        if len(self.waiting) >= MOST_UNREAD:
            self.read()

    def read(self) -> None:
        """Wait for the device once and write all values into their histories."""
        waiting, self.waiting = self.waiting, []
        device = waiting[0][2].device
        values = torch.stack([value.to(device) for _, _, value in waiting]).double().tolist()
        for (history, place, _), value in zip(waiting, values, strict=True):
            history.write(place, value)


class GrowingHistory(HistoryBuffer):
    """``HistoryBuffer`` with room for more values; statistics, types and limit are the same.

    Copies and pickles are of the parent class.

    Args:
        log_history: First values.
        count_history: Their counts.
        max_length: The latest values that are kept.
        unread: Where tensors wait; without it each is read at once.
    """

    logs: np.ndarray
    counts: np.ndarray
    end: int  # of the values in the arrays

    def __init__(
        self,
        log_history: Any = (),
        count_history: Any = (),
        max_length: int = 1_000_000,
        unread: Unread | None = None,
    ) -> None:
        self.unread = unread
        self.lacks = 0  # values that are still on the device
        self.kinds: tuple[type, type] | None = None
        super().__init__(log_history, count_history, max_length)

    @classmethod
    def of(cls, history: HistoryBuffer, unread: Unread) -> GrowingHistory:
        """The same history; values that follow may be tensors."""
        if isinstance(history, cls) and history.unread is unread:
            return history
        logs, counts = history.data
        return cls(logs, counts, history.max_length, unread)

    def update(self, log_val: float | Tensor, count: int = 1) -> None:
        """Append a value; a tensor must hold one floating-point number.

        Raises:
            TypeError: If the value or the count is no number.
        """
        if isinstance(log_val, Tensor):
            if self.unread is None:
                log_val = log_val.item()
            else:
                self._append(float("nan"), count)
                self.lacks += 1
                self.unread.add(self, self.end - 1, log_val)
                return
        self._append(log_val, count)

    def write(self, place: int, value: float) -> None:
        """Write a value that was on the device."""
        self.logs[place] = value
        self.lacks -= 1

    def _append(self, log_val: float, count: int) -> None:
        kinds = (type(log_val), type(count))
        if kinds != self.kinds:
            if not isinstance(log_val, (int, float)) or not isinstance(count, (int, float)):
                super().update(log_val, count)  # raises
            self.logs, self.counts = _wider(self.logs, log_val), _wider(self.counts, count)
            self.kinds = kinds
        end = self.end
        if end == len(self.logs):
            self._make_room()
            end = self.end
        self.logs[end] = log_val
        self.counts[end] = count
        self.end = end + 1

    def _make_room(self) -> None:
        # Arrays that ``data`` gave away stay as they are.
        logs, counts = self._log_history, self._count_history
        self.logs, self.counts = _with_room(logs), _with_room(counts)
        self.end = len(logs)

    @property
    def _log_history(self) -> np.ndarray:  # what the parent's statistics read
        if self.lacks and self.unread is not None:
            self.unread.read()
        return self.logs[max(0, self.end - self.max_length) : self.end]

    @_log_history.setter
    def _log_history(self, values: np.ndarray) -> None:
        self.logs, self.end = values, len(values)

    @property
    def _count_history(self) -> np.ndarray:
        return self.counts[max(0, self.end - self.max_length) : self.end]

    @_count_history.setter
    def _count_history(self, values: np.ndarray) -> None:
        self.counts = values

    def __reduce__(self) -> tuple[Any, ...]:
        return HistoryBuffer, (*self.data, self.max_length)


class Histories(OrderedDict[str, HistoryBuffer]):
    """Histories by name, each a ``GrowingHistory``."""

    def __init__(self, *given: Any) -> None:
        self.unread = Unread()
        super().__init__(*given)

    def __setitem__(self, name: str, history: HistoryBuffer) -> None:
        super().__setitem__(name, GrowingHistory.of(history, self.unread))


class LazyMessageHub(MessageHub):
    """``MessageHub`` with growing histories, which waits for the device when a value is read.

    Args:
        name: See ``MessageHub``.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._log_scalars = Histories()

    @classmethod
    def install(cls, name: str) -> None:
        """Make ``MessageHub.get_instance(name)`` return such a hub, unless there is a hub."""
        MessageHub._instance_dict.setdefault(name, cls(name))

    def update_scalar(self, key: str, value: Any, count: int = 1, resumed: bool = True) -> None:
        """See ``MessageHub.update_scalar``; the tensor may change afterwards."""
        if key not in self._log_scalars:
            self._log_scalars[key] = HistoryBuffer(*[np.empty(0, bool)] * 2)  # of any type
        super().update_scalar(key, value, count, resumed)

    def _get_valid_value(self, value: Any) -> Any:
        if isinstance(value, Tensor) and waits(value):
            return value.detach().clone().reshape(())
        return super()._get_valid_value(value)


def waits(value: Tensor) -> bool:
    """Whether reading a number would wait for a device; one of the CPU is there."""
    return value.device.type != "cpu" and value.numel() == 1 and value.is_floating_point()


def log_without_waiting(wrapper: OptimWrapper) -> None:
    """Log the norm of clipped gradients as the other values; the wrapper calls ``float`` on it.

    A second call changes nothing: the first clip returns no norm.
    """
    if not wrapper.clip_grad_kwargs:
        return
    clip, name = wrapper.clip_func, f"train/{wrapper.grad_name}"

    def clip_and_log(*args: Any, **kwargs: Any) -> None:
        norm = clip(*args, **kwargs)
        if isinstance(norm, DTensor):
            norm = norm.full_tensor()  # of a sharded model: all processes are here
        if norm is not None:
            wrapper.message_hub.update_scalar(name, norm)

    wrapper.clip_func = clip_and_log


def _wider(array: np.ndarray, value: float) -> np.ndarray:
    """The array in a type that holds the value, too, as ``np.append`` chooses it."""
    return array.astype(np.result_type(array, np.asarray(value).dtype), copy=False)


def _with_room(array: np.ndarray) -> np.ndarray:
    """A copy with room for as many values again, and at least for 256."""
    copied = np.empty(len(array) + max(len(array), 256), array.dtype)
    copied[: len(array)] = array
    return copied
