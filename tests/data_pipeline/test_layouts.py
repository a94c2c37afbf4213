"""What every layout says of a folder that is not its own, and of unknown names."""

import pytest

from data_pipeline import layouts
from data_pipeline.load import list_records
from tests.data_pipeline.folders import load


@pytest.mark.parametrize("name", [name for name in layouts.names() if layouts.needs_folder(layouts.find(name))])
def test_every_layout_says_what_it_expected_of_a_wrong_folder(tmp_path, name):
    (tmp_path / "holiday").mkdir()
    with pytest.raises(FileNotFoundError, match=r"expected .+; (found|there is no such folder).*holiday/"):
        list_records(name, tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        list_records(name, tmp_path / "nowhere")


def test_unknown_names_and_options_are_answered_with_the_nearest(tmp_path):
    with pytest.raises(ValueError, match=r"'nanotwic'; did you mean 'nanotwice'\? known: aitex, "):
        load("nanotwic", tmp_path)
    with pytest.raises(ValueError, match=r"'categry' of dataset 'mvtec'; did you mean 'category'"):
        load("mvtec", tmp_path, categry="x")
