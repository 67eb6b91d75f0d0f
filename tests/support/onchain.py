"""What the chain itself says of a deal: raw JSON-RPC, nothing of the product's own readers."""

import time
from dataclasses import dataclass
from functools import cached_property

from eth_abi.abi import decode, encode

from holdfast.chain.abi import selector
from holdfast.common.evm import keccak256

TRANSFER = "0x" + keccak256(b"Transfer(address,address,uint256)").hex()
SUPPLY = "0x" + keccak256(b"Supply(address,address,address,uint256,uint16)").hex()
WITHDRAW = "0x" + keccak256(b"Withdraw(address,address,address,uint256)").hex()
BORROW = "0x" + keccak256(b"Borrow(address,address,address,uint256,uint8,uint256,uint16)").hex()
REPAY = "0x" + keccak256(b"Repay(address,address,address,uint256,bool)").hex()


@dataclass(frozen=True)
class Holdings:
    """Everything one account has and owes, in base units."""

    native: int
    weth: int
    usdt: int
    usdtz: int
    collateral: int
    debt: int


class OnChain:
    """Reads of one devnet's newest block."""

    def __init__(self, devnet):
        self.rpc = devnet.control.rpc
        self.profile = devnet.profile
        self.tokens = {
            name: devnet.profile.token(name).address for name in ("WETH", "USDT", "USDTz")
        }

    def native(self, account):
        return int(self.rpc.call("eth_getBalance", account, "latest"), 16)

    def balance(self, token, account):
        contract = self.tokens.get(token, token)
        return self.rpc.view(contract, "balanceOf(address)", "uint256", account)

    def holdings(self, account):
        return Holdings(
            native=self.native(account),
            weth=self.balance("WETH", account),
            usdt=self.balance("USDT", account),
            usdtz=self.balance("USDTz", account),
            collateral=self.balance(self._position_tokens["WETH"][0], account),
            debt=self.balance(self._position_tokens["USDT"][2], account)
            + self.balance(self._position_tokens["USDT"][1], account),
        )

    def allowance(self, token, owner, spender):
        return self.rpc.view(
            self.tokens[token], "allowance(address,address)", "uint256", owner, spender
        )

    def allowances(self, owner):
        """Every allowance of `owner` that is not zero, over all tokens and contracts."""
        spenders = self.spenders
        asked = {
            (token, name): self.allowance(token, owner, spender)
            for token in self.tokens
            for name, spender in spenders.items()
        }
        return {pair: units for pair, units in asked.items() if units}

    def pool_with_usdt(self, token):
        """The exchange's pool of a token and USDT."""
        uniswap = self.profile.require_uniswap()
        fees = {"WETH": uniswap.weth_usdt_fee, "USDTz": uniswap.usdtz_usdt_fee}
        pair = (self.tokens[token], self.tokens["USDT"], fees[token])
        return self.rpc.view(uniswap.factory, "getPool(address,address,uint24)", "address", *pair)

    @property
    def spenders(self):
        aave, uniswap = self.profile.require_aave(), self.profile.require_uniswap()
        return {
            "pool": aave.pool,
            "router": uniswap.router,
            "quoter": uniswap.quoter,
            "desk": self.profile.require_redemption_desk(),
        }

    def in_desk(self, account):
        """The account's tokens inside the redemption desk, waiting or claimable."""
        desk = self.profile.require_redemption_desk()
        return sum(
            self.rpc.view(desk, f"{name}(uint256,address)", "uint256", 0, account)
            for name in ("pendingRedeemRequest", "claimableRedeemRequest")
        )

    def logs(self, address, *topics):
        """The logs of one contract; a topic that is None may be anything, an address is padded."""
        wanted = [_topic(topic) for topic in topics]
        blocks = {"fromBlock": "0x0", "toBlock": "latest"}
        return self.rpc.call("eth_getLogs", {**blocks, "address": address, "topics": wanted})

    def moved(self, token, *, sender=None, receiver=None):
        """How much of a token went from one account to another, summed over its transfers."""
        found = self.logs(self.tokens[token], TRANSFER, sender, receiver)
        return sum(int(log["data"], 16) for log in found)

    def supplied(self, owner):
        """Collateral in wei that was ever supplied for `owner`."""
        logs = self.logs(self.profile.require_aave().pool, SUPPLY, None, owner)
        return sum(decode(["address", "uint256"], _data(log))[1] for log in logs)

    def withdrawn(self, owner):
        """Collateral in wei that ever came back to `owner`."""
        logs = self.logs(self.profile.require_aave().pool, WITHDRAW, None, owner, owner)
        return sum(int(log["data"], 16) for log in logs)

    def count(self, event, *topics):
        """How many logs of the lending market carry these topics."""
        return len(self.logs(self.profile.require_aave().pool, event, *topics))

    def transactions(self, sender):
        """Every transaction of `sender` with its receipt, oldest first, found block by block."""
        newest = int(self.rpc.call("eth_blockNumber"), 16)
        count = int(self.rpc.call("eth_getTransactionCount", sender, "latest"), 16)
        found = []
        for number in range(newest, -1, -1):
            if len(found) == count:
                break
            block = self.rpc.call("eth_getBlockReceipts", hex(number)) or []
            found = [one for one in block if one["from"].lower() == sender.lower()] + found
        return found

    def gas_paid(self, sender):
        """What `sender` ever paid for gas, in wei, from the receipts."""
        return sum(
            int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
            for receipt in self.transactions(sender)
        )

    @cached_property
    def _position_tokens(self):
        provider = self.profile.require_aave().data_provider
        names = ("WETH", "USDT")
        return {
            name: self.rpc.view(
                provider,
                "getReserveTokensAddresses(address)",
                "address,address,address",
                self.tokens[name],
            )
            for name in names
        }

    # What somebody else may do to a deal

    def send_as(self, sender, target, data=b"", value=0, gas=500_000):
        """Send as any account, through the node's impersonation; the receipt."""
        self.rpc.call("anvil_impersonateAccount", sender)
        request = {
            "from": sender,
            "to": target,
            "input": "0x" + data.hex(),
            "value": hex(value),
            "gas": hex(gas),
        }
        sent = self.rpc.call("eth_sendTransaction", request)
        self.rpc.call("anvil_stopImpersonatingAccount", sender)
        return self._receipt(sent)

    def transfer_as(self, sender, token, to, units):
        """Move a token as its owner would."""
        data = selector("transfer(address,uint256)") + encode(["address", "uint256"], [to, units])
        return self.send_as(sender, self.tokens[token], data)

    def _receipt(self, sent):
        for _ in range(6_000):
            receipt = self.rpc.call("eth_getTransactionReceipt", sent)
            if receipt is not None:
                return receipt
            time.sleep(0.01)
        raise AssertionError(f"{sent} was not mined")


def _topic(topic):
    if topic is None or len(topic) == 66:
        return topic
    return "0x" + "0" * 24 + topic[2:].lower()


def _data(log):
    return bytes.fromhex(log["data"][2:])
