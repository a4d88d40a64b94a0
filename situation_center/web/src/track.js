/** The way of one moving object in the last 24 h as a line under the points; it grows as the object moves. */
import { latitude, longitude } from './objects.js';

const LINE = { dark: '#c8b9a6', light: '#7a5f3c' };
const ID = 'track';

export class Track {
  /** @param {import('maplibre-gl').Map} map @param {number} objectId @param {AbortSignal} signal */
  constructor(map, objectId, signal) {
    this.map = map;
    this.objectId = objectId;
    this.signal = signal;
    /** @type {[number, number][]} */
    this.line = [];
  }

  /**
   * @param {'dark' | 'light'} theme
   * @returns {Promise<[number, number, number, number] | null>} west, south, east, north of the way; null where there is none
   */
  async draw(theme) {
    const answer = await fetch(`/map/track/${this.objectId}.json`, { signal: this.signal }).catch(() => null);
    if (!answer?.ok) return null;
    this.line = (await answer.json()).coordinates;
    if (this.signal.aborted) return null;
    this.map.addSource(ID, { type: 'geojson', data: this.#feature() });
    this.map.addLayer({ id: ID, type: 'line', source: ID, layout: { 'line-join': 'round', 'line-cap': 'round' }, paint: { 'line-width': 2.5, 'line-opacity': 0.85 } }, this.map.getLayer('live-objects') && 'live-objects');
    this.paint(theme);
    if (!this.line.length) return null;
    const lon = this.line.map(([x]) => x);
    const lat = this.line.map(([, y]) => y);
    return [Math.min(...lon), Math.min(...lat), Math.max(...lon), Math.max(...lat)];
  }

  /** @param {'dark' | 'light'} theme */
  paint(theme) {
    if (this.map.getLayer(ID)) this.map.setPaintProperty(ID, 'line-color', LINE[theme]);
  }

  /** @param {import('./objects.js').Objects} objects @param {Uint32Array} indices */
  moved(objects, indices) {
    const i = objects.byId.get(this.objectId);
    if (i === undefined || !indices.includes(i)) return;
    this.line.push([longitude(objects.x[i]), latitude(objects.y[i])]);
    /** @type {import('maplibre-gl').GeoJSONSource | undefined} */ (this.map.getSource(ID))?.setData(this.#feature());
  }

  #feature() {
    return /** @type {any} */ ({ type: 'Feature', properties: {}, geometry: { type: 'LineString', coordinates: this.line } });
  }
}
