"""A leg that landed: its receipt, as transfers of the deal's tokens and its own event; pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from holdfast.common.errors import Broken
from holdfast.common.evm import Address, EventLog, Receipt
from holdfast.common.money import Token, TokenAmount
from holdfast.ledger.model import Account, Book, Posting, TokenBook
from holdfast.model.leg import ExpectedEvent, Leg
from holdfast.protocols.erc20 import TRANSFER, Transfer, decode_transfer


@dataclass(frozen=True, slots=True)
class Landed:
    """One leg of a deal with the receipt that proves it.

    `transfers` are those of one of the deal's tokens, whoever took part.
    """

    book: Book
    leg: Leg
    receipt: Receipt
    transfers: tuple[tuple[Token, Transfer], ...]

    @property
    def tokens(self) -> TokenBook:
        """The deal's tokens."""
        return self.book.tokens

    @property
    def deal(self) -> Address:
        """The deal's account."""
        return self.book.accounts.deal

    def event(self, expected: ExpectedEvent) -> EventLog:
        """The one log that is `expected`; `ledger.event` unless it is there exactly once."""
        return self.only(log for log in self.receipt.logs if expected.matches(log))

    def only(self, logs: Iterable[EventLog]) -> EventLog:
        """The one log of `logs`.

        Raises:
            Broken: `ledger.event` when there is none or more than one.
        """
        found = list(logs)
        if len(found) != 1:
            raise Broken(
                "ledger.event",
                f"an event of leg {self.leg.leg_id} ({self.leg.kind}) is {len(found)} times in "
                f"{self.receipt.tx_hash}, not once",
                tx_hash=self.receipt.tx_hash,
                value=len(found),
            )
        return found[0]

    def wallet(self) -> Iterator[Posting]:
        """What the tokens themselves say came to the deal's account, and what left it."""
        for token, transfer in self.transfers:
            units = transfer.amount * (
                (transfer.recipient == self.deal) - (transfer.sender == self.deal)
            )
            if units:
                yield Posting(Account.WALLET, TokenAmount(token, units))

    def withheld(self, payee: Address) -> Iterator[Posting]:
        """The token's own fee: what someone who paid `payee` had to pay to others besides.

        Tether can take a fee from each transfer and reports it as a transfer of its own.
        """
        payers = {(token, one.sender) for token, one in self.transfers if one.recipient == payee}
        for token, transfer in self.transfers:
            is_fee = (token, transfer.sender) in payers and transfer.recipient != payee
            if is_fee and transfer.amount:
                yield Posting(Account.TRANSFER_FEE, TokenAmount(token, transfer.amount))


def landed(book: Book, leg: Leg, receipt: Receipt) -> Landed:
    """The leg with what its receipt says of the deal's tokens."""
    known = {token.address: token for token in book.tokens.contracts}
    transfers = tuple(
        (known[log.address], decode_transfer(log))
        for log in receipt.logs
        if log.address in known and TRANSFER.is_in(log)
    )
    return Landed(book, leg, receipt, transfers)
