import socket

import aiohttp
import pytest
from prometheus_client import Counter

from holdfast.common.errors import Rejected
from holdfast.common.metrics import MetricsServer, new_registry


async def test_a_features_figures_and_the_processs_are_served():
    registry = new_registry()
    Counter("holdfast_things", "Things.", registry=registry).inc(3)
    async with (
        MetricsServer(registry, 0).serving() as port,
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        lines = (await answer.text()).splitlines()
    assert "holdfast_things_total 3.0" in lines
    assert any(line.startswith("process_cpu_seconds_total ") for line in lines)


async def test_a_port_in_use_is_refused_with_what_to_do():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = MetricsServer(new_registry(), taken.getsockname()[1])
        with pytest.raises(Rejected, match="HOLDFAST_METRICS_PORT") as caught:
            await server.serving().__aenter__()
    assert caught.value.code == "metrics.port"


async def test_two_registries_of_one_process_share_nothing():
    first, second = new_registry(), new_registry()
    Counter("holdfast_things", "Things.", registry=first).inc()
    assert second.get_sample_value("holdfast_things_total") is None
