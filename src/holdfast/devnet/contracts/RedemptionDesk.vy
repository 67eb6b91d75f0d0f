# pragma version 0.4.3
"""
@title Desk that redeems USDTz for USDT at par less a fee, after a queue delay
@license Apache-2.0
@notice Names and meaning of ERC-7540's asynchronous redemption. Shares are USDTz, assets are USDT.
        A request takes the shares at once and fixes the assets; it is claimable when the queue
        delay has passed, in the same block when the delay is zero. Frozen, the desk
        neither takes requests nor pays claims, and keeps what was requested.
        Source: ERC-7540 (request ids, controller and owner, claim through redeem).
"""

from ethereum.ercs import IERC20

event RedeemRequest:
    controller: indexed(address)
    owner: indexed(address)
    requestId: indexed(uint256)
    sender: address
    assets: uint256

event Withdraw:
    sender: indexed(address)
    receiver: indexed(address)
    owner: indexed(address)
    assets: uint256
    shares: uint256

event OperatorSet:
    controller: indexed(address)
    operator: indexed(address)
    approved: bool

event Frozen:
    pass

event Thawed:
    pass

event QueueDelaySet:
    delaySeconds: uint256

event FeeSet:
    feeBps: uint256

struct Request:
    controller: address
    shares: uint256
    assets: uint256
    claimable_at: uint256

BPS: constant(uint256) = 10_000
MAX_OPEN: constant(uint256) = 64  # open requests of one controller; bounds the walk of a claim

share: public(immutable(address))
asset: public(immutable(address))
admin: public(immutable(address))

frozen: public(bool)
queueDelay: public(uint256)
feeBps: public(uint256)
isOperator: public(HashMap[address, HashMap[address, bool]])

claimsUntilFreeze: public(uint256)  # 0: no freeze is set up
requestCount: public(uint256)
requests: public(HashMap[uint256, Request])
open_ids: HashMap[address, DynArray[uint256, MAX_OPEN]]


@deploy
def __init__(share_: address, asset_: address, fee_bps: uint256):
    assert fee_bps < BPS, "fee"
    share = share_
    asset = asset_
    admin = msg.sender
    self.feeBps = fee_bps


@external
def requestRedeem(shares: uint256, controller: address, owner: address) -> uint256:
    """
    @notice Hand `shares` of `owner` in; `controller` may claim the assets when the delay has passed.
    @return The request's id, counted from 1.
    """
    assert not self.frozen, "frozen"
    assert shares > 0, "nothing to redeem"
    assert controller != empty(address), "controller"
    assert owner == msg.sender or self.isOperator[owner][msg.sender], "not owner or operator"
    assets: uint256 = shares * (BPS - self.feeBps) // BPS
    self.requestCount += 1
    request_id: uint256 = self.requestCount
    self.requests[request_id] = Request(
        controller=controller,
        shares=shares,
        assets=assets,
        claimable_at=block.timestamp + self.queueDelay,
    )
    self.open_ids[controller].append(request_id)
    extcall IERC20(share).transferFrom(owner, self, shares)
    log RedeemRequest(
        controller=controller, owner=owner, requestId=request_id, sender=msg.sender, assets=shares
    )
    return request_id


@external
def redeem(shares: uint256, receiver: address, controller: address) -> uint256:
    """
    @notice Claim `shares` of what `controller` may claim, oldest request first.
    @return The assets paid to `receiver`.
    """
    assert not self.frozen, "frozen"
    assert shares > 0, "nothing to claim"
    assert controller == msg.sender or self.isOperator[controller][msg.sender], "not controller"
    assets: uint256 = self._consume(shares, controller)
    extcall IERC20(asset).transfer(receiver, assets, default_return_value=True)
    log Withdraw(
        sender=msg.sender, receiver=receiver, owner=controller, assets=assets, shares=shares
    )
    self._count_down()
    return assets


@external
@view
def pendingRedeemRequest(request_id: uint256, controller: address) -> uint256:
    """
    @return Shares of the request that still wait for the queue delay; of all when the id is 0.
    """
    return self._requested(request_id, controller, False)


@external
@view
def claimableRedeemRequest(request_id: uint256, controller: address) -> uint256:
    """
    @return Shares of the request that may be claimed; of all the controller's when the id is 0.
    """
    return self._requested(request_id, controller, True)


@external
@view
def maxRedeem(controller: address) -> uint256:
    """
    @return Shares that `controller` may claim now: none while the desk is frozen.
    """
    if self.frozen:
        return 0
    return self._requested(0, controller, True)


@external
@view
def convertToAssets(shares: uint256) -> uint256:
    """
    @return Assets that a request of `shares` made now would pay.
    """
    return shares * (BPS - self.feeBps) // BPS


@external
@view
def reserves() -> uint256:
    """
    @return Assets the desk holds.
    """
    return staticcall IERC20(asset).balanceOf(self)


@external
def setOperator(operator: address, approved: bool) -> bool:
    self.isOperator[msg.sender][operator] = approved
    log OperatorSet(controller=msg.sender, operator=operator, approved=approved)
    return True


@external
def freeze():
    self._only_admin()
    self.frozen = True
    log Frozen()


@external
def freezeAfter(claims: uint256):
    """
    @notice Freeze by itself right after so many more claims: a freeze in the middle of a deal.
    """
    self._only_admin()
    self.claimsUntilFreeze = claims


@external
def thaw():
    self._only_admin()
    self.frozen = False
    log Thawed()


@external
def setQueueDelay(delay_seconds: uint256):
    """
    @notice Applies to requests made from now on.
    """
    self._only_admin()
    self.queueDelay = delay_seconds
    log QueueDelaySet(delaySeconds=delay_seconds)


@external
def setFee(fee_bps: uint256):
    """
    @notice Applies to requests made from now on.
    """
    self._only_admin()
    assert fee_bps < BPS, "fee"
    self.feeBps = fee_bps
    log FeeSet(feeBps=fee_bps)


@external
def sweep(token: address, amount: uint256):
    """
    @notice Take tokens out, for tests of a desk that runs out of reserves.
    """
    self._only_admin()
    extcall IERC20(token).transfer(admin, amount, default_return_value=True)


@internal
def _consume(shares: uint256, controller: address) -> uint256:
    wanted: uint256 = shares
    assets: uint256 = 0
    still_open: DynArray[uint256, MAX_OPEN] = []
    for request_id: uint256 in self.open_ids[controller]:
        request: Request = self.requests[request_id]
        if wanted == 0 or request.claimable_at > block.timestamp:
            still_open.append(request_id)
            continue
        taken: uint256 = min(wanted, request.shares)
        paid: uint256 = request.assets * taken // request.shares
        wanted -= taken
        assets += paid
        self.requests[request_id].shares -= taken
        self.requests[request_id].assets -= paid
        if taken < request.shares:
            still_open.append(request_id)
    assert wanted == 0, "more than claimable"
    self.open_ids[controller] = still_open
    return assets


@internal
def _count_down():
    if self.claimsUntilFreeze == 0:
        return
    self.claimsUntilFreeze -= 1
    if self.claimsUntilFreeze == 0:
        self.frozen = True
        log Frozen()


@internal
@view
def _requested(request_id: uint256, controller: address, claimable: bool) -> uint256:
    total: uint256 = 0
    for candidate: uint256 in self.open_ids[controller]:
        if request_id != 0 and candidate != request_id:
            continue
        request: Request = self.requests[candidate]
        if (request.claimable_at <= block.timestamp) == claimable:
            total += request.shares
    return total


@internal
@view
def _only_admin():
    assert msg.sender == admin, "admin only"
