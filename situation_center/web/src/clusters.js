/** Groups abnormal objects that lie together on the screen; each group is led by its worst member. Pure. */
import { RANK } from './severity.js';

/** @typedef {{anchor: number, members: number[], worst: number}} Cluster indices into the snapshot; worst = wire state */

/**
 * Worst first, every object joins the nearest group leader within the radius or leads a group of its own. Leaders are
 * therefore at least a radius apart, a group stands where its worst object really is, and panning changes nothing.
 * @param {ArrayLike<number>} abnormal indices
 * @param {{x: Float64Array, y: Float64Array, state: Uint8Array}} objects x, y in Mercator units 0..1
 * @param {number} pxPerUnit screen pixels per Mercator unit at this zoom
 * @param {number} radiusPx
 * @returns {Cluster[]} worst first
 */
export function cluster(abnormal, objects, pxPerUnit, radiusPx) {
  const radius = radiusPx / pxPerUnit;
  const order = Array.from(abnormal).sort((a, b) => RANK[objects.state[b]] - RANK[objects.state[a]] || a - b);
  const grid = new Grid(radius);
  /** @type {Cluster[]} */
  const clusters = [];
  for (const i of order) {
    const near = grid.nearest(objects.x[i], objects.y[i]);
    if (near) {
      near.members.push(i);
    } else {
      const lead = { anchor: i, members: [i], worst: objects.state[i] };
      clusters.push(lead);
      grid.add(objects.x[i], objects.y[i], lead);
    }
  }
  return clusters;
}

/** Square cells as wide as the radius: a neighbour within it is in one of nine cells. */
class Grid {
  /** @param {number} size */
  constructor(size) {
    this.size = size;
    /** @type {Map<string, {x: number, y: number, lead: Cluster}[]>} */
    this.cells = new Map();
  }

  /** @param {number} x @param {number} y @param {Cluster} lead */
  add(x, y, lead) {
    const key = `${Math.floor(x / this.size)}:${Math.floor(y / this.size)}`;
    const cell = this.cells.get(key);
    if (cell) cell.push({ x, y, lead });
    else this.cells.set(key, [{ x, y, lead }]);
  }

  /** @param {number} x @param {number} y @returns {Cluster | undefined} */
  nearest(x, y) {
    const column = Math.floor(x / this.size);
    const row = Math.floor(y / this.size);
    let best;
    let least = this.size;
    for (let c = column - 1; c <= column + 1; c++) {
      for (let r = row - 1; r <= row + 1; r++) {
        for (const spot of this.cells.get(`${c}:${r}`) ?? []) {
          const distance = Math.hypot(spot.x - x, spot.y - y);
          if (distance < least) { least = distance; best = spot.lead; }
        }
      }
    }
    return best;
  }
}

/**
 * Could zooming in to the limit pull the members apart? If not, a click opens a list instead.
 * @param {number[]} members @param {{x: Float64Array, y: Float64Array}} objects
 * @param {number} pxPerUnitMax pixels per unit at the deepest zoom @param {number} radiusPx
 */
export function separable(members, objects, pxPerUnitMax, radiusPx) {
  const [west, north, east, south] = extent(members, objects);
  return Math.max(east - west, south - north) * pxPerUnitMax > radiusPx;
}

/** @param {number[]} members @param {{x: Float64Array, y: Float64Array}} objects @returns {[number, number, number, number]} */
export function extent(members, objects) {
  let [west, north, east, south] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const i of members) {
    west = Math.min(west, objects.x[i]);
    east = Math.max(east, objects.x[i]);
    north = Math.min(north, objects.y[i]);
    south = Math.max(south, objects.y[i]);
  }
  return [west, north, east, south];
}
