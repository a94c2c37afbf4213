"""The page of a sweep in a real browser: sorting, another figure, images, names, and that nothing leaves it."""

import html
import json
import re
import socketserver
import threading

import pytest

from launch.page.sweep_page import write_sweep_page
from tests.launch.page import browser
from tests.launch.page.sweep_pages import ALPHA, EVIL, GAPS, IMAGES, LOSS, fabricate, store_images, train

pytestmark = [browser.browser, pytest.mark.drill]


def play(results, folder, steps, *, width=1200):
    """What the steps (JavaScript that ends in `return value`) find in a copy of the page; fails on any error there."""
    page = write_sweep_page(results, folder).read_text(encoding="utf-8")
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', browser.WATCH, page)
    played = browser.PLAY.replace("STEPS", steps)
    (folder / "copy.html").write_text(page.replace("</body>", played + "</body>"), encoding="utf-8")
    (folder / "frame.html").write_text(browser.FRAME.replace("WIDTH", str(width)), encoding="utf-8")
    document = browser.document_of(folder / "frame.html", folder.parent / f"{folder.name}-profile")
    answer = json.loads(html.unescape(re.search(r'<pre id="answer">(.*?)</pre>', document, re.S)[1]))
    assert answer["failure"] is None
    return answer.get("found")


def test_the_untouched_page_draws_itself_under_its_own_policy(tmp_path):
    results = fabricate(ALPHA)
    store_images(tmp_path, results)
    document = browser.document_of(write_sweep_page(results, tmp_path), tmp_path / "profile")
    assert 'data-drawn="true"' in document and document.count('class="dot"') == 4
    assert document.count('class="thumbnail"') == 6  # Input, truth and four settings.


def test_no_request_leaves_the_page_even_for_markup_that_slipped_in(tmp_path, monkeypatch):
    asked = []

    class Listener(socketserver.BaseRequestHandler):
        def handle(self):
            asked.append(self.request.recv(100))

    resolving = [flag for flag in browser.FLAGS if "host-resolver" not in flag]  # Nothing but the policy is in the way.
    monkeypatch.setattr(browser, "FLAGS", resolving)
    with socketserver.TCPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        image = f'<img src="http://127.0.0.1:{server.server_address[1]}/slipped">'
        written = write_sweep_page(fabricate(ALPHA), tmp_path)
        slipped = written.read_text(encoding="utf-8").replace("<main>", f"<main>{image}")
        open_page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", slipped)
        requests = []
        for page in (slipped, open_page):
            written.write_text(page, encoding="utf-8")
            browser.document_of(written, tmp_path / "profile")
            requests.append(len(asked))
        server.shutdown()
    assert requests[0] == 0 < requests[1]


def test_headings_sort_and_missing_values_stay_last(tmp_path):
    results = fabricate(ALPHA, status=lambda at, seed: "failed" if at["alpha"] == "0.5" and seed == 1 else "finished")
    up, down, states, focus = play(
        results,
        tmp_path,
        """const head = all("#run-table thead button").find((button) => button.textContent === "Pixel F1");
        const column = head.parentElement.cellIndex, states = [];
        const read = () => all("#run-table tbody tr").map((row) => row.cells[column].textContent);
        const click = () => { head.focus(); head.click(); states.push(head.parentElement.getAttribute("aria-sort")); };
        click(); const up = read();
        click(); const down = read();
        return [up, down, states, document.activeElement === head];""",
    )
    values = [row["figures"].get("pixel.f1") for row in results["rows"]]
    expected = [f"{value:.3f}" for value in sorted(value for value in values if value is not None)]
    assert up == [*expected, "–"] and down == [*expected[::-1], "–"]
    assert states == ["ascending", "descending"] and focus


def test_an_axis_sorts_by_its_order_and_not_by_its_letters(tmp_path):
    shown = play(
        fabricate(("loss", ["zeta", "mse", "alpha"], None), seeds=(0,)),
        tmp_path,
        """all("#run-table thead button")[1].click();
        return all("#run-table tbody tr").map((row) => row.cells[1].textContent);""",
    )
    assert shown == ["zeta", "mse", "alpha"]


