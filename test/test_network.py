import pytest

from test.helpers import read_golden
from x3d.network import EXPORT_FORMAT


@pytest.mark.parametrize("batch_size", ["0", "3"])
def test_the_stored_digests_are_of_the_current_format(batch_size):
    assert read_golden("export_digests.json")[batch_size]["format"] == EXPORT_FORMAT
