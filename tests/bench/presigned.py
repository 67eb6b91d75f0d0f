"""The limit: the same transactions signed beforehand and sent raw, without looking in between."""

import http.client
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from tests.bench.accounts import pair
from tests.bench.cpu import Meter
from tests.bench.effects import Effects
from tests.bench.result import Result
from tests.bench.script import call_data, sendings

_BATCH = 250
_GAS = 700_000
_FEES = {"maxFeePerGas": 50 * 10**9, "maxPriorityFeePerGas": 10**9, "type": 2}
_LOOK_SECONDS = 0.005
_WAVE_SECONDS = 60
_TRIES = 20  # the node may show a receipt a moment before the ether it brought


@dataclass(frozen=True)
class Loop:
    """One loop's signed bytes and their hashes, in waves.

    The node refuses what the account cannot pay for yet: anything of an empty account, and the
    ether that an unwrapping brings; so a wave waits until the one before is mined.
    """

    waves: tuple[list[tuple[str, str]], ...]


def presigned(devnet, count):
    """`count` loops at once."""
    loops = [_signed(devnet) for _ in range(count)]
    effects, meter = Effects(devnet), Meter({"node": [devnet.node.pid]})
    rpc = Rpc(devnet.url)
    start, spent = time.perf_counter(), time.process_time()
    for wave in zip(*(loop.waves for loop in loops), strict=True):
        rpc.send([raw for part in wave for raw, _ in part])
        rpc.await_mined([part[-1][1] for part in wave])
    seconds = time.perf_counter() - start
    cpu = {"client": time.process_time() - spent, **meter.seconds()}
    effects.require(count)
    blocks = [len(set(rpc.blocks(loop))) for loop in loops]
    block_time = devnet.options.block_time_seconds or 0
    return Result("presigned, raw", block_time, count, count, seconds, blocks, cpu)


def _signed(devnet):
    accounts, profile = pair(devnet), devnet.profile
    treasury = profile.require_accounts().treasury_return
    made = []
    for index, sending in enumerate(sendings(profile, accounts.owner.address, treasury)):
        signer = accounts.owner if index else accounts.funder
        fields = {
            "to": sending.to,
            "data": call_data(sending),
            "value": sending.value,
            "nonce": max(0, index - 1),
            "gas": _GAS if sending.abi else 21_000,
            "chainId": profile.chain_id,
            **_FEES,
        }
        signed = signer.sign_transaction(fields)
        made.append((signed.raw_transaction.to_0x_hex(), signed.hash.to_0x_hex()))
    return Loop((made[:1], made[1:-1], made[-1:]))


class Rpc:
    """Batches over one kept-alive connection."""

    def __init__(self, url):
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)

    def send(self, raws):
        """Hand transactions to the node."""
        for _ in range(_TRIES):
            answers = self._all("eth_sendRawTransaction", raws)
            raws = [raw for raw, answer in zip(raws, answers, strict=True) if "error" in answer]
            if not raws:
                return
            time.sleep(_LOOK_SECONDS)
        raise AssertionError(f"the node refuses {len(raws)} transactions: {answers}")

    def await_mined(self, hashes):
        """Wait for these receipts."""
        deadline = time.monotonic() + _WAVE_SECONDS
        while hashes:
            answers = self._all("eth_getTransactionReceipt", hashes)
            hashes = [
                one for one, answer in zip(hashes, answers, strict=True) if answer["result"] is None
            ]
            assert time.monotonic() < deadline, f"not mined: {hashes}"
            time.sleep(_LOOK_SECONDS)

    def blocks(self, loop):
        """The blocks that mined a loop's transactions."""
        hashes = [tx_hash for wave in loop.waves for _, tx_hash in wave]
        receipts = [one["result"] for one in self._all("eth_getTransactionReceipt", hashes)]
        assert all(receipt["status"] == "0x1" for receipt in receipts)
        return [receipt["blockNumber"] for receipt in receipts]

    def _all(self, method, values):
        answers = []
        for start in range(0, len(values), _BATCH):
            part = values[start : start + _BATCH]
            requests = [
                {"jsonrpc": "2.0", "id": index, "method": method, "params": [value]}
                for index, value in enumerate(part)
            ]
            body = orjson.dumps(requests)
            self._connection.request("POST", "/", body, {"content-type": "application/json"})
            entries = orjson.loads(self._connection.getresponse().read())
            answers += sorted(entries, key=lambda one: one["id"])
        return answers
