"""What to do next about one live intent: pure, with everything observed handed in.

The chain decides, never the answer to a broadcast: an intent settles only when its event, the
account's nonce and a receipt at the required depth agree, and where they do not it is unclear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.signing.delegation import authority
from holdfast.transactions.actions import (
    Action,
    Broadcast,
    Cancel,
    Clear,
    Fill,
    Patience,
    Rebroadcast,
    Replace,
    Seen,
    Settle,
    Stuck,
    Unclear,
    Wait,
)
from holdfast.transactions.fees import FeePolicy, is_too_dear, offer, replacement
from holdfast.transactions.model import (
    EVENT_MISSING,
    FEE_CEILING,
    TROUBLED,
    Attempt,
    Delivery,
    Intent,
    IntentStatus,
    NonceUse,
    Purpose,
)

if TYPE_CHECKING:
    from holdfast.chain.profiles import FeeModel
    from holdfast.chain.receipts import MinedTransaction
    from holdfast.common.evm import Address, BlockRef, Receipt


def decide(intent: Intent, seen: Seen, model: FeeModel, patience: Patience) -> Action:
    """The next action for a live intent."""
    if intent.receipt is not None:
        return confirm(
            intent, intent.receipt, seen.block, seen.account_nonce, finality=patience.finality
        )
    if seen.account_nonce > intent.nonce:
        return _used_elsewhere(intent, seen)
    policy = FeePolicy(model, intent.new.fee_ceiling_wei, patience.cancel_ceiling_wei)
    policy = policy.of_cancel if intent.last.purpose is Purpose.CANCEL else policy
    action = _press(intent, seen, policy, patience)
    is_fine = isinstance(action, Wait | Rebroadcast)
    return Clear() if is_fine and intent.status in TROUBLED else action


def confirm(
    intent: Intent, receipt: Receipt, head: BlockRef, account_nonce: int, *, finality: int
) -> Action:
    """The outcome that three signals agree on, or that they do not agree (yet).

    Args:
        intent: the live intent.
        receipt: of one of its attempts, in a block that is canonical as of `head`.
        head: the newest block whose receipts are all known.
        account_nonce: the sender's, at `head`.
        finality: how many blocks must hold an outcome that has the leg decided anew.
    """
    outcome = _outcome(intent, receipt)
    fails = outcome is not None and outcome.status is not IntentStatus.LANDED
    wanted = max(intent.new.depth, finality) if fails else intent.new.depth
    if head.number - receipt.block.number + 1 < wanted:
        return Wait()
    facts: dict[str, object] = {
        "tx_hash": receipt.tx_hash,
        "block": receipt.block.number,
        "block_hash": receipt.block.hash,
        "nonce": intent.nonce,
        "account_nonce": account_nonce,
    }
    if account_nonce <= intent.nonce:
        return Unclear("nonce_behind", facts)
    return outcome or Unclear(EVENT_MISSING, facts)


def _outcome(intent: Intent, receipt: Receipt) -> Settle | None:
    """What a receipt at depth means; None when the event that must be in it is not."""
    if intent.attempt_with(receipt.tx_hash).purpose is Purpose.CANCEL:
        return Settle(IntentStatus.CANCELLED)
    if not receipt.succeeded:
        return Settle(IntentStatus.REVERTED)
    expected = intent.new.expected
    if expected is None or any(map(expected.matches, receipt.logs)):
        return Settle(IntentStatus.LANDED)
    return None


def displaced(intent: Intent, use: MinedTransaction, head: BlockRef, *, finality: int) -> Action:
    """What the transaction `use`, found where the account's count passed the nonce, means.

    One nonce is used once: a transaction of the sender at this nonce that is not one of our
    attempts, or one with its authorization at this nonce, proves at the required depth that none
    of our attempts happened or ever will.

    Args:
        intent: the live intent whose nonce is used without a receipt of ours.
        use: the canonical transaction that used it.
        head: the newest block.
        finality: how many blocks must hold `use`, as the leg is decided anew.
    """
    is_foreign = use.tx_hash not in intent.hashes
    account, nonce = intent.new.sender, intent.nonce
    is_same_nonce = (use.sender, use.nonce) == (account, nonce)
    is_used = is_same_nonce or is_authorized(use, account, nonce)
    is_deep = head.number - use.block.number + 1 >= max(intent.new.depth, finality)
    if not (is_foreign and is_used and is_deep):
        return Wait()
    return Settle(IntentStatus.DISPLACED, foreign_use(intent, use))


def is_authorized(use: MinedTransaction, account: Address, nonce: int) -> bool:
    """Whether `use` holds an authorization of `account` at `nonce`, which moves its count."""
    fitting = (one for one in use.authorizations if one.nonce == nonce)
    return any(authority(one) == account for one in fitting)


def foreign_use(intent: Intent, use: MinedTransaction) -> dict[str, object]:
    """The evidence that `use` took the intent's nonce."""
    is_own = (use.sender, use.nonce) == (intent.new.sender, intent.nonce)
    return {
        "reason": "foreign_nonce",
        "moved_by": NonceUse.TRANSACTION if is_own else NonceUse.AUTHORIZATION,
        "nonce": intent.nonce,
        "foreign_tx_hash": use.tx_hash,
        "foreign_target": use.target,
        "foreign_value_wei": str(use.value_wei),
        "foreign_selector": "0x" + use.selector.hex(),
        "block": use.block.number,
        "block_hash": use.block.hash,
        "tried": list(intent.hashes),
    }


