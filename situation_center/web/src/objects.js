/** The live objects as columns: loaded from a snapshot, changed by deltas, asked by the layer, the clusters and the mouse. Pure. */
import { RANK } from './severity.js';

/** An abnormal symbol is bigger than a quiet dot, so it is caught from farther away. */
const ABNORMAL_REACH = 1.6;

/** @param {number} lon degrees @returns {number} Mercator 0..1 */
export const mercatorX = (lon) => (180 + lon) / 360;

/** @param {number} lat degrees @returns {number} Mercator 0..1, north = 0 */
export const mercatorY = (lat) => (180 - (180 / Math.PI) * Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360))) / 360;

/** @param {number} x @returns {number} degrees */
export const longitude = (x) => x * 360 - 180;

/** @param {number} y @returns {number} degrees */
export const latitude = (y) => (360 / Math.PI) * Math.atan(Math.exp(((180 - y * 360) * Math.PI) / 180)) - 90;

/** @param {number} service wire code @param {number} mask one bit a service */
export const isShown = (service, mask) => service > 31 || ((mask >>> service) & 1) === 1;

export class Objects {
  constructor() {
    this.n = 0;
    this.id = /** @type {Uint32Array} */ (new Uint32Array(0));
    this.x = new Float64Array(0);
    this.y = new Float64Array(0);
    this.state = new Uint8Array(0);
    this.service = new Uint8Array(0);
    this.value = new Float32Array(0);
    /** @type {Map<number, number>} */
    this.byId = new Map();
  }

  /** @param {import('./wire.js').Snapshot} s */
  load(s) {
    this.n = s.n;
    this.id = s.objectId;
    this.x = Float64Array.from(s.lon, mercatorX);
    this.y = Float64Array.from(s.lat, mercatorY);
    // Own copies: deltas write here, and the frame's buffer may be looked at again.
    this.state = s.state.slice();
    this.service = s.service.slice();
    this.value = s.value.slice();
    this.byId = new Map();
    this.id.forEach((id, i) => this.byId.set(id, i));
  }

  /**
   * @param {import('./wire.js').Delta} d
   * @returns {boolean} whether any state changed (values alone do not move clusters)
   * @throws {RangeError} an index beyond the snapshot: the caller asks for a new one
   */
  apply(d) {
    let changed = false;
    for (let k = 0; k < d.n; k++) {
      const i = d.index[k];
      if (i >= this.n) throw new RangeError(`delta names record ${i} of ${this.n}`);
      changed ||= this.state[i] !== d.state[k];
      this.state[i] = d.state[k];
      this.value[i] = d.value[k];
    }
    return changed;
  }

  /**
   * @param {import('./wire.js').Moved} m
   * @returns {boolean} whether an abnormal object moved (then its cluster does)
   * @throws {RangeError} an index beyond the snapshot
   */
  move(m) {
    let abnormal = false;
    for (let k = 0; k < m.n; k++) {
      const i = m.index[k];
      if (i >= this.n) throw new RangeError(`move names record ${i} of ${this.n}`);
      this.x[i] = mercatorX(m.lon[k]);
      this.y[i] = mercatorY(m.lat[k]);
      abnormal ||= this.state[i] !== 0;
    }
    return abnormal;
  }

  /** Indices of abnormal objects of the shown services. @param {number} mask @returns {number[]} */
  abnormal(mask) {
    const out = [];
    for (let i = 0; i < this.n; i++) if (this.state[i] !== 0 && isShown(this.service[i], mask)) out.push(i);
    return out;
  }

  /**
   * Shown objects around a place, abnormal before normal, then by distance.
   * @param {number} x @param {number} y @param {number} reach Mercator units @param {number} mask
   * @returns {number[]} indices
   */
  around(x, y, reach, mask) {
    /** @type {{i: number, distance: number}[]} */
    const found = [];
    for (let i = 0; i < this.n; i++) {
      const limit = this.state[i] === 0 ? reach : reach * ABNORMAL_REACH;
      const dx = this.x[i] - x;
      const dy = this.y[i] - y;
      if (dx < limit && dx > -limit && dy < limit && dy > -limit && isShown(this.service[i], mask)) {
        found.push({ i, distance: Math.hypot(dx, dy) });
      }
    }
    found.sort((a, b) => RANK[this.state[b.i]] - RANK[this.state[a.i]] || a.distance - b.distance);
    return found.map((f) => f.i);
  }

  /**
   * Per service: the worst state, and how many objects are in it.
   * @param {number} services
   * @returns {{count: number, worst: number}[]}
   */
  tally(services) {
    const out = Array.from({ length: services }, () => ({ count: 0, worst: 0 }));
    for (let i = 0; i < this.n; i++) {
      const entry = out[this.service[i]];
      const state = this.state[i];
      if (!entry || state === 0) continue;
      if (RANK[state] > RANK[entry.worst]) Object.assign(entry, { worst: state, count: 0 });
      if (state === entry.worst) entry.count += 1;
    }
    return out;
  }
}
