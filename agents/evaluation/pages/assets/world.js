// The network as lines: where each part of each lane and lane link lies, in metres, y to the north.
// Roads too narrow to see are drawn wider, up to three times: every point moves on a line as the widening grows.

const DECIMETRE = 0.1, MOST_WIDENING = 3, NARROWEST_LANE_PX = 3.2;

class World {
  constructor(arrays, facts) {
    Object.assign(this, arrays);
    this.facts = facts;
    this.nLanes = arrays.lane_width.length;
    this.start = startsOf(arrays.n_points);
    this.length = Float32Array.from(arrays.length, (cm) => cm / 100);
    this.laneWidth = Float32Array.from(arrays.lane_width, (cm) => cm / 100);
    this.limit = Float32Array.from(arrays.lane_limit, (cm) => cm / 100);
    const n = arrays.x.length;
    this.base = { x: summed(arrays.x), y: summed(arrays.y) };
    this.aside = { x: arrays.aside_x, y: arrays.aside_y };
    this.px = new Float32Array(n);
    this.py = new Float32Array(n);
    this.along = new Float32Array(n);
    this.drawn = new Float32Array(this.length.length);
    this.meanWidth = this.laneWidth.reduce((a, b) => a + b, 0) / this.nLanes;
    this.outLinks = groups(arrays.link_from, this.nLanes);
    this.signalXY = Array.from(arrays.signal_x, (x, i) => [x * DECIMETRE, arrays.signal_y[i] * DECIMETRE]);
    this.signalOf = new Int32Array(arrays.movement_turn.length).fill(-1);
    this.lanesOf = this.approachLanes(arrays);
    this.hulls = junctionHulls(this);
    this.widen(1);
    this.bounds = this.extent();
  }

  approachLanes(arrays) {
    arrays.signal_first.forEach((first, i) => this.signalOf.fill(i, first, first + arrays.signal_movements[i]));
    const lanes = Array.from(arrays.signal_first, () => []);
    for (let lane = 0; lane < this.nLanes; lane++) {
      const links = this.outLinks[lane];
      const signal = links.length ? this.signalOf[arrays.link_movement[links[0]]] : -1;
      if (signal >= 0) lanes[signal].push(lane);
    }
    return lanes;
  }

  widen(widening) {
    this.widening = widening;
    const { base, aside, px, py, along, start } = this, more = widening - 1;
    for (let k = 0; k < px.length; k++) {
      px[k] = (base.x[k] + more * aside.x[k]) * DECIMETRE;
      py[k] = (base.y[k] + more * aside.y[k]) * DECIMETRE;
    }
    for (let d = 0; d < this.drawn.length; d++) {
      along[start[d]] = 0;
      for (let k = start[d] + 1; k < start[d + 1]; k++)
        along[k] = along[k - 1] + Math.hypot(px[k] - px[k - 1], py[k] - py[k - 1]);
      this.drawn[d] = along[start[d + 1] - 1];
    }
  }

  wideningAt(scale) {
    const wanted = NARROWEST_LANE_PX / (this.meanWidth * scale);
    return Math.min(MOST_WIDENING, Math.max(1, Math.round(wanted * 4) / 4));
  }

  extent() {
    let [west, east, south, north] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let k = 0; k < this.px.length; k++) {
      west = Math.min(west, this.px[k]);
      east = Math.max(east, this.px[k]);
      south = Math.min(south, this.py[k]);
      north = Math.max(north, this.py[k]);
    }
    return { west, east, south, north };
  }

  // Writes place and unit heading at a share of a drivable's length into out[0..3].
  place(drivable, share, out) {
    const last = this.start[drivable + 1] - 1;
    const target = Math.min(Math.max(share, 0), 1) * this.drawn[drivable];
    let k = this.start[drivable] + 1;
    while (k < last && this.along[k] < target) k++;
    const dx = this.px[k] - this.px[k - 1], dy = this.py[k] - this.py[k - 1];
    const size = Math.hypot(dx, dy) || 1, beyond = target - this.along[k - 1];
    out[2] = dx / size;
    out[3] = dy / size;
    out[0] = this.px[k - 1] + out[2] * beyond;
    out[1] = this.py[k - 1] + out[3] * beyond;
  }

  trace(path, drivable, toX, toY) {
    for (let k = this.start[drivable]; k < this.start[drivable + 1]; k++)
      if (k === this.start[drivable]) path.moveTo(toX(this.px[k]), toY(this.py[k]));
      else path.lineTo(toX(this.px[k]), toY(this.py[k]));
  }
}

// For every junction the indices of points around it: a hull of the ends of its links.
function junctionHulls(world) {
  const ends = new Map();
  world.link_movement.forEach((movement, link) => {
    const junction = world.movement_junction[movement], d = world.nLanes + link;
    if (!ends.has(junction)) ends.set(junction, []);
    ends.get(junction).push(world.start[d], world.start[d + 1] - 1);
  });
  return [...ends.values()].map((points) => hull(points, world.base));
}

// Andrew's monotone chain.
function hull(points, { x, y }) {
  const turn = (o, a, b) => (x[a] - x[o]) * (y[b] - y[o]) - (y[a] - y[o]) * (x[b] - x[o]);
  const sorted = points.sort((a, b) => x[a] - x[b] || y[a] - y[b]);
  const half = (list) => list.reduce((chain, p) => {
    while (chain.length > 1 && turn(chain[chain.length - 2], chain[chain.length - 1], p) <= 0) chain.pop();
    chain.push(p);
    return chain;
  }, []);
  return [...half(sorted).slice(0, -1), ...half(sorted.slice().reverse()).slice(0, -1)];
}

function summed(differences) {
  const sums = new Int32Array(differences.length);
  for (let k = 0, sum = 0; k < sums.length; k++) sums[k] = sum += differences[k];
  return sums;
}

function groups(of, n) {
  const members = Array.from({ length: n }, () => []);
  of.forEach((owner, k) => members[owner].push(k));
  return members;
}
