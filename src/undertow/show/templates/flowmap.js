"use strict";
/* The flow map: rows of text, and rivers of gradient beside them. */
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const section = document.querySelector("section.flowmap");
  if (!section) return;
  const { graphs, moments } = JSON.parse(section.querySelector(".data").textContent);
  const find = (name) => section.querySelector(name);
  const place = find(".map"), details = find(".details"), select = find(".moment");
  const groups = graphs.map((graph) => Undertow.indexed(graph.tree));
  const openings = graphs.map((graph) => new Set(graph.open));
  const HOLLOW = 6;
  const IDLE = "Point at a row or a connection, or walk with the arrow keys, to read its numbers.";
  let moment = moments[0], graph = graphs[moment.graph], open = openings[moment.graph], view = null, scale = null;

  /* words */
  const minus = (text) => text.replace("-", "−");
  const signed = (x) => (typeof x !== "number" ? x ?? "" : minus((x <= -0.005 ? "" : "+") + (Math.abs(x) < 0.005 ? 0 : x).toFixed(Math.abs(x) < 9.995 ? 2 : 1)));
  const size = (x) => (x === null ? "exactly 0" : typeof x === "string" ? x : minus((10 ** x).toPrecision(3).replace(/\.?0+(e|$)/, "$1")));
  const percent = (x) => (Number.isNaN(x) ? "?" : x > 0 && x < 0.001 ? "<0.1 %" : `${(100 * x).toFixed(x < 0.0995 ? 1 : 0)} %`);
  const below = (x) => (x === null ? "nothing" : typeof x === "string" ? (x === "infinite" ? "∞" : "NaN") : typeof moment.start === "number" ? signed(x - moment.start) : "");

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
    made.append(...children.filter((child) => child !== null));
    return made;
  }
  function drawn(tag, attributes) {
    const made = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  /* rivers */
  const tone = (x) => (typeof x === "string" ? Undertow.colour("bad") : x === null || typeof moment.start !== "number" ? Undertow.colour("muted") : Undertow.strength(scale.at(x - moment.start)));
  const girth = (x) => (typeof x === "string" ? 6 : x === null || typeof moment.start !== "number" ? 1.4 : scale.width(x - moment.start));

  /* A skip is drawn hollow, as a pipe that goes round; where it is too thin for that, dashed. */
  function river(edge, x, squeeze) {
    const width = Math.max(1.4, girth(edge.size) * squeeze), d = Undertow.course(edge, view.rows, x);
    const dashes = edge.size === null ? "1 5" : typeof edge.size === "string" || (edge.skip && width < HOLLOW) ? "7 4" : "none";
    const path = drawn("path", { class: `river${edge.skip ? " skip" : ""}`, d, stroke: tone(edge.size), "stroke-width": width, "stroke-dasharray": dashes, "data-from": edge.from, "data-to": edge.to });
    path.addEventListener("pointerenter", () => tell(edgeWords(edge)));
    path.addEventListener("pointerleave", () => tell(null));
    if (!edge.skip || width < HOLLOW || typeof edge.size !== "number") return [path];
    return [path, drawn("path", { class: "bore", d, stroke: Undertow.colour("card"), "stroke-width": width - Math.max(3.6, width * 0.42) })];
  }

  function station(row, x, squeeze) {
    if (row.type === "loss") row.enters = moment.start;
    if (row.type === "input") return drawn("circle", { fill: "none", stroke: Undertow.colour("muted"), "stroke-width": 1.5, cx: x(row.lane), cy: row.y, r: 5 });
    const fill = tone(row.enters);
    const common = { fill, stroke: row.loud ? Undertow.colour("loss") : Undertow.colour("card"), "stroke-width": row.loud ? 3 : 2 };
    const [cx, cy] = [x(row.lane), row.y];
    const half = Math.max(10, (girth(row.enters) * squeeze) / 2 + 4);
    if (row.type === "loss" || row.type === "box") return drawn("rect", { ...common, x: cx - half, y: cy - 9, width: 2 * half, height: 18, rx: 6 });
    if (row.type === "leaf") return drawn("rect", { ...common, x: cx - 5, y: cy - 5, width: 10, height: 10, transform: `rotate(45 ${cx} ${cy})` });
    return drawn("rect", { ...common, x: cx - half, y: cy - 6, width: 2 * half, height: 12, rx: 6 });
  }

  /* rows */
  function rowOf(row, i, widest) {
    const made = element("div", { class: `row ${row.type}${row.fault ? " fault" : ""}${row.loud ? " loud" : ""}`, style: `height:${row.height}px;--deep:${row.depth}`, role: "none", "data-key": row.key });
    const folds = row.type === "head" || row.type === "box";
    const button = element("button", { type: "button", role: "treeitem", "aria-level": row.depth + 1, "aria-expanded": folds ? String(row.type === "head") : null, "data-row": i },
      element("span", { class: "caret", "aria-hidden": "true" }, row.type === "head" ? "▾" : row.type === "box" ? "▸" : ""),
      element("span", { class: "name" }, row.name), row.kind ? element("span", { class: "kind" }, row.kind) : null);
    made.append(element("div", { class: "what" }, button, ...badges(row), element("span", { class: "paths" }, pathWords(row))), ...accounts(row, widest));
    if (folds) button.addEventListener("click", () => toggle(row));
    made.addEventListener("pointerenter", () => attend(row, i));
    made.addEventListener("pointerleave", () => attend(null));
    button.addEventListener("focus", () => attend(row, i));
    button.addEventListener("blur", () => attend(null));
    return made;
  }

  const badges = (row) => [
    row.fault ? element("span", { class: "badge" }, "cause") : null,
    row.isTarget && row.type !== "head" ? element("span", { class: "badge target", title: `The account is of the gradient of ${moment.target}` }, "account ends here") : null,
  ].filter(Boolean);

  function accounts(row, widest) {
    if (row.type === "loss") return [element("span", { class: "over" }, moment.loss ? `loss ${moment.loss}` : ""), element("span", { class: "below" }, "0")];
    if (row.type === "input") return [];
    if (row.type === "head") return row.counted ? [element("span", { class: "here" }, signed(row.decades))] : [];
    const part = Math.min(Math.abs(row.decades) / widest, 1) * 50;
    const bar = element("span", { class: "track", "aria-hidden": "true" }, element("i", { class: row.decades < 0 ? "less" : "more", style: `width:${row.counted && part > 0.3 ? part : 0}%;min-width:0` }));
    return [bar, element("span", { class: "here" }, row.counted ? signed(row.decades) : ""), element("span", { class: "below" }, below(row.enters))];
  }

  /* Where paths meet, which of them brought how much. */
  function pathWords(row) {
    if (row.type === "input" || !row.arriving || row.arriving.length < 2) return "";
    const ranked = [...row.arriving].sort((a, b) => b.share - a.share).slice(0, 3);
    return ranked.map((edge) => `${percent(edge.share)} ${edge.skip ? "by the skip" : `by ${view.rows[edge.from].name}`}`).join(", ");
  }

  /* words on one thing, in the strip below the map */
  function rowWords(row) {
    if (row.type === "loss") return [["b", "Loss"], ` The gradient starts here with norm ${size(moment.start)}.`];
    if (row.type === "input") return [["b", "Input"], " The data. It needs no gradient, so none is computed for it."];
    const words = [["b", (row.group && row.type !== "op" && row.type !== "leaf" && row.group.path) || row.name]];
    if (row.kind) words.push(` ${row.kind}`);
    if (row.type === "op" && graph.modules[row.operations[0]]) words.push(` in ${graph.modules[row.operations[0]]}`);
    if (row.operations.length === 1) words.push(` ${graph.shapes[row.operations[0]]}`);
    if (row.sources && row.sources.length) words.push(` · ${row.sources.slice(0, 2).join(", ")}${row.sources.length > 2 ? ", …" : ""}`);
    if (row.type === "head") words.push(` · unfolded, ${row.operations.length} operations`);
    if (row.counted) words.push(" · brought ", ["i", `${signed(row.decades)} decades`], ` to ${moment.target}`);
    if (row.type === "head") return words;
    words.push(" · gradient in ", ["i", size(row.enters)], row.type === "leaf" ? "" : ", out ", ["i", row.type === "leaf" ? "" : size(row.leaves)]);
    if (typeof row.enters === "number" && typeof row.leaves === "number") words.push(", gain ", ["i", size(row.leaves - row.enters)]);
    if (row.arriving.length > 1) words.push(` · ${pathWords(row)}`);
    return words;
  }

  const edgeWords = (edge) => [["b", `${view.rows[edge.from].name} → ${view.rows[edge.to].name}`], edge.skip ? " skip, goes round what lies between" : "", " · norm ", ["i", size(edge.size)],
    edge.size === null ? "" : ` · ${below(edge.size)} decades from the loss`, edge.share === undefined ? "" : ` · ${percent(edge.share)} of what ${view.rows[edge.to].name} receives`,
    edge.up ? " · runs back up: the module is used more than once" : ""];

  function tell(words) {
    details.replaceChildren(...(words || [IDLE]).map((word) => (Array.isArray(word) ? element(word[0], {}, word[1]) : word)));
  }

  function attend(row, i) {
    place.querySelectorAll(".river.near").forEach((path) => path.classList.remove("near"));
    find(".rows").classList.toggle("dimmed", Boolean(row) && row.type !== "head");
    if (!row) { tell(null); return; }
    place.querySelectorAll(`.river[data-from="${i}"], .river[data-to="${i}"]`).forEach((path) => path.classList.add("near"));
    tell(rowWords(row));
  }

  /* drawing */
  function draw() {
    view = Undertow.folded(graph, moment, open);
    const { rows, edges } = view;
    const height = Undertow.heights(rows);
    const count = Undertow.assignLanes(rows, edges);
    const last = rows[rows.length - 1];
    last.lane = 0;
    const room = Math.max(70, Math.min(place.clientWidth * 0.3, 330)), pitch = Math.min(50, room / (count + 0.3)), squeeze = Math.min(1, pitch / 34);
    const x = (lane) => 26 + pitch * lane;
    const widest = Math.max(0.5, ...rows.filter((r) => r.type !== "head").map((r) => Math.abs(r.decades || 0)));
    place.style.setProperty("--lanes", `${Math.round(x(count - 1) + 34)}px`);
    const captions = element("div", { class: "row captions", "aria-hidden": "true" }, element("span", { class: "what" }, ""),
      element("span", { class: "over" }, "decades here"), element("span", { class: "below" }, "from loss"));
    const list = element("div", { class: "rows", role: "none" }, ...rows.map((row, i) => rowOf(row, i, widest)));
    const svg = drawn("svg", { width: x(count), height, "aria-hidden": "true" });
    [...edges].sort((a, b) => b.skip - a.skip || girth(b.size) - girth(a.size)).forEach((edge) => svg.append(...river(edge, x, squeeze)));
    rows.forEach((row) => { if (row.lane !== undefined) svg.append(station(row, x, squeeze)); });
    place.replaceChildren(captions, list, svg);
    svg.style.top = `${list.offsetTop}px`;
    legend();
    find(".to-cause").hidden = !graph.cause.module;
    attend(null);
  }

  function legend() {
    const width = 190, marks = [];
    const step = Math.max(1, Math.ceil((scale.high - scale.low) / 4));
    const svg = drawn("svg", { width, height: 50, viewBox: `0 0 ${width} 50`, role: "img", "aria-label": `Scale from ${scale.high} to ${scale.low} decades` });
    for (let i = 0; i < 60; i += 1) {
      const decades = scale.high + (scale.low - scale.high) * (i / 59), w = scale.width(decades);
      svg.append(drawn("rect", { x: (i / 60) * width, y: 15 - w / 2, width: width / 60 + 0.6, height: w, fill: Undertow.strength(scale.at(decades)) }));
    }
    for (let d = scale.high; d >= scale.low; d -= step) marks.push(d);
    marks.forEach((d, i) => {
      const text = drawn("text", { x: ((scale.high - d) / (scale.high - scale.low)) * width, y: 45, "font-size": 12, fill: "currentColor", "text-anchor": i === 0 ? "start" : d - step < scale.low ? "end" : "middle" });
      text.textContent = minus(String(d));
      svg.append(text);
    });
    const pipe = drawn("svg", { width: 34, height: 12 });
    pipe.append(drawn("path", { d: "M0 2H34M0 10H34", stroke: "currentColor", "stroke-width": 2.4 }));
    const dots = drawn("svg", { width: 34, height: 10 });
    dots.append(drawn("line", { x1: 0, x2: 34, y1: 5, y2: 5, stroke: "currentColor", "stroke-width": 1.6, "stroke-dasharray": "1 5" }));
    const parts = [element("span", {}, svg, "decades from the loss"), element("span", {}, pipe, "a skip: it goes round what lies between")];
    if (view.edges.some((edge) => edge.size === null)) parts.push(element("span", {}, dots, "exactly nothing came"));
    if (moment.target) parts.push(element("span", {}, `The bars account for the gradient of ${moment.target}.`));
    find(".legend").replaceChildren(...parts);
  }

  /* folding */
  function focus(key) {
    const row = place.querySelector(`[data-key="${key}"] button`);
    if (row) row.focus({ preventScroll: false });
  }
  function toggle(row) {
    if (open.has(row.group.id)) open.delete(row.group.id); else open.add(row.group.id);
    draw();
    focus(row.key);
  }
  function toCause() {
    const module = graph.cause.module;
    for (const group of groups[moment.graph].values()) {
      const inside = group.operations.some((op) => graph.modules[op] === module || graph.modules[op].startsWith(`${module}.`));
      const outer = group.items.some((item) => typeof item !== "number") && group.path !== module;
      if (inside && outer) open.add(group.id);
    }
    draw();
    const fault = view.rows.find((row) => row.fault);
    if (fault) { focus(fault.key); place.querySelector(`[data-key="${fault.key}"]`).scrollIntoView({ block: "center" }); }
  }

  place.addEventListener("keydown", (event) => {
    const button = event.target.closest("button[data-row]");
    if (!button) return;
    const i = Number(button.dataset.row), row = view.rows[i];
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps) {
      const next = view.rows[i + steps[event.key]];
      if (next) focus(next.key);
    } else if (event.key === "ArrowRight" && row.type === "box") toggle(row);
    else if (event.key === "ArrowLeft" && row.type === "head") toggle(row);
    else if (event.key === "ArrowLeft" && row.group && row.group.parent) focus(`g${(row.type === "box" ? row.group.parent : row.group).id}`);
    else return;
    event.preventDefault();
  });
  select.addEventListener("change", () => { moment = moments[Number(select.value)]; begin(); });
  find(".first").addEventListener("click", () => { openings[moment.graph] = new Set(graph.open); begin(); });
  find(".fold").addEventListener("click", () => { openings[moment.graph] = new Set([0]); begin(); });
  find(".to-cause").addEventListener("click", toCause);

  function begin() {
    graph = graphs[moment.graph];
    open = openings[moment.graph];
    scale = Undertow.scaleOf(graph, moments.filter((other) => other.graph === moment.graph));
    draw();
  }
  Undertow.onTheme(draw);
  let width = 0;
  new ResizeObserver(() => { if (place.clientWidth !== width) { width = place.clientWidth; draw(); } }).observe(place);
  begin();
})();
