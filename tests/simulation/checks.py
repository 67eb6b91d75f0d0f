"""What must hold at every step and at the end, told from the chain and the committed rows alone."""

from __future__ import annotations

from holdfast.transactions.model import FINAL, IntentStatus, Purpose
from tests.simulation.calls import leg_in

_CALL_STATUS = {True: IntentStatus.LANDED, False: IntentStatus.REVERTED}


class Checks:
    """Fails the world's run at the first thing that must never be."""

    def __init__(self, world):
        self._world = world
        self._owner = {}
        self._raws = set()
        self._last_nonce = {}
        self._held = set()

    def recorded(self, made):
        """A new group: its nonces follow on the sender's last, and nobody has them yet."""
        for one in made:
            last = self._last_nonce.get(one.new.sender)
            if last is not None and one.nonce != last + 1:
                self._fail(f"{one.intent_id} got nonce {one.nonce} after {last}")
            self._last_nonce[one.new.sender] = one.nonce
            self._held.add((one.new.sender, one.nonce))
            self._own(one, one.last)

    def skipped(self, sender, nonces):
        """Nonces that others used are given to nobody; the next one of ours follows on them."""
        if nonces and nonces[0] != self._last_nonce[sender] + 1:
            self._fail(f"nonces {nonces} of {sender} are skipped after {self._last_nonce[sender]}")
        self._last_nonce[sender] = max(self._last_nonce[sender], *nonces, -1)

    def added(self, intent, attempt):
        """A further attempt: the same nonce, dearer by an eighth, and never above the ceiling."""
        row, tx = self._world.rows.intents[intent.intent_id], self._own(intent, attempt)
        if tx.slot != (row.new.sender, row.nonce):
            self._fail(f"attempt {attempt.attempt_no} of {intent.intent_id} left its nonce")
        if tx.cap > row.new.fee_ceiling_wei:
            self._fail(f"{tx.cap} wei is above the ceiling of {row.new.fee_ceiling_wei}")
        last = intent.last.fees
        if intent.last.sent is not None and not _is_replacement(last, tx):
            self._fail(f"{tx.cap}/{tx.tip} wei does not replace {last}")

    def filled(self, intent):
        """A no-op at a nonce below ours that was given to nobody: others seemed to use it."""
        tx = self._own(intent, intent.last)
        slot = (intent.new.sender, intent.nonce)
        is_gap = slot not in self._held and intent.nonce < self._last_nonce[intent.new.sender]
        if not is_gap or tx.slot != slot or tx.data:
            self._fail(f"a no-op with nonce {tx.nonce} fills {slot}")
        self._held.add(slot)
        if tx.cap > intent.new.fee_ceiling_wei:
            self._fail(f"{tx.cap} wei is above the ceiling of {intent.new.fee_ceiling_wei}")
        self._world.count("filled")

    def broadcast(self, process, transactions):
        """Bytes that go out are in committed rows."""
        if not self._raws.issuperset(transactions):
            self._fail(f"{process} broadcasts bytes that are not committed")

    def advanced(self, progress, before):
        """What became final is so on the chain, deep enough; what was final stays."""
        rows = self._world.rows.intents
        for change in progress.changes:
            row = rows[change.intent.intent_id]
            old = before[row.intent_id].status
            if old in FINAL and row.status is not old:
                self._fail(f"{row.intent_id} was {old} and is {row.status}")
            if old not in FINAL and row.status in FINAL:
                self._world.count("settled")
                if not self._is_shown(row):
                    doubt = self.doubt(row, self._world.chain.miner.view)
                    self._fail(f"{row.intent_id} is {row.status}, but {doubt}")

    def unmined(self, unmined):
        """What a reorg took back; none was deeper than finality, so nothing is given up."""
        self._world.counts["reopened"] += len(unmined.reopened)
        if unmined.lost:
            self._fail(f"{unmined.lost} count as lost, no reorg was so deep")

    def _is_shown(self, row):
        """Whether the chain, or a branch that it has left since, shows what `row` says."""
        return not self.doubt(row, self._world.chain.miner.view) or not all(
            self.doubt(row, view) for view in self._world.chain.abandoned
        )

    def doubt(self, row, view):
        """Why the blocks `view` do not show what the final intent `row` says; empty if they do."""
        for block in reversed(view):
            for tx, receipt in zip(block.txs, block.receipts, strict=True):
                if tx.slot == (row.new.sender, row.nonce):
                    depth = view[-1].head.ref.number - block.head.ref.number + 1
                    wanted = self._depth_wanted(row)
                    if depth < wanted:
                        return f"it is {depth} of {wanted} blocks deep"
                    return self._contradiction(row, receipt)
        return "its nonce is not used"

    def _depth_wanted(self, row):
        """What has a leg repeated must be deeper than any reorg: the leg would be paid twice."""
        is_landed = row.status is IntentStatus.LANDED
        return row.new.depth if is_landed else self._world.scenario.finality

    def _contradiction(self, row, receipt):
        if self._owner.get(receipt.tx_hash) != row.intent_id:
            is_displaced = row.status is IntentStatus.DISPLACED
            return "" if is_displaced else "somebody else used its nonce"
        is_call = row.attempt_with(receipt.tx_hash).purpose is Purpose.CALL
        status = _CALL_STATUS[receipt.succeeded] if is_call else IntentStatus.CANCELLED
        if row.status is not status:
            return f"the chain shows {status}"
        is_proved = status is not IntentStatus.LANDED or any(
            map(row.new.expected.matches, receipt.logs)
        )
        return "" if is_proved else "its event is missing"

    def mined(self, txs, receipts, legs):
        """A new canonical block: every leg has its effect at most once; returns the legs so far."""
        for tx, receipt in zip(txs, receipts, strict=True):
            leg = leg_in(tx)
            if receipt.succeeded and leg:
                if leg in legs:
                    self._fail(f"leg {leg.hex()} took effect twice")
                legs = legs | {leg}
        return legs

    def end(self):
        """After a calm time: everything is settled, or is what cannot be settled and is named."""
        rows = self._world.rows
        for row in rows.intents.values():
            if row.status in FINAL:
                doubt = self.doubt(row, self._world.chain.miner.view)
                if doubt:
                    self._fail(f"{row.intent_id} stays {row.status}, but {doubt}")
                if row.new.deal_id not in rows.woken:
                    self._fail(f"nobody was woken for {row.intent_id}")
            elif not self.may_stay(row):
                self._fail(f"{row.intent_id} is {row.status} for ever at nonce {row.nonce}")

    def is_settled(self, row):
        """Whether `row` ends as the chain shows it; the nodes may not know its last reorg yet."""
        is_shown = row.status in FINAL and not self.doubt(row, self._world.chain.miner.view)
        return is_shown or self.may_stay(row)

    def may_stay(self, row):
        """Whether `row` is an ambiguity that the model made, and is reported as one."""
        reason = self._world.rows.evidence.get(row.intent_id, {}).get("reason")
        is_mute = row.intent_id in self._world.mute and reason == "event_missing"
        return is_mute and row.status is IntentStatus.AMBIGUOUS

    def _own(self, intent, attempt):
        tx = self._world.signed.by_raw[attempt.raw]
        self._owner[tx.hash] = intent.intent_id
        self._raws.add(attempt.raw)
        return tx

    def _fail(self, text):
        self._world.fail(text)


def _is_replacement(last, tx):
    is_dearer = tx.cap * 8 >= last.cap_wei * 9
    return is_dearer and (tx.tip * 8 >= last.tip_wei * 9 or tx.tip == tx.cap)
