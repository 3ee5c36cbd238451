"use strict";
/* Light and dark, the scale of colours, and Plotly's figures in the page's own colours. */
const Undertow = {};

(() => {
  const root = document.documentElement;
  const listeners = [], known = {};

  const remembered = () => { try { return localStorage.getItem("undertow-theme"); } catch { return null; } };
  const remember = (theme) => { try { localStorage.setItem("undertow-theme", theme); } catch { /* a page on disk may keep nothing */ } };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => root.dataset.theme === "dark";

  /* Strong (1) stands out from the page, weak (0) sinks into it, in light and in dark: between the page's ten tones. */
  function tones() {
    const theme = root.dataset.theme;
    if (known.theme !== theme) {
      known.theme = theme;
      known.tones = Array.from({ length: 10 }, (_, i) => { const hex = Undertow.colour(`s${i}`); return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)); });
    }
    return known.tones;
  }
  Undertow.strength = (at) => {
    const scale = tones(), place = Math.min(Math.max(at, 0), 1) * (scale.length - 1);
    const low = Math.min(Math.floor(place), scale.length - 2);
    const mixed = scale[low].map((from, i) => Math.round(from + (scale[low + 1][i] - from) * (place - low)));
    return `rgb(${mixed.join(",")})`;
  };
  Undertow.colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  Undertow.onTheme = (listener) => listeners.push(listener);

  function wear(theme) {
    root.dataset.theme = theme;
    const button = document.getElementById("theme");
    button.textContent = theme === "dark" ? "Light" : "Dark";
    listeners.forEach((listener) => listener());
  }
  Undertow.wear = wear;

  /* "@loss" is the page's colour of that name; "@depth:0.3" is a place on the scale from the input to the loss. */
  function coloured(value) {
    if (typeof value === "string" && value[0] === "@") {
      const [name, at] = value.slice(1).split(":");
      return name === "depth" ? Undertow.strength(0.95 * Number(at)) : Undertow.colour(name);
    }
    if (Array.isArray(value)) return value.map(coloured);
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, coloured(v)]));
    return value;
  }

  function axis(given) {
    const ink = Undertow.colour("muted"), rule = Undertow.colour("rule");
    return { gridcolor: rule, linecolor: rule, zeroline: false, ticks: "", automargin: true, tickfont: { color: ink, size: (given || {}).type === "log" ? 10 : 12 }, ...given,
      title: { ...(given || {}).title, font: { color: ink, size: 13 }, standoff: 10 } };
  }

  /* On a narrow page a scene is looked at from farther off, so that its corners are not cut. */
  function stoodBack(scene, narrow) {
    if (!scene || !narrow) return {};
    const eye = Object.fromEntries(Object.entries(scene.camera.eye).map(([key, at]) => [key, 1.7 * at]));
    return { scene: { ...scene, camera: { ...scene.camera, eye } } };
  }

  function themed(layout, narrow) {
    const ink = Undertow.colour("ink");
    return { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
      margin: { l: 8, r: 12, t: layout.showlegend ? 36 : 12, b: 8 }, font: { family: getComputedStyle(document.body).fontFamily, color: ink, size: 13 },
      legend: { orientation: "h", x: 0, y: 1, xanchor: "left", yanchor: "bottom", font: { size: narrow ? 12 : 13 } },
      hoverlabel: { bgcolor: Undertow.colour("card"), bordercolor: Undertow.colour("rule"), font: { color: ink, size: 13 } },
      ...layout, ...stoodBack(layout.scene, narrow), xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis) };
  }

  /* Where lines are coloured by depth, a bar says so. */
  function depthBar() {
    const steps = Array.from({ length: 11 }, (_, i) => [i / 10, Undertow.strength(0.95 * i / 10)]);
    return { type: "scatter", mode: "markers", x: [null], y: [null], hoverinfo: "skip", showlegend: false,
      marker: { color: [0], cmin: 0, cmax: 1, colorscale: steps, showscale: true, colorbar: { thickness: 10, len: 0.9, outlinewidth: 0,
        tickvals: [0, 1], ticktext: ["input", "loss"], tickfont: { color: Undertow.colour("muted"), size: 12 } } } };
  }

  function drawFigure(section) {
    const spec = coloured(JSON.parse(section.querySelector(".spec").textContent));
    const place = section.querySelector(".plot");
    const data = (spec.layout.meta || {}).depth ? [...spec.data, depthBar()] : spec.data;
    return Plotly.react(place, data, themed(spec.layout, place.clientWidth < 600), { displayModeBar: false, responsive: true });
  }

  Undertow.drawFigures = () => {
    const all = () => document.querySelectorAll(".figure").forEach(drawFigure);
    all();
    Undertow.onTheme(all);
  };

  /* A script that comes packed, run as any other. */
  Undertow.unpack = async (packed) => {
    const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
    const script = document.createElement("script");
    script.textContent = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    document.head.append(script);
  };

  let before = null;
  addEventListener("beforeprint", () => { before = root.dataset.theme; document.querySelectorAll("details").forEach((d) => { d.open = true; }); wear("light"); });
  addEventListener("afterprint", () => wear(before || "light"));
  system.addEventListener("change", (event) => { if (!remembered()) wear(event.matches ? "dark" : "light"); });
  document.getElementById("theme").addEventListener("click", () => { wear(isDark() ? "light" : "dark"); remember(root.dataset.theme); });
  wear(root.dataset.theme);
})();
