// Charts as SVG, in the colours of figures.css: curves, and one histogram row for each kind of image.
// A chart is drawn to the width of its holder and drawn again when that changes.

// points: [[x, y]] in order of x; y may be null (a gap). logarithmic: of y. line: "diagonal" or none.
// stepped: from point to point by way of the next one's y, so that the area under precision and recall is their average.
// Returns mark(name, x, y): moves a dot; pass null to take it away.
function curve(holder, points, { x, y, titles, height = 240, line = null, logarithmic = false, stepped = false, fill = true, output }) {
  const margin = { left: 44, right: 18, top: 10, bottom: 38 }, marks = new Map();
  const unit = logarithmic ? (value) => Math.log10(value) : (value) => value;
  let place = null;
  function draw(width) {
    const inner = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
    const px = (value) => margin.left + (value - x[0]) / (x[1] - x[0]) * inner.width;
    const py = (value) => margin.top + (1 - (unit(value) - unit(y[0])) / (unit(y[1]) - unit(y[0]))) * inner.height;
    const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": titles.join(" against ") });
    const decades = logarithmic ? ticks(unit(y[0]), unit(y[1]), 3).filter(Number.isInteger).map((power) => 10 ** power) : [];
    const rows = decades.length > 1 ? decades : ticks(y[0], y[1], 4);
    for (const tick of rows) {
      node("line", { class: "grid", x1: margin.left, x2: width - margin.right, y1: py(tick), y2: py(tick) }, svg);
      node("text", { class: "tick", x: margin.left - 8, y: py(tick) + 4, "text-anchor": "end" }, svg, tidy(tick));
    }
    for (const tick of ticks(x[0], x[1], width > 500 ? 8 : 4))
      node("text", { class: "tick", x: px(tick), y: height - margin.bottom + 17, "text-anchor": "middle" }, svg, tidy(tick));
    node("text", { class: "axis", x: margin.left + inner.width / 2, y: height - 4, "text-anchor": "middle" }, svg, titles[0]);
    if (line) node("path", { class: "level", d: path([[x[0], y[0]], [x[1], y[1]]], px, py) }, svg);
    const known = points.filter((point) => point[1] !== null);
    if (fill && known.length > 1)
      node("path", { class: "area", d: `${path(known, px, py, stepped)}V${py(y[0])}H${px(known[0][0])}Z` }, svg);
    node("path", { class: "curve", d: path(points, px, py, stepped) }, svg);
    const pointer = node("circle", { class: "pointer", r: 4, visibility: "hidden" }, svg);
    svg.addEventListener("pointermove", (event) => {
      if (!known.length) return;
      const near = closest(known, (point) => Math.abs(px(point[0]) - event.offsetX));
      pointer.setAttribute("cx", px(near[0])); pointer.setAttribute("cy", py(near[1])); pointer.setAttribute("visibility", "visible");
      output.textContent = `${titles[0]} ${tidy(near[0])}, ${titles[1]} ${tidy(near[1])}`;
    });
    svg.addEventListener("pointerleave", () => { pointer.setAttribute("visibility", "hidden"); output.textContent = ""; });
    place = (name, at) => {
      svg.querySelector(`.mark.${name}`)?.remove();
      if (at) node("circle", { class: `mark ${name}`, r: 5, cx: px(at[0]), cy: py(at[1]) }, svg);
    };
    for (const [name, at] of marks) place(name, at);
    holder.replaceChildren(svg);
  }
  whenResized(holder, draw);
  return (name, at) => { marks.set(name, at); if (place) place(name, at); };
}

// The names of hairlines at x, as flags of a row each where they are close: name -> { x, row, side }; row 0 is the lowest.
// A flag that meets the line or the flag of another stands above it, and so no line crosses a name. All fly to the right,
// or to the left where one would leave the chart.
function flags(lines, width) {
  const reach = (line) => line.name.length * 8 + 6, placed = [];
  const side = lines.some((line) => line.x + reach(line) > width) ? -1 : 1;
  for (const line of [...lines].sort((a, b) => (b.x - a.x) * side)) {
    const met = placed.filter((other) => (line.x + side * reach(line) - other.x) * side > 0);
    placed.push({ ...line, side, row: Math.max(-1, ...met.map((other) => other.row)) + 1 });
  }
  return placed;
}

// levels: [[gamma, score]], the score gamma standard deviations above a mean; one off the axis has its name at the edge.
function deviations(levels, domain, px, width) {
  const name = (gamma) => gamma === 0 ? "μ" : `μ${gamma < 0 ? "−" : "+"}${tidy(Math.abs(gamma))}σ`;
  return flags(levels.map(([gamma, score]) => {
    const off = score < domain[0] ? "← " : score > domain[1] ? " →" : "";
    const text = off === "← " ? off + name(gamma) : name(gamma) + off;
    return { name: text, told: `${name(gamma)} at ${tidy(score)}`, x: px(Math.max(domain[0], Math.min(domain[1], score))), off };
  }), width);
}

