// Charts of a run as SVG, in the colours of the page (report.css): curves, and one histogram row for each kind of picture.
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
      const at = event.offsetX;
      const near = known.reduce((best, point) => Math.abs(px(point[0]) - at) < Math.abs(px(best[0]) - at) ? point : best, known[0]);
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

// groups: [{ name, scores, defective }]. Every row has its own height scale: its shape counts, and its size is written.
// PAD is half the thumb of the slider below, whose middle so lies exactly on the score it stands for.
const PAD = 10;
function histogram(holder, groups, domain) {
  const rowHeight = 54, bottom = 26, height = groups.length * rowHeight + bottom;
  let threshold = null, move = null;
  function draw(width) {
    const px = (score) => PAD + (score - domain[0]) / (domain[1] - domain[0]) * (width - 2 * PAD);
    const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label":
      `Histogram of the image scores: ${groups.map((group) => `${group.name} ${group.scores.length}`).join(", ")}` });
    const clips = ["below", "above"].map((side) => {
      const clip = node("clipPath", { id: `clip-${side}` }, svg);
      return node("rect", { x: 0, y: 0, width: 0, height }, clip);
    });
    const bins = Math.max(12, Math.min(60, Math.round(width / 16)));
    groups.forEach((group, row) => {
      const base = (row + 1) * rowHeight, counts = new Array(bins).fill(0);
      for (const score of group.scores)
        counts[Math.min(bins - 1, Math.floor((score - domain[0]) / (domain[1] - domain[0]) * bins))] += 1;
      const top = Math.max(...counts), step = (width - 2 * PAD) / bins;
      const bars = counts.map((count, bin) => count ? `M${(PAD + bin * step + 0.75).toFixed(1)} ${base}v${(-count / top * (rowHeight - 22)).toFixed(1)}h${(step - 1.5).toFixed(1)}V${base}Z` : "").join("");
      for (const side of ["below", "above"]) {
        const wrong = group.defective === null ? "" : group.defective === (side === "below") ? " wrong" : "";
        const shade = group.defective === null ? "unlabelled" : group.defective ? "defective" : "good";
        node("path", { class: `bars ${shade}${wrong}`, d: bars, "clip-path": `url(#clip-${side})` }, svg);
      }
      node("line", { class: "grid", x1: PAD, x2: width - PAD, y1: base + 0.5, y2: base + 0.5 }, svg);
      const label = node("text", { class: "row", x: PAD, y: base - rowHeight + 15 }, svg, group.name);
      node("tspan", { class: "tick", dx: 7 }, label, group.scores.length);
      node("title", {}, label, group.name);
    });
    for (const tick of ticks(domain[0], domain[1], width > 500 ? 8 : 4))
      node("text", { class: "tick", x: px(tick), y: height - 8, "text-anchor": "middle" }, svg, tidy(tick));
    const line = node("line", { class: "threshold", y1: 0, y2: height - bottom + 6 }, svg);
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
