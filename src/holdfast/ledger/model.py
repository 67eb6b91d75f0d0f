"""The chart of accounts, postings and journal entries; pure, and balanced by construction.

A debit is positive, a credit negative: assets and expenses stand above zero, liabilities, income
and what the treasury contributed stand below.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID, uuid5

from holdfast.common.errors import Broken
from holdfast.common.evm import Address, BlockRef, TxHash
from holdfast.common.ids import BankId, ChainId, DealId, LegId
from holdfast.common.money import Token, TokenAmount
from holdfast.model.plan import Accounts


class Account(StrEnum):
    """Every account a deal has; each holds one balance per token.

    The `TRADE_*` accounts take exactly what an event says was given and received. They are no
    plug: no posting is ever derived from a difference between ledger and chain, but for what
    somebody gave unasked (`UNSOLICITED`), which is nobody's profit and only ever adds.
    """

    CORE = "asset/core"
    WALLET = "asset/deal_wallet"
    COLLATERAL = "asset/aave_collateral"
    QUEUE = "asset/redemption_queue"
    CLAIM_HELD = "asset/claim_held"
    CLAIM_QUEUED = "asset/claim_queued"
    DEBT = "liability/aave_debt"
    CONTRIBUTED = "equity/treasury_contributed"
    RETURNED = "equity/treasury_returned"
    UNSOLICITED = "equity/unsolicited"
    SUPPLY_INTEREST = "income/supply_interest"
    BORROW_INTEREST = "expense/borrow_interest"
    GAS = "expense/gas"
    TRANSFER_FEE = "expense/transfer_fee"
    TRADE_WRAP = "trade/wrap"
    TRADE_ETH = "trade/eth"
    TRADE_PURCHASE = "trade/purchase"
    TRADE_REDEMPTION = "trade/redemption"


class EntryKind(StrEnum):
    """Why an entry was made."""

    CORE_BOOKED = "core_booked"
    CORE_RELEASED = "core_released"
    LANDED = "landed"
    REVERTED = "reverted"
    NO_OP = "no_op"
    ACCRUAL = "accrual"
    CLAIM_BOOKED = "claim_booked"
    CLAIM_RELEASED = "claim_released"
    UNSOLICITED = "unsolicited"
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True)
class TokenBook:
    """The tokens a deal deals in, as the chain's profile pins them."""

    native: Token
    weth: Token
    usdt: Token
    usdtz: Token

    @property
    def contracts(self) -> tuple[Token, Token, Token]:
        """Those that are contracts and so emit transfers."""
        return self.weth, self.usdt, self.usdtz

    @property
    def all(self) -> tuple[Token, Token, Token, Token]:
        """Every token of a deal."""
        return self.native, *self.contracts


