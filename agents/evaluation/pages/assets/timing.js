// Signal timing bars of the signal and the ten minutes that are chosen, one bar for each controller.

const SVG_NAME = "http://www.w3.org/2000/svg", BAR = { width: 640, height: 30 };

class Timing {
  constructor(root, facts, interventions, arrays) {
    Object.assign(this, { root, facts, interventions });
    this.tracks = arrays.map((one) => ({
      shown: new EventTrack({ time_s: one.shown_time_s, of: one.shown_of, what: one.shown_what }, facts.signals),
      overruled: new EventTrack({ time_s: one.overruled_time_s, of: one.overruled_of, what: one.overruled_what }, facts.signals),
    }));
    this.span = facts.window_s[1] - facts.window_s[0];
    this.select = root.querySelector("select");
    this.from = root.querySelector("input");
    this.from.max = Math.max(0, facts.horizon_s - this.span);
    this.from.value = facts.window_s[0];
    this.from.disabled = this.from.max === "0";
    for (const control of [this.select, this.from]) control.addEventListener("input", () => this.draw());
    this.select.value = this.busiest();
    this.draw();
  }

  // The signal that the shield overruled most; without any, the first.
  busiest() {
    let chosen = 0, most = 0;
    for (let i = 0; i < this.facts.signals; i++) {
      const count = this.tracks.reduce((sum, { overruled }) => sum + overruled.start[i + 1] - overruled.start[i], 0);
      if (count > most) [chosen, most] = [i, count];
    }
    return String(chosen);
  }

  draw() {
    const signal = Number(this.select.value), from = Number(this.from.value);
    this.root.querySelector("output").textContent = `${clock(from)} to ${clock(from + this.span)}`;
    this.root.querySelector(".bars").replaceChildren(...this.tracks.map((track, k) => this.row(track, this.facts.near[k], signal, from)));
  }

  row(track, near, signal, from) {
    const row = made("div", { class: "bar" }), to = from + this.span;
    const name = made("span", { class: "name", title: near.name });
    const swatch = made("i", { class: "swatch" });
    swatch.style.background = `var(--series-${near.number % 7})`;
    name.append(swatch, near.name);
    const marks = track.overruled.between(signal, from, to).filter(({ time }) => time >= from);
    row.append(name, this.bar(track.shown, near, signal, from, to, marks), made("span", { class: "told" }, this.told(marks)));
    return row;
  }

  bar(shown, near, signal, from, to, marks) {
    const x = (time) => (BAR.width * (Math.min(Math.max(time, from), to) - from)) / this.span;
    const svg = shape("svg", { viewBox: `0 0 ${BAR.width} ${BAR.height}`, role: "img", "aria-label": `phases under ${near.name}` });
    for (const { phase, time, until } of this.runs(shown, near, signal, from, to)) {
      const isBetween = phase < 0 || phase === near.clearance[signal], width = x(until) - x(time);
      const box = shape("rect", { class: isBetween ? "clearance" : `phase ${phase % 2 ? "odd" : ""}`, x: x(time), y: 0, height: 19, width: Math.max(width - 0.5, 0.3) });
      box.append(shape("title", {}, `${isBetween ? "between greens" : `phase ${phase}`}, ${clock(Math.max(time, from))}, ${Math.round(Math.min(until, to) - Math.max(time, from))} s`));
      svg.append(box);
      if (!isBetween && width > 10) svg.append(shape("text", { class: "number", x: x(time) + width / 2, y: 13, "text-anchor": "middle" }, String(phase)));
    }
    for (const { time, what } of marks) {
      const mark = shape("path", { class: "mark", d: `M${x(time) - 3.5} 29h7l-3.5 -8z` });
      mark.append(shape("title", {}, `${clock(time)}: ${this.interventions[what]}`));
      svg.append(mark);
    }
    return svg;
  }

  runs(shown, near, signal, from, to) {
    const runs = [];
    for (const { time, until, what } of shown.between(signal, from, to)) {
      const phase = near.phases[what], last = runs[runs.length - 1];
      if (last && last.phase === phase) last.until = until;
      else runs.push({ phase, time, until });
    }
    return runs;
  }

  told(marks) {
    if (!marks.length) return "not overruled";
    const counts = new Map();
    for (const { what } of marks) counts.set(what, (counts.get(what) || 0) + 1);
    return [...counts].map(([what, count]) => `${count} × ${this.interventions[what]}`).join(", ");
  }
}

function clock(seconds) {
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
}

function made(name, attributes = {}, words = "") {
  const element = document.createElement(name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (words) element.textContent = words;
  return element;
}

function shape(name, attributes = {}, words = "") {
  const element = document.createElementNS(SVG_NAME, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (words) element.textContent = words;
  return element;
}

async function main() {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  startTheme(document.getElementById("theme"), () => {});
  for (const button of document.querySelectorAll("nav button"))
    button.addEventListener("click", () => document.getElementById(button.dataset.to).scrollIntoView({ behavior: "smooth" }));
  window.timings = [];
  for (const root of document.querySelectorAll(".timing")) {
    const k = Number(root.dataset.section), section = facts.sections[k];
    const arrays = await Promise.all(section.near.map((_, n) => unpack(document.getElementById(`timing-${k}-${n}`).textContent)));
    window.timings.push(new Timing(root, section, facts.interventions, arrays));
  }
}

main();