def test_another_figure_changes_charts_and_tables(tmp_path):
    before, after = play(
        fabricate(ALPHA, IMAGES),
        tmp_path,
        """const state = () => ({
          titles: all("figure[data-axis] figcaption").map((title) => title.textContent),
          heights: all(".dot").map((dot) => dot.getAttribute("cy")), diamonds: all(".diamond").length,
          tables: all(".of-figure:not([hidden]) h3").map((title) => title.textContent), better: text("#better"),
        });
        const before = state();
        enter("#figure", "2", "change");
        return [before, state()];""",
    )
    assert before["titles"] == ["Pixel F1 against alpha", "Pixel F1 against images"]
    assert before["better"] == "higher is better" and before["diamonds"] == 16
    assert after["titles"] == ["Time of an image against alpha", "Time of an image against images"]
    assert after["better"] == "lower is better" and after["diamonds"] == 0  # The paper has no times.
    assert len(before["tables"]) == len(after["tables"]) == 2 and after["heights"] != before["heights"]
    assert all(title.startswith("Time of an image") for title in after["tables"])


def test_a_numeric_axis_has_a_real_scale_and_the_marks_measure(tmp_path):
    across, up = play(
        fabricate(ALPHA),
        tmp_path,
        """const place = (name) => all(".dot").map((dot) => Number(dot.getAttribute(name)));
        return [place("cx"), place("cy")];""",
    )
    assert [(x - across[0]) / (across[-1] - across[0]) for x in across] == pytest.approx(ALPHA[2])
    assert [(y - up[0]) / (up[-1] - up[0]) for y in up] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert up[0] > up[-1]


def test_a_series_can_be_singled_out(tmp_path):
    assert play(
        fabricate(ALPHA, IMAGES),
        tmp_path,
        """const keys = all('[data-axis="0"] .series-keys button'), dim = () => all('[data-axis="0"] .dim').length;
        const found = [dim()];
        for (const key of [keys[0], keys[1], keys[1]]) { key.click(); found.push(dim()); }
        return [keys.map((key) => key.textContent), found];""",
    ) == [["images irregular", "images regular"], [0, 1, 1, 0]]


def test_another_logged_name_redraws_the_trainings_that_have_it(tmp_path):
    results = train(fabricate(LOSS, IMAGES))
    for training in results["trainings"]:
        if training["at"]["loss"] == "mse":
            training["logged"]["mse"] = [0.3, None, 0.1]
    before, after = play(
        results,
        tmp_path,
        """const state = () => ({
          titles: all("#training b").map((title) => title.textContent),
          keys: all("#training .series-keys button").map((key) => key.textContent),
          colours: [...new Set(all("#training .series").map((line) => line.style.getPropertyValue("--colour")))],
          lines: all("[data-set] svg").map((chart) => chart.querySelectorAll(".mean").length),
          paths: all("#training .mean").map((line) => line.getAttribute("d").replace(/[^ML]/g, "")),
          dots: all("#training .dot").length, told: all("#training output").map((said) => said.textContent),
        });
        const before = state();
        enter("#logged", "mse", "change");
        return [before, state()];""",
    )
    assert before["titles"] == ["loss against step"] * 2 and after["titles"] == ["mse against step"] * 2
    assert before["keys"] == ["loss mse", "loss ssim", "loss mae+ssim"] and after["keys"] == []
    assert before["lines"] == [3, 3] and after["lines"] == [1, 1] and len(before["colours"]) == 3
    assert after["colours"] == before["colours"][:1]
    assert before["paths"] == ["MLL"] * 6 and after["paths"] == ["MM"] * 2 and (before["dots"], after["dots"]) == (0, 4)
    assert before["told"][0] == "step 150loss mse: 0.006667loss ssim: 2.007loss mae+ssim: 4.007"
    assert after["told"] == ["step 150loss mse: 0.1"] * 2


def test_the_pointer_tells_the_nearest_step_of_the_trainings_that_are_not_dimmed(tmp_path):
    found = play(
        train(fabricate(ALPHA, IMAGES)),
        tmp_path,
        """const found = [];
        const point = (share) => {
          const chart = one("[data-set] svg"), { left, top, width } = chart.getBoundingClientRect();
          const where = { clientX: left + width * share, clientY: top + 50 };
          chart.dispatchEvent(new PointerEvent("pointermove", where));
          found.push([text("[data-set] output"), all(".moment .dot").length, all("#training .dim").length]);
        };
        point(0.7);
        all("#training .series-keys button")[1].click();
        point(0);
        one("[data-set] svg").dispatchEvent(new PointerEvent("pointerleave"));
        return [...found, text("[data-set] output"), all(".moment line").length];""",
    )
    everything = "step 100alpha 0: 0.01alpha 0.15: 2.01alpha 0.5: 4.01alpha 1: 6.01"
    alone = ["step 50alpha 0.15: 2.02", 1, 6]  # Three of four are dim, in both charts.
    assert found == [[everything, 4, 0], alone, "step 150alpha 0.15: 2.007", 0]


