"""The rows of a page's table."""

import re


def rows_of(page, table=0):
    """(head, {detector: row}) of one of the tables of `launch.tabulate`, of all that stand after its mark."""
    tables = re.findall(r"(?:^\| .*\n)+", page.rpartition("by launch.tabulate -->\n")[2], re.M)
    lines = [line.strip("| ").split(" | ") for line in tables[table].splitlines()]
    return lines[0], {line[0].strip("`"): line for line in lines[2:]}
