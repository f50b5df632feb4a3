// Where everybody is at any moment, forwards quickly and backwards by a search. Mirrors trajectories.py.

const STANDING_MPS = 0.1, SHADES = 9; // shade 0: standing, 1..8: from slow to free
const LONGEST_GO_ON_S = 1; // a piece without a next second goes on for one

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
    this.cursor = new Int32Array(this.n);
    this.leg = new Int32Array(this.n);
    this.active = [];
    this.next = 0;
    this.now = -1;
    this.out = { n: 0, x: [], y: [], hx: [], hy: [], shade: [], kind: [], drivable: [] };
    const spot = { x: Float32Array, y: Float32Array, hx: Float32Array, hy: Float32Array };
    for (const name in spot) this.out[name] = new spot[name](this.mostAtOnce());
    for (const name of ["shade", "kind", "drivable"]) this.out[name] = new Int32Array(this.out.x.length);
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
    if (t < this.now || t > this.now + 30) {
      this.active.length = this.next = 0;
    }
    this.now = t;
    for (; this.next < this.n && this.begins[this.next] <= t; this.next++) {
      const piece = this.next;
      if (this.ends(piece) <= t) continue;
      this.cursor[piece] = this.pointStart[piece];
      this.leg[piece] = this.wayStart[piece];
      this.active.push(piece);
    }
    let kept = 0;
    for (const piece of this.active) if (this.ends(piece) > t) this.active[kept++] = piece;
    this.active.length = kept;
    this.fill(t);
  }

  fill(t) {
    const { out, world } = this, spot = [0, 0, 0, 0];
    out.n = 0;
    for (const piece of this.active) {
      const last = this.pointStart[piece + 1] - 1;
      let k = this.cursor[piece];
      while (k < last - 1 && this.time[k + 1] <= t) k++;
      this.cursor[piece] = k;
      const speed = k < last ? (this.along[k + 1] - this.along[k]) / (this.time[k + 1] - this.time[k]) : 0;
      const along = this.along[k] + speed * (t - this.time[k]);
      const lastLeg = this.wayStart[piece + 1] - 1;
      let leg = this.leg[piece];
      while (leg < lastLeg && this.legBegins[leg + 1] <= along) leg++;
      this.leg[piece] = leg;
      const drivable = this.way[leg];
      world.place(drivable, (along - this.legBegins[leg]) / world.length[drivable], spot);
      const at = out.n++;
      out.x[at] = spot[0];
      out.y[at] = spot[1];
      out.hx[at] = spot[2];
      out.hy[at] = spot[3];
      out.shade[at] = shadeOf(speed, world.limit[drivable < world.nLanes ? drivable : world.link_from[drivable - world.nLanes]]);
      out.kind[at] = this.kind[piece];
      out.drivable[at] = drivable;
    }
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
