"use strict";
/* The tree of modules, folded to rows, and what is known of each row and of each connection between two rows. */
(() => {
  const finite = (x) => typeof x === "number";

  /* The logarithm of the norm of several gradients taken together; null for nothing, a word for what is not finite. */
  function together(sizes) {
    const odd = sizes.find((x) => typeof x === "string");
    if (odd) return odd;
    const some = sizes.filter(finite);
    if (!some.length) return null;
    const top = Math.max(...some);
    return top + 0.5 * Math.log10(some.reduce((sum, x) => sum + 10 ** (2 * (x - top)), 0));
  }

  /* Every group knows its operations, its parent and its depth. */
  function indexed(tree) {
    const groups = new Map();
    const walk = (group, parent, depth) => {
      Object.assign(group, { parent, depth, operations: [] });
      groups.set(group.id, group);
      for (const item of group.items) {
        if (typeof item === "number") group.operations.push(item);
        else { walk(item, group, depth + 1); group.operations = group.operations.concat(item.operations); }
      }
    };
    walk(tree, null, 0);
    return groups;
  }

  /* The rows in view, from the loss down: heads of unfolded groups, folded groups, single operations. */
  function rowsOf(graph, open) {
    const rows = [];
    const walk = (group, depth) => {
      for (const item of group.items) {
        if (typeof item === "number") {
          rows.push({ key: `o${item}`, type: graph.leaves[item] ? "leaf" : "op", depth, operations: [item], group, name: graph.leaves[item] || graph.operations[item] });
        } else if (open.has(item.id)) {
          rows.push({ key: `g${item.id}`, type: "head", depth, operations: item.operations, group: item, name: item.name, kind: item.kind });
          walk(item, depth + 1);
        } else {
          rows.push({ key: `g${item.id}`, type: "box", depth, operations: item.operations, group: item, name: item.name, kind: item.kind });
        }
      }
    };
    walk(graph.tree, 0);
    return rows;
  }

  /* Connections between rows: those of the graph, taken together where they join the same two rows. */
  function connections(graph, moment, rows) {
    const holder = new Map();
    rows.forEach((row, i) => { if (row.type !== "head") row.operations.forEach((op) => holder.set(op, i)); });
    const joined = new Map();
    const add = (from, to, size) => {
      const key = `${from}>${to}`;
      if (!joined.has(key)) joined.set(key, { from, to, sizes: [] });
      joined.get(key).sizes.push(size);
    };
    graph.edges.forEach(([sender, receiver], i) => {
      const from = holder.get(sender), to = holder.get(receiver);
      if (from !== to) add(from, to, moment.flows[i]);
    });
    graph.roots.forEach((op, i) => add(0, holder.get(op), moment.seeds[i]));
    return [...joined.values()].map((edge) => ({ ...edge, size: together(edge.sizes), up: edge.to < edge.from }));
  }

  /* A skip goes round other rows: its end can also be reached by way of them. */
  function markSkips(graph, rows, edges) {
    edges.forEach((edge) => { edge.toLeaf = rows[edge.to].operations.length > 0 && rows[edge.to].operations.every((op) => graph.leaves[op]); });
    const onward = new Map();
    edges.filter((e) => !e.up).forEach((e) => onward.set(e.from, [...(onward.get(e.from) || []), e.to]));
    for (const edge of edges) {
      edge.skip = false;
      if (edge.up || edge.toLeaf || edge.to - edge.from < 2 || (onward.get(edge.from) || []).length < 2) continue;
      const seen = new Set(), stack = onward.get(edge.from).filter((to) => to !== edge.to);
      while (stack.length && !edge.skip) {
        const at = stack.pop();
        if (at === edge.to) edge.skip = true;
        else if (at < edge.to && !seen.has(at)) { seen.add(at); stack.push(...(onward.get(at) || [])); }
      }
    }
  }

  function measure(graph, moment, rows, edges) {
    const brought = new Map(moment.decades);
    const arriving = rows.map(() => []), leaving = rows.map(() => []);
    edges.forEach((edge) => { arriving[edge.to].push(edge); leaving[edge.from].push(edge); });
    rows.forEach((row, i) => {
      if (row.type === "loss" || row.type === "input") return;
      row.decades = row.operations.reduce((sum, op) => sum + (brought.get(op) || 0), 0);
      row.counted = row.operations.some((op) => brought.has(op));
      row.isTarget = row.operations.some((op) => graph.leaves[op] && graph.leaves[op] === moment.target);
      if (row.type === "head") return;
      row.arriving = arriving[i];
      row.leaving = leaving[i];
      row.enters = together(arriving[i].map((e) => e.size));
      row.leaves = together(leaving[i].map((e) => e.size));
      const total = together(arriving[i].map((e) => e.size));
      arriving[i].forEach((e) => { e.share = finite(e.size) && finite(total) ? 10 ** (2 * (e.size - total)) : e.size === null ? 0 : NaN; });
      row.sources = [...new Set(row.operations.map((op) => graph.sources[op]).filter(Boolean))];
    });
  }

  /* Where the decades are lost: the rows of the network, not of its loss, that took the most of three decades and more. */
  function markLoud(rows, moment) {
    const head = new Set(moment.head);
    const ofNetwork = (row) => row.operations.some((op) => !head.has(op));
    const losing = rows.filter((r) => r.type !== "head" && r.decades < -0.05 && ofNetwork(r)).sort((a, b) => a.decades - b.decades);
    const all = losing.reduce((sum, r) => sum + r.decades, 0);
    rows.forEach((row) => { row.loud = false; });
    if (all > -3) return;
    const fair = all / losing.length;
    losing.forEach((row, place) => { row.loud = place < 12 && row.decades < -0.3 && row.decades <= 0.8 * fair; });
  }

  /* The innermost row in view that holds the module (and, where it is shown, the operation) at fault. */
  function markFault(graph, rows) {
    const { module, operation, source } = graph.cause;
    rows.forEach((row) => { row.fault = false; });
    if (!module && !source) return;
    const guilty = (op) => (module ? graph.modules[op] === module || graph.modules[op].startsWith(`${module}.`) : graph.sources[op] === source);
    const holds = rows.filter((row) => row.type !== "loss" && row.type !== "input" && row.operations.some(guilty));
    const exact = holds.filter((row) => row.type === "op" && row.name === operation);
    const whole = holds.filter((row) => row.group && row.group.path === module && row.type !== "op" && row.type !== "leaf");
    const chosen = exact.length ? exact : whole.length ? whole : holds.filter((row) => row.type === "box");
    chosen.slice(0, 1).forEach((row) => { row.fault = true; });
  }

  Undertow.together = together;
  Undertow.indexed = indexed;
  Undertow.folded = (graph, moment, open) => {
    const rows = [{ key: "loss", type: "loss", depth: 0, operations: [], name: "Loss" }, ...rowsOf(graph, open),
      { key: "input", type: "input", depth: 0, operations: [], name: "Input" }];
    const edges = connections(graph, moment, rows);
    markSkips(graph, rows, edges);
    measure(graph, moment, rows, edges);
    markLoud(rows, moment);
    markFault(graph, rows);
    return { rows, edges };
  };
})();
