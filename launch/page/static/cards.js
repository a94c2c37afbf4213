// Which cards of images are shown, a few of them first, which outlines on them, and where the threshold lies on the scale of their maps.
// Uses svg.js, shownCards of viewer.js and run of threshold.js.

const chosen = { outcome: "all", kind: "" }, FIRST = 6;

// Cards beyond the first ones wait until they are asked for; the enlarged view steps through all.
function showFew(few) {
  const cards = shownCards(), rest = cards.length - FIRST;
  for (const card of document.querySelectorAll(".image")) card.classList.toggle("later", cards.indexOf(card) >= FIRST);
  byId("cards").classList.toggle("few", few);
  byId("more").hidden = !few || rest <= 0;
  byId("more").textContent = `Show ${rest} more`;
}

function filter() {
  if (!byId("outcomes")) return;
  const cards = [...document.querySelectorAll(".image")].filter((card) => !chosen.kind || card.dataset.kind === chosen.kind);
  for (const button of byId("outcomes").children) {
    const wanted = button.dataset.outcome, count = cards.filter((card) => wanted === "all" || card.dataset.outcome === wanted).length;
    button.querySelector("i").textContent = count;
    button.setAttribute("aria-pressed", String(wanted === chosen.outcome));
  }
  for (const card of document.querySelectorAll(".image"))
    card.hidden = !cards.includes(card) || (chosen.outcome !== "all" && card.dataset.outcome !== chosen.outcome);
  byId("nothing-shown").hidden = shownCards().length > 0;
  showFew(byId("cards").classList.contains("few"));
}

function startFilters() {
  if (!byId("outcomes")) return;
  const kinds = [...new Set([...document.querySelectorAll(".image")].map((card) => card.dataset.kind))].filter(Boolean).sort();
  byId("kind").append(...kinds.map((kind) => new Option(kind, kind)));
  byId("kind").addEventListener("change", (event) => { chosen.kind = event.target.value; filter(); });
  byId("outcomes").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) { chosen.outcome = button.dataset.outcome; filter(); }
  });
  byId("more").addEventListener("click", () => {
    const next = document.querySelector(".image.later:not([hidden]) .view");
    showFew(false);
    next.focus();
  });
  showFew(true);
  for (const name of ["truth", "predicted", "boxes"])
    byId(`show-${name}`)?.addEventListener("change", (event) => document.body.classList.toggle(`no-${name}`, !event.target.checked));
}

function startRamps() {
  const [low, high] = run.scales.map ?? [], tick = run.pixel_threshold;
  if (!Number.isFinite(tick)) return;
  for (const ramp of document.querySelectorAll(".ramp.map"))
    ramp.style.setProperty("--tick", `${Math.max(0, Math.min(100, (tick - low) / (high - low) * 100))}%`);
}