def may_broadcast(intent: Intent, timestamp: int) -> bool:
    """Whether the newest attempt is to be sent, rather than given up, at chain time `timestamp`."""
    return intent.last.purpose is Purpose.CANCEL or not _given_up(intent, timestamp)


def _used_elsewhere(intent: Intent, seen: Seen) -> Action:
    since = seen.block.number if seen.passed_since is None else seen.passed_since
    if seen.block.number - since + 1 < intent.new.depth:
        return Wait()
    return Unclear(
        "foreign_nonce",
        {
            "nonce": intent.nonce,
            "account_nonce": seen.account_nonce,
            "block": seen.block.number,
            "block_hash": seen.block.hash,
            "tried": list(intent.hashes),
        },
    )


def _press(intent: Intent, seen: Seen, policy: FeePolicy, patience: Patience) -> Action:
    action = _pressed(intent, seen, policy, patience)
    if isinstance(action, Broadcast | Replace | Cancel):
        return action
    # Whatever else it waits for, it waits for the nonce before it, and no fee gets it past that.
    return _missing_before(intent, seen, policy, patience) or action


def _pressed(intent: Intent, seen: Seen, policy: FeePolicy, patience: Patience) -> Action:
    last = intent.last
    given_up = _given_up(intent, seen.block.timestamp) or _timed_out(intent, seen, patience)
    if given_up and last.purpose is Purpose.CALL:
        return _cancel(intent, seen, policy, given_up)
    if last.sent is None:
        return Broadcast()
    if last.sent.delivery is Delivery.REJECTED:
        return _refused(intent, seen, policy)
    if _is_starved(intent, seen, patience):
        return _bump(intent, seen, policy)
    return _keep_alive(intent, seen, policy, patience)


def _missing_before(
    intent: Intent, seen: Seen, policy: FeePolicy, patience: Patience
) -> Fill | Stuck | None:
    """What to do when the chain waits for a nonce that no live intent has.

    Either a reorg took back what was final, or a foreign transaction after which we numbered on.
    """
    sent = intent.last.sent
    is_old = sent is not None and seen.now_seconds - sent.at_seconds >= patience.seconds
    if not is_old or seen.first_live_nonce <= seen.account_nonce:
        return None
    stuck = Stuck(
        "nonce_gap",
        {"account_nonce": seen.account_nonce, "first_live_nonce": seen.first_live_nonce},
    )
    if is_too_dear(policy, seen.base_fee_wei):
        return stuck
    fees = offer(policy, seen.base_fee_wei, seen.tip_wei)
    return Fill(seen.account_nonce, fees, stuck)


