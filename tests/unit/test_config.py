import os
from pathlib import Path

import pytest

from holdfast import config
from holdfast.common.errors import Rejected
from holdfast.common.log import LogFormat, LogLevel
from holdfast.common.redaction import Redactor

SECRET = "canary-5up3r-53cret"  # noqa: S105 - planted


def rejected(**environment):
    with pytest.raises(Rejected) as caught:
        config.load({f"HOLDFAST_{name}": value for name, value in environment.items()})
    return caught.value


def test_an_empty_environment_has_a_default_for_everything():
    settings = config.load({})
    assert settings.database_url is None
    assert settings.worker_concurrency == 8
    assert (settings.log_level, settings.log_format) == (LogLevel.INFO, LogFormat.AUTO)
    assert settings.passphrase() is None


def test_variables_of_other_programs_are_none_of_ours():
    assert config.load({"PATH": "/bin", "HOLDFASTER": "1"}) == config.load({})


def test_an_empty_variable_counts_as_absent():
    assert config.load({"HOLDFAST_PROFILE": ""}).profile is None


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_database_address_gets_the_driver_it_needs(scheme):
    settings = config.load({"HOLDFAST_DATABASE_URL": f"{scheme}://u@db/x"})
    assert settings.database_url == "postgresql+psycopg://u@db/x"


