// Choice of figure, sorting, copying, images side by side. Starts the page.

const sweep = JSON.parse(byId("sweep-data").textContent);
const all = (selector) => [...document.querySelectorAll(selector)];

function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function startFigures() {
  const charts = all("[data-axis]").map((holder) => axisChart(holder, sweep.axes[holder.dataset.axis]));
  const choose = () => {
    const index = Number(byId("figure")?.value || 0), figure = sweep.figures[index];
    if (!figure) return;
    byId("better").textContent = `${figure.better === "low" ? "lower" : "higher"} is better`;
    for (const part of all(".of-figure")) part.hidden = Number(part.dataset.figure) !== index;
    for (const redraw of charts) redraw(figure);
  };
  byId("figure")?.addEventListener("change", choose);
  choose();
}

// The lines of one logged name, named by the axes in which the trainings differ; points [[step, value or null]].
function linesOf(name) {
  const differs = (axis) => new Set(sweep.trainings.map((one) => one.at[axis.name])).size > 1;
  const axes = sweep.axes.filter((axis) => axis.name !== "images" && differs(axis));
  const labels = [...new Set(sweep.trainings.map((one) => named(one.at, axes)))];
  return sweep.trainings.filter((one) => one.logged[name]?.some(Number.isFinite)).map((one) => {
    const label = named(one.at, axes), colour = colourOf(one.at, labels.indexOf(label), labels.length, axes);
    return { label, colour, set: one.at.images ?? "", points: one.logged.step.map((step, index) => [step, one.logged[name][index]]) };
  });
}

// Settings keep their colours whatever is drawn of them.
function startTraining() {
  if (!byId("training")) return;
  const charts = all("[data-set]").map(trainingChart), keys = document.querySelector("#training .series-keys");
  const choose = () => {
    const name = byId("logged").value, lines = linesOf(name), labels = [...new Map(lines.map((one) => [one.label, one])).values()];
    const draw = (chosen) => { for (const redraw of charts) redraw({ name, lines, chosen: labels[chosen]?.label ?? null }); };
    keys.replaceChildren();
    if (labels.length > 1) drawKeys(keys, labels, draw);
    draw(null);
  };
  byId("logged").addEventListener("change", choose);
  choose();
}

// Missing values stay last in both directions; equal ones keep the order they have.
function sortBy(table, column, direction) {
  const body = table.tBodies[0], value = (row) => {
    const text = row.cells[column].dataset.sort;
    return text === "" ? null : Number(text);
  };
  const order = (a, b) => {
    const [left, right] = [value(a), value(b)];
    if (left === null || right === null) return (left === null) - (right === null);
    return direction * (left - right);
  };
  body.append(...[...body.rows].sort(order));
}

// A heading sorts by its column, at first as it says (data-first), then the other way round each time.
function startSorting(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", ({ currentTarget: button }) => {
    const first = button.dataset.first === "descending" ? -1 : 1;
    const direction = head.ariaSort ? (head.ariaSort === "ascending" ? -1 : 1) : first;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    sortBy(table, column, direction);
    if (!button.dataset.choose) return;
    byId("figure").value = button.dataset.choose;
    byId("figure").dispatchEvent(new Event("change"));
  }));
}

// Browsers may refuse the clipboard to a local file; then the command is opened and selected.
async function copy(button) {
  const text = button.dataset.copy, holder = button.parentElement;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    byId("announcement").textContent = "The command is copied.";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } catch {
    holder.querySelector("details")?.setAttribute("open", "");
    getSelection().selectAllChildren(holder.querySelector("code"));
    byId("announcement").textContent = "The command is selected; copy it with the keyboard.";
  }
}

// A plane is empty where the setting has no finished run, or none that stored this image.
function thumbnail(title, item, { map = null, mask = null, image = item.image, outlined = true }) {
  const { width, height } = item, plane = make("span", { className: "plane" }), jobs = [];
  plane.style.aspectRatio = `${width} / ${height}`;
  if (image) plane.append(make("img", { src: image, alt: "", decoding: "async" }));
  if (map) {
    const canvas = make("canvas", { width, height });
    plane.append(canvas);
    jobs.push(pixels(map, width, height).then((level) => { paint(level); canvas.getContext("2d").putImageData(level, 0, 0); }));
  }
  if (outlined) {
    const svg = node("svg", { class: "outlines", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, plane);
    for (const [name, source] of [["truth", item.truth], ["predicted", mask]])
      if (source) jobs.push(drawOutline(svg, name, source, width, height));
  }
  if (!image && !map) plane.append(make("span", { className: "nothing", textContent: "–" }));
  const caption = make("figcaption", { textContent: title, title });
  return [make("figure", { className: "thumbnail" }, caption, plane), jobs];
}

async function showImage(item) {
  const places = sweep.settings.map((setting, place) => [setting, place]).filter(([setting]) => setting.set === item.set);
  const thumbnails = [
    thumbnail("Input", item, { outlined: false }), thumbnail("Truth", item, { image: item.truth, outlined: false }),
    ...places.map(([setting, place]) => thumbnail(setting.label, item, item.thumbnails[place] ?? { image: null, outlined: false })),
  ];
  const ratio = item.width / item.height, holder = byId("thumbnails");
  holder.dataset.shape = ratio > 2.2 ? "wide" : ratio < 0.8 ? "tall" : "even";
  holder.replaceChildren(...thumbnails.map(([figure]) => figure));
  byId("scale").hidden = item.low === null;
  byId("low").textContent = Math.abs(item.low) < item.high / 1000 ? "0" : tidy(item.low); byId("high").textContent = `≥ ${tidy(item.high)}`;
  const tick = item.threshold === null ? "-99rem" : `${(item.threshold - item.low) / (item.high - item.low) * 100}%`;
  document.querySelector("#scale .ramp").style.setProperty("--tick", tick);
  await Promise.all(thumbnails.flatMap(([, jobs]) => jobs));
}

async function startImages() {
  if (!byId("image")) return;
  byId("image").addEventListener("change", (event) => showImage(sweep.images[event.target.value]));
  for (const button of all("[data-ground]"))
    button.addEventListener("click", () => {
      byId("thumbnails").classList.toggle("on-image", button.dataset.ground === "image");
      for (const other of all("[data-ground]")) other.setAttribute("aria-pressed", String(other === button));
    });
  for (const name of ["truth", "predicted"])
    byId(`show-${name}`).addEventListener("change", (event) => document.body.classList.toggle(`no-${name}`, !event.target.checked));
  await showImage(sweep.images[byId("image").value]);
}

startFigures();
startTraining();
for (const table of all(".sortable")) startSorting(table);
for (const button of all(".copy")) button.addEventListener("click", () => copy(button));
startImages().then(() => { document.body.dataset.drawn = "true"; });
