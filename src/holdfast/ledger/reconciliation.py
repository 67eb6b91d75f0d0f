"""The ledger against the chain, line by line and to the base unit; pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.common.evm import BlockRef
from holdfast.common.ids import DealId
from holdfast.common.money import Token, TokenAmount
from holdfast.ledger.model import Account, Balances, Book, TokenBook
from holdfast.ledger.ports import ChainBalances

_SEEN_TOGETHER = {Account.CLAIM_HELD: Account.WALLET, Account.CLAIM_QUEUED: Account.QUEUE}
"""A claim is where it was before it was called one: the chain cannot tell the two apart."""

_PROVED = frozenset(
    {Account.WALLET, Account.COLLATERAL, Account.QUEUE, Account.DEBT, Account.RETURNED}
)


@dataclass(frozen=True, slots=True)
class Line:
    """One account in one token: what the ledger says, what the chain shows, both as a debit."""

    account: Account
    ledger: TokenAmount
    chain: TokenAmount
    mismatch: int

    @property
    def missing(self) -> int:
        """By how much the chain shows less than the ledger says; a debt counts as less than 0."""
        return max(0, self.ledger.units - self.chain.units) if self.mismatch else 0


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Every line of a deal at one block."""

    deal_id: DealId
    at: BlockRef
    lines: tuple[Line, ...]

    @property
    def mismatch_wei(self) -> int:
        """How far ledger and chain are apart: the sum over all lines, in base units."""
        return sum(line.mismatch for line in self.lines)

    @property
    def is_exact(self) -> bool:
        """Whether every line agrees to the base unit."""
        return self.mismatch_wei == 0

    @property
    def mismatches(self) -> tuple[Line, ...]:
        """The lines that do not agree."""
        return tuple(line for line in self.lines if line.mismatch)


@dataclass(frozen=True, slots=True)
class AtRest:
    """What a deal with nothing under way has, by its ledger or on chain, in base units.

    `collateral` and `debt` are scaled, so that interest moves neither.
    """

    native: int = 0
    weth: int = 0
    usdt: int = 0
    usdtz: int = 0
    queued: int = 0
    collateral: int = 0
    debt: int = 0

    def missing(self, shown: "AtRest") -> int:
        """By how many base units the chain, as `shown`, falls short of this; more debt is less."""
        pairs = (
            (self.native, shown.native),
            (self.weth, shown.weth),
            (self.usdt, shown.usdt),
            (self.usdtz, shown.usdtz),
            (self.queued, shown.queued),
            (self.collateral, shown.collateral),
            (shown.debt, self.debt),
        )
        return sum(max(0, least - found) for least, found in pairs)


def at_rest(tokens: TokenBook, balances: Balances) -> AtRest:
    """The least that the chain must show by the ledger: what was given unasked may go again."""

    def wallet(token: Token) -> int:
        held = balances.units(Account.WALLET, token) + balances.units(Account.CLAIM_HELD, token)
        return max(0, held + balances.units(Account.UNSOLICITED, token))

    queued = (balances.units(one, tokens.usdtz) for one in (Account.QUEUE, Account.CLAIM_QUEUED))
    return AtRest(
        native=wallet(tokens.native),
        weth=wallet(tokens.weth),
        usdt=wallet(tokens.usdt),
        usdtz=wallet(tokens.usdtz),
        queued=sum(queued),
        collateral=balances.of(Account.COLLATERAL, tokens.weth).scaled,
        debt=-balances.of(Account.DEBT, tokens.usdt).scaled,
    )


def reconciled(
    book: Book, balances: Balances, chain: ChainBalances, *, core_booked: int
) -> Reconciliation:
    """Every asset and debt of the deal against what the chain shows at the same block.

    Every account that the chain can show is compared, whether or not the other side knows it.
    `core_booked` is the wei booked on the core address over all open deals, which it must hold.
    """
    shown = dict(_shown(book, chain))
    told = _told(balances)
    keys = {*shown, *(key for key in told if key[0] is not Account.RETURNED)}
    lines = [
        _line(account, token, told.get((account, token), 0), shown.get((account, token), 0))
        for account, token in sorted(keys, key=lambda key: (key[0], key[1].symbol))
    ]
    core = _core_line(book.tokens.native, core_booked, chain.core)
    return Reconciliation(book.deal_id, chain.at, (core, *lines))


def _shown(book: Book, chain: ChainBalances) -> Iterator[tuple[tuple[Account, Token], int]]:
    tokens = book.tokens
    yield (Account.WALLET, tokens.native), chain.native
    yield (Account.WALLET, tokens.weth), chain.weth
    yield (Account.WALLET, tokens.usdt), chain.usdt
    yield (Account.WALLET, tokens.usdtz), chain.usdtz
    yield (Account.COLLATERAL, tokens.weth), chain.collateral
    yield (Account.DEBT, tokens.usdt), -chain.debt
    yield (Account.QUEUE, tokens.usdtz), chain.queued
    for amount in chain.received:
        yield (Account.RETURNED, amount.token), amount.units


def _told(balances: Balances) -> dict[tuple[Account, Token], int]:
    told: dict[tuple[Account, Token], int] = {}
    for (account, token), held in balances.held.items():
        seen = _SEEN_TOGETHER.get(account, account)
        if seen in _PROVED:
            told[seen, token] = told.get((seen, token), 0) + held.units
    return told


def _line(account: Account, token: Token, ledger: int, chain: int) -> Line:
    return Line(account, TokenAmount(token, ledger), TokenAmount(token, chain), abs(ledger - chain))


def _core_line(native: Token, booked: int, held: int) -> Line:
    """Core may hold more than is booked, never less."""
    missing = max(0, booked - held)
    return Line(Account.CORE, TokenAmount(native, booked), TokenAmount(native, held), missing)
