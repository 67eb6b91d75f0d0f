"""A storm or a simulation of nothing would be green: it is refused as wrong usage."""

import sys

import pytest

from tests.chaos import __main__ as chaos
from tests.simulation import __main__ as simulation


@pytest.mark.parametrize("program", [chaos, simulation])
@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5", ""])
def test_a_count_of_nothing_starts_no_run(program, count, monkeypatch, capsys):
    option = "--kills" if program is chaos else "--seeds"
    monkeypatch.setattr(sys, "argv", ["program", f"{option}={count}"])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 2
    assert "is no whole number from 1" in capsys.readouterr().err
