"""A deal's addresses, its legs, and receipts whose logs are encoded by eth_abi, not by us."""

from itertools import count
from uuid import UUID

from eth_abi import encode

from holdfast.common.evm import BlockRef, EventLog, Receipt, address, block_hash, keccak256, tx_hash
from holdfast.common.ids import BankId, ChainId, DealId, LegId
from holdfast.common.money import RAY, Token, TokenAmount
from holdfast.ledger.model import Book, TokenBook
from holdfast.model.deal import Step
from holdfast.model.leg import Call, Leg, LegKind
from holdfast.model.plan import Accounts

GWEI = 10**9


def place(number):
    return address("0x" + f"{number:040x}")


CHAIN = ChainId(138)
CORE, FLOAT, DEAL, TREASURY = (place(number) for number in (1, 2, 3, 4))
POOL, DESK, ROUTER, A_WETH, ETH_POOL, USDTZ_POOL, TETHER_OWNER = (
    place(number) for number in range(0x10, 0x17)
)
ETH = Token(CHAIN, "ETH", 18)
WETH = Token(CHAIN, "WETH", 18, place(0x20))
USDT = Token(CHAIN, "USDT", 6, place(0x21))
USDTZ = Token(CHAIN, "USDTz", 6, place(0x22))
TOKENS = TokenBook(ETH, WETH, USDT, USDTZ)
ACCOUNTS = Accounts(CORE, FLOAT, DEAL, TREASURY, deal_number=7)
DEAL_ID = DealId(UUID(int=77))
BOOK = Book(DEAL_ID, BankId("BANK001"), CHAIN, ACCOUNTS, TOKENS)

_numbers = count(1)


def block(number, timestamp=None):
    made = keccak256(number.to_bytes(8)).hex()
    return BlockRef(number, block_hash("0x" + made), timestamp or 1_700_000_000 + number)


def topic(value):
    return value if isinstance(value, bytes) else encode(["address"], [value])


def log(emitter, signature, indexed, *data):
    """An event; addresses in `indexed`, whole numbers and addresses in `data`."""
    kinds = ["address" if isinstance(value, str) else "int256" for value in data]
    topics = (keccak256(signature.encode()), *(topic(value) for value in indexed))
    return EventLog(emitter, topics, encode(kinds, data), log_index=next(_numbers))


def transfer(token, sender, recipient, amount):
    return log(token.address, "Transfer(address,address,uint256)", [sender, recipient], amount)


def reserve_data(token, *, liquidity_index=RAY, debt_index=RAY):
    return log(
        POOL,
        "ReserveDataUpdated(address,uint256,uint256,uint256,uint256,uint256)",
        [token.address],
        *(0, 0, 0, liquidity_index, debt_index),
    )


def receipt(*logs, sender=DEAL, gas=100_000, price=GWEI, number=1, succeeded=True):
    made = tx_hash(keccak256(f"tx {next(_numbers)}".encode()))
    return Receipt(made, block(number), sender, succeeded, gas, price, tuple(logs))


def leg(kind, *, target=POOL, value=0, sender=DEAL):
    return Leg(
        LegId(UUID(int=next(_numbers))),
        Step.SPLIT,
        kind,
        sender,
        Call(target, b"", value),
        gas_limit=1_000_000,
        label=kind,
        recipient=target,
    )


def fund(wei, **more):
    made = leg(LegKind.FUND, target=DEAL, value=wei, sender=FLOAT)
    return made, receipt(sender=FLOAT, **{"gas": 21_000, **more})


def return_native(wei, **more):
    made = leg(LegKind.RETURN_NATIVE, target=TREASURY, value=wei)
    return made, receipt(**{"gas": 21_000, **more})


def wrap(wei, **more):
    event = log(WETH.address, "Deposit(address,uint256)", [DEAL], wei)
    return leg(LegKind.WRAP, target=WETH.address, value=wei), receipt(event, **more)


def unwrap(wei, **more):
    event = log(WETH.address, "Withdrawal(address,uint256)", [DEAL], wei)
    return leg(LegKind.UNWRAP, target=WETH.address), receipt(event, **more)


def approve(token, spender, amount, *, kind=LegKind.APPROVE, **more):
    event = log(token.address, "Approval(address,address,uint256)", [DEAL, spender], amount)
    return leg(kind, target=token.address), receipt(event, **more)


