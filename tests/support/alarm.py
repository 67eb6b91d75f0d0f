"""An alarm that keeps what was raised, for tests."""


class KeptAlarm:
    """`alerts` are those raised, in order, whether or not their transaction committed."""

    def __init__(self):
        self.alerts = []
        self.over = []

    async def raised(self, session, *alerts):
        self.alerts += alerts

    async def ended(self, session, *ended):
        self.over += ended

    @property
    def codes(self):
        return [alert.code for alert in self.alerts]
