// Methods, caveats and citation.
function factList(lines) {
  return make("dl", { class: "facts" }, ...lines.flatMap(([label, text]) => [make("dt", { text: label }), make("dd", { text })]));
}

function methodSection(section, at) {
  const details = make("details", { class: "methods" }, make("summary", { text: section.title }), factList(section.lines));
  details.open = at < 1;
  return details;
}

function metricLines(one) {
  const [low, high] = one.bounds.map((bound) => (bound === null ? "∞" : number(bound)));
  return [
    ["compares", one.summary],
    ["unit", one.unit || "none (pure number)"],
    ["bounds", `${one.bounds[0] === null ? "−∞" : low} to ${high}`],
    ["no shift", number(one.identity)],
    ["direction", direction(one)],
    ["blind to", one.blind],
    ["part of the overall score", one.performance ? "yes" : "no"],
    ["source", one.reference],
  ];
}

function renderMethods() {
  const again = data.commands.length
    ? [make("p", { text: "To reproduce the run and this page, execute these commands in the parent folder of the run folder:" }), make("pre", {}, make("code", { text: data.commands.join("\n") }))]
    : [make("p", { text: "The run folder holds no plan.toml, so there is no command to reproduce the run." })];
  const hint = data.hint
    ? [make("p", { text: "To see where in the network the shifts arise, execute this command there, and make this page again:" }), make("pre", {}, make("code", { text: data.hint }))]
    : [];
  refill(byId("methods-command"), [...again, ...hint]);
  const metrics = data.metrics.map((one) => ({ title: `Metric: ${one.name}`, lines: metricLines(one) }));
  refill(byId("methods-list"), [...data.methods, ...metrics].filter((section) => section.lines.length).map(methodSection));
}

function renderCaveats() {
  refill(byId("caveats-list"), data.caveats.flatMap((one) => [make("dt", { text: one.title }), make("dd", { text: one.text })]));
}

function renderCite() {
  refill(byId("cite-list"), [
    make("p", { text: "The method comes from this paper; please cite it:" }),
    make("p", { text: data.citation.words }),
    make("pre", {}, make("code", { text: data.citation.bibtex })),
    make("p", { text: `Tool: ${data.citation.tool}` }),
  ]);
}

function renderHead() {
  const images = `${data.images.toLocaleString("en")} ${data.images === 1 ? "image" : "images"}`;
  const count = (number, noun) => `${number} ${number === 1 ? noun : `${noun}s`}`;
  byId("title").textContent = data.folder;
  byId("subtitle").textContent = `encoder ${data.encoder} · ${images} · ${count(data.transforms.length, "transform")} · ${count(data.metrics.length, "metric")}`;
  document.title = `${shortened(data.folder, 60)}: embshift report`;
  byId("made").textContent = `Made by embshift ${data.version} from the run folder alone. This file is self-contained and loads nothing.`;
}
