// A small chart over the whole run: a line for each controller, a mark at the present, a click goes there.

const SVG = "http://www.w3.org/2000/svg", CHART = { width: 600, height: 112, left: 40, right: 8, top: 8, bottom: 18 };

class Chart {
  constructor(parent, title, unit, lines, horizon, onSeek) {
    Object.assign(this, { lines, horizon });
    const figure = parent.appendChild(element("figure", { class: "card chart" }));
    const caption = figure.appendChild(element("figcaption"));
    const what = caption.appendChild(element("span", { class: "what" }, title));
    what.append(element("span", { class: "quiet unit" }, ` ${unit}`));
    const values = caption.appendChild(element("span", { class: "values" }));
    this.values = lines.map((line) => this.valueOf(values, line));
    this.svg = figure.appendChild(drawn("svg", { role: "img", "aria-label": `${title} over time`, preserveAspectRatio: "none" }));
    this.top = roundTop(Math.max(...lines.flatMap((line) => line.value.filter((v) => v !== null)), 1));
    for (const kind of ["pointerdown", "pointermove"])
      this.svg.addEventListener(kind, (event) => event.buttons && onSeek(this.timeAt(event)));
    this.resize();
  }

  valueOf(caption, line) {
    const label = caption.appendChild(element("span", { class: "value" }));
    const swatch = element("i", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = `var(--series-${line.number})`;
    return label.appendChild(swatch) && label.appendChild(element("b"));
  }

  resize() {
    this.width = Math.max(200, this.svg.getBoundingClientRect().width || CHART.width);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${CHART.height}`);
    this.svg.replaceChildren(...this.axes(), ...this.lines.map((line) => this.line(line)));
    this.mark = this.svg.appendChild(drawn("line", { class: "now", y1: CHART.top, y2: CHART.height - CHART.bottom }));
  }

  x(t) {
    return CHART.left + ((this.width - CHART.left - CHART.right) * t) / this.horizon;
  }

  y(value) {
    return CHART.height - CHART.bottom - ((CHART.height - CHART.top - CHART.bottom) * value) / this.top;
  }

  axes() {
    const parts = [];
    for (const share of [0, 0.5, 1]) {
      const y = this.y(share * this.top);
      parts.push(drawn("line", { class: "grid", x1: CHART.left, x2: this.width - CHART.right, y1: y, y2: y }));
      parts.push(drawn("text", { x: CHART.left - 6, y: y + 4, "text-anchor": "end" }, String(share * this.top)));
    }
    const step = timeStep(this.horizon, this.width / 90);
    for (let t = 0; t <= this.horizon; t += step) {
      const anchor = t === 0 ? "start" : this.x(t) > this.width - 30 ? "end" : "middle";
      parts.push(drawn("text", { x: this.x(t), y: CHART.height - 4, "text-anchor": anchor }, clockText(t, true)));
    }
    return parts;
  }

  line({ t, value, number }) {
    let path = "";
    t.forEach((second, k) => {
      if (value[k] !== null) path += `${path ? "L" : "M"}${this.x(second).toFixed(1)} ${this.y(value[k]).toFixed(1)}`;
    });
    return drawn("path", { d: path, fill: "none", stroke: `var(--series-${number})`, "stroke-width": 1.8 });
  }

  timeAt(event) {
    const box = this.svg.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width) * this.width - CHART.left;
    return Math.min(1, Math.max(0, share / (this.width - CHART.left - CHART.right))) * this.horizon;
  }

  goTo(t) {
    for (const end of ["x1", "x2"]) this.mark.setAttribute(end, this.x(t));
    this.lines.forEach((line, k) => (this.values[k].textContent = numberText(valueAt(line, t))));
  }
}

function valueAt({ t, value }, time) {
  let k = 0;
  while (k + 1 < t.length && t[k + 1] <= time) k++;
  return value[k] ?? null;
}

function roundTop(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].map((step) => step * power).find((step) => value <= step);
}

function timeStep(horizon, most) {
  return [10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400].find((step) => horizon / step <= most) || 86400;
}

function clockText(seconds, short = false) {
  const s = Math.floor(seconds), h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  const two = (n) => String(n).padStart(2, "0");
  if (short) return s % 60 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 60)} min`;
  return `${h}:${two(m)}:${two(s % 60)}`;
}

function numberText(value) {
  return value === null ? "–" : value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}

function element(name, attributes = {}, text = "") {
  const made = document.createElement(name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== "") made.textContent = text;
  return made;
}

function drawn(name, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== "") made.textContent = text;
  return made;
}
