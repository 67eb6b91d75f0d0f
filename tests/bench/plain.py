"""The comparison: a plain web3.py program that estimates, sends and waits for each receipt."""

import asyncio
import time

from web3 import AsyncWeb3, Web3
from web3.exceptions import Web3Exception
from web3.providers import AsyncHTTPProvider, HTTPProvider

from tests.bench.accounts import pair
from tests.bench.cpu import Meter
from tests.bench.effects import Effects
from tests.bench.result import Result
from tests.bench.script import Contracts, sendings

_GAS_PERCENT = 130  # an exact estimate makes legs revert
_RECEIPT_SECONDS = 120
_PAUSES = (0.02, 0.1, 0.5)
"""After a refusal: for a moment around a block this node mixes old state with the new block."""


def sequential(devnet, loops):
    """Loops one after the other, through the blocking client."""
    web3 = Web3(HTTPProvider(devnet.url))
    pairs = [pair(devnet) for _ in range(loops)]

    def run():
        return [_loop(web3, devnet.profile, one) for one in pairs]

    return _measured("web3.py sequential", devnet, run, at_once=1, loops=loops)


def at_once(devnet, count):
    """`count` loops at once, through the asynchronous client."""
    pairs = [pair(devnet) for _ in range(count)]

    async def together():
        web3 = AsyncWeb3(AsyncHTTPProvider(devnet.url))
        try:
            loops = [_async_loop(web3, devnet.profile, one) for one in pairs]
            return await asyncio.gather(*loops)
        finally:
            await web3.provider.disconnect()

    def run():
        return asyncio.run(together())

    return _measured("web3.py async", devnet, run, at_once=count, loops=count)


def _measured(name, devnet, run, *, at_once, loops):
    effects, meter = Effects(devnet), Meter({"node": [devnet.node.pid]})
    start, spent = time.perf_counter(), time.process_time()
    blocks = run()
    seconds = time.perf_counter() - start
    cpu = {"client": time.process_time() - spent, **meter.seconds()}
    effects.require(loops)
    return Result(
        name, devnet.options.block_time_seconds or 0, at_once, loops, seconds, blocks, cpu
    )


def _loop(web3, profile, accounts):
    """One whole loop; how many blocks it took."""
    contracts, blocks = Contracts(web3), set()
    for signer, sending in _signed_by(profile, accounts):
        for pause in _PAUSES:
            try:
                sent = _sent(web3, contracts, signer, sending)
                break
            except Web3Exception:
                time.sleep(pause)
        blocks.add(_mined(web3.eth.wait_for_transaction_receipt(sent, _RECEIPT_SECONDS)))
    return len(blocks)


def _sent(web3, contracts, signer, sending):
    nonce = web3.eth.get_transaction_count(signer.address)
    fields = {"from": signer.address, "value": sending.value, "nonce": nonce}
    if sending.abi:
        function = contracts.bound(sending)
        gas = function.estimate_gas(fields) * _GAS_PERCENT // 100
        built = function.build_transaction({**fields, "gas": gas})
    else:
        built = _ether(fields, sending, web3.eth.gas_price, web3.eth.chain_id)
    return web3.eth.send_raw_transaction(signer.sign_transaction(built).raw_transaction)


async def _async_loop(web3, profile, accounts):
    """The same, awaited."""
    contracts, blocks = Contracts(web3), set()
    for signer, sending in _signed_by(profile, accounts):
        for pause in _PAUSES:
            try:
                sent = await _async_sent(web3, contracts, signer, sending)
                break
            except Web3Exception:
                await asyncio.sleep(pause)
        blocks.add(_mined(await web3.eth.wait_for_transaction_receipt(sent, _RECEIPT_SECONDS)))
    return len(blocks)


async def _async_sent(web3, contracts, signer, sending):
    nonce = await web3.eth.get_transaction_count(signer.address)
    fields = {"from": signer.address, "value": sending.value, "nonce": nonce}
    if sending.abi:
        function = contracts.bound(sending)
        gas = await function.estimate_gas(fields) * _GAS_PERCENT // 100
        built = await function.build_transaction({**fields, "gas": gas})
    else:
        built = _ether(fields, sending, await web3.eth.gas_price, await web3.eth.chain_id)
    return await web3.eth.send_raw_transaction(signer.sign_transaction(built).raw_transaction)


def _signed_by(profile, accounts):
    treasury = profile.require_accounts().treasury_return
    first, *others = sendings(profile, accounts.owner.address, treasury)
    return [(accounts.funder, first), *((accounts.owner, sending) for sending in others)]


def _ether(fields, sending, gas_price, chain_id):
    paid = {"to": sending.to, "gas": 21_000, "gasPrice": 2 * gas_price, "chainId": chain_id}
    return {name: value for name, value in {**fields, **paid}.items() if name != "from"}


def _mined(receipt):
    assert receipt["status"] == 1, f"reverted: {receipt}"
    return receipt["blockNumber"]
