// Anomaly maps in colour, outlines, and the enlarged view. Uses svg.js, maps.js, showFew of cards.js and run of threshold.js.

const levels = new WeakMap(); // card -> the quantised anomaly map, Uint8Array [height * width]

async function colourMap(card) {
  const canvas = card.querySelector("canvas");
  if (!canvas) return; // The detector gives no map.
  const { width, height } = canvas;
  const image = await pixels(canvas.dataset.source, width, height), values = paint(image);
  canvas.getContext("2d").putImageData(image, 0, 0);
  levels.set(card, values);
}

async function outlines(card) {
  const svg = card.querySelector(".outlines"), width = Number(card.dataset.width), height = Number(card.dataset.height);
  if (!svg) return; // There is nothing to outline.
  for (const name of ["truth", "predicted"]) {
    const image = card.querySelector(`[data-view=${name}] img`);
    if (image) await drawOutline(svg, name, image.src, width, height);
  }
}

// The input stands in the page once and is shown twice: as it is and under its outlines.
async function drawImages() {
  for (const card of document.querySelectorAll(".image:has(.overlay)"))
    card.querySelector(".overlay img").src = card.querySelector("[data-view=input] img").src;
  for (const card of document.querySelectorAll(".image")) {
    await colourMap(card);
    await outlines(card);
    if (viewer.open && view.card === card) showView(view.name);
  }
  document.body.dataset.drawn = "true";
}

// The enlarged view: one image, one of its views, scale and offset of the plane in screen pixels.
const viewer = byId("viewer"), stage = byId("stage"), plane = byId("plane");
const view = { card: null, name: "overlay", scale: 1, x: 0, y: 0, zoomed: false };

const shownCards = () => [...document.querySelectorAll(".image:not([hidden])")];
const viewNames = () => [...view.card.querySelectorAll(".view")].map((button) => button.dataset.view);
const natural = () => [Number(view.card.dataset.width), Number(view.card.dataset.height)];

function placePlane() {
  const [width, height] = natural(), free = [stage.clientWidth - width * view.scale, stage.clientHeight - height * view.scale];
  // An image smaller than the stage stays in its middle; a larger one cannot be pushed off it.
  view.x = free[0] > 0 ? free[0] / 2 : Math.max(free[0], Math.min(0, view.x));
  view.y = free[1] > 0 ? free[1] / 2 : Math.max(free[1], Math.min(0, view.y));
  plane.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  plane.style.setProperty("--zoom", view.scale); // Outlines keep their width on the screen.
  plane.classList.toggle("pixelated", view.scale > 2);
}

const fitted = () => Math.min(stage.clientWidth / natural()[0], stage.clientHeight / natural()[1]);

function zoom(factor, at = [stage.clientWidth / 2, stage.clientHeight / 2]) {
  const scale = Math.max(Math.min(fitted(), 1), Math.min(Math.max(32, 8 * fitted()), view.scale * factor));
  view.x = at[0] - (at[0] - view.x) * scale / view.scale;
  view.y = at[1] - (at[1] - view.y) * scale / view.scale;
  view.scale = scale;
  view.zoomed = true;
  placePlane();
}

function fit() { view.scale = fitted(); view.zoomed = false; placePlane(); }

function pan(dx, dy) { view.x += dx; view.y += dy; placePlane(); }

function showView(name) {
  view.name = viewNames().includes(name) ? name : viewNames()[0];
  const source = view.card.querySelector(`[data-view=${view.name}] .plane`), [width, height] = natural();
  plane.style.width = `${width}px`; plane.style.height = `${height}px`;
  plane.replaceChildren(...[...source.children].map((child) => {
    const copy = child.cloneNode(true);
    if (child.tagName === "IMG") copy.decoding = "sync"; // No empty frame between views: they are compared by flipping.
    if (child.tagName === "CANVAS") copy.getContext("2d").drawImage(child, 0, 0);
    return copy;
  }));
  for (const bar of viewer.querySelectorAll(".bar")) bar.hidden = view.name !== "map";
  for (const button of byId("viewer-views").children)
    button.setAttribute("aria-pressed", String(button.dataset.view === view.name));
  const title = view.card.querySelector(`[data-view=${view.name}] .view-title`).textContent;
  stage.setAttribute("aria-label", `${title} of ${view.card.dataset.id}`);
}

