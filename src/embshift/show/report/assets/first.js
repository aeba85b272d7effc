// The first screen: headline, caveats, one chart of all transforms, cards. Shapes are SVG in shares of the width, so that
// nothing is drawn anew when the window or the paper changes.
const SVG = "http://www.w3.org/2000/svg";
const MANY = 12; // rows from which on the chart has two columns

function shape(tag, options, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(options)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const across = (part) => `${(100 * part).toFixed(3)}%`;

// A number and its sign stay on one line.
const unbroken = (text) => text.replace(/(\d) %/g, "$1\u00a0%");

// Both colours of a transform, of which the style takes that of the page.
function coloured(element, colour) {
  element.style.setProperty("--light", colour.light);
  element.style.setProperty("--dark", colour.dark);
  return element;
}

function shiftBar(row, chart) {
  const at = (value) => across(Math.min(Math.max(value / chart.top, 0), 1));
  const { value, low, high } = row.shift;
  const bar = coloured(shape("svg", { class: "shift-bar", "aria-hidden": "true" }), row.colour);
  for (const tick of chart.ticks) bar.append(shape("line", { class: "grid", x1: across(tick.at), x2: across(tick.at), y1: "0", y2: "100%" }));
  if (chart.reference !== null) bar.append(shape("line", { class: "reference", x1: at(chart.reference), x2: at(chart.reference), y1: "0", y2: "100%" }));
  const track = make("span", { class: "track" }, bar);
  if (value === null) return track;
  bar.append(shape("rect", { class: "mark", x: "0", y: "24%", width: at(value), height: "52%", rx: "2" }));
  if (low !== null) {
    bar.append(shape("line", { class: "whisker", x1: at(low), x2: at(high), y1: "50%", y2: "50%" }));
    for (const end of [low, high]) bar.append(shape("line", { class: "whisker", x1: at(end), x2: at(end), y1: "36%", y2: "64%" }));
  }
  return track;
}

function foundGauge(found) {
  if (!found) return make("span", { class: "found" });
  const gauge = shape("svg", { class: "gauge", "aria-hidden": "true" }, shape("rect", { class: "whole", x: "0", y: "0", width: "100%", height: "100%", rx: "3" }),
    shape("rect", { class: "part", x: "0", y: "0", width: across(found.value), height: "100%", rx: "3" }));
  return make("span", { class: found.value < 0.5 ? "found lost" : "found" }, gauge, make("strong", { text: found.text }),
    found.value < 1 && found.ends ? make("small", { text: found.ends }) : null);
}

function pairOf(view) {
  if (!view) return make("span", { class: "before-after" });
  return make("span", { class: "before-after" }, make("img", { src: view.original, alt: "", title: `${view.name}, original` }), make("img", { src: view.view, alt: "", title: `${view.name}, view` }));
}

function rowName(row) {
  return coloured(make("span", { class: "row-name", title: row.name }, make("span", { class: "dot own", "aria-hidden": "true" }), make("span", { class: "name" }, ...breakable(row.name))), row.colour);
}

// A row leads to the images behind its number, where the run has them.
function rowOf(row, words, parts, target) {
  const inside = [make("span", { class: "unseen", text: words }), ...parts];
  return make("li", {}, target ? make("a", { class: "row", href: target }, ...inside) : make("span", { class: "row" }, ...inside));
}

function shiftRow(row, chart) {
  const found = row.found ? `; original found for ${row.found.text} of the views` : "";
  const ends = row.shift.ends ? `, interval ${row.shift.ends}` : "";
  const words = `${row.name}: shift ${row.shift.text}${ends}${found}.`;
  const value = make("span", { class: "amount", "aria-hidden": "true" }, make("strong", { text: row.shift.text }), row.shift.ends ? make("small", { text: row.shift.ends }) : null);
  const parts = [pairOf(row.view), rowName(row), shiftBar(row, chart), value, row.found ? foundGauge(row.found) : null];
  for (const part of parts.slice(1)) if (part) part.setAttribute("aria-hidden", "true");
  return rowOf(row, words, parts, row.transform === null ? "#context" : `#shift-${row.transform + 1}-1`);
}

function shiftAxis(chart, hasFound) {
  const ticks = make("span", { class: "ticks" }, ...chart.ticks.map((tick) => {
    const label = make("span", { text: tick.text });
    label.style.left = across(tick.at);
    return label;
  }));
  return make("li", { class: "axis", "aria-hidden": "true" }, make("span", { class: "row" }, make("span", { class: "before-after" }), make("span", { class: "row-name" }), ticks,
    make("span", { class: "amount" }), hasFound ? make("span", { class: "found" }, make("small", { text: chart.found })) : null));
}

function sweepRow(row) {
  const cells = row.cells.map((cell) => {
    const level = make("a", { class: cell.broken ? "cell broken" : "cell", href: `#shift-${cell.transform + 1}-1`, title: `${cell.level}: ${cell.found.text}${cell.found.ends ? `, interval ${cell.found.ends}` : ""}` },
      make("span", { class: "unseen", text: `${row.name}, ${cell.level}: original found for ` }), make("strong", { text: cell.found.text }));
    level.style.setProperty("--share", cell.found.value ?? 0);
    return level;
  });
  return make("li", {}, make("span", { class: "row" }, pairOf(row.view), rowName(row), make("span", { class: "cells" }, ...cells)));
}

function sweepAxis(rows) {
  const longest = rows.reduce((most, row) => (row.cells.length > most.length ? row.cells : most), []);
  const same = rows.every((row) => row.cells.every((cell, at) => cell.head === longest[at].head));
  if (!same) return null;
  return make("li", { class: "axis", "aria-hidden": "true" }, make("span", { class: "row" }, make("span", { class: "before-after" }), make("span", { class: "row-name" }, make("small", { text: longest[0] ? longest[0].level.split(" ")[0] : "" })),
    make("span", { class: "cells" }, ...longest.map((cell) => make("span", { class: "cell head" }, make("small", { text: cell.head }))))));
}

function rowList(rows, chart) {
  const hasFound = chart.kind === "shifts" && rows.some((row) => row.found);
  const names = ["rows", chart.kind];
  if (hasFound) names.push("with-found");
  if (!rows.some((row) => row.view)) names.push("without-views");
  const axis = chart.kind === "sweep" ? sweepAxis(rows) : shiftAxis(chart, hasFound);
  return make("ol", { class: names.join(" ") }, axis, ...rows.map((row) => (chart.kind === "sweep" ? sweepRow(row) : shiftRow(row, chart))));
}

function groupOf(group, chart) {
  const head = group.title ? [make("h3", { text: group.title })] : [];
  if (group.rows.length <= MANY) return [...head, rowList(group.rows, chart)];
  const half = Math.ceil(group.rows.length / 2);
  return [...head, make("div", { class: "halves" }, rowList(group.rows.slice(0, half), chart), rowList(group.rows.slice(half), chart))];
}

function cardOf(one) {
  return make("li", { class: "figure-card", "data-about": one.about }, make("a", { href: `#${one.section}` },
    make("strong", { class: "number", text: unbroken(one.number) }), one.ends ? make("small", { text: unbroken(one.ends) }) : null, make("span", { text: unbroken(one.text) })));
}

function renderFirst() {
  const { headline, caveats, chart, cards } = data.first;
  byId("headline").textContent = unbroken(headline);
  refill(byId("first-caveats"), caveats.map((one) => make("li", { text: one.text, "data-about": one.about })));
  byId("first-title").textContent = chart.title;
  byId("first-note").textContent = chart.note;
  const count = chart.groups.reduce((sum, group) => sum + group.rows.length, 0);
  byId("first").classList.toggle("many", count > MANY);
  byId("first-chart").hidden = !count;
  refill(byId("first-rows"), chart.groups.flatMap((group) => groupOf(group, chart)));
  refill(byId("first-cards"), cards.map(cardOf));
  const more = data.findings.length;
  byId("more").querySelector("summary").textContent = `All findings in ${more} ${more === 1 ? "sentence" : "sentences"}`;
  refill(byId("findings-list"), data.findings.map((one) => make("li", { text: one.text, "data-about": one.about })));
}
