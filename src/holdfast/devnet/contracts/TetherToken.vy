# pragma version 0.4.3
"""
@title Dollar token with the quirks of Tether's
@license Apache-2.0
@notice Six decimals; transfer, transferFrom and approve return nothing; an allowance changes
        only through zero; the owner can pause, blacklist, issue and take a fee on transfers.
        Source: TetherToken on Ethereum, 0xdAC17F958D2ee523a2206206994597C13D831ec7.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

event Issue:
    amount: uint256

event Params:
    feeBasisPoints: uint256
    maxFee: uint256

event AddedBlackList:
    user: address

event RemovedBlackList:
    user: address

event Pause:
    pass

event Unpause:
    pass

MAX_BASIS_POINTS: constant(uint256) = 20  # Tether refuses 20 and more
MAX_FEE: constant(uint256) = 50 * 10**6

name: public(constant(String[32])) = "Tether USD"
symbol: public(constant(String[8])) = "USDT"
decimals: public(constant(uint8)) = 6

owner: public(address)
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
paused: public(bool)
isBlackListed: public(HashMap[address, bool])
basisPointsRate: public(uint256)
maximumFee: public(uint256)


@deploy
def __init__():
    self.owner = msg.sender


@external
def transfer(receiver: address, amount: uint256):
    assert not self.paused, "paused"
    assert not self.isBlackListed[msg.sender], "blacklisted"
    self._move(msg.sender, receiver, amount)


@external
def transferFrom(sender: address, receiver: address, amount: uint256):
    assert not self.paused, "paused"
    assert not self.isBlackListed[sender], "blacklisted"
    allowed: uint256 = self.allowance[sender][msg.sender]
    assert allowed >= amount, "allowance"
    if allowed < max_value(uint256):
        self.allowance[sender][msg.sender] = allowed - amount
    self._move(sender, receiver, amount)


@external
def approve(spender: address, amount: uint256):
    assert amount == 0 or self.allowance[msg.sender][spender] == 0, "approve through zero"
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)


@external
def issue(amount: uint256):
    self._only_owner()
    self.totalSupply += amount
    self.balanceOf[msg.sender] += amount
    log Issue(amount=amount)
    log Transfer(sender=empty(address), receiver=msg.sender, value=amount)


@external
def pause():
    self._only_owner()
    self.paused = True
    log Pause()


@external
def unpause():
    self._only_owner()
    self.paused = False
    log Unpause()


@external
def addBlackList(user: address):
    self._only_owner()
    self.isBlackListed[user] = True
    log AddedBlackList(user=user)


@external
def removeBlackList(user: address):
    self._only_owner()
    self.isBlackListed[user] = False
    log RemovedBlackList(user=user)


@external
def setParams(basis_points: uint256, max_fee: uint256):
    """
    @param basis_points Fee on every transfer, in hundredths of a percent.
    @param max_fee Most that one transfer pays, in whole dollars.
    """
    self._only_owner()
    assert basis_points < MAX_BASIS_POINTS, "fee too high"
    assert max_fee * 10**6 < MAX_FEE, "fee cap too high"
    self.basisPointsRate = basis_points
    self.maximumFee = max_fee * 10**6
    log Params(feeBasisPoints=basis_points, maxFee=self.maximumFee)


@internal
def _move(sender: address, receiver: address, amount: uint256):
    assert self.balanceOf[sender] >= amount, "balance"
    fee: uint256 = min(amount * self.basisPointsRate // 10_000, self.maximumFee)
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount - fee
    log Transfer(sender=sender, receiver=receiver, value=amount - fee)
    if fee > 0:
        self.balanceOf[self.owner] += fee
        log Transfer(sender=sender, receiver=self.owner, value=fee)


@internal
@view
def _only_owner():
    assert msg.sender == self.owner, "owner only"
