// Where everybody is at any moment, forwards quickly and backwards by a search. Mirrors trajectories.py.

const STANDING_MPS = 0.1, SHADES = 9; // shade 0: standing, 1..8: from slow to free
const LONGEST_GO_ON_S = 1; // a piece without a next second goes on for one
const LONGEST_JUMP_S = 30; // further ahead, all begin anew

class Traffic {
  constructor(arrays, world, quantum) {
    this.world = world;
    this.n = arrays.begins_s.length;
    this.begins = arrays.begins_s;
    this.pointStart = startsOf(arrays.points);
    this.wayStart = startsOf(arrays.way_size);
    this.way = arrays.way;
    this.kind = arrays.kind;
    this.unrollPoints(arrays, quantum);
    this.unrollWays();
    this.makeSlots(this.mostAtOnce() + 1);
    this.next = 0;
    this.now = -1;
  }

  // What holds of everybody who drives now, side by side in memory: most frames read nothing else.
  makeSlots(size) {
    const whole = ["piece", "cursor", "leg"], real = ["ends", "wayEnds", "segmentBegins", "segmentEnds", "segmentAlong", "speed"];
    const line = ["lineBegins", "lineEnds", "lineX", "lineY", "lineDX", "lineDY"];
    this.slots = {};
    for (const name of whole) this.slots[name] = new Int32Array(size);
    for (const name of [...real, ...line]) this.slots[name] = new Float64Array(size);
    this.out = { n: 0 };
    for (const name of ["x", "y", "hx", "hy"]) this.out[name] = new Float32Array(size);
    for (const name of ["shade", "kind", "drivable"]) this.out[name] = new Int32Array(size);
    this.columns = [...Object.values(this.slots), ...Object.values(this.out).filter((column) => column.length)];
  }

  unrollPoints({ begins_s, along_begin, step_s, step }, quantum) {
    this.time = new Int32Array(step_s.length);
    this.along = new Float32Array(step.length);
    for (let p = 0; p < this.n; p++) {
      let time = begins_s[p], along = along_begin[p];
      for (let k = this.pointStart[p]; k < this.pointStart[p + 1]; k++) {
        this.time[k] = time += step_s[k];
        this.along[k] = (along += step[k]) * quantum;
      }
    }
  }

  unrollWays() {
    this.legBegins = new Float32Array(this.way.length);
    for (let p = 0; p < this.n; p++)
      for (let k = this.wayStart[p] + 1; k < this.wayStart[p + 1]; k++)
        this.legBegins[k] = this.legBegins[k - 1] + this.world.length[this.way[k - 1]];
  }

  ends(piece) {
    return this.time[this.pointStart[piece + 1] - 1] + LONGEST_GO_ON_S;
  }

  mostAtOnce() {
    const changes = new Map();
    for (let p = 0; p < this.n; p++) {
      changes.set(this.begins[p], (changes.get(this.begins[p]) || 0) + 1);
      const end = this.ends(p) + 1;
      changes.set(end, (changes.get(end) || 0) - 1);
    }
    let now = 0, most = 1;
    for (const time of [...changes.keys()].sort((a, b) => a - b)) most = Math.max(most, (now += changes.get(time)));
    return most;
  }

  goTo(t) {
    if (t < this.now || t > this.now + LONGEST_JUMP_S) this.out.n = this.next = 0;
    this.now = t;
    for (; this.next < this.n && this.begins[this.next] <= t; this.next++) if (this.ends(this.next) > t) this.enter(this.next);
    if (this.widening !== this.world.widening) this.slots.lineEnds.fill(-1);
    this.widening = this.world.widening;
    this.move(t);
  }

  enter(piece) {
    const slot = this.out.n++, { slots } = this, lastLeg = this.wayStart[piece + 1] - 1;
    slots.piece[slot] = piece;
    slots.cursor[slot] = this.pointStart[piece];
    slots.leg[slot] = this.wayStart[piece];
    slots.ends[slot] = this.ends(piece);
    slots.wayEnds[slot] = this.legBegins[lastLeg] + this.world.length[this.way[lastLeg]];
    slots.segmentEnds[slot] = slots.lineEnds[slot] = -1;
    this.out.kind[slot] = this.kind[piece];
  }

