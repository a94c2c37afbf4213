// The threshold of scores and all that follows it: counts, measures, the line in the histogram, outcomes of the images.
// Uses svg.js, charts.js, viewer.js, cards.js, and showOutcome(card) of the page.

const run = JSON.parse(byId("run-data").textContent);
const COLUMNS = ["id", "kind", "label", "score", "predicted", "threshold"];
const rows = run.rows.map((values) => Object.fromEntries(COLUMNS.map((name, index) => [name, name === "score" ? Number(values[index]) : values[index]])));
const labelled = rows.filter((row) => row.label !== null);
const domain = scoreDomain();
const state = { threshold: run.threshold, exploring: false };

// A little wider than the scores and the fitted threshold, so that the slider can call everything good or defective.
// Of the scores that were fitted on it covers all but a thousandth at either end: one far outlier squeezes nothing.
function scoreDomain() {
  const values = rows.map((row) => row.score).filter(Number.isFinite).concat(fittedRange(), run.threshold === null || run.threshold === undefined ? [] : [run.threshold]);
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
  const write = (id, value) => { if (byId(id)) byId(id).textContent = value; };
  const counts = { misses: fn, "false-alarms": fp, positives: tp + fn, negatives: fp + tn, tp, fn, fp, tn };
  for (const [id, value] of Object.entries(counts)) write(id, decided ? value : "–");
  for (const id of ["precision", "recall", "f1", "accuracy"]) write(id, measures[id] === null ? "–" : measures[id].toFixed(3));
  write("called", rows.filter(called).length);
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
  const { fn, fp } = measure(), counts = labelled.length ? `${fn} missed, ${fp} false alarms` : `${rows.filter(called).length} called`;
  byId("announcement").textContent = `${counts} at ${tidy(state.threshold)}`;
}

function readAddress() {
  const found = /^#threshold=(.+)$/.exec(location.hash);
  if (found) setThreshold(Number(found[1]));
}

function startThreshold() {
  const slider = byId("threshold"), number = byId("threshold-number");
  if (!slider) return;
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
