from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from holdfast.chain.receipts import Authorization, MinedTransaction
from holdfast.common.evm import BlockRef, checksummed
from holdfast.transactions.actions import Settle, Wait
from holdfast.transactions.foreign import find_use
from holdfast.transactions.model import IntentStatus
from holdfast.transactions.send_state import displaced
from tests.support.transactions import ADDRESSES, SOMEBODY, authorization, group, intents_of

SENDER = ADDRESSES[1]


class Ledger:
    """A chain that is nothing but the blocks at which the account sent, and who asked for what."""

    def __init__(self, length, sent_in, nonces=None):
        self.length = length
        self.sent_in = sent_in
        self.numbers = nonces or range(len(sent_in))
        self.asked = 0

    def ref(self, number):
        return BlockRef(number, "0x" + f"{number:064x}", number)

    async def block(self, number):
        return type("Head", (), {"ref": self.ref(number)})

    async def nonces(self, accounts, at):
        self.asked += 1
        return dict.fromkeys(accounts, sum(block <= at.number for block in self.sent_in))

    async def transactions(self, at):
        mine = MinedTransaction("0x" + "00" * 32, SENDER, 0, None, 0, b"", at)
        other = replace(mine, sender=SOMEBODY)
        return [other] + [
            replace(mine, nonce=nonce, tx_hash=f"nonce {nonce}")
            for nonce, block in zip(self.numbers, self.sent_in, strict=True)
            if block == at.number
        ]


@given(
    length=st.integers(1, 2_000),
    data=st.data(),
)
async def test_the_user_of_a_nonce_is_found_wherever_in_the_chain_it_is(length, data):
    sent_in = sorted(data.draw(st.lists(st.integers(0, length - 1), min_size=1, max_size=6)))
    nonce = data.draw(st.integers(0, len(sent_in) - 1))
    ledger = Ledger(length, sent_in)
    found = await find_use(ledger, SENDER, nonce, ledger.ref(length - 1))
    assert found.tx_hash == f"nonce {nonce}"
    assert found.block.number == sent_in[nonce]
    # doubling back over n blocks and halving the last step again: 2 log2(2000) = 22 looks and one
    assert ledger.asked <= 25


async def test_a_nonce_that_is_not_used_has_no_user():
    ledger = Ledger(10, [3, 4])
    assert await find_use(ledger, SENDER, 2, ledger.ref(9)) is None


async def test_a_count_that_no_transaction_explains_proves_nothing():
    ledger = Ledger(10, [3, 4], nonces=[7, 8])
    assert await find_use(ledger, SENDER, 1, ledger.ref(9)) is None


async def test_a_recent_use_is_found_without_old_states():
    class Pruned(Ledger):
        async def nonces(self, accounts, at):
            assert at.number >= 99_900, "the node keeps the last hundred states"
            return await super().nonces(accounts, at)

    ledger = Pruned(100_000, [99_970])
    found = await find_use(ledger, SENDER, 0, ledger.ref(99_999))
    assert found.block.number == 99_970


def parsed(given):
    """An authorization that was signed for us, as a block's transaction shows it."""
    target = checksummed(bytes(given.address))
    return Authorization(given.chain_id, target, given.nonce, given.y_parity, given.r, given.s)


class Delegated(Ledger):
    """The count moved in the last block, which holds `carried` in somebody else's transaction."""

    def __init__(self, *carried):
        super().__init__(10, [3, 9], nonces=[0, 77])
        self.carried = tuple(map(parsed, carried))

    async def transactions(self, at):
        first, *more = await super().transactions(at)
        return [replace(first, authorizations=self.carried), *more]


async def test_a_count_that_an_authorization_moved_is_used_by_the_transaction_that_holds_it():
    ledger = Delegated(await authorization(2, 1), await authorization(1, 1))
    found = await find_use(ledger, SENDER, 1, ledger.ref(9))
    assert found is not None
    assert (found.sender, found.block.number) == (SOMEBODY, 9)


async def test_an_authorization_of_another_account_or_at_another_nonce_proves_nothing():
    ledger = Delegated(await authorization(2, 1), await authorization(1, 2))
    assert await find_use(ledger, SENDER, 1, ledger.ref(9)) is None


async def test_an_authorization_whose_signature_is_nobodys_proves_nothing():
    ledger = Delegated(await authorization(1, 1))
    (given,) = ledger.carried
    for broken in (replace(given, y_parity=7), replace(given, r=0), replace(given, s=2**256 - 1)):
        ledger.carried = (broken,)
        assert await find_use(ledger, SENDER, 1, ledger.ref(9)) is None


async def test_the_accounts_own_transaction_counts_before_an_authorization_at_the_same_nonce():
    ledger = Delegated(await authorization(1, 1))
    ledger.numbers = [0, 1]
    found = await find_use(ledger, SENDER, 1, ledger.ref(9))
    assert found.tx_hash == "nonce 1"


async def test_an_authorization_at_depth_displaces_and_says_that_it_was_one():
    (intent,) = await intents_of(group(1))
    ledger = Delegated(await authorization(1, 0))
    (use, *_) = await ledger.transactions(ledger.ref(9))
    assert displaced(intent, use, ledger.ref(10), finality=3) == Wait()
    action = displaced(intent, use, ledger.ref(11), finality=3)
    assert isinstance(action, Settle)
    assert action.status is IntentStatus.DISPLACED
    assert action.evidence["moved_by"] == "authorization"
    assert action.evidence["foreign_tx_hash"] == use.tx_hash
    assert action.evidence["block"] == 9
