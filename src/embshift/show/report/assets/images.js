// Images behind the numbers: thumbnails of the run's kept views, with the encoder's map over them.
const items = new Map(data.shown.items.map((item) => [item.row, item]));
const opened = new Set();

function anchor(item) {
  return `image-${item.id}`;
}

function bytes(text) {
  return Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
}

// Bilinear between the centres of patches, edges repeated; then rescaled to 0 to 1.
function upsampleMap(map, width, height) {
  const [rows, columns] = map.grid;
  const steps = bytes(map.steps);
  const found = new Float64Array(width * height);
  const place = (at, size, cells) => Math.min(Math.max(((at + 0.5) * cells) / size - 0.5, 0), cells - 1);
  for (let y = 0; y < height; y += 1) {
    const v = place(y, height, rows);
    const [top, down] = [Math.floor(v), v - Math.floor(v)];
    const below = Math.min(top + 1, rows - 1);
    for (let x = 0; x < width; x += 1) {
      const u = place(x, width, columns);
      const [left, across] = [Math.floor(u), u - Math.floor(u)];
      const right = Math.min(left + 1, columns - 1);
      const upper = steps[top * columns + left] * (1 - across) + steps[top * columns + right] * across;
      const lower = steps[below * columns + left] * (1 - across) + steps[below * columns + right] * across;
      found[y * width + x] = upper * (1 - down) + lower * down;
    }
  }
  const [least, most] = found.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  return found.map((value) => (value - least) / (most - least || 1));
}

// As in the figures: the image in grey, the map's colours over the part that the encoder saw.
function overlay(canvas, image, map) {
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const [top, left, tall, wide] = map.field;
  const y0 = Math.round(top * canvas.height);
  const x0 = Math.round(left * canvas.width);
  const height = Math.min(Math.max(Math.round(tall * canvas.height), 1), canvas.height - y0);
  const width = Math.min(Math.max(Math.round(wide * canvas.width), 1), canvas.width - x0);
  const shares = upsampleMap(map, width, height);
  for (let y = 0; y < canvas.height; y += 1) {
    for (let x = 0; x < canvas.width; x += 1) {
      const at = 4 * (y * canvas.width + x);
      const grey = 0.299 * pixels.data[at] + 0.587 * pixels.data[at + 1] + 0.114 * pixels.data[at + 2];
      const inside = y >= y0 && y < y0 + height && x >= x0 && x < x0 + width;
      const share = inside ? shares[(y - y0) * width + (x - x0)] : 0;
      const colour = data.mapColours[Math.round(share * (data.mapColours.length - 1))];
      for (let part = 0; part < 3; part += 1) {
        pixels.data[at + part] = inside ? 0.4 * grey + 0.6 * colour[part] : 0.35 * grey;
      }
    }
  }
  context.putImageData(pixels, 0, 0);
}

function captioned(content, text) {
  return make("figure", {}, content, make("figcaption", { text }));
}

function nothing(text) {
  return make("div", { class: "none", text });
}

function thumbnail(source, alt, caption) {
  return captioned(source ? make("img", { src: source, alt }) : nothing("image not kept in this report"), caption);
}

function mapped(source, map, alt, caption) {
  if (!source || !map) return captioned(nothing(source ? "no map to show" : "no image for the map"), caption);
  const canvas = make("canvas", { role: "img", "aria-label": alt, width: 8, height: 8 });
  const image = new Image();
  image.addEventListener("load", () => overlay(canvas, image, map));
  image.src = source;
  return captioned(canvas, caption);
}

function viewOf(item, transform) {
  return item.views.find((view) => view.transform === transform);
}

function card(row, transform, metric) {
  const item = items.get(row);
  const [name, one] = [data.transforms[transform].name, data.metrics[metric]];
  const view = viewOf(item, transform);
  const link = make("a", { href: `#${anchor(item)}`, text: item.name, on: { click: (event) => aim(event, item) } });
  return make(
    "article",
    { class: "card", "data-row": row },
    make("h4", {}, link),
    make("p", { class: "value", text: `${one.short} ${number(item.values[transform][metric])}` }),
    make(
      "div",
      { class: "pair" },
      thumbnail(item.original, `${item.name}, original`, "original"),
      thumbnail(view && view.image, `${item.name} under ${name}`, name),
      mapped(item.original, item.map, `${data.mapName} of the original`, data.mapName),
      mapped(view && view.image, view && view.map, `${data.mapName} under ${name}`, data.mapName),
    ),
    make("p", { class: "quiet", text: otherValues(item, transform, metric) }),
  );
}

function otherValues(item, transform, metric) {
  const others = [...data.metrics.keys()].filter((other) => other !== metric);
  return others.map((other) => `${data.metrics[other].short} ${number(item.values[transform][other])}`).join(" · ");
}

function renderBehind() {
  const { transform, metric } = state.behind;
  if (!data.transforms.length || !data.metrics.length) return;
  byId("behind-transform").value = transform;
  byId("behind-metric").value = metric;
  const [name, one, cell] = [data.transforms[transform].name, data.metrics[metric], data.cells[transform][metric]];
  const ends = data.extremes[transform][metric];
  const mean = cell.mean === null ? "no defined value" : `mean ${number(cell.mean)}, ${percent(data.level)} interval ${interval(cell)}, ${cell.n.toLocaleString("en")} ${cell.n === 1 ? "image" : "images"}`;
  const draw = data.draws > 1 ? " Values are means over draws; the images show the first draw." : "";
  byId("behind-text").textContent = `${name} by ${metricTitle(one)}: ${mean}; ${direction(one)}.${draw}`;
  const group = (title, rows) => [
    make("h3", { text: title }),
    rows.length ? make("div", { class: "cards" }, ...rows.map((row) => card(row, transform, metric))) : make("p", { class: "quiet", text: "None." }),
  ];
  refill(byId("behind-cards"), [...group("Most shifted", ends.most), ...group("Least shifted", ends.least)]);
}

