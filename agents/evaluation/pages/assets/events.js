// Events of many owners, each owner's in the order of time: what holds for one of them at a moment.
class EventTrack {
  constructor({ time_s, of, what }, owners) {
    const counts = new Int32Array(owners);
    of.forEach((owner) => counts[owner]++);
    this.start = startsOf(counts);
    const next = this.start.slice();
    this.time = new Int32Array(of.length);
    this.what = new Int32Array(of.length);
    for (let k = 0; k < of.length; k++) {
      const at = next[of[k]]++;
      this.time[at] = time_s[k];
      this.what[at] = what[k];
    }
  }

  // Index of the owner's latest event at or before t; one less than its first where there is none.
  indexAt(owner, t) {
    let low = this.start[owner] - 1, high = this.start[owner + 1] - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.time[middle] <= t) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  at(owner, t, otherwise) {
    const k = this.indexAt(owner, t);
    return k < this.start[owner] ? otherwise : this.what[k];
  }

  between(owner, from, to) {
    const events = [];
    for (let k = Math.max(this.indexAt(owner, from), this.start[owner]); k < this.start[owner + 1]; k++) {
      if (this.time[k] > to) break;
      const isLast = k + 1 === this.start[owner + 1];
      events.push({ time: this.time[k], until: isLast ? Infinity : this.time[k + 1], what: this.what[k] });
    }
    return events;
  }
}
