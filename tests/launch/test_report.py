"""The command that writes a report page, and what it refuses."""

import pytest

from launch import report
from launch.command import start
from launch.page import run_page
from tests.launch.page.run_pages import fabricate_run


def test_a_folder_that_is_no_run_is_refused(tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match="result.json is missing"):
        run_page.write_report(tmp_path)
    with pytest.raises(SystemExit) as stop:
        start.run(report.main, [str(tmp_path)])
    assert stop.value.code == 1 and "error:" in "".join(capsys.readouterr())
    assert list(tmp_path.iterdir()) == []


def test_the_page_goes_where_it_is_told(tmp_path):
    fabricate_run(tmp_path / "run")
    page = report.main([str(tmp_path / "run"), "--out", str(tmp_path / "page.html")])
    assert page == tmp_path / "page.html" and "renet_d" in page.read_text(encoding="utf-8")
    assert not (tmp_path / "run" / "report.html").exists()
