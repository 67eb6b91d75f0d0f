"""Transactions alone: ERC-20 transfers through one worker's transaction layer, and raw.

One process records and signs groups and runs the chain loop, as a worker does; a group is done
when the database says that each of its transactions has landed. The others are signed beforehand
and handed to the same node. Both are counted on chain.
"""

import asyncio
import itertools
import time
from dataclasses import dataclass

from eth_account import Account
from sqlalchemy import func, select, text

from holdfast.bootstrap import keys_of, opened
from holdfast.common.evm import checksummed, keccak256
from holdfast.common.ids import BankId, new_deal_id, new_group_id, new_intent_id, new_leg_id
from holdfast.common.money import TokenAmount
from holdfast.config import load
from holdfast.protocols.erc20 import Erc20
from holdfast.signing.model import Fees
from holdfast.transactions.model import NewIntent
from holdfast.transactions.service import Transactions
from holdfast.transactions.store import intents
from holdfast.transactions.store.tables import IS_LIVE
from tests.bench.cpu import Meter, speed
from tests.bench.presigned import Rpc
from tests.bench.stage import logging_to, node
from tests.bench.table import Table, milliseconds

SIGNERS = 32
GROUP = 50
"""Transfers recorded in one commit, all of one signer."""

COUNTS = {0: (3_200, 3_200), 1: (6_400, 6_400)}
"""By block time: transfers through Holdfast and raw; enough for several blocks of a second."""

_COMMITTERS = 4
_FLOOD = 250
_FIRST_KEY = 1_001  # far from the devnet's own people and from any deal's number
_GAS = 60_000
_FEES = Fees(50 * 10**9, 10**9)
_WEALTH = 1_000 * 10**18
_SECONDS = 300
_COLUMNS = (
    "program",
    "blocks",
    "transfers",
    "tx/s",
    "client ms",
    "node ms",
    "database ms",
)


@dataclass(frozen=True)
class Run:
    """How long it took, and the processor seconds of each kind of process."""

    program: str
    block_time: int
    count: int
    seconds: float
    cpu: dict[str, float]

    @property
    def per_second(self):
        """Transfers a second."""
        return self.count / self.seconds


def measure(postgres, options):
    """Both programs on the same node, for each kind of mining."""
    table = Table(
        "transactions",
        f"Transactions alone: ERC-20 transfers of {SIGNERS} signers",
        _COLUMNS,
    )
    table.head()
    for block_time, counts in COUNTS.items():
        if options.block_time not in {None, block_time}:
            continue
        ours, raw = counts if not options.quick else (800, 800)
        with node(postgres.folder / "devnet", block_time) as devnet:
            limit = _told(table, _raw(devnet, raw))
            durable = _told(table, asyncio.run(_durable(devnet, postgres, ours)))
        mining = f"{block_time} s blocks" if block_time else "automine"
        table.ratios[f"durable to raw, {mining}"] = durable.per_second / limit.per_second
    table.tail()
    return table


def _told(table, run):
    cpu = milliseconds(run.cpu, run.count)
    table.add(
        run.program,
        f"{run.block_time} s" if run.block_time else "automine",
        run.count,
        f"{run.per_second:.0f}",
        *(f"{cpu[name]:.2f}" if name in cpu else "" for name in ("client", "node", "database")),
        program=run.program,
        block_time_seconds=run.block_time,
        transfers=run.count,
        per_second=round(run.per_second, 1),
        cpu_ms_per_tx=cpu,
        machine_ms=round(speed(), 1),
    )
    return run


