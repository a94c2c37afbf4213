// The flow of images through both stages, distances, curves of each surface's detector. Starts the page.

const run = JSON.parse(byId("run-data").textContent);

// Bands as wide as images are many, from stage to stage: who raised the alarm, who was routed, what was found there.
const STAGES = [["images"], ["alarms", "routed", "errors"], ["defects", "passed"]];
const NAMES = { images: "images", alarms: "alarm: unseen", routed: "surface known", errors: "errors", defects: "defect", passed: "passed" };

// name -> { x, y, size }: the bar of each step in its column; columns part their bars by GAP, where their names stand.
function placeFlow(width, full, gap) {
  const size = (name) => run.flow[name] / run.flow.images * full, bars = {}, right = width < 600 ? 80 : 150;
  STAGES.forEach((names, column) => {
    let y = column === 2 ? bars.routed.y : gap;
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

function startDistances() {
  const titles = { seen: ["seen surfaces", false], unseen: ["unseen surfaces", true], all: ["all images", null] };
  const groups = Object.entries(run.distances).map(([name, scores]) => {
    const [title, defective] = titles[name] ?? [name, null];
    return { name: title, defective, scores };
  });
  if (!groups.length) return;
  const values = groups.flatMap((group) => group.scores).concat(Number.isFinite(run.threshold) ? [run.threshold] : []);
  const low = values.reduce((a, b) => Math.min(a, b), Infinity), high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const margin = (high - low) * 0.03 || Math.abs(high) * 0.1 || 1;
  const move = histogram(byId("histogram"), groups, [low - margin, high + margin]);
  if (Number.isFinite(run.threshold)) move(run.threshold);
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
startDistances();
startDetectorCurves();
startAttributes(run.attributes);
startViewer();
startFilters();
filter();
drawImages();