function enlarge(card, name) {
  view.card = card;
  byId("viewer-title").textContent = card.dataset.id;
  copyOutcome();
  byId("viewer-views").replaceChildren(...[...card.querySelectorAll(".view")].map((button, index) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: button.querySelector(".view-title").textContent });
    made.dataset.view = button.dataset.view;
    made.title = `key ${index + 1}`;
    return made;
  }));
  if (!viewer.open) viewer.showModal();
  showView(name);
  fit();
  stage.focus();
}

function copyOutcome() {
  if (!view.card) return;
  const badge = viewer.querySelector(".badge");
  badge.textContent = view.card.querySelector(".badge").textContent;
  viewer.dataset.outcome = view.card.dataset.outcome ?? "";
  viewer.querySelector(".score").textContent = view.card.querySelector(".score")?.textContent ?? "";
}

function step(by) {
  const cards = shownCards(), at = cards.indexOf(view.card);
  if (cards[at + by]) enlarge(cards[at + by], view.name);
}

function stepView(by) {
  const names = viewNames();
  showView(names[(names.indexOf(view.name) + by + names.length) % names.length]);
}

function viewerKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const pans = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 80], ArrowDown: [0, -80] };
  const keys = {
    ArrowLeft: () => step(-1), ArrowRight: () => step(1), ArrowUp: () => stepView(-1), ArrowDown: () => stepView(1),
    "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: fit,
  };
  const number = Number(event.key);
  if (event.shiftKey && pans[event.key]) pan(...pans[event.key]);
  else if (keys[event.key]) keys[event.key]();
  else if (number >= 1 && number <= viewNames().length) showView(viewNames()[number - 1]);
  else return;
  event.preventDefault();
}

// The anomaly map under the pointer; what the scale cuts off is only known to be beyond it.
function readCursor(event) {
  const box = stage.getBoundingClientRect(), [width, height] = natural();
  const x = Math.floor((event.clientX - box.left - view.x) / view.scale);
  const y = Math.floor((event.clientY - box.top - view.y) / view.scale);
  const level = x >= 0 && y >= 0 && x < width && y < height ? levels.get(view.card)?.[y * width + x] : undefined;
  const [low, high] = run.scales.map ?? [];
  const value = level === undefined ? "" : `${level === 255 ? "≥ " : ""}${tidy(low + level / 255 * (high - low))}`;
  byId("cursor").textContent = value && `x ${x}, y ${y}, map ${value}`;
}

function startViewer() {
  byId("cards")?.addEventListener("click", (event) => {
    const button = event.target.closest(".view");
    if (button) enlarge(button.closest(".image"), button.dataset.view);
  });
  byId("viewer-close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("close", () => {
    if (view.card.classList.contains("later")) showFew(false);
    view.card.querySelector(".view").focus();
  });
  viewer.addEventListener("keydown", viewerKey);
  byId("viewer-views").addEventListener("click", (event) => { if (event.target.dataset.view) showView(event.target.dataset.view); });
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY / 400), [event.clientX - box.left, event.clientY - box.top]);
  }, { passive: false });
  stage.addEventListener("dblclick", (event) => {
    const box = stage.getBoundingClientRect();
    if (view.scale > fitted() * 1.01) fit();
    else zoom(Math.max(1 / view.scale, 2), [event.clientX - box.left, event.clientY - box.top]);
  });
  startDragging();
  new ResizeObserver(() => { if (viewer.open) (view.zoomed ? placePlane : fit)(); }).observe(stage);
}

// One finger or the mouse pans, two fingers zoom.
function startDragging() {
  const fingers = new Map();
  const spread = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return; // A menu may swallow the end of a press with another button.
    stage.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  stage.addEventListener("pointermove", (event) => {
    readCursor(event);
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const apart = fingers.size === 2 ? spread() : null;
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (apart === null) pan(event.clientX - before[0], event.clientY - before[1]);
    else {
      const box = stage.getBoundingClientRect(), [a, b] = [...fingers.values()];
      zoom(spread() / apart, [(a[0] + b[0]) / 2 - box.left, (a[1] + b[1]) / 2 - box.top]);
    }
  });
  stage.addEventListener("lostpointercapture", (event) => fingers.delete(event.pointerId));
  stage.addEventListener("pointerleave", () => { byId("cursor").textContent = ""; });
}
