"""What the chain itself shows of a run: events counted from logs, whoever sent the transactions."""

from holdfast.common.evm import keccak256

TRANCHES = 4

_PER_DEAL = {
    "Supply(address,address,address,uint256,uint16)": 1,
    "Borrow(address,address,address,uint256,uint8,uint256,uint16)": 1,
    "Swap(address,address,int256,int256,uint160,uint128,int24)": 1,
    "RedeemRequest(address,address,uint256,address,uint256)": TRANCHES,
    "Withdraw(address,address,address,uint256,uint256)": TRANCHES,  # the desk paid
    "Repay(address,address,address,uint256,bool)": 1,
    "Withdraw(address,address,address,uint256)": 1,  # the lending pool gave collateral back
    "Withdrawal(address,uint256)": 1,  # WETH was unwrapped
}


class Effects:
    """Counts the events of a whole deal from the next block on."""

    def __init__(self, devnet):
        self._devnet = devnet
        self._first = devnet.control.block_number() + 1

    def require(self, deals):
        """Fail unless the chain shows every event of `deals` whole deals, and no more."""
        for signature, each in _PER_DEAL.items():
            found = self._count(signature)
            assert found == each * deals, f"{found} x {signature}, not {each * deals}"

    def _count(self, signature):
        return count_events(self._devnet, signature, self._first)


def count_events(devnet, signature, first):
    """How often the chain shows this event from block `first` on, whoever emitted it."""
    topic = "0x" + keccak256(signature.encode()).hex()
    where = {"fromBlock": hex(first), "toBlock": "latest", "topics": [topic]}
    return len(devnet.control.rpc.call("eth_getLogs", where))
