"""A page in a real browser, worked as a reader would."""

import html
import json
import re
import shutil
import subprocess

import pytest

from launch.page import run_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1300,900", "--virtual-time-budget=120000",
]  # fmt: skip
# Stands in a copy of the page in the place of its policy, and remembers the first error. The browser
# draws frames by a clock of its own, which a busy machine lets fall behind by any time: sizes are asked for instead.
WATCH = """<script>
addEventListener("error", (event) => { window.failure ??= event.message; });
addEventListener("unhandledrejection", (event) => { window.failure ??= String(event.reason); });
window.requestAnimationFrame = (call) => setTimeout(() => call(performance.now()), 16);
window.ResizeObserver = class {
  constructor(call) { this.call = call; }
  observe(element) {
    let before = null;
    const look = () => {
      const now = `${element.clientWidth} ${element.clientHeight}`;
      if (now !== before) this.call([{ target: element, contentRect: element.getBoundingClientRect() }], this);
      before = now;
      setTimeout(look, 100);
    };
    setTimeout(look, 0);
  }
};
</script>"""
# Ends the copy: works the page as a reader would and tells the frame around it what came of it.
PLAY = """<script>(async () => {
  const one = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const text = (selector) => one(selector).textContent;
  // The browser's clock runs ahead of its drawing on a busy machine: many turns, which cost nothing while it idles.
  const until = async (done) => {
    for (let turn = 0; turn < 25000 && !done(); turn += 1) await new Promise((next) => setTimeout(next, 1));
    if (!done()) throw new Error(`never came: ${done}`);
  };
  const key = (name) => document.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
  const enter = (selector, value, kind = "input") => {
    one(selector).value = value;
    one(selector).dispatchEvent(new Event(kind, { bubbles: true }));
  };
  await until(() => document.body.dataset.drawn || window.failure);
  const work = async () => { STEPS };
  const found = await work().catch((error) => { window.failure ??= String(error); });
  parent.postMessage(JSON.stringify({ found, failure: window.failure ?? null }), "*");
})()</script>"""  # fmt: skip
FRAME = """<!doctype html><body><iframe src="copy.html" style="width: WIDTHpx; height: 900px; border: 0"></iframe>
<script>
addEventListener("message", (event) => {
  document.body.append(Object.assign(document.createElement("pre"), { id: "answer", textContent: event.data }));
});</script>"""


def document_of(path, profile, *, fragment=""):
    """The page as HTML after its scripts have run."""
    command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", path.as_uri() + fragment]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def play(run, steps, *, width=1200, write=run_page.write_report):
    """What the steps (JavaScript that ends in `return value`) find in a copy of the page; fails on any error there."""
    page = write(run).read_text(encoding="utf-8")
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', WATCH, page)
    (run / "copy.html").write_text(page.replace("</body>", PLAY.replace("STEPS", steps) + "</body>"), encoding="utf-8")
    (run / "frame.html").write_text(FRAME.replace("WIDTH", str(width)), encoding="utf-8")
    document = document_of(run / "frame.html", run.parent / "profile")
    answer = json.loads(html.unescape(re.search(r'<pre id="answer">(.*?)</pre>', document, re.S)[1]))
    assert answer["failure"] is None, answer["failure"]
    return answer.get("found")


browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