function showBehind(transform, metric, go) {
  state.behind = { transform, metric };
  renderBehind();
  renderTable();
  hideTip();
  if (go) {
    history.replaceState(null, "", `#shift-${transform + 1}-${metric + 1}`);
    byId("behind").focus({ preventScroll: true });
    byId("behind").scrollIntoView();
  }
}

// Goes to the cell of these images, or to the table if that row or column is hidden.
function backToTable() {
  const { transform, metric } = state.behind;
  const cell = byId("table").querySelector(`tr[data-transform="${transform}"] td[data-metric="${metric}"] button`);
  const target = cell || byId("table").parentElement;
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "center" });
}

// Escape goes one step back: from an open image to its line, from the images of a cell to the table.
function stepBack() {
  hideTip();
  const at = document.activeElement;
  const details = at && at.closest("details.image[open]");
  if (details) {
    details.open = false;
    details.querySelector("summary").focus();
  } else if (at && at.closest("#behind")) backToTable();
}

function fillBehind() {
  byId("behind-back").addEventListener("click", backToTable);
  const choices = { transform: data.transforms.map((one) => one.name), metric: data.metrics.map(metricTitle) };
  for (const [key, names] of Object.entries(choices)) {
    const select = byId(`behind-${key}`);
    for (const [index, text] of names.entries()) select.append(make("option", { value: index, text }));
    select.addEventListener("change", () => showBehind(Number(byId("behind-transform").value), Number(byId("behind-metric").value), false));
  }
}

function valuesTable(item) {
  const metrics = shownMetrics();
  const head = make("tr", {}, make("th", { scope: "col", text: "transform" }), ...metrics.map((metric) => make("th", { scope: "col", text: metricTitle(data.metrics[metric]) })));
  const rows = data.transforms.map((one, transform) =>
    make("tr", {}, make("th", { scope: "row", text: one.name }), ...metrics.map((metric) => make("td", { text: number(item.values[transform][metric]) }))));
  const table = make("table", {}, make("caption", { text: "Values of this image; – means undefined or not measured" }), make("thead", {}, head), make("tbody", {}, ...rows));
  return make("div", { class: "scroll", role: "region", "aria-label": `Values of ${item.name}`, tabindex: "0" }, table);
}

function viewFigure(item, view) {
  const name = data.transforms[view.transform].name;
  return make(
    "div",
    {},
    make("h3", {}, dot(view.transform), name),
    make("div", { class: "pair" },
      thumbnail(view.image, `${item.name} under ${name}`, "view"),
      mapped(view.image, view.map, `${data.mapName} under ${name}`, data.mapName)),
  );
}

function fillItem(item, details) {
  if (opened.has(item.row)) return;
  opened.add(item.row);
  const original = make("div", {}, make("h3", { text: "original" }),
    make("div", { class: "pair" }, thumbnail(item.original, `${item.name}, original`, "image"),
      mapped(item.original, item.map, `${data.mapName} of the original`, data.mapName)));
  details.append(
    make("p", { class: "quiet", text: `listing row ${item.row}, id ${item.id}` }),
    ...(item.serve ? [make("p", { class: "control quiet", text: "Open this image in the app, under the transform that moves it most:" }), copyable(item.serve)] : []),
    make("div", { class: "views" }, original, ...item.views.map((view) => viewFigure(item, view))),
    valuesTable(item),
  );
}

function entry(item) {
  const summary = make("summary", {}, item.original ? make("img", { src: item.original, alt: "", loading: "lazy" }) : null, make("span", { text: item.name }));
  const details = make("details", { class: "image", id: anchor(item), "data-row": item.row }, summary);
  details.addEventListener("toggle", () => details.open && fillItem(item, details));
  return details;
}

function renderImages() {
  const found = data.shown.items;
  const parts = [`${found.length.toLocaleString("en")} of ${data.images.toLocaleString("en")} images: the most and the least shifted by each transform and metric.`];
  if (data.shown.full) parts.push("Some views are left out to keep this file small.");
  if (data.shown.unreadable) parts.push(`${data.shown.unreadable} kept ${data.shown.unreadable === 1 ? "view" : "views"} could not be read.`);
  parts.push("Open an image to see its views, maps and values. Each image has its own link address.");
  byId("images-text").textContent = parts.join(" ");
  refill(byId("images-list"), found.map(entry));
}

function openItem(element) {
  element.open = true;
  fillItem(items.get(Number(element.dataset.row)), element);
  for (const other of document.querySelectorAll(".aim")) other.classList.remove("aim");
  element.classList.add("aim");
  element.querySelector("summary").focus({ preventScroll: true });
  element.scrollIntoView();
}

function aim(event, item) {
  event.preventDefault();
  history.replaceState(null, "", `#${anchor(item)}`);
  openItem(byId(anchor(item)));
}

function openAddressed() {
  let wanted = location.hash.slice(1);
  try {
    wanted = decodeURIComponent(wanted);
  } catch {
    return; // the address has an invalid escape
  }
  const cell = /^shift-(\d+)-(\d+)$/.exec(wanted);
  if (cell && data.cells[cell[1] - 1] && data.cells[cell[1] - 1][cell[2] - 1]) showBehind(cell[1] - 1, cell[2] - 1, true);
  const element = wanted.startsWith("image-") ? byId(wanted) : null;
  if (element && element.matches("details.image")) openItem(element);
}
