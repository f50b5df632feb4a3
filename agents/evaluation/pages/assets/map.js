// One map: roads on a canvas that is drawn when the view changes, signals and vehicles on another one every frame.

const SETTLE_MS = 140, CLOSE_PX = 3, SMALL_VEHICLE_PX = 3, MANY = 3000, FAR_SCALE = 0.07;

class View {
  constructor(world) {
    this.world = world;
    this.scale = 1;
    this.x = this.y = 0;
    this.version = 0;
  }

  fit(width, height) {
    const { west, east, south, north } = this.world.bounds, margin = 14;
    this.scale = Math.min((width - 2 * margin) / (east - west || 1), (height - 2 * margin) / (north - south || 1));
    this.least = this.scale * 0.8;
    this.x = (west + east) / 2;
    this.y = (south + north) / 2;
    this.changed();
  }

  zoom(factor, aroundX, aroundY) {
    const scale = Math.min(12, Math.max(this.least, this.scale * factor));
    const gain = 1 / this.scale - 1 / scale; // metres a pixel moves towards the pointer
    this.x += aroundX * gain;
    this.y -= aroundY * gain;
    this.scale = scale;
    this.changed();
  }

  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y += dy / this.scale;
    this.changed();
  }

  changed() {
    this.version++;
    const widening = this.world.wideningAt(this.scale);
    if (widening !== this.world.widening) this.world.widen(widening);
  }
}

class RoadMap {
  constructor(frame, world, view, traffic, signals, facts) {
    Object.assign(this, { frame, world, view, traffic, signals, facts });
    this.roads = frame.querySelector(".roads").getContext("2d", { alpha: false });
    this.live = frame.querySelector(".live").getContext("2d");
    this.drawnView = null;
    this.roadsDue = 0;
    this.selected = -1;
  }

  resize() {
    const box = this.frame.getBoundingClientRect();
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.width = Math.max(1, Math.round(box.width));
    this.height = Math.max(1, Math.round(box.height));
    for (const context of [this.roads, this.live]) {
      context.canvas.width = this.width * this.ratio;
      context.canvas.height = this.height * this.ratio;
    }
    this.pixels = this.live.createImageData(this.live.canvas.width, this.live.canvas.height);
    this.words = new Uint32Array(this.pixels.data.buffer);
    this.drawnView = null;
  }

  recolour() {
    const [stand, slow, free] = ["stand", "slow", "free"].map(channelsOf);
    this.shades = [stand];
    for (let k = 1; k < SHADES; k++) this.shades.push(mixed(slow, free, (k - 1) / (SHADES - 2)));
    const wordOf = ([r, g, b], alpha = 255) => (alpha << 24) | (b << 16) | (g << 8) | r;
    this.shadeWords = this.shades.map((shade) => wordOf(shade));
    this.lampWords = Object.fromEntries(["green", "amber", "red"].map((name) => [name, wordOf(channelsOf(name), 150)]));
    this.shadeText = this.shades.map(([r, g, b]) => `rgb(${r} ${g} ${b})`);
    this.colours = {};
    for (const name of ["card", "street", "kerb", "green", "amber", "red", "text"]) this.colours[name] = colourOf(name);
    this.drawnView = null;
  }

  toX(x) {
    return ((x - this.view.x) * this.view.scale + this.width / 2) * this.ratio;
  }

  toY(y) {
    return ((this.view.y - y) * this.view.scale + this.height / 2) * this.ratio;
  }

  draw(now) {
    this.drawRoads(now);
    const { live } = this, lanePx = this.lanePx();
    live.setTransform(1, 0, 0, 1, 0, 0);
    this.sees = this.visibleBox();
    const vehiclePx = 5 * this.view.scale * this.ratio;
    const isDotted = vehiclePx < SMALL_VEHICLE_PX && this.traffic.out.n * this.shareSeen() > MANY;
    if (isDotted) this.drawDots();
    else {
      live.clearRect(0, 0, live.canvas.width, live.canvas.height);
      this.drawVehicles();
    }
    if (lanePx / this.ratio >= CLOSE_PX && this.view.scale > 0.25) this.drawLamps(lanePx);
    else if (this.view.scale > FAR_SCALE || !isDotted) this.drawApproaches(lanePx);
    if (this.selected >= 0) this.drawSelection();
  }

