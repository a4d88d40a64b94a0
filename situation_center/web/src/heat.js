/**
 * The heat map of one quantity: GET /map/heat/<quantity>.json ->
 *   {west, south, east, north: degrees; width, height: cells; values: row-major, first row north, first cell west,
 *    float or null; uncertainty: same shape, 0 = known well .. 1 = not known; min, max: ends of the scale; unit;
 *    title_ru, title_en; time: city clock, epoch ms}.
 * The less is known, the more transparent it is: the field never looks surer than it is.
 */
import { table, position } from './scale.js';

const SOURCE = 'heat';
const OPACITY_MAX = 0.82;
const REFRESH_MS = 60_000;

/**
 * @typedef {{west: number, south: number, east: number, north: number, width: number, height: number,
 *   values: (number | null)[], uncertainty: (number | null)[], min: number, max: number, unit: string,
 *   title_ru?: string, title_en?: string, time?: number}} Field
 */

/**
 * @param {Field} field @param {import('./scale.js').ScaleName} scale
 * @returns {Uint8ClampedArray<ArrayBuffer>} RGBA, width x height
 */
export function pixels(field, scale) {
  const colours = table(scale);
  const out = new Uint8ClampedArray(4 * field.width * field.height);
  for (let i = 0; i < field.width * field.height; i++) {
    const at = position(field.values[i] ?? null, field.min, field.max);
    if (Number.isNaN(at)) continue;
    const doubt = Math.min(1, Math.max(0, field.uncertainty?.[i] ?? 0));
    out.set(colours.subarray(3 * at, 3 * at + 3), 4 * i);
    out[4 * i + 3] = Math.round(255 * OPACITY_MAX * (1 - doubt));
  }
  return out;
}

/** Owns the canvas source on the map, and fetches the field again while it is shown. */
export class HeatMap {
  /** @param {import('maplibre-gl').Map} map @param {string} address ends with / @param {(field: Field | null) => void} onField */
  constructor(map, address, onField) {
    this.map = map;
    this.address = address;
    this.onField = onField;
    this.canvas = document.createElement('canvas');
    this.quantity = /** @type {string | null} */ (null);
    this.scale = /** @type {import('./scale.js').ScaleName} */ ('viridis');
  }

  /** @param {string | null} quantity null switches the heat map off */
  async show(quantity) {
    clearTimeout(this.timer);
    if (quantity !== this.quantity) this.#clear();
    this.quantity = quantity;
    if (!quantity) return;
    try {
      const response = await fetch(`${this.address}${encodeURIComponent(quantity)}.json`, { credentials: 'same-origin' });
      if (!response.ok) throw new Error(`heat map ${quantity}: ${response.status}`);
      const field = await response.json();
      if (quantity === this.quantity) this.#draw(field);
    } catch (error) {
      console.error('heat map', error);
      if (quantity === this.quantity) this.#clear();
    }
    if (quantity === this.quantity) this.timer = setTimeout(() => this.show(quantity), REFRESH_MS);
  }

  close() {
    this.quantity = null;
    clearTimeout(this.timer);
  }

  /** @param {Field} field */
  #draw(field) {
    this.canvas.width = field.width;
    this.canvas.height = field.height;
    this.canvas.getContext('2d')?.putImageData(new ImageData(pixels(field, this.scale), field.width, field.height), 0, 0);
    const { west, south, east, north } = field;
    // Rows are even in latitude, the map in Mercator: over a city the two differ by less than a cell.
    const coordinates = /** @type {any} */ ([[west, north], [east, north], [east, south], [west, south]]);
    const source = /** @type {import('maplibre-gl').CanvasSource | undefined} */ (this.map.getSource(SOURCE));
    if (source) {
      source.setCoordinates(coordinates);
      source.play(); // play and pause upload the canvas once
      source.pause();
    } else {
      this.map.addSource(SOURCE, /** @type {any} */ ({ type: 'canvas', canvas: this.canvas, coordinates, animate: false }));
      this.map.addLayer({ id: SOURCE, type: 'raster', source: SOURCE, paint: { 'raster-fade-duration': 0, 'raster-resampling': 'linear' } }, 'street');
    }
    this.onField(field);
  }

  #clear() {
    if (this.map.getLayer(SOURCE)) this.map.removeLayer(SOURCE);
    if (this.map.getSource(SOURCE)) this.map.removeSource(SOURCE);
    this.onField(null);
  }
}
