// Brings the parts together: reads the data, keeps the time, draws when something has changed.

const SPEEDS = [1, 2, 5, 10, 20, 50, 100], FIRST_SPEED = 10, TEXT_EVERY_MS = 200, FRAMES_KEPT = 240;

class Player {
  constructor(facts, worldArrays, filmArrays) {
    this.facts = facts;
    this.world = new World(worldArrays, facts);
    this.films = facts.films.map((film, k) => ({
      ...film,
      traffic: new Traffic(filmArrays[k], this.world, facts.quantum_m),
      signals: new Signals(filmArrays[k], film.displays, this.world),
    }));
    this.view = new View(this.world);
    this.time = 0;
    this.playing = false;
    this.selected = -1;
    this.isFitted = true;
    this.dirty = true;
    this.frames = [];
    this.build();
  }

  build() {
    const { facts } = this, byId = (id) => document.getElementById(id);
    byId("title").textContent = facts.title;
    byId("setting").textContent = facts.setting;
    this.parts = Object.fromEntries(["play", "clock", "scrub", "speed", "fit"].map((id) => [id, byId(id)]));
    this.maps = this.films.map((film, k) => this.buildMap(byId("maps"), film, k));
    const line = (key) => this.films.map((film, number) => ({ number, t: film.series.t, value: film.series[key] }));
    const seek = (t) => this.seek(t);
    this.charts = [
      new Chart(byId("charts"), "Mean travel time so far", "[s]", line("average_travel_time_s"), facts.horizon_s, seek),
      new Chart(byId("charts"), "Vehicles waiting", "[on lanes]", line("halted_veh"), facts.horizon_s, seek),
    ];
    this.panel = new Panel(byId("panel"), this.world, this.films, () => this.select(-1));
    for (const speed of SPEEDS) this.parts.speed.append(element("option", { value: speed }, `${speed}×`));
    this.setSpeed(FIRST_SPEED);
    this.parts.scrub.max = facts.horizon_s;
    this.listen();
  }

  buildMap(parent, film, k) {
    const figure = parent.appendChild(element("figure", { class: "card map" }));
    const caption = figure.appendChild(element("figcaption")), name = caption.appendChild(element("span", { class: "name" }));
    const swatch = element("i", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = `var(--series-${k})`;
    name.append(swatch, film.name);
    const facts = caption.appendChild(element("span", { class: "numbers" }));
    film.numbers = ["vehicles", "waiting", "outside"].map((what) => {
      const fact = facts.appendChild(element("span", { class: "fact" }));
      const number = element("b");
      fact.append(number, ` ${what}`);
      return number;
    });
    const frame = figure.appendChild(element("div", { class: "frame", role: "img", tabindex: "0" }));
    frame.setAttribute("aria-label", `Map of ${this.facts.title} under ${film.name}: vehicles and signals. N and P go through the signals.`);
    frame.append(element("canvas", { class: "roads" }), element("canvas", { class: "live" }));
    const map = new RoadMap(frame, this.world, this.view, film.traffic, film.signals, this.facts);
    this.listenToMap(map);
    return map;
  }

  listen() {
    const { play, scrub, speed, fit } = this.parts;
    play.addEventListener("click", () => this.toggle());
    scrub.addEventListener("input", () => this.seek(Number(scrub.value)));
    speed.addEventListener("change", () => this.setSpeed(Number(speed.value)));
    fit.addEventListener("click", () => this.fit());
    document.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.resize()).observe(this.maps[0].frame);
    startTheme(document.getElementById("theme"), () => {
      this.maps.forEach((map) => map.recolour());
      this.dirty = true;
    });
  }

