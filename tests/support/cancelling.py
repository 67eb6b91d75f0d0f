"""Cancels a task at one of the places where it waits, each in turn."""

import asyncio
import functools
import types


@types.coroutine
def cancelled_at(work, first, times=1):
    """Do `work`, and cancel its task at its wait number `first` and the `times - 1` after it.

    Returns how often it waited, when no cancellation ended it.
    """
    go_on, waits = functools.partial(work.send, None), 0
    while True:
        try:
            awaited = go_on()
        except StopIteration:
            return waits
        if first <= waits < first + times:
            asyncio.current_task().cancel()
        waits += 1
        try:
            go_on = functools.partial(work.send, (yield awaited))
        except asyncio.CancelledError as error:
            go_on = functools.partial(work.throw, error)
