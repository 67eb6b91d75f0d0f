# pragma version 0.4.3
"""
@title Settable price feed in the shape of a Chainlink aggregator
@license Apache-2.0
@notice Eight decimals. The answer is as old as `staleness` says, so a feed stays fresh on a
        devnet whose clock jumps, and turns stale when a test asks for it.
        Source: AggregatorV3Interface of Chainlink, AggregatorInterface of aave core-v3.
"""

event AnswerUpdated:
    current: indexed(int256)
    roundId: indexed(uint256)
    updatedAt: uint256

decimals: public(constant(uint8)) = 8
version: public(constant(uint256)) = 1

description: public(String[32])
owner: public(address)
latestAnswer: public(int256)
latestRound: public(uint256)
staleness: public(uint256)


@deploy
def __init__(description: String[32], answer: int256):
    self.owner = msg.sender
    self.description = description
    self._publish(answer)


@external
def setAnswer(answer: int256):
    assert msg.sender == self.owner, "owner only"
    self._publish(answer)


@external
def setStaleness(seconds_old: uint256):
    assert msg.sender == self.owner, "owner only"
    self.staleness = seconds_old


@external
@view
def latestTimestamp() -> uint256:
    return self._updated_at()


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    answered_in: uint80 = convert(self.latestRound, uint80)
    updated_at: uint256 = self._updated_at()
    return answered_in, self.latestAnswer, updated_at, updated_at, answered_in


@internal
def _publish(answer: int256):
    self.latestAnswer = answer
    self.latestRound += 1
    log AnswerUpdated(current=answer, roundId=self.latestRound, updatedAt=block.timestamp)


@internal
@view
def _updated_at() -> uint256:
    return block.timestamp - self.staleness