def supply(amount, index, **more):
    event = log(
        POOL,
        "Supply(address,address,address,uint256,uint16)",
        [WETH.address, DEAL, bytes(32)],
        *(DEAL, amount),
    )
    logs = (
        reserve_data(WETH, liquidity_index=index, debt_index=9 * RAY),
        transfer(WETH, DEAL, A_WETH, amount),
        event,
    )
    return leg(LegKind.SUPPLY), receipt(*logs, **more)


def withdraw(amount, index, **more):
    event = log(
        POOL, "Withdraw(address,address,address,uint256)", [WETH.address, DEAL, DEAL], amount
    )
    logs = (
        reserve_data(WETH, liquidity_index=index, debt_index=9 * RAY),
        transfer(WETH, A_WETH, DEAL, amount),
        event,
    )
    return leg(LegKind.WITHDRAW), receipt(*logs, **more)


def borrow(amount, index, *, tether_fee=0, **more):
    event = log(
        POOL,
        "Borrow(address,address,address,uint256,uint8,uint256,uint16)",
        [USDT.address, DEAL, bytes(32)],
        *(DEAL, amount, 2, 5 * RAY // 100),
    )
    logs = [
        reserve_data(USDT, liquidity_index=9 * RAY, debt_index=index),
        transfer(USDT, A_WETH, DEAL, amount - tether_fee),
        event,
    ]
    if tether_fee:
        logs.insert(2, transfer(USDT, A_WETH, TETHER_OWNER, tether_fee))
    return leg(LegKind.BORROW), receipt(*logs, **more)


def repay(amount, index, *, tether_fee=0, **more):
    event = log(
        POOL,
        "Repay(address,address,address,uint256,bool)",
        [USDT.address, DEAL, DEAL],
        *(amount, 0),
    )
    logs = [
        reserve_data(USDT, liquidity_index=9 * RAY, debt_index=index),
        transfer(USDT, DEAL, A_WETH, amount - tether_fee),
        event,
    ]
    if tether_fee:
        logs.insert(2, transfer(USDT, DEAL, TETHER_OWNER, tether_fee))
    return leg(LegKind.REPAY), receipt(*logs, **more)


def swap(paid, got, *, pool=USDTZ_POOL, **more):
    """The pool's amounts in the order of its tokens' addresses; what it gives is negative."""
    amounts = sorted([(paid.token.address, paid.units), (got.token.address, -got.units)])
    event = log(
        pool,
        "Swap(address,address,int256,int256,uint160,uint128,int24)",
        [ROUTER, DEAL],
        *(amounts[0][1], amounts[1][1], 1, 1, -1),
    )
    logs = (
        transfer(got.token, pool, DEAL, got.units),
        transfer(paid.token, DEAL, pool, paid.units),
        event,
    )
    return leg(LegKind.SWAP, target=ROUTER), receipt(*logs, **more)


def buy(spend, tokens, **more):
    return swap(TokenAmount(USDT, spend), TokenAmount(USDTZ, tokens), **more)


def sell_eth(wei, cash, **more):
    return swap(TokenAmount(WETH, wei), TokenAmount(USDT, cash), pool=ETH_POOL, **more)


def request(shares, **more):
    event = log(
        DESK,
        "RedeemRequest(address,address,uint256,address,uint256)",
        [DEAL, DEAL, (5).to_bytes(32)],
        *(DEAL, shares),
    )
    return (
        leg(LegKind.REQUEST_REDEMPTION, target=DESK),
        receipt(transfer(USDTZ, DEAL, DESK, shares), event, **more),
    )


def claim(shares, assets, **more):
    event = log(
        DESK,
        "Withdraw(address,address,address,uint256,uint256)",
        [DEAL, DEAL, DEAL],
        *(assets, shares),
    )
    return (
        leg(LegKind.CLAIM_REDEMPTION, target=DESK),
        receipt(transfer(USDT, DESK, DEAL, assets), event, **more),
    )


def return_token(token, amount, *, tether_fee=0, **more):
    event = transfer(token, DEAL, TREASURY, amount - tether_fee)
    fee = [transfer(token, DEAL, TETHER_OWNER, tether_fee)] if tether_fee else []
    made = leg(LegKind.RETURN_TOKEN, target=token.address)
    return made, receipt(event, *fee, **more)
