// What every movement's lamps show at a moment, and what the panel says about a signal.

const RED = 1, YELLOW = 2, GREEN = 4, TURN_RIGHT = 1, TURN_LEFT = 2;

class Signals {
  constructor(arrays, displays, world) {
    const n = world.signal_x.length;
    this.world = world;
    this.displays = displays.map(([phase, lamps]) => ({ phase, lamps }));
    this.shown = new EventTrack(pick(arrays, "shown"), n);
    this.wished = new EventTrack(pick(arrays, "wish"), n);
    this.overruled = new EventTrack(pick(arrays, "overruled"), n);
    this.queue = new EventTrack(pick(arrays, "queue"), world.nLanes);
    this.lamps = new Uint8Array(world.movement_turn.length);
    this.approach = approaches(world);
    this.laneMovements = world.outLinks.map((links) => fromTheLeft(links, world));
  }

  // Lamps of all movements at t; those without a signal show 0.
  goTo(t) {
    for (let i = 0; i < this.world.signal_x.length; i++) {
      const number = this.shown.at(i, t, -1), first = this.world.signal_first[i];
      const size = this.world.signal_movements[i];
      if (number < 0) this.lamps.fill(RED, first, first + size);
      else for (let m = 0; m < size; m++) this.lamps[first + m] = this.displays[number].lamps[m];
    }
  }

  // One aspect for a whole approach: what its straight and left movements show, where it has any.
  approachAspect(approach) {
    let aspect = RED;
    for (const m of approach.decisive) {
      if (this.lamps[m] & GREEN) return GREEN;
      if (this.lamps[m] & YELLOW) aspect = YELLOW;
    }
    return aspect;
  }

  displayAt(signal, t) {
    const k = this.shown.indexAt(signal, t);
    if (k < this.shown.start[signal]) return { phase: -1, since: 0, until: Infinity };
    let begin = k, end = k;
    const phase = this.displays[this.shown.what[k]].phase;
    while (begin > this.shown.start[signal] && this.phaseOf(begin - 1) === phase) begin--;
    while (end + 1 < this.shown.start[signal + 1] && this.phaseOf(end + 1) === phase) end++;
    const until = end + 1 < this.shown.start[signal + 1] ? this.shown.time[end + 1] : Infinity;
    return { phase, since: this.shown.time[begin], until };
  }

  phaseOf(k) {
    return this.displays[this.shown.what[k]].phase;
  }

  waiting(lane, t) {
    return this.queue.at(lane, t, 0);
  }
}

function pick(arrays, prefix) {
  return { time_s: arrays[`${prefix}_time_s`], of: arrays[`${prefix}_of`], what: arrays[`${prefix}_what`] };
}

// For every signal its approaches: the road, its lanes, the movements that decide the colour of a bar across it.
function approaches(world) {
  const list = [];
  world.lanesOf.forEach((lanes, signal) => {
    const byRoad = new Map();
    for (const lane of lanes) {
      const road = world.lane_road[lane];
      if (!byRoad.has(road)) byRoad.set(road, { signal, road, lanes: [], movements: new Set() });
      byRoad.get(road).lanes.push(lane);
      for (const link of world.outLinks[lane]) byRoad.get(road).movements.add(world.link_movement[link]);
    }
    for (const approach of byRoad.values()) {
      const all = [...approach.movements];
      const others = all.filter((m) => world.movement_turn[m] !== TURN_RIGHT);
      list.push({ ...approach, decisive: others.length ? others : all });
    }
  });
  return list;
}

// The movements of some links, each once, the left turns first and the right turns last.
function fromTheLeft(links, world) {
  const rank = (m) => ({ [TURN_LEFT]: 0, [TURN_RIGHT]: 2 })[world.movement_turn[m]] ?? 1;
  return [...new Set(links.map((link) => world.link_movement[link]))].sort((a, b) => rank(a) - rank(b));
}
