import asyncio
import gc
import io
import json
import logging
import sys
import threading
import warnings

import pytest
import structlog

from holdfast.common.log import LogFormat, LogLevel, bound, configure_logging, install_hooks
from holdfast.common.redaction import Redactor
from holdfast.common.secret import Secret

CANARY = "canary-5up3r-53cret-phrase"
CANARY_KEY = bytes.fromhex("c0ffee" * 10 + "c0ff")
TRACES = (CANARY, CANARY_KEY.hex(), repr(CANARY_KEY)[2:-1])


@pytest.fixture(autouse=True)
def logging_as_before():
    """Logging and the hooks belong to the process: give them back."""
    root = logging.getLogger()
    kept = root.handlers, root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    root.handlers, root.level = kept[0], kept[1]
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture(params=[LogFormat.JSON, LogFormat.CONSOLE])
def style(request):
    return request.param


@pytest.fixture
def output(style):
    return configured(style)


def configured(style=LogFormat.JSON, level=LogLevel.DEBUG):
    redactor = Redactor()
    redactor.register(Secret(CANARY))
    redactor.register(Secret(CANARY_KEY))
    stream = io.StringIO()
    configure_logging(redactor, level=level, style=style, stream=stream)
    return stream


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def leak():
    held = CANARY  # a local that a careless formatter would show
    raise ValueError(f"cannot open with {held} and {CANARY_KEY!r}")


def leak_again():
    try:
        leak()
    except ValueError as error:
        raise RuntimeError("outer") from error


def caught():
    with pytest.raises(RuntimeError) as outer:
        leak_again()
    return outer.value


def in_fields():
    structlog.get_logger().info(
        "keystore.opened", note=f"with {CANARY}", nested={"deep": [CANARY, CANARY_KEY.hex()]}
    )


def in_exception():
    try:
        leak()
    except ValueError:
        structlog.get_logger().exception("keystore.failed", passphrase=CANARY)


def in_chained_exception():
    structlog.get_logger().error("keystore.failed", exc_info=caught())


def in_a_library():
    logging.getLogger("some.library").error("bad %s", CANARY, exc_info=caught())


def in_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"deprecated: {CANARY}", stacklevel=1)


def in_an_uncaught_error():
    error = caught()
    sys.excepthook(type(error), error, error.__traceback__)


def in_a_thread():
    thread = threading.Thread(target=leak, name="signer")
    thread.start()
    thread.join()


def in_an_unraisable_error():
    class Closing:
        def __del__(self):
            leak()

    Closing()
    gc.collect()


def in_a_forgotten_task():
    async def forget():
        async def fail():
            leak()

        task = asyncio.ensure_future(fail())
        await asyncio.sleep(0)
        del task
        gc.collect()

    asyncio.run(forget())


@pytest.mark.parametrize(
    "plant",
    [
        in_fields,
        in_exception,
        in_chained_exception,
        in_a_library,
        in_a_warning,
        in_an_uncaught_error,
        in_a_thread,
        in_an_unraisable_error,
        in_a_forgotten_task,
    ],
)
def test_a_planted_secret_never_reaches_the_output(output, plant):
    install_hooks()
    plant()
    text = output.getvalue()
    assert "***" in text
    for trace in TRACES:
        assert trace not in text


def test_json_lines_carry_event_level_time_and_bound_ids():
    stream = configured()
    with bound(bank="BANK001", deal="d-1", leg=None, tx="0xabc"):
        structlog.get_logger().info("tx.broadcast", nonce=7)
    (line,) = lines(stream)
    timestamp = line.pop("timestamp")
    assert timestamp.endswith("Z")
    assert line == {
        "event": "tx.broadcast",
        "level": "info",
        "nonce": 7,
        "bank": "BANK001",
        "deal": "d-1",
        "tx": "0xabc",
    }


def test_ids_are_unbound_after_the_block():
    stream = configured()
    with bound(deal="d-1"):
        pass
    structlog.get_logger().info("later")
    assert "deal" not in lines(stream)[0]


def test_an_amount_larger_than_64_bits_is_logged_exactly():
    stream = configured()
    structlog.get_logger().info("funded", amount_wei=5 * 10**21)
    assert lines(stream)[0]["amount_wei"] == 5 * 10**21


def test_a_library_speaks_in_the_same_lines_but_never_in_debug():
    stream = configured(level=LogLevel.DEBUG)
    logging.getLogger("web3.manager").debug("url with a key")
    logging.getLogger("web3.manager").info("connected")
    assert [(line["logger"], line["event"]) for line in lines(stream)] == [
        ("web3.manager", "connected")
    ]


def test_less_than_the_level_is_silent():
    stream = configured(level=LogLevel.WARNING)
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    structlog.get_logger().warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_an_interrupt_from_the_keyboard_is_no_error(output):
    install_hooks()
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert output.getvalue() == ""