def _raw(devnet, count):
    token, recipient = devnet.profile.usdtz.require_address(), _recipient("raw")
    keys = [keccak256(f"holdfast bench raw {number}".encode()) for number in range(SIGNERS)]
    signers = [Account.from_key(key) for key in keys]
    _fund(devnet, [signer.address for signer in signers], count)
    rounds = [
        [_signed(signer, devnet, token, recipient, nonce) for signer in signers]
        for nonce in range(count // SIGNERS)
    ]
    rpc, meter = Rpc(devnet.url), Meter({"node": [devnet.node.pid]})
    _await_block(devnet)
    start, spent = time.perf_counter(), time.process_time()
    for batch in _batches(rounds, devnet):
        rpc.send([raw for raw, _ in batch])
        rpc.await_mined([tx_hash for _, tx_hash in batch[-SIGNERS:]])
    seconds = time.perf_counter() - start
    cpu = {"client": time.process_time() - spent, **meter.seconds()}
    _require_received(devnet, recipient, count)
    return Run("presigned, raw", _block_time(devnet), count, seconds, cpu)


def _batches(rounds, devnet):
    """All at once where blocks come by the clock; else 250 at a time.

    A node that mines each transaction at once loses some of a flood.
    """
    sent = list(itertools.chain.from_iterable(rounds))
    size = len(sent) if _block_time(devnet) else _FLOOD
    return [sent[start : start + size] for start in range(0, len(sent), size)]


def _signed(signer, devnet, token, recipient, nonce):
    fields = {
        "to": token,
        "data": Erc20(token).transfer(recipient, 1).data,
        "value": 0,
        "nonce": nonce,
        "gas": _GAS,
        "chainId": devnet.profile.chain_id,
        "maxFeePerGas": _FEES.cap_wei,
        "maxPriorityFeePerGas": _FEES.tip_wei,
        "type": 2,
    }
    signed = signer.sign_transaction(fields)
    return signed.raw_transaction.to_0x_hex(), signed.hash.to_0x_hex()


async def _durable(devnet, postgres, count):
    url = await postgres.fresh("bench_transfers")
    settings = {"database_url": url, "profile": devnet.profile_path, "state_dir": postgres.folder}
    ours = load({f"HOLDFAST_{name.upper()}": str(value) for name, value in settings.items()})
    with logging_to(devnet.folder / "transfers.log"):
        async with opened(ours) as system:
            loop = asyncio.create_task(system.chain_loops[0].run())
            try:
                return await _Durable(devnet, system, count).run(postgres.pid, loop)
            finally:
                loop.cancel()
                await asyncio.gather(loop, return_exceptions=True)


class _Durable:
    """The transaction layer of one system, given groups of transfers to do."""

    def __init__(self, devnet, system, count):
        self._devnet, self._system, self._count = devnet, system, count
        self._recipient = _recipient("durable")
        self._keys = keys_of(system.settings, system.profile)
        self._transactions = Transactions(self._keys)

    async def run(self, database_pid, loop):
        refs = [self._keys.ref(_FIRST_KEY + number) for number in range(SIGNERS)]
        signers = [await self._keys.open(ref) for ref in refs]
        _fund(self._devnet, [signer.address for signer in signers], self._count)
        await self._transfer(signers, SIGNERS * 2, loop)  # connections and statements are warm now
        meter = Meter({"node": [self._devnet.node.pid], "database": [database_pid]})
        _await_block(self._devnet)
        start, spent = time.perf_counter(), time.process_time()
        await self._transfer(signers, self._count, loop)
        seconds = time.perf_counter() - start
        cpu = {"client": time.process_time() - spent, **meter.seconds()}
        _require_received(self._devnet, self._recipient, self._count + SIGNERS * 2)
        return Run("Holdfast", _block_time(self._devnet), self._count, seconds, cpu)

    async def _transfer(self, signers, count, loop):
        """Record `count` transfers in groups and wait until the database says that all landed."""
        size = min(GROUP, count // SIGNERS)
        left = itertools.islice(itertools.cycle(signers), count // size)
        committers = [self._record(left, size) for _ in range(_COMMITTERS)]
        await asyncio.gather(*committers)
        deadline = time.monotonic() + _SECONDS
        while await self._live():
            assert time.monotonic() < deadline, "not all transfers landed"
            assert not loop.done(), f"the chain loop ended: {loop}"
            await asyncio.sleep(0.05)

    async def _record(self, signers, size):
        for signer in signers:
            async with self._system.db.begin() as session:
                await self._transactions.record(
                    session, self._group(signer, size), _FEES, {signer.address: 0}
                )

    def _group(self, signer, size):
        profile, deal, group = self._system.profile, new_deal_id(), new_group_id()
        token = Erc20(profile.usdtz.require_address())
        return [
            NewIntent(
                intent_id=new_intent_id(),
                leg_id=new_leg_id(),
                deal_id=deal,
                group_id=group,
                chain_id=profile.chain_id,
                participant_bank_id=BankId("BANK001"),
                sender=signer.address,
                key=signer.key_ref,
                call=token.transfer(self._recipient, 1),
                gas_limit=_GAS,
                expected=token.expected_transfer(signer.address, self._recipient),
                deadline=None,
                depth=profile.confirmations,
                fee_ceiling_wei=_FEES.cap_wei * 10,
            )
            for _ in range(size)
        ]

    async def _live(self):
        query = select(func.count()).select_from(intents).where(text(IS_LIVE))
        async with self._system.db.begin() as session:
            return (await session.execute(query)).scalar_one()


def _fund(devnet, accounts, tokens):
    """Ether without a block, and tokens from the token's own administrator, mined at once."""
    devnet.control.set_automine()
    for account in accounts:
        devnet.control.set_balance(account, _WEALTH)
        devnet.control.give(TokenAmount(devnet.profile.usdtz, tokens), account)
    if _block_time(devnet):
        devnet.control.set_interval(_block_time(devnet))


def _await_block(devnet):
    """Start right after a block, where blocks come by the clock."""
    if _block_time(devnet):
        last = devnet.control.block_number()
        while devnet.control.block_number() == last:
            time.sleep(0.01)


def _require_received(devnet, recipient, count):
    """Each transfer brings one unit: the balance is the number of effects."""
    token = devnet.profile.usdtz.require_address()
    found = devnet.control.rpc.view(token, "balanceOf(address)", "uint256", recipient)
    assert found == count, f"{found} transfers arrived, not {count}"


def _recipient(name):
    return checksummed(keccak256(f"holdfast bench {name} recipient".encode())[12:])


def _block_time(devnet):
    return devnet.options.block_time_seconds or 0
