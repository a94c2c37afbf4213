// What became of each image, curves, the course of training. Starts the page. Uses all scripts before it.

function showOutcome(card) {
  const row = rows[Number(card.dataset.row)];
  if (!row) return;
  card.dataset.outcome = outcome(row);
  card.querySelector(".badge").textContent = card.dataset.outcome;
  const part = (value) => `${Math.max(0, Math.min(100, (value - domain[0]) / (domain[1] - domain[0]) * 100)).toFixed(2)}%`;
  const gauge = card.querySelector(".gauge");
  gauge.style.setProperty("--score", part(row.score));
  gauge.style.setProperty("--threshold", part(state.exploring || row.threshold === null ? state.threshold : row.threshold));
}

function startCurves() {
  const titles = { roc: ["false-positive rate", "true-positive rate"], pr: ["recall", "precision"], pro: ["false-positive rate", "overlap"] };
  for (const figure of document.querySelectorAll("[data-curve]")) {
    const { level, curve: name } = figure.dataset, points = run.curves[level][name];
    if (!points?.length) { figure.querySelector(".chart").replaceWith(Object.assign(document.createElement("p"), { className: "nothing", textContent: "undefined here" })); continue; }
    if (points[0][0] > points[points.length - 1][0]) points.reverse();
    const furthest = points[points.length - 1][0]; // A PRO curve may stop at the limit it is integrated to.
    const mark = curve(figure.querySelector(".chart"), points, {
      x: [0, name === "pro" && furthest > 0 ? furthest : 1], y: [0, 1], titles: titles[name],
      line: name === "roc" ? "diagonal" : null, stepped: name === "pr", output: figure.querySelector("output"),
    });
    if (level === "image") imageMarks[name] = mark;
    const { precision, recall } = run.figures[level];
    if (level === "pixel" && name === "pr" && precision !== null && recall !== null) mark("fitted", [recall, precision]);
  }
}

function startHistory() {
  if (!byId("history")) return;
  const names = Object.keys(run.history).filter((name) => name !== "step" && name !== "seconds");
  const select = byId("scalar"), holder = byId("history").querySelector(".chart"), steps = run.history.step;
  select.append(...names.map((name) => new Option(name, name)));
  if (names.includes("loss")) select.value = "loss";
  const draw = () => {
    const fresh = holder.cloneNode(false); // A new holder leaves the old one's observer with nothing to draw into.
    byId("history").querySelector(".chart").replaceWith(fresh);
    const points = steps.map((at, index) => [at, run.history[select.value][index]]);
    const values = points.map((point) => point[1]).filter((value) => value !== null);
    if (!values.length) { fresh.append(Object.assign(document.createElement("p"), { className: "nothing", textContent: "never a number" })); return; }
    const low = Math.min(...values), high = Math.max(...values), logarithmic = low > 0 && high / low > 30;
    const margin = (high - low) * 0.05 || Math.abs(high) * 0.1 || 1;
    curve(fresh, points, { x: [steps[0], Math.max(steps[steps.length - 1], steps[0] + 1)], y: logarithmic ? [low / 1.1, high * 1.1] : [Math.min(low, low - margin), high + margin],
      titles: ["step", select.value], logarithmic, fill: false, output: byId("history").querySelector("output") });
  };
  select.addEventListener("change", draw);
  if (names.length) draw();
}

startCurves();
startHistory();
startAttributes(run.attributes);
startViewer();
startFilters();
startRamps();
startPixelThreshold();
if (rows.length) startThreshold(); else filter();
drawImages();