function drawDeviations(svg, lines, { top, bottom, width }) {
  for (const { name, told, x, off, row, side } of lines) {
    const y = top - row * FLAG - 5, length = name.length * 8;
    if (!off) node("title", {}, node("line", { class: "deviation", x1: x, x2: x, y1: y - 9, y2: bottom }, svg), told);
    // Only where flags would leave the chart on both sides is one dropped.
    if (x + side * length < 0 || x + side * length > width) continue;
    const label = node("text", { class: "tick flag", x: x + 4 * side, y, "text-anchor": side > 0 ? "start" : "end" }, svg, name);
    node("title", {}, label, told);
  }
}

// Every row has its own height scale: its shape counts, and its size is written.
// PAD is half the thumb of the slider below, whose middle so lies exactly on the score it stands for.
const PAD = 10, ROW = 54, FLAG = 15;

// Bars, or the outline of them; of bars that are labelled the wrong side of the threshold has another colour.
function drawBars(svg, group, { counts, base, width }) {
  const step = (width - 2 * PAD) / counts.length, top = Math.max(1, ...counts);
  const x = (bin) => (PAD + bin * step).toFixed(1), y = (count) => (base - (count ?? 0) / top * (ROW - 22)).toFixed(1);
  if (group.outlined) {
    const d = [...counts, 0].map((count, bin) => `M${x(bin)} ${y(counts[bin - 1])}V${y(count)}${count ? `H${x(bin + 1)}` : ""}`).join("");
    node("path", { class: "outline", d }, svg);
    return;
  }
  const bars = counts.map((count, bin) => count ? `M${(PAD + bin * step + 0.75).toFixed(1)} ${base}V${y(count)}h${(step - 1.5).toFixed(1)}V${base}Z` : "").join("");
  for (const side of ["below", "above"]) {
    const wrong = group.defective === null ? "" : group.defective === (side === "below") ? " wrong" : "";
    const shade = group.defective === null ? "unlabelled" : group.defective ? "defective" : "good";
    node("path", { class: `bars ${shade}${wrong}`, d: bars, "clip-path": `url(#clip-${side})` }, svg);
  }
}

// groups: [{ name, scores, defective, outlined }]; scores off the domain are counted beside the name.
// Returns a function that moves the threshold.
function histogram(holder, groups, domain, levels = []) {
  const bottom = 26, sized = groups.map((group) => {
    const inside = group.scores.filter((score) => Number.isFinite(score) && score >= domain[0] && score <= domain[1]);
    const off = group.scores.length - inside.length;
    return { ...group, inside, size: off ? `${group.scores.length}, ${off} off the axis` : `${group.scores.length}` };
  });
  let threshold = null, move = null;
  function draw(width) {
    const px = (score) => PAD + (score - domain[0]) / (domain[1] - domain[0]) * (width - 2 * PAD);
    const lines = deviations(levels, domain, px, width), top = lines.length ? (Math.max(...lines.map((line) => line.row)) + 1) * FLAG + 4 : 0;
    const height = top + groups.length * ROW + bottom, bins = Math.max(12, Math.min(60, Math.round(width / 16)));
    const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label":
      `Histogram of the scores: ${sized.map((group) => `${group.name} ${group.size}`).join(", ")}` });
    if (levels.length) node("desc", {}, svg, `Vertical lines at the mean μ and standard deviations σ of the scores fitted on: ${[...lines].sort((a, b) => a.x - b.x).map((line) => line.told).join(", ")}`);
    const clips = ["below", "above"].map((side) => node("rect", { x: 0, y: 0, width: 0, height }, node("clipPath", { id: `clip-${side}` }, svg)));
    sized.forEach((group, row) => {
      const base = top + (row + 1) * ROW, counts = new Array(bins).fill(0);
      for (const score of group.inside)
        counts[Math.min(bins - 1, Math.floor((score - domain[0]) / (domain[1] - domain[0]) * bins))] += 1;
      drawBars(svg, group, { counts, base, width });
      node("line", { class: "grid", x1: PAD, x2: width - PAD, y1: base + 0.5, y2: base + 0.5 }, svg);
    });
    drawDeviations(svg, lines, { top, bottom: height - bottom, width });
    const line = node("line", { class: "threshold", y1: top, y2: height - bottom + 6 }, svg);
    sized.forEach((group, row) => {
      const label = node("text", { class: "row", x: PAD, y: top + row * ROW + 15 }, svg, group.name);
      node("tspan", { class: "tick", dx: 7 }, label, group.size);
      node("title", {}, label, group.name);
    });
    for (const tick of ticks(domain[0], domain[1], width > 500 ? 8 : 4))
      node("text", { class: "tick", x: px(tick), y: height - 8, "text-anchor": "middle" }, svg, tidy(tick));
    move = () => {
      const at = threshold === null ? 0 : Math.max(PAD, Math.min(width - PAD, px(threshold)));
      clips[0].setAttribute("width", at);
      clips[1].setAttribute("x", at); clips[1].setAttribute("width", width - at);
      line.setAttribute("x1", at); line.setAttribute("x2", at);
    };
    move();
    holder.replaceChildren(svg);
  }
  whenResized(holder, draw);
  return (value) => { threshold = value; if (move) move(); };
}
