"""Who hears of reorgs in tests that have no deals."""


class KeptReorgs:
    """Keeps what it was told."""

    def __init__(self, finality):
        self.finality = finality
        self.reopened_, self.lost_ = [], []

    async def reopened(self, session, orphans):
        self.reopened_ += orphans

    async def lost(self, session, orphans):
        self.lost_ += orphans