def _keep_alive(intent: Intent, seen: Seen, policy: FeePolicy, patience: Patience) -> Action:
    last = intent.last
    if _lacks_funds(last, seen, patience):
        if intent.new.is_sweep and last.purpose is Purpose.CALL:
            # A reorg made the gas before it dearer, and its value leaves no room for that.
            return _cancel(intent, seen, policy, "sweep_short")
        return Stuck("insufficient_funds", {"tx_hash": last.tx_hash})
    return Rebroadcast() if is_push_due(last, seen, patience) else Wait()


def _refused(intent: Intent, seen: Seen, policy: FeePolicy) -> Action:
    if intent.last.purpose is Purpose.CANCEL:
        return Stuck("rejected", {"tx_hash": intent.last.tx_hash})
    return _cancel(intent, seen, policy, "rejected")


def _given_up(intent: Intent, timestamp: int) -> str:
    """Why the call is no longer wanted; empty while it is."""
    if intent.cancel_requested:
        return "requested"
    deadline = intent.new.deadline
    return "deadline" if deadline is not None and timestamp > deadline else ""


def _timed_out(intent: Intent, seen: Seen, patience: Patience) -> str:
    """`timeout` when the call was first sent too long ago; empty while it was not."""
    first = min((one.sent.at_seconds for one in intent.attempts if one.sent), default=None)
    if first is None or seen.now_seconds - first < patience.timeout_seconds:
        return ""
    return "timeout"


def _is_starved(intent: Intent, seen: Seen, patience: Patience) -> bool:
    last = intent.last
    if last.sent is None:
        return False
    blocks = seen.block.number - last.sent.block
    if last.sent.delivery is Delivery.UNDERPRICED:
        return blocks >= 1
    if seen.base_fee_wei > last.fees.cap_wei:
        return blocks >= patience.blocks
    # A transaction behind another one of the account waits for that one, not for its own fees.
    is_next = seen.account_nonce == intent.nonce
    return is_next and seen.now_seconds - last.sent.at_seconds >= patience.seconds


def _lacks_funds(last: Attempt, seen: Seen, patience: Patience) -> bool:
    sent = last.sent
    return (
        sent is not None
        and sent.delivery is Delivery.INSUFFICIENT_FUNDS
        and seen.now_seconds - sent.at_seconds >= patience.seconds
    )


def is_push_due(last: Attempt, seen: Seen, patience: Patience) -> bool:
    """Whether the bytes should go out again; sending the same bytes twice is always safe."""
    sent, pause = last.sent, patience.retry_seconds
    if sent is not None and sent.delivery is Delivery.ACCEPTED:
        pause = patience.push_seconds
    elif sent is not None and sent.delivery is Delivery.ALREADY_KNOWN:
        pause = patience.known_push_seconds(seen.pushed_seconds - sent.at_seconds)
    return seen.now_seconds - seen.pushed_seconds >= pause


def _bump(intent: Intent, seen: Seen, policy: FeePolicy) -> Action:
    if intent.new.is_sweep:  # its value leaves no room for a higher fee
        return _cancel(intent, seen, policy, "sweep_underpriced")
    fees = replacement(intent.last.fees, offer(policy, seen.base_fee_wei, seen.tip_wei))
    return _at_ceiling(seen, policy) if fees.cap_wei > policy.ceiling_wei else Replace(fees)


def _cancel(intent: Intent, seen: Seen, policy: FeePolicy, reason: str) -> Action:
    policy = policy.of_cancel
    fees = offer(policy, seen.base_fee_wei, seen.tip_wei)
    if intent.last.sent is not None:
        fees = replacement(intent.last.fees, fees)
    if fees.cap_wei > policy.ceiling_wei:
        return _at_ceiling(seen, policy)
    return Cancel(fees, reason)


def _at_ceiling(seen: Seen, policy: FeePolicy) -> Stuck:
    return Stuck(
        FEE_CEILING, {"ceiling_wei": policy.ceiling_wei, "base_fee_wei": seen.base_fee_wei}
    )
