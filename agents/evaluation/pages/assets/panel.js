// What stands beside the map when a signal is chosen: its phase and timer, the last two minutes, its lanes.

const STRIP_S = 120, ARROWS = { 1: ["→", "right"], 2: ["←", "left"], 3: ["↑", "straight"] };
const COMPASS = ["east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east"];

class Panel {
  constructor(root, world, films, onClose) {
    Object.assign(this, { root, world, films, onClose });
    this.signal = -1;
  }

  open(signal) {
    this.signal = signal;
    this.root.hidden = signal < 0;
    if (signal < 0) return;
    this.phases = this.shownPhases();
    this.root.replaceChildren(this.head(), ...this.films.map((film, k) => this.section(film, k)), this.lanes());
  }

  head() {
    const head = element("div", { class: "head" });
    const close = element("button", { type: "button", "aria-label": "Close" }, "✕");
    close.addEventListener("click", this.onClose);
    head.append(element("h2", {}, this.world.facts.signals[this.signal]), close);
    return head;
  }

  // Those to choose from, and those of a programme that shows others.
  shownPhases() {
    const phases = new Set(this.world.facts.phases[this.signal]);
    for (const { signals } of this.films)
      for (const { what } of signals.shown.between(this.signal, 0, Infinity)) phases.add(signals.displays[what].phase);
    return [...phases].filter((phase) => !this.isClearance(phase)).sort((a, b) => a - b);
  }

  section(film, k) {
    const section = element("section");
    const title = element("h3");
    const swatch = element("i", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = `var(--series-${k})`;
    title.append(swatch, film.name);
    const parts = { state: element("div", { class: "state" }), chips: element("div", { class: "chips" }) };
    parts.strip = drawn("svg", { class: "strip", role: "img", viewBox: "0 0 300 34", "aria-label": "phases of the last two minutes" });
    parts.asks = element("div", { class: "asks" });
    section.append(title, parts.state, parts.chips, parts.strip, parts.asks);
    film.parts = parts;
    return section;
  }

  lanes() {
    const section = element("section"), table = section.appendChild(element("table", { class: "lanes" }));
    const names = this.films.length > 1 ? this.films.map((film) => film.name) : [];
    const head = table.appendChild(element("thead"));
    if (names.length) {
      const row = head.appendChild(element("tr"));
      row.append(element("th"), ...names.map((name) => element("th", { colspan: 3, title: name }, shortened(name))));
    }
    const row = head.appendChild(element("tr"));
    row.append(element("th", {}, "lane from"));
    this.films.forEach(() => row.append(element("th", {}, ""), element("th", { title: "vehicles on the lane" }, "veh"), element("th", { title: "vehicles that stand" }, "wait")));
    this.body = table.appendChild(element("tbody"));
    this.rows = this.films[0].signals.approach.filter((a) => a.signal === this.signal).flatMap((approach) => this.laneRows(approach));
    return section;
  }

  laneRows(approach) {
    return approach.lanes.map((lane, k) => {
      const row = this.body.appendChild(element("tr", { class: k ? "" : "first" }));
      const from = k ? "" : this.direction(lane);
      row.append(element("td", { title: `${this.world.facts.roads[approach.road]}, lane ${k}` }, from));
      const cells = this.films.map(() => [element("td"), element("td"), element("td")]);
      cells.forEach((three) => row.append(...three));
      return { lane, cells };
    });
  }

  // Where a lane comes from, by the heading of its end: who drives east comes from the west.
  direction(lane) {
    const spot = [0, 0, 0, 0];
    this.world.place(lane, 1, spot);
    const eighth = Math.round(Math.atan2(-spot[3], -spot[2]) / (Math.PI / 4));
    return COMPASS[(eighth + 8) % 8];
  }

  update(t) {
    if (this.signal < 0) return;
    this.films.forEach((film) => this.updateFilm(film, t));
    const lanes = this.rows.map((row) => row.lane);
    this.films.forEach((film, k) => {
      const counts = film.traffic.countByLane(lanes);
      for (const { lane, cells } of this.rows) {
        const waiting = film.signals.waiting(lane, Math.floor(t));
        cells[k][0].replaceChildren(...this.arrows(film, lane));
        cells[k][1].textContent = Math.max(counts.get(lane), waiting);
        cells[k][2].textContent = waiting;
      }
    });
  }

  arrows(film, lane) {
    return film.signals.laneMovements[lane].map((movement) => {
      const [arrow, name] = ARROWS[this.world.movement_turn[movement]] || ARROWS[3];
      const lamp = lampName(film.signals.lamps[movement]);
      return element("span", { class: `arrow ${lamp}`, title: `${name}: ${lamp}`, "aria-label": `${name} ${lamp}` }, arrow);
    });
  }

  updateFilm({ parts, signals }, t) {
    const { phase, since } = signals.displayAt(this.signal, t), wish = signals.wished.at(this.signal, t, -1);
    const isClear = this.isClearance(phase);
    parts.state.replaceChildren(
      element("span", {}, isClear ? "Clearance" : `Phase ${phase} has green`),
      element("b", { class: "timer" }, `${Math.max(0, Math.floor(t - since))} s`));
    parts.chips.replaceChildren(...this.phases.map((p) => {
      const state = p === phase && !isClear ? "on" : isClear && p === wish ? "clear" : "";
      return element("span", { class: `chip ${state}`, "aria-current": String(p === phase) }, String(p));
    }));
    parts.asks.textContent = wish < 0 ? "asks for the present phase" : `the controller asks for phase ${wish}`;
    this.drawStrip(parts.strip, signals, t);
  }

  isClearance(phase) {
    return phase < 0 || phase === this.world.facts.clearance[this.signal];
  }

  drawStrip(svg, signals, t) {
    const from = t - STRIP_S, x = (time) => (300 * (Math.min(Math.max(time, from), t) - from)) / STRIP_S;
    const runs = [];
    for (const { time, until, what } of signals.shown.between(this.signal, from, t)) {
      const phase = signals.displays[what].phase, last = runs[runs.length - 1];
      if (last && last.phase === phase) last.until = until;
      else runs.push({ phase, time, until });
    }
    const parts = [];
    for (const { phase, time, until } of runs) {
      const kind = this.isClearance(phase) ? "clearance" : `phase ${phase % 2 ? "odd" : ""}`, width = x(until) - x(time);
      parts.push(drawn("rect", { class: kind, x: x(time), y: 2, width: Math.max(width - 0.6, 0.4), height: 17 }));
      if (!kind.startsWith("clear") && width > 12) parts.push(drawn("text", { class: "label", x: x(time) + width / 2, y: 14, "text-anchor": "middle" }, String(phase)));
    }
    for (const { time, what } of signals.overruled.between(this.signal, from, t)) {
      if (time < from) continue;
      const mark = drawn("path", { class: "mark", d: `M${x(time) - 3} 20h6l-3 -6z` });
      mark.append(drawn("title", {}, `shield: ${this.world.facts.interventions[what]}`));
      parts.push(mark);
    }
    parts.push(drawn("text", { x: 0, y: 31 }, `−${STRIP_S} s`), drawn("text", { x: 300, y: 31, "text-anchor": "end" }, "now"));
    svg.replaceChildren(...parts);
  }
}

function shortened(name) {
  return name.length > 12 ? `${name.slice(0, 11)}…` : name;
}
