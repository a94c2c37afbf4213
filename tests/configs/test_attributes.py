"""The table of attributes of surfaces: DAGM's as published, and what is said of a broken one."""

import pytest

from configs.attributes import DAGM, read_attributes


def test_the_table_of_dagm_is_that_of_ten_classes_and_29_attributes():
    names, rows = read_attributes(DAGM)
    assert list(rows) == [f"Class{k}" for k in range(1, 11)] and len(names) == 29
    assert rows["Class5"][names.index("defect shape: irregular ellipse stain")] == 0.5
    assert rows["Class9"][names.index("defect area: small")] == 0.7
    parts = ("defect shape", "defect reason", "defect distribution")
    for row in rows.values():  # Every class has some of each.
        assert all(
            any(value for name, value in zip(names, row, strict=True) if name.startswith(part)) for part in parts
        )


@pytest.mark.parametrize(
    "text, told",
    [
        ("class,white,black\nA,1,0\n,0,1\n", "line 3 has no class"),
        ("class,white,black\nA,1,0\nA,0,1\n", "line 3: class 'A' is there twice"),
        ("class,white,black\nA,1\n", "line 2: class 'A' has 2 columns where the header has 3"),
        ("class,white,black\nA,1,nan\n", "line 2, column 'black' is 'nan'"),
        ("class,white,black\nA,inf,0\n", "line 2, column 'white' is 'inf'"),
        ("class,white,black\nA,1,much\n", "line 2, column 'black' is 'much'"),
        ("class,white,black\nA.1,1,0\n", "class 'A.1' has a dot"),
        ("class,white,white\nA,1,0\n", "each once"),
        ("name,white\nA,1\n", "name them 'class'"),
        ("class,white\n", "no classes"),
    ],
)
def test_a_broken_table_is_refused_with_its_place(text, told, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=told) as error:
        read_attributes(path)
    assert str(path) in str(error.value)
