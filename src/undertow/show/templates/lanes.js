"use strict";
/* Every row has a station on a lane, and every connection that passes rows by has a lane to itself there. */
(() => {
  const ROW = 36, HEAD = 30, WIDEST = 28, THINNEST = 2;

  Undertow.heights = (rows) => {
    let y = 0;
    rows.forEach((row) => { row.height = row.type === "head" ? HEAD : ROW; row.y = y + row.height / 2; y += row.height; });
    return y;
  };

  const free = (lanes) => { const at = lanes.indexOf(null); return at < 0 ? lanes.length : at; };

  /* For each row, whether all that goes on from it ends in parameters: a side track, not the way on. */
  function toParameters(rows, leaving) {
    const ends = rows.map(() => false);
    for (let i = rows.length - 1; i >= 0; i -= 1) {
      ends[i] = rows[i].type === "leaf" || (rows[i].type === "op" && leaving[i].length > 0 && leaving[i].every((e) => ends[e.to]));
    }
    return ends;
  }

  /* As a railway is drawn: the way on stays in its lane, what goes round takes the next free one. */
  Undertow.assignLanes = (rows, edges) => {
    const lanes = [];
    const arriving = rows.map(() => []), leaving = rows.map(() => []);
    edges.forEach((e) => { if (!e.up) { arriving[e.to].push(e); leaving[e.from].push(e); } });
    const ends = toParameters(rows, leaving);
    const aside = (edge) => edge.skip || ends[edge.to];
    rows.forEach((row, i) => {
      if (row.type === "head" || row.type === "input") return;
      const ways = arriving[i].filter((e) => !e.skip);
      const came = (ways.length ? ways : arriving[i]).map((e) => e.lane);
      row.lane = came.length ? Math.min(...came) : free(lanes);
      arriving[i].forEach((e) => { lanes[e.lane] = null; });
      const onward = leaving[i].sort((a, b) => aside(a) - aside(b) || a.to - b.to);
      onward.forEach((edge, place) => {
        edge.lane = place === 0 && !lanes[row.lane] ? row.lane : free(lanes);
        lanes[edge.lane] = edge;
      });
    });
    let count = Math.max(1, lanes.length);
    edges.filter((e) => e.up).forEach((e) => { e.lane = count; });
    if (edges.some((e) => e.up)) count += 1;
    return count;
  };

  /* From the loss's own size down to the smallest in view; at least four decades, so that a healthy net looks healthy. */
  Undertow.scaleOf = (graph, moments) => {
    const sizes = moments.flatMap((m) => (typeof m.start === "number" ? m.flows.filter((x) => typeof x === "number").map((x) => x - m.start) : []));
    const high = Math.max(0, ...[sizes.reduce((a, b) => Math.max(a, b), 0)].map(Math.ceil));
    const low = Math.max(Math.min(Math.floor(sizes.reduce((a, b) => Math.min(a, b), 0)), high - 4), high - 20);
    const at = (decades) => Math.min(Math.max((decades - low) / (high - low), 0), 1);
    return { high, low, at, width: (decades) => THINNEST + (WIDEST - THINNEST) * at(decades) };
  };

  /* A connection: out of its row, along its lane, into its row. */
  Undertow.course = (edge, rows, x) => {
    const from = rows[edge.from], to = rows[edge.to];
    const [x1, y1, x2, y2, lane] = [x(from.lane), from.y, x(to.lane), to.y, x(edge.lane)];
    if (edge.up) return `M${x1} ${y1}C${lane + 14} ${y1} ${lane} ${y1} ${lane} ${(y1 + y2) / 2}S${lane + 14} ${y2} ${x2} ${y2}`;
    if (lane === x1 && lane === x2) return `M${x1} ${y1}V${y2}`;
    const bend = Math.min(44, (y2 - y1) / 2);
    const into = (xa, ya, xb, yb) => (xa === xb ? `V${yb}` : `C${xa} ${(ya + yb) / 2} ${xb} ${(ya + yb) / 2} ${xb} ${yb}`);
    return `M${x1} ${y1}${into(x1, y1, lane, y1 + bend)}V${y2 - bend}${into(lane, y2 - bend, x2, y2)}`;
  };
})();
