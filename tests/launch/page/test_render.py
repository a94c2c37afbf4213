"""Timings are shown with their units, names so that nothing in them is taken for markup or steers the reader."""

import json

import jinja2
from markupsafe import Markup

from launch.page import render


def test_timings_are_shown_with_their_units():
    timings = {"train_s": 4.25, "steps": 100, "steps_per_s": 9.5, "score_ms_per_image": 3.123456, "compile_s": None}
    expected = {
        "train": "4.25 s",
        "steps": "100",
        "steps per s": "9.5",
        "score": "3.123 ms per image",
        "compile": "– s",
    }
    assert dict(render.with_unit(timings)) == expected


def test_no_sign_in_a_name_steers_the_reader(monkeypatch):
    name, written = "<b>\x1b[31mgnp\u202e\nnext", "\\x1b[31mgnp\\u202e\nnext"
    templates = jinja2.DictLoader({"a.html": "{{ name }}|{{ number }}|{{ data }}|{{ style }}"})
    monkeypatch.setattr(jinja2, "FileSystemLoader", lambda folder: templates)
    data = {"id": name, name: [name, 1.5, float("nan")]}
    page = render.render("a.html", {"name": name, "number": 3, "data": render.as_json(data)}, styles=[], scripts=[])
    text, number, inside, style = page.split("|")
    assert (text, number, style) == (str(Markup.escape(f"<b>{written}")), "3", "")
    assert json.loads(inside) == {"id": f"<b>{written}", f"<b>{written}": [f"<b>{written}", 1.5, None]}
