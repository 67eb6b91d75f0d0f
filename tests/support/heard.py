"""What an event listener must have heard, read from all receipts by the independent witness."""

from tests.support.witness import TOPICS, Chain

HEARD = {topic for signature, topic in TOPICS.items() if not signature.startswith("Swap(")}
"""Events that the witness knows by hand and the listener must find; swaps move no token of ours
that a transfer does not tell."""


def told_by_the_chain(devnet, accounts, after=0):
    """Every log of the witness's events that names one of the accounts, from all receipts."""
    chain = Chain(devnet.url)
    newest = chain.number("eth_blockNumber")
    words = {account[2:].lower().rjust(64, "0") for account in accounts}
    blocks = chain.ask(
        *(("eth_getBlockReceipts", [hex(number)]) for number in range(after + 1, newest + 1))
    )
    return {
        (log["blockHash"], int(log["logIndex"], 16))
        for block in blocks
        for receipt in block
        for log in receipt["logs"]
        if log["topics"]
        and log["topics"][0] in HEARD
        and words & {topic[2:] for topic in log["topics"][1:]}
    }