def test_root_keeps_its_state_outside_any_home(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert config.load({"XDG_STATE_HOME": "/home/x"}).state_dir == Path("/var/lib/holdfast")


def test_an_ordinary_user_keeps_state_where_the_desktop_standard_says(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/x")
    assert config.load({"XDG_STATE_HOME": "/s"}).state_dir == Path("/s/holdfast")
    assert config.load({}).state_dir == Path("/home/x/.local/state/holdfast")


def test_settings_made_in_code_take_values_as_they_are():
    made = config.Settings(state_dir=Path("/s"), max_deal=7, rpc_url=("https://n.example",))
    assert (made.max_deal, made.rpc_url) == (7, ("https://n.example",))


def test_what_is_no_text_is_no_database_address():
    with pytest.raises(ValueError, match="database_url"):
        config.Settings(state_dir=Path("/s"), database_url=5)


def test_a_given_state_dir_wins():
    assert config.load({"HOLDFAST_STATE_DIR": "/srv/h"}).state_dir == Path("/srv/h")


def test_dollar_limits_are_exact():
    # $25,000,000.12345678 times 1e8
    settings = config.load({"HOLDFAST_MAX_DEAL": "25000000.12345678"})
    assert settings.max_deal == 2_500_000_012_345_678


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_DEAL", "-1"),
        ("MAX_DEAL", "nan"),
        ("LOSS_BUDGET", "1e3x"),
        ("SWEEP_SECONDS", "0"),
        ("WORKER_CONCURRENCY", "many"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("DATABASE_URL", "mysql://db/x"),
        ("RPC_URL", "localhost:8545"),
        ("CRASH_AT", "advance.before commit"),
    ],
)
def test_a_wrong_setting_is_named_with_its_variable_and_code(name, value):
    error = rejected(**{name: value})
    assert error.code == f"config.{name.lower()}"
    assert f"HOLDFAST_{name}: " in error.message


def test_every_wrong_setting_is_told_at_once():
    error = rejected(SWEEP_SECONDS="0", WORKER_CONCURRENCY="0")
    assert "HOLDFAST_SWEEP_SECONDS" in error.message
    assert "HOLDFAST_WORKER_CONCURRENCY" in error.message


def test_a_misspelt_variable_is_refused_by_name():
    error = rejected(SWEEPSECONDS="1")
    assert error.code == "config.unknown"
    assert "HOLDFAST_SWEEPSECONDS" in error.message


def test_two_passphrases_are_refused():
    error = rejected(KEYSTORE_PASSPHRASE=SECRET, KEYSTORE_PASSPHRASE_FILE="/x")  # noqa: S106
    assert error.code == "config.conflict"
    assert SECRET not in str(error)


@pytest.mark.parametrize(
    "environment",
    [
        {"DATABASE_URL": f"mysql://u:{SECRET}@db/x"},
        {"RPC_URL": f"node.example/v3/{SECRET}"},
        {"KEYSTORE_PASSPHRASE": SECRET, "SWEEP_SECONDS": "x"},
        {"KEYSTORE_PASSPHRASE": SECRET, "TYPO": SECRET},
    ],
)
def test_an_error_never_shows_a_secret(environment):
    error = rejected(**environment)
    told = [str(error), repr(error), str(error.as_dict()), str(error.__cause__)]
    assert SECRET not in "".join(told)


def test_the_settings_never_show_a_secret():
    settings = config.load(
        {
            "HOLDFAST_KEYSTORE_PASSPHRASE": SECRET,
            "HOLDFAST_DATABASE_URL": f"postgresql://u:{SECRET}@db/x",
            "HOLDFAST_RPC_URL": f"https://node.example/{SECRET}",
        }
    )
    assert SECRET not in repr(settings) + str(settings)


def test_a_passphrase_file_is_read_without_its_line_end(tmp_path):
    file = tmp_path / "passphrase"
    file.write_text(" two words \n")
    settings = config.load({"HOLDFAST_KEYSTORE_PASSPHRASE_FILE": str(file)})
    assert settings.passphrase().use() == " two words "


def test_a_passphrase_file_that_cannot_be_read_is_named(tmp_path):
    missing = tmp_path / "missing"
    settings = config.load({"HOLDFAST_KEYSTORE_PASSPHRASE_FILE": str(missing)})
    with pytest.raises(Rejected) as caught:
        settings.passphrase()
    assert caught.value.code == "config.keystore_passphrase_file"
    assert str(missing) in caught.value.message


def test_secrets_of_the_settings_are_masked_once_registered():
    redactor = Redactor()
    config.load(
        {
            "HOLDFAST_KEYSTORE_PASSPHRASE": SECRET,
            "HOLDFAST_DATABASE_URL": "postgresql://u:p%40ssw0rd!@db/x",
        }
    ).register_secrets(redactor)
    masked = redactor.text(f"{SECRET} p@ssw0rd! p%40ssw0rd!")
    assert masked == "*** *** ***"


@pytest.mark.parametrize(
    ("url", "hidden"),
    [
        ("jsons://treasury:8443/hook4-SECRET?rebuilding=yes", {"treasury": False, "8443": False}),
        ("json://localhost/a1b2c3d4e5f6", {"localhost": False, "a1b2c3d4e5f6": True}),
        ("mailtos://desk:horse-battery@holdfast?password=staple99", {"holdfast": False}),
        ("mailto://desk:horse-battery@example.com", {"example.com": False, "horse-battery": True}),
        ("mailto://example.com?passphrase=staple99", {"passphrase": False, "staple99": True}),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", {"T1JJ3T3L2": True}),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", {"4174216298": True}),
    ],
)
def test_of_an_alert_address_the_tokens_are_masked_and_no_ordinary_words(url, hidden):
    redactor = Redactor()
    config.load({"HOLDFAST_ALERT_URLS": url}).register_secrets(redactor)
    assert {word: redactor.text(word) != word for word in hidden} == hidden
    assert redactor.text("a holdfast worker") == "a holdfast worker"


def test_several_nodes_are_given_with_commas():
    settings = config.load({"HOLDFAST_RPC_URL": "https://a.example/k, http://b.example:8545"})
    assert settings.rpc_url == ("https://a.example/k", "http://b.example:8545")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RPC_URL", "https://a.example,"),
        ("RPC_URL", "wss://a.example"),
        ("RPC_URL", "https://a.example:port"),
        ("RPC_URL", "https://a.example:70000"),
        ("RPC_URL", "https:///path"),
        ("WS_URL", "ws://[::1"),
        ("PRIVATE_RPC_URL", "a.example"),
        ("WS_URL", "https://a.example"),
    ],
)
def test_an_address_of_another_kind_is_refused(name, value):
    assert rejected(**{name: value}).code == f"config.{name.lower()}"


def test_a_refusal_is_told_in_our_words_alone():
    with pytest.raises(Rejected) as caught:
        config.load({"HOLDFAST_RPC_URL": "node.example"})
    assert caught.value.message == (
        "HOLDFAST_RPC_URL: give addresses that start with https:// or http://"
    )
