"""The rows of a page's table."""


def rows_of(page):
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return lines[0], {line[0].strip("`"): line for line in lines[2:]}
