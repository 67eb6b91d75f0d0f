"""A port for figures that is taken is a mistake in the settings, and no crash to recover from."""

import socket


async def test_a_supervised_worker_whose_port_is_taken_ends_and_is_not_started_again(scene):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        async with scene.supervised_worker(metrics_port=port) as worker:
            assert await worker.ended() == 3
    assert worker.words().count("[metrics.port]") == 1
    assert "supervisor.restarting" not in worker.words()