  listenToMap(map) {
    const { frame } = map, pointers = new Map();
    let moved = 0, spread = 0;
    const at = (event) => [event.offsetX, event.offsetY];
    frame.addEventListener("pointerdown", (event) => {
      frame.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
      moved = pointers.size > 1 ? 99 : 0;
      spread = 0;
    });
    frame.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
      const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
      moved += Math.abs(dx) + Math.abs(dy);
      this.view.pan(dx / pointers.size, dy / pointers.size);
      this.isFitted = false;
      if (pointers.size === 2) {
        const [[ax, ay], [bx, by]] = [...pointers.values()], now = Math.hypot(ax - bx, ay - by);
        if (spread) this.view.zoom(now / spread, 0, 0);
        spread = now;
      }
      this.dirty = true;
    });
    const leave = (event) => pointers.delete(event.pointerId);
    frame.addEventListener("pointerup", (event) => {
      leave(event);
      if (moved < 5) this.select(map.signalAt(...at(event)));
    });
    frame.addEventListener("pointercancel", leave);
    frame.addEventListener("wheel", (event) => {
      event.preventDefault();
      const [x, y] = at(event);
      this.view.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), x - map.width / 2, y - map.height / 2);
      this.isFitted = false;
      this.dirty = true;
    }, { passive: false });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      " ": () => this.toggle(),
      ArrowLeft: () => this.seek(this.time - (event.shiftKey ? 60 : 10)),
      ArrowRight: () => this.seek(this.time + (event.shiftKey ? 60 : 10)),
      ArrowUp: () => this.stepSpeed(1),
      ArrowDown: () => this.stepSpeed(-1),
      Home: () => this.seek(0),
      End: () => this.seek(this.facts.horizon_s),
      "+": () => this.zoom(1.4),
      "-": () => this.zoom(1 / 1.4),
      0: () => this.fit(),
      n: () => this.stepSignal(1),
      p: () => this.stepSignal(-1),
      Escape: () => this.select(-1),
    }[event.key];
    if (!act || keepsKey(event.target, event.key)) return;
    event.preventDefault();
    act();
  }

  toggle() {
    if (!this.playing && this.time >= this.facts.horizon_s) this.seek(0);
    this.playing = !this.playing;
    this.parts.play.textContent = this.playing ? "Pause" : "Play";
    this.parts.play.setAttribute("aria-label", this.playing ? "Pause" : "Play");
    this.textDue = 0;
    this.dirty = true;
  }

  seek(t) {
    this.time = Math.min(Math.max(t, 0), this.facts.horizon_s);
    this.textDue = 0;
    this.dirty = true;
  }

  setSpeed(speed) {
    this.speed = speed;
    this.parts.speed.value = String(speed);
  }

  stepSpeed(step) {
    const at = SPEEDS.indexOf(this.speed) + step;
    if (SPEEDS[at]) this.setSpeed(SPEEDS[at]);
  }

  zoom(factor) {
    this.view.zoom(factor, 0, 0);
    this.isFitted = false;
    this.dirty = true;
  }

  stepSignal(step) {
    const n = this.world.signalXY.length;
    if (n) this.select(this.selected < 0 ? (step > 0 ? 0 : n - 1) : (this.selected + step + n) % n);
  }

  select(signal) {
    this.selected = signal;
    this.maps.forEach((map) => (map.selected = signal));
    this.panel.open(signal);
    this.textDue = 0;
    this.dirty = true;
  }

  fit() {
    this.view.fit(this.maps[0].width, this.maps[0].height);
    this.isFitted = true;
    this.dirty = true;
  }

  resize() {
    this.maps.forEach((map) => map.resize());
    this.charts.forEach((chart) => chart.resize());
    if (this.isFitted) this.fit();
    else this.view.changed();
    this.textDue = 0;
    this.dirty = true;
  }

  start() {
    this.resize();
    let before = performance.now();
    const frame = (now) => {
      if (this.playing) this.step((now - before) / 1000);
      before = now;
      const isMoving = this.maps.some((map) => !map.drawnView || map.drawnView.version !== this.view.version);
      if (this.dirty || this.playing || isMoving) this.draw(now);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  step(seconds) {
    this.time = Math.min(this.time + Math.min(seconds, 0.25) * this.speed, this.facts.horizon_s);
    if (this.time >= this.facts.horizon_s) this.toggle();
  }

  draw(now) {
    const begin = performance.now();
    this.dirty = false;
    this.films.forEach((film, k) => {
      film.traffic.goTo(this.time);
      film.signals.goTo(this.time);
      this.maps[k].draw(now);
    });
    if (!(now < this.textDue)) {
      this.textDue = now + TEXT_EVERY_MS;
      this.write();
    }
    this.charts.forEach((chart) => chart.goTo(this.time));
    this.frames.push(performance.now() - begin);
    if (this.frames.length > FRAMES_KEPT) this.frames.shift();
  }

  write() {
    this.parts.clock.textContent = clockText(this.time);
    this.parts.scrub.value = this.time;
    this.parts.scrub.setAttribute("aria-valuetext", clockText(this.time));
    for (const film of this.films) {
      const of = (key) => numberText(valueAt({ t: film.series.t, value: film.series[key] }, this.time));
      const values = [String(film.traffic.out.n), of("halted_veh"), of("waiting_outside_veh")];
      film.numbers.forEach((number, k) => (number.textContent = values[k]));
    }
    this.panel.update(this.time);
  }
}

// Keys that a control of the page answers to itself.
function keepsKey(control, key) {
  if (control.tagName === "SELECT") return key !== "Escape";
  if (control.tagName === "INPUT") return key.startsWith("Arrow") || key === "Home" || key === "End";
  return control.tagName === "BUTTON" && key === " ";
}

async function main() {
  const text = (id) => document.getElementById(id).textContent;
  const facts = JSON.parse(text("facts"));
  const [world, ...films] = await Promise.all(["world", ...facts.films.map((_, k) => `film-${k}`)].map((id) => unpack(text(id))));
  for (const id of ["world", ...facts.films.map((_, k) => `film-${k}`)]) document.getElementById(id).remove();
  document.getElementById("loading").remove();
  document.getElementById("main").hidden = false;
  window.replay = new Player(facts, world, films);
  window.replay.start();
}

main().catch((error) => {
  document.getElementById("loading").textContent = `This page cannot be shown: ${error.message}`;
  throw error;
});
