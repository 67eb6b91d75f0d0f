"""Bugs to plant in the transaction layer; the simulation has to find each of them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

from holdfast.transactions import fees, presser, scanner, send_state, watcher
from holdfast.transactions.presser import Presser
from holdfast.transactions.send_state import Wait


@contextmanager
def broadcast_before_commit():
    """A replacement goes out before its row is written."""

    async def press(self, intent, action):
        attempt = await self._attempt(intent, action)
        await self._parts.network.send_raw([attempt.raw])
        await self._parts.journal.add_attempt(intent, attempt)
        self._shared.live.replace_all(await self._parts.journal.live())

    with mock.patch.object(Presser, "press", press):
        yield


@contextmanager
def nonce_picked_again():
    """A replacement takes the account's next nonce, not its own."""
    signed = presser.signed

    async def moved(keys, new, what):
        return await signed(keys, new, replace(what, nonce=what.nonce + 1))

    with mock.patch.object(presser, "signed", moved):
        yield


@contextmanager
def final_without_depth():
    """The first block that holds a receipt settles it."""
    confirm = send_state.confirm

    def hasty(intent, receipt, head, account_nonce, *, finality):
        shallow = replace(intent, new=replace(intent.new, depth=1))
        return confirm(shallow, receipt, head, account_nonce, finality=1)

    with (
        mock.patch.object(watcher, "confirm", hasty),
        mock.patch.object(scanner, "confirm", hasty),
    ):
        yield


@contextmanager
def replaced_for_too_little():
    """A replacement pays 5 % more."""
    with mock.patch.object(fees, "_REPLACEMENT", (21, 20)):
        yield


@contextmanager
def never_pushed_again():
    """What a pool took once is never sent again: not after an eviction, not after a reorg."""
    decide = scanner.decide

    def lazy(intent, seen, model, patience):
        action = decide(intent, seen, model, patience)
        return Wait() if isinstance(action, send_state.Rebroadcast) else action

    with (
        mock.patch.object(scanner, "decide", lazy),
        mock.patch("holdfast.transactions.live.LiveSet.push_again"),
    ):
        yield


MUTANTS = (
    broadcast_before_commit,
    nonce_picked_again,
    final_without_depth,
    replaced_for_too_little,
    never_pushed_again,
)