  lanePx() {
    return this.world.meanWidth * this.world.widening * this.view.scale * this.ratio;
  }

  visibleBox() {
    const halfW = this.width / 2 / this.view.scale + 20, halfH = this.height / 2 / this.view.scale + 20;
    return { west: this.view.x - halfW, east: this.view.x + halfW, south: this.view.y - halfH, north: this.view.y + halfH };
  }

  shareSeen() {
    const { west, east, south, north } = this.world.bounds, across = (this.sees.east - this.sees.west) / (east - west || 1);
    return Math.min(1, across) * Math.min(1, (this.sees.north - this.sees.south) / (north - south || 1));
  }

  isSeen(x, y) {
    return x > this.sees.west && x < this.sees.east && y > this.sees.south && y < this.sees.north;
  }

  // Whole again once the view has settled; while it moves, the old picture is moved along.
  drawRoads(now) {
    const view = this.view, drawn = this.drawnView;
    if (drawn && drawn.version === view.version) return;
    if (drawn && drawn.latest !== view.version) {
      drawn.latest = view.version;
      this.roadsDue = now + SETTLE_MS;
    }
    if (drawn && (this.slowRoads && now < this.roadsDue)) return this.moveRoads(drawn);
    const begin = performance.now();
    this.paintRoads();
    this.slowRoads = performance.now() - begin > 8;
    const picture = this.slowRoads ? copied(this.roads.canvas) : null;
    this.drawnView = { version: view.version, latest: view.version, x: view.x, y: view.y, scale: view.scale, picture };
  }

  moveRoads(drawn) {
    const { roads, view } = this, factor = view.scale / drawn.scale;
    this.fillGround();
    roads.setTransform(factor, 0, 0, factor,
      this.toX(drawn.x) - (this.width / 2) * this.ratio * factor, this.toY(drawn.y) - (this.height / 2) * this.ratio * factor);
    roads.drawImage(drawn.picture, 0, 0);
  }

  fillGround() {
    this.roads.setTransform(1, 0, 0, 1, 0, 0);
    this.roads.fillStyle = this.colours.card;
    this.roads.fillRect(0, 0, this.roads.canvas.width, this.roads.canvas.height);
  }

  paintRoads() {
    this.fillGround();
    this.sees = this.visibleBox();
    const { roads, world } = this, lanePx = this.lanePx();
    const toX = (x) => this.toX(x), toY = (y) => this.toY(y);
    const lanes = new Path2D(), links = new Path2D(), junctions = this.junctions(toX, toY);
    for (let d = 0; d < world.drawn.length; d++) {
      const isLink = d >= world.nLanes;
      if (isLink && lanePx < 1.2 * this.ratio) break;
      if (this.touches(d)) world.trace(isLink ? links : lanes, d, toX, toY);
    }
    roads.lineJoin = "round";
    roads.lineCap = "butt";
    if (lanePx > 4) this.stroke(lanes, this.colours.kerb, lanePx * 1.14);
    roads.fillStyle = this.colours.street;
    roads.fill(junctions);
    this.stroke(links, this.colours.street, lanePx * 0.95);
    this.stroke(lanes, this.colours.street, Math.max(lanePx > 4 ? lanePx * 0.9 : lanePx * 1.05, 0.7 * this.ratio));
  }

  junctions(toX, toY) {
    const path = new Path2D(), { px, py } = this.world;
    for (const points of this.world.hulls) {
      if (!this.isSeen(px[points[0]], py[points[0]])) continue;
      points.forEach((p, k) => path[k ? "lineTo" : "moveTo"](toX(px[p]), toY(py[p])));
      path.closePath();
    }
    return path;
  }

