import copy
import pickle

import pytest

from holdfast.common.secret import Secret


def test_a_secret_shows_its_value_only_when_it_is_used():
    secret = Secret("correct horse")
    shown = f"{secret} {secret!r} {secret:>20} {[secret]} {vars()}"
    assert "horse" not in shown
    assert secret.use() == "correct horse"


@pytest.mark.parametrize("steal", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_is_neither_pickled_nor_copied(steal):
    with pytest.raises(TypeError, match="never pickled"):
        steal(Secret(b"seed"))
