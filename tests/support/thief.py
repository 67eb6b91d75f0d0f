"""Somebody who has a key of ours: what the judges must notice."""

from eth_account import Account

PHRASE = "test test test test test test test test test test test junk"
GWEI = 10**9

Account.enable_unaudited_hdwallet_features()


class Thief:
    """Holds the key of a deal, or of the float at 0, and sends with it past the product."""

    def __init__(self, devnet, number):
        self._devnet = devnet
        path = f"m/44'/60'/{number}'/0/0"
        self._key = Account.from_mnemonic(PHRASE, account_path=path)
        self.address = self._key.address

    def give_itself(self, wei):
        self._devnet.control.set_balance(self.address, wei)

    def send(self, target, *words, value=0):
        rpc = self._devnet.control.rpc
        signed = self._key.sign_transaction(
            {
                "chainId": 138,
                "nonce": int(rpc.call("eth_getTransactionCount", self.address, "latest"), 16),
                "to": bytes.fromhex(target[2:]),
                "data": "0x" + "".join(words),
                "value": value,
                "gas": 200_000,
                "maxFeePerGas": 50 * GWEI,
                "maxPriorityFeePerGas": GWEI,
            }
        )
        rpc.call("eth_sendRawTransactionSync", f"0x{signed.raw_transaction.hex()}")