  touches(d) {
    const first = this.world.start[d], last = this.world.start[d + 1] - 1, { px, py } = this.world, { sees } = this;
    const bend = 30;
    return Math.max(px[first], px[last]) > sees.west - bend && Math.min(px[first], px[last]) < sees.east + bend
      && Math.max(py[first], py[last]) > sees.south - bend && Math.min(py[first], py[last]) < sees.north + bend;
  }

  stroke(path, colour, width) {
    this.roads.strokeStyle = colour;
    this.roads.lineWidth = width;
    this.roads.stroke(path);
  }

  // Squares of a few pixels, written straight into the picture: tens of thousands in a millisecond or two.
  drawDots() {
    const { x, y, shade, n } = this.traffic.out, { words, pixels, shadeWords } = this, { width, height } = pixels;
    const size = Math.max(2, Math.round(1.6 * this.ratio)), scale = this.view.scale * this.ratio;
    const left = this.toX(0) - size / 2, top = this.toY(0) - size / 2;
    words.fill(0);
    if (this.view.scale <= FAR_SCALE) this.signalDots(Math.round(this.ratio * 2));
    for (let k = 0; k < n; k++) {
      const column = Math.round(left + x[k] * scale), row = Math.round(top - y[k] * scale);
      if (column < 0 || row < 0 || column + size > width || row + size > height) continue;
      const word = shadeWords[shade[k]];
      for (let at = row * width + column, end = at + size * width; at < end; at += width)
        for (let right = 0; right < size; right++) words[at + right] = word;
    }
    this.live.putImageData(pixels, 0, 0);
  }

  signalDots(size) {
    const spot = [0, 0, 0, 0];
    for (const approach of this.signals.approach) {
      this.world.place(approach.lanes[approach.lanes.length >> 1], 1, spot);
      this.dot(spot[0], spot[1], size, this.lampWords[lampName(this.signals.approachAspect(approach))]);
    }
  }

  dot(worldX, worldY, size, word) {
    const { words, pixels: { width, height } } = this;
    const x = Math.round(this.toX(worldX) - size / 2), y = Math.round(this.toY(worldY) - size / 2);
    if (x < 0 || y < 0 || x + size > width || y + size > height) return;
    for (let row = y; row < y + size; row++)
      for (let column = x; column < x + size; column++) words[row * width + column] = word;
  }

  drawVehicles() {
    const { out } = this.traffic, { live } = this, k = this.view.scale * this.ratio;
    const halfWidth = Math.max(Math.min(1.8 * this.world.widening, 5) * 0.5 * k, 0.9 * this.ratio);
    const least = 3.2 * this.ratio, batches = this.shadeText.map((colour) => new Batch(live, colour));
    for (let v = 0; v < out.n; v++) {
      if (!this.isSeen(out.x[v], out.y[v])) continue;
      const path = batches[out.shade[v]].next(), x = this.toX(out.x[v]), y = this.toY(out.y[v]);
      const long = Math.max(this.facts.vehicle_length_m[out.kind[v]] * k, least);
      const ax = out.hx[v] * long, ay = -out.hy[v] * long, bx = out.hy[v] * halfWidth, by = out.hx[v] * halfWidth;
      path.moveTo(x + bx, y + by);
      path.lineTo(x - bx, y - by);
      path.lineTo(x - ax - bx, y - ay - by);
      path.lineTo(x - ax + bx, y - ay + by);
      path.closePath();
    }
    batches.forEach((batch) => batch.flush());
  }

