"""Several things that an operator may do to the devnet's world, all of them in one block."""

import contextlib

from holdfast.devnet.sender import Sender


class Unmined(Sender):
    """Sends and does not wait."""

    def __init__(self, rpc, account, sent):
        super().__init__(rpc, account)
        self._sent = sent

    def _mined(self, tx_hash):
        self._sent.append(tx_hash)
        return {"status": "0x1"}


@contextlib.contextmanager
def one_block(control, *, then_every_seconds=None):
    """What `control` does inside is mined at once when it ends; yields a list of that block.

    Afterwards the node mines every `then_every_seconds`, or on demand.
    """
    sent, block, usual = [], [], (control._admin, control._provider)
    control.set_manual_mining()
    control._admin, control._provider = (Unmined(control.rpc, one.account, sent) for one in usual)
    try:
        yield block
    finally:
        control._admin, control._provider = usual
    control.mine()
    receipts = [control.rpc.call("eth_getTransactionReceipt", one) for one in sent]
    assert {receipt["status"] for receipt in receipts} == {"0x1"}
    (number,) = {int(receipt["blockNumber"], 16) for receipt in receipts}
    block.append(number)
    if then_every_seconds is None:
        control.set_automine()
    else:
        control.set_interval(then_every_seconds)