def test_trainings_are_placed_by_their_logarithm_over_more_than_a_decade(tmp_path):
    results = train(fabricate(("alpha", ["0"], [0.0])))
    drawn = []
    for name, loss in (("wide", [1.0, 0.1, 0.01]), ("narrow", [4.0, 3.0, 2.0]), ("signed", [9.0, 4.0, -1.0])):
        results["trainings"][0]["logged"]["loss"] = loss
        drawn.append(
            play(
                results,
                tmp_path / name,
                """return [text("#training .axis title"), one("#training .mean").getAttribute("d")];""",
            )
        )
    assert [title for title, _ in drawn] == ["step; loss logarithmic", "step", "step"]
    for _, line in drawn:
        first, middle, last = (float(spot.split()[1]) for spot in re.split("[ML]", line)[1:])
        assert middle == pytest.approx((first + last) / 2, abs=0.2) and first < last


def test_an_image_is_shown_under_the_settings_of_its_set(tmp_path):
    results = fabricate(LOSS, IMAGES, seeds=(0,))
    store_images(tmp_path, results)
    first, other, colours = play(
        results,
        tmp_path,
        """const state = () => all(".thumbnail figcaption").map((caption) => caption.firstChild.textContent);
        const first = state();
        enter("#image", "2", "change");
        await until(() => all(".thumbnail .predicted:not(.casing)").length === 3);
        const paint = (canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        const peak = (canvas) => paint(canvas).reduce((most, part, at) => at % 4 ? most : Math.max(most, part), 0);
        return [first, [text("#image option:checked"), state()], all(".thumbnail canvas").map(peak)];""",
    )
    assert first == ["Input", "Truth", "loss mse", "loss ssim", "loss mae+ssim"] == other[1]
    assert other[0] == "test/a/0 (regular)" and colours == sorted(colours) and colours[0] < colours[-1]


def test_the_command_is_copied_or_selected(tmp_path):
    found = play(
        fabricate(ALPHA, seeds=(4,)),
        tmp_path,
        """const found = [], button = one("#run-table .copy"), writeText = async (words) => { found.push(words); };
        Object.defineProperty(navigator, "clipboard", { value: { writeText }, writable: true, configurable: true });
        button.click();
        await until(() => text("#announcement"));
        navigator.clipboard = { writeText: async () => { throw new Error("refused"); } };
        button.click();
        await until(() => one("#run-table details").open);
        return [...found, String(getSelection())];""",
    )
    assert found == ["python -m launch.train seed=4"] * 2


@pytest.mark.parametrize("gap", GAPS)
def test_no_page_fails_or_scrolls_sideways(tmp_path, gap):
    for width in (400, 1200) if gap == "long names" else (400,):
        inner, scrolled = play(
            GAPS[gap](),
            tmp_path,
            "return [innerWidth, document.documentElement.scrollWidth];",
            width=width,
        )
        assert inner == width and scrolled <= inner


def test_names_stay_text_in_the_browser(tmp_path):
    results = fabricate((EVIL, [EVIL, "plain"], None), IMAGES, seeds=(0,))
    store_images(tmp_path, results, ids=(EVIL,))
    scripts, keys, image, caption = play(
        results,
        tmp_path,
        """return [all("script").length, all(".series-keys button").map((key) => key.textContent),
          one("#image option").textContent, all(".thumbnail figcaption")[2].textContent];""",
    )
    assert scripts == 4  # The data, the page's own, and the two of this test.
    assert f"{EVIL} {EVIL}" in keys and EVIL in image and f"{EVIL} {EVIL}" in caption


def test_every_control_has_a_name_and_a_visible_focus(tmp_path):
    results = fabricate(ALPHA, IMAGES, seeds=(0,))
    store_images(tmp_path, results)
    count, silent, faint = play(
        results,
        tmp_path,
        """const controls = all("button, input, select, summary, a[href], [tabindex='0']").filter(
          (control) => control.tabIndex >= 0 && !control.disabled && control.checkVisibility());
        const labels = (control) => [...(control.labels ?? [])].map((label) => label.textContent).join("");
        const name = (control) => control.getAttribute("aria-label") || control.textContent.trim() || labels(control);
        const html = (control) => control.outerHTML, silent = controls.filter((control) => !name(control));
        const faint = controls.filter((control) => {
          control.focus({ focusVisible: true });
          return document.activeElement !== control || getComputedStyle(control).outlineStyle === "none";
        });
        return [controls.length, silent.map(html), faint.map(html)];""",
    )
    assert count > 20 and silent == [] and faint == []
