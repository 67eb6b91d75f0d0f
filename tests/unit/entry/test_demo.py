"""Two demonstrations at once would stop each other's node and database."""

import pytest

from holdfast.common.errors import Rejected
from holdfast.entry.demo import alone


def test_a_second_demonstration_in_the_same_folder_is_refused_until_the_first_ends(tmp_path):
    folder = tmp_path / "demo"
    with alone(folder), pytest.raises(Rejected) as refused, alone(folder):
        pass
    assert refused.value.code == "demo.busy"
    with alone(folder):
        pass
