// The table of transforms by metrics, and the controls that filter it and the charts.
function check(group, index, label, mark) {
  const box = make("input", { type: "checkbox", value: index });
  box.checked = true;
  box.addEventListener("change", () => {
    if (box.checked) group.add(index);
    else group.delete(index);
    changed();
  });
  return make("label", { title: label }, box, mark, make("span", { class: "name", text: label }));
}

function checkAll(fieldset, group, indices) {
  const set = (on) => () => {
    group.clear();
    if (on) for (const index of indices) group.add(index);
    for (const box of fieldset.querySelectorAll("input")) box.checked = on;
    changed();
  };
  fieldset.append(
    make("button", { type: "button", text: "all", on: { click: set(true) } }),
    make("button", { type: "button", text: "none", on: { click: set(false) } }),
  );
}

function fillControls() {
  const transforms = byId("choose-transforms");
  for (const [index, one] of data.transforms.entries()) {
    transforms.append(check(state.transforms, index, one.name, dot(index)));
  }
  checkAll(transforms, state.transforms, [...data.transforms.keys()]);
  const metrics = byId("choose-metrics");
  for (const [index, one] of data.metrics.entries()) metrics.append(check(state.metrics, index, metricTitle(one), null));
  checkAll(metrics, state.metrics, [...data.metrics.keys()]);
  byId("filter").addEventListener("input", (event) => {
    state.filter = event.target.value;
    changed();
  });
}

function header(key, text, title, unit) {
  const active = state.sort.key === key;
  const order = active ? (state.sort.descending ? "descending" : "ascending") : "none";
  const sort = () => {
    state.sort = { key, descending: active ? !state.sort.descending : false };
    changed();
    const again = [...byId("table").querySelectorAll("thead button")].find((one) => one.dataset.key === String(key));
    if (again) again.focus();
  };
  const button = make("button", { type: "button", title, "data-key": key, on: { click: sort } }, text,
    unit ? make("small", { text: ` (${unit})` }) : null);
  return make("th", { scope: "col", "aria-sort": order }, button);
}

function tableHead() {
  return make(
    "tr",
    {},
    header("name", "transform", "Sort by name"),
    ...shownMetrics().map((metric) => {
      const one = data.metrics[metric];
      const further = `${one.higher ? "lower" : "higher"} is further`;
      return header(metric, one.short, `Sort by ${one.short}: ${one.summary}; ${direction(one)}`, one.unit ? `${one.unit}; ${further}` : further);
    }),
    header("overall", "overall", "Sort by overall score: mean of the performance metrics' means"),
    header("rank", "rank", "Sort by rank of the overall score; 1 is closest to the original", "1 closest"),
  );
}

function cellText(row, metric) {
  const [cell, one] = [data.cells[row][metric], data.metrics[metric]];
  const lines = [
    `${data.transforms[row].name}, ${metricTitle(one)}`,
    `mean ${number(cell.mean, 4)}`,
    `${percent(data.level)} interval ${interval(cell)}`,
    `standard deviation over images ${number(cell.deviation)}`,
    `${cell.n.toLocaleString("en")} ${cell.n === 1 ? "image" : "images"}`,
  ];
  if (cell.undefined) lines.push(`${cell.undefined.toLocaleString("en")} undefined, left out`);
  return lines.join("\n");
}

function tableCell(row, metric) {
  const cell = data.cells[row][metric];
  const chosen = state.behind.transform === row && state.behind.metric === metric;
  const button = make(
    "button",
    {
      type: "button",
      on: {
        click: () => showBehind(row, metric, true),
        mousemove: (event) => showTip(cellText(row, metric), event.clientX, event.clientY),
        mouseleave: hideTip,
        focus: (event) => event.target.matches(":focus-visible") && tipBelow(event.target, cellText(row, metric)),
        blur: hideTip,
      },
    },
    make("span", { class: "unseen", text: `${data.transforms[row].name}, ${metricTitle(data.metrics[metric])}: mean ` }),
    make("span", { class: "value", text: number(cell.mean) }),
    make("small", { text: cell.low === null ? "no interval" : `[${number(cell.low)}, ${number(cell.high)}]` }),
    make("small", { text: `± ${number(cell.deviation)}` }),
    cell.n === data.images ? null : make("small", { text: `n ${cell.n.toLocaleString("en")}` }),
  );
  return make("td", { class: chosen ? "chosen" : null, "data-metric": metric }, button);
}

function tableRow(row) {
  const total = data.overall[row];
  const open = total.rank !== null && total.best !== total.worst ? `${total.best} to ${total.worst}` : "certain";
  const between = total.low === null ? "no interval" : `[${number(total.low)}, ${number(total.high)}]`;
  return make(
    "tr",
    { "data-transform": row },
    make("th", { scope: "row" }, make("span", { class: "named" }, dot(row), make("span", { class: "name", title: data.transforms[row].name }, ...breakable(data.transforms[row].name)))),
    ...shownMetrics().map((metric) => tableCell(row, metric)),
    make("td", {}, make("span", { class: "value", text: number(total.mean) }), make("small", { text: total.mean === null ? "" : between })),
    make("td", {}, make("span", { class: "value", text: total.rank ?? "–" }), make("small", { text: total.rank === null ? "" : open })),
  );
}

function renderTable() {
  const rows = shownTransforms();
  dots.splice(0, dots.length, ...dots.filter(([element]) => element.isConnected));
  byId("table-note").textContent =
    `Mean of each metric over images. Below each mean: its ${percent(data.level)} interval [low, high], the standard` +
    ` deviation over images (±), and the number of images (n) if it is not all ${data.images.toLocaleString("en")}.` +
    ` Below each rank: the plausible ranks (joint ${percent(data.level)}).` +
    " Click a heading to sort, or a cell to see its images.";
  refill(byId("table").tHead, [tableHead()]);
  refill(byId("table").tBodies[0], rows.map(tableRow));
  const all = data.transforms.length;
  byId("shown").textContent = `${rows.length} of ${all} ${all === 1 ? "transform" : "transforms"} and ` +
    `${shownMetrics().length} of ${data.metrics.length} metrics shown`;
}