@dataclass(frozen=True, slots=True)
class Book:
    """One deal's ledger: whose it is, its addresses and its tokens."""

    deal_id: DealId
    bank: BankId
    chain_id: ChainId
    accounts: Accounts
    tokens: TokenBook

    def holder(self, account: Account) -> Address | None:
        """The address at which the chain shows `account`; None where it shows nothing."""
        match account:
            case Account.CORE:
                return self.accounts.core
            case Account.RETURNED:
                return self.accounts.treasury_return
            case Account.WALLET | Account.COLLATERAL | Account.QUEUE | Account.DEBT:
                return self.accounts.deal
            case Account.CLAIM_HELD | Account.CLAIM_QUEUED:
                return self.accounts.deal
            case _:
                return None


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of an entry: a debit (positive) or credit (negative) of `account`.

    `scaled` is by how much a lending position's scaled balance moved, with the sign of the amount.
    """

    account: Account
    amount: TokenAmount
    scaled: int = 0


def moved(to: Account, origin: Account, amount: TokenAmount) -> tuple[Posting, ...]:
    """`amount` from `origin` to `to`: a debit and a credit, or nothing when it is zero."""
    if not amount.units:
        return ()
    return Posting(to, amount), Posting(origin, -amount)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Postings that belong together; they sum to zero for each token.

    `reference` is what the entry was made from (a transaction hash, for all that was mined), and
    may be booked once per deal and `revision`: 1, and one more after each time that the deal's
    entries were taken back. `reverses` is the entry that this one takes back, if it is a reversal.

    Raises:
        Broken: `ledger.unbalanced` when a token's postings do not sum to zero: two events of one
            receipt disagree about what moved.
    """

    deal_id: DealId
    kind: EntryKind
    reference: str
    label: str
    block: BlockRef
    postings: tuple[Posting, ...]
    leg_id: LegId | None = None
    tx_hash: TxHash | None = None
    revision: int = 1
    reverses: UUID | None = None

    def __post_init__(self) -> None:
        sums: dict[Token, int] = {}
        for posting in self.postings:
            token = posting.amount.token
            sums[token] = sums.get(token, 0) + posting.amount.units
        for token, total in sums.items():
            if total:
                raise Broken(
                    "ledger.unbalanced",
                    f"{self.label} ({self.reference}) leaves {TokenAmount(token, total)} over",
                    reference=self.reference,
                    token=token.symbol,
                    value=total,
                )

    @property
    def entry_id(self) -> UUID:
        """The same for the same deal, reference and revision: it can be written only once."""
        name = self.reference if self.revision == 1 else f"{self.reference}#{self.revision}"
        return uuid5(self.deal_id, name)

    @property
    def digest(self) -> bytes:
        """SHA-256 over what the entry says; two entries of one reference must agree in it."""
        lines = [f"{p.account} {p.amount.token} {p.amount.units} {p.scaled}" for p in self.postings]
        return hashlib.sha256("\n".join((self.kind, self.block.hash, *lines)).encode()).digest()


def reversal(entry: JournalEntry, revision: int) -> JournalEntry:
    """The entry that takes `entry` back: the same postings, each with the other sign."""
    postings = [Posting(one.account, -one.amount, -one.scaled) for one in entry.postings]
    return replace(
        entry,
        kind=EntryKind.REVERSAL,
        reference=f"{EntryKind.REVERSAL}:{entry.reference}",
        postings=tuple(postings),
        revision=revision,
        reverses=entry.entry_id,
    )


@dataclass(frozen=True, slots=True)
class Held:
    """The balance of one account in one token; `scaled` is not 0 for lending positions only."""

    units: int
    scaled: int = 0


_NOTHING = Held(0)


@dataclass(frozen=True, slots=True)
class Balances:
    """Every balance of one deal, and the last block from which something was booked."""

    held: Mapping[tuple[Account, Token], Held] = field(
        default_factory=lambda: MappingProxyType(dict[tuple[Account, Token], Held]())
    )
    booked_to_block: int = 0

    def of(self, account: Account, token: Token) -> Held:
        """The balance of `account` in `token`; zero where nothing was ever posted."""
        return self.held.get((account, token), _NOTHING)

    def units(self, account: Account, token: Token) -> int:
        """The base units of `account` in `token`."""
        return self.of(account, token).units

    def after(self, entries: Iterable[JournalEntry]) -> "Balances":
        """These balances with `entries` posted."""
        held, last = dict(self.held), self.booked_to_block
        for entry in entries:
            last = max(last, entry.block.number)
            for posting in entry.postings:
                key = posting.account, posting.amount.token
                old = held.get(key, _NOTHING)
                held[key] = Held(old.units + posting.amount.units, old.scaled + posting.scaled)
        return Balances(MappingProxyType(held), last)

    def trial(self) -> dict[Token, int]:
        """The sum of all accounts for each token: zero everywhere, or the ledger is broken."""
        sums: dict[Token, int] = {}
        for (_, token), held in self.held.items():
            sums[token] = sums.get(token, 0) + held.units
        return sums
