"""Turns a node's true answers into those of a node that lags, forgets, lies or has a wrong clock.

Pure: requests and answers in, requests and answers out.
"""

import hashlib

from tests.support.faults import Fault

_TAGS = {"latest", "pending", "safe", "finalized"}
_BY_HASH = {"eth_getTransactionReceipt", "eth_getTransactionByHash"}
_OF_BLOCKS = {"eth_getBlockByNumber", "eth_getBlockByHash"}
_FORGOTTEN = {*_BY_HASH, "eth_getBlockReceipts"}


def asked_of_the_past(call, newest):
    """`call` as a node asks itself whose newest block has the number `newest`."""
    params = [hex(newest) if _is_tag(param) else param for param in call["params"]]
    return {**call, "params": params}


def _is_tag(param):
    return isinstance(param, str) and param in _TAGS


def answered(call, answer, faults, view):
    """The answer with `faults`; `view` says how late and how skewed the node is, and its lies."""
    result = answer.get("result")
    for fault in sorted(faults):
        match fault:
            case Fault.STALE:
                result = _stale(call, result, view.newest)
            case Fault.NOT_FOUND if call["method"] in _FORGOTTEN:
                result = None
            case Fault.WRONG_CHAIN if call["method"] == "eth_chainId":
                result = "0x1"
            case Fault.WRONG_CHAIN if call["method"] == "net_version":
                result = "1"
            case Fault.LYING:
                result = view.lies.told(result)
            case Fault.SKEWED if call["method"] in _OF_BLOCKS and result:
                result = {**result, "timestamp": _later(result["timestamp"], view.skew_seconds)}
    return answer if "error" in answer else {**answer, "result": result}


def _stale(call, result, newest):
    """What is above the newest block does not exist yet."""
    if call["method"] == "eth_blockNumber":
        return hex(newest)
    if call["method"] in _BY_HASH or call["method"] in _OF_BLOCKS:
        number = (result or {}).get("blockNumber") or (result or {}).get("number")
        return None if number is not None and int(number, 16) > newest else result
    if call["method"] == "eth_getBlockReceipts" and result:
        return None if int(result[0]["blockNumber"], 16) > newest else result
    if call["method"] == "eth_getLogs" and result:
        return [one for one in result if int(one["blockNumber"], 16) <= newest]
    return result


def _later(timestamp, seconds):
    return hex(int(timestamp, 16) + seconds)


class Lies:
    """A node's own version of the chain after block `since`: other hashes, which fit one another.

    What it is asked about its hashes it answers about the true ones.
    """

    def __init__(self, since=0):
        self._since = since
        self._true = {}

    def told(self, result):
        """A result with this node's hashes in the place of the true ones."""
        match result:
            case dict():
                number = int(result.get("blockNumber") or result.get("number") or "0x0", 16)
                return {
                    name: self._lie(value)
                    if number - (name == "parentHash") > self._since and _is_block(result, name)
                    else self.told(value)
                    for name, value in result.items()
                }
            case list():
                return [self.told(one) for one in result]
            case _:
                return result

    def _lie(self, true):
        made = f"0x{hashlib.sha256(bytes.fromhex(true[2:])).hexdigest()}"
        self._true[made] = true
        return made

    def undone(self, params):
        """Parameters with the true hashes."""
        match params:
            case dict():
                return {name: self.undone(value) for name, value in params.items()}
            case list():
                return [self.undone(one) for one in params]
            case str():
                return self._true.get(params, params)
            case _:
                return params


def _is_block(entry, name):
    """Whether a field holds a block's hash: `hash` alone may be a transaction's."""
    return name in {"blockHash", "parentHash"} or (name == "hash" and "parentHash" in entry)
