// The flow of images through both stages, what became of each, curves of each surface's detector. Starts the page.
// Uses all scripts before it.

// Bands as wide as images are many, from stage to stage: who raised the alarm, who was routed, what was found there.
const STAGES = [["images"], ["alarms", "routed", "errors"], ["defects", "passed"]];
const NAMES = { images: "images", alarms: "alarm: unseen", routed: "surface known", errors: "errors", defects: "defect", passed: "passed" };

// name -> { x, y, size }: the bar of each step in its column; columns part their bars by GAP, where their names stand.
function placeFlow(width, full, gap) {
  const size = (name) => run.flow[name] / run.flow.images * full, bars = {}, right = width < 600 ? 80 : 150;
  STAGES.forEach((names, column) => {
    let y = column === 2 && bars.routed ? bars.routed.y : gap;
    for (const name of names.filter((step) => run.flow[step])) {
      bars[name] = { x: column / 2 * (width - right), y, size: Math.max(size(name), 2) };
      y += bars[name].size + gap;
    }
    bars.bottom = Math.max(bars.bottom ?? 0, y);
  });
  return bars;
}

function drawFlow(holder, width) {
  const thick = 6, bars = placeFlow(width, 150, 30), names = STAGES.flat().filter((name) => bars[name]);
  const height = bars.bottom - 18, counts = names.map((name) => `${NAMES[name]} ${run.flow[name]}`).join(", ");
  const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": `What became of the images: ${counts}` });
  const left = {}; // where the next band leaves a bar
  for (const [from, to] of [["images", "alarms"], ["images", "routed"], ["images", "errors"], ["routed", "defects"], ["routed", "passed"]]) {
    if (!bars[from] || !bars[to]) continue;
    const [a, b] = [bars[from], bars[to]], y = left[from] ?? a.y, x = a.x + thick, middle = (x + b.x) / 2;
    left[from] = y + b.size;
    const d = `M${x} ${y}C${middle} ${y} ${middle} ${b.y} ${b.x} ${b.y}V${b.y + b.size}C${middle} ${b.y + b.size} ${middle} ${y + b.size} ${x} ${y + b.size}Z`;
    node("title", {}, node("path", { class: `band ${to}`, d }, svg), `${run.flow[to]} of ${run.flow[from]}`);
  }
  for (const name of names) {
    const { x, y, size } = bars[name];
    node("rect", { class: name, x, y, width: thick, height: size }, svg);
    const label = node("text", { x, y: y - 7 }, svg, `${NAMES[name]} `);
    node("tspan", { class: "count" }, label, String(run.flow[name]));
  }
  holder.replaceChildren(svg);
}

const decided = new Map([...document.querySelectorAll(".image")].map((card) => [card, card.dataset.outcome]));

// An image that had raised the alarm was looked at by no detector, and where it would now go on nobody knows the rest.
function outcomeAt(row, fitted) {
  if (called(row) === Boolean(row.predicted)) return fitted;
  if (called(row)) return row.label === 0 ? "alarm on seen" : "alarm";
  return row.label === 1 ? "missed unseen" : "not looked at";
}

function showOutcome(card) {
  const row = rows[Number(card.dataset.row)];
  if (row) card.querySelector(".badge").textContent = card.dataset.outcome = outcomeAt(row, decided.get(card));
}

function startDetectorCurves() {
  for (const figure of document.querySelectorAll("[data-surface]")) {
    const points = run.curves[figure.dataset.surface];
    if (points[0][0] > points[points.length - 1][0]) points.reverse();
    curve(figure.querySelector(".chart"), points, {
      x: [0, 1], y: [0, 1], titles: ["recall", "precision"], height: 170, stepped: true, output: figure.querySelector("output"),
    });
  }
}

if (run.flow) whenResized(byId("flow-chart"), (width) => drawFlow(byId("flow-chart"), width));
startDetectorCurves();
startAttributes(run.attributes);
startViewer();
startFilters();
if (rows.length) startThreshold(); else filter();
drawImages();