  leave(slot) {
    const last = --this.out.n;
    for (const column of this.columns) column[slot] = column[last];
  }

  move(t) {
    const { out, slots } = this;
    const { ends, wayEnds, segmentBegins, segmentEnds, segmentAlong, speed, lineBegins, lineEnds, lineX, lineY, lineDX, lineDY } = slots;
    for (let slot = 0; slot < out.n; slot++) {
      while (slot < out.n && ends[slot] <= t) this.leave(slot);
      if (slot === out.n) break;
      if (t >= segmentEnds[slot]) this.nextSegment(slot, t);
      const along = Math.min(segmentAlong[slot] + speed[slot] * (t - segmentBegins[slot]), wayEnds[slot]);
      if (along >= lineEnds[slot]) this.nextLine(slot, along);
      const beyond = along - lineBegins[slot];
      out.x[slot] = lineX[slot] + lineDX[slot] * beyond;
      out.y[slot] = lineY[slot] + lineDY[slot] * beyond;
    }
  }

  // The two kept points around t; the last two also for what comes after them.
  nextSegment(slot, t) {
    const { slots, time, along } = this, last = this.pointStart[slots.piece[slot] + 1] - 1;
    let k = slots.cursor[slot];
    while (k < last - 1 && time[k + 1] <= t) k++;
    slots.cursor[slot] = k;
    slots.segmentBegins[slot] = time[k];
    slots.segmentAlong[slot] = along[k];
    slots.segmentEnds[slot] = k < last - 1 ? time[k + 1] : Infinity;
    slots.speed[slot] = k < last ? (along[k + 1] - along[k]) / (time[k + 1] - time[k]) : 0;
    if (slots.lineEnds[slot] >= 0) this.recolour(slot);
  }

  // The straight piece of a lane or lane link on which the vehicle is.
  nextLine(slot, along) {
    const { slots, out, world } = this, lastLeg = this.wayStart[slots.piece[slot] + 1] - 1;
    let leg = slots.leg[slot];
    while (leg < lastLeg && this.legBegins[leg + 1] <= along) leg++;
    slots.leg[slot] = leg;
    const drivable = this.way[leg], last = world.start[drivable + 1] - 1;
    const stretch = world.drawn[drivable] / world.length[drivable], target = (along - this.legBegins[leg]) * stretch;
    let k = world.start[drivable] + 1;
    while (k < last && world.along[k] <= target) k++;
    const dx = world.px[k] - world.px[k - 1], dy = world.py[k] - world.py[k - 1], size = Math.hypot(dx, dy) || 1;
    slots.lineBegins[slot] = this.legBegins[leg] + world.along[k - 1] / stretch;
    slots.lineEnds[slot] = k < last ? this.legBegins[leg] + world.along[k] / stretch : leg < lastLeg ? this.legBegins[leg + 1] : Infinity;
    slots.lineX[slot] = world.px[k - 1];
    slots.lineY[slot] = world.py[k - 1];
    slots.lineDX[slot] = (dx / size) * stretch;
    slots.lineDY[slot] = (dy / size) * stretch;
    out.hx[slot] = dx / size;
    out.hy[slot] = dy / size;
    out.drivable[slot] = drivable;
    this.recolour(slot);
  }

  recolour(slot) {
    const { world } = this, drivable = this.out.drivable[slot];
    const lane = drivable < world.nLanes ? drivable : world.link_from[drivable - world.nLanes];
    this.out.shade[slot] = shadeOf(this.slots.speed[slot], world.limit[lane]);
  }

  countByLane(lanes) {
    const counts = new Map(lanes.map((lane) => [lane, 0]));
    for (let k = 0; k < this.out.n; k++) {
      const lane = this.out.drivable[k];
      if (counts.has(lane)) counts.set(lane, counts.get(lane) + 1);
    }
    return counts;
  }
}

function shadeOf(speed, limit) {
  if (speed < STANDING_MPS) return 0;
  return 1 + Math.min(SHADES - 2, Math.floor((speed / limit) * (SHADES - 1)));
}
