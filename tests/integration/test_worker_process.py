import asyncio
import signal
import sys
import textwrap

from holdfast.common.ids import new_deal_id
from holdfast.common.queue import Queue

HANGS_SECONDS = 60  # a bound for what never comes

WORKER = textwrap.dedent(
    """
    import asyncio, functools, sys
    from holdfast.common.log import configure_logging
    from holdfast.common.redaction import Redactor
    from holdfast.common.queue import Queue
    from holdfast.entry.worker import Part, run_worker

    async def advance(deal):
        print("started", deal, flush=True)
        await asyncio.sleep(float(sys.argv[2]))
        print("finished", deal, flush=True)

    async def other():
        await asyncio.sleep(float(sys.argv[3]))

    configure_logging(Redactor())
    queue = Queue(sys.argv[1])
    parts = [Part("queue", functools.partial(queue.run, advance)), Part("other", other)]
    asyncio.run(run_worker(parts))
    """
)


async def started(url, *, job_seconds, other_seconds=600):
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WORKER, url, str(job_seconds), str(other_seconds)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def line(process):
    return (await asyncio.wait_for(process.stdout.readline(), HANGS_SECONDS)).decode().split()


async def jobs_left(database):
    query = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'advance'"
    async with database.begin() as session:
        return (await session.exec_driver_sql(query)).scalar_one()


async def test_a_stopped_worker_finishes_its_job_and_ends_in_peace(database, database_url):
    deal = new_deal_id()
    async with database.begin() as session:
        await Queue(database_url).wake(session, deal)
    worker = await started(database_url, job_seconds=1)
    assert await line(worker) == ["started", str(deal)]
    worker.send_signal(signal.SIGTERM)
    assert await line(worker) == ["finished", str(deal)]
    assert await asyncio.wait_for(worker.wait(), HANGS_SECONDS) == 0
    assert await jobs_left(database) == 0


async def test_a_worker_whose_part_ends_exits_with_an_error(database_url):
    worker = await started(database_url, job_seconds=0, other_seconds=0.5)
    assert await asyncio.wait_for(worker.wait(), HANGS_SECONDS) != 0
    assert b"other ended by itself" in await worker.stderr.read()


async def test_a_job_whose_worker_is_killed_again_and_again_is_still_done(database, database_url):
    deal = new_deal_id()
    async with database.begin() as session:
        await Queue(database_url).wake(session, deal)
    for _ in range(2):
        victim = await started(database_url, job_seconds=600)
        assert await line(victim) == ["started", str(deal)]
        victim.kill()
        await victim.wait()
    last = await started(database_url, job_seconds=0)
    assert await line(last) == ["started", str(deal)]
    assert await line(last) == ["finished", str(deal)]
    last.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(last.wait(), HANGS_SECONDS) == 0
