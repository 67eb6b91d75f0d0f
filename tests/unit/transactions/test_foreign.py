from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from holdfast.chain.receipts import MinedTransaction
from holdfast.common.evm import BlockRef
from holdfast.transactions.foreign import find_use
from tests.support.transactions import ADDRESSES, SOMEBODY

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
    # an EIP-7702 authorization moves the count without a transaction of the account
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
