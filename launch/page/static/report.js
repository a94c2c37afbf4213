// The threshold and all that follows it: counts, measures, outcomes of the images. Starts the page.

const run = JSON.parse(byId("run-data").textContent);
const COLUMNS = ["id", "kind", "label", "score", "predicted", "threshold"];
const rows = run.rows.map((values) => Object.fromEntries(COLUMNS.map((name, index) => [name, values[index]])));
const labelled = rows.filter((row) => row.label !== null);
const domain = scoreDomain();
const state = { threshold: run.threshold, exploring: false };

// A little wider than the scores and the fitted threshold, so that the slider can call everything good or defective.
// Of the scores that were fitted on it covers all but a thousandth at either end: one far outlier squeezes nothing.
function scoreDomain() {
  const values = rows.map((row) => row.score).concat(fittedRange(), run.threshold === null || run.threshold === undefined ? [] : [run.threshold]);
  const low = values.reduce((a, b) => Math.min(a, b), Infinity), high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const margin = (high - low) * 0.03 || Math.abs(high) * 0.1 || 1;
  return [low - margin, high + margin];
}

function fittedRange() {
  const scores = run.fitted.filter(Number.isFinite).sort((a, b) => a - b), last = scores.length - 1;
  return last < 0 ? [] : [scores[Math.ceil(0.001 * last)], scores[Math.floor(0.999 * last)]];
}

// At the fitted threshold what the run decided stands, even where it had a threshold for every surface class.
function called(row) {
  if (state.exploring) return row.score > state.threshold;
  return row.predicted === null ? null : Boolean(row.predicted);
}

function outcome(row) {
  const answer = called(row);
  if (row.label === null || answer === null) return "unlabelled";
  return row.label ? (answer ? "detected" : "miss") : (answer ? "false alarm" : "passed");
}

// An undefined measure (no image called defective, none defective) is null, never 0.
function measure() {
  const count = (name) => labelled.filter((row) => outcome(row) === name).length;
  const tp = count("detected"), fn = count("miss"), fp = count("false alarm"), tn = count("passed"), all = tp + fn + fp + tn;
  const ratio = (part, whole) => whole ? part / whole : null;
  return { tp, fn, fp, tn, precision: ratio(tp, tp + fp), recall: ratio(tp, tp + fn), f1: tp + fn ? ratio(2 * tp, 2 * tp + fp + fn) : null, accuracy: ratio(tp + tn, all) };
}

let moveLine = () => {};
const imageMarks = {}; // curve -> function that moves its dots

function showThreshold() {
  const measures = measure(), { tp, fn, fp, tn } = measures, decided = tp + fn + fp + tn > 0;
  const write = (id, value) => { byId(id).textContent = value; };
  const counts = { misses: fn, "false-alarms": fp, positives: tp + fn, negatives: fp + tn, tp, fn, fp, tn };
  for (const [id, value] of Object.entries(counts)) write(id, decided ? value : "–");
  for (const id of ["precision", "recall", "f1", "accuracy"]) write(id, measures[id] === null ? "–" : measures[id].toFixed(3));
  byId("threshold").value = state.threshold;
  if (document.activeElement !== byId("threshold-number")) byId("threshold-number").value = tidy(state.threshold);
  byId("fitted").disabled = !state.exploring || run.threshold === null;
  byId("scores").classList.toggle("exploring", state.exploring);
  moveLine(state.threshold);
  markCurves(measures);
  document.querySelectorAll(".image").forEach(showOutcome);
  copyOutcome();
  filter();
}

function markCurves({ tp, fn, fp, tn, precision, recall }) {
  const name = state.exploring ? "exploring" : "fitted";
  if (name === "fitted") for (const mark of Object.values(imageMarks)) mark("exploring", null);
  imageMarks.roc?.(name, tp + fn && fp + tn ? [fp / (fp + tn), recall] : null);
  imageMarks.pr?.(name, precision !== null && recall !== null ? [recall, precision] : null);
}

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

function setThreshold(value) {
  if (!Number.isFinite(value)) return;
  state.threshold = value;
  state.exploring = value !== run.threshold;
  showThreshold();
}

// The address keeps the threshold, so that a view can be sent to somebody: report.html#threshold=0.5
function keepInAddress() {
  const fragment = state.exploring ? `#threshold=${state.threshold}` : "#scores";
  try { history.replaceState(null, "", fragment); } catch { /* a browser may refuse this for local files */ }
  const { misses, alarms } = { misses: byId("misses").textContent, alarms: byId("false-alarms").textContent };
  byId("announcement").textContent = `${misses} missed, ${alarms} false alarms at ${tidy(state.threshold)}`;
}

function readAddress() {
  const found = /^#threshold=(.+)$/.exec(decodeURIComponent(location.hash));
  if (found) setThreshold(Number(found[1]));
}

function startThreshold() {
  const slider = byId("threshold"), number = byId("threshold-number");
  [slider.min, slider.max] = domain;
  // Without a fitted threshold the slider starts in the middle, and nothing is called before it is moved.
  state.threshold ??= (domain[0] + domain[1]) / 2;
  slider.addEventListener("input", () => setThreshold(slider.valueAsNumber));
  number.addEventListener("input", () => setThreshold(number.valueAsNumber));
  for (const control of [slider, number]) control.addEventListener("change", keepInAddress);
  byId("fitted").addEventListener("click", () => { setThreshold(run.threshold); keepInAddress(); slider.focus(); });
  addEventListener("hashchange", readAddress);
  const groups = [...new Map(rows.map((row) => [row.kind, row.label]))].map(([kind, label]) => ({
    name: kind || "–", defective: label === null ? null : Boolean(label),
    scores: rows.filter((row) => row.kind === kind).map((row) => row.score),
  }));
  groups.sort((a, b) => Number(a.defective) - Number(b.defective) || a.name.localeCompare(b.name));
  if (run.fitted.length) groups.push({ name: run.fitted_on, defective: null, scores: run.fitted, outlined: true });
  moveLine = histogram(byId("histogram"), groups, domain, run.levels);
  showThreshold();
  readAddress();
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
if (rows.length) startThreshold(); else filter();
drawImages();