  // Near enough: a bar at the end of each lane, a part for each of its movements, and a line along the links with green.
  drawLamps(lanePx) {
    const { world, live } = this, spot = [0, 0, 0, 0];
    const bars = this.lampBatches(), ways = new Path2D();
    const toX = (x) => this.toX(x), toY = (y) => this.toY(y);
    const thick = Math.max(1.5 * this.view.scale * this.ratio, 2.2 * this.ratio);
    for (const approach of this.signals.approach)
      for (const lane of approach.lanes) {
        world.place(lane, 1, spot);
        if (!this.isSeen(spot[0], spot[1])) continue;
        const links = world.outLinks[lane], movements = this.signals.laneMovements[lane];
        const part = (lanePx * 0.86) / movements.length;
        movements.forEach((movement, k) => {
          const left = lanePx * 0.43 - part * k, right = left - part + (movements.length > 1 ? this.ratio * 0.5 : 0);
          bar(bars[lampName(this.signals.lamps[movement])].next(), this.toX(spot[0]), this.toY(spot[1]), spot[2], -spot[3], left, right, thick);
        });
        for (const link of links)
          if (this.signals.lamps[world.link_movement[link]] & GREEN) world.trace(ways, world.nLanes + link, toX, toY);
      }
    live.globalAlpha = 0.45;
    live.strokeStyle = this.colours.green;
    live.lineWidth = Math.max(1, 0.35 * lanePx * 0.5);
    live.stroke(ways);
    live.globalAlpha = 1;
    for (const name in bars) bars[name].flush();
  }

  // From afar: one bar across each approach.
  drawApproaches(lanePx) {
    const { world } = this, spot = [0, 0, 0, 0];
    const bars = this.lampBatches(), thick = Math.max(2 * this.ratio, Math.min(4 * this.ratio, lanePx));
    for (const approach of this.signals.approach) {
      const middle = approach.lanes[approach.lanes.length >> 1];
      world.place(middle, 1, spot);
      if (!this.isSeen(spot[0], spot[1])) continue;
      const half = Math.max((lanePx * approach.lanes.length) / 2, 1.6 * this.ratio);
      const name = lampName(this.signals.approachAspect(approach));
      bar(bars[name].next(), this.toX(spot[0]), this.toY(spot[1]), spot[2], -spot[3], half, -half, thick);
    }
    for (const name in bars) bars[name].flush();
  }

  lampBatches() {
    return Object.fromEntries(["green", "amber", "red"].map((name) => [name, new Batch(this.live, this.colours[name])]));
  }

  drawSelection() {
    const [x, y] = this.world.signalXY[this.selected], { live } = this;
    const radius = Math.max(11, 26 * this.world.widening * this.view.scale) * this.ratio;
    live.strokeStyle = this.colours.text;
    live.lineWidth = 2 * this.ratio;
    live.beginPath();
    live.arc(this.toX(x), this.toY(y), radius, 0, 2 * Math.PI);
    live.stroke();
  }

  signalAt(x, y) {
    let nearest = -1, least = Math.max(26, 26 * this.world.widening * this.view.scale);
    this.world.signalXY.forEach(([wx, wy], i) => {
      const distance = Math.hypot(this.toX(wx) / this.ratio - x, this.toY(wy) / this.ratio - y);
      if (distance < least) [nearest, least] = [i, distance];
    });
    return nearest;
  }
}

// Shapes of one colour, filled a few at a time: a path of thousands takes many times longer than thousands of paths.
class Batch {
  constructor(context, colour) {
    Object.assign(this, { context, colour, path: new Path2D(), size: 0 });
  }

  next() {
    if (this.size === 32) this.flush();
    this.size++;
    return this.path;
  }

  flush() {
    this.context.fillStyle = this.colour;
    this.context.fill(this.path);
    this.path = new Path2D();
    this.size = 0;
  }
}

function bar(path, x, y, hx, hy, left, right, thick) {
  // the unit vector to the left of a heading that is given with y downwards
  const lx = hy, ly = -hx;
  path.moveTo(x + lx * left, y + ly * left);
  path.lineTo(x + lx * right, y + ly * right);
  path.lineTo(x + lx * right - hx * thick, y + ly * right - hy * thick);
  path.lineTo(x + lx * left - hx * thick, y + ly * left - hy * thick);
  path.closePath();
}

function lampName(lamps) {
  return lamps & GREEN ? "green" : lamps & YELLOW ? "amber" : "red";
}

function mixed(from, to, share) {
  return from.map((channel, k) => Math.round(channel + (to[k] - channel) * share));
}

function copied(canvas) {
  const copy = document.createElement("canvas");
  copy.width = canvas.width;
  copy.height = canvas.height;
  copy.getContext("2d").drawImage(canvas, 0, 0);
  return copy;
}
